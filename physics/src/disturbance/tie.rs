//! A rubber band around two fingers, as OpenAI tied two fingers of its Shadow hand (2019, section 7.3).

use super::LONGEST_SECS;
use giraffe_robots::RobotModel;
use serde::{Deserialize, Serialize};

/// A rubber band between the tips of two fingers: it pulls with stiffness * (length - rest length) while it is longer
/// than at rest, and hangs loose otherwise. It touches nothing else and weighs nothing.
///
/// A force that holds for a whole physics step swings up where a band is too stiff for that step. So at the step of
/// training a band of more than some 300 N/m, on a stretched finger of a LEAP hand, acts as stiff as the step can bear.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FingerTie {
    /// Indices of two fingertips of the description.
    pub fingers: [usize; 2],
    /// Length at which it does not pull, m.
    pub rest_length_m: f32,
    /// N/m. A household rubber band has some 50, wound around several times a few hundred.
    pub stiffness_newton_per_m: f32,
    /// How long, s.
    pub duration_secs: f32,
}

impl FingerTie {
    /// Whether every number can be.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self) -> Result<(), String> {
        if self.fingers[0] == self.fingers[1] {
            return Err(format!("a finger tie ties finger {} to itself; expected two fingers", self.fingers[0]));
        }
        for (name, value, most) in [
            ("rest_length_m", self.rest_length_m, 1.0),
            ("stiffness_newton_per_m", self.stiffness_newton_per_m, 1e4),
            ("duration_secs", self.duration_secs, LONGEST_SECS),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(format!("a finger tie's {name} is {value}, which must be a number from 0 to {most}"));
            }
        }
        Ok(())
    }

    /// Whether a hand has these fingers.
    ///
    /// # Errors
    /// Names the finger that it does not have.
    pub fn check_fits(&self, robot: &RobotModel) -> Result<(), String> {
        let count = robot.fingertips.len();
        match self.fingers.iter().find(|finger| **finger >= count) {
            Some(finger) => Err(format!("a finger tie of fingertip {finger}, but {} has {count}", robot.name)),
            None => Ok(()),
        }
    }
}
