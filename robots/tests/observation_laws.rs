//! What holds for every schema, frame and encoder.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{
    Audience, Encoding, Limits, NamedLimits, Nanos, ObservationEncoder, ObservationError, ObservationSchema,
    ObservationTerm, RobotModel, Signal, SignalFrame, SignalLayout, Symmetry, WhenStale, load_robot, write_fingertips,
};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use proptest::prelude::*;

fn leap() -> RobotModel {
    load_robot("leap-right").unwrap()
}

fn term(signal: Signal, encoding: Encoding, history: u8, audience: Audience) -> ObservationTerm {
    ObservationTerm::fresh(signal, encoding, history, audience)
}

fn actor(signal: Signal, encoding: Encoding, history: u8) -> ObservationTerm {
    term(signal, encoding, history, Audience::ActorAndCritic)
}

fn critic(signal: Signal, encoding: Encoding) -> ObservationTerm {
    term(signal, encoding, 1, Audience::CriticOnly)
}

fn parameters() -> Vec<NamedLimits> {
    let named = |name: &str, lower, upper| NamedLimits { name: name.to_owned(), limits: Limits { lower, upper } };
    vec![named("object.mass", 0.05, 0.25), named("contact.friction", 0.5, 0.5)]
}

fn schema(terms: Vec<ObservationTerm>) -> ObservationSchema {
    ObservationSchema::new(terms, &leap(), parameters()).unwrap()
}

const LAYOUT: SignalLayout =
    SignalLayout { joint_count: 16, action_count: 16, parameter_count: 2, fingertip_count: 4, object_joint_count: 0 };

fn empty_frame() -> SignalFrame {
    SignalFrame::new(LAYOUT)
}

/// A frame in which every element of every signal is `value`.
fn frame_of(value: f32) -> SignalFrame {
    let mut frame = empty_frame();
    for signal in Signal::ALL {
        frame.write(signal, &vec![value; frame.layout().width(signal)]);
    }
    frame
}

fn encode_actor(encoder: &mut ObservationEncoder, frame: &SignalFrame) -> Result<Vec<f32>, ObservationError> {
    let mut out = vec![f32::NAN; encoder.schema().actor_width()];
    encoder.encode_actor(frame, &mut out).map(|()| out)
}

#[test]
fn history_starts_full_of_the_first_instant_and_then_runs_newest_first() {
    let mut encoder = ObservationEncoder::new(&schema(vec![actor(Signal::PreviousAction, Encoding::Raw, 3)]));
    let mut instants = |value: f32| -> [f32; 3] {
        let out = encode_actor(&mut encoder, &frame_of(value)).unwrap();
        assert_eq!(out.len(), 48);
        for instant in out.chunks(16) {
            assert!(instant.iter().all(|element| element.to_bits() == instant[0].to_bits()));
        }
        [out[0], out[16], out[32]]
    };
    assert_eq!(instants(1.0), [1.0, 1.0, 1.0]);
    assert_eq!(instants(2.0), [2.0, 1.0, 1.0]);
    assert_eq!(instants(3.0), [3.0, 2.0, 1.0]);
    assert_eq!(instants(4.0), [4.0, 3.0, 2.0]);
    encoder.reset();
    assert_eq!(encode_actor(&mut encoder, &frame_of(9.0)).unwrap(), [9.0; 48]);
}

#[test]
fn a_term_of_no_columns_disturbs_nobody() {
    let robot = leap();
    let terms = vec![critic(Signal::WorldParameters, Encoding::ByBounds), critic(Signal::Gravity, Encoding::Raw)];
    let schema = ObservationSchema::new(terms, &robot, Vec::new()).unwrap();
    let mut frame = SignalFrame::new(schema.layout());
    frame.write(Signal::WorldParameters, &[]);
    frame.write(Signal::Gravity, &[0.0, 0.0, -9.81]);
    let mut out = vec![0.0; schema.critic_width()];
    let mut encoder = ObservationEncoder::new(&schema);
    for _ in 0..3 {
        encoder.encode(&frame, &frame, &mut out).unwrap();
        assert_eq!(out, [0.0, 0.0, -9.81]);
    }
}

