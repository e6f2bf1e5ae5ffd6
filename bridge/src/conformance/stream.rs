//! Section 5, without moving anything: states, poses, and commands that must be dropped.

use super::bench::{Bench, STATE_SECS, command_from};
use super::{Finding, Rule, Unmet, bytes, ensure};
use crate::message::{Command, OBJECT_POSE, POSE_FRAME, Ping, State, Welcome};
use crate::watchdog::Mode;
use crate::wire::{Head, encode};

/// How long streams are listened to, s.
const LISTEN_SECS: f64 = 1.0;
/// Share by which the rate of states may be off on a busy machine.
const RATE_SHARE: std::ops::RangeInclusive<f64> = 0.5..=1.5;
/// The longest gap between states under garbage, s: a policy calls the link lost then.
const LONGEST_GAP_SECS: f64 = 0.3;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "first-state",
        section: "6",
        sentence: "pings draw a state of the session (and a pose, if `object_pose` is granted)",
        check: first_state,
    },
    Rule {
        name: "state",
        section: "5",
        sentence: "states are complete and finite, one number per joint, with a known mode and a reason",
        check: state,
    },
    Rule {
        name: "state-seq",
        section: "2",
        sentence: "`seq` and `ts` of states go up, strictly and not backwards",
        check: state_seq,
    },
    Rule {
        name: "state-rate",
        section: "6",
        sentence: "states come at `state_hz`, with or without a session",
        check: state_rate,
    },
    Rule {
        name: "torque-off",
        section: "5",
        sentence: "while torque is off, `q_target` repeats `q`",
        check: torque_off,
    },
    Rule {
        name: "pose",
        section: "5",
        sentence: "poses are complete, in the palm frame, with a unit quaternion; `seq` goes up",
        check: pose,
    },
    Rule {
        name: "foreign-command",
        section: "5",
        sentence: "commands of another session are dropped and counted in `rx_bad`",
        check: foreign_command,
    },
    Rule {
        name: "bad-command",
        section: "5",
        sentence: "commands that are malformed, of another version, of the wrong shape or not finite count as `rx_bad`",
        check: bad_command,
    },
    Rule {
        name: "late-command",
        section: "5",
        sentence: "commands of another episode, or from a state too old or of the future, count as `rx_stale`",
        check: late_command,
    },
    Rule {
        name: "integers",
        section: "2",
        sentence: "an integer where a float belongs is that number: a command with one is no malformed message",
        check: integers,
    },
    Rule {
        name: "counters-begin-anew",
        section: "5",
        sentence: "what is counted of commands is of the session: the first state of a new one has counted nothing",
        check: counters_begin_anew,
    },
    Rule {
        name: "garbage",
        section: "2",
        sentence: "garbage on `ctl` and `cmd` does not stop the states",
        check: garbage,
    },
];

fn first_state(bench: &mut Bench) -> Finding {
    let welcome = bench.session(&[OBJECT_POSE])?;
    if !welcome.grants.iter().any(|grant| grant == OBJECT_POSE) {
        return Ok("a state; no object is tracked".to_owned());
    }
    let (sid, peer) = (bench.a.sid, &mut bench.a);
    for _ in 0..20 {
        if peer.poses.iter().any(|(head, _)| head.sid == sid || head.sid == 0) {
            return Ok("a state and a pose".to_owned());
        }
        peer.ask(&Ping {})?;
        peer.listen(0.05);
    }
    Err(Unmet::Failed(format!("`object_pose` is granted, but no pose comes; {}", peer.last_words())))
}

/// States of a quiet second.
fn listen(bench: &mut Bench) -> Result<(Welcome, Vec<(Head, State)>), Unmet> {
    let welcome = bench.session(&[OBJECT_POSE])?;
    bench.a.forget();
    if bench.lockstep_only {
        for _ in 0..10 {
            bench.a.ask(&Ping {})?;
            bench.a.listen(0.02);
        }
    } else {
        bench.a.listen(LISTEN_SECS);
    }
    ensure(bench.a.flaws.is_empty(), || bench.a.flaws.join("; "))?;
    let states = bench.a.states.clone();
    ensure(states.len() > 1, || format!("{} states in {LISTEN_SECS} s", states.len()))?;
    Ok((welcome, states))
}

fn state(bench: &mut Bench) -> Finding {
    let (welcome, states) = listen(bench)?;
    let sid = bench.a.sid;
    for (head, state) in &states {
        ensure(head.sid == sid, || format!("sid {} in a state, in force is {sid}", head.sid))?;
        for (name, values) in [("q", &state.q), ("dq", &state.dq), ("q_target", &state.q_target)] {
            let (found, count) = (values.len(), welcome.joints.len());
            ensure(found == count, || format!("`{name}` has {found} numbers for {count} joints"))?;
        }
        ensure(Mode::named(&state.mode).is_some(), || format!("mode `{}` is none of the protocol's", state.mode))?;
        ensure((state.mode == "active") == state.why.is_empty(), || {
            format!("mode `{}` with why `{}`", state.mode, state.why)
        })?;
    }
    Ok(format!("{} states", states.len()))
}

