//! What a network's outputs mean, and the one decoder that turns them into joint targets.

use crate::model::{Limits, RobotModel};
use crate::observation::NamedLimits;
use serde::{Deserialize, Serialize};

/// The meaning of an action vector: per joint, an increment on the previous target.
///
/// `target = clamp(previous target + max_rad_per_step * clip(action, -1, 1))`, where the clamp keeps the target
/// within `tracking_band_rad` of the sensed angle and then within the joint's limits. A target holds, as a step,
/// until the next one arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionSchema {
    joints: Vec<NamedLimits>,
    /// Largest change of a target in one control period, rad.
    pub max_rad_per_step: f32,
    /// How far a target may lead the sensed angle, rad.
    pub tracking_band_rad: f32,
}

impl ActionSchema {
    /// Increments of at most `max_rad_per_step` on the joints of `robot`.
    pub fn increments(robot: &RobotModel, max_rad_per_step: f32, tracking_band_rad: f32) -> Self {
        let joints = robot
            .joints
            .iter()
            .map(|joint| NamedLimits { name: joint.name.clone(), limits: joint.position_limits_rad })
            .collect();
        Self { joints, max_rad_per_step, tracking_band_rad }
    }

    /// Number of actions.
    pub fn width(&self) -> usize {
        self.joints.len()
    }

    /// The joints, in order, with the limits targets are clipped to.
    pub fn joints(&self) -> &[NamedLimits] {
        &self.joints
    }
}

/// Turns actions into joint targets.
#[derive(Debug, Clone)]
pub struct ActionDecoder {
    schema: ActionSchema,
}

impl ActionDecoder {
    /// A decoder for one schema.
    pub fn new(schema: &ActionSchema) -> Self {
        Self { schema: schema.clone() }
    }

    /// Writes the next targets, rad.
    ///
    /// `previous_rad`: the targets last *applied*; `sensed_rad`: the angles last sensed. An action that is not a
    /// number leaves its joint's target where it was, and a sensed angle that is none sets no band.
    ///
    /// # Panics
    /// When a slice does not hold one number per joint: a mistake in this program.
    pub fn decode(&self, actions: &[f32], previous_rad: &[f32], sensed_rad: &[f32], targets_rad: &mut [f32]) {
        for slice in [actions, previous_rad, sensed_rad, targets_rad] {
            assert_eq!(slice.len(), self.schema.width(), "one number per joint");
        }
        let band = self.schema.tracking_band_rad;
        for (index, joint) in self.schema.joints.iter().enumerate() {
            let action = if actions[index].is_finite() { actions[index].clamp(-1.0, 1.0) } else { 0.0 };
            let wanted = previous_rad[index] + self.schema.max_rad_per_step * action;
            let near = Limits { lower: sensed_rad[index] - band, upper: sensed_rad[index] + band };
            targets_rad[index] = joint.limits.clamp(near.clamp(wanted));
        }
    }
}