#[test]
fn an_instant_that_failed_leaves_no_trace_in_the_history() {
    let terms = vec![actor(Signal::PreviousAction, Encoding::Raw, 2), actor(Signal::ObjectPosition, Encoding::Raw, 1)];
    let mut encoder = ObservationEncoder::new(&schema(terms));
    encode_actor(&mut encoder, &frame_of(1.0)).unwrap();
    let mut broken = frame_of(2.0);
    broken.write(Signal::ObjectPosition, &[0.0, f32::NAN, 0.0]);
    assert!(encode_actor(&mut encoder, &broken).is_err());
    let out = encode_actor(&mut encoder, &frame_of(3.0)).unwrap();
    assert_eq!([out[0], out[16]], [3.0, 1.0]);
}

#[test]
fn what_was_never_measured_is_named_not_made_up() {
    let mut encoder = ObservationEncoder::new(&schema(vec![actor(Signal::JointPosition, Encoding::JointRange, 1)]));
    let error = encode_actor(&mut encoder, &empty_frame()).unwrap_err();
    assert_eq!(error, ObservationError::Missing { signal: "joint_position" });
    let mut cleared = frame_of(0.0);
    cleared.clear();
    assert_eq!(encode_actor(&mut encoder, &cleared).unwrap_err(), error);
}

#[test]
fn a_value_is_used_up_to_its_age_and_refused_beyond() {
    let mut old = actor(Signal::ObjectPosition, Encoding::Raw, 1);
    old.max_age_secs = 0.1;
    let mut encoder = ObservationEncoder::new(&schema(vec![old]));
    let mut frame = frame_of(1.0);
    frame.begin(Nanos::from_secs(5.0));
    frame.write_at(Signal::ObjectPosition, &[1.0, 2.0, 3.0], Nanos::from_secs(4.9));
    assert_eq!(encode_actor(&mut encoder, &frame).unwrap(), [1.0, 2.0, 3.0]);
    frame.begin(Nanos::from_secs(5.001));
    let said = encode_actor(&mut encoder, &frame).unwrap_err().to_string();
    assert_eq!(said, "object_position is 0.101 s old; the policy reads it up to 0.100 s old");
}

#[test]
fn a_number_that_is_none_is_named_with_its_element() {
    let mut encoder = ObservationEncoder::new(&schema(vec![actor(Signal::JointPosition, Encoding::JointRange, 1)]));
    let mut values = vec![0.0; 16];
    values[7] = f32::INFINITY;
    let mut frame = frame_of(0.0);
    frame.write(Signal::JointPosition, &values);
    let error = encode_actor(&mut encoder, &frame).unwrap_err();
    assert_eq!(error, ObservationError::NotFinite { signal: "joint_position", element: 7 });
}

#[test]
fn joint_limits_and_parameter_bounds_become_minus_one_and_one() {
    let robot = leap();
    let joints = actor(Signal::JointPosition, Encoding::JointRange, 1);
    let schema = schema(vec![joints, critic(Signal::WorldParameters, Encoding::ByBounds)]);
    let mut frame = frame_of(0.0);
    let lower: Vec<f32> = robot.joints.iter().map(|joint| joint.position_limits_rad.lower).collect();
    frame.write(Signal::JointPosition, &lower);
    frame.write(Signal::WorldParameters, &[0.25, 0.5]);
    let mut out = vec![0.0; schema.critic_width()];
    ObservationEncoder::new(&schema).encode(&frame, &frame, &mut out).unwrap();
    assert!(out[..16].iter().all(|column| (column + 1.0).abs() < 1e-6), "{out:?}");
    assert!((out[16] - 1.0).abs() < 1e-6);
    assert_eq!(out[17], 0.0, "a parameter that cannot vary says nothing");
}

#[test]
fn the_actor_reads_what_was_sensed_and_the_critic_alone_what_is_true() {
    let terms = vec![
        critic(Signal::ObjectPosition, Encoding::Divide(0.5)),
        actor(Signal::ObjectPosition, Encoding::Raw, 1),
        critic(Signal::Gravity, Encoding::Raw),
    ];
    let schema = schema(terms);
    assert_eq!((schema.actor_width(), schema.critic_width()), (3, 9));
    let mut out = vec![0.0; 9];
    ObservationEncoder::new(&schema).encode(&frame_of(1.0), &frame_of(2.0), &mut out).unwrap();
    assert_eq!(out, [1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 2.0, 2.0, 2.0]);
    let alone = encode_actor(&mut ObservationEncoder::new(&schema), &frame_of(1.0)).unwrap();
    assert_eq!(alone, out[..3], "with or without a critic the actor reads the same");
}

