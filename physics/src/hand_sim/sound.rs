//! Whether a simulated hand is still one: what is no number, and what no hand does, ends an episode.

use super::HandSim;
use giraffe_robots::{HandError, Limits, Signal};

/// Farther beyond a stop than this no joint is, rad: stops give way by hundredths.
const BEYOND_STOP_RAD: f32 = 1.0;
/// Faster than this no joint turns, rad/s: a fingertip would be as fast as an airliner.
const FASTEST_RAD_PER_SEC: f32 = 2000.0;

impl HandSim {
    /// An engine that comes apart passes through large numbers before it comes to none, and nobody should learn from them.
    pub(super) fn check_sound(&self) -> Result<(), HandError> {
        self.check_finite()?;
        self.check_within_reason()
    }

    fn check_finite(&self) -> Result<(), HandError> {
        for signal in Signal::ALL {
            let values = self.truth.read(signal).unwrap_or(&[]);
            if values.iter().any(|value| !value.is_finite()) {
                return Err(HandError::NotFinite { what: format!("the simulated {}", signal.name()) });
            }
        }
        Ok(())
    }

    /// Whether joints are where joints can be.
    fn check_within_reason(&self) -> Result<(), HandError> {
        let robot = self.scene.robot();
        for (joint, model) in robot.joints.iter().enumerate() {
            let (at_rad, rad_per_sec) = (self.joints.positions[joint], self.joints.velocities[joint]);
            let Limits { lower, upper } = self.now.parameters.joint_limits_rad(robot, joint);
            let beyond_rad = (lower - at_rad).max(at_rad - upper);
            if beyond_rad > BEYOND_STOP_RAD || rad_per_sec.abs() > FASTEST_RAD_PER_SEC {
                let what = format!(
                    "simulated joint `{}` at {at_rad} rad, {rad_per_sec} rad/s (stops at {lower} and {upper})",
                    model.name
                );
                return Err(HandError::BeyondReason { what });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::WorldParameters;
    use crate::plan::EpisodePlan;
    use crate::scene::{PhysicsSettings, SceneModel};
    use giraffe_robots::{EpisodeStart, OBJECTS, load_robot};
    use std::sync::Arc;

    fn at_home(change: impl FnOnce(&mut WorldParameters)) -> HandSim {
        let robot = Arc::new(load_robot("leap-right").expect("a built-in hand"));
        let start =
            EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
        let scene = SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default());
        let mut parameters = WorldParameters::nominal(&scene);
        change(&mut parameters);
        let plan = EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed: 3 };
        HandSim::new(Arc::new(scene), plan)
    }

    /// What is said of joint 2 at this angle and speed.
    fn said_of(sim: &mut HandSim, at_rad: f32, rad_per_sec: f32) -> Result<(), String> {
        (sim.joints.positions[2], sim.joints.velocities[2]) = (at_rad, rad_per_sec);
        sim.check_sound().map_err(|error| error.to_string())
    }

    #[test]
    fn a_joint_a_radian_beyond_its_stop_is_beyond_reason_and_one_less_far_is_not() {
        let mut sim = at_home(|_| ());
        let Limits { lower, upper } = sim.scene.robot().joints[2].position_limits_rad;
        for inside in [lower - 0.99, 0.0, upper + 0.99] {
            assert_eq!(said_of(&mut sim, inside, 0.0), Ok(()), "{inside} rad");
        }
        for beyond in [lower - 1.01, upper + 1.01, 2e19] {
            let said = said_of(&mut sim, beyond, 0.0).expect_err("no hand does that");
            let name = &sim.scene.robot().joints[2].name;
            assert!(said.contains(&format!("`{name}`")) && said.contains("no hand does that"), "{said}");
        }
    }

    #[test]
    fn a_stop_that_was_moved_counts_where_it_is() {
        let shifted = |world: &mut WorldParameters| world.joints[2].upper_limit_shift_rad = 0.5;
        let (mut moved, mut sim) = (at_home(shifted), at_home(|_| ()));
        let at_rad = sim.scene.robot().joints[2].position_limits_rad.upper + 1.2;
        assert_eq!(said_of(&mut moved, at_rad, 0.0), Ok(()));
        assert!(said_of(&mut sim, at_rad, 0.0).is_err());
    }

    #[test]
    fn a_joint_that_is_too_fast_either_way_is_beyond_reason() {
        let mut sim = at_home(|_| ());
        for rad_per_sec in [1999.0, -1999.0] {
            assert_eq!(said_of(&mut sim, 0.0, rad_per_sec), Ok(()));
        }
        for rad_per_sec in [2001.0, -2001.0] {
            assert!(said_of(&mut sim, 0.0, rad_per_sec).is_err(), "{rad_per_sec} rad/s");
        }
    }
}
