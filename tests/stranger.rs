//! Somebody else's controller at the other end: what it lacks is said in words, and nothing is taken for granted.

use crate::support::{Controller, TinyPolicy, giraffe, run_in};
use giraffe::fly::controller::free_ports;
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeServer, ControllerSpec, DriverError, ExitAction, HandDriver, MonotonicClock, Rehearsal, SafeTargets,
    TrackedObject,
};
use giraffe_robots::{Signal, SignalFrame, load_robot};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A simulated hand of which one joint, or every joint, is never read anew.
struct Frozen {
    hand: ScriptedDriver,
    joints: std::ops::Range<usize>,
}

impl HandDriver for Frozen {
    fn loop_period_secs(&self) -> f32 {
        self.hand.loop_period_secs()
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.sense(frame)?;
        let mut q = frame.read(Signal::JointPosition).expect("just sensed").to_vec();
        q[self.joints.clone()].fill(0.25);
        frame.write(Signal::JointPosition, &q);
        Ok(())
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.hand.release()
    }

    fn object(&mut self) -> Option<TrackedObject> {
        self.hand.object()
    }

    fn has_object(&self) -> bool {
        true
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        self.hand.rehearsal()
    }
}

#[test]
fn joints_that_are_never_read_anew_are_named_in_words_and_in_json() {
    let (tiny, robot) = (TinyPolicy::shared(), load_robot("leap-right").unwrap());
    for joints in [0..0, 3..4, 0..robot.joint_count()] {
        let stop = Arc::<AtomicBool>::default();
        let (endpoint, mut server) = (0..5)
            .find_map(|_| {
                let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4).unwrap());
                let driver = Box::new(Frozen { hand: ScriptedDriver::new(&robot), joints: joints.clone() });
                let (spec, clock) = (ControllerSpec::of(&robot), Arc::new(MonotonicClock::start()));
                let server = BridgeServer::bind(&endpoint, spec, ExitAction::Release, driver, clock);
                Some((endpoint, server.ok()?))
            })
            .expect("four ports are free somewhere");
        let flag = stop.clone();
        let thread = std::thread::spawn(move || server.run(&flag));
        let deployed = run_in(tiny.home(), &["deploy", "run", "--episodes", "2", "--json", "--connect", &endpoint]);
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
        let json = deployed.json();
        let frozen = json["frozen_joints"].as_object();
        let names: Vec<&str> = frozen.iter().flat_map(|map| map.keys()).map(String::as_str).collect();
        let moved: Vec<&str> = robot.joints[joints.clone()].iter().map(|joint| joint.name.as_str()).collect();
        assert!(names.iter().all(|name| moved.contains(name)), "{names:?} of {moved:?}");
        // A policy that learned next to nothing moves nearly every target by a tenth of a radian in an episode.
        assert_eq!(names.is_empty(), moved.is_empty(), "{json:#}");
        let words = "at one and the same angle";
        assert_eq!(deployed.stderr.contains(words), !moved.is_empty(), "{}", deployed.stderr);
        assert!(names.iter().all(|name| deployed.stderr.contains(name)), "{}", deployed.stderr);
        assert!(moved.is_empty() || deployed.stderr.contains("episode 1 (seed 2)"), "{}", deployed.stderr);
    }
}

#[test]
fn a_policy_is_not_deployed_on_another_object_than_it_is_told_to_be_for() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let deploy = ["deploy", "run", "--episodes", "1", "--connect", &controller.endpoint];
    let refused = run_in(tiny.home(), &[&deploy[..], &["--object", "sphere"]].concat());
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for word in ["OBJECT_MISMATCH", "sphere", "cube-70mm", "--object"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    let patient = run_in(tiny.home(), &[&deploy[..], &["--object", "cube-70mm", "--patience", "30"]].concat());
    assert_eq!(patient.code, Some(0), "{patient:?}");
    let wrong = run_in(tiny.home(), &[&deploy[..], &["--patience", "-1"]].concat());
    assert!(wrong.code == Some(2) && wrong.stderr.contains("86400"), "{wrong:?}");
}

#[test]
fn a_hand_of_arithmetic_holds_what_it_is_told_to_hold() {
    let tiny = TinyPolicy::shared();
    let serve = ["serve", "--driver", "scripted", "--object", "sphere", "--bind"];
    let controller = Controller::start(|endpoint| giraffe(serve.iter().copied().chain([endpoint])));
    let deploy = ["deploy", "run", "--episodes", "1", "--connect", &controller.endpoint];
    let refused = run_in(tiny.home(), &deploy);
    assert!(refused.code == Some(2) && refused.stderr.contains("OBJECT_MISMATCH"), "{refused:?}");
    let deployed = run_in(tiny.home(), &[&deploy[..], &["--object", "sphere"]].concat());
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
}

#[test]
fn a_check_that_is_interrupted_ends_with_130() {
    let controller = Controller::start(|endpoint| giraffe(["serve", "--driver", "scripted", "--bind", endpoint]));
    let mut check = giraffe(["check-controller", &controller.endpoint, "--active", "--patience", "60"]);
    let checking = crate::support::Process::start(&mut check, std::path::Path::new("."));
    while !checking.has_said("may move") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    checking.signal("INT");
    let ended = checking.finish();
    assert!(ended.code == Some(130) && ended.secs < 30.0, "{ended:?}");
}
