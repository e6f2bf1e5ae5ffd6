//! Nothing moves before both sides know that they mean the same hand.

use crate::hand::{Rig, hello_of, shuffled_hand, small_hand};
use giraffe_bridge::ControllerSpec;
use giraffe_bridge::handshake::check_welcome;
use giraffe_bridge::kinematics::{describe, test_vector};
use giraffe_bridge::message::{Hello, Role};
use giraffe_bridge::wire::encode;
use giraffe_robots::RobotModel;
use nalgebra::{Translation3, Unit, UnitQuaternion, Vector3};

fn refused(robot: &RobotModel) -> (String, String) {
    let reject = Rig::plain().hello(&hello_of(robot, &[])).expect_err("this is another hand");
    (reject.code, reject.detail)
}

#[test]
fn a_hand_is_welcome_at_itself() {
    let mut rig = Rig::plain();
    let welcome = rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    assert_eq!(welcome.joints, ["finger_side", "finger_bend", "thumb_bend"]);
    assert_eq!(welcome.hold_ms, 150);
    assert_eq!(welcome.mode, "off");
    assert_eq!(welcome.notes, Vec::<String>::new());
    assert_ne!(rig.sid, 0);
    assert_eq!(check_welcome(&welcome, &small_hand(), &[]), Ok(vec![0, 1, 2]));
}

type Change = fn(&mut RobotModel);

/// One field of a hand changed, and what the refusal must name.
const CHANGES: &[(&str, Change, &[&str])] = &[
    ("renamed joint", |r| r.joints[1].name = "bend".to_owned(), &["joints", "bend"]),
    (
        "two joints swapped",
        |r| {
            let (a, b) = (r.joints[0].name.clone(), r.joints[2].name.clone());
            (r.joints[0].name, r.joints[2].name) = (b, a);
        },
        &["joint `finger_bend`", "parent"],
    ),
    ("flipped sign", |r| r.joints[2].axis = -r.joints[2].axis, &["axis", "thumb_bend"]),
    (
        "axis tilted by half a degree",
        |r| {
            let tilt = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), 0.009);
            r.joints[0].axis = Unit::new_normalize(tilt * r.joints[0].axis.into_inner());
        },
        &["axis", "finger_side"],
    ),
    ("axis moved sideways by 1 mm", |r| r.joints[0].anchor_m.x += 0.001, &["point", "finger_side"]),
    (
        "zero of a joint shifted",
        |r| {
            let turn = r.joints[1].rotation(0.05);
            r.bodies[2].parent_from_body *= turn;
        },
        &["tip `finger`"],
    ),
    (
        "link longer by 2 mm",
        |r| {
            r.bodies[2].parent_from_body = Translation3::new(0.002, 0.0, 0.0) * r.bodies[2].parent_from_body;
        },
        &["point", "finger_bend"],
    ),
    (
        "palm turned",
        |r| {
            for body in &mut r.bodies {
                if body.parent == Some(0) {
                    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.01);
                    body.parent_from_body = turn * body.parent_from_body;
                }
            }
        },
        &["finger_bend"],
    ),
    ("lower end of a range", |r| r.joints[1].position_limits_rad.lower += 0.01, &["lower", "finger_bend"]),
    ("upper end of a range", |r| r.joints[2].position_limits_rad.upper -= 0.01, &["upper", "thumb_bend"]),
    (
        "joint carried by another",
        |r| {
            let palm_from_body = r.forward_kinematics(&[0.0; 3]);
            r.bodies[2].parent = Some(0);
            r.bodies[2].parent_from_body = palm_from_body[2];
        },
        &["parent", "finger_bend"],
    ),
    ("fingertip 1 mm further", |r| r.fingertips[1].point_m.y += 0.001, &["point", "tip `thumb`"]),
    ("fingertip on another body", |r| r.fingertips[1].body = 0, &["tip `thumb`", "joint"]),
    ("renamed fingertip", |r| r.fingertips[0].name = "index".to_owned(), &["fingertips", "index"]),
    (
        "fingertip missing",
        |r| {
            r.fingertips.pop();
        },
        &["fingertips", "thumb"],
    ),
    (
        "joint missing",
        |r| {
            r.joints.pop();
            r.home_rad.pop();
            r.bodies[3].joint = None;
        },
        &["joints", "thumb_bend"],
    ),
];

