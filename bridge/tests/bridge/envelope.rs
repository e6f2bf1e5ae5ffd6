//! The envelope: whatever goes in, what comes out is safe; what is safe already comes out as it went in.

use giraffe_bridge::message::JointLimits;
use giraffe_bridge::{EnvelopeSpec, SafetyEnvelope, Unusable};
use proptest::prelude::*;

const PERIOD: f32 = 0.05;

fn spec(limits: Vec<JointLimits>, band: f32) -> EnvelopeSpec {
    let names = (0..limits.len()).map(|index| format!("j{index}")).collect();
    EnvelopeSpec { names, limits, tracking_band_rad: band, period_secs: PERIOD }
}

fn usual() -> JointLimits {
    JointLimits { lower: -1.0, upper: 2.0, velocity: 3.0, acceleration: 50.0 }
}

fn any_limits() -> impl Strategy<Value = JointLimits> {
    (-3.0f32..3.0, 0.01f32..4.0, 0.1f32..20.0, 1.0f32..200.0).prop_map(|(lower, width, velocity, acceleration)| {
        JointLimits { lower, upper: lower + width, velocity, acceleration }
    })
}

/// Numbers a broken policy could say, finite or not.
fn anything() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -4.0f32..4.0,
        1 => prop::sample::select(vec![
            0.0, -0.0, f32::MIN_POSITIVE, 1e-42, f32::MAX, f32::MIN, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY,
        ]),
    ]
}

