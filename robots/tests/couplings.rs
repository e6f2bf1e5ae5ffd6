//! Joints that follow others, and joints that are locked.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{
    ActionDecoder, ActionSchema, Audience, DescriptionError, Encoding, ObservationSchema, ObservationTerm, RobotModel,
    SeedTree, Signal, SignalFrame, SignalLayout, Stream, TASKS, load_robot,
};
use std::fs;

/// A palm with one finger: it swings, bends, and its tip follows the bend.
const HAND: &str = r#"<mujoco>
  <compiler angle="radian"/>
  <default>
    <joint axis="0 -1 0" range="-0.5 1.5" damping="0.1"/>
    <geom type="sphere" size="0.01"/>
    <position kp="2" forcerange="-0.4 0.4"/>
  </default>
  <worldbody>
    <body name="palm">
      <geom name="palm"/>
      <body name="base" pos="0.1 0 0">
        <inertial pos="0 0 0" mass="0.02" diaginertia="1e-5 1e-5 1e-5"/>
        <joint name="swing" axis="0 0 1" range="-0.6 0.6"/>
        <body name="link" pos="0.02 0 0">
          <inertial pos="0 0 0" mass="0.02" diaginertia="1e-5 1e-5 1e-5"/>
          <joint name="bend"/>
          <geom name="link"/>
          <body name="last" pos="0.04 0 0">
            <inertial pos="0 0 0" mass="0.02" diaginertia="1e-5 1e-5 1e-5"/>
            <joint name="tip" range="0 0.8"/>
            <geom name="tip"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <equality>
    <joint joint1="tip" joint2="bend" polycoef="0.1 0.5 0 0 0"/>
  </equality>
  <actuator>
    <position joint="swing"/>
    <position joint="bend" kp="3" forcerange="-0.5 0.5"/>
  </actuator>
  <keyframe><key name="home" qpos="0.2 0.4 0.3" ctrl="0.2 0.4"/></keyframe>
</mujoco>
"#;

/// Canonical order is not that of the tree: tip, swing, bend.
const ROBOT: &str = r#"joints = [
    { name = "tip", velocity_limit_rad_per_sec = 8 },
    { name = "swing", device = { id = 1, sign = 1, zero_rad = 0 }, velocity_limit_rad_per_sec = 8 },
    { name = "bend", device = { id = 2, sign = -1, zero_rad = 0 }, velocity_limit_rad_per_sec = 8 },
]
locked_joints = []
fingertips = [{ name = "finger", body = "last", point_m = [0.02, 0, 0] }]
[regions]
palm_bodies = ["palm"]
tip_geoms = ["tip"]
[control]
period_secs = 0.05
[object_home]
position_m = [0.1, 0, 0.05]
[safety]
target_velocity_rad_per_sec = 3
target_acceleration_rad_per_sec2 = 60
tracking_band_rad = 0.5
hold_after_secs = 0.15
relax_after_secs = 2
off_after_secs = 30
hold = "measured"
"#;

fn load(hand_xml: &str, robot_toml: &str) -> Result<RobotModel, DescriptionError> {
    let folder = tempfile::Builder::new().prefix("toy").tempdir().unwrap();
    fs::write(folder.path().join("hand.xml"), hand_xml).unwrap();
    fs::write(folder.path().join("robot.toml"), robot_toml).unwrap();
    load_robot(folder.path().to_str().unwrap())
}

fn toy() -> RobotModel {
    load(HAND, ROBOT).unwrap()
}

fn locked(names: &str) -> Result<RobotModel, DescriptionError> {
    load(HAND, &ROBOT.replacen("locked_joints = []", &format!("locked_joints = [{names}]"), 1))
}