#[test]
fn an_actor_cannot_be_given_what_only_a_simulator_knows() {
    for signal in [Signal::ObjectLinearVelocity, Signal::ObjectAngularVelocity, Signal::Gravity] {
        let error = ObservationSchema::new(vec![actor(signal, Encoding::Raw, 1)], &leap(), Vec::new()).unwrap_err();
        assert_eq!(error, ObservationError::NotObservable { signal: signal.name() });
    }
    let error =
        ObservationSchema::new(vec![actor(Signal::WorldParameters, Encoding::ByBounds, 1)], &leap(), parameters());
    assert!(error.is_err());
}

#[test]
fn an_encoding_that_does_not_fit_its_signal_is_refused() {
    for (signal, encoding, history) in [
        (Signal::ObjectPosition, Encoding::JointRange, 1),
        (Signal::JointPosition, Encoding::ByBounds, 1),
        (Signal::ObjectPosition, Encoding::Rotation6, 1),
        (Signal::JointPosition, Encoding::Divide(0.0), 1),
        (Signal::JointPosition, Encoding::Divide(f32::NAN), 1),
        (Signal::JointPosition, Encoding::Raw, 0),
    ] {
        let terms = vec![actor(signal, encoding, history)];
        let error = ObservationSchema::new(terms, &leap(), parameters()).unwrap_err();
        assert!(matches!(error, ObservationError::NotEncodable { .. }), "{signal:?} {encoding:?}: {error}");
    }
}

#[test]
fn a_stored_schema_comes_back_whole_and_a_tampered_one_does_not() {
    let schema = schema(vec![actor(Signal::JointPosition, Encoding::Divide(2.0), 3)]);
    let stored = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<ObservationSchema>(&stored).unwrap(), schema);
    let tampered = stored.replace("\"joint_position\"", "\"gravity\"");
    let said = serde_json::from_str::<ObservationSchema>(&tampered).unwrap_err().to_string();
    assert!(said.contains("the actor cannot read gravity"), "{said}");
    assert!(serde_json::from_str::<ObservationSchema>(&stored.replace("\"history\":3", "\"history\":0")).is_err());
}

#[test]
fn the_fingerprint_is_the_actors_alone() {
    let base = || vec![actor(Signal::JointPosition, Encoding::JointRange, 3)];
    let fingerprint = |terms| schema(terms).actor_fingerprint();
    let mut with_critic = base();
    with_critic.push(critic(Signal::Gravity, Encoding::Raw));
    assert_eq!(fingerprint(with_critic), fingerprint(base()));
    let no_parameters = ObservationSchema::new(base(), &leap(), Vec::new()).unwrap();
    assert_eq!(no_parameters.actor_fingerprint(), fingerprint(base()));

    let mut other_limits = leap();
    other_limits.joints[3].position_limits_rad.upper += 0.01;
    let mut other_order = leap();
    other_order.joints.swap(0, 1);
    for robot in [other_limits, other_order] {
        assert_ne!(
            ObservationSchema::new(base(), &robot, parameters()).unwrap().actor_fingerprint(),
            fingerprint(base())
        );
    }
    for changed in [
        actor(Signal::JointTarget, Encoding::JointRange, 3),
        actor(Signal::JointPosition, Encoding::Raw, 3),
        actor(Signal::JointPosition, Encoding::JointRange, 2),
    ] {
        assert_ne!(fingerprint(vec![changed]), fingerprint(base()));
    }
}

