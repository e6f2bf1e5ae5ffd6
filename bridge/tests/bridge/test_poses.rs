//! One pose per joint: no joint of a hand can be swapped, turned round or shifted without being named.

use crate::hand::{Rig, hello_of, small_hand};
use giraffe_bridge::handshake::{check_hello, check_welcome};
use giraffe_bridge::kinematics::{compare, describe, test_poses};
use giraffe_bridge::message::Welcome;
use giraffe_bridge::{ControllerSpec, EnvelopeSpec};
use giraffe_robots::{RobotModel, load_robot};

const SHIFT_RAD: f32 = 0.02;

fn swapped(robot: &RobotModel, a: usize, b: usize) -> RobotModel {
    let mut other = robot.clone();
    let (name_a, name_b) = (robot.joints[a].name.clone(), robot.joints[b].name.clone());
    (other.joints[a].name, other.joints[b].name) = (name_b, name_a);
    other
}

fn flipped(robot: &RobotModel, joint: usize) -> RobotModel {
    let mut other = robot.clone();
    other.joints[joint].axis = -other.joints[joint].axis;
    other
}

/// A hand whose zero of one joint lies elsewhere; its range is given in the new angles if `range_too`.
fn shifted(robot: &RobotModel, joint: usize, shift_rad: f32, range_too: bool) -> RobotModel {
    let mut other = robot.clone();
    let turn = robot.joints[joint].rotation(shift_rad);
    let body = robot.joints[joint].body;
    other.bodies[body].parent_from_body *= turn;
    if range_too {
        other.joints[joint].position_limits_rad.lower -= shift_rad;
        other.joints[joint].position_limits_rad.upper -= shift_rad;
    }
    other
}

/// What either side says of the other's hand.
fn complaints(own: &RobotModel, other: &RobotModel) -> [String; 2] {
    let spec = EnvelopeSpec::of(own);
    let hello = hello_of(other, &[]);
    let refused = check_hello(&hello, own, &describe(own), &spec).map(|_| ()).unwrap_err();
    // A controller that checks nothing and answers with its own hand.
    let terms = check_hello(&hello_of(other, &[]), other, &describe(other), &EnvelopeSpec::of(other)).unwrap();
    let mut welcome = some_welcome();
    let poses = hello_of(own, &[]).test_poses.unwrap();
    let answered = poses.into_iter().map(|(name, pose)| {
        let tips = giraffe_bridge::kinematics::tips_of_pose(other, &pose.q).unwrap();
        (name, giraffe_bridge::message::TestVector { q: pose.q, tips })
    });
    welcome.test_poses = Some(answered.collect());
    (welcome.robot, welcome.test_vector) = (describe(other), terms.test_vector);
    let left = check_welcome(&welcome, own, &[]).unwrap_err();
    assert_eq!((refused.code.as_str(), left.code.as_str()), ("ROBOT_MISMATCH", "ROBOT_MISMATCH"));
    [refused.detail, left.detail]
}

fn some_welcome() -> Welcome {
    Rig::plain().hello(&hello_of(&small_hand(), &[])).unwrap()
}

#[test]
fn any_two_joints_of_the_leap_hand_swapped_are_refused_and_one_is_named() {
    let robot = load_robot("leap-right").unwrap();
    for a in 0..robot.joint_count() {
        for b in a + 1..robot.joint_count() {
            let names = [&robot.joints[a].name, &robot.joints[b].name];
            for detail in complaints(&robot, &swapped(&robot, a, b)) {
                assert!(names.iter().any(|name| detail.contains(*name)), "{names:?}: {detail}");
            }
        }
    }
}

#[test]
fn any_sign_of_the_leap_hand_turned_round_is_refused_and_named() {
    let robot = load_robot("leap-right").unwrap();
    for joint in 0..robot.joint_count() {
        for detail in complaints(&robot, &flipped(&robot, joint)) {
            assert!(detail.contains(&format!("`{}`", robot.joints[joint].name)), "{detail}");
        }
    }
}

#[test]
fn any_zero_shifted_by_a_hundredth_of_a_turn_is_refused_and_named() {
    for name in ["leap-right", "leap-left", "allegro-right"] {
        let robot = load_robot(name).unwrap();
        for joint in 0..robot.joint_count() {
            for (shift_rad, range_too) in
                [(SHIFT_RAD, false), (-SHIFT_RAD, false), (SHIFT_RAD, true), (-SHIFT_RAD, true)]
            {
                for detail in complaints(&robot, &shifted(&robot, joint, shift_rad, range_too)) {
                    let name = format!("zero of joint `{}`", robot.joints[joint].name);
                    assert!(detail.contains(&name), "{shift_rad} at {name}: {detail}");
                }
            }
        }
    }
}