#[test]
fn every_single_difference_is_refused_and_named() {
    for (what, change, named) in CHANGES {
        let mut other = small_hand();
        change(&mut other);
        let (code, detail) = refused(&other);
        assert_eq!(code, "ROBOT_MISMATCH", "{what}");
        for word in *named {
            assert!(detail.contains(word), "{what}: `{word}` is not named in: {detail}");
        }
    }
}

#[test]
fn the_policy_sees_every_difference_too() {
    for (what, change, _) in CHANGES {
        let mut other = small_hand();
        change(&mut other);
        // A controller that is another hand and checks nothing.
        let mut lax = Rig::new(ControllerSpec::of(&other));
        let welcome = lax.hello(&hello_of(&other, &[])).unwrap();
        assert!(check_welcome(&welcome, &small_hand(), &[]).is_err(), "{what}");
    }
}

#[test]
fn wrong_forward_kinematics_are_found_by_the_test_vector() {
    // A controller's or policy's own code may be wrong although the description is right.
    for (name, index) in [("finger", 0), ("thumb", 2)] {
        let mut hello = hello_of(&small_hand(), &[]);
        hello.test_vector.tips.get_mut(name).unwrap()[index] += 0.0011;
        let reject = Rig::plain().hello(&hello).unwrap_err();
        assert!(reject.detail.contains("test_vector") && reject.detail.contains(name), "{}", reject.detail);
    }
}

#[test]
fn what_is_no_difference_in_motion_is_none_here() {
    let mut same = small_hand();
    // A point on an axis may be any point on it.
    let along = same.joints[1].axis.into_inner() * 0.03;
    same.joints[1].anchor_m += along;
    let mut rig = Rig::plain();
    let welcome = rig.hello(&hello_of(&same, &[])).unwrap();
    assert_eq!(describe(&same).desc_hash, describe(&small_hand()).desc_hash);
    assert_eq!(welcome.notes, Vec::<String>::new());
}

#[test]
fn other_masses_only_warn() {
    let mut heavier = small_hand();
    heavier.dynamics_fingerprint = "heavier".to_owned();
    let welcome = Rig::plain().hello(&hello_of(&heavier, &[])).unwrap();
    assert!(welcome.notes[0].contains("masses"));
}

#[test]
fn the_order_of_joints_is_the_controllers_and_found_by_name() {
    let mut rig = Rig::new(ControllerSpec::of(&shuffled_hand()));
    let mut hello = hello_of(&small_hand(), &[]);
    hello.limits.get_mut("thumb_bend").unwrap().upper = 1.25;
    let welcome = rig.hello(&hello).unwrap();
    assert_eq!(welcome.joints, ["finger_bend", "thumb_bend", "finger_side"]);
    assert!((welcome.limits["thumb_bend"].upper - 1.25).abs() < 1e-6);
    assert!((rig.core.spec().envelope.limits[1].upper - 1.5).abs() < 1e-6, "the controller's own stay as they are");
    assert_eq!(check_welcome(&welcome, &small_hand(), &[]), Ok(vec![2, 0, 1]));
    assert_eq!(describe(&shuffled_hand()).desc_hash, describe(&small_hand()).desc_hash);
}

