//! Section 4: who is let in, on which terms, and who is not.

use super::bench::{Bench, SOFTWARE};
use super::link::about;
use super::{Finding, Rule, Unmet, ensure};
use crate::handshake::Objection;
use crate::kinematics::{compare, compare_tips, describe, description_hash, tips_at};
use crate::message::{Arm, Bye, Granted, Hello, Ping, Role, Welcome};
use std::collections::BTreeSet;

/// A lease longer than this is not waited for, ms.
const LONGEST_LEASE_MS: u64 = 4000;
/// A controller may grant this unasked: it says that nothing stands between commands and motors.
pub(super) const NO_ENVELOPE: &str = "no-envelope";

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "welcome",
        section: "4",
        sentence: "a hello of the right hand is answered by a complete `welcome` with a session that is not 0",
        check: welcome,
    },
    Rule {
        name: "joints",
        section: "4",
        sentence: "`joints`, `limits` and the description name the same joints, each once",
        check: joints,
    },
    Rule {
        name: "limits",
        section: "4",
        sentence: "limits in force lie inside the range of motion and what the policy asked for",
        check: limits,
    },
    Rule {
        name: "timers",
        section: "4",
        sentence: "rates, timers and tolerances are positive, `safe_action` is a known one",
        check: timers,
    },
    Rule {
        name: "description",
        section: "4",
        sentence: "the controller describes the same hand, and `desc_hash` is that of its numbers",
        check: description,
    },
    Rule {
        name: "own-numbers",
        section: "4",
        sentence: "the controller answers with its own description and fingertips, not with the policy's",
        check: own_numbers,
    },
    Rule { name: "grants", section: "4", sentence: "only wanted features are granted", check: grants },
    Rule {
        name: "other-joints",
        section: "4",
        sentence: "a hand with a joint renamed is ROBOT_MISMATCH, naming the joint",
        check: other_joints,
    },
    Rule {
        name: "swapped-joints",
        section: "4",
        sentence: "a hand with two joints swapped is ROBOT_MISMATCH, naming one of them",
        check: swapped_joints,
    },
    Rule {
        name: "flipped-sign",
        section: "4",
        sentence: "a hand with the sign of a joint flipped is ROBOT_MISMATCH, naming the joint",
        check: flipped_sign,
    },
    Rule {
        name: "shifted-zero",
        section: "4",
        sentence: "a hand with the zero of a joint shifted is ROBOT_MISMATCH, naming the joint",
        check: shifted_zero,
    },
    Rule {
        name: "moved-tip",
        section: "4",
        sentence: "a fingertip 1 mm elsewhere is ROBOT_MISMATCH, naming the tip",
        check: moved_tip,
    },
    Rule {
        name: "test-vector",
        section: "4",
        sentence: "a test vector whose fingertips are elsewhere is ROBOT_MISMATCH, naming the tip",
        check: test_vector,
    },
    Rule { name: "rate", section: "4", sentence: "`policy_hz` more than 1 % off is refused with RATE", check: rate },
    Rule {
        name: "empty-limits",
        section: "4",
        sentence: "an empty interval, or a rate that is not positive, is refused with LIMITS",
        check: empty_limits,
    },
    Rule {
        name: "lease-held",
        section: "4",
        sentence: "a second commander gets LEASE_HELD with the holder's software; the first is unaffected",
        check: lease_held,
    },
    Rule { name: "bye-frees", section: "4", sentence: "`bye` frees the lease", check: bye_frees },
    Rule {
        name: "lease-ends",
        section: "4",
        sentence: "a ping renews the lease; `lease_ms` after the last message another commander may take over",
        check: lease_ends,
    },
    Rule {
        name: "new-session",
        section: "4",
        sentence: "every session has a number never used before, and voids the old one",
        check: new_session,
    },
    Rule {
        name: "observer",
        section: "4",
        sentence: "an observer is let in besides a commander, gets its session's number, and no lease",
        check: observer,
    },
    Rule {
        name: "arm-unready",
        section: "6",
        sentence: "`arm` without a stream of commands is refused with NOT_READY, or for want of calibration",
        check: arm_unready,
    },
];

fn greeted(bench: &mut Bench) -> Result<Welcome, Unmet> {
    let hello = bench.hello(&[]);
    bench.greet(&hello)?.body()
}

