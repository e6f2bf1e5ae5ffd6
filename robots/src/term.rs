//! One entry of what a network reads: which signal, how it is written down, and what happens when it cannot be.

use crate::signal::{Shape, Signal, Source};
use crate::symmetry::Symmetry;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One entry of what a network reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservationTerm {
    /// What is read.
    pub signal: Signal,
    /// How it is written down.
    pub encoding: Encoding,
    /// How many instants: 1 is now only; newest first.
    pub history: u8,
    /// Oldest a value may be. Zero for what is measured every step.
    pub max_age_secs: f32,
    /// Who reads it.
    pub audience: Audience,
    /// What happens when it was never measured, is older than that, or is not finite.
    #[serde(default, skip_serializing_if = "WhenStale::is_end")]
    pub when_stale: WhenStale,
}

/// What happens to an observation of which one signal is missing, too old or not finite. Decided here, and so the same in
/// training, evaluation and deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenStale {
    /// There is no observation: the episode ends, as a counted failure.
    #[default]
    End,
    /// The term repeats what it last said, zeros if it never said anything. One more column per instant says whether
    /// the values are sound: 1 or 0.
    Hold,
    /// The term is zero. One more column per instant says whether the values are sound: 1 or 0.
    Zero,
}

impl WhenStale {
    fn is_end(&self) -> bool {
        *self == WhenStale::End
    }

    /// Columns per instant that say whether the values are sound.
    pub(crate) fn validity_columns(self) -> usize {
        usize::from(self != WhenStale::End)
    }
}

/// How a signal's numbers are written into the vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As they are.
    Raw,
    /// Divided by a constant.
    Divide(f32),
    /// Joint limits mapped to [-1, 1].
    JointRange,
    /// Parameter bounds mapped to [-1, 1].
    ByBounds,
    /// The first two columns of the rotation matrix (Zhou et al. 2019, section 3).
    Rotation6,
    /// The same of that orientation, of all in which an object of this symmetry looks the same, which is turned least from
    /// the palm's: which of its alike sides is up makes no difference.
    FoldedRotation6(Symmetry),
    /// How fast the signal changes, from measurements at least so far apart, divided by a constant; zero until there are
    /// two. Of an orientation the angular velocity, three numbers in the frame of reference.
    Rate {
        /// From measurements at least so far apart, s.
        over_secs: f32,
        /// Divided by this, in the signal's unit per second (rad/s for an orientation).
        divide: f32,
    },
}

/// Who reads a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// From the sensed frame; the actor's columns, which the critic sees too.
    ActorAndCritic,
    /// From the true frame; never available at deployment.
    CriticOnly,
}

/// Why a schema or an observation cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ObservationError {
    /// A term for the actor that only a simulator knows.
    #[error("the actor cannot read {signal}: only a simulator knows it; make the term critic-only")]
    NotObservable {
        /// Its name.
        signal: &'static str,
    },
    /// A term whose encoding does not fit its signal.
    #[error("{signal} cannot be encoded so: {problem}")]
    NotEncodable {
        /// Its name.
        signal: &'static str,
        /// What does not fit.
        problem: &'static str,
    },
    /// A stored schema in which joints follow that it does not have.
    #[error("joints {followers:?} of {joint_count} follow others: each must be one of them, in ascending order")]
    NoSuchFollower {
        /// How many joints there are.
        joint_count: usize,
        /// Those that should follow others.
        followers: Vec<usize>,
    },
    /// Nothing was measured yet.
    #[error("{signal} was not measured yet, so there is no observation to act on")]
    Missing {
        /// Its name.
        signal: &'static str,
    },
    /// What was measured is too old.
    #[error("{signal} is {age_secs:.3} s old; the policy reads it up to {max_age_secs:.3} s old")]
    Stale {
        /// Its name.
        signal: &'static str,
        /// Its age.
        age_secs: f64,
        /// The oldest it may be.
        max_age_secs: f32,
    },
    /// A number that is none.
    #[error("{signal} element {element} is not a finite number")]
    NotFinite {
        /// Its name.
        signal: &'static str,
        /// Which element.
        element: usize,
    },
}

impl ObservationTerm {
    /// A term of what is measured every step, without which there is no observation.
    pub fn fresh(signal: Signal, encoding: Encoding, history: u8, audience: Audience) -> Self {
        Self { signal, encoding, history, max_age_secs: 0.0, audience, when_stale: WhenStale::End }
    }

    /// The same term, whose values may be so old.
    #[must_use]
    pub fn up_to_secs_old(self, max_age_secs: f32) -> Self {
        Self { max_age_secs, ..self }
    }

    /// The same term, with something else that happens when it cannot be read.
    #[must_use]
    pub fn when_stale(self, when_stale: WhenStale) -> Self {
        Self { when_stale, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ObservationError> {
        let signal = self.signal.name();
        let definition = self.signal.definition();
        if self.audience == Audience::ActorAndCritic && definition.source == Source::SimulatorOnly {
            return Err(ObservationError::NotObservable { signal });
        }
        let rotation = definition.shape == Shape::QuaternionXyzw;
        let problem = match (self.encoding, definition.shape) {
            _ if self.history == 0 => "a history of 0 instants holds nothing; 1 is now only",
            (Encoding::Divide(by), _) if !by.is_normal() => "the divisor must be a finite number other than zero",
            (Encoding::JointRange, shape) if shape != Shape::PerJoint => "only joints have a joint range",
            (Encoding::ByBounds, shape) if shape != Shape::PerParameter => "only parameters have bounds",
            (Encoding::Rotation6 | Encoding::FoldedRotation6(_), _) if !rotation => "only a rotation has six numbers",
            (Encoding::Rate { divide, .. }, _) if !divide.is_normal() => {
                "the divisor must be a finite number other than zero"
            }
            (Encoding::Rate { over_secs, .. }, _) if !(over_secs > 0.0 && over_secs.is_finite()) => {
                "a rate is taken over a time above zero"
            }
            _ => return Ok(()),
        };
        Err(ObservationError::NotEncodable { signal, problem })
    }

    /// What a fingerprint is made of. Whatever did not exist once leaves no mark where it is not used, so that old
    /// fingerprints stay.
    pub(crate) fn identity(&self) -> String {
        let Self { signal, encoding, history, max_age_secs, audience, when_stale } = self;
        let stale = if when_stale.is_end() { String::new() } else { format!(", when_stale: {when_stale:?}") };
        format!(
            "ObservationTerm {{ signal: {signal:?}, encoding: {encoding:?}, history: {history:?}, \
             max_age_secs: {max_age_secs:?}, audience: {audience:?}{stale} }}"
        )
    }
}
