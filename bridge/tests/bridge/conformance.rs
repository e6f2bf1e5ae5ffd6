//! The check must pass a controller that keeps the rules, and name the rule that another one breaks.

use crate::breakages::MORE;
use crate::controller::{Controller, await_that, clock, endpoint, never};
use crate::hand::small_hand;
use crate::saboteur::{Change, Saboteur, Way, edit, kind};
use giraffe_bridge::ClientSecurity;
use giraffe_bridge::conformance::{CheckError, CheckOptions, CheckReport, Verdict, check, rule_names};
use giraffe_bridge::message::{
    ByName, Command, Granted, Hello, JointDescription, Pong, Reject, RobotDescription, Role, State, TestVector, Welcome,
};
use giraffe_bridge::wire::{decode, encode};
use std::sync::atomic::Ordering;

const LOCAL: ClientSecurity = ClientSecurity::LocalOnly;

fn run(endpoint: &str, only: &[&str]) -> Result<CheckReport, CheckError> {
    let only = only.iter().map(|&name| name.to_owned()).collect();
    let options = CheckOptions {
        endpoint: endpoint.to_owned(),
        security: LOCAL,
        robot: small_hand(),
        active: true,
        only,
        patience_secs: 0.0,
    };
    check(&options, &clock(), &never())
}

fn not_passed(report: &CheckReport) -> Vec<String> {
    let rules = report.rules.iter().filter(|rule| rule.verdict != Verdict::Passed);
    rules.map(|rule| format!("{} {:?}: {}", rule.name, rule.verdict, rule.seen)).collect()
}

#[test]
fn our_own_controller_keeps_every_rule() {
    let controller = Controller::start(&small_hand(), true);
    let report = run(&controller.endpoint, &[]).unwrap();
    assert_eq!(not_passed(&report), Vec::<String>::new());
    assert_eq!(report.rules.len(), rule_names().len());
}

#[test]
fn a_hand_that_is_not_simulated_keeps_every_rule_that_concerns_it() {
    let controller = Controller::start(&small_hand(), false);
    let report = run(&controller.endpoint, &[]).unwrap();
    assert_eq!(report.count(Verdict::Failed), 0, "{:?}", not_passed(&report));
    let skipped: Vec<&str> =
        report.rules.iter().filter(|rule| rule.verdict == Verdict::Skipped).map(|rule| rule.name).collect();
    let simulated =
        |name: &&str| name.starts_with("lockstep") || ["pose", "object"].contains(name) || name.contains("releas");
    let others: Vec<&str> = skipped.iter().copied().filter(|name| !simulated(name)).collect();
    assert_eq!(others, ["reset-counts", "reset-unknown-keys", "reset-malformed", "reset-keeps-faults"], "{skipped:?}");
}

#[test]
fn without_being_told_to_the_check_moves_nothing() {
    let controller = Controller::start(&small_hand(), false);
    let options = CheckOptions {
        endpoint: controller.endpoint.clone(),
        security: LOCAL,
        robot: small_hand(),
        active: false,
        only: vec![],
        patience_secs: 0.0,
    };
    let report = check(&options, &clock(), &never()).unwrap();
    assert_eq!(report.count(Verdict::Failed), 0, "{:?}", not_passed(&report));
    assert!(controller.told.lock().unwrap().iter().all(Option::is_none), "a target reached the driver");
}

#[test]
fn a_check_that_cannot_be_made_says_why() {
    let nobody = endpoint();
    assert!(matches!(run(&nobody, &[]), Err(CheckError::Silent { .. })));
    let wrong = run(&nobody, &["nan-comand"]).unwrap_err().to_string();
    assert!(wrong.contains("did you mean `nan-command`"), "{wrong}");
    let controller = Controller::start(&small_hand(), true);
    let mut robot = small_hand();
    robot.joints[0].name = "pinky".to_owned();
    let options = CheckOptions {
        endpoint: controller.endpoint.clone(),
        security: LOCAL,
        robot,
        active: false,
        only: vec![],
        patience_secs: 0.0,
    };
    let error = check(&options, &clock(), &never()).unwrap_err().to_string();
    assert!(error.contains("ROBOT_MISMATCH") && error.contains("pinky") && error.contains("--robot"), "{error}");
}

/// One broken controller: the rule that names what it does, what it does, and how.
pub struct Breakage {
    pub rule: &'static str,
    pub what: &'static str,
    pub how: fn() -> Change,
}

