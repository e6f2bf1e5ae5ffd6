//! Sections 5 and 6 with a hand that follows: it is told to stay where it is, then badly, then nothing.

use super::bench::{Bench, STATE_SECS, period_secs, timer_secs};
use super::link::about;
use super::{Finding, Rule, Unmet, bytes, ensure};
use crate::fault::{Fault, FaultSet};
use crate::message::{Arm, ClearFault, Command, Estop, Granted, Hold, REHEARSAL, Reset, State, Stop, Welcome};
use crate::wire::{Head, encode};

/// Lateness that a busy machine is forgiven, s.
const SLACK_SECS: f64 = 0.05;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "stay",
        section: "5",
        sentence: "commands to stay are accepted and applied as they are, bit for bit; the mode stays `active`",
        check: stay,
    },
    Rule {
        name: "repeated-command",
        section: "5",
        sentence: "a command with a `seq` that is not greater than the last accepted is dropped and counts as `rx_stale`",
        check: repeated_command,
    },
    Rule {
        name: "old-command",
        section: "5",
        sentence: "a command from a state older than `max_age_ms` is dropped and counts as `rx_stale`",
        check: old_command,
    },
    Rule {
        name: "newest-command",
        section: "5",
        sentence: "of two commands that wait, the one with the higher `seq` is in force afterwards",
        check: newest_command,
    },
    Rule {
        name: "shape",
        section: "5",
        sentence: "three commands of the wrong shape in a row latch CMD_SHAPE and hold; clear_fault and arm lead on",
        check: shape,
    },
    Rule {
        name: "nan-command",
        section: "5",
        sentence: "three commands with NaN in a row latch CMD_NOT_FINITE and hold; clear_fault and arm lead on",
        check: nan_command,
    },
    Rule {
        name: "silence",
        section: "6",
        sentence: "`hold_ms` after the last command the mode is `hold`, with LINK_LOST, and the targets stand",
        check: silence,
    },
    Rule {
        name: "short-hold",
        section: "6",
        sentence: "a fresh command ends a hold by silence, but not one that was asked for",
        check: short_hold,
    },
    Rule {
        name: "stop",
        section: "6",
        sentence: "`stop` takes torque off; then `arm` needs a stream of commands, and is granted after one",
        check: stop,
    },
    Rule {
        name: "estop",
        section: "6",
        sentence: "`estop` of somebody without a session takes torque off and latches until clear_fault",
        check: estop,
    },
    Rule {
        name: "reset-counts",
        section: "8",
        sentence: "`reset` counts episodes, starts at tick 0 in `ready` with cmd_seq 0, and refuses what it cannot read",
        check: reset_counts,
    },
    Rule {
        name: "reset-unknown-keys",
        section: "8",
        sentence: "keys of `reset.episode` that nobody knows are ignored",
        check: reset_unknown_keys,
    },
    Rule {
        name: "reset-malformed",
        section: "3",
        sentence: "a request whose head can be read and whose body cannot draws `error` MALFORMED: a `reset` without `episode`",
        check: reset_malformed,
    },
];

fn holds(state: &State, fault: Fault) -> bool {
    FaultSet::from_bits(state.fault).holds(fault)
}

fn stay(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.a.forget();
    let mut count = 0;
    for _ in 0..10 {
        let command = bench.stay()?;
        let seq = bench.a.command(&command)?;
        bench.a.listen(period_secs(&welcome));
        let (_, state) = bench.a.state()?;
        ensure(state.mode == "active", || bench.a.last_words())?;
        if state.cmd_seq == seq {
            let same = state.q_target.iter().zip(&command.q).all(|(at, asked)| at.to_bits() == asked.to_bits());
            ensure(same, || format!("asked {:?}, q_target is {:?}", command.q, state.q_target))?;
            count += 1;
        }
    }
    // A busy machine may be late with some.
    ensure(count >= 5, || format!("{count} of 10 commands were applied within a period; {}", bench.a.last_words()))?;
    let gone = bench.a.states.iter().find(|(_, state)| state.cmd_age_us > welcome.max_age_ms.saturating_mul(1000));
    ensure(gone.is_none(), || "cmd_age_us beyond max_age_ms".to_owned())?;
    Ok(format!("{count} of 10 commands seen in force one period later"))
}