fn welcome(bench: &mut Bench) -> Finding {
    let welcome = greeted(bench)?;
    ensure(bench.a.sid != 0, || "the session is 0".to_owned())?;
    Ok(format!("{}, mode `{}`", welcome.software, welcome.mode))
}

fn joints(bench: &mut Bench) -> Finding {
    let welcome = greeted(bench)?;
    let ours: BTreeSet<&str> = bench.robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    let order: BTreeSet<&str> = welcome.joints.iter().map(String::as_str).collect();
    ensure(order == ours && welcome.joints.len() == ours.len(), || {
        format!("`joints` is {:?}, expected {ours:?} in any order", welcome.joints)
    })?;
    let limits: BTreeSet<&str> = welcome.limits.keys().map(String::as_str).collect();
    ensure(limits == ours, || format!("`limits` is of {limits:?}, expected {ours:?}"))?;
    let described: BTreeSet<&str> = welcome.robot.joints.keys().map(String::as_str).collect();
    ensure(described == ours, || format!("`robot.joints` is of {described:?}, expected {ours:?}"))?;
    Ok(format!("{} joints", ours.len()))
}

fn limits(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    // Narrower than the hand, so that echoing its own limits is seen.
    for limits in hello.limits.values_mut() {
        let inset = 0.1 * (limits.upper - limits.lower);
        (limits.lower, limits.upper) = (limits.lower + inset, limits.upper - inset);
        limits.velocity *= 0.5;
    }
    let welcome: Welcome = bench.greet(&hello)?.body()?;
    for (name, asked) in &hello.limits {
        let Some(found) = welcome.limits.get(name) else {
            return Err(Unmet::Failed(format!("no limits of joint `{name}`")));
        };
        let inside = found.lower >= asked.lower - 1e-6
            && found.upper <= asked.upper + 1e-6
            && found.lower < found.upper
            && found.velocity > 0.0
            && found.velocity <= asked.velocity * 1.000_01
            && found.acceleration > 0.0
            && found.acceleration <= asked.acceleration * 1.000_01;
        ensure(inside, || format!("joint `{name}`: {found:?} is not within what was asked, {asked:?}"))?;
        let range = welcome.robot.joints.get(name).map(|joint| (joint.lower, joint.upper));
        let kept = range.is_some_and(|(lower, upper)| found.lower >= lower - 1e-6 && found.upper <= upper + 1e-6);
        ensure(kept, || format!("joint `{name}`: {found:?} is beyond its range of motion {range:?}"))?;
    }
    Ok("the intersection, joint by joint".to_owned())
}

fn timers(bench: &mut Bench) -> Finding {
    let welcome = greeted(bench)?;
    let timers = [
        ("lease_ms", welcome.lease_ms),
        ("max_age_ms", welcome.max_age_ms),
        ("hold_ms", welcome.hold_ms),
        ("relax_ms", welcome.relax_ms),
        ("off_ms", welcome.off_ms),
        ("rearm_ms", welcome.rearm_ms),
        ("stream_ms", welcome.stream_ms),
    ];
    for (name, value) in timers {
        ensure((1..=86_400_000).contains(&value), || format!("{name} is {value}"))?;
    }
    let own_hz = 1.0 / f64::from(bench.robot.control.period_secs);
    ensure((welcome.policy_hz / own_hz - 1.0).abs() < 0.011, || format!("policy_hz is {}", welcome.policy_hz))?;
    ensure(welcome.state_hz > 0.0, || format!("state_hz is {}", welcome.state_hz))?;
    ensure(welcome.start_tol > 0.0, || format!("start_tol is {}", welcome.start_tol))?;
    ensure(["last_target", "measured"].contains(&welcome.safe_action.as_str()), || {
        format!("safe_action is `{}`", welcome.safe_action)
    })?;
    Ok(format!("hold after {} ms, lease {} ms, {:.0} states/s", welcome.hold_ms, welcome.lease_ms, welcome.state_hz))
}

fn description(bench: &mut Bench) -> Finding {
    let welcome = greeted(bench)?;
    compare(&describe(&bench.robot), &welcome.robot).map_err(Unmet::Failed)?;
    let hash = description_hash(&welcome.robot.joints, &welcome.robot.tips);
    ensure(hash == welcome.robot.desc_hash, || {
        format!("desc_hash is {}, its own numbers give {hash}", welcome.robot.desc_hash)
    })?;
    Ok(format!("{}, {}…", welcome.robot.name, &hash[..12]))
}

