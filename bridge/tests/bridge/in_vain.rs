//! Waiting in vain: what came meanwhile, and why it did not count, is said; what is held is asked before anything moves.

use crate::conformance::{alter, on};
use crate::controller::{Controller, LAYOUT, clock, never};
use crate::hand::{Rig, hello_of, small_hand};
use crate::saboteur::{Change, Saboteur, Way, edit, kind};
use giraffe_bridge::message::{Hello, JointLimits, Pose, Role, State, Welcome};
use giraffe_bridge::wire::decode;
use giraffe_bridge::{BridgeClient, ClientConfig};
use giraffe_robots::{Hand, HandError, SignalFrame};

/// Lets the first state of an episode pass, and changes all that come after it.
fn later_states(change: fn(&mut State)) -> Change {
    on(Way::State, move |bytes| {
        vec![edit::<State>(bytes, |_, state| {
            if state.episode > 0 && state.tick > 0 {
                change(state);
            }
        })]
    })
}

/// The same with poses, none of which may be left.
fn later_poses(change: fn(&mut Pose) -> bool) -> Change {
    on(Way::Pose, move |bytes| {
        let Ok((_, mut pose)) = decode::<Pose>(bytes) else { return vec![] };
        let stays = pose.episode == 0 || pose.tick == 0 || change(&mut pose);
        if stays { vec![edit::<Pose>(bytes, |_, was| *was = pose)] } else { vec![] }
    })
}

fn lockstep(endpoint: &str) -> ClientConfig {
    let object = Some("cube-70mm".to_owned());
    ClientConfig { lockstep: true, object, ..ClientConfig::new(endpoint, &small_hand()) }
}

/// What is said of a control period in lock-step behind a controller with this fault.
fn said_after(how: Change) -> String {
    let controller = Controller::start(&small_hand(), true);
    let relay = Saboteur::before(&controller.endpoint, how);
    let mut client = BridgeClient::connect(lockstep(&relay.endpoint), clock(), never()).unwrap();
    client.reset_episode(&[]).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let error = client.exchange(&small_hand().home_rad, &mut frame).unwrap_err();
    assert!(matches!(error, HandError::Silent { .. }), "{error}");
    error.to_string()
}

#[test]
fn who_waits_in_vain_for_a_control_period_is_told_what_came_and_why_it_did_not_count() {
    type Case = (fn() -> Change, &'static [&'static str]);
    let cases: &[Case] = &[
        (
            || later_states(|state| state.q[1] = f32::NAN),
            &["no state of tick 1", "1 state came", "q[1] is not a finite number"],
        ),
        (
            || later_states(|state| state.tick += 5),
            &["no state of tick 1", "could be used is of tick 6", "1 state came"],
        ),
        (|| later_states(|state| state.q.truncate(2)), &["`q` of a state has 2 elements for 3 joints"]),
        (
            || {
                on(Way::State, |bytes| {
                    vec![edit::<State>(bytes, |head, state| {
                        head.seq = if state.episode > 0 && state.tick > 0 { 1 } else { head.seq }
                    })]
                })
            },
            &["its `seq` is not greater"],
        ),
        (|| later_poses(|_| false), &["the state of tick 1 came and its pose did not", "object_pose", "0 poses came"]),
        (
            || {
                later_poses(|pose| {
                    pose.object = "teapot".to_owned();
                    true
                })
            },
            &["its pose did not", "1 pose came", "poses are of `teapot`, expected `cube-70mm`"],
        ),
        (
            || {
                later_poses(|pose| {
                    pose.p[2] = f32::NAN;
                    true
                })
            },
            &["its pose did not", "p[2] is not a finite number"],
        ),
    ];
    std::thread::scope(|scope| {
        let all: Vec<_> = cases.iter().map(|(how, words)| (scope.spawn(move || said_after(how())), words)).collect();
        for (said, words) in all {
            let said = said.join().unwrap();
            for word in *words {
                assert!(said.contains(word), "`{word}` is missing: {said}");
            }
            assert!(said.contains("--patience"), "{said}");
        }
    });
}

#[test]
fn a_first_state_that_cannot_be_read_is_no_silence() {
    let controller = Controller::start(&small_hand(), true);
    let relay = Saboteur::before(&controller.endpoint, alter::<State>(Way::State, |state| state.dq[0] = f32::INFINITY));
    let config = ClientConfig { connect_timeout_secs: 1.0, ..lockstep(&relay.endpoint) };
    let said = BridgeClient::connect(config, clock(), never()).err().expect("no state can be used").to_string();
    assert!(said.contains("dq[0] is not a finite number") && said.contains("did not count"), "{said}");
}