/// Sends a command that must be counted as stale while the hand is kept following.
fn must_be_stale(bench: &mut Bench, bytes: &[u8]) -> Finding {
    let (_, before) = bench.a.state()?.clone();
    bench.a.send_cmd(bytes)?;
    let stale = before.rx_stale.saturating_add(1);
    let what = format!("rx_stale {stale}");
    let (_, after) = bench.a.await_state(&what, STATE_SECS, |_, state| state.rx_stale >= stale)?;
    let moved = after.q_target.iter().zip(&before.q_target).any(|(a, b)| (a - b).abs() > 1e-6);
    ensure(!moved, || format!("q_target went from {:?} to {:?}", before.q_target, after.q_target))?;
    Ok(what)
}

/// A target a little off, so that following it would be seen.
fn aside(command: &mut Command, welcome: &Welcome) {
    for (target, name) in command.q.iter_mut().zip(&welcome.joints) {
        let middle = welcome.limits.get(name).map_or(0.0, |limits| 0.5 * (limits.lower + limits.upper));
        *target += 0.01 * (middle - *target).signum();
    }
}

fn repeated_command(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.15)?;
    let mut command = bench.stay()?;
    aside(&mut command, &welcome);
    let bytes = encode(bench.a.sid, bench.a.cmd_seq, bench.a.now().0, &command);
    must_be_stale(bench, &bytes)
}

fn old_command(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.15)?;
    let mut command = bench.stay()?;
    aside(&mut command, &welcome);
    let too_long_ns = timer_secs("max_age_ms", welcome.max_age_ms)? * 1e9 + 2e7;
    command.t_state -= too_long_ns as i64;
    bench.a.cmd_seq += 1;
    let bytes = encode(bench.a.sid, bench.a.cmd_seq, bench.a.now().0, &command);
    must_be_stale(bench, &bytes)
}

fn newest_command(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.15)?;
    let stay = bench.stay()?;
    let mut other = stay.clone();
    aside(&mut other, &welcome);
    bench.a.command(&other)?;
    let newer = bench.a.command(&stay)?;
    let what = format!("cmd_seq {newer}, the newer of two commands");
    let (_, state) = bench.a.await_state(&what, STATE_SECS, |_, state| state.cmd_seq == newer)?;
    let same = state.q_target.iter().zip(&stay.q).all(|(at, asked)| (at - asked).abs() < 1e-6);
    ensure(same, || format!("asked last was {:?}, q_target is {:?}", stay.q, state.q_target))?;
    Ok(what)
}

fn shape(bench: &mut Bench) -> Finding {
    three_bad(bench, Fault::CommandShape, |command| {
        command.q.pop();
    })
}

fn nan_command(bench: &mut Bench) -> Finding {
    three_bad(bench, Fault::CommandNotFinite, |command| command.q[0] = f32::NAN)
}

fn three_bad(bench: &mut Bench, fault: Fault, spoil: fn(&mut Command)) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.1)?;
    let (_, before) = bench.a.state()?.clone();
    for count in 1..=3 {
        let mut command = bench.stay()?;
        spoil(&mut command);
        bench.a.command(&command)?;
        let bad = before.rx_bad.saturating_add(count);
        bench.a.await_state(&format!("rx_bad {bad}"), STATE_SECS, |_, state| state.rx_bad >= bad)?;
        if count == 2 {
            // A good one between two bad ones and the next would begin to count anew; none is sent.
            ensure(!holds(&bench.a.state()?.1, fault), || format!("{} after two commands", fault.name()))?;
        }
    }
    let (_, state) = bench.a.await_state("mode `hold`", STATE_SECS, |_, state| state.mode == "hold")?;
    ensure(holds(&state, fault), || format!("{} is not set: fault {:#x}", fault.name(), state.fault))?;
    ensure(state.q_target.iter().all(|target| target.is_finite()), || format!("q_target {:?}", state.q_target))?;
    bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED"])?;
    let cleared: Granted = bench.a.ask(&ClearFault {})?.body()?;
    ensure(cleared.fault & (1 << fault as u64) == 0, || format!("fault {:#x} after clear_fault", cleared.fault))?;
    bench.stream_and_arm(&welcome)?;
    bench.a.await_state("mode `active`", STATE_SECS, |_, state| state.mode == "active")?;
    Ok(format!("{}, cleared, armed again", fault.name()))
}

