//! What a network's outputs mean, and the one decoder that turns them into joint targets.

use crate::model::{JointCoupling, Limits, RobotModel};
use crate::observation::NamedLimits;
use serde::{Deserialize, Serialize};

/// The meaning of an action vector: per joint with a servo, an increment on the previous target.
///
/// `target = clamp(previous target + max_rad_per_step * clip(action, -1, 1))`, where the clamp keeps the target
/// within `tracking_band_rad` of the sensed angle and then within the joint's limits. A target holds, as a step,
/// until the next one arrives. A joint that follows another has no action: its target is where the leader's target
/// puts it, within its own limits. Actions are in canonical order, followers left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ActionFields")]
pub struct ActionSchema {
    joints: Vec<NamedLimits>,
    /// Largest change of a target in one control period, rad.
    pub max_rad_per_step: f32,
    /// How far a target may lead the sensed angle, rad.
    pub tracking_band_rad: f32,
    /// Joints that follow others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    couplings: Vec<JointCoupling>,
}

/// A schema as stored, before it is checked.
#[derive(Deserialize)]
struct ActionFields {
    joints: Vec<NamedLimits>,
    max_rad_per_step: f32,
    tracking_band_rad: f32,
    /// None in what was stored before there were any.
    #[serde(default)]
    couplings: Vec<JointCoupling>,
}

impl TryFrom<ActionFields> for ActionSchema {
    type Error = String;

    fn try_from(fields: ActionFields) -> Result<Self, String> {
        let ActionFields { joints, max_rad_per_step, tracking_band_rad, couplings } = fields;
        for (index, JointCoupling { leader, follower, .. }) in couplings.iter().enumerate() {
            let known = [leader, follower].iter().all(|joint| **joint < joints.len());
            let twice = couplings[..index].iter().any(|other| other.follower == *follower);
            let chained = couplings.iter().any(|other| other.follower == *leader);
            if !known || twice || chained {
                return Err(format!("joint {follower} of {} cannot follow joint {leader}", joints.len()));
            }
        }
        Ok(Self { joints, max_rad_per_step, tracking_band_rad, couplings })
    }
}

impl ActionSchema {
    /// Increments of at most `max_rad_per_step` on the joints of `robot`.
    pub fn increments(robot: &RobotModel, max_rad_per_step: f32, tracking_band_rad: f32) -> Self {
        let joints = robot
            .joints
            .iter()
            .map(|joint| NamedLimits { name: joint.name.clone(), limits: joint.position_limits_rad })
            .collect();
        Self { joints, max_rad_per_step, tracking_band_rad, couplings: robot.couplings.clone() }
    }

    /// Number of actions: one per joint that follows no other.
    pub fn width(&self) -> usize {
        self.joints.len() - self.couplings.len()
    }

    /// All joints, followers too, in canonical order, with the limits targets are clipped to: one target each.
    pub fn joints(&self) -> &[NamedLimits] {
        &self.joints
    }

    /// The joints that follow others.
    pub fn couplings(&self) -> &[JointCoupling] {
        &self.couplings
    }

    fn follows(&self, joint: usize) -> bool {
        self.couplings.iter().any(|coupling| coupling.follower == joint)
    }
}

/// Turns actions into joint targets.
#[derive(Debug, Clone)]
pub struct ActionDecoder {
    schema: ActionSchema,
    /// The joint of each action.
    actuated: Vec<usize>,
}

impl ActionDecoder {
    /// A decoder for one schema.
    pub fn new(schema: &ActionSchema) -> Self {
        let actuated = (0..schema.joints.len()).filter(|joint| !schema.follows(*joint)).collect();
        Self { schema: schema.clone(), actuated }
    }

    /// Writes the next targets, rad: from one action per joint with a servo, one target per joint.
    ///
    /// `previous_rad`: the targets last *applied*; `sensed_rad`: the angles last sensed. An action that is not a
    /// number leaves its joint's target where it was, and a sensed angle that is none sets no band.
    ///
    /// # Panics
    /// When `actions` does not hold one number per joint with a servo, or another slice not one per joint: a mistake
    /// in this program.
    pub fn decode(&self, actions: &[f32], previous_rad: &[f32], sensed_rad: &[f32], targets_rad: &mut [f32]) {
        assert_eq!(actions.len(), self.actuated.len(), "one action per joint with a servo");
        for slice in [previous_rad, sensed_rad, &*targets_rad] {
            assert_eq!(slice.len(), self.schema.joints.len(), "one number per joint");
        }
        let band = self.schema.tracking_band_rad;
        for (action, index) in actions.iter().zip(self.actuated.iter().copied()) {
            let joint = &self.schema.joints[index];
            let action = if action.is_finite() { action.clamp(-1.0, 1.0) } else { 0.0 };
            let wanted = previous_rad[index] + self.schema.max_rad_per_step * action;
            let near = Limits { lower: sensed_rad[index] - band, upper: sensed_rad[index] + band };
            targets_rad[index] = joint.limits.clamp(near.clamp(wanted));
        }
        for coupling in &self.schema.couplings {
            let wanted = coupling.follower_rad(targets_rad[coupling.leader]);
            targets_rad[coupling.follower] = self.schema.joints[coupling.follower].limits.clamp(wanted);
        }
    }
}