#[test]
fn every_column_has_one_name_and_the_table_shows_every_term() {
    let terms = vec![
        actor(Signal::JointPosition, Encoding::JointRange, 2),
        critic(Signal::ObjectRotation, Encoding::Rotation6),
        critic(Signal::WorldParameters, Encoding::ByBounds),
    ];
    let schema = schema(terms);
    let names = schema.column_names();
    assert_eq!(names.len(), schema.critic_width());
    assert_eq!([&names[0], &names[17]], ["joint_position/index_mcp_side", "joint_position/index_mcp_forward/t-1"]);
    assert_eq!([&names[32], &names[38]], ["object_rotation/r00", "world_parameters/object.mass"]);
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    let table = schema.to_string();
    for part in ["0-31", "actor 32", "32-37", "38-39", "critic 40", &schema.actor_fingerprint(), "rad", "joint range"] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
}

#[test]
fn a_frame_keeps_old_values_with_their_old_time_until_they_are_written_again() {
    let mut frame = empty_frame();
    assert_eq!(frame.read(Signal::Gravity), None);
    frame.begin(Nanos::from_secs(1.0));
    frame.write(Signal::Gravity, &[1.0, 2.0, 3.0]);
    frame.begin(Nanos::from_secs(2.5));
    assert_eq!(frame.read(Signal::Gravity), Some(&[1.0, 2.0, 3.0][..]));
    assert_eq!(frame.now().secs_since(frame.stamp(Signal::Gravity).unwrap()), 1.5);
    frame.clear();
    assert_eq!((frame.read(Signal::Gravity), frame.stamp(Signal::Gravity)), (None, None));
}

#[test]
#[should_panic(expected = "joint_position has 16 elements, not 15")]
fn a_frame_takes_no_signal_of_the_wrong_width() {
    empty_frame().write(Signal::JointPosition, &[0.0; 15]);
}

#[test]
#[should_panic(expected = "this frame is of another hand")]
fn a_frame_of_another_hand_is_not_read() {
    let mut frame = SignalFrame::new(SignalLayout { joint_count: 15, action_count: 15, ..SignalLayout::default() });
    frame.write(Signal::JointPosition, &[0.0; 15]);
    let schema = schema(vec![actor(Signal::JointPosition, Encoding::JointRange, 1)]);
    let _ = encode_actor(&mut ObservationEncoder::new(&schema), &frame);
}

#[test]
fn signals_are_listed_in_the_order_of_the_enum_with_names_of_their_own() {
    for (index, signal) in Signal::ALL.into_iter().enumerate() {
        assert_eq!(signal as usize, index, "frames are indexed by the enum");
        assert_eq!(serde_json::to_value(signal).unwrap(), signal.name(), "one name in code, messages and files");
    }
}

proptest! {
    #[test]
    fn rotation6_is_the_first_two_columns_of_nalgebras_matrix(
        x in -1.0..1.0f32, y in -1.0..1.0f32, z in -1.0..1.0f32, angle in -6.0..6.0f32,
    ) {
        prop_assume!(Vector3::new(x, y, z).norm() > 1e-2);
        let rotation = UnitQuaternion::from_axis_angle(&nalgebra::Unit::new_normalize(Vector3::new(x, y, z)), angle);
        let Quaternion { coords } = rotation.into_inner();
        let schema = schema(vec![actor(Signal::ObjectRotation, Encoding::Rotation6, 1)]);
        let mut frame = frame_of(0.0);
        frame.write(Signal::ObjectRotation, coords.as_slice());
        let out = encode_actor(&mut ObservationEncoder::new(&schema), &frame).unwrap();
        let matrix = rotation.to_rotation_matrix();
        for (column, expected) in out.iter().zip(matrix.matrix().as_slice()) {
            prop_assert!((column - expected).abs() < 1e-5, "{out:?} {matrix}");
        }
    }
}

fn at(secs: f64) -> Nanos {
    Nanos::from_secs(secs)
}

fn pose_term(encoding: Encoding, history: u8, when_stale: WhenStale) -> ObservationTerm {
    actor(Signal::ObjectPosition, encoding, history).up_to_secs_old(0.1).when_stale(when_stale)
}

/// A frame at `now_secs` with a position measured at `measured_secs`.
fn seen_at(now_secs: f64, measured_secs: f64, x_m: f32) -> SignalFrame {
    let mut frame = empty_frame();
    frame.begin(at(now_secs));
    frame.write_at(Signal::ObjectPosition, &[x_m, 0.0, 0.0], at(measured_secs));
    frame
}