#[track_caller]
fn refused(from: &str, to: &str, place: &str, parts: &[&str]) {
    assert!(HAND.contains(from), "{from}");
    let said = load(&HAND.replacen(from, to, 1), ROBOT).unwrap_err().to_string();
    let line = 1 + HAND[..HAND.find(from).unwrap()].matches('\n').count();
    let place = if place.is_empty() { format!("hand.xml:{line}: ") } else { place.to_owned() };
    for part in parts.iter().copied().chain([place.as_str()]) {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn a_follower_is_a_joint_without_a_servo_in_canonical_order() {
    let robot = toy();
    let [coupling] = robot.couplings.as_slice() else { panic!("{:?}", robot.couplings) };
    assert_eq!((coupling.follower, coupling.leader), (0, 2));
    assert_eq!((coupling.ratio, coupling.offset_rad), (0.5, 0.1));
    assert_eq!(robot.actuated_joints(), [1, 2]);
    assert_eq!(robot.home_rad, [0.3, 0.2, 0.4]);
    assert_eq!(robot.joints[0].device, None);
    assert_eq!(robot.joints[2].device.unwrap().id, 2);
}

#[test]
fn a_follower_shows_the_servo_of_its_leader() {
    let robot = toy();
    let servo = |joint: usize| {
        let joint = &robot.joints[joint];
        (joint.stiffness_newton_m_per_rad, joint.effort_limit_newton_m)
    };
    assert_eq!([servo(0), servo(1), servo(2)], [(3.0, 0.5), (2.0, 0.4), (3.0, 0.5)]);
}

#[test]
fn couplings_that_cannot_be_are_refused_with_their_line() {
    let row = "<joint joint1=\"tip\" joint2=\"bend\" polycoef=\"0.1 0.5 0 0 0\"/>";
    let with = |text: &str| row.replacen("0.1 0.5 0 0 0", text, 1);
    refused(row, &row.replace("\"bend\"", "\"bent\""), "", &["no joint `bent`", "did you mean `bend`?"]);
    refused(row, &row.replace("joint1=\"tip\"", "joint1=\"top\""), "", &["no joint `top`", "`tip`?"]);
    refused(row, &row.replace("joint2=\"bend\" ", ""), "", &["`joint1`", "`joint2`"]);
    refused(row, &row.replace("\"bend\"", "\"tip\""), "", &["cannot follow itself"]);
    refused(row, &with("0.1 0.5 0.2 0 0"), "", &["must be linear"]);
    refused(row, &with("0.1 0 0 0 0"), "", &["ratio 0", "locked_joints"]);
    refused(row, &with("0.1 0.5"), "", &["holds 2 numbers instead of 5"]);
    refused(row, &with("0.1 nan 0 0 0"), "", &["not a finite number"]);
    refused(row, &row.replace("/>", " active=\"false\"/>"), "", &["`active` of <joint> is not read"]);
    refused(row, "<connect/>", "", &["<connect> in <equality> is not read"]);
    refused(row, &row.repeat(2), "", &["`tip` follows two joints"]);
    let chain = format!("{row}<joint joint1=\"bend\" joint2=\"swing\" polycoef=\"0 1 0 0 0\"/>");
    refused(row, &chain, "", &["`tip` follows `bend`, which follows `swing`; let both follow `swing`"]);
    let servo = "<position joint=\"swing\"/>";
    refused(
        servo,
        "<position joint=\"swing\"/><position joint=\"tip\"/>",
        "",
        &["`tip` follows `bend`", "no actuator"],
    );
}

#[test]
fn the_resting_pose_must_keep_to_the_coupling() {
    refused("0.2 0.4 0.3", "0.2 0.4 0.4", "hand.xml:28: ", &["`home` puts `tip` at 0.4 rad", "it stands at 0.3"]);
}

#[test]
fn a_coupling_makes_another_hand_in_kinematics() {
    let stiffer = load(&HAND.replacen("0.1 0.5 0 0 0", "0.2 0.25 0 0 0", 1), ROBOT).unwrap();
    assert_ne!(stiffer.kinematics_fingerprint, toy().kinematics_fingerprint);
    assert_eq!(stiffer.dynamics_fingerprint, toy().dynamics_fingerprint);
}

#[test]
fn there_is_one_action_per_servo_and_one_target_per_joint() {
    let robot = toy();
    let schema = ActionSchema::increments(&robot, 0.1, 0.5);
    assert_eq!((schema.width(), schema.joints().len()), (2, 3));
    let mut targets = [f32::NAN; 3];
    let decoder = ActionDecoder::new(&schema);
    // Swing back, bend on. What was last applied to the follower, and where it was sensed, is of no account.
    decoder.decode(&[-1.0, 1.0], &[9.0, 0.2, 0.4], &[-9.0, 0.2, 0.4], &mut targets);
    let expected = [0.1 + 0.5 * 0.5, 0.1, 0.5];
    assert!(targets.iter().zip(expected).all(|(target, expected)| (target - expected).abs() < 1e-6), "{targets:?}");
    // The leader's target, limited, puts the follower at 0.85, beyond its own limit.
    decoder.decode(&[0.0, 1.0], &[0.0, 0.0, 1.5], &[0.0, 0.0, 1.5], &mut targets);
    assert_eq!(targets, [0.8, 0.0, 1.5]);
}

#[test]
fn what_was_stored_before_there_were_couplings_is_still_read() {
    let stored = r#"{"joints":[{"name":"a","limits":{"lower":-1.0,"upper":1.0}}],
        "max_rad_per_step":0.06,"tracking_band_rad":0.4}"#;
    let schema: ActionSchema = serde_json::from_str(stored).unwrap();
    assert_eq!(schema.width(), 1);
    assert!(!serde_json::to_string(&schema).unwrap().contains("couplings"), "and it is written as it was");
    let stored = r#"{"terms":[],"joints":[{"name":"a","limits":{"lower":-1.0,"upper":1.0}}],"parameters":[]}"#;
    let schema: ObservationSchema = serde_json::from_str(stored).unwrap();
    assert_eq!(schema.layout(), SignalLayout { joint_count: 1, action_count: 1, ..SignalLayout::default() });
    assert!(!serde_json::to_string(&schema).unwrap().contains("followers"));
}

#[test]
fn a_stored_schema_comes_back_as_it_was_or_is_refused() {
    let robot = toy();
    let schema = ActionSchema::increments(&robot, 0.1, 0.5);
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<ActionSchema>(&text).unwrap(), schema);
    for (from, to) in [("\"leader\":2", "\"leader\":3"), ("\"leader\":2", "\"leader\":0")] {
        assert!(text.contains(from));
        let said = serde_json::from_str::<ActionSchema>(&text.replace(from, to)).unwrap_err().to_string();
        assert!(said.contains("cannot follow joint"), "{said}");
    }
    let schema = ObservationSchema::new(Vec::new(), &robot, Vec::new()).unwrap();
    let text = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<ObservationSchema>(&text).unwrap(), schema);
    let said = serde_json::from_str::<ObservationSchema>(&text.replace("[0]", "[7]")).unwrap_err().to_string();
    assert!(said.contains("joints [7] of 3 follow others"), "{said}");
}

