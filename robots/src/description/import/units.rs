//! Numbers whose unit cannot be the one that the format has.

use super::UNLIMITED_RAD;
use super::report::Notes;
use crate::description::Place;
use std::f64::consts::PI;

/// No joint of a hand turns farther than this from zero, rad: a whole turn.
const WHOLE_TURN_RAD: f64 = 2.0 * PI + 0.05;
/// A hand whose joints turn less than this, rad, in the middle of all, cannot close.
const HARDLY_RAD: f64 = 0.09;

/// Whether an angle is no angle of a hand in rad.
pub(super) fn is_beyond_a_turn(angle_rad: f64) -> bool {
    angle_rad.abs() > WHOLE_TURN_RAD
}

/// Whether limits that are given in rad must be degrees: at least half of them are beyond a turn, and all are turns in
/// degrees.
pub(super) fn are_degrees(limits: &[[f64; 2]]) -> bool {
    let beyond = limits.iter().filter(|ends| ends.iter().any(|end| is_beyond_a_turn(*end))).count();
    beyond > 0 && 2 * beyond >= limits.len() && limits.iter().flatten().all(|end| end.abs() <= 360.0)
}

/// Whether limits that were read as degrees, given here in rad, must have been rad: no finger could close.
pub(super) fn are_radians(limits: &[[f64; 2]]) -> bool {
    let mut ranges: Vec<f64> = limits.iter().map(|[lower, upper]| upper - lower).filter(|range| *range > 0.0).collect();
    ranges.sort_by(f64::total_cmp);
    ranges.get(ranges.len() / 2).is_some_and(|range| *range < HARDLY_RAD)
}

/// Limits of a joint, or half a turn to each side where they are beyond a whole one.
pub(super) fn within_a_turn(limits_rad: [f64; 2], place: &Place, joint: &str, notes: &mut Notes) -> [f64; 2] {
    if !limits_rad.iter().any(|end| is_beyond_a_turn(*end)) {
        return limits_rad;
    }
    let [lower, upper] = limits_rad;
    let what = format!("limits of {lower} to {upper} rad, beyond a whole turn, of joint");
    notes.warned(place, what, joint, "half a turn to each side; if these are degrees, write them in radians");
    UNLIMITED_RAD
}