#[test]
fn what_is_too_old_is_held_or_zero_with_a_column_that_says_so_or_ends_the_episode() {
    for (when_stale, old) in [(WhenStale::Hold, [0.3, 0.0, 0.0, 0.0]), (WhenStale::Zero, [0.0; 4])] {
        let schema = schema(vec![pose_term(Encoding::Raw, 1, when_stale)]);
        assert_eq!(schema.column_names().last().map(String::as_str), Some("object_position/sound"));
        let mut encoder = ObservationEncoder::new(&schema);
        assert_eq!(encode_actor(&mut encoder, &empty_frame()).unwrap(), [0.0; 4], "never measured");
        assert_eq!(encode_actor(&mut encoder, &seen_at(1.0, 0.95, 0.3)).unwrap(), [0.3, 0.0, 0.0, 1.0]);
        assert_eq!(encode_actor(&mut encoder, &seen_at(1.2, 1.05, 0.4)).unwrap(), old);
        assert_eq!(encode_actor(&mut encoder, &seen_at(1.3, 1.3, f32::NAN)).unwrap(), old);
        assert_eq!(encode_actor(&mut encoder, &seen_at(1.4, 1.4, 0.5)).unwrap(), [0.5, 0.0, 0.0, 1.0]);
    }
    let mut encoder = ObservationEncoder::new(&schema(vec![pose_term(Encoding::Raw, 1, WhenStale::End)]));
    assert!(matches!(encode_actor(&mut encoder, &seen_at(1.2, 1.05, 0.4)), Err(ObservationError::Stale { .. })));
}

#[test]
fn a_held_term_keeps_its_history_in_step() {
    let mut encoder = ObservationEncoder::new(&schema(vec![pose_term(Encoding::Raw, 3, WhenStale::Hold)]));
    let mut newest = |frame: &SignalFrame| {
        let out = encode_actor(&mut encoder, frame).unwrap();
        [[out[0], out[3]], [out[4], out[7]], [out[8], out[11]]]
    };
    assert_eq!(newest(&seen_at(0.0, 0.0, 1.0)), [[1.0, 1.0]; 3]);
    assert_eq!(newest(&seen_at(0.1, 0.1, 2.0)), [[2.0, 1.0], [1.0, 1.0], [1.0, 1.0]]);
    assert_eq!(newest(&seen_at(0.3, 0.1, 2.0)), [[2.0, 0.0], [2.0, 1.0], [1.0, 1.0]]);
    assert_eq!(newest(&seen_at(0.4, 0.4, 3.0)), [[3.0, 1.0], [2.0, 0.0], [2.0, 1.0]]);
}

#[test]
fn terms_that_end_the_episode_have_the_fingerprints_they_always_had() {
    let term = actor(Signal::JointPosition, Encoding::JointRange, 3);
    let text = serde_json::to_string(&term).unwrap();
    assert!(!text.contains("stale"), "{text}");
    let shipped = schema(vec![term.up_to_secs_old(0.1)]);
    assert_eq!(shipped.actor_fingerprint(), "908572a0207b7ceb");
    let held = schema(vec![pose_term(Encoding::Raw, 1, WhenStale::Hold)]);
    let zero = schema(vec![pose_term(Encoding::Raw, 1, WhenStale::Zero)]);
    assert_ne!(held.actor_fingerprint(), zero.actor_fingerprint());
}

fn turned(signal: Signal, secs: f64, about: Vector3<f32>, angle_rad: f32) -> SignalFrame {
    let mut frame = empty_frame();
    frame.begin(at(secs));
    frame.write(signal, UnitQuaternion::from_scaled_axis(about * angle_rad).coords.as_slice());
    frame
}

