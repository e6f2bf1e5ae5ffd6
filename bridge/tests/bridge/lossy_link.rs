//! A simulator that plays a bad link: what it loses looks to both ends like what a real link loses.

use crate::controller::{LAYOUT, clock, endpoint, never};
use crate::hand::{Rig, small_hand};
use giraffe_bridge::drivers::{ScriptedDriver, ScriptedEpisode};
use giraffe_bridge::message::Command;
use giraffe_bridge::wire::encode;
use giraffe_bridge::{
    BridgeClient, BridgeServer, ClientConfig, CommandVerdict, ControllerSpec, DriverError, ExitAction, HandDriver,
    Mode, Rehearsal, SafeTargets, TrackedObject,
};
use giraffe_robots::{Hand, Signal, SignalFrame};
use std::cell::Cell;
use std::sync::atomic::Ordering;

impl Rig {
    /// Sends a command that the link loses, if the core would accept it.
    fn send_into_silence(&mut self, command: &Command) -> CommandVerdict {
        self.cmd_seq += 1;
        let bytes = encode(self.sid, self.cmd_seq, self.now.0, command);
        self.core.on_cmd_over(|| true, &self.sender, &bytes, self.now)
    }
}

#[test]
fn a_command_that_a_simulated_link_loses_changes_nothing_and_is_missed_when_the_next_one_comes() {
    let mut rig = Rig::plain();
    rig.activate();
    let home = rig.q.clone();
    let wanted: Vec<f32> = home.iter().map(|at| at + 0.05).collect();
    let (_, before) = rig.state();
    let command = rig.fresh(&wanted);
    assert_eq!(rig.send_into_silence(&command), CommandVerdict::Lost);
    rig.tick();
    let (_, after) = rig.state();
    assert_eq!((&after.q_target, after.cmd_seq, after.rx_gap), (&before.q_target, before.cmd_seq, before.rx_gap));
    assert_eq!(
        (after.rx_applied, after.rx_rejected, &after.mode[..]),
        (before.rx_applied, before.rx_rejected, "active")
    );
    assert_eq!(rig.command(&wanted), CommandVerdict::Accepted);
    rig.tick();
    let (_, after) = rig.state();
    assert_eq!((after.cmd_seq, after.rx_gap), (rig.cmd_seq, Some(before.rx_gap.unwrap() + 1)));
    assert_ne!(after.q_target, before.q_target);
}

#[test]
fn silence_that_is_simulated_leads_to_hold_as_any_other() {
    let mut rig = Rig::plain();
    rig.activate();
    let home = rig.q.clone();
    for _ in 0..3 {
        let command = rig.fresh(&home);
        assert_eq!(rig.send_into_silence(&command), CommandVerdict::Lost);
        rig.idle(0.05);
    }
    rig.idle(0.02);
    assert_eq!(rig.core.mode(), Mode::Hold, "no command came for longer than hold_after");
    assert_eq!(rig.command(&home), CommandVerdict::Accepted);
    assert_eq!(rig.core.mode(), Mode::Active, "and a fresh one ends a short hold");
}

#[test]
fn a_link_is_asked_only_for_what_would_be_accepted() {
    let mut rig = Rig::plain();
    rig.activate();
    let asked = Cell::new(0);
    let home = rig.q.clone();
    let (good, mut bad) = (rig.fresh(&home), rig.fresh(&home));
    bad.q[0] = f32::NAN;
    for (command, sid, expected) in [(&bad, rig.sid, 0), (&good, rig.sid + 1, 0), (&good, rig.sid, 1)] {
        rig.cmd_seq += 1;
        let bytes = encode(sid, rig.cmd_seq, rig.now.0, command);
        let loses = || {
            asked.set(asked.get() + 1);
            true
        };
        let verdict = rig.core.on_cmd_over(loses, &rig.sender, &bytes, rig.now);
        assert_eq!((asked.get(), verdict == CommandVerdict::Lost), (expected, expected == 1), "{verdict:?}");
    }
}

/// Which control periods of an episode lose their command: alone, and several in a row.
fn is_lost(period: u32) -> bool {
    period.is_multiple_of(5) || (20..27).contains(&period)
}

/// A scripted hand at the end of a link that loses these.
struct AtABadLink {
    hand: ScriptedDriver,
    period: u32,
}

impl HandDriver for AtABadLink {
    fn loop_period_secs(&self) -> f32 {
        0.05
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
        self.hand.object()
    }

    fn has_object(&self) -> bool {
        true
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        Some(self)
    }
}

impl Rehearsal for AtABadLink {
    fn reset(&mut self, episode: &[u8]) -> Result<Vec<f32>, DriverError> {
        self.period = 0;
        self.hand.reset(episode)
    }

    fn loses_command(&mut self) -> bool {
        is_lost(self.period)
    }

    fn advance(&mut self, secs: f32) -> Result<(), DriverError> {
        self.period += 1;
        self.hand.advance(secs)
    }
}

#[test]
fn in_lock_step_a_lost_command_takes_its_control_period_and_the_policy_is_told_the_old_target() {
    let (robot, endpoint, stop) = (small_hand(), endpoint(), never());
    let driver = AtABadLink { hand: ScriptedDriver::new(&robot), period: 0 };
    let spec = ControllerSpec::of(&robot);
    let mut server = BridgeServer::bind(&endpoint, spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
    let flag = stop.clone();
    let thread = std::thread::spawn(move || server.run(&flag));
    let config = ClientConfig { lockstep: true, rehearsal: true, ..ClientConfig::new(endpoint, &robot) };
    let mut client = BridgeClient::connect(config, clock(), never()).unwrap();
    for _ in 0..2 {
        let episode = ScriptedEpisode { start_rad: vec![0.0, 0.4, 0.2], object_yaw_rad: 0.0 };
        client.reset_episode(&rmp_serde::to_vec_named(&episode).unwrap()).unwrap();
        client.arm().unwrap();
        let mut frame = SignalFrame::new(LAYOUT);
        client.observe(&mut frame).unwrap();
        let (lost_before, mut lost) = (client.report().commands_lost, 0);
        let mut seq = 0;
        for period in 0..40 {
            let told = frame.read(Signal::JointTarget).unwrap().to_vec();
            let asked: Vec<f32> = told.iter().map(|target| target + 0.01).collect();
            let done = client.exchange(&asked, &mut frame).unwrap();
            let expected = if is_lost(period) { &told } else { &asked };
            assert_eq!(&done.applied_rad, expected, "period {period}");
            assert_eq!(frame.read(Signal::JointTarget).unwrap(), expected, "period {period}");
            assert_eq!(done.applied_seq == seq, is_lost(period), "period {period}: {}", done.applied_seq);
            seq = done.applied_seq;
            lost += u64::from(is_lost(period));
        }
        // All that was lost was followed by one that came.
        assert!(lost > 10 && !is_lost(39), "{lost}");
        assert_eq!(client.report().commands_lost - lost_before, lost);
    }
    client.bye();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap().unwrap();
}