#[test]
fn the_previous_action_has_one_element_per_servo() {
    let robot = toy();
    let term = |signal| ObservationTerm::fresh(signal, Encoding::Raw, 2, Audience::ActorAndCritic);
    let terms = vec![term(Signal::PreviousAction), term(Signal::JointPosition)];
    let schema = ObservationSchema::new(terms, &robot, Vec::new()).unwrap();
    assert_eq!(schema.layout(), SignalLayout { joint_count: 3, action_count: 2, ..SignalLayout::default() });
    assert_eq!(schema.actor_width(), 2 * 2 + 2 * 3);
    let names = schema.column_names();
    assert_eq!(names[..3], ["previous_action/swing", "previous_action/bend", "previous_action/swing/t-1"]);
    let mut frame = SignalFrame::new(schema.layout());
    frame.write(Signal::PreviousAction, &[0.5, -0.5]);
    frame.write(Signal::JointPosition, &[0.1, 0.2, 0.3]);
    let mut out = [f32::NAN; 10];
    giraffe_robots::ObservationEncoder::new(&schema).encode_actor(&frame, &mut out).unwrap();
    assert_eq!(out, [0.5, -0.5, 0.5, -0.5, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3]);
    let free = load(
        &HAND
            .replace(" <joint joint1=\"tip\" joint2=\"bend\" polycoef=\"0.1 0.5 0 0 0\"/>", "")
            .replace("<position joint=\"swing\"/>", "<position joint=\"swing\"/><position joint=\"tip\"/>"),
        ROBOT,
    )
    .unwrap();
    let other = ObservationSchema::new(vec![term(Signal::JointPosition)], &free, Vec::new()).unwrap();
    let own = ObservationSchema::new(vec![term(Signal::JointPosition)], &robot, Vec::new()).unwrap();
    assert_ne!(own.actor_fingerprint(), other.actor_fingerprint());
}

