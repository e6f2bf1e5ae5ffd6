//! Joints that are said to stand still while their targets move: a reading that is repeated, a simulator that senses nothing.

use crate::run::episode::{StepObserver, StepView};
use giraffe_robots::Signal;

/// Targets that moved by less say nothing of a joint that stood still, rad: dry friction holds a joint against less, and the
/// coarsest encoder has steps of a fifteenth of it.
const MOVED_RAD: f32 = 0.1;

/// From where to where something went.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    least: f32,
    most: f32,
}

impl Span {
    fn widen(spans: &mut Vec<Span>, values: &[f32]) {
        if spans.len() != values.len() {
            *spans = values.iter().map(|&value| Span { least: value, most: value }).collect();
        }
        for (span, value) in spans.iter_mut().zip(values) {
            (span.least, span.most) = (span.least.min(*value), span.most.max(*value));
        }
    }
}

/// Watches one episode.
#[derive(Debug, Default)]
pub struct Stillness {
    targets: Vec<Span>,
    angles: Vec<Span>,
}

impl Stillness {
    /// Places of the joints whose angle was the same number throughout while their target moved.
    pub fn frozen(&self) -> Vec<usize> {
        let joints = self.targets.iter().zip(&self.angles).enumerate();
        let still = joints.filter(|(_, (target, angle))| {
            target.most - target.least > MOVED_RAD && angle.least.to_bits() == angle.most.to_bits()
        });
        still.map(|(joint, _)| joint).collect()
    }

    fn take(&mut self, applied_rad: &[f32], angles_rad: &[f32]) {
        Span::widen(&mut self.targets, applied_rad);
        Span::widen(&mut self.angles, angles_rad);
    }
}

impl StepObserver for Stillness {
    fn began(&mut self, _goal_seed: u64) {
        *self = Self::default();
    }

    fn stepped(&mut self, step: &StepView<'_>) {
        self.take(&step.commanded.applied_rad, step.sensed.read(Signal::JointPosition).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::Stillness;

    #[test]
    fn a_joint_that_never_moves_while_its_target_does_is_frozen_and_no_other() {
        let mut stillness = Stillness::default();
        assert!(stillness.frozen().is_empty());
        for step in 0..50 {
            let swing = 0.3 * (0.2 * step as f32).sin();
            // Follows; does not; need not; moves by the last bit.
            let last_bit = f32::from_bits(0.7_f32.to_bits() + u32::from(step == 40));
            stillness.take(&[swing, swing, 0.01 * swing, swing], &[0.9 * swing, 0.2, 0.1, last_bit]);
        }
        assert_eq!(stillness.frozen(), [1]);
    }
}
