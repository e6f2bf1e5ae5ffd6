//! What holds for every schema, frame and encoder.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{
    Audience, Encoding, Limits, NamedLimits, Nanos, ObservationEncoder, ObservationError, ObservationSchema,
    ObservationTerm, RobotModel, Signal, SignalFrame, SignalLayout, load_robot,
};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use proptest::prelude::*;

fn leap() -> RobotModel {
    load_robot("leap-right").unwrap()
}

fn term(signal: Signal, encoding: Encoding, history: u8, audience: Audience) -> ObservationTerm {
    ObservationTerm { signal, encoding, history, max_age_secs: 0.0, audience }
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

fn empty_frame() -> SignalFrame {
    SignalFrame::new(SignalLayout { joint_count: 16, action_count: 16, parameter_count: 2 })
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
    let mut frame = SignalFrame::new(SignalLayout { joint_count: 15, action_count: 15, parameter_count: 0 });
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