#[test]
fn a_link_whose_states_cannot_be_used_any_more_is_lost_in_real_time_and_that_is_said() {
    let controller = Controller::start(&small_hand(), true);
    let how = on(Way::State, |bytes| {
        vec![edit::<State>(bytes, |_, state| {
            if state.cmd_seq > 3 {
                state.q_target[2] = f32::NAN;
            }
        })]
    });
    let relay = Saboteur::before(&controller.endpoint, how);
    let config = ClientConfig { lockstep: false, rehearsal: true, ..lockstep(&relay.endpoint) };
    let mut client = BridgeClient::connect(config, clock(), never()).unwrap();
    client.reset_episode(&[]).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let said = (0..100).find_map(|_| client.exchange(&small_hand().home_rad, &mut frame).err()).expect("it is noticed");
    let said = said.to_string();
    for word in ["the link is lost", "did not count", "q_target[2] is not a finite number"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_slow_simulator_is_waited_for_as_long_as_was_asked_for_and_no_longer() {
    let controller = Controller::start(&small_hand(), true);
    let slow = || {
        on(Way::Request, |bytes| {
            if kind(bytes) == "arm" {
                std::thread::sleep(std::time::Duration::from_millis(1500));
            }
            vec![bytes.to_vec()]
        })
    };
    for (patience_secs, waits) in [(0.0, false), (30.0, true)] {
        let relay = Saboteur::before(&controller.endpoint, slow());
        // The session before has its lease for a moment.
        let config = ClientConfig { patience_secs, ..lockstep(&relay.endpoint) };
        let connect = || BridgeClient::connect(config.clone(), clock(), never());
        let mut client = (0..50).find_map(|_| connect().ok()).expect("let in");
        client.reset_episode(&[]).unwrap();
        match client.arm() {
            Ok(()) => assert!(waits),
            Err(error) => assert!(!waits && error.to_string().contains("--patience"), "{error}"),
        }
    }
}

#[test]
fn a_policy_for_another_object_than_the_one_held_is_refused_in_words_by_whoever_looks() {
    let controller = Controller::start(&small_hand(), true);
    let said = |endpoint: &str, object: Option<&str>| -> Option<String> {
        let config =
            ClientConfig { object: object.map(str::to_owned), connect_timeout_secs: 1.0, ..lockstep(endpoint) };
        BridgeClient::connect(config, clock(), never()).err().map(|error| error.to_string())
    };
    assert_eq!(said(&controller.endpoint, Some("cube-70mm")), None);
    assert_eq!(said(&controller.endpoint, None), None, "a policy for nothing in particular");
    let refused = said(&controller.endpoint, Some("teapot")).expect("the controller holds a cube");
    for word in ["OBJECT_MISMATCH", "teapot", "cube-70mm", "--object", "saying hello"] {
        assert!(refused.contains(word), "{refused}");
    }
    // A controller that does not look is looked at.
    let blind = Saboteur::before(&controller.endpoint, alter::<Hello>(Way::Request, |hello| hello.object = None));
    let refused = said(&blind.endpoint, Some("teapot")).expect("it says itself what it holds");
    assert!(refused.contains("OBJECT_MISMATCH") && refused.contains("checking the controller's welcome"), "{refused}");
    // One that does not even say is judged by its poses.
    let mute = Saboteur::before(&controller.endpoint, {
        Box::new(|way, bytes| {
            vec![match way {
                Way::Request => edit::<Hello>(bytes, |_, hello| hello.object = None),
                Way::Reply => edit::<Welcome>(bytes, |_, welcome| welcome.object = None),
                _ => bytes.to_vec(),
            }]
        })
    });
    let refused = said(&mute.endpoint, Some("teapot")).expect("its poses are of a cube");
    assert!(refused.contains("poses are of `cube-70mm`, expected `teapot`"), "{refused}");
}

#[test]
fn an_observer_is_told_the_limits_in_force_and_granted_what_concerns_who_reads() {
    let mut rig = Rig::simulated();
    let mut narrow = hello_of(&small_hand(), &["rehearsal", "lockstep"]);
    narrow.limits.values_mut().for_each(|limits| limits.velocity = 0.5);
    let commander = rig.hello(&narrow).unwrap();
    let wants = ["rehearsal", "lockstep", "homing", "trials"];
    let observer = rig.hello(&Hello { role: Role::Observer, ..hello_of(&small_hand(), &wants) }).unwrap();
    assert_eq!(observer.limits, commander.limits);
    let velocities = |limits: &JointLimits| limits.velocity == 0.5;
    assert!(observer.limits.values().all(velocities), "{:?}", observer.limits);
    assert_eq!(observer.grants, ["lockstep"]);
}
