//! The one encoder: writes the vector a network reads.
//!
//! Simulation, evaluation, deployment and replay all call it, so there is no second way to build an observation.

use crate::frame::SignalFrame;
use crate::observation::{Audience, Encoding, NamedLimits, ObservationError, ObservationSchema, ObservationTerm};

/// Writes the vector a network reads. Keeps the history of one hand or world.
#[derive(Debug, Clone)]
pub struct ObservationEncoder {
    schema: ObservationSchema,
    /// Per term: the last `history` encoded instants, newest first; empty at the start of an episode.
    history: Vec<Vec<f32>>,
}

impl ObservationEncoder {
    /// An encoder at the start of an episode.
    pub fn new(schema: &ObservationSchema) -> Self {
        Self { schema: schema.clone(), history: vec![Vec::new(); schema.terms().len()] }
    }

    /// Forgets the history: the start of an episode.
    pub fn reset(&mut self) {
        self.history.iter_mut().for_each(Vec::clear);
    }

    /// The schema this encoder writes.
    pub fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    /// Writes the actor's columns from what was sensed.
    ///
    /// # Errors
    /// When a signal is missing, too old or not finite.
    ///
    /// # Panics
    /// When `out` is not as wide as the actor's columns or the frame is of another hand: a mistake in this program.
    pub fn encode_actor(&mut self, sensed: &SignalFrame, out: &mut [f32]) -> Result<(), ObservationError> {
        assert_eq!(out.len(), self.schema.actor_width(), "width of the actor's observation");
        self.check(Audience::ActorAndCritic, sensed)?;
        self.write(Audience::ActorAndCritic, sensed, out);
        Ok(())
    }

    /// Writes all columns: the actor's from what was sensed, the critic's own from what is true.
    ///
    /// # Errors
    /// When a signal is missing, too old or not finite.
    ///
    /// # Panics
    /// When `out` is not as wide as the critic's columns or a frame is of another hand: a mistake in this program.
    pub fn encode(
        &mut self,
        sensed: &SignalFrame,
        truth: &SignalFrame,
        out: &mut [f32],
    ) -> Result<(), ObservationError> {
        assert_eq!(out.len(), self.schema.critic_width(), "width of the critic's observation");
        self.check(Audience::ActorAndCritic, sensed)?;
        self.check(Audience::CriticOnly, truth)?;
        let (actor, critic) = out.split_at_mut(self.schema.actor_width());
        self.write(Audience::ActorAndCritic, sensed, actor);
        self.write(Audience::CriticOnly, truth, critic);
        Ok(())
    }

    /// Whether everything this audience reads may be used. Checked before anything is written, so that an instant
    /// that failed leaves no trace in the history.
    fn check(&self, audience: Audience, frame: &SignalFrame) -> Result<(), ObservationError> {
        let mut terms = self.schema.terms().iter().filter(|term| term.audience == audience);
        terms.try_for_each(|term| check_term(&self.schema, term, frame))
    }

    fn write(&mut self, audience: Audience, frame: &SignalFrame, out: &mut [f32]) {
        let mut column = 0;
        for (term, past) in self.schema.terms().iter().zip(&mut self.history) {
            if term.audience != audience {
                continue;
            }
            let values = frame.read(term.signal).expect("checked to be there");
            let width = self.schema.encoded_width(term);
            let total = self.schema.term_width(term);
            let starting = past.is_empty();
            if starting {
                past.resize(total, 0.0);
            } else {
                past.copy_within(..total - width, width);
            }
            write_encoded(&self.schema, term, values, &mut past[..width]);
            if starting {
                (width..total).step_by(width.max(1)).for_each(|older| past.copy_within(..width, older));
            }
            out[column..column + total].copy_from_slice(past);
            column += total;
        }
    }
}

/// Whether the values of a term's signal may be used.
fn check_term(schema: &ObservationSchema, term: &ObservationTerm, frame: &SignalFrame) -> Result<(), ObservationError> {
    let signal = term.signal.name();
    let (Some(values), Some(stamp)) = (frame.read(term.signal), frame.stamp(term.signal)) else {
        return Err(ObservationError::Missing { signal });
    };
    assert_eq!(values.len(), schema.layout().width(term.signal), "{signal}: this frame is of another hand");
    let age_secs = frame.now().secs_since(stamp);
    if age_secs > f64::from(term.max_age_secs) + 1e-9 {
        return Err(ObservationError::Stale { signal, age_secs, max_age_secs: term.max_age_secs });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(element) => Err(ObservationError::NotFinite { signal, element }),
        None => Ok(()),
    }
}

fn write_encoded(schema: &ObservationSchema, term: &ObservationTerm, values: &[f32], out: &mut [f32]) {
    match term.encoding {
        Encoding::Raw => out.copy_from_slice(values),
        Encoding::Divide(by) => out.iter_mut().zip(values).for_each(|(o, v)| *o = v / by),
        Encoding::JointRange => write_by_limits(schema.joints(), values, out),
        Encoding::ByBounds => write_by_limits(schema.parameters(), values, out),
        Encoding::Rotation6 => write_rotation6(values, out),
    }
}

fn write_by_limits(limits: &[NamedLimits], values: &[f32], out: &mut [f32]) {
    for ((out, value), NamedLimits { limits, .. }) in out.iter_mut().zip(values).zip(limits) {
        let half = 0.5 * (limits.upper - limits.lower);
        let middle = 0.5 * (limits.upper + limits.lower);
        *out = if half > 0.0 { (value - middle) / half } else { 0.0 };
    }
}

/// First two columns of the rotation matrix of a unit quaternion given as x, y, z, w.
fn write_rotation6(quaternion_xyzw: &[f32], out: &mut [f32]) {
    let [x, y, z, w] = [quaternion_xyzw[0], quaternion_xyzw[1], quaternion_xyzw[2], quaternion_xyzw[3]];
    out.copy_from_slice(&[
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y + w * z),
        2.0 * (x * z - w * y),
        2.0 * (x * y - w * z),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (y * z + w * x),
    ]);
}