/// The state that first applied the last command, and the first in `hold` after it.
fn fall_silent(bench: &mut Bench, welcome: &Welcome) -> Result<[(Head, State); 2], Unmet> {
    bench.keep(welcome, 0.2)?;
    bench.a.forget();
    let command = bench.stay()?;
    let seq = bench.a.command(&command)?;
    let patience_secs = timer_secs("hold_ms", welcome.hold_ms)? + 1.0;
    let deadline = crate::clock::after(bench.a.now(), patience_secs);
    while !bench.a.is_over(deadline) && bench.a.state()?.1.mode == "active" {
        bench.a.pause();
    }
    let states = &bench.a.states;
    let last = states.iter().find(|(_, state)| state.cmd_seq == seq).cloned();
    let held = states.iter().find(|(_, state)| state.mode != "active").cloned();
    match (last, held) {
        (Some(last), Some(held)) => Ok([last, held]),
        (None, _) => Err(Unmet::Failed(format!("the last command was never applied; {}", bench.a.last_words()))),
        (_, None) => Err(Unmet::Failed(format!("still `active` after {patience_secs:.2} s of silence"))),
    }
}

fn silence(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    let [(last, followed), (held, state)] = fall_silent(bench, &welcome)?;
    ensure(state.mode == "hold", || format!("mode `{}` instead of `hold`", state.mode))?;
    ensure(holds(&state, Fault::LinkLost), || format!("LINK_LOST is not set: fault {:#x}", state.fault))?;
    let after_secs = (held.ts - last.ts) as f64 * 1e-9;
    let late_turns = state.overruns.saturating_sub(followed.overruns) as f64;
    let period_secs = period_secs(&welcome);
    let most_secs = welcome.hold_ms as f64 * 1e-3 + period_secs + SLACK_SECS * (1.0 + late_turns);
    ensure(after_secs <= most_secs, || format!("held after {after_secs:.3} s, allowed are {most_secs:.3} s"))?;
    let least_secs = 0.5 * welcome.hold_ms as f64 * 1e-3 - period_secs;
    ensure(after_secs >= least_secs, || format!("held after {after_secs:.3} s already"))?;
    bench.a.forget();
    bench.a.listen(0.15);
    if welcome.safe_action == "last_target" {
        let states = bench.a.states.iter().filter(|(_, state)| state.mode == "hold");
        for (_, later) in states {
            ensure(later.q_target == followed.q_target, || "the targets move during the hold".to_owned())?;
        }
    }
    Ok(format!("held {:.0} ms after the last command (hold_ms {})", after_secs * 1e3, welcome.hold_ms))
}

fn short_hold(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    fall_silent(bench, &welcome)?;
    let command = bench.stay()?;
    bench.a.command(&command)?;
    let what = "mode `active` after a fresh command in a hold by silence";
    bench.a.await_state(what, STATE_SECS, |_, state| state.mode == "active")?;
    bench.keep(&welcome, 0.1)?;
    let granted: Granted = bench.a.ask(&Hold {})?.body()?;
    ensure(granted.mode == "hold", || format!("mode `{}` after `hold`", granted.mode))?;
    bench.a.await_state("mode `hold`", STATE_SECS, |_, state| state.mode == "hold")?;
    bench.keep(&welcome, 0.2)?;
    let mode = bench.a.state()?.1.mode.clone();
    ensure(mode == "hold", || format!("mode `{mode}` although `hold` was asked for and no `arm` since"))?;
    Ok("a hold by silence ended, one that was asked for did not".to_owned())
}