#[test]
fn what_the_descriptions_alone_would_let_through() {
    // Of the LEAP hand's last joints a small shift moves no other joint, and tips by less than the tolerance.
    let robot = load_robot("leap-right").unwrap();
    let hidden = (0..robot.joint_count()).filter(|&joint| {
        let other = shifted(&robot, joint, 0.005, false);
        compare(&describe(&robot), &describe(&other)).is_ok()
    });
    let hidden: Vec<&str> = hidden.map(|joint| robot.joints[joint].name.as_str()).collect();
    assert!(!hidden.is_empty(), "then there would be no need of poses");
    for name in hidden {
        let joint = robot.joints.iter().position(|joint| joint.name == name).unwrap();
        let [refused, _] = complaints(&robot, &shifted(&robot, joint, 0.005, false));
        assert!(refused.contains(&format!("`{name}`")), "{refused}");
    }
}

#[test]
fn every_joint_has_a_pose_that_shows_it() {
    for name in ["leap-right", "leap-left", "allegro-right", "shadow-right"] {
        let robot = load_robot(name).unwrap();
        let poses = test_poses(&robot);
        assert_eq!(poses.len(), robot.joint_count());
        for joint in &robot.joints {
            let pose = &poses[&joint.name];
            assert!(pose.q[&joint.name].abs() > 0.1 && pose.q.len() <= 2, "{:?}", pose.q);
            let mut turned = pose.q.clone();
            *turned.get_mut(&joint.name).unwrap() += SHIFT_RAD;
            let tips = giraffe_bridge::kinematics::tips_of_pose(&robot, &turned).unwrap();
            let moved = tips.iter().map(|(tip, at)| {
                nalgebra::Vector3::from(*at).metric_distance(&nalgebra::Vector3::from(pose.tips[tip]))
            });
            let most = moved.fold(0.0, f32::max);
            assert!(most > 0.2e-3, "{name}: `{}` moves a tip by {most} m", joint.name);
        }
    }
}

#[test]
fn the_code_of_the_other_side_may_be_wrong_although_its_description_is_right() {
    let mut hello = hello_of(&small_hand(), &[]);
    let poses = hello.test_poses.as_mut().unwrap();
    poses.get_mut("finger_bend").unwrap().tips.get_mut("finger").unwrap()[2] += 0.000_15;
    let reject = Rig::plain().hello(&hello).unwrap_err();
    assert!(reject.detail.contains("finger_bend") && reject.detail.contains("0.15 mm"), "{}", reject.detail);
    let mut hello = hello_of(&small_hand(), &[]);
    let poses = hello.test_poses.as_mut().unwrap();
    poses.get_mut("finger_bend").unwrap().tips.get_mut("finger").unwrap()[2] += 0.000_05;
    assert!(Rig::plain().hello(&hello).is_ok(), "a twentieth of a millimetre is noise");
}

#[test]
fn poses_that_are_none_are_refused_in_words() {
    type Change = fn(&mut giraffe_bridge::message::Hello);
    let changes: [(Change, &str); 4] = [
        (|hello| drop(hello.test_poses.as_mut().unwrap().remove("thumb_bend")), "thumb_bend"),
        (
            |hello| {
                let pose = hello.test_poses.as_mut().unwrap().get_mut("thumb_bend").unwrap();
                pose.q.insert("toe".to_owned(), 0.1);
            },
            "thumb_bend",
        ),
        (
            |hello| {
                let pose = hello.test_poses.as_mut().unwrap().get_mut("thumb_bend").unwrap();
                pose.tips.remove("finger");
            },
            "finger",
        ),
        (
            |hello| {
                let pose = hello.test_poses.as_mut().unwrap().get_mut("thumb_bend").unwrap();
                pose.q.insert("thumb_bend".to_owned(), f32::NAN);
            },
            "thumb_bend",
        ),
    ];
    for (change, named) in changes {
        let mut hello = hello_of(&small_hand(), &[]);
        change(&mut hello);
        let reject = Rig::plain().hello(&hello).unwrap_err();
        assert!(reject.detail.contains(named), "{}", reject.detail);
    }
}

#[test]
fn a_side_that_knows_of_no_poses_is_compared_as_before() {
    let mut hello = hello_of(&small_hand(), &[]);
    hello.test_poses = None;
    let mut rig = Rig::new(ControllerSpec::of(&small_hand()));
    let welcome = rig.hello(&hello).unwrap();
    assert_eq!(welcome.test_poses, None);
    assert_eq!(check_welcome(&welcome, &small_hand(), &[]), Ok(vec![0, 1, 2]));
}

#[test]
fn a_hello_of_the_largest_hand_fits_many_times_into_a_message() {
    for name in ["leap-right", "shadow-right"] {
        let robot = load_robot(name).unwrap();
        let bytes = giraffe_bridge::wire::encode(0, 1, 0, &hello_of(&robot, &[]));
        assert!(bytes.len() < 20_000, "{name}: {} bytes", bytes.len());
    }
}