fn own_numbers(bench: &mut Bench) -> Finding {
    let first = greeted(bench)?;
    bench.a.ask(&Bye {})?;
    let mut hello = bench.hello(&[]);
    // A different test pose, and a hand that differs within every tolerance: 0.2 mm, 0.3 mrad.
    for joint in hello.robot.joints.values_mut() {
        joint.point[1] += 2e-4;
        joint.upper += 3e-4;
    }
    for tip in hello.robot.tips.values_mut() {
        tip.point[1] += 2e-4;
    }
    for angle in hello.test_vector.q.values_mut() {
        *angle *= 0.9;
    }
    let own = tips_at(&bench.robot, &hello.test_vector.q).unwrap_or_default();
    hello.test_vector.tips = own.clone();
    hello.test_vector.tips.values_mut().for_each(|tip| tip[1] += 8e-4);
    let second: Welcome = bench.greet(&hello)?.body()?;
    let same = first.robot.joints == second.robot.joints && first.robot.tips == second.robot.tips;
    ensure(same, || "its description changes with the policy's".to_owned())?;
    ensure(second.test_vector.q == hello.test_vector.q, || "`test_vector.q` is not the hello's".to_owned())?;
    ensure(second.test_vector.tips != hello.test_vector.tips, || {
        "`test_vector.tips` repeats the policy's numbers instead of its own".to_owned()
    })?;
    compare_tips(&own, &second.test_vector.tips).map_err(Unmet::Failed)?;
    Ok("the same description to two hands, and its own forward kinematics".to_owned())
}

fn grants(bench: &mut Bench) -> Finding {
    let hello = bench.hello(&[]);
    let none: Welcome = bench.greet(&hello)?.body()?;
    bench.a.ask(&Bye {})?;
    let hello_all = bench.hello(&["rehearsal", "lockstep", "object_pose"]);
    let all: Welcome = bench.greet(&hello_all)?.body()?;
    for (hello, welcome) in [(&hello, &none), (&hello_all, &all)] {
        let extra = welcome.grants.iter().find(|grant| !hello.wants.contains(grant) && *grant != NO_ENVELOPE);
        ensure(extra.is_none(), || format!("it grants {extra:?}, wanted was {:?}", hello.wants))?;
    }
    Ok(format!("{:?}", all.grants))
}

/// A hello that must be refused with one of `codes` in words that name one of `names`.
fn refused(bench: &mut Bench, hello: &Hello, codes: &[&str], names: &[&str]) -> Finding {
    let answer = bench.greet(hello)?;
    let detail = answer.refused("reject", codes)?;
    ensure(names.is_empty() || names.iter().any(|name| detail.contains(name)), || {
        format!("`detail` names none of {names:?}: {detail}")
    })?;
    Ok(detail)
}

const MISMATCH: &[&str] = &["ROBOT_MISMATCH"];

fn other_joints(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let name = bench.robot.joints[0].name.clone();
    let Some(joint) = hello.robot.joints.remove(&name) else { return Ok(String::new()) };
    hello.robot.joints.insert("hl_nobody".to_owned(), joint);
    refused(bench, &hello, MISMATCH, &["hl_nobody", &name])
}

/// Two joints whose axes lie so differently that swapping them must be seen.
fn two_joints(hello: &Hello) -> Option<(String, String)> {
    let joints: Vec<_> = hello.robot.joints.iter().collect();
    let pairs =
        joints.iter().enumerate().flat_map(|(i, first)| joints[i + 1..].iter().map(move |second| (*first, *second)));
    let apart = |a: &[f32; 3], b: &[f32; 3]| a.iter().zip(b).any(|(x, y)| (x - y).abs() > 0.01);
    let mut differ = pairs.filter(|((_, a), (_, b))| apart(&a.axis, &b.axis) || apart(&a.point, &b.point));
    differ.next().map(|((a, _), (b, _))| (a.clone(), b.clone()))
}

fn swapped_joints(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let Some((a, b)) = two_joints(&hello) else {
        return Err(Unmet::Skipped("this hand has no two joints that differ".to_owned()));
    };
    let joints = &mut hello.robot.joints;
    if let (Some(first), Some(second)) = (joints.remove(&a), joints.remove(&b)) {
        joints.insert(a.clone(), second);
        joints.insert(b.clone(), first);
    }
    refused(bench, &hello, MISMATCH, &[&a, &b])
}

