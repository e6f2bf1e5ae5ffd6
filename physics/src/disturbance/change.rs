//! The physics of a world become others during an episode.

use super::{check_columns, check_duration};
use crate::parameters::WorldParameters;
use giraffe_robots::RobotModel;
use serde::{Deserialize, Serialize};

/// Other physics from then on: anything that parameters say, from the joints to the clock.
///
/// A change says all of [`WorldParameters`]; where something should stay, it says what holds already. Where everything
/// holds already, no bit changes. What it means for commands on their way, random numbers, dead servos and an object that was
/// swapped stands at [`crate::HandSim::apply`]. The next change ends one that is under way; a swap ends what it says of the
/// object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorldChange {
    /// What holds from then on.
    pub parameters: WorldParameters,
    /// 0: at once, so that it holds from the step in which it strikes. Otherwise every number goes to its new value on a
    /// straight line over this time, in equal parts per control step, from what held when it struck; s. An object that grows
    /// bit by bit is not lifted: its contacts push it and the fingers apart.
    #[serde(default)]
    pub over_secs: f32,
    /// What `EpisodePlan::sampled` says from then on: index and value of each column that changes. As the parameters, at
    /// once or on a straight line.
    #[serde(default)]
    pub sampled: Vec<(u32, f32)>,
}

impl WorldChange {
    /// Whether it can be, in a plan for so many joints and with so many columns of sampled values.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self, joint_count: usize, column_count: usize) -> Result<(), String> {
        let found = self.parameters.joints.len();
        if found != joint_count {
            return Err(format!("a change has parameters of {found} joints; expected those of all {joint_count}"));
        }
        self.parameters.check().map_err(|problem| format!("a change: {problem}"))?;
        check_duration("a change's over_secs", self.over_secs)?;
        check_columns("a change", &self.sampled, column_count)
    }

    /// Whether it is one of this hand.
    ///
    /// # Errors
    /// When it has parameters of another number of joints.
    pub fn check_fits(&self, robot: &RobotModel) -> Result<(), String> {
        let (found, expected) = (self.parameters.joints.len(), robot.joint_count());
        if found == expected {
            return Ok(());
        }
        Err(format!("a change of {found} joints, but {} has {expected}", robot.name))
    }
}
