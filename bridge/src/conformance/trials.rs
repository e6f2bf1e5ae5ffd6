//! Section 6 where it takes more than commands: the envelope against a joint that does not move, joints that do not do as told,
//! servos that do not let go. A simulated controller that grants `trials` has these go wrong.

use super::bench::{Bench, command_from, period_secs};
use super::handshake::NO_ENVELOPE;
use super::link::about;
use super::{Finding, Rule, Unmet, ensure};
use crate::clock::after;
use crate::fault::{Fault, FaultSet};
use crate::message::{
    Arm, ClearFault, Command, Estop, Granted, JointLimits, LOCKSTEP, Ping, REHEARSAL, State, Stop, TRIALS, Welcome,
};
use crate::watchdog::Mode;
use serde::Serialize;

/// Rounding of angles in single precision, rad.
const ROUNDING_RAD: f32 = 1e-4;
/// A joint may be wanted outside of the band, or stand there, for so long, s.
const AGAINST_SECS: f64 = 1.0;
/// So many releases are not confirmed in a trial: enough to be seen, not for long.
const RELEASES: u32 = 30;
/// They are over by then, s.
const RELEASED_SECS: f64 = 6.0;
/// How far beyond its range a joint is found in a trial, rad: more than the 0.2 of the protocol.
const BEYOND_RAD: f32 = 0.3;

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "lockstep-acceleration",
        section: "6",
        sentence: "envelope, step 3: steps grow by no more than the acceleration in force allows, and may always shrink",
        check: acceleration,
    },
    Rule {
        name: "lockstep-band",
        section: "6",
        sentence: "envelope, step 4: the target of a joint that does not move stays within `tracking_band` of it",
        check: |bench| afterwards_well(bench, band),
    },
    Rule {
        name: "lockstep-tracking",
        section: "6",
        sentence: "a joint wanted outside the band for more than 1 s of control periods latches TRACKING and holds",
        check: |bench| afterwards_well(bench, tracking),
    },
    Rule {
        name: "lockstep-limit-hard",
        section: "6",
        sentence: "a joint found 0.3 rad outside its range three times in a row latches LIMIT_HARD and holds",
        check: |bench| afterwards_well(bench, limit_hard),
    },
    Rule {
        name: "not-released",
        section: "6",
        sentence: "`stop` and `estop` of a hand that does not let go are answered NOT_RELEASED, naming the servo",
        check: |bench| afterwards_well(bench, not_released),
    },
    Rule {
        name: "releasing",
        section: "6",
        sentence: "until every servo has confirmed, states say `releasing` and BUS_ERROR; it is tried again without being asked",
        check: |bench| afterwards_well(bench, releasing),
    },
];

/// An episode in which something goes wrong.
#[derive(Serialize)]
struct Episode<'t> {
    seed: u64,
    trial: Asked<'t>,
}

/// What goes wrong.
#[derive(Serialize)]
struct Asked<'t> {
    joint: &'t str,
    jam: bool,
    beyond: f32,
    grip: u32,
}

impl<'t> Asked<'t> {
    fn of(joint: &'t str) -> Self {
        Self { joint, jam: false, beyond: 0.0, grip: 0 }
    }
}

fn grants(welcome: &Welcome, feature: &str) -> bool {
    welcome.grants.iter().any(|grant| grant == feature)
}

/// A session in lock-step in which things can be asked to go wrong.
fn session(bench: &mut Bench) -> Result<Welcome, Unmet> {
    let welcome = bench.lockstep_session(&[TRIALS])?;
    if !grants(&welcome, TRIALS) {
        return Err(Unmet::Skipped("`trials` is not granted: nothing can be made to go wrong".to_owned()));
    }
    Ok(welcome)
}

/// Starts an episode in which something goes wrong, and arms.
fn begin(bench: &mut Bench, trial: Asked<'_>) -> Result<(), Unmet> {
    let episode =
        rmp_serde::to_vec_named(&Episode { seed: 7, trial }).map_err(|error| Unmet::Failed(error.to_string()))?;
    bench.begin_lockstep(Some(&episode)).map_err(|unmet| about("an episode with a `trial`", unmet))
}

