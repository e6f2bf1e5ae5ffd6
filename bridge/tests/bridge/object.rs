//! What a client says of the object: seen, lost for how long, or never watched.

use crate::controller::{Controller, LAYOUT, Way, clock, endpoint, never};
use crate::hand::{PERIOD_SECS, small_hand};
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeClient, BridgeServer, ClientConfig, ControllerSpec, DriverError, ExitAction, HandDriver, ObjectWatch,
    Rehearsal, SafeTargets, TrackedObject,
};
use giraffe_robots::{Hand, SignalFrame};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A simulated hand whose object can be covered, for a simulator's truth or for a tracker.
struct Coverable {
    hand: ScriptedDriver,
    covered: Arc<AtomicBool>,
    truth: bool,
}

impl HandDriver for Coverable {
    fn loop_period_secs(&self) -> f32 {
        self.hand.loop_period_secs()
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.hand.release()
    }

    fn object(&mut self) -> Option<TrackedObject> {
        let (valid, truth) = (!self.covered.load(Ordering::Relaxed), self.truth);
        self.hand.object().map(|object| TrackedObject { valid, truth, ..object })
    }

    fn has_object(&self) -> bool {
        true
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        self.hand.rehearsal()
    }
}

#[test]
fn in_lock_step_an_object_is_lost_for_so_many_control_periods_whatever_the_clock_says() {
    for truth in [true, false] {
        let robot = small_hand();
        let (at, stop, covered) = (endpoint(), never(), never());
        let driver = Coverable { hand: ScriptedDriver::new(&robot), covered: covered.clone(), truth };
        let spec = ControllerSpec::of(&robot);
        let mut server = BridgeServer::bind(&at, spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
        let flag = stop.clone();
        let thread = std::thread::spawn(move || server.run(&flag));
        let config = ClientConfig { lockstep: true, ..ClientConfig::new(at, &robot) };
        let mut client = BridgeClient::connect(config, clock(), never()).unwrap();
        let mut frame = SignalFrame::new(LAYOUT);
        let mut steps = |client: &mut BridgeClient, count: u32| {
            (0..count).for_each(|_| drop(client.exchange(&robot.home_rad, &mut frame).unwrap()));
            client.object_watch()
        };
        for _ in 0..2 {
            covered.store(false, Ordering::Relaxed);
            client.reset_episode(&[]).unwrap();
            client.arm().unwrap();
            assert!(client.object_watch().pose.is_some());
            let watch = steps(&mut client, 3);
            assert!(watch.pose.is_some() && watch.unseen_secs == Some(0.0), "{watch:?}");
            covered.store(true, Ordering::Relaxed);
            let ObjectWatch { pose, unseen_secs } = steps(&mut client, 30);
            assert!(pose.is_none() && (unseen_secs.unwrap() - 30.0 * PERIOD_SECS).abs() < 1e-6, "{unseen_secs:?}");
            covered.store(false, Ordering::Relaxed);
            let watch = steps(&mut client, 1);
            assert!(watch.pose.is_some() && watch.unseen_secs == Some(0.0), "back again: {watch:?}");
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn where_there_is_no_tracker_nobody_watches() {
    let controller = Controller::start(&small_hand(), false);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    for _ in 0..5 {
        client.exchange(&small_hand().home_rad, &mut frame).unwrap();
    }
    assert_eq!(client.object_watch(), ObjectWatch::default());
}