#[test]
fn an_order_that_is_none_is_refused_by_the_policy() {
    let welcome = Rig::plain().hello(&hello_of(&small_hand(), &[])).unwrap();
    for joints in [vec!["finger_side"; 3], vec!["finger_side", "finger_bend"], vec!["finger_side", "finger_bend", "x"]]
    {
        let joints = joints.into_iter().map(str::to_owned).collect();
        let wrong = giraffe_bridge::message::Welcome { joints, ..welcome.clone() };
        assert!(check_welcome(&wrong, &small_hand(), &[]).is_err());
    }
    let missing = check_welcome(&welcome, &small_hand(), &["lockstep".to_owned()]).unwrap_err();
    assert_eq!(missing.code, "UNSUPPORTED");
}

#[test]
fn limits_that_mean_nothing_are_refused_by_name() {
    type ChangeLimits = fn(&mut giraffe_bridge::message::JointLimits);
    let changes: [(ChangeLimits, &str); 6] = [
        (|l| l.lower = f32::NAN, "MALFORMED"),
        (|l| l.velocity = f32::INFINITY, "MALFORMED"),
        (|l| l.lower = 5.0, "LIMITS"),
        (|l| (l.lower, l.upper) = (2.5, 3.0), "LIMITS"),
        (|l| l.velocity = 0.0, "LIMITS"),
        (|l| l.acceleration = -1.0, "LIMITS"),
    ];
    for (change, code) in changes {
        let mut hello = hello_of(&small_hand(), &[]);
        change(hello.limits.get_mut("finger_bend").unwrap());
        let reject = Rig::plain().hello(&hello).unwrap_err();
        assert_eq!(reject.code, code, "{}", reject.detail);
        assert!(reject.detail.contains("finger_bend"), "{}", reject.detail);
    }
}

#[test]
fn a_rate_the_controller_is_not_set_up_for_is_refused() {
    for (policy_hz, fits) in [(20.0, true), (20.19, true), (20.3, false), (30.0, false), (0.0, false), (-20.0, false)] {
        let hello = Hello { policy_hz, ..hello_of(&small_hand(), &[]) };
        let answer = Rig::plain().hello(&hello);
        assert_eq!(answer.is_ok(), fits, "{policy_hz}");
        if let Err(reject) = answer {
            assert_eq!(reject.code, "RATE");
        }
    }
}

#[test]
fn another_version_is_refused_in_words() {
    let mut rig = Rig::plain();
    let mut bytes = encode(0, 1, 0, &hello_of(&small_hand(), &[]));
    // After the header of the map (one byte, or three for more than 15 keys) comes the key `v`.
    let version = bytes.windows(2).position(|window| window == [0xa1, b'v']).unwrap() + 2;
    bytes[version] = 2;
    let giraffe_bridge::Request::Reply(reply) = rig.core.on_ctl(&rig.sender, &bytes, rig.now) else { panic!() };
    let (_, reject) = giraffe_bridge::wire::decode::<giraffe_bridge::message::Reject>(&reply).unwrap();
    assert_eq!(reject.code, "VERSION");
    assert!(reject.detail.contains('2') && reject.detail.contains('1'));
}

#[test]
fn a_second_commander_waits_for_the_lease_of_the_first() {
    let mut rig = Rig::plain();
    rig.activate();
    let first = rig.sid;
    let reject = rig.hello(&hello_of(&small_hand(), &[])).unwrap_err();
    assert_eq!(reject.code, "LEASE_HELD");
    assert!(reject.detail.contains("test"), "names the holder: {}", reject.detail);
    let q = rig.q.clone();
    assert_eq!(crate::hand::code(&rig.command(&q)), "accepted", "the first is not disturbed");
    rig.idle(2.1);
    rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    assert_ne!(rig.sid, first);
    let second = std::mem::replace(&mut rig.sid, first);
    assert_eq!(crate::hand::code(&rig.command(&q)), "SESSION");
    rig.sid = second;
    assert_eq!(crate::hand::code(&rig.command(&q)), "accepted");
}

#[test]
fn observers_get_no_lease() {
    let mut rig = Rig::plain();
    let observer = Hello { role: Role::Observer, ..hello_of(&small_hand(), &[]) };
    rig.hello(&observer).unwrap();
    assert_eq!(rig.core.sid(), 0);
    rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    let commander = rig.sid;
    rig.hello(&observer).unwrap();
    assert_eq!(rig.core.sid(), commander);
}

