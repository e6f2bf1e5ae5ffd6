//! What was sent adds up, what was applied can be computed again, and odd numbers in any field do nothing.

use crate::hand::{PERIOD_SECS, Rig, code, hello_of, sensed, small_hand};
use giraffe_bridge::message::{Command, State};
use giraffe_bridge::wire::encode;
use giraffe_bridge::{CommandVerdict, Counters, EnvelopeSpec, Mode, SafetyEnvelope};
use giraffe_robots::{Nanos, SeedTree, Stream};
use proptest::prelude::*;
use rand::RngExt;
use std::collections::BTreeMap;

fn sum(counters: Counters) -> u64 {
    counters.applied + counters.superseded + counters.unfollowed + counters.rejected + counters.gap
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    Late(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Arrives), 1 => Just(Fate::Lost), 1 => Just(Fate::Twice), 2 => (1usize..6).prop_map(Fate::Late)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_commands_are_lost_doubled_and_reordered_they_apply_in_order_and_add_up(
        fates in prop::collection::vec((fate(), 0.0f64..0.02, prop::bool::weighted(0.1)), 1..60),
    ) {
        let mut rig = Rig::plain();
        rig.activate();
        let before = rig.core.counters();
        prop_assert_eq!(sum(before), rig.cmd_seq);
        let mut arrivals: Vec<(usize, u64, Vec<u8>)> = Vec::new();
        let (mut lost, mut applied_seq) = (0, 0);
        for (slot, (fate, gap_secs, is_bad)) in fates.iter().enumerate() {
            rig.wait(*gap_secs);
            let q = if *is_bad { [f32::NAN; 3] } else { [0.001 * slot as f32, 0.4, 0.2] };
            let command = rig.fresh(&q);
            rig.cmd_seq += 1;
            let bytes = encode(rig.sid, rig.cmd_seq, rig.now.0, &command);
            match fate {
                Fate::Lost => lost += 1,
                Fate::Arrives => arrivals.push((slot, rig.cmd_seq, bytes)),
                Fate::Twice => (0..2).for_each(|_| arrivals.push((slot, rig.cmd_seq, bytes.clone()))),
                Fate::Late(by) => arrivals.push((slot + by, rig.cmd_seq, bytes)),
            }
            arrivals.sort_by_key(|(due, ..)| *due);
            while arrivals.first().is_some_and(|(due, ..)| *due <= slot) {
                let (_, _, bytes) = arrivals.remove(0);
                rig.core.on_cmd(&rig.sender, &bytes, rig.now);
            }
            rig.tick();
            rig.core.on_sensed(&sensed(&rig.q.clone(), rig.now), rig.now);
            let (_, state) = rig.state();
            prop_assert!(state.cmd_seq >= applied_seq, "{} after {}", state.cmd_seq, applied_seq);
            applied_seq = state.cmd_seq;
        }
        for (_, _, bytes) in arrivals {
            rig.core.on_cmd(&rig.sender, &bytes, rig.now);
        }
        rig.tick();
        // The last one arrives for certain, so that every loss is a gap.
        let q = rig.q.clone();
        let command = rig.fresh(&q);
        rig.send(&command);
        rig.tick();
        let counters = rig.core.counters();
        prop_assert_eq!(sum(counters), rig.cmd_seq, "{:?}", counters);
        prop_assert_eq!(counters.gap, lost);
    }
}

#[test]
fn a_repetition_is_refused_but_counted_once() {
    let mut rig = Rig::plain();
    rig.activate();
    let command = rig.fresh(&[0.01, 0.4, 0.2]);
    rig.cmd_seq += 3;
    let bytes = encode(rig.sid, rig.cmd_seq, 0, &command);
    assert_eq!(rig.core.on_cmd(&rig.sender, &bytes, rig.now), CommandVerdict::Accepted);
    let skipped = rig.core.counters();
    assert_eq!((skipped.gap, skipped.rejected), (2, 0));
    for _ in 0..3 {
        assert_eq!(code(&rig.core.on_cmd(&rig.sender, &bytes, rig.now)), "SEQUENCE");
    }
    let late = encode(rig.sid, rig.cmd_seq - 1, 0, &command);
    for _ in 0..3 {
        assert_eq!(code(&rig.core.on_cmd(&rig.sender, &late, rig.now)), "SEQUENCE");
    }
    rig.tick();
    let counters = rig.core.counters();
    assert_eq!((counters.gap, counters.rejected, counters.stale), (1, 1, 6));
    assert_eq!(sum(counters), rig.cmd_seq);
    let (_, state) = rig.state();
    let published = [state.rx_applied, state.rx_superseded, state.rx_rejected, state.rx_gap].map(Option::unwrap);
    assert_eq!(published.iter().sum::<u64>(), rig.cmd_seq);
}