#[test]
fn a_spin_is_taken_from_orientations_and_their_own_times() {
    let rate = Encoding::Rate { over_secs: 0.1, divide: 2.0 };
    let mut encoder = ObservationEncoder::new(&schema(vec![actor(Signal::ObjectRotation, rate, 1)]));
    let spin = |encoder: &mut ObservationEncoder, step: u32| {
        let secs = 0.05 * f64::from(step);
        encode_actor(encoder, &turned(Signal::ObjectRotation, secs, Vector3::y(), 0.9 * secs as f32)).unwrap()
    };
    assert_eq!(spin(&mut encoder, 0), [0.0; 3], "one orientation alone says nothing");
    for step in 1..200 {
        let found = Vector3::from_column_slice(&spin(&mut encoder, step));
        assert!((found - Vector3::new(0.0, 0.45, 0.0)).norm() < 1e-3, "step {step}: {found}");
    }
    encoder.reset();
    assert_eq!(spin(&mut encoder, 500), [0.0; 3]);
}

#[test]
fn a_rate_over_a_time_spans_that_time_and_the_same_measurement_twice_changes_nothing() {
    let rate = Encoding::Rate { over_secs: 0.1, divide: 1.0 };
    let held = actor(Signal::ObjectPosition, rate, 1).up_to_secs_old(1.0);
    let mut encoder = ObservationEncoder::new(&schema(vec![held]));
    let mut speed = |now, measured, x_m| encode_actor(&mut encoder, &seen_at(now, measured, x_m)).unwrap()[0];
    assert_eq!(speed(0.0, 0.0, 0.0), 0.0);
    assert!((speed(0.05, 0.05, 0.05) - 1.0).abs() < 1e-5, "the oldest there is");
    assert!((speed(0.1, 0.1, 0.3) - 3.0).abs() < 1e-5);
    assert!((speed(0.15, 0.1, 0.3) - 3.0).abs() < 1e-5, "nothing new was seen");
    assert!((speed(0.2, 0.2, 0.3) - 0.0).abs() < 1e-5, "since 0.1 s");
}

#[test]
fn alike_sides_of_a_cube_are_one_and_the_same_to_the_network() {
    let encoding = Encoding::FoldedRotation6(Symmetry::Cube);
    let schema = schema(vec![actor(Signal::ObjectRotation, encoding, 1)]);
    let read = |angle_rad: f32| {
        let frame = turned(Signal::ObjectRotation, 0.0, Vector3::y(), angle_rad);
        encode_actor(&mut ObservationEncoder::new(&schema), &frame).unwrap()
    };
    let (flat, tipped) = (read(0.2), read(0.2 + std::f32::consts::FRAC_PI_2));
    assert!(flat.iter().zip(&tipped).all(|(a, b)| (a - b).abs() < 1e-5), "{flat:?} {tipped:?}");
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<ObservationSchema>(&text).unwrap(), schema, "{text}");
}

#[test]
fn fingertips_are_where_the_joint_angles_put_them() {
    let robot = leap();
    let schema = schema(vec![actor(Signal::FingertipPosition, Encoding::Divide(0.1), 1)]);
    assert!(schema.reads_fingertips());
    assert_eq!(schema.actor_width(), 12);
    let (angles_rad, tips_m) = robot.test_vector();
    let mut frame = empty_frame();
    write_fingertips(&robot, &mut frame);
    assert!(frame.read(Signal::FingertipPosition).is_none(), "no angles, no fingertips");
    frame.write(Signal::JointPosition, &angles_rad);
    write_fingertips(&robot, &mut frame);
    let out = encode_actor(&mut ObservationEncoder::new(&schema), &frame).unwrap();
    for (found, tip) in out.chunks(3).zip(&tips_m) {
        assert!((Vector3::from_column_slice(found) * 0.1 - tip.coords).norm() < 1e-6);
    }
}

#[test]
fn rates_and_folded_orientations_that_cannot_be_are_refused() {
    let rate = |over_secs, divide| Encoding::Rate { over_secs, divide };
    for (signal, encoding) in [
        (Signal::ObjectRotation, rate(0.0, 1.0)),
        (Signal::ObjectRotation, rate(f32::NAN, 1.0)),
        (Signal::ObjectRotation, rate(0.1, 0.0)),
        (Signal::ObjectPosition, Encoding::FoldedRotation6(Symmetry::Cube)),
    ] {
        let error = ObservationSchema::new(vec![actor(signal, encoding, 1)], &leap(), Vec::new()).unwrap_err();
        assert!(matches!(error, ObservationError::NotEncodable { .. }), "{error}");
    }
}
