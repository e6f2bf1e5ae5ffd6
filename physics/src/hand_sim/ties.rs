//! The rubber bands that are around fingers now.

use crate::disturbance::FingerTie;
use crate::engine::Band;
use giraffe_robots::RobotModel;

/// Rubber bands, each until its time is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ties {
    /// Until which control step, and what.
    bands: Vec<(u32, Band)>,
}

impl Ties {
    /// Adds one. A hand without these fingers stays as it is.
    pub fn tie(&mut self, robot: &RobotModel, tie: &FingerTie, until: u32) {
        if tie.check_fits(robot).is_ok() {
            let band = Band::between(robot, tie.fingers, tie.rest_length_m, tie.stiffness_newton_per_m);
            self.bands.push((until, band));
        }
    }

    /// Takes off those whose time is over at this control step.
    pub fn untie(&mut self, step: u32) {
        self.bands.retain(|(until, _)| step < *until);
    }

    pub fn bands(&self) -> impl Iterator<Item = &Band> {
        self.bands.iter().map(|(_, band)| band)
    }
}
