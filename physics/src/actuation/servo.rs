//! What a servo makes of its target: a spring with a torque limit, and what gears and motors add to that.

use crate::engine::Motor;
use crate::parameters::{JointParameters, WorldParameters};
use giraffe_robots::RobotModel;

/// The servos of a hand.
#[derive(Debug, Clone)]
pub(crate) struct Servos {
    /// One per joint; `None` for an ideal servo, and for a joint without one.
    laws: Vec<Option<ServoLaw>>,
}

/// One servo that is not ideal.
///
/// The motor's side follows the target; between it and the joint lies the play. Its inertia is counted with the joint's,
/// so it crosses the play at once. With a dead band b, a play of p (flank to flank) and an error e = target - angle,
/// the torque is stiffness * (e less b + p/2, or nothing while e is smaller than that): inside the dead band the
/// controller asks for nothing, as inside the compliance margin of a ROBOTIS AX servo; inside the play nothing is passed on.
/// Whether a joint is inside is decided at the start of a physics step and holds for that step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ServoLaw {
    stiffness_newton_m_per_rad: f32,
    stall_newton_m: f32,
    dead_band_rad: f32,
    /// How far the joint can be from the middle of the play.
    half_play_rad: f32,
    /// What is lost of the torque per speed, N m s/rad: a motor's available torque falls from stall torque, at rest, to zero
    /// at its no-load speed.
    fall_newton_m_secs_per_rad: f32,
    /// Meaningful when the torque falls.
    no_load_rad_per_sec: f32,
    step_secs: f32,
}

impl Servos {
    /// The servos of a hand that is stepped by `step_secs`.
    pub fn new(robot: &RobotModel, parameters: &WorldParameters, step_secs: f32) -> Self {
        let mut laws = vec![None; robot.joint_count()];
        for joint in robot.actuated_joints() {
            let own = &parameters.joints[joint];
            laws[joint] = ServoLaw::new(own, robot.joints[joint].velocity_limit_rad_per_sec, step_secs);
        }
        Self { laws }
    }

    /// Whether any torque depends on speed.
    pub fn need_speed(&self) -> bool {
        self.laws.iter().flatten().any(|law| law.fall_newton_m_secs_per_rad > 0.0)
    }

    /// What one servo does during the next physics step; `None` for an ideal spring toward the target.
    pub fn motor(&self, joint: usize, target_rad: f32, angle_rad: f32, rad_per_sec: f32) -> Option<Motor> {
        self.laws[joint].map(|law| law.motor(target_rad, angle_rad, rad_per_sec))
    }

    /// What turns one servo back into a spring that holds `angle_rad`; `None` where it is one.
    pub fn holding(&self, joint: usize, angle_rad: f32) -> Option<Motor> {
        self.laws[joint].map(|law| law.spring(angle_rad))
    }

    /// The angle on the motor's side of the play, where the encoder sits.
    pub fn encoder_side_rad(&self, joint: usize, target_rad: f32, angle_rad: f32) -> f32 {
        self.laws[joint].map_or(angle_rad, |law| law.encoder_side_rad(target_rad, angle_rad))
    }
}

impl ServoLaw {
    fn new(joint: &JointParameters, velocity_limit_rad_per_sec: f32, step_secs: f32) -> Option<Self> {
        let limit = velocity_limit_rad_per_sec;
        let slope = if limit > 0.0 && limit.is_finite() { joint.torque_speed_slope } else { 0.0 };
        let ideal = [joint.dead_band_rad, joint.backlash_rad, slope].iter().all(|value| *value <= 0.0);
        (!ideal).then(|| Self {
            stiffness_newton_m_per_rad: joint.stiffness_newton_m_per_rad,
            stall_newton_m: joint.effort_limit_newton_m,
            dead_band_rad: joint.dead_band_rad,
            half_play_rad: 0.5 * joint.backlash_rad,
            fall_newton_m_secs_per_rad: if slope > 0.0 { slope * joint.effort_limit_newton_m / limit } else { 0.0 },
            no_load_rad_per_sec: if slope > 0.0 { limit / slope } else { 0.0 },
            step_secs,
        })
    }

    fn spring(&self, target_rad: f32) -> Motor {
        Motor {
            target_rad,
            stiffness_newton_m_per_rad: self.stiffness_newton_m_per_rad,
            target_rad_per_sec: 0.0,
            damping_newton_m_secs_per_rad: 0.0,
            limit_newton_m: self.stall_newton_m,
        }
    }

