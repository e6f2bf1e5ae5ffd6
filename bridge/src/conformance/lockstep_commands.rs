//! Sections 5 to 8 in lock-step, in which no clock decides anything: bad commands, requests, faults. What is asked of a hand in
//! real time is asked of one that knows only lock-step, too.

use super::bench::{Bench, command_from};
use super::link::about;
use super::lockstep::QUIET_SECS;
use super::{Finding, Rule, Unmet, bytes, ensure};
use crate::fault::{Fault, FaultSet};
use crate::message::{Arm, ClearFault, Command, Estop, Granted, Hold, Reset, State, Stop};
use crate::wire::encode;

/// Waiting for longer than a controller in real time would take to hold; at most, s.
const SILENCE_SECS: f64 = 0.6;
/// Commands in a row that latch a fault.
const IN_A_ROW: usize = 3;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "lockstep-before-reset",
        section: "7",
        sentence: "before the first reset of a session the hand does not follow: commands are NOT_ACTIVE, arm NOT_READY",
        check: before_reset,
    },
    Rule {
        name: "lockstep-repeated",
        section: "5",
        sentence: "a command with a `seq` that is not greater than the last accepted is refused: SEQUENCE",
        check: repeated,
    },
    Rule {
        name: "lockstep-two-commands",
        section: "5",
        sentence: "of two waiting commands for one tick the first is applied, the second is refused: TICK",
        check: two_commands,
    },
    Rule {
        name: "lockstep-unread",
        section: "7",
        sentence: "commands that cannot be read, or of another session, advance nothing and draw no state",
        check: unread,
    },
    Rule {
        name: "lockstep-silence",
        section: "7",
        sentence: "no time passes without a command: silence holds nothing",
        check: silence,
    },
    Rule {
        name: "lockstep-shape",
        section: "5",
        sentence: "three commands of the wrong shape in a row latch CMD_SHAPE and hold, in lock-step too",
        check: shape,
    },
    Rule {
        name: "lockstep-nan",
        section: "5",
        sentence: "three commands with NaN in a row latch CMD_NOT_FINITE and hold, in lock-step too",
        check: nan,
    },
    Rule {
        name: "reset-keeps-faults",
        section: "8",
        sentence: "`reset` is granted with a latched fault of commands and leaves it latched: arm needs clear_fault first",
        check: reset_keeps_faults,
    },
    Rule {
        name: "lockstep-hold",
        section: "7",
        sentence: "`hold` ends motion at once; then commands are NOT_ACTIVE, arm NOT_READY, and a reset begins anew",
        check: hold,
    },
    Rule {
        name: "lockstep-stop",
        section: "7",
        sentence: "`stop` takes torque off in lock-step too; then commands are NOT_ACTIVE, arm NOT_READY",
        check: stop,
    },
    Rule {
        name: "lockstep-estop",
        section: "7",
        sentence: "`estop` latches in lock-step too: no reset, no arm, until clear_fault",
        check: estop,
    },
];

fn holds(state: &State, fault: Fault) -> bool {
    FaultSet::from_bits(state.fault).holds(fault)
}

/// A command to stay, for the next tick.
fn stay(bench: &mut Bench) -> Result<Command, Unmet> {
    bench.a.pump();
    let (head, state) = bench.a.state()?;
    Ok(Command { tick: state.tick.saturating_add(1), ..command_from(head, state, state.q_target.clone()) })
}

/// Sends a command that must be refused with this code and advance nothing; the state that says so.
fn refuse(bench: &mut Bench, command: &Command, code: &str) -> Result<State, Unmet> {
    let before = bench.a.state()?.1.tick;
    bench.a.forget();
    let seq = bench.a.command(command)?;
    let (_, answer) = bench.answer_to(seq, &Command { tick: u64::MAX, ..command.clone() })?;
    let said = answer.refused.as_ref().map_or("", |refused| &refused.code);
    ensure(said == code, || format!("expected a refusal with {code}, got `{said}`"))?;
    ensure(answer.tick == before, || format!("{code}: tick {} after {before}", answer.tick))?;
    Ok(answer)
}

/// The hand follows again, from a new reset.
fn goes_on(bench: &mut Bench) -> Result<(), Unmet> {
    bench.begin_lockstep(None).map_err(|unmet| about("a new reset and arm", unmet))?;
    let command = stay(bench)?;
    let (_, state) = bench.step_with(&command)?;
    ensure(state.refused.is_none() && state.mode == "active", || {
        format!("a command after a new reset: {:?}, mode `{}`", state.refused, state.mode)
    })
}