/// Asks, and leaves nothing behind of what went wrong.
fn afterwards_well(bench: &mut Bench, ask: fn(&mut Bench) -> Finding) -> Finding {
    let finding = ask(bench);
    // A fault whose cause is still there does not go; a trial ends with the next episode, which is not begun in `fault`.
    let _ = bench.a.ask(&ClearFault {});
    if bench.a.sid != 0 && bench.reset().is_ok() {
        let _ = bench.a.ask(&ClearFault {});
    }
    finding
}

/// The joint with the longest way to go from where it stands, the end of that way, and its limits.
fn longest_way(welcome: &Welcome, state: &State) -> Result<(usize, f32, JointLimits), Unmet> {
    let ways = welcome.joints.iter().zip(&state.q_target).enumerate().filter_map(|(joint, (name, &at))| {
        let limits = *welcome.limits.get(name)?;
        let far = if limits.upper - at > at - limits.lower { limits.upper } else { limits.lower };
        Some((joint, far, limits, (far - at).abs()))
    });
    let longest = ways.max_by(|a, b| a.3.total_cmp(&b.3));
    longest.map(|(joint, far, limits, _)| (joint, far, limits)).ok_or_else(|| Unmet::Failed("no limits".to_owned()))
}

fn has_envelope(welcome: &Welcome) -> Result<(), Unmet> {
    if grants(welcome, NO_ENVELOPE) {
        return Err(Unmet::Skipped("the controller says itself that it has no envelope".to_owned()));
    }
    Ok(())
}

/// One control period in which one joint is sent somewhere and the others stay.
fn send(bench: &mut Bench, joint: usize, to_rad: f32) -> Result<State, Unmet> {
    let (head, state) = bench.a.state()?.clone();
    let mut q = state.q_target.clone();
    q[joint] = to_rad;
    let command = Command { tick: state.tick.saturating_add(1), ..command_from(&head, &state, q) };
    let (_, state) = bench.step_with(&command)?;
    Ok(state)
}

fn acceleration(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[REHEARSAL, LOCKSTEP]);
    let period = 1.0 / hello.policy_hz as f32;
    for limits in hello.limits.values_mut() {
        // Four periods from rest to full speed, unless the hand is slower still.
        limits.acceleration = limits.acceleration.min(0.25 * limits.velocity / period);
    }
    let welcome = bench.session_of(&hello)?;
    if !grants(&welcome, LOCKSTEP) {
        return Err(Unmet::Skipped("`lockstep` is not granted: this hand is not simulated".to_owned()));
    }
    has_envelope(&welcome)?;
    bench.begin_lockstep(None)?;
    let start = bench.a.state()?.1.clone();
    let (joint, far, _) = longest_way(&welcome, &start)?;
    let name = &welcome.joints[joint];
    let growth = hello.limits.get(name).map_or(0.0, |limits| limits.acceleration * period * period);
    let (mut at, mut last) = (start.q_target[joint], 0.0_f32);
    let mut step = |bench: &mut Bench, to_rad: f32, what: &str| -> Result<f32, Unmet> {
        let state = send(bench, joint, to_rad)?;
        ensure(state.refused.is_none(), || format!("{what}: refused: {:?}", state.refused))?;
        let step = state.q_target[joint] - at;
        let (least, most) = ((last - growth).min(0.0), (last + growth).max(0.0));
        ensure((least - ROUNDING_RAD..=most + ROUNDING_RAD).contains(&step), || {
            format!(
                "{what}: joint `{name}` makes a step of {step:.4} rad after one of {last:.4}, allowed are {least:.4} to {most:.4}"
            )
        })?;
        (at, last) = (state.q_target[joint], step);
        Ok(step)
    };
    let mut longest = 0.0_f32;
    for _ in 0..3 {
        longest = longest.max(step(bench, far, "setting out")?.abs());
    }
    ensure(longest > 0.5 * growth, || format!("joint `{name}` does not set out: steps of {longest:.4} rad"))?;
    let stop = bench.a.state()?.1.q_target[joint];
    let braked = step(bench, stop, "braking")?;
    ensure(braked == 0.0, || format!("told to stay where it is, joint `{name}` goes on by {braked:.4} rad"))?;
    step(bench, start.q_target[joint], "turning back")?;
    Ok(format!("steps grow by {growth:.4} rad at most, and end at once"))
}