/// Changes messages of one way, by a function that remembers what it saw.
pub fn on(way: Way, mut change: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Change {
    Box::new(move |on, bytes| if on == way { change(bytes) } else { vec![bytes.to_vec()] })
}

/// Changes one type of message, one for one.
pub fn alter<B: giraffe_bridge::wire::Body + 'static>(way: Way, change: fn(&mut B)) -> Change {
    on(way, move |bytes| {
        if kind(bytes) != B::TYPE {
            return vec![bytes.to_vec()];
        }
        vec![edit::<B>(bytes, |_, body| change(body))]
    })
}

/// Drops messages of one way by type.
fn swallow(way: Way, name: &'static str) -> Change {
    on(way, move |bytes| if kind(bytes) == name { vec![] } else { vec![bytes.to_vec()] })
}

pub fn right_hand(hello: &mut Hello) {
    let fine = crate::hand::hello_of(&small_hand(), &[]);
    hello.robot = fine.robot;
    hello.test_vector = fine.test_vector;
}

/// Its description and fingertips are those it was told.
fn echo() -> Change {
    let mut told: Option<(RobotDescription, TestVector)> = None;
    Box::new(move |way, bytes| {
        let bytes = match (way, kind(bytes).as_str()) {
            (Way::Request, "hello") => {
                told = decode::<Hello>(bytes).ok().map(|(_, hello)| (hello.robot, hello.test_vector));
                bytes.to_vec()
            }
            (Way::Reply, "welcome") => edit::<Welcome>(bytes, |_, welcome| {
                if let Some((robot, vector)) = told.clone() {
                    (welcome.robot, welcome.test_vector) = (robot, vector);
                }
            }),
            _ => bytes.to_vec(),
        };
        vec![bytes]
    })
}

/// Whoever asks for an arm is told that it was granted.
pub fn eager() -> Change {
    on(Way::Reply, |bytes| {
        let Ok((head, error)) = decode::<giraffe_bridge::message::Refusal>(bytes) else { return vec![bytes.to_vec()] };
        let granted = Granted { re: error.re, mode: "active".to_owned(), fault: 0 };
        vec![if error.code == "NOT_READY" { encode(head.sid, head.seq, head.ts, &granted) } else { bytes.to_vec() }]
    })
}

/// Only its first session has a number of its own.
fn one_number() -> Change {
    let mut first = 0;
    on(Way::Reply, move |bytes| {
        if kind(bytes) != "welcome" {
            return vec![bytes.to_vec()];
        }
        vec![edit::<Welcome>(bytes, |head, _| {
            first = if first == 0 { head.sid } else { first };
            head.sid = first;
        })]
    })
}

/// The second commander is let in, too.
fn two_commanders() -> Change {
    let mut count = 0;
    on(Way::Request, move |bytes| {
        count += u32::from(kind(bytes) == "hello");
        vec![edit::<Hello>(bytes, |_, hello| {
            if count > 2 {
                hello.role = Role::Observer;
            }
        })]
    })
}

/// Something that differs a little each time.
fn restless() -> Change {
    let mut count = 0u32;
    on(Way::State, move |bytes| {
        count += 1;
        vec![edit::<State>(bytes, |_, state| state.q[0] += 1e-6 * count as f32)]
    })
}

/// Bytes it does not understand end its loop.
fn fragile() -> Change {
    let mut broken = false;
    Box::new(move |way, bytes| {
        broken |= matches!(way, Way::Request | Way::Command) && kind(bytes).is_empty();
        if way == Way::State && broken { vec![] } else { vec![bytes.to_vec()] }
    })
}

fn drop_refused() -> Change {
    on(Way::State, |bytes| {
        let refused = decode::<State>(bytes).is_ok_and(|(_, state)| state.refused.is_some());
        if refused { vec![] } else { vec![bytes.to_vec()] }
    })
}

fn take_everything_up_to_the_end_of_the_map() -> Change {
    on(Way::Request, |bytes| vec![bytes.strip_suffix(&[0xc0]).unwrap_or(bytes).to_vec()])
}

fn swap_tips(vector: &mut TestVector) {
    vector.tips = vector.tips.iter().map(|(name, tip)| (name.clone(), [tip[1], tip[0], tip[2]])).collect::<ByName<_>>();
}

fn flip(joints: &mut ByName<JointDescription>) {
    for joint in joints.values_mut() {
        joint.axis = joint.axis.map(|part| -part);
    }
}

