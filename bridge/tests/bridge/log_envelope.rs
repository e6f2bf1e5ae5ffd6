//! The envelope run once more on a log gives what was applied; and finds what was not applied so.

use crate::hand::small_hand;
use crate::log::state;
use giraffe_bridge::log::{Entry, EnvelopeCheck, Event, EventKind, Logged, check_envelope};
use giraffe_bridge::message::{Command, State, WithHead};
use giraffe_bridge::wire::{Body, Head, VERSION};
use giraffe_bridge::{EnvelopeSpec, SafetyEnvelope};

fn message<B: Body>(seq: u64, body: B) -> WithHead<B> {
    WithHead { head: Head { v: VERSION, t: B::TYPE.to_owned(), sid: 9, seq, ts: 0 }, body }
}

fn entry(logged: Logged) -> Entry {
    Entry { log_time_ns: 0, logged }
}

fn spec() -> EnvelopeSpec {
    EnvelopeSpec::of(&small_hand())
}

/// How a controller tells what it did.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    LockStep,
    Free,
    FreeWithoutTimes,
}

/// A log of `count` wild commands. The hand follows them by halves; free-running, commands come early and late.
fn log(count: u64, way: Way) -> Vec<Entry> {
    let spec = spec();
    let mut q = vec![0.0, 0.4, 0.2];
    let mut envelope = SafetyEnvelope::new(spec.clone(), &q).unwrap();
    let ready = State { tick: 0, mode: "ready".to_owned(), cmd_seq: 0, ..state(0, &q) };
    let mut entries = vec![entry(Logged::State(Box::new(message(1, ready))))];
    for seq in 1..=count {
        let wanted: Vec<f32> = (0..3).map(|joint| 0.9 * (seq as f32 * 0.37 + joint as f32).sin()).collect();
        let dt = if way == Way::LockStep { spec.period_secs } else { 0.03 + 0.01 * (seq % 5) as f32 };
        let safe = envelope.filter(&wanted, &q, dt).unwrap();
        let q_target = safe.positions_rad().to_vec();
        let command = Command { episode: 1, tick: seq, state_seq: seq, t_state: 0, q: wanted };
        entries.push(entry(Logged::Command { message: message(seq, command), sent: true }));
        let before = q.clone();
        q = q.iter().zip(&q_target).map(|(at, target)| 0.5 * (at + target)).collect();
        let told = way == Way::Free;
        let applied = State {
            q: q.clone(),
            q_target,
            clip: safe.clipped_joints(),
            dt: told.then_some(dt),
            q_seq: told.then_some(seq),
            ..state(seq, &before)
        };
        entries.push(entry(Logged::State(Box::new(message(seq + 1, applied)))));
    }
    entries
}

fn check(entries: &[Entry], way: Way) -> EnvelopeCheck {
    check_envelope(entries, &spec(), way == Way::LockStep).unwrap()
}

#[test]
fn what_was_applied_comes_out_again_bit_for_bit() {
    for way in [Way::LockStep, Way::Free] {
        let check = check(&log(200, way), way);
        assert_eq!((check.checked, check.different), (200, 0), "{:?}", check.first);
        assert!(check.unchecked.is_empty());
    }
}

#[test]
fn a_target_that_was_applied_otherwise_is_named_once() {
    let mut entries = log(50, Way::LockStep);
    let Logged::State(altered) = &mut entries[2 * 30].logged else { panic!("states and commands take turns") };
    altered.body.q_target[1] = f32::from_bits(altered.body.q_target[1].to_bits() ^ 1);
    let found = check(&entries, Way::LockStep);
    let first = found.first.unwrap();
    assert_eq!((first.cmd_seq, first.joint, first.name.as_str()), (30, Some(1), "finger_bend"));
    assert_eq!(found.different, 1);
    // An episode has its number in the deployment, not in the life of a controller, which may have been reset before.
    entries.insert(2 * 10, entry(Logged::Event(Event::new(EventKind::EpisodeStart, "seed 9").numbered(4))));
    assert_eq!(check(&entries, Way::LockStep).first.unwrap().episode, 4);
}

#[test]
fn without_times_nothing_is_claimed() {
    let check = check(&log(20, Way::FreeWithoutTimes), Way::FreeWithoutTimes);
    assert_eq!((check.checked, check.different), (0, 0));
    let (reason, count) = check.unchecked.into_iter().next().unwrap();
    assert!(reason.contains("`dt`") && count == 20, "{count}: {reason}");
}

#[test]
fn commands_that_were_never_applied_are_counted_apart() {
    let mut entries = log(20, Way::Free);
    // Two more than were applied: superseded by the one after them.
    let more = |seq: u64| Command { episode: 1, tick: 0, state_seq: seq, t_state: 0, q: vec![0.0; 3] };
    for entry in &mut entries {
        match &mut entry.logged {
            Logged::Command { message, .. } => message.head.seq += 2,
            Logged::State(state) if state.body.cmd_seq > 0 => state.body.cmd_seq += 2,
            _ => {}
        }
    }
    for seq in [1, 2] {
        entries.insert(1, entry(Logged::Command { message: message(seq, more(seq)), sent: true }));
    }
    let check = check(&entries, Way::Free);
    assert_eq!((check.checked, check.different, check.never_applied), (20, 0, 2));
}

#[test]
fn after_a_lost_state_it_is_known_again_soon_and_never_wrong() {
    let mut entries = log(100, Way::Free);
    // States are numbered from 1; the one that says that command 40 was applied is lost.
    entries.retain(|entry| !matches!(&entry.logged, Logged::State(state) if state.head.seq == 41));
    let check = check(&entries, Way::Free);
    assert_eq!(check.different, 0, "{:?}", check.first);
    let unchecked: u64 = check.unchecked.values().sum();
    assert!((1..10).contains(&unchecked), "{:?}", check.unchecked);
    assert_eq!(check.checked + unchecked, 99);
}