fn flipped_sign(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let name = bench.robot.joints[0].name.clone();
    if let Some(joint) = hello.robot.joints.get_mut(&name) {
        joint.axis = joint.axis.map(|component| -component);
    }
    refused(bench, &hello, MISMATCH, &[&name])
}

fn shifted_zero(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let name = bench.robot.joints[0].name.clone();
    if let Some(joint) = hello.robot.joints.get_mut(&name) {
        joint.lower += 0.05;
        joint.upper += 0.05;
    }
    refused(bench, &hello, MISMATCH, &[&name])
}

fn moved_tip(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let Some((name, tip)) = hello.robot.tips.iter_mut().next() else {
        return Err(Unmet::Skipped("this hand has no fingertips".to_owned()));
    };
    tip.point[0] += 1e-3;
    let name = name.clone();
    refused(bench, &hello, MISMATCH, &[&name])
}

fn test_vector(bench: &mut Bench) -> Finding {
    let mut hello = bench.hello(&[]);
    let Some((name, tip)) = hello.test_vector.tips.iter_mut().next() else {
        return Err(Unmet::Skipped("this hand has no fingertips".to_owned()));
    };
    tip[2] += 3e-3;
    let name = name.clone();
    refused(bench, &hello, MISMATCH, &[&name])
}

fn rate(bench: &mut Bench) -> Finding {
    let fine = bench.hello(&[]);
    for factor in [1.5, 0.5, 1.02] {
        let hello = Hello { policy_hz: fine.policy_hz * factor, ..fine.clone() };
        refused(bench, &hello, &["RATE"], &[]).map_err(|unmet| about(&format!("{factor} times the rate"), unmet))?;
    }
    let near = Hello { policy_hz: fine.policy_hz * 1.005, ..fine };
    bench.greet(&near)?.body::<Welcome>().map_err(|unmet| about("0.5 % off", unmet))?;
    Ok("2 %, 50 % refused, 0.5 % let in".to_owned())
}

fn empty_limits(bench: &mut Bench) -> Finding {
    let name = bench.robot.joints[0].name.clone();
    let range = bench.robot.joints[0].position_limits_rad;
    let mut seen = String::new();
    for what in ["nothing in common", "upper below lower", "no velocity", "negative acceleration"] {
        let mut hello = bench.hello(&[]);
        if let Some(limits) = hello.limits.get_mut(&name) {
            match what {
                "nothing in common" => (limits.lower, limits.upper) = (range.upper + 0.5, range.upper + 1.0),
                "upper below lower" => (limits.lower, limits.upper) = (limits.upper, limits.lower),
                "no velocity" => limits.velocity = 0.0,
                _ => limits.acceleration = -1.0,
            }
        }
        seen = refused(bench, &hello, &["LIMITS"], &[&name]).map_err(|unmet| about(what, unmet))?;
    }
    Ok(seen)
}

fn lease_held(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let hello = bench.hello(&[]);
    let answer = bench.b.ask_of(0, &hello)?;
    if answer.head.t == "welcome" {
        bench.b.sid = answer.head.sid;
    }
    let detail = answer.refused("reject", &["LEASE_HELD"])?;
    ensure(detail.contains(SOFTWARE), || format!("`detail` does not name the holder `{SOFTWARE}`: {detail}"))?;
    let kept = bench.a.ask(&crate::message::Hold {})?;
    kept.body::<Granted>().map_err(|unmet| about("the first commander afterwards", unmet))?;
    Ok(detail)
}

fn bye_frees(bench: &mut Bench) -> Finding {
    // Sessions of this check have ended with `bye` already, so its own lease in the way is a finding, too.
    bench.session(&[]).map_err(|unmet| match unmet {
        Unmet::Skipped(why) if why.contains("LEASE_HELD") => Unmet::Failed(why),
        other => other,
    })?;
    bench.a.ask(&Bye {})?.body::<Granted>()?;
    bench.a.sid = 0;
    let hello = bench.hello(&[]);
    let answer = bench.b.ask_of(0, &hello)?;
    bench.b.sid = if answer.head.t == "welcome" { answer.head.sid } else { 0 };
    answer.body::<Welcome>()?;
    Ok("another commander was let in at once".to_owned())
}

