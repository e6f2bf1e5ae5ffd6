//! What holds for every action and its target.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{ActionDecoder, ActionSchema, Limits, RobotModel, load_robot};
use proptest::prelude::*;

const STEP_RAD: f32 = 0.06;
const BAND_RAD: f32 = 0.4;

fn leap() -> RobotModel {
    load_robot("leap-right").unwrap()
}

fn decode(actions: &[f32; 16], previous_rad: &[f32; 16], sensed_rad: &[f32; 16]) -> [f32; 16] {
    let mut targets = [f32::NAN; 16];
    let decoder = ActionDecoder::new(&ActionSchema::increments(&leap(), STEP_RAD, BAND_RAD));
    decoder.decode(actions, previous_rad, sensed_rad, &mut targets);
    targets
}

#[test]
fn an_action_is_an_increment_on_the_target_last_applied() {
    let (mut actions, mut previous) = ([0.0; 16], [0.3; 16]);
    (actions[0], actions[1], actions[2]) = (0.5, -1.0, 7.0);
    previous[2] = 0.5;
    let targets = decode(&actions, &previous, &[0.35; 16]);
    let expected = [0.33, 0.24, 0.56, 0.3];
    assert!(targets.iter().zip(expected).all(|(target, expected)| (target - expected).abs() < 1e-6), "{targets:?}");
}

#[test]
fn a_target_leads_the_sensed_angle_by_no_more_than_the_band() {
    let targets = decode(&[1.0; 16], &[1.0; 16], &[0.5; 16]);
    assert!(targets.iter().all(|target| (target - 0.9).abs() < 1e-6), "{targets:?}");
}

#[test]
fn the_limits_have_the_last_word() {
    let robot = leap();
    for (index, target) in decode(&[1.0; 16], &[9.0; 16], &[9.0; 16]).into_iter().enumerate() {
        assert_eq!(target, robot.joints[index].position_limits_rad.upper);
    }
    for (index, target) in decode(&[-1.0; 16], &[-9.0; 16], &[-9.0; 16]).into_iter().enumerate() {
        assert_eq!(target, robot.joints[index].position_limits_rad.lower);
    }
}

#[test]
fn an_action_or_a_sensed_angle_that_is_no_number_moves_nothing() {
    assert_eq!(decode(&[f32::NAN; 16], &[0.3; 16], &[0.3; 16]), [0.3; 16]);
    assert_eq!(decode(&[f32::INFINITY; 16], &[0.3; 16], &[0.3; 16]), [0.3; 16]);
    assert_eq!(decode(&[0.0; 16], &[0.3; 16], &[f32::NAN; 16]), [0.3; 16]);
}

#[test]
fn clamping_never_panics_and_never_makes_a_number_of_none() {
    let limits = Limits { lower: -1.0, upper: 1.0 };
    assert_eq!([limits.clamp(-2.0), limits.clamp(0.5), limits.clamp(f32::INFINITY)], [-1.0, 0.5, 1.0]);
    assert!(limits.clamp(f32::NAN).is_nan());
    assert_eq!(Limits { lower: f32::NAN, upper: f32::NAN }.clamp(0.5), 0.5);
}

proptest! {
    #[test]
    fn whatever_is_said_targets_stay_within_limits_and_move_one_step_at_most_unless_the_band_pulls(
        actions in prop::array::uniform16(any::<f32>()),
        fractions in prop::array::uniform16(0.0..=1.0f32),
        sensed in prop::array::uniform16(-4.0..4.0f32),
    ) {
        let robot = leap();
        let mut previous = [0.0; 16];
        for ((previous, joint), fraction) in previous.iter_mut().zip(&robot.joints).zip(fractions) {
            let Limits { lower, upper } = joint.position_limits_rad;
            *previous = joint.position_limits_rad.clamp(lower + fraction * (upper - lower));
        }
        for (index, target) in decode(&actions, &previous, &sensed).into_iter().enumerate() {
            prop_assert!(robot.joints[index].position_limits_rad.contains(target));
            let pulled = (previous[index] - sensed[index]).abs() > BAND_RAD - STEP_RAD;
            prop_assert!(pulled || (target - previous[index]).abs() <= STEP_RAD + 1e-6);
        }
    }
}
