//! Section 7: one command, one control period, the same bits.

use super::bench::{Bench, STATE_SECS, command_from, period_secs};
use super::handshake::NO_ENVELOPE;
use super::{Finding, Rule, Unmet, ensure};
use crate::clock::after;
use crate::message::{Arm, Command, Granted, OBJECT_POSE, Welcome};

/// Control periods of an episode that is compared.
const PERIODS: u32 = 20;
/// How long it is waited whether something comes that should not, s. A busy machine may need it for what should.
pub(super) const QUIET_SECS: f64 = 0.1;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "lockstep-one-state",
        section: "7",
        sentence: "each command draws exactly one state (and one pose) with its `tick`; nothing comes in between",
        check: one_state,
    },
    Rule {
        name: "lockstep-refused",
        section: "7",
        sentence: "a command that is not accepted advances nothing and draws one state with `refused` set",
        check: refused,
    },
    Rule {
        name: "lockstep-same-bits",
        section: "7",
        sentence: "the same reset followed by the same commands gives the same bits",
        check: same_bits,
    },
    Rule {
        name: "lockstep-envelope",
        section: "6",
        sentence: "a target far away is kept to limits and speed, and `clip` says so",
        check: envelope,
    },
];

fn tracked(welcome: &Welcome) -> bool {
    welcome.grants.iter().any(|grant| grant == OBJECT_POSE)
}

fn one_state(bench: &mut Bench) -> Finding {
    let welcome = bench.activate_lockstep(&[OBJECT_POSE])?;
    bench.a.listen(QUIET_SECS);
    ensure(bench.a.states.is_empty(), || format!("{} states came without a command", bench.a.states.len()))?;
    for _ in 0..5 {
        let (_, state) = bench.a.state()?.clone();
        let (tick, q) = (state.tick.saturating_add(1), state.q_target);
        let (_, state) = bench.step(q.clone())?;
        ensure(state.refused.is_none(), || format!("the command was refused: {:?}", state.refused))?;
        ensure((state.tick, state.cmd_seq) == (tick, bench.a.cmd_seq), || {
            format!("tick {} for {tick}, cmd_seq {} for {}", state.tick, state.cmd_seq, bench.a.cmd_seq)
        })?;
        ensure(state.q_target == q, || format!("asked {q:?}, q_target is {:?}", state.q_target))?;
        bench.a.listen(QUIET_SECS);
        let count = bench.a.states.len();
        ensure(count == 1, || format!("{count} states for one command"))?;
        let poses: Vec<u64> = bench.a.poses.iter().map(|(_, pose)| pose.tick).collect();
        let expected = if tracked(&welcome) { vec![tick] } else { Vec::new() };
        ensure(poses == expected, || format!("poses of ticks {poses:?}, expected {expected:?}"))?;
    }
    Ok("5 commands, 5 states".to_owned())
}

fn refused(bench: &mut Bench) -> Finding {
    bench.activate_lockstep(&[])?;
    let (head, state) = bench.a.state()?.clone();
    let fine = Command { tick: state.tick.saturating_add(1), ..command_from(&head, &state, state.q_target.clone()) };
    let mut short = fine.clone();
    short.q.pop();
    let mut nan = fine.clone();
    nan.q[0] = f32::NAN;
    let cases = [
        ("TICK", Command { tick: state.tick.saturating_add(2), ..fine.clone() }),
        ("TICK", Command { tick: state.tick, ..fine.clone() }),
        ("EPISODE", Command { episode: state.episode.saturating_add(1), ..fine.clone() }),
        ("SHAPE", short),
        ("NOT_FINITE", nan),
    ];
    for (code, command) in &cases {
        bench.a.forget();
        let seq = bench.a.command(command)?;
        let (_, answer) = bench.answer_to(seq, &Command { tick: u64::MAX, ..command.clone() })?;
        let said = answer.refused.as_ref().map_or("", |refused| &refused.code);
        ensure(said == *code, || format!("expected {code}, got `{said}`"))?;
        ensure((answer.tick, &answer.q) == (state.tick, &state.q), || {
            format!("{code}: tick {} after {}, and time passed", answer.tick, state.tick)
        })?;
        bench.a.listen(QUIET_SECS);
        let count = bench.a.states.len();
        ensure(count == 1, || format!("{count} states for one refused command"))?;
    }
    let (_, after) = bench.step(fine.q)?;
    ensure(after.refused.is_none(), || format!("a good command after them: {:?}", after.refused))?;
    Ok(format!("{} commands, by code", cases.len()))
}

