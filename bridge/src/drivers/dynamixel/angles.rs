//! From joint angles to ticks of a servo and back.

use super::registers::{GOAL_TICKS, TICKS_PER_TURN};
use crate::calibration::JointWire;
use crate::driver::DriverError;
use giraffe_robots::RobotModel;
use std::f64::consts::TAU;

/// Where a joint's servo stands at `joint_rad`: the nearest tick, within the servo's one turn. `None` if the angle is not
/// a finite number: such a target never becomes a position.
pub fn ticks_of(wire: &JointWire, joint_rad: f32) -> Option<i32> {
    let device_rad = f64::from(wire.sign) * f64::from(joint_rad) + f64::from(wire.zero_rad);
    let ticks = (device_rad * TICKS_PER_TURN / TAU).round();
    let ticks = ticks.clamp(f64::from(GOAL_TICKS.lower), f64::from(GOAL_TICKS.upper));
    ticks.is_finite().then_some(ticks as i32)
}

/// The joint angle, rad, at which its servo stands at `ticks`.
pub fn joint_angle_of(wire: &JointWire, ticks: i32) -> f32 {
    let device_rad = f64::from(ticks) * TAU / TICKS_PER_TURN;
    ((device_rad - f64::from(wire.zero_rad)) / f64::from(wire.sign)) as f32
}

/// Refuses joints whose range leaves the turn that a servo knows after power-on.
pub(super) fn check_ranges(robot: &RobotModel, wires: &[JointWire]) -> Result<(), DriverError> {
    for (joint, wire) in robot.joints.iter().zip(wires) {
        let range = joint.position_limits_rad;
        for end_rad in [range.lower, range.upper] {
            let device_rad = wire.sign * end_rad + wire.zero_rad;
            if !(0.0..f64::from(GOAL_TICKS.upper) * TAU / TICKS_PER_TURN).contains(&f64::from(device_rad)) {
                let attempted = format!("mapping joint `{}` to servo {}", joint.name, wire.id);
                let reason = format!(
                    "at {end_rad} rad its servo would stand at {device_rad} rad; expected within one turn, 0 to 2 pi: \
                     check zero_rad, sign and offset"
                );
                return Err(DriverError::new(attempted, reason));
            }
        }
    }
    Ok(())
}