/// An episode in which the joint with the longest way is jammed; the joint, the end of its way, and the band.
fn jammed(bench: &mut Bench) -> Result<(Welcome, usize, f32, f32), Unmet> {
    let welcome = session(bench)?;
    has_envelope(&welcome)?;
    let Some(band) = welcome.tracking_band else {
        return Err(Unmet::Skipped("the welcome does not say `tracking_band`".to_owned()));
    };
    bench.reset()?;
    let (joint, _, _) = longest_way(&welcome, &bench.a.state()?.1)?;
    begin(bench, Asked { jam: true, ..Asked::of(&welcome.joints[joint]) })?;
    let state = bench.a.state()?.1.clone();
    let limits = welcome.limits.get(&welcome.joints[joint]).copied();
    let at = state.q[joint];
    let far =
        limits.map_or(at, |limits| if limits.upper - at > at - limits.lower { limits.upper } else { limits.lower });
    if (far - at).abs() < 1.2 * band {
        return Err(Unmet::Skipped("no joint can be wanted that far from where it stands".to_owned()));
    }
    Ok((welcome, joint, far, band))
}

/// Control periods after which a joint sent far away is at the band.
fn periods_to_band(welcome: &Welcome, joint: usize, band: f32) -> f64 {
    let limits = welcome.limits.get(&welcome.joints[joint]);
    let secs = limits.map_or(0.0, |limits| band / limits.velocity + limits.velocity / limits.acceleration);
    (f64::from(secs) / period_secs(welcome)).ceil()
}

fn band(bench: &mut Bench) -> Finding {
    let (welcome, joint, far, band) = jammed(bench)?;
    let name = &welcome.joints[joint];
    let (mut last, mut reached) = (bench.a.state()?.1.clone(), 0.0_f32);
    for _ in 0..periods_to_band(&welcome, joint, band) as u32 + 4 {
        let state = send(bench, joint, far)?;
        ensure(state.refused.is_none(), || format!("refused: {:?}", state.refused))?;
        ensure(state.q[joint].to_bits() == last.q[joint].to_bits(), || {
            format!("joint `{name}` was to be jammed, and moves")
        })?;
        let away = (state.q_target[joint] - last.q[joint]).abs();
        ensure(away <= band + ROUNDING_RAD, || {
            format!(
                "joint `{name}` stands at {:.3} rad and is sent {away:.3} rad away, the band is {band:.3}",
                last.q[joint]
            )
        })?;
        reached = reached.max(away);
        last = state;
    }
    ensure(reached > 0.9 * band, || {
        format!("joint `{name}` is sent {reached:.3} rad away only, the band is {band:.3}")
    })?;
    ensure(last.clip >> joint & 1 == 1, || format!("`clip` is {:#b}, joint {joint} was altered", last.clip))?;
    Ok(format!("joint `{name}` jammed, its target {reached:.3} rad away at most"))
}

fn tracking(bench: &mut Bench) -> Finding {
    let (welcome, joint, far, band) = jammed(bench)?;
    let name = &welcome.joints[joint];
    let against = AGAINST_SECS / period_secs(&welcome);
    let most = (periods_to_band(&welcome, joint, band) + against).ceil() as u32 + 5;
    for period in 1..=most {
        let state = send(bench, joint, far)?;
        if state.mode == "active" {
            continue;
        }
        ensure(f64::from(period) >= against, || {
            format!("mode `{}` after {period} periods: {}", state.mode, state.why)
        })?;
        ensure(state.mode == "hold" && FaultSet::from_bits(state.fault).holds(Fault::Tracking), || {
            format!("joint `{name}` does not move: mode `{}`, fault {:#x}: {}", state.mode, state.fault, state.why)
        })?;
        bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED"])?;
        return Ok(format!("held after {period} control periods: {}", state.why));
    }
    Err(Unmet::Failed(format!("joint `{name}` does not move, and after {most} control periods nothing is said of it")))
}