#[test]
fn every_task_starts_followers_where_their_leaders_put_them() {
    for robot in [toy(), load_robot("shadow-right").unwrap()] {
        for task in TASKS {
            for episode in 0..20 {
                let start = task.start(&robot, &mut SeedTree::new(1).stream(Stream::Start, 0, episode));
                let mut coupled = start.joint_positions_rad.clone();
                robot.couple(&mut coupled);
                assert_eq!(coupled, start.joint_positions_rad);
            }
        }
    }
}

#[test]
fn a_locked_joint_is_welded_where_it_rests() {
    let (free, locked) = (toy(), locked("\"swing\"").unwrap());
    assert_eq!(locked.joints.iter().map(|joint| joint.name.as_str()).collect::<Vec<_>>(), ["tip", "bend"]);
    assert_eq!(locked.home_rad, [0.3, 0.4]);
    assert_eq!((locked.couplings[0].follower, locked.couplings[0].leader), (0, 1));
    assert_eq!(locked.bodies.len(), free.bodies.len());
    for (index, joint) in locked.joints.iter().enumerate() {
        assert_eq!(locked.bodies[joint.body].joint, Some(index));
    }
    let (a, b) = (locked.fingertip_positions(&[0.3, 0.7]), free.fingertip_positions(&[0.3, 0.2, 0.7]));
    assert!((a[0] - b[0]).norm() < 1e-7, "{a:?} {b:?}");
    assert_ne!(locked.kinematics_fingerprint, free.kinematics_fingerprint);
}

#[test]
fn locks_that_cannot_be_are_refused_with_their_line() {
    for (names, part) in [
        ("\"swong\"", "no joint `swong`; did you mean `swing`?"),
        ("\"swing\", \"swing\"", "`swing` is locked twice"),
        ("\"bend\"", "`bend` is part of a coupling"),
        ("\"tip\"", "`tip` is part of a coupling"),
    ] {
        let said = locked(names).unwrap_err().to_string();
        assert!(said.contains(part) && said.contains("robot.toml:6: "), "{said}");
    }
    let alone = HAND.replace("<joint name=\"bend\"/>", "").replace("<joint name=\"tip\" range=\"0 0.8\"/>", "");
    let alone = alone.replace("<joint joint1=\"tip\" joint2=\"bend\" polycoef=\"0.1 0.5 0 0 0\"/>", "");
    let alone = alone.replace("<position joint=\"bend\" kp=\"3\" forcerange=\"-0.5 0.5\"/>", "");
    let alone = alone.replace("0.2 0.4 0.3", "0.2");
    let robot: String = ROBOT
        .lines()
        .filter(|line| !line.contains("\"bend\"") && !line.contains("\"tip\", v"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(load(&alone, &robot).unwrap().joint_count(), 1);
    let said = load(&alone, &robot.replace("locked_joints = []", "locked_joints = [\"swing\"]")).unwrap_err();
    assert!(said.to_string().contains("every joint is locked"), "{said}");
}