fn finite() -> impl Strategy<Value = f32> {
    anything().prop_filter("finite", |value| value.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_in_what_goes_out_is_finite_inside_and_slow(
        limits in prop::collection::vec(any_limits(), 1..5),
        band in 0.01f32..1.0,
        calls in prop::collection::vec((prop::collection::vec(anything(), 5), prop::collection::vec(anything(), 5), anything()), 1..30),
    ) {
        let count = limits.len();
        let mut envelope = SafetyEnvelope::new(spec(limits.clone(), band), &vec![0.1; count]).unwrap();
        let mut before = envelope.held_rad().to_vec();
        for (wanted, measured, elapsed) in calls {
            let all_finite = wanted[..count].iter().chain(&measured[..count]).all(|value| value.is_finite());
            match envelope.filter(&wanted[..count], &measured[..count], elapsed) {
                Ok(safe) => {
                    prop_assert!(all_finite);
                    for joint in 0..count {
                        let q = safe.positions_rad()[joint];
                        prop_assert!(q.is_finite() && q >= limits[joint].lower && q <= limits[joint].upper);
                        let most = limits[joint].velocity * PERIOD;
                        prop_assert!((q - before[joint]).abs() <= most + 1e-5 * (1.0 + most + q.abs()));
                    }
                    before = safe.positions_rad().to_vec();
                }
                Err(_) => {
                    prop_assert!(!all_finite);
                    prop_assert_eq!(envelope.held_rad(), &before[..]);
                }
            }
        }
    }

    #[test]
    fn what_came_out_goes_through_unchanged(
        limits in any_limits(), band in 0.01f32..1.0, start in -4.0f32..4.0,
        history in prop::collection::vec((finite(), -4.0f32..4.0), 0..5),
        wanted in finite(), measured in -4.0f32..4.0, elapsed in 0.0f32..0.2,
    ) {
        let mut envelope = SafetyEnvelope::new(spec(vec![limits], band), &[start]).unwrap();
        for (wanted, measured) in history {
            envelope.filter(&[wanted], &[measured], PERIOD).unwrap();
        }
        let once = envelope.clone().filter(&[wanted], &[measured], elapsed).unwrap();
        let twice = envelope.filter(once.positions_rad(), &[measured], elapsed).unwrap();
        prop_assert_eq!(once.positions_rad()[0].to_bits(), twice.positions_rad()[0].to_bits());
        prop_assert_eq!(twice.clipped_joints(), 0);
    }

    #[test]
    fn a_burst_of_commands_goes_no_further_than_a_steady_stream(
        targets in prop::collection::vec(-4.0f32..4.0, 2..60), gap in 0.0f32..0.02,
    ) {
        let mut envelope = SafetyEnvelope::new(spec(vec![usual()], 10.0), &[0.5]).unwrap();
        let mut way = 0.0;
        let mut at = 0.5;
        for (index, wanted) in targets.iter().enumerate() {
            let next = envelope.filter(&[*wanted], &[0.5], gap).unwrap().positions_rad()[0];
            way += (next - at).abs();
            at = next;
            let time = gap * (index + 1) as f32 + PERIOD;
            prop_assert!(way <= usual().velocity * time + 1e-4);
        }
    }

    #[test]
    fn steps_of_a_policy_pass_bit_for_bit(steps in prop::collection::vec(-0.06f32..0.06, 1..200)) {
        // 0.06 rad per 50 ms, reversed at will: 1.2 rad/s and 48 rad/s2.
        let mut envelope = SafetyEnvelope::new(spec(vec![usual()], 0.5), &[0.5]).unwrap();
        let mut target = 0.5f32;
        for step in steps {
            target = (target + step).clamp(-1.0, 2.0);
            let safe = envelope.filter(&[target], &[target - 0.3], PERIOD).unwrap();
            prop_assert_eq!(safe.positions_rad()[0].to_bits(), target.to_bits());
            prop_assert_eq!(safe.clipped_joints(), 0);
        }
    }

    #[test]
    fn steps_grow_no_faster_than_the_acceleration_allows_but_may_shrink_at_will(
        limits in any_limits(), wanted in prop::collection::vec(finite(), 2..40),
    ) {
        // A band that does not bind: giving way to the hand may be quicker.
        let mut envelope = SafetyEnvelope::new(spec(vec![limits], 100.0), &[0.1]).unwrap();
        let (mut at, mut last_step) = (envelope.held_rad()[0], 0.0f32);
        for wanted in wanted {
            let next = envelope.filter(&[wanted], &[at], PERIOD).unwrap().positions_rad()[0];
            let step = next - at;
            let growth = limits.acceleration * PERIOD * PERIOD;
            let slack = 1e-5 * (1.0 + at.abs() + growth);
            prop_assert!(step <= (last_step + growth).max(0.0) + slack && step >= (last_step - growth).min(0.0) - slack);
            (at, last_step) = (next, step);
        }
    }

    #[test]
    fn a_mirrored_joint_moves_as_the_mirror_of_the_joint(
        limits in any_limits(), calls in prop::collection::vec((-4.0f32..4.0, -4.0f32..4.0, 0.0f32..0.1), 1..20),
    ) {
        let mirror = JointLimits { lower: -limits.upper, upper: -limits.lower, ..limits };
        let mut joint = SafetyEnvelope::new(spec(vec![limits], 0.3), &[0.2]).unwrap();
        let mut image = SafetyEnvelope::new(spec(vec![mirror], 0.3), &[-0.2]).unwrap();
        for (wanted, measured, elapsed) in calls {
            let one = joint.filter(&[wanted], &[measured], elapsed).unwrap();
            let other = image.filter(&[-wanted], &[-measured], elapsed).unwrap();
            prop_assert_eq!(one.positions_rad()[0], -other.positions_rad()[0]);
            prop_assert_eq!(one.banded_joints(), other.banded_joints());
        }
    }

    #[test]
    fn derating_stays_between_nothing_and_all_whatever_it_is_told(scales in prop::collection::vec(anything(), 0..5)) {
        let mut envelope = SafetyEnvelope::new(spec(vec![usual(); 3], 0.5), &[0.0; 3]).unwrap();
        envelope.derate(&scales);
        for targets in [envelope.again(), envelope.hold(0.7), envelope.filter(&[0.1; 3], &[0.0; 3], PERIOD).unwrap()] {
            prop_assert!(targets.effort_scales().iter().all(|&scale| scale > 0.0 && scale <= 1.0));
        }
    }

    #[test]
    fn joints_do_not_know_of_each_other(
        limits in prop::collection::vec(any_limits(), 3), start in prop::collection::vec(-1.0f32..1.0, 3),
        calls in prop::collection::vec((prop::collection::vec(-4.0f32..4.0, 3), prop::collection::vec(-1.0f32..1.0, 3)), 1..10),
    ) {
        let turned = |values: &[f32]| vec![values[2], values[0], values[1]];
        let mut straight = SafetyEnvelope::new(spec(limits.clone(), 0.3), &start).unwrap();
        let order = vec![limits[2], limits[0], limits[1]];
        let mut permuted = SafetyEnvelope::new(spec(order, 0.3), &turned(&start)).unwrap();
        for (wanted, measured) in calls {
            let one = straight.filter(&wanted, &measured, PERIOD).unwrap();
            let other = permuted.filter(&turned(&wanted), &turned(&measured), PERIOD).unwrap();
            prop_assert_eq!(turned(one.positions_rad()), other.positions_rad().to_vec());
        }
    }
}

#[test]
fn a_far_target_is_reached_at_the_allowed_pace_with_braking_free() {
    let limits = JointLimits { lower: -10.0, upper: 10.0, velocity: 3.0, acceleration: 20.0 };
    let mut envelope = SafetyEnvelope::new(spec(vec![limits], 100.0), &[0.0]).unwrap();
    let steps: Vec<f32> = (0..6)
        .scan(0.0, |at, _| {
            let next = envelope.filter(&[5.0], &[0.0], PERIOD).unwrap().positions_rad()[0];
            let step = next - *at;
            *at = next;
            Some(step)
        })
        .collect();
    // Speeds 1, 2, 3, 3, ... rad/s: 20 rad/s2 for 50 ms each, then the velocity limit.
    for (step, expected) in steps.iter().zip([0.05, 0.10, 0.15, 0.15, 0.15, 0.15]) {
        assert!((step - expected).abs() < 1e-5, "{steps:?}");
    }
    let stopped = envelope.filter(&[steps.iter().sum()], &[0.0], PERIOD).unwrap();
    assert!((stopped.positions_rad()[0] - steps.iter().sum::<f32>()).abs() < 1e-6, "no overshoot is forced");
}

#[test]
fn a_blocked_finger_does_not_wind_up() {
    let mut envelope = SafetyEnvelope::new(spec(vec![usual()], 0.4), &[0.0]).unwrap();
    let mut last = 0.0;
    for _ in 0..50 {
        let safe = envelope.filter(&[2.0], &[0.1], PERIOD).unwrap();
        last = safe.positions_rad()[0];
    }
    assert!((last - 0.5).abs() < 1e-6, "the target leads the stuck angle 0.1 by the band of 0.4: {last}");
}

#[test]
fn limits_that_mean_nothing_are_refused_by_the_name_of_the_joint() {
    let good = usual();
    let bad = [
        (JointLimits { lower: f32::NAN, ..good }, "range"),
        (JointLimits { upper: f32::INFINITY, ..good }, "range"),
        (JointLimits { lower: 3.0, ..good }, "range"),
        (JointLimits { lower: 2.0, ..good }, "range"),
        (JointLimits { velocity: 0.0, ..good }, "velocity"),
        (JointLimits { velocity: f32::NAN, ..good }, "velocity"),
        (JointLimits { acceleration: -50.0, ..good }, "acceleration"),
        (JointLimits { acceleration: f32::INFINITY, ..good }, "acceleration"),
    ];
    for (limits, what) in bad {
        let error = SafetyEnvelope::new(spec(vec![good, limits], 0.5), &[0.0, 0.0]).unwrap_err().to_string();
        assert!(error.contains("`j1`") && error.contains(what), "{error}");
    }
    assert!(SafetyEnvelope::new(spec(vec![good], f32::NAN), &[0.0]).is_err());
    assert!(SafetyEnvelope::new(spec(vec![], 0.5), &[]).is_err());
}

#[test]
fn a_wrong_number_of_targets_changes_nothing() {
    let mut envelope = SafetyEnvelope::new(spec(vec![usual(); 2], 0.5), &[0.0, 0.0]).unwrap();
    let refused = envelope.filter(&[0.1], &[0.0, 0.0], PERIOD);
    assert_eq!(refused, Err(Unusable::Count { found: 1, expected: 2 }));
    let refused = envelope.filter(&[0.1, f32::NAN], &[0.0, 0.0], PERIOD);
    assert_eq!(refused, Err(Unusable::NotFinite { joint: "j1".to_owned() }));
    assert_eq!(envelope.held_rad(), &[0.0, 0.0]);
}