const BREAKAGES: &[Breakage] = &[
    Breakage {
        rule: "ping",
        what: "answers with its own clock as t0",
        how: || alter::<Pong>(Way::Reply, |pong| pong.t0 = pong.t1),
    },
    Breakage {
        rule: "one-reply",
        what: "answers twice",
        how: || on(Way::Reply, |bytes| vec![bytes.to_vec(), bytes.to_vec()]),
    },
    Breakage {
        rule: "one-reply",
        what: "numbers all replies 7",
        how: || on(Way::Reply, |bytes| vec![edit::<Pong>(bytes, |head, _| head.seq = 7)]),
    },
    Breakage {
        rule: "unknown-type",
        what: "does not answer what it does not know",
        how: || swallow(Way::Request, "dance"),
    },
    Breakage {
        rule: "trailing-bytes",
        what: "reads up to the end of the map",
        how: take_everything_up_to_the_end_of_the_map,
    },
    Breakage {
        rule: "version",
        what: "ignores `v`",
        how: || {
            on(Way::Request, |bytes| {
                let at = bytes.windows(3).position(|window| window[..2] == [0xa1, b'v']);
                let mut bytes = bytes.to_vec();
                if let Some(at) = at {
                    bytes[at + 2] = 1;
                }
                vec![bytes]
            })
        },
    },
    Breakage {
        rule: "joints",
        what: "lists one joint twice",
        how: || alter::<Welcome>(Way::Reply, |welcome| welcome.joints[0] = welcome.joints[1].clone()),
    },
    Breakage {
        rule: "limits",
        what: "puts its own limits in force, wider than was asked for",
        how: || {
            alter::<Welcome>(Way::Reply, |welcome| welcome.limits.values_mut().for_each(|limits| limits.upper += 0.3))
        },
    },
    Breakage {
        rule: "timers",
        what: "never holds: hold_ms 0",
        how: || alter::<Welcome>(Way::Reply, |welcome| welcome.hold_ms = 0),
    },
    Breakage {
        rule: "description",
        what: "has every axis reversed",
        how: || alter::<Welcome>(Way::Reply, |welcome| flip(&mut welcome.robot.joints)),
    },
    Breakage { rule: "own-numbers", what: "echoes the policy's hand", how: echo },
    Breakage {
        rule: "own-numbers",
        what: "has kinematics of its own kind",
        how: || alter::<Welcome>(Way::Reply, |welcome| swap_tips(&mut welcome.test_vector)),
    },
    Breakage {
        rule: "grants",
        what: "grants whatever it has",
        how: || alter::<Welcome>(Way::Reply, |welcome| welcome.grants = vec!["lockstep".to_owned()]),
    },
    Breakage { rule: "flipped-sign", what: "takes any hand", how: || alter::<Hello>(Way::Request, right_hand) },
    Breakage { rule: "swapped-joints", what: "takes any hand", how: || alter::<Hello>(Way::Request, right_hand) },
    Breakage { rule: "shifted-zero", what: "takes any hand", how: || alter::<Hello>(Way::Request, right_hand) },
    Breakage {
        rule: "rate",
        what: "takes any rate",
        how: || {
            alter::<Hello>(Way::Request, |hello| hello.policy_hz = crate::hand::hello_of(&small_hand(), &[]).policy_hz)
        },
    },
    Breakage { rule: "lease-held", what: "lets everybody in", how: two_commanders },
    Breakage { rule: "bye-frees", what: "says ok to `bye` and keeps the lease", how: || alter_bye() },
    Breakage { rule: "new-session", what: "numbers every session alike", how: one_number },
    Breakage { rule: "arm-unready", what: "grants every arm", how: eager },
    Breakage {
        rule: "state",
        what: "says NaN for a joint it cannot read",
        how: || alter::<State>(Way::State, |state| state.q[1] = f32::NAN),
    },
    Breakage {
        rule: "state",
        what: "leaves a joint out",
        how: || {
            alter::<State>(Way::State, |state| {
                state.dq.pop();
            })
        },
    },
    Breakage {
        rule: "state-seq",
        what: "publishes everything twice",
        how: || on(Way::State, |bytes| vec![bytes.to_vec(), bytes.to_vec()]),
    },
    Breakage {
        rule: "state-rate",
        what: "publishes one state in three",
        how: || {
            let mut count = 0;
            on(Way::State, move |bytes| {
                count += 1;
                if count % 3 == 0 { vec![bytes.to_vec()] } else { vec![] }
            })
        },
    },
    Breakage {
        rule: "torque-off",
        what: "reports stale targets",
        how: || alter::<State>(Way::State, |state| state.q_target[0] += 0.5),
    },
    Breakage {
        rule: "foreign-command",
        what: "does not count what it drops",
        how: || alter::<State>(Way::State, |state| state.rx_bad = 0),
    },
    Breakage {
        rule: "late-command",
        what: "does not look at ages",
        how: || alter::<State>(Way::State, |state| state.rx_stale = 0),
    },
    Breakage { rule: "garbage", what: "stops at the first garbage", how: fragile },
    Breakage {
        rule: "nan-command",
        what: "makes 0 of NaN",
        how: || {
            on(Way::Command, |bytes| {
                vec![edit::<Command>(bytes, |_, command| {
                    command.q.iter_mut().filter(|target| target.is_nan()).for_each(|target| *target = 0.0);
                })]
            })
        },
    },
    Breakage {
        rule: "silence",
        what: "never says that it holds",
        how: || {
            alter::<State>(Way::State, |state| {
                if state.mode == "hold" {
                    (state.mode, state.why) = ("active".to_owned(), String::new());
                }
            })
        },
    },
    Breakage {
        rule: "estop",
        what: "takes estop for stop",
        how: || {
            on(Way::Request, |bytes| {
                let Ok((head, _)) = decode::<giraffe_bridge::message::Estop>(bytes) else {
                    return vec![bytes.to_vec()];
                };
                vec![encode(head.sid, head.seq, head.ts, &giraffe_bridge::message::Stop {})]
            })
        },
    },
    Breakage {
        rule: "lockstep-one-state",
        what: "publishes twice",
        how: || on(Way::State, |bytes| vec![bytes.to_vec(), bytes.to_vec()]),
    },
    Breakage { rule: "lockstep-refused", what: "says nothing to a command it refuses", how: drop_refused },
    Breakage { rule: "lockstep-same-bits", what: "is never the same twice", how: restless },
    Breakage {
        rule: "lockstep-envelope",
        what: "says that it has no limits of speed",
        how: || alter::<State>(Way::State, |state| state.q_target[0] *= 3.0),
    },
];

