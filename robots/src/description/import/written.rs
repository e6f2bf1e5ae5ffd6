//! A `robot.toml` for a file that has none.

use super::raw::RawHand;
use super::report::Notes;
use super::tree::{Tip, Tree};
use crate::description::written::{Written, WrittenJoint, WrittenTip};
use crate::model::{ControlSpec, HoldAt, SafetySpec, ServoLimits};
use nalgebra::Point3;

/// Fastest a servo turns where nobody says, rad/s: that of LEAP's and Allegro's motors.
const VELOCITY_RAD_PER_SEC: f64 = 8.0;
const PERIOD_SECS: f32 = 0.05;
/// The envelope of `leap-right`.
const SAFETY: SafetySpec = SafetySpec {
    target_velocity_rad_per_sec: 3.0,
    target_acceleration_rad_per_sec2: 60.0,
    tracking_band_rad: 0.5,
    hold_after_secs: 0.15,
    relax_after_secs: 2.0,
    off_after_secs: 30.0,
    hold: HoldAt::LastTarget,
    servos: ServoLimits::REFERENCE,
};

/// The text. Notes are taken only if it is used, `alone`.
pub(super) fn robot_toml(
    hand: &RawHand,
    tree: &Tree,
    tips: &[Tip],
    object_m: Point3<f64>,
    alone: bool,
    notes: &mut Notes,
) -> String {
    let mut joints = Vec::new();
    for joint in tree.links.iter().filter_map(|link| link.joint.as_ref()) {
        if joint.velocity_limit.is_none() && alone {
            notes.assumed(&joint.place, "speed of joint", &joint.name, format!("at most {VELOCITY_RAD_PER_SEC} rad/s"));
        }
        let velocity_limit_rad_per_sec = joint.velocity_limit.unwrap_or(VELOCITY_RAD_PER_SEC) as f32;
        joints.push(WrittenJoint { name: joint.name.clone(), device: None, velocity_limit_rad_per_sec });
    }
    if alone {
        let done =
            format!("control every {PERIOD_SECS} s, safety limits of leap-right; a robot.toml beside it would say");
        notes.assumed(&hand.file, "no robot.toml", "", done);
    }
    let palm = tree.palm().into_iter();
    let palm = palm.map(|link| tree.links[link].name.clone());
    let tip_geoms = tips.iter().flat_map(|tip| &tree.links[tip.link].geoms).map(|geom| geom.name.clone());
    let rounded = |point: Point3<f64>| point.coords.map(|number| ((number * 1e5).round() / 1e5) as f32).into();
    let fingertip = |tip: &Tip| WrittenTip {
        name: tip.name.clone(),
        body: tree.links[tip.link].name.clone(),
        point_m: rounded(tip.point_m),
    };
    let written = Written {
        joints,
        fingertips: tips.iter().map(fingertip).collect(),
        palm_bodies: palm.collect(),
        tip_geoms: tip_geoms.collect(),
        control: ControlSpec { period_secs: PERIOD_SECS },
        object_home_m: rounded(object_m),
        // Nobody has put anything into it yet.
        resting_normal: [0.0, 0.0, 1.0],
        safety: SAFETY,
        servos: None,
    };
    written.text()
}
