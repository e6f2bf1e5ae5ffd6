//! Section 6, said and done: what a reply and a state say of the motors is so.

use super::bench::{Bench, STATE_SECS};
use super::link::about;
use super::{Finding, Rule, ensure};
use crate::fault::{Fault, FaultSet};
use crate::message::{Bye, Granted, Ping, State, Stop};
use crate::watchdog::Mode;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "stop-claims",
        section: "6",
        sentence: "`ok` to `stop` comes when torque is off, and the next state says so; else NOT_RELEASED and `releasing`",
        check: stop_claims,
    },
    Rule {
        name: "bye-holds",
        section: "3",
        sentence: "`bye` ends the session and holds the hand: reply and next state say `hold`, of session 0",
        check: bye_holds,
    },
];

fn stop_claims(bench: &mut Bench) -> Finding {
    bench.activate_somehow()?;
    let answer = bench.a.ask(&Stop {})?;
    bench.a.forget();
    bench.a.ask(&Ping {})?;
    bench.a.listen(0.05);
    let said = answer.head.ts;
    let (_, state) = bench.a.await_state("a state after the reply", STATE_SECS, |head, _| head.ts >= said)?;
    if let Some((code, detail)) = answer.refusal() {
        return honest_refusal(&code, detail, &state);
    }
    let granted: Granted = answer.body()?;
    ensure(granted.mode == "off", || format!("`ok` to `stop` with mode `{}`", granted.mode))?;
    // States come on another socket: one of before the reply may come after it. Both stamps are the controller's.
    let odd = bench.a.states.iter().find(|(head, state)| head.ts >= answer.head.ts && state.mode != "off");
    ensure(odd.is_none(), || format!("`stop` was answered `ok`, a state after it is in mode `{}`", state.mode))?;
    ensure(state.q_target == state.q, || format!("q {:?}, q_target {:?} without torque", state.q, state.q_target))?;
    Ok("`off` in the reply and in the next state".to_owned())
}

/// A hand that does not let go is in trouble; its controller is not, if it says so.
fn honest_refusal(code: &str, detail: String, state: &State) -> Finding {
    ensure(code == "NOT_RELEASED" && !detail.is_empty(), || format!("`stop` was refused: {code}: {detail}"))?;
    ensure(state.mode == Mode::Releasing.name(), || format!("NOT_RELEASED, and the mode is `{}`", state.mode))?;
    ensure(FaultSet::from_bits(state.fault).holds(Fault::BusError), || format!("fault {:#x}", state.fault))?;
    Ok(format!("torque does not come off, and that is what it says: {detail}"))
}

fn bye_holds(bench: &mut Bench) -> Finding {
    bench.activate_somehow()?;
    let granted: Granted = bench.a.ask(&Bye {})?.body()?;
    bench.a.sid = 0;
    ensure(granted.mode == "hold", || format!("mode `{}` in the reply to `bye`", granted.mode))?;
    let held = |state: &State| matches!(state.mode.as_str(), "hold" | "relax");
    let (_, state) = bench
        .b
        .await_state("a state without a session", STATE_SECS, |head, _| head.sid == 0)
        .map_err(|unmet| about("after `bye`", unmet))?;
    ensure(held(&state), || format!("mode `{}` after `bye`", state.mode))?;
    ensure(!state.why.is_empty(), || "no `why`".to_owned())?;
    Ok(format!("`{}`: {}", state.mode, state.why))
}