fn alter_bye() -> Change {
    on(Way::Request, |bytes| {
        let Ok((head, _)) = decode::<giraffe_bridge::message::Bye>(bytes) else { return vec![bytes.to_vec()] };
        vec![encode(head.sid, head.seq, head.ts, &giraffe_bridge::message::Hold {})]
    })
}

/// Tries each breakage of a share of the table.
fn find_breakages(share: usize, shares: usize) {
    let mut missed = Vec::new();
    for breakage in BREAKAGES.iter().chain(MORE).skip(share).step_by(shares) {
        let controller = Controller::start(&small_hand(), true);
        let honest = Saboteur::before(&controller.endpoint, Box::new(|_, bytes| vec![bytes.to_vec()]));
        let report = run(&honest.endpoint, &[breakage.rule]).unwrap();
        if report.count(Verdict::Passed) != 1 {
            missed.push(format!("`{}` fails an honest relay: {:?}", breakage.rule, not_passed(&report)));
        }
        drop(honest);
        let broken = Saboteur::before(&controller.endpoint, (breakage.how)());
        let report = run(&broken.endpoint, &[breakage.rule]);
        if !report.as_ref().is_ok_and(|report| report.count(Verdict::Failed) == 1) {
            missed.push(format!("`{}` does not see one that {}: {report:?}", breakage.rule, breakage.what));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_controller_that_breaks_a_rule_is_found_by_that_rule() {
    // Several at a time: most of it is waiting.
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..6).map(|share| scope.spawn(move || find_breakages(share, 6))).collect();
        for share in shares {
            assert!(share.join().is_ok(), "see above");
        }
    });
}