#[test]
fn who_looks_on_is_told_the_limits_in_force_and_not_those_of_their_own_hello() {
    let mut rig = Rig::plain();
    let narrow = |lower: f32, role: Role| {
        let mut hello = Hello { role, ..hello_of(&small_hand(), &[]) };
        hello.limits.get_mut("finger_bend").unwrap().lower = lower;
        hello
    };
    let own = rig.core.spec().envelope.limits[1].lower;
    let lower = |welcome: &giraffe_bridge::message::Welcome| welcome.limits["finger_bend"].lower;
    assert_eq!(lower(&rig.hello(&narrow(0.1, Role::Observer)).unwrap()), own, "nobody commands yet");
    assert_eq!(lower(&rig.hello(&narrow(0.05, Role::Commander)).unwrap()), 0.05);
    for asked in [0.1, -5.0] {
        assert_eq!(lower(&rig.hello(&narrow(asked, Role::Observer)).unwrap()), 0.05);
    }
}

#[test]
fn a_session_number_never_comes_back() {
    let mut seen = std::collections::BTreeSet::new();
    for session_seed in 0..50 {
        let mut rig = Rig::new(ControllerSpec { session_seed, ..ControllerSpec::of(&small_hand()) });
        for _ in 0..20 {
            rig.hello(&hello_of(&small_hand(), &[])).unwrap();
            assert!(seen.insert(rig.sid));
            rig.wait(3.0);
        }
    }
}

#[test]
fn features_are_granted_only_by_simulated_hands() {
    let wants = ["rehearsal", "lockstep", "object_pose", "telepathy"];
    let real = Rig::plain().hello(&hello_of(&small_hand(), &wants)).unwrap();
    assert_eq!(real.grants, Vec::<String>::new());
    let simulated = Rig::simulated().hello(&hello_of(&small_hand(), &wants)).unwrap();
    assert_eq!(simulated.grants, ["rehearsal", "lockstep"]);
}

#[test]
fn limits_in_force_never_make_a_held_hand_jump() {
    let mut rig = Rig::plain();
    rig.activate();
    rig.idle(2.2);
    assert!(rig.core.mode().has_torque());
    let mut narrow = hello_of(&small_hand(), &[]);
    narrow.limits.get_mut("finger_bend").unwrap().lower = 0.6;
    let reject = rig.hello(&narrow).unwrap_err();
    assert_eq!(reject.code, "LIMITS");
    assert!(reject.detail.contains("finger_bend") && reject.detail.contains("held"), "{}", reject.detail);
}

#[test]
fn the_test_pose_tells_joints_apart() {
    let robot = small_hand();
    let vector = test_vector(&robot);
    for joint in &robot.joints {
        assert!(joint.position_limits_rad.contains(vector.q[&joint.name]));
        assert!(vector.q[&joint.name].abs() > 0.02, "a joint at zero proves nothing");
    }
    // A wrong sign of any joint moves a fingertip by far more than the tolerance.
    for joint in 0..3 {
        let mut q: Vec<f32> = robot.joints.iter().map(|joint| vector.q[&joint.name]).collect();
        q[joint] = -q[joint];
        let moved = robot
            .fingertip_positions(&q)
            .iter()
            .zip(vector.tips.values())
            .any(|(tip, at)| (tip.coords - Vector3::from(*at)).norm() > 2e-3);
        assert!(moved, "joint {joint}");
    }
}

#[test]
fn the_hash_is_that_of_the_text_in_the_protocol() {
    // Computed with Python's hashlib from the text that PROTOCOL.md section 4 prescribes.
    assert_eq!(describe(&small_hand()).desc_hash, "86e146cc4b4b717880f8b4b4e57a79c5c50d8b4059b6f96d0e73f56191a4c754");
}