fn stop(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.1)?;
    let granted: Granted = bench.b.ask_of(0, &Stop {})?.body().map_err(|unmet| about("anyone may stop", unmet))?;
    ensure(granted.mode == "off", || format!("mode `{}` after `stop`", granted.mode))?;
    bench.a.await_state("mode `off`", STATE_SECS, |_, state| state.mode == "off")?;
    // Commands of before the stop may be part of a stream; a silence ends it.
    bench.a.listen(timer_secs("hold_ms", welcome.hold_ms)? + 0.1);
    bench.a.ask(&Arm {})?.refused("error", &["NOT_READY"])?;
    bench.stream_and_arm(&welcome)?;
    Ok("off, NOT_READY, and armed after a stream".to_owned())
}

fn estop(bench: &mut Bench) -> Finding {
    let welcome = bench.activate()?;
    bench.keep(&welcome, 0.1)?;
    let granted: Granted = bench.b.ask_of(77, &Estop {})?.body().map_err(|unmet| about("anyone may estop", unmet))?;
    ensure(granted.mode == "estop", || format!("mode `{}` after `estop`", granted.mode))?;
    let (_, state) = bench.a.await_state("mode `estop`", STATE_SECS, |_, state| state.mode == "estop")?;
    ensure(holds(&state, Fault::Estop), || format!("ESTOP is not set: fault {:#x}", state.fault))?;
    bench.keep(&welcome, 0.2)?;
    bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED", "NOT_READY"])?;
    let stopped: Granted = bench.a.ask(&Stop {})?.body()?;
    ensure(stopped.mode == "estop", || format!("`stop` led out of `estop`, to `{}`", stopped.mode))?;
    let cleared: Granted = bench.a.ask(&ClearFault {})?.body()?;
    ensure((cleared.mode.as_str(), cleared.fault) == ("off", 0), || {
        format!("mode `{}`, fault {:#x} after clear_fault", cleared.mode, cleared.fault)
    })?;
    Ok("latched until clear_fault".to_owned())
}

/// A session that may begin episodes.
fn rehearsal(bench: &mut Bench) -> Result<(), Unmet> {
    let welcome = bench.session(&[REHEARSAL])?;
    if welcome.grants.iter().any(|grant| grant == REHEARSAL) {
        return Ok(());
    }
    Err(Unmet::Skipped("`rehearsal` is not granted: this hand is not simulated".to_owned()))
}

fn reset_unknown_keys(bench: &mut Bench) -> Finding {
    rehearsal(bench)?;
    // {"seed": 7, "hl_unknown": [nil, 1]}
    let episode = b"\x82\xa4seed\x07\xaahl_unknown\x92\xc0\x01";
    match bench.reset_with(episode)? {
        Ok(started) => Ok(format!("episode {} all the same", started.episode)),
        Err(refused) => {
            Err(Unmet::Failed(format!("`reset` with `seed` and a key nobody knows was refused: {refused}")))
        }
    }
}

fn reset_malformed(bench: &mut Bench) -> Finding {
    rehearsal(bench)?;
    let reset = Reset { episode: b"\x81\xa4seed\x07".to_vec() };
    let request = bytes::without_key(&bench.a.request(&reset), "episode");
    bench.a.ask_bytes("a `reset` without `episode`", &request)?.refused("error", &["MALFORMED"])
}

fn reset_counts(bench: &mut Bench) -> Finding {
    rehearsal(bench)?;
    let first = bench.reset()?;
    let second = bench.reset()?;
    ensure(second.episode == first.episode.saturating_add(1), || {
        format!("episode {} after {}", second.episode, first.episode)
    })?;
    let state = &second.state.body;
    ensure((state.tick, state.cmd_seq, state.mode.as_str()) == (0, 0, "ready"), || {
        format!("tick {}, cmd_seq {}, mode `{}`", state.tick, state.cmd_seq, state.mode)
    })?;
    let broken = Reset { episode: vec![0xc1] };
    bench.a.ask(&broken)?.refused("error", &["RESET_FAILED"])?;
    let (_, state) = bench.a.await_state("mode `off`", STATE_SECS, |_, state| state.mode == "off")?;
    Ok(format!("episode {}, then RESET_FAILED and `{}`", second.episode, state.mode))
}
