//! Section 4: what is held, and what an onlooker is told.

use super::bench::{Bench, STATE_SECS};
use super::handshake::NO_ENVELOPE;
use super::link::about;
use super::{Finding, Rule, Unmet, ensure};
use crate::message::{Granted, HOMING, Hello, Hold, LOCKSTEP, OBJECT_POSE, Ping, REHEARSAL, Role, TRIALS, Welcome};

/// What nobody holds.
const NO_OBJECT: &str = "hl-teapot";

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "object",
        section: "4",
        sentence: "a policy for another object than the one held is refused with OBJECT_MISMATCH, naming both",
        check: object,
    },
    Rule {
        name: "observer-terms",
        section: "4",
        sentence: "an observer is told the limits in force, and granted nothing that only a commander can use",
        check: observer_terms,
    },
    Rule {
        name: "hold-without-torque",
        section: "6",
        sentence: "`hold` where there is no torque is answered `ok` and changes nothing",
        check: hold_without_torque,
    },
];

fn object(bench: &mut Bench) -> Finding {
    let plain = bench.hello(&[OBJECT_POSE]);
    let welcome: Welcome = bench.greet(&plain)?.body()?;
    bench.leave();
    let Some(held) = welcome.object else {
        return Err(Unmet::Skipped("the controller does not say what is held".to_owned()));
    };
    let other = Hello { object: Some(NO_OBJECT.to_owned()), ..plain.clone() };
    let detail = bench.greet(&other)?.refused("reject", &["OBJECT_MISMATCH"])?;
    ensure(detail.contains(NO_OBJECT) && detail.contains(&held), || {
        format!("`detail` does not name `{NO_OBJECT}` and `{held}`: {detail}")
    })?;
    bench.leave();
    let right = Hello { object: Some(held.clone()), ..plain };
    let welcome = bench.session_of(&right).map_err(|unmet| about(&format!("a policy for `{held}`"), unmet))?;
    if welcome.grants.iter().any(|grant| grant == OBJECT_POSE) {
        bench.a.ask(&Ping {})?;
        bench.a.listen(0.1);
        let odd = bench.a.poses.iter().find(|(_, pose)| pose.object != held);
        ensure(odd.is_none(), || {
            format!("the welcome says `{held}`, poses are of {:?}", odd.map(|(_, pose)| &pose.object))
        })?;
    }
    Ok(detail)
}

fn observer_terms(bench: &mut Bench) -> Finding {
    let mut narrow = bench.hello(&[]);
    for limits in narrow.limits.values_mut() {
        limits.velocity *= 0.5;
    }
    let commander = bench.session_of(&narrow)?;
    let wants = [REHEARSAL, LOCKSTEP, OBJECT_POSE, HOMING, TRIALS];
    let hello = Hello { role: Role::Observer, ..bench.hello(&wants) };
    let observer: Welcome = bench.b.ask_of(0, &hello)?.body()?;
    for (name, in_force) in &commander.limits {
        let told = observer.limits.get(name);
        ensure(told == Some(in_force), || {
            format!("joint `{name}`: in force is {in_force:?}, an observer is told {told:?}")
        })?;
    }
    let in_force = |grant: &String| match grant.as_str() {
        OBJECT_POSE | NO_ENVELOPE => true,
        LOCKSTEP => commander.grants.contains(grant),
        _ => false,
    };
    let odd: Vec<&String> = observer.grants.iter().filter(|grant| !in_force(grant)).collect();
    ensure(odd.is_empty(), || format!("an observer is granted {odd:?}, which only a commander can use"))?;
    Ok(format!("the commander's limits; granted {:?}", observer.grants))
}

fn hold_without_torque(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let before = bench.a.state()?.1.mode.clone();
    if before != "off" {
        return Err(Unmet::Skipped(format!("the mode is `{before}`")));
    }
    let granted: Granted = bench.a.ask(&Hold {})?.body()?;
    ensure(granted.mode == before, || format!("the reply says mode `{}`, before it was `{before}`", granted.mode))?;
    bench.a.listen(0.1);
    let (_, state) = bench.a.await_state("a state after `hold`", STATE_SECS, |_, _| true)?;
    ensure(state.mode == before, || format!("mode `{}` after `hold` in `{before}`", state.mode))?;
    Ok(format!("`ok`, and `{before}` as before"))
}