    fn motor(&self, target_rad: f32, angle_rad: f32, rad_per_sec: f32) -> Motor {
        let error_rad = beyond(target_rad - angle_rad, self.dead_band_rad + self.half_play_rad);
        let spring = self.spring(angle_rad + error_rad);
        if error_rad.abs() <= 0.0 {
            return Motor { limit_newton_m: 0.0, ..spring };
        }
        if self.fall_newton_m_secs_per_rad <= 0.0 {
            return spring;
        }
        let toward = error_rad.signum();
        let speed = (toward * rad_per_sec).max(0.0);
        let wanted = self.stiffness_newton_m_per_rad * (error_rad.abs() - speed * self.step_secs);
        let available = self.stall_newton_m - self.fall_newton_m_secs_per_rad * speed;
        if wanted < available {
            return spring;
        }
        // The line itself, torque = fall * (no-load speed - speed), as a servo of speed: evaluated at the end of the step,
        // so that it settles however steep it is. A motor that is turned backwards gives its stall torque.
        Motor {
            stiffness_newton_m_per_rad: 0.0,
            target_rad_per_sec: toward * self.no_load_rad_per_sec,
            damping_newton_m_secs_per_rad: self.fall_newton_m_secs_per_rad,
            ..spring
        }
    }

    fn encoder_side_rad(&self, target_rad: f32, angle_rad: f32) -> f32 {
        let wanted = beyond(target_rad - angle_rad, self.dead_band_rad);
        angle_rad + wanted.clamp(-self.half_play_rad, self.half_play_rad)
    }
}

/// How far `error` lies beyond plus or minus `width`; zero inside.
fn beyond(error: f32, width: f32) -> f32 {
    error - error.clamp(-width, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(change: impl Fn(&mut JointParameters)) -> Option<ServoLaw> {
        let mut joint = JointParameters {
            stiffness_newton_m_per_rad: 3.0,
            effort_limit_newton_m: 0.3,
            ..JointParameters::default()
        };
        change(&mut joint);
        ServoLaw::new(&joint, 8.0, 0.025)
    }

    /// Torque at the start of a step.
    fn torque(law: ServoLaw, error_rad: f32, rad_per_sec: f32) -> f32 {
        let angle_rad = 0.4;
        let motor = law.motor(angle_rad + error_rad, angle_rad, rad_per_sec);
        let spring = motor.stiffness_newton_m_per_rad * (motor.target_rad - angle_rad);
        let drive = motor.damping_newton_m_secs_per_rad * (motor.target_rad_per_sec - rad_per_sec);
        (spring + drive).clamp(-motor.limit_newton_m, motor.limit_newton_m)
    }

    #[track_caller]
    fn assert_near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn a_servo_without_flaws_is_left_to_the_engine() {
        assert_eq!(law(|_| {}), None);
    }

    #[test]
    fn inside_the_dead_band_there_is_no_torque_and_beyond_it_the_spring_counts_from_its_edge() {
        let law = law(|joint| joint.dead_band_rad = 0.02).unwrap();
        for error_rad in [0.0, 0.01, -0.01, 0.019, -0.019] {
            assert_near(torque(law, error_rad, 0.0), 0.0);
        }
        assert_near(torque(law, 0.05, 0.0), 3.0 * 0.03);
        assert_near(torque(law, -0.05, 0.0), -3.0 * 0.03);
        assert_near(torque(law, 1.0, 0.0), 0.3);
        assert_near(law.encoder_side_rad(0.45, 0.4), 0.4);
    }

    #[test]
    fn inside_the_play_there_is_no_torque_and_the_encoder_shows_the_target() {
        let law = law(|joint| joint.backlash_rad = 0.04).unwrap();
        for error_rad in [0.0, 0.015, -0.015] {
            assert_near(torque(law, error_rad, 0.0), 0.0);
            assert_near(law.encoder_side_rad(0.4 + error_rad, 0.4), 0.4 + error_rad);
        }
        assert_near(torque(law, 0.05, 0.0), 3.0 * 0.03);
        assert_near(law.encoder_side_rad(0.45, 0.4), 0.42);
        assert_near(law.encoder_side_rad(0.35, 0.4), 0.38);
    }

    #[test]
    fn the_encoder_does_not_see_what_the_dead_band_leaves() {
        let law = law(|joint| (joint.dead_band_rad, joint.backlash_rad) = (0.01, 0.04)).unwrap();
        assert_near(law.encoder_side_rad(0.405, 0.4), 0.4);
        assert_near(law.encoder_side_rad(0.42, 0.4), 0.41);
        assert_near(law.encoder_side_rad(0.48, 0.4), 0.42);
        assert_near(torque(law, 0.05, 0.0), 3.0 * 0.02);
    }

    #[test]
    fn torque_falls_in_proportion_to_speed_and_is_zero_at_the_no_load_speed() {
        let law = law(|joint| joint.torque_speed_slope = 2.0).unwrap();
        for (speed, expected) in [(0.0, 0.3), (1.0, 0.225), (2.0, 0.15), (4.0, 0.0)] {
            assert_near(torque(law, 1.0, speed), expected);
            assert_near(torque(law, -1.0, -speed), -expected);
        }
        assert_near(torque(law, 1.0, -3.0), 0.3);
    }

    #[test]
    fn a_servo_that_asks_for_less_than_the_motor_has_is_a_spring_still() {
        let law = law(|joint| joint.torque_speed_slope = 2.0).unwrap();
        assert_near(torque(law, 0.05, 0.0), 3.0 * 0.05);
        assert_near(torque(law, 0.05, 1.0), 3.0 * 0.05);
    }
}