fn before_reset(bench: &mut Bench) -> Finding {
    bench.lockstep_session(&[])?;
    let mode = bench.a.state()?.1.mode.clone();
    ensure(!matches!(mode.as_str(), "active" | "ready"), || format!("a session begins in mode `{mode}`"))?;
    let command = stay(bench)?;
    refuse(bench, &command, "NOT_ACTIVE")?;
    bench.a.ask(&Arm {})?.refused("error", &["NOT_READY", "FAULT_LATCHED"])?;
    Ok(format!("mode `{mode}`"))
}

fn repeated(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let command = stay(bench)?;
    let (_, before) = bench.step_with(&command)?;
    ensure(before.refused.is_none(), || format!("a command to stay was refused: {:?}", before.refused))?;
    bench.a.cmd_seq -= 1;
    let command = stay(bench)?;
    let after = refuse(bench, &command, "SEQUENCE")?;
    let counted = (after.rx_stale, after.rx_bad);
    let expected = (before.rx_stale.saturating_add(1), before.rx_bad);
    ensure(counted == expected, || format!("rx_stale and rx_bad are {counted:?}, expected {expected:?}"))?;
    let command = stay(bench)?;
    let (_, state) = bench.step_with(&command)?;
    ensure(state.refused.is_none(), || format!("the next command was refused, too: {:?}", state.refused))?;
    Ok(format!("refused, rx_stale {}", after.rx_stale))
}

fn two_commands(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let command = stay(bench)?;
    bench.a.forget();
    let (first, second) = (bench.a.command(&command)?, bench.a.command(&command)?);
    let (_, applied) = bench.answer_to(first, &command)?;
    ensure(applied.refused.is_none() && applied.cmd_seq == first, || {
        format!("command {first} of {first} and {second}: refused {:?}, cmd_seq {}", applied.refused, applied.cmd_seq)
    })?;
    let (_, refused) = bench.answer_to(second, &Command { tick: u64::MAX, ..command.clone() })?;
    let said = refused.refused.as_ref().map_or("", |refused| &refused.code);
    ensure(said == "TICK" && refused.tick == command.tick, || format!("the second: `{said}`, tick {}", refused.tick))?;
    Ok("the first applied, the second refused".to_owned())
}

fn unread(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let command = stay(bench)?;
    let (_, before) = bench.step_with(&command)?;
    let command = stay(bench)?;
    let mut wrong: Vec<Vec<u8>> = Vec::new();
    let fine = encode(bench.a.sid, bench.a.cmd_seq + 1, bench.a.now().0, &command);
    wrong.extend(bytes::garbage(&fine).into_iter().map(|(_, bytes)| bytes));
    wrong.push(bytes::with_version(&fine, 2));
    wrong.push(encode(bench.a.sid ^ 1, bench.a.cmd_seq + 1, bench.a.now().0, &command));
    bench.a.forget();
    for bytes in &wrong {
        bench.a.send_cmd(bytes)?;
        bench.a.listen(0.005);
    }
    bench.a.listen(QUIET_SECS);
    let count = bench.a.states.len();
    ensure(count == 0, || format!("{count} states for {} commands that nobody can read", wrong.len()))?;
    let (_, state) = bench.step_with(&command)?;
    ensure(state.refused.is_none() && state.tick == command.tick, || {
        format!("a good command after them: {:?}, tick {} for {}", state.refused, state.tick, command.tick)
    })?;
    let bad = state.rx_bad.saturating_sub(before.rx_bad);
    ensure(bad == wrong.len() as u64, || format!("{bad} of {} were counted in rx_bad", wrong.len()))?;
    Ok(format!("{} messages, no state, all counted", wrong.len()))
}

fn silence(bench: &mut Bench) -> Finding {
    let welcome = bench.activate_lockstep(&[])?;
    let secs = (2.0 * welcome.hold_ms as f64 * 1e-3).clamp(QUIET_SECS, SILENCE_SECS);
    bench.a.listen(secs);
    let count = bench.a.states.len();
    ensure(count == 0, || format!("{count} states came without a command"))?;
    let command = stay(bench)?;
    let (_, state) = bench.step_with(&command)?;
    ensure(state.refused.is_none() && state.mode == "active", || {
        format!("after {secs:.2} s of silence: {:?}, mode `{}`", state.refused, state.mode)
    })?;
    Ok(format!("{secs:.2} s of silence, and it follows"))
}