fn lease_ends(bench: &mut Bench) -> Finding {
    let welcome = bench.session(&[])?;
    if welcome.lease_ms > LONGEST_LEASE_MS {
        return Err(Unmet::Skipped(format!("the lease is {} ms, too long to wait for", welcome.lease_ms)));
    }
    let lease_secs = welcome.lease_ms as f64 * 1e-3;
    bench.a.listen(0.6 * lease_secs);
    bench.a.ask(&Ping {})?;
    bench.a.listen(0.6 * lease_secs);
    let hello = bench.hello(&[]);
    let early = bench.b.ask_of(0, &hello)?;
    bench.b.sid = if early.head.t == "welcome" { early.head.sid } else { 0 };
    early.refused("reject", &["LEASE_HELD"]).map_err(|unmet| about("a ping did not renew the lease", unmet))?;
    bench.a.listen(0.4 * lease_secs + 0.1);
    let late = bench.b.ask_of(0, &hello)?;
    bench.b.sid = if late.head.t == "welcome" { late.head.sid } else { 0 };
    late.body::<Welcome>().map_err(|unmet| about("after the lease", unmet))?;
    bench.a.ask(&Arm {})?.refused("error", &["NOT_COMMANDER"])?;
    bench.a.sid = 0;
    Ok(format!("taken over after {} ms", welcome.lease_ms))
}

fn new_session(bench: &mut Bench) -> Finding {
    let mut numbers = BTreeSet::new();
    for _ in 0..4 {
        greeted(bench)?;
        let sid = bench.a.sid;
        ensure(numbers.insert(sid), || format!("session {sid} was given twice"))?;
        bench.a.ask(&Bye {})?.body::<Granted>()?;
        bench.a.ask(&Arm {})?.refused("error", &["NOT_COMMANDER"]).map_err(|unmet| about("after `bye`", unmet))?;
    }
    greeted(bench)?;
    for old in numbers {
        bench.b.ask_of(old, &Arm {})?.refused("error", &["NOT_COMMANDER"])?;
    }
    Ok("5 sessions, 5 numbers".to_owned())
}

fn observer(bench: &mut Bench) -> Finding {
    let hello = Hello { role: Role::Observer, ..bench.hello(&[]) };
    let answer = bench.b.ask_of(0, &hello)?;
    answer.body::<Welcome>()?;
    ensure(answer.head.sid == 0, || format!("without a session an observer is told {}", answer.head.sid))?;
    bench.b.ask_of(0, &Arm {})?.refused("error", &["NOT_COMMANDER"])?;
    bench.session(&[]).map_err(|unmet| about("a commander, while an observer is there", unmet))?;
    let answer = bench.b.ask_of(0, &hello)?;
    answer.body::<Welcome>().map_err(|unmet| about("an observer besides a commander", unmet))?;
    let (told, sid) = (answer.head.sid, bench.a.sid);
    ensure(told == sid, || format!("an observer is told session {told}, in force is {sid}"))?;
    bench
        .a
        .ask(&crate::message::Hold {})?
        .body::<Granted>()
        .map_err(|unmet| about("the commander afterwards", unmet))?;
    Ok("let in twice, without a lease".to_owned())
}

fn arm_unready(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let mode = bench.a.state()?.1.mode.clone();
    if !matches!(mode.as_str(), "off" | "hold" | "relax") {
        return Err(Unmet::Skipped(format!("the mode is `{mode}`, from which `arm` may be granted at once")));
    }
    let Objection { code, detail } = match bench.a.ask(&Arm {})?.refusal() {
        Some((code, detail)) => Objection { code, detail },
        None => {
            // It follows now, or thinks so: back to where it was.
            let back = if mode == "off" { bench.a.ask(&crate::message::Stop {}) } else { bench.a.ask(&Bye {}) };
            drop(back);
            return Err(Unmet::Failed(format!("granted from `{mode}` although no command was ever sent")));
        }
    };
    // A hand that nobody calibrated, or that has a fault, is refused for that.
    let refused = ["NOT_READY", "NOT_CALIBRATED", "FAULT_LATCHED"].contains(&code.as_str());
    ensure(refused, || format!("expected NOT_READY, NOT_CALIBRATED or FAULT_LATCHED, got {code}: {detail}"))?;
    Ok(detail)
}