fn limit_hard(bench: &mut Bench) -> Finding {
    let welcome = session(bench)?;
    let name = &welcome.joints[0];
    begin(bench, Asked { beyond: BEYOND_RAD, ..Asked::of(name) })?;
    for period in 1..=4 {
        let state = bench.a.state()?.1.clone();
        let state = send(bench, 0, state.q_target[0])?;
        if state.mode == "active" {
            continue;
        }
        ensure(period > 1, || format!("mode `{}` after one reading, which may have gone wrong", state.mode))?;
        ensure(state.mode == "hold" && FaultSet::from_bits(state.fault).holds(Fault::LimitHard), || {
            format!("joint `{name}` out of range: mode `{}`, fault {:#x}: {}", state.mode, state.fault, state.why)
        })?;
        bench.a.ask(&Arm {})?.refused("error", &["FAULT_LATCHED"])?;
        return Ok(format!("held after {period} control periods: {}", state.why));
    }
    Err(Unmet::Failed(format!("joint `{name}` is found {BEYOND_RAD} rad beyond its range, and nothing is said of it")))
}

/// A hand that follows, and will not let go.
fn gripping(bench: &mut Bench) -> Result<String, Unmet> {
    let welcome = session(bench)?;
    let name = welcome.joints[0].clone();
    begin(bench, Asked { grip: RELEASES, ..Asked::of(&name) })?;
    let at = bench.a.state()?.1.q_target[0];
    let state = send(bench, 0, at)?;
    ensure(state.mode == "active", || format!("mode `{}`: {}", state.mode, state.why))?;
    Ok(name)
}

/// Waits until it has let go, and clears what that left.
fn let_go(bench: &mut Bench) -> Result<(), Unmet> {
    let what = "torque off, after it was tried again and again";
    bench.a.await_state(what, RELEASED_SECS, |_, state| matches!(state.mode.as_str(), "fault" | "estop"))?;
    let cleared: Granted = bench.a.ask(&ClearFault {})?.body()?;
    ensure((cleared.mode.as_str(), cleared.fault) == ("off", 0), || {
        format!("mode `{}`, fault {:#x} after clear_fault", cleared.mode, cleared.fault)
    })
}

fn not_released(bench: &mut Bench) -> Finding {
    let mut words = String::new();
    for emergency in [false, true] {
        let name = gripping(bench)?;
        let answer = if emergency { bench.b.ask_of(0, &Estop {})? } else { bench.b.ask_of(0, &Stop {})? };
        words = answer.refused("error", &["NOT_RELEASED"])?;
        ensure(words.contains(&name), || format!("`detail` does not name the servo of joint `{name}`: {words}"))?;
        let_go(bench)?;
        bench.leave();
    }
    Ok(words)
}

fn releasing(bench: &mut Bench) -> Finding {
    gripping(bench)?;
    bench.a.forget();
    bench.a.ask(&Stop {})?;
    let deadline = after(bench.a.now(), RELEASED_SECS);
    let mut seen = 0;
    while !bench.a.is_over(deadline) {
        bench.a.ask(&Ping {})?;
        bench.a.listen(0.02);
        let states = std::mem::take(&mut bench.a.states);
        for (_, state) in &states {
            let is_set = FaultSet::from_bits(state.fault).holds(Fault::BusError);
            match state.mode.as_str() {
                mode if mode == Mode::Releasing.name() => {
                    ensure(is_set, || format!("`releasing` without BUS_ERROR: fault {:#x}", state.fault))?;
                    seen += 1;
                }
                "fault" if seen > 0 => {
                    ensure(is_set, || "BUS_ERROR is not latched any more".to_owned())?;
                    let_go(bench)?;
                    return Ok(format!("{seen} states in `releasing`, then `fault`"));
                }
                other => return Err(Unmet::Failed(format!("mode `{other}` while a servo does not let go"))),
            }
        }
    }
    Err(Unmet::Failed(format!("still `releasing` after {RELEASED_SECS} s: is it tried again?")))
}