fn state_seq(bench: &mut Bench) -> Finding {
    let (_, states) = listen(bench)?;
    for pair in states.windows(2) {
        let ((before, _), (head, _)) = (&pair[0], &pair[1]);
        ensure(head.seq > before.seq, || format!("seq {} after {}", head.seq, before.seq))?;
        ensure(head.ts >= before.ts, || format!("ts {} after {}", head.ts, before.ts))?;
    }
    Ok(format!("{} states in order", states.len()))
}

fn state_rate(bench: &mut Bench) -> Finding {
    let welcome = bench.real_time_session(&[])?;
    let mut seen = Vec::new();
    for way in ["with", "without"] {
        if way == "without" {
            bench.leave();
            bench.a.listen(0.05);
        }
        bench.a.forget();
        let start = bench.a.now();
        bench.a.listen(LISTEN_SECS);
        let hz = bench.a.states.len() as f64 / bench.a.now().secs_since(start);
        ensure(RATE_SHARE.contains(&(hz / welcome.state_hz)), || {
            format!("{hz:.0} states/s {way} a session, state_hz is {:.0}", welcome.state_hz)
        })?;
        seen.push(format!("{hz:.0}/s {way} a session"));
    }
    Ok(seen.join(", "))
}

fn torque_off(bench: &mut Bench) -> Finding {
    let (_, states) = listen(bench)?;
    let off = states.iter().filter(|(_, state)| Mode::named(&state.mode).is_some_and(|mode| !mode.has_torque()));
    let mut count = 0;
    for (_, state) in off {
        let same = state.q.iter().zip(&state.q_target).all(|(q, target)| q.to_bits() == target.to_bits());
        ensure(same, || format!("q {:?}, q_target {:?} in mode `{}`", state.q, state.q_target, state.mode))?;
        count += 1;
    }
    match count {
        0 => Err(Unmet::Skipped(format!("the mode is `{}`", states[0].1.mode))),
        _ => Ok(format!("{count} states")),
    }
}

fn pose(bench: &mut Bench) -> Finding {
    let (welcome, _) = listen(bench)?;
    if !welcome.grants.iter().any(|grant| grant == OBJECT_POSE) {
        return Err(Unmet::Skipped("`object_pose` is not granted".to_owned()));
    }
    let poses = &bench.a.poses;
    ensure(!poses.is_empty(), || "no pose came".to_owned())?;
    let mut last = None;
    for (head, pose) in poses {
        ensure(last.is_none_or(|last| head.seq > last), || format!("seq {} after {last:?}", head.seq))?;
        last = Some(head.seq);
        ensure(pose.frame == POSE_FRAME, || format!("frame `{}`", pose.frame))?;
        let norm = pose.q_xyzw.iter().map(|part| part * part).sum::<f32>().sqrt();
        ensure((norm - 1.0).abs() < 1e-3, || format!("a quaternion of length {norm}"))?;
    }
    Ok(format!("{} poses of `{}`", poses.len(), poses[0].1.object))
}

/// Sends commands that must be dropped; how much `rx_bad` and `rx_stale` grow.
fn dropped(bench: &mut Bench, commands: &[Vec<u8>], expected: (u64, u64)) -> Finding {
    let (_, before) = bench.a.state()?.clone();
    for bytes in commands {
        bench.a.send_cmd(bytes)?;
        // Two wait at most; and a controller may look at its queue only once a turn.
        bench.a.listen(0.02);
    }
    let (bad, stale) = (before.rx_bad.saturating_add(expected.0), before.rx_stale.saturating_add(expected.1));
    let what = format!("rx_bad {bad} and rx_stale {stale} after {} commands that must be dropped", commands.len());
    bench.a.await_state(&what, STATE_SECS, |_, state| state.rx_bad >= bad && state.rx_stale >= stale)?;
    bench.a.listen(0.05);
    let (_, after) = bench.a.state()?;
    ensure((after.rx_bad, after.rx_stale) == (bad, stale), || {
        format!("expected {what}, found {} and {}", after.rx_bad, after.rx_stale)
    })?;
    ensure(after.cmd_seq == before.cmd_seq, || format!("command {} was applied", after.cmd_seq))?;
    Ok(format!("{} counted, none applied", commands.len()))
}

/// A command of the present session, apart from what `change` does to it.
fn command(bench: &mut Bench, sid: u64, change: impl FnOnce(&mut Command)) -> Result<Vec<u8>, Unmet> {
    bench.a.pump();
    let (head, state) = bench.a.state()?;
    let mut command = command_from(head, state, state.q_target.clone());
    command.tick = state.tick.saturating_add(1);
    change(&mut command);
    bench.a.cmd_seq += 1;
    Ok(encode(sid, bench.a.cmd_seq, bench.a.now().0, &command))
}