/// Three bad commands in a row: the fault is latched with the third and not before.
fn latch(bench: &mut Bench, fault: Fault, code: &str, spoil: fn(&mut Command)) -> Result<(), Unmet> {
    for count in 1..=IN_A_ROW {
        let mut command = stay(bench)?;
        spoil(&mut command);
        let state = refuse(bench, &command, code)?;
        let (is_set, is_last) = (holds(&state, fault), count == IN_A_ROW);
        ensure(is_set == is_last, || format!("{} is {is_set} after {count} commands", fault.name()))?;
        let expected = if is_last { "hold" } else { "active" };
        ensure(state.mode == expected, || format!("mode `{}` after {count} commands", state.mode))?;
    }
    Ok(())
}

fn three_bad(bench: &mut Bench, fault: Fault, code: &str, spoil: fn(&mut Command)) -> Finding {
    bench.activate_lockstep(&[])?;
    latch(bench, fault, code, spoil)?;
    let command = stay(bench)?;
    refuse(bench, &command, "NOT_ACTIVE")?;
    bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED"])?;
    let cleared: Granted = bench.a.ask(&ClearFault {})?.body()?;
    ensure(!FaultSet::from_bits(cleared.fault).holds(fault), || {
        format!("fault {:#x} after clear_fault", cleared.fault)
    })?;
    goes_on(bench)?;
    Ok(format!("{}, held, cleared, and on from a new reset", fault.name()))
}

fn short(command: &mut Command) {
    command.q.pop();
}

fn shape(bench: &mut Bench) -> Finding {
    three_bad(bench, Fault::CommandShape, "SHAPE", short)
}

fn nan(bench: &mut Bench) -> Finding {
    three_bad(bench, Fault::CommandNotFinite, "NOT_FINITE", |command| command.q[0] = f32::NAN)
}

fn reset_keeps_faults(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    latch(bench, Fault::CommandShape, "SHAPE", short)?;
    let started = bench.reset()?;
    let state = &started.state.body;
    ensure(holds(state, Fault::CommandShape) && state.mode == "ready", || {
        format!("after the reset: mode `{}`, fault {:#x}", state.mode, state.fault)
    })?;
    bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED"])?;
    bench.a.ask(&ClearFault {})?.body::<Granted>()?;
    bench.a.ask(&Arm {})?.body::<Granted>().map_err(|unmet| about("after clear_fault, in `ready`", unmet))?;
    Ok("`ready` with CMD_SHAPE; armed after clear_fault".to_owned())
}

/// The hand does not follow, and says so.
fn stands(bench: &mut Bench, granted: &Granted, mode: &str) -> Result<(), Unmet> {
    ensure(granted.mode == mode, || format!("mode `{}` in the reply, expected `{mode}`", granted.mode))?;
    let command = stay(bench)?;
    let state = refuse(bench, &command, "NOT_ACTIVE")?;
    ensure(state.mode == mode, || format!("mode `{}`, expected `{mode}`", state.mode))
}

fn hold(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let granted: Granted = bench.a.ask(&Hold {})?.body()?;
    stands(bench, &granted, "hold")?;
    bench.a.ask(&Arm {})?.refused("error", &["NOT_READY"])?;
    goes_on(bench)?;
    Ok("held, NOT_READY, and on from a new reset".to_owned())
}

fn stop(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let granted: Granted = bench.b.ask_of(0, &Stop {})?.body().map_err(|unmet| about("anyone may stop", unmet))?;
    stands(bench, &granted, "off")?;
    bench.a.ask(&Arm {})?.refused("error", &["NOT_READY"])?;
    goes_on(bench)?;
    Ok("off, NOT_READY, and on from a new reset".to_owned())
}

fn estop(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let granted: Granted = bench.b.ask_of(77, &Estop {})?.body().map_err(|unmet| about("anyone may estop", unmet))?;
    stands(bench, &granted, "estop")?;
    ensure(holds(&bench.a.state()?.1, Fault::Estop), || "ESTOP is not set".to_owned())?;
    let reset = Reset { episode: b"\x81\xa4seed\x07".to_vec() };
    bench.a.ask(&reset)?.refused("error", &["FAULT_LATCHED"]).map_err(|unmet| about("`reset`", unmet))?;
    bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED", "NOT_READY"])?;
    let cleared: Granted = bench.a.ask(&ClearFault {})?.body()?;
    ensure((cleared.mode.as_str(), cleared.fault) == ("off", 0), || {
        format!("mode `{}`, fault {:#x} after clear_fault", cleared.mode, cleared.fault)
    })?;
    goes_on(bench)?;
    Ok("latched until clear_fault".to_owned())
}