#[test]
fn the_envelope_can_be_run_again_from_what_was_published_bit_for_bit() {
    let mut rig = Rig::plain();
    rig.activate();
    let mut rng = SeedTree::new(11).stream(Stream::Toy, 0, 0);
    let mut again = SafetyEnvelope::new(EnvelopeSpec::of(&small_hand()), &rig.q).unwrap();
    let mut states: BTreeMap<u64, State> = BTreeMap::new();
    let mut sent: BTreeMap<u64, Vec<f32>> = BTreeMap::new();
    let (mut last_seq, mut clipped) = (rig.state().1.cmd_seq, 0);
    for _ in 0..2000 {
        let (state_seq, state) = rig.state();
        let q: Vec<f32> = state.q_target.iter().map(|at| at + rng.random_range(-0.4..0.4)).collect();
        let (episode, t_state) = (state.episode, rig.now.0);
        states.insert(state_seq, state);
        rig.send(&Command { episode, tick: 0, state_seq, t_state, q: q.clone() });
        sent.insert(rig.cmd_seq, q);
        rig.wait(rng.random_range(0.001..0.12));
        let order = rig.tick();
        for (at, target) in rig.q.iter_mut().zip(order.targets().unwrap().positions_rad()) {
            *at += rng.random_range(0.0..0.5) * (target - *at);
        }
        rig.core.on_sensed(&sensed(&rig.q, rig.now), rig.now);
        let (seq, state) = rig.state();
        if state.cmd_seq != last_seq {
            last_seq = state.cmd_seq;
            let measured = &states[&state.q_seq.unwrap()].q;
            let safe = again.filter(&sent[&last_seq], measured, state.dt.unwrap()).unwrap();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(safe.positions_rad()), bits(&state.q_target));
            assert_eq!(safe.clipped_joints(), state.clip);
            clipped += u32::from(state.clip != 0);
        }
        states.insert(seq, state);
        assert_eq!(rig.core.mode(), Mode::Active);
    }
    assert!(clipped > 500, "{clipped}");
}

#[test]
fn odd_numbers_in_any_field_of_a_command_move_nothing_they_should_not() {
    let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
    for number in numbers {
        for field in 0..4 {
            let mut rig = Rig::plain();
            rig.activate();
            let mut command = rig.fresh(&[0.01, 0.4, 0.2]);
            let unsigned = number as u64;
            match field {
                0 => command.t_state = number,
                1 => command.state_seq = unsigned,
                2 => command.episode = unsigned,
                _ => command.tick = unsigned,
            }
            let fits = field == 3 || field == 2 && number == 0;
            assert_eq!(rig.send(&command) == CommandVerdict::Accepted, fits, "{number} in field {field}");
        }
    }
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, f64::from(f32::MAX), -0.0, 1e-42, 5e-324] {
        for joint in 0..3 {
            let mut rig = Rig::plain();
            rig.activate();
            let mut q = [0.01, 0.4, 0.2];
            // As a double that is rounded on arrival would become.
            q[joint] = odd as f32;
            let accepted = rig.command(&q) == CommandVerdict::Accepted;
            assert_eq!(accepted, (odd as f32).is_finite(), "{odd} at joint {joint}");
            let order = rig.tick();
            let targets = order.targets().unwrap().positions_rad();
            for (target, model) in targets.iter().zip(&small_hand().joints) {
                assert!(target.is_finite() && model.position_limits_rad.contains(*target));
            }
            let q = targets.to_vec();
            rig.core.on_sensed(&sensed(&q, rig.now), rig.now);
        }
    }
}

#[test]
fn a_command_from_before_the_first_state_comes_from_nothing() {
    // The controller has just started, so that even a stamp of zero is recent.
    let spec = giraffe_bridge::ControllerSpec::of(&small_hand());
    let mut core = giraffe_bridge::ServerCore::new(spec, Nanos(0)).unwrap();
    let now = Nanos::from_secs(0.05);
    core.on_sensed(&sensed(&[0.0, 0.4, 0.2], now), now);
    core.on_ctl(&giraffe_bridge::Sender::local(), &encode(0, 1, 0, &hello_of(&small_hand(), &[])), now);
    let blind = Command { episode: 0, tick: 0, state_seq: 0, t_state: 0, q: vec![0.0, 0.4, 0.2] };
    let verdict = core.on_cmd(&giraffe_bridge::Sender::local(), &encode(core.sid(), 1, 0, &blind), now);
    assert_eq!(code(&verdict), "STALE");
}

#[test]
fn the_senders_own_clock_plays_no_part() {
    // Stamps of a wall clock that is an hour off, steps back, or is nonsense.
    let hour = 3_600_000_000_000i64;
    let run = |stamp: &dyn Fn(i64) -> i64| {
        let mut rig = Rig::plain();
        rig.activate();
        let mut rows = Vec::new();
        for step in 0..40 {
            let command = rig.fresh(&[0.01 * step as f32, 0.4, 0.2]);
            rig.cmd_seq += 1;
            let bytes = encode(rig.sid, rig.cmd_seq, stamp(step), &command);
            assert_eq!(rig.core.on_cmd(&rig.sender, &bytes, rig.now), CommandVerdict::Accepted);
            rig.idle(PERIOD_SECS);
            rows.push(rig.state().1);
        }
        rows
    };
    let usual = run(&|step| step * 50_000_000);
    for other in [run(&|step| step * 50_000_000 + hour), run(&|step| -hour * (step % 2)), run(&|_| i64::MIN)] {
        assert_eq!(other, usual);
    }
}
