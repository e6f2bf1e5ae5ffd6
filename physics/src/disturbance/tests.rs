//! What cannot be is named; what can be reads back as it was written.

use super::*;
use crate::parameters::WorldParameters;
use crate::scene::{PhysicsSettings, SceneModel};
use giraffe_robots::{OBJECTS, load_robot};
use std::sync::Arc;

const JOINT_COUNT: usize = 16;
const COLUMN_COUNT: usize = 2;

fn nominal() -> WorldParameters {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    WorldParameters::nominal(&SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
}

fn change(spoil: impl Fn(&mut WorldChange)) -> Disturbance {
    let mut change = WorldChange { parameters: nominal(), over_secs: 2.0, sampled: vec![(1, 0.5)] };
    spoil(&mut change);
    Disturbance::Change(Box::new(change))
}

fn tilt(radians: f32, axis: [f32; 3], duration_secs: f32) -> Disturbance {
    Disturbance::GravityTilt { radians, axis, duration_secs }
}

#[test]
fn what_can_be_is_accepted() {
    for sound in [
        Disturbance::ObjectImpulse { newton_secs: [0.1, -0.2, 0.0] },
        tilt(-0.3, [0.0, 2.0, 0.0], 1.0),
        Disturbance::JointJam { joint: 15, duration_secs: 0.0 },
        Disturbance::SignalLoss { duration_secs: 1e6 },
        Disturbance::HiddenStateReset,
        change(|_| ()),
        change(|change| change.over_secs = 0.0),
    ] {
        assert_eq!(sound.check(JOINT_COUNT, COLUMN_COUNT), Ok(()), "{sound:?}");
    }
}

#[test]
fn what_cannot_be_is_named() {
    for (part, disturbance) in [
        ("newton_secs", Disturbance::ObjectImpulse { newton_secs: [0.0, f32::NAN, 0.0] }),
        ("newton_secs", Disturbance::ObjectImpulse { newton_secs: [0.0, 0.0, -1e30] }),
        ("radians", tilt(f32::INFINITY, [0.0, 1.0, 0.0], 1.0)),
        ("tilt's axis", tilt(0.3, [f32::NAN, 1.0, 0.0], 1.0)),
        ("tilt's axis", tilt(0.3, [0.0, 1e30, 0.0], 1.0)),
        ("tilt's duration_secs", tilt(0.3, [0.0, 1.0, 0.0], -1.0)),
        ("jam of joint 16", Disturbance::JointJam { joint: 16, duration_secs: 1.0 }),
        ("jam's duration_secs", Disturbance::JointJam { joint: 3, duration_secs: 1e12 }),
        ("signal loss's duration_secs", Disturbance::SignalLoss { duration_secs: f32::NAN }),
        ("over_secs", change(|change| change.over_secs = f32::INFINITY)),
        ("parameters of 15 joints", change(|change| change.parameters.joints.truncate(15))),
        (
            "a change: a joint's stiffness",
            change(|change| change.parameters.joints[2].stiffness_newton_m_per_rad = 0.0),
        ),
        ("object.mass_kg", change(|change| change.parameters.object.mass_kg = f32::NAN)),
        ("gravity_m_per_sec2", change(|change| change.parameters.gravity_m_per_sec2[1] = f32::INFINITY)),
        ("sampled value 2 to 0.5", change(|change| change.sampled = vec![(2, 0.5)])),
        ("sampled value 1 to NaN", change(|change| change.sampled = vec![(1, f32::NAN)])),
    ] {
        let problem = disturbance.check(JOINT_COUNT, COLUMN_COUNT).expect_err(part);
        assert!(problem.contains(part), "{part} is not in: {problem}");
    }
}

#[test]
fn what_a_hand_does_not_have_is_named() {
    let robot = load_robot("shadow-right").expect("a built-in hand");
    assert_eq!(Disturbance::JointJam { joint: 21, duration_secs: 1.0 }.check_fits(&robot), Ok(()));
    for (part, disturbance) in [
        ("a jam of joint 22", Disturbance::JointJam { joint: 22, duration_secs: 1.0 }),
        ("a change of 16", change(|_| ())),
    ] {
        let problem = disturbance.check_fits(&robot).expect_err(part);
        assert!(problem.contains(part), "{part} is not in: {problem}");
    }
}

#[test]
fn a_change_reads_back_as_it_was_written() {
    let written = change(|change| change.parameters.joints[3].backlash_rad = 0.02);
    let short = rmp_serde::to_vec(&written).expect("plain numbers");
    let named = rmp_serde::to_vec_named(&written).expect("plain numbers");
    for bytes in [short, named] {
        assert_eq!(rmp_serde::from_slice::<Disturbance>(&bytes).expect("a change"), written);
    }
}

#[test]
fn a_change_that_says_no_more_than_its_parameters_is_at_once() {
    #[derive(Serialize)]
    struct Short {
        parameters: WorldParameters,
    }
    let bytes = rmp_serde::to_vec_named(&Short { parameters: nominal() }).expect("plain numbers");
    let read: WorldChange = rmp_serde::from_slice(&bytes).expect("a change");
    assert_eq!(read, WorldChange { parameters: nominal(), over_secs: 0.0, sampled: Vec::new() });
}

/// A palm that turns by a right angle about y has down where its x axis was.
#[test]
fn a_tilted_palm_feels_gravity_turned_back() {
    let found = tilted_gravity([0.0, 0.0, -9.81], [0.0, 3.0, 0.0], std::f32::consts::FRAC_PI_2);
    assert!((Vector3::from(found) - Vector3::new(9.81, 0.0, 0.0)).norm() < 1e-5, "{found:?}");
    assert_eq!(Vector3::from(tilted_gravity([0.0, 0.0, -9.81], [0.0; 3], 1.0)), Vector3::new(0.0, 0.0, -9.81));
}
