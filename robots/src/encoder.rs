//! The one encoder: writes the vector a network reads.
//!
//! Simulation, evaluation, deployment and replay all call it, so there is no second way to build an observation.

use crate::frame::{Nanos, SignalFrame};
use crate::observation::{NamedLimits, ObservationSchema};
use crate::symmetry::Folding;
use crate::term::{Audience, Encoding, ObservationError, ObservationTerm, WhenStale};
use crate::watch::rotation_from_xyzw;
use nalgebra::UnitQuaternion;
use std::collections::VecDeque;

/// Writes the vector a network reads. Keeps the history of one hand or world.
#[derive(Debug, Clone)]
pub struct ObservationEncoder {
    schema: ObservationSchema,
    /// One per term.
    memories: Vec<Memory>,
}

/// What is remembered for one term.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// The last `history` encoded instants, newest first; empty at the start of an episode.
    instants: Vec<f32>,
    /// Of a rate: measurements with their times, oldest first; the first is at least as old as the rate asks for.
    measured: VecDeque<(Nanos, Vec<f32>)>,
    /// Of a folded orientation.
    folding: Option<Folding>,
}

impl ObservationEncoder {
    /// An encoder at the start of an episode.
    pub fn new(schema: &ObservationSchema) -> Self {
        let memory = |term: &ObservationTerm| match term.encoding {
            Encoding::FoldedRotation6(symmetry) => {
                Memory { folding: Some(Folding::new(symmetry)), ..Memory::default() }
            }
            _ => Memory::default(),
        };
        Self { schema: schema.clone(), memories: schema.terms().iter().map(memory).collect() }
    }

    /// Forgets the history: the start of an episode.
    pub fn reset(&mut self) {
        for memory in &mut self.memories {
            memory.instants.clear();
            memory.measured.clear();
        }
    }

    /// The schema this encoder writes.
    pub fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    /// Writes the actor's columns from what was sensed.
    ///
    /// # Errors
    /// When a signal is missing, too old or not finite, and its term says that this ends the episode.
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
    /// When a signal is missing, too old or not finite, and its term says that this ends the episode.
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

    /// Whether there is an observation for this audience. Checked before anything is written, so that an instant that
    /// failed leaves no trace in the history.
    fn check(&self, audience: Audience, frame: &SignalFrame) -> Result<(), ObservationError> {
        let ending = |term: &&ObservationTerm| term.audience == audience && term.when_stale == WhenStale::End;
        let mut terms = self.schema.terms().iter().filter(ending);
        terms.try_for_each(|term| sound_values(&self.schema, term, frame).map(|_| ()))
    }

    fn write(&mut self, audience: Audience, frame: &SignalFrame, out: &mut [f32]) {
        let mut column = 0;
        for (term, memory) in self.schema.terms().iter().zip(&mut self.memories) {
            if term.audience != audience {
                continue;
            }
            let total = self.schema.term_width(term);
            memory.take(&self.schema, term, frame);
            out[column..column + total].copy_from_slice(&memory.instants);
            column += total;
        }
    }
}

impl Memory {
    /// Adds one instant of a term.
    fn take(&mut self, schema: &ObservationSchema, term: &ObservationTerm, frame: &SignalFrame) {
        let width = schema.encoded_width(term);
        let total = schema.term_width(term);
        let starting = self.instants.is_empty();
        if starting {
            self.instants.resize(total, 0.0);
        } else {
            // What was newest stays where it was, too, for terms that hold it.
            self.instants.copy_within(..total - width, width);
        }
        let value_width = width - term.when_stale.validity_columns();
        let sound = match sound_values(schema, term, frame) {
            Ok((values, stamp)) => {
                self.encode(schema, term, (values, stamp), value_width);
                true
            }
            Err(_) => {
                if term.when_stale == WhenStale::Zero {
                    self.instants[..value_width].fill(0.0);
                }
                false
            }
        };
        self.instants[value_width..width].fill(if sound { 1.0 } else { 0.0 });
        if starting {
            (width..total).step_by(width.max(1)).for_each(|older| self.instants.copy_within(..width, older));
        }
    }

    fn encode(
        &mut self,
        schema: &ObservationSchema,
        term: &ObservationTerm,
        (values, stamp): (&[f32], Nanos),
        width: usize,
    ) {
        let out = &mut self.instants[..width];
        match term.encoding {
            Encoding::Raw => out.copy_from_slice(values),
            Encoding::Divide(by) => out.iter_mut().zip(values).for_each(|(o, v)| *o = v / by),
            Encoding::JointRange => write_by_limits(schema.joints(), values, out),
            Encoding::ByBounds => write_by_limits(schema.parameters(), values, out),
            Encoding::Rotation6 => write_rotation6(values, out),
            Encoding::FoldedRotation6(_) => match (&self.folding, quaternion(values)) {
                (Some(folding), Some(rotation)) => {
                    let folded = folding.fold(&rotation, &UnitQuaternion::identity());
                    write_rotation6(folded.coords.as_slice(), out);
                }
                _ => write_rotation6(values, out),
            },
            Encoding::Rate { over_secs, divide } => {
                write_rate(&mut self.measured, (values, stamp), over_secs, out);
                out.iter_mut().for_each(|value| *value /= divide);
            }
        }
    }
}

/// The values of a term's signal and when they were measured, if they may be used.
fn sound_values<'f>(
    schema: &ObservationSchema,
    term: &ObservationTerm,
    frame: &'f SignalFrame,
) -> Result<(&'f [f32], Nanos), ObservationError> {
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
        None => Ok((values, stamp)),
    }
}

/// Change per second from the newest measurement that is at least `over_secs` old, or else the oldest there is.
fn write_rate(
    measured: &mut VecDeque<(Nanos, Vec<f32>)>,
    (values, stamp): (&[f32], Nanos),
    over_secs: f32,
    out: &mut [f32],
) {
    if measured.back().is_none_or(|(last, _)| *last != stamp) {
        measured.push_back((stamp, values.to_vec()));
    }
    let old_enough = |(then, _): &(Nanos, Vec<f32>)| stamp.secs_since(*then) >= f64::from(over_secs) - 1e-6;
    while measured.get(1).is_some_and(old_enough) {
        measured.pop_front();
    }
    let Some((then, old)) = measured.front() else { return };
    let secs = stamp.secs_since(*then) as f32;
    if secs <= 0.0 {
        out.fill(0.0);
    } else if out.len() == values.len() {
        out.iter_mut().zip(values.iter().zip(old)).for_each(|(out, (new, old))| *out = (new - old) / secs);
    } else {
        // An orientation: the turn from then to now, in the frame of reference.
        let turn = quaternion(values).zip(quaternion(old)).map(|(new, old)| (new * old.inverse()).scaled_axis());
        out.copy_from_slice((turn.unwrap_or_default() / secs).as_slice());
    }
}

fn quaternion(values: &[f32]) -> Option<UnitQuaternion<f32>> {
    rotation_from_xyzw(values.try_into().ok()?)
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
