//! Episodes over the wire against the same episodes in this process.

use super::report::EpisodeName;
use crate::run::behavior::Behavior;
use crate::run::config::Parts;
use crate::run::episode::{Pilot, Trace};
use anyhow::Result;
use giraffe_physics::{EpisodePlan, HandSim};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Lives in this process through what was flown over the wire.
pub(super) struct Twin {
    pilot: Pilot,
    expected: Trace,
}

impl Twin {
    /// With the same policy.
    pub(super) fn of(policy: &dyn Behavior, parts: &Parts, memoryless: bool) -> Self {
        Self { pilot: Pilot::of(policy, parts, memoryless), expected: Trace::default() }
    }

    /// Whether both are equal in every bit; says where they are not. Nobody knows where this life was cut before they differed.
    pub(super) fn lives_the_same(
        &mut self,
        name: EpisodeName,
        plan: EpisodePlan,
        parts: &Parts,
        found: &Trace,
        stop: &AtomicBool,
    ) -> Result<Option<bool>> {
        let mut sim = HandSim::new(Arc::clone(&parts.scene), plan);
        let result = self.pilot.fly_observed(&mut sim, &mut self.expected, stop)?;
        let Some(at) = first_difference(&self.expected.0, &found.0) else { return Ok(Some(true)) };
        if result.cut {
            return Ok(None);
        }
        let per_step = (self.expected.0.len() / (result.trial.step_count.max(1) as usize)).max(1);
        tracing::warn!(
            "{name} differs from the same one in this process at step {}, number {} of the step's {per_step}",
            at / per_step,
            at % per_step
        );
        Ok(Some(false))
    }
}

/// The first place where two traces differ in a bit or in length.
fn first_difference(expected: &[f32], found: &[f32]) -> Option<usize> {
    let differing = expected.iter().zip(found).position(|(a, b)| a.to_bits() != b.to_bits());
    differing.or_else(|| (expected.len() != found.len()).then_some(expected.len().min(found.len())))
}