fn foreign_command(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let old = bench.a.sid;
    bench.leave();
    bench.session(&[])?;
    let foreign = [0, old, bench.a.sid ^ 1];
    let commands: Result<Vec<_>, Unmet> = foreign.iter().map(|&sid| command(bench, sid, |_| {})).collect();
    dropped(bench, &commands?, (3, 0))
}

fn bad_command(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let sid = bench.a.sid;
    let fine = command(bench, sid, |_| {})?;
    let garbage = bytes::garbage(&fine).into_iter().map(|(_, bytes)| bytes);
    let mut commands: Vec<Vec<u8>> = garbage.collect();
    commands.push(bytes::with_version(&fine, 2));
    commands.push(bytes::without_key(&fine, "state_seq"));
    // One of each kind: three in a row would latch a fault.
    commands.push(command(bench, sid, |command| {
        command.q.pop();
    })?);
    commands.push(command(bench, sid, |command| command.q[0] = f32::NAN)?);
    let huge = command(bench, sid, |command| command.q[0] = 0.123_456_7)?;
    commands.push(bytes::with_double(&huge, 0.123_456_7, 1e300));
    let count = commands.len() as u64;
    dropped(bench, &commands, (count, 0))
}

fn late_command(bench: &mut Bench) -> Finding {
    let welcome = bench.session(&[])?;
    let sid = bench.a.sid;
    let mut commands = vec![command(bench, sid, |command| command.episode ^= 1 << 40)?];
    if !bench.lockstep_only {
        let past_ns = (welcome.max_age_ms.min(1 << 40) as i64 + 500) * 1_000_000;
        let past = |command: &mut Command| command.t_state = command.t_state.saturating_sub(past_ns);
        commands.push(command(bench, sid, past)?);
        commands.push(command(bench, sid, |command| command.t_state = command.t_state.saturating_add(60_000_000_000))?);
        commands.push(command(bench, sid, |command| command.state_seq = u64::MAX)?);
    }
    let count = commands.len() as u64;
    dropped(bench, &commands, (0, count))
}

fn integers(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let (sid, mode) = (bench.a.sid, bench.a.state()?.1.mode.clone());
    if mode != "off" {
        return Err(Unmet::Skipped(format!("the mode is `{mode}`: asked only where nothing can follow a command")));
    }
    let marked = command(bench, sid, |command| command.q[0] = 0.123_456_7)?;
    let fine = command(bench, sid, |_| {})?;
    // After the one with an integer one that surely counts, so that it is known to have come.
    let commands = [bytes::with_integer(&marked, 0.123_456_7), bytes::with_version(&fine, 2)];
    // In lock-step without torque every command is refused, but for its time, not for its form.
    dropped(bench, &commands, (1, u64::from(bench.lockstep_only)))
}

fn counters_begin_anew(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let sid = bench.a.sid;
    let commands = [command(bench, sid ^ 1, |_| {})?, command(bench, sid, |command| command.episode ^= 1 << 40)?];
    dropped(bench, &commands, (1, 1))?;
    bench.leave();
    bench.session(&[])?;
    let (_, state) = bench.a.state()?;
    let counted = (state.rx_bad, state.rx_stale, state.cmd_seq);
    ensure(counted == (0, 0, 0), || {
        let (bad, stale, seq) = counted;
        format!("a new session begins with rx_bad {bad}, rx_stale {stale}, cmd_seq {seq}")
    })?;
    Ok("two commands dropped, and forgotten with their session".to_owned())
}

fn garbage(bench: &mut Bench) -> Finding {
    bench.real_time_session(&[])?;
    let request = bench.a.request(&Ping {});
    let fine = command(bench, 0, |_| {})?;
    bench.a.forget();
    for round in 0..10 {
        for (at, (_, bytes)) in bytes::garbage(&request).into_iter().enumerate() {
            if (round + at) % 2 == 0 { bench.a.send(&bytes)? } else { bench.a.send_cmd(&bytes)? }
        }
        bench.a.send_cmd(&fine)?;
        bench.a.listen(0.04);
    }
    ensure(bench.a.flaws.is_empty(), || bench.a.flaws.join("; "))?;
    let stamps: Vec<i64> = bench.a.states.iter().map(|(head, _)| head.ts).collect();
    let gaps = stamps.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * 1e-9);
    let longest_secs = gaps.fold(0.0, f64::max);
    ensure(stamps.len() > 2, || format!("{} states came", stamps.len()))?;
    ensure(longest_secs < LONGEST_GAP_SECS, || format!("no state for {longest_secs:.3} s"))?;
    bench.a.forget();
    bench.a.listen(LONGEST_GAP_SECS);
    ensure(!bench.a.states.is_empty(), || format!("no state for {LONGEST_GAP_SECS} s afterwards"))?;
    Ok(format!("{} states, the longest gap {:.0} ms", stamps.len(), longest_secs * 1e3))
}