/// Bits of everything that is sensed and in force during an episode.
fn episode(bench: &mut Bench, welcome: &Welcome) -> Result<Vec<Vec<u32>>, Unmet> {
    let started = bench.reset()?;
    bench.a.ask(&Arm {})?.body::<Granted>()?;
    let start = started.state.body.q_target;
    let mut rows = Vec::new();
    for period in 1..=PERIODS {
        let targets = start.iter().zip(&welcome.joints).enumerate().map(|(at, (angle, name))| {
            let wanted = angle + 0.05 * (0.3 * period as f32 + at as f32).sin();
            welcome.limits.get(name).map_or(wanted, |limits| wanted.clamp(limits.lower, limits.upper))
        });
        let (_, state) = bench.step(targets.collect())?;
        ensure(state.refused.is_none(), || format!("period {period} was refused: {:?}", state.refused))?;
        let mut row: Vec<f32> = [&state.q[..], &state.dq, &state.q_target].concat();
        if tracked(welcome) {
            row.extend(pose_of(bench, state.tick)?);
        }
        rows.push(row.into_iter().map(f32::to_bits).collect());
    }
    Ok(rows)
}

fn pose_of(bench: &mut Bench, tick: u64) -> Result<Vec<f32>, Unmet> {
    let deadline = after(bench.a.now(), STATE_SECS);
    loop {
        if let Some((_, pose)) = bench.a.poses.iter().find(|(_, pose)| pose.tick == tick) {
            return Ok([&pose.p[..], &pose.q_xyzw].concat());
        }
        ensure(!bench.a.is_over(deadline), || format!("no pose of tick {tick} within {STATE_SECS} s"))?;
        bench.a.pause();
    }
}

fn same_bits(bench: &mut Bench) -> Finding {
    let welcome = bench.activate_lockstep(&[OBJECT_POSE])?;
    let first = episode(bench, &welcome)?;
    let second = episode(bench, &welcome)?;
    let differs = first.iter().zip(&second).position(|(a, b)| a != b);
    ensure(differs.is_none(), || {
        let period = differs.unwrap_or_default();
        format!("the second time is another from control period {} on", period + 1)
    })?;
    Ok(format!("{PERIODS} control periods, {} numbers each", first[0].len()))
}

fn envelope(bench: &mut Bench) -> Finding {
    let welcome = bench.activate_lockstep(&[])?;
    if welcome.grants.iter().any(|grant| grant == NO_ENVELOPE) {
        return Err(Unmet::Skipped("the controller says itself that it has no envelope".to_owned()));
    }
    let name = &welcome.joints[0];
    let Some(limits) = welcome.limits.get(name) else { return Err(Unmet::Failed(format!("no limits of `{name}`"))) };
    let step_rad = limits.velocity * period_secs(&welcome) as f32;
    for period in 0..PERIODS {
        let (_, before) = bench.a.state()?.clone();
        let mut q = before.q_target.clone();
        q[0] = limits.upper + 1.0;
        let (_, state) = bench.step(q)?;
        ensure(state.refused.is_none(), || format!("refused: {:?}", state.refused))?;
        let (from, to) = (before.q_target[0], state.q_target[0]);
        ensure(to <= limits.upper + 1e-6, || format!("joint `{name}` is sent to {to}, its limit is {}", limits.upper))?;
        ensure((to - from).abs() <= step_rad * 1.001 + 1e-6, || {
            format!("joint `{name}` is sent from {from} to {to} in one period, {step_rad:.4} rad are allowed")
        })?;
        ensure(state.clip & 1 == 1, || format!("`clip` is {:#b} in period {period}", state.clip))?;
    }
    Ok(format!("{PERIODS} periods towards {:.2} rad, its limit is {:.2}", limits.upper + 1.0, limits.upper))
}