#[test]
fn sixty_rules_are_asked_and_three_in_four_have_a_controller_that_breaks_them() {
    let names = rule_names();
    assert!(names.len() >= 60, "{} rules", names.len());
    let mut rules: Vec<&str> = BREAKAGES.iter().chain(MORE).map(|breakage| breakage.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    assert!(rules.iter().all(|rule| names.iter().any(|(name, _)| name == rule)), "a rule that there is not");
    assert!(4 * rules.len() >= 3 * names.len(), "{} of {}", rules.len(), names.len());
}

/// Refuses every commander who does not want lock-step.
fn lockstep_only() -> Change {
    let mut wanted = true;
    Box::new(move |way, bytes| {
        if let (Way::Request, Ok((_, hello))) = (way, decode::<Hello>(bytes)) {
            wanted = hello.wants.iter().any(|want| want == "lockstep");
        }
        match (way, decode::<Welcome>(bytes)) {
            (Way::Reply, Ok((head, welcome))) if !wanted => {
                let (code, detail) = ("UNSUPPORTED".to_owned(), "in lock-step only".to_owned());
                vec![encode(0, head.seq, head.ts, &Reject { re: welcome.re, code, detail })]
            }
            _ => vec![bytes.to_vec()],
        }
    })
}

#[test]
fn a_controller_that_knows_only_lock_step_is_asked_all_that_is_defined_there() {
    let controller = Controller::start(&small_hand(), true);
    let relay = Saboteur::before(&controller.endpoint, lockstep_only());
    let report = run(&relay.endpoint, &[]).unwrap();
    assert_eq!(report.count(Verdict::Failed), 0, "{:?}", not_passed(&report));
    let skipped: Vec<&str> =
        report.rules.iter().filter(|rule| rule.verdict == Verdict::Skipped).map(|rule| rule.name).collect();
    // Of these the first two are of a loop with a clock, `old-command`, `silence` and `short-hold` of ages and silence; the
    // others are asked in lock-step under other names.
    let real_time = [
        "state-rate",
        "garbage",
        "stay",
        "repeated-command",
        "old-command",
        "newest-command",
        "shape",
        "nan-command",
        "silence",
        "short-hold",
        "stop",
        "estop",
    ];
    assert_eq!(skipped, real_time, "{:?}", not_passed(&report));
    for rule in
        ["lockstep-repeated", "lockstep-shape", "lockstep-nan", "lockstep-stop", "lockstep-estop", "lockstep-unread"]
    {
        assert!(report.rules.iter().any(|found| found.name == rule && found.verdict == Verdict::Passed), "{rule}");
    }
}

#[test]
fn a_controller_that_says_anything_of_its_rate_and_timers_does_not_hold_the_check_up() {
    let controller = Controller::start(&small_hand(), true);
    let nonsense: [fn(&mut Welcome); 3] = [
        |welcome| welcome.policy_hz = 0.0,
        |welcome| (welcome.hold_ms, welcome.stream_ms, welcome.max_age_ms) = (u64::MAX, u64::MAX, u64::MAX),
        |welcome| (welcome.lease_ms, welcome.policy_hz) = (u64::MAX, -1e300),
    ];
    for change in nonsense {
        let relay = Saboteur::before(&controller.endpoint, alter::<Welcome>(Way::Reply, change));
        let clock = clock();
        let rules = ["timers", "lease-ends", "late-command", "stay", "old-command", "silence", "stop"];
        let report = run(&relay.endpoint, &rules).unwrap();
        assert_eq!(report.rules.len(), rules.len(), "{report:?}");
        assert_eq!(report.rules[0].verdict, Verdict::Failed, "{:?}", report.rules[0]);
        // Not even the patience that one rule may ask for.
        assert!(clock.now().as_secs() < 45.0, "{} s: {report:?}", clock.now().as_secs());
    }
}

#[test]
fn a_check_that_is_interrupted_ends_at_once_whatever_it_waits_for() {
    let controller = Controller::start(&small_hand(), true);
    // It says hello and then nothing that could be waited for.
    let relay = Saboteur::before(&controller.endpoint, on(Way::State, |_| vec![]));
    let (stop, clock) = (never(), clock());
    let options = CheckOptions {
        endpoint: relay.endpoint.clone(),
        security: LOCAL,
        robot: small_hand(),
        active: true,
        only: vec![],
        patience_secs: 1000.0,
    };
    let flag = stop.clone();
    let thread = std::thread::spawn(move || check(&options, &crate::controller::clock(), &flag));
    await_that(|| clock.now().as_secs() > 0.5);
    stop.store(true, Ordering::Relaxed);
    let told = clock.now();
    let ended = thread.join().unwrap();
    assert!(matches!(ended, Err(CheckError::Stopped)), "{ended:?}");
    assert!(clock.now().secs_since(told) < 5.0, "{} s", clock.now().secs_since(told));
}
