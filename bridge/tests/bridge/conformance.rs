//! The check must pass a controller that keeps the rules, and name the rule that another one breaks.

use crate::controller::{Controller, clock, endpoint};
use crate::hand::small_hand;
use crate::saboteur::{Change, Saboteur, Way, edit, kind};
use giraffe_bridge::ClientSecurity;
use giraffe_bridge::conformance::{CheckError, CheckOptions, CheckReport, Verdict, check, rule_names};
use giraffe_bridge::message::{
    ByName, Command, Granted, Hello, JointDescription, Pong, RobotDescription, Role, State, TestVector, Welcome,
};
use giraffe_bridge::wire::{decode, encode};
use std::sync::atomic::AtomicBool;

const LOCAL: ClientSecurity = ClientSecurity::LocalOnly;

fn run(endpoint: &str, only: &[&str]) -> Result<CheckReport, CheckError> {
    let only = only.iter().map(|&name| name.to_owned()).collect();
    let options =
        CheckOptions { endpoint: endpoint.to_owned(), security: LOCAL, robot: small_hand(), active: true, only };
    check(&options, &clock(), &AtomicBool::new(false))
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
    let expected =
        ["pose", "reset-counts", "lockstep-one-state", "lockstep-refused", "lockstep-same-bits", "lockstep-envelope"];
    assert_eq!(skipped, expected);
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
    };
    let report = check(&options, &clock(), &AtomicBool::new(false)).unwrap();
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
    let options =
        CheckOptions { endpoint: controller.endpoint.clone(), security: LOCAL, robot, active: false, only: vec![] };
    let error = check(&options, &clock(), &AtomicBool::new(false)).unwrap_err().to_string();
    assert!(error.contains("ROBOT_MISMATCH") && error.contains("pinky") && error.contains("--robot"), "{error}");
}

/// One broken controller: the rule that names what it does, what it does, and how.
struct Breakage {
    rule: &'static str,
    what: &'static str,
    how: fn() -> Change,
}

/// Changes messages of one way, by a function that remembers what it saw.
fn on(way: Way, mut change: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Change {
    Box::new(move |on, bytes| if on == way { change(bytes) } else { vec![bytes.to_vec()] })
}

/// Changes one type of message, one for one.
fn alter<B: giraffe_bridge::wire::Body + 'static>(way: Way, change: fn(&mut B)) -> Change {
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

fn right_hand(hello: &mut Hello) {
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
fn eager() -> Change {
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
    for breakage in BREAKAGES.iter().skip(share).step_by(shares) {
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
fn at_least_half_the_rules_have_a_controller_that_breaks_them() {
    let mut rules: Vec<&str> = BREAKAGES.iter().map(|breakage| breakage.rule).collect();
    rules.dedup();
    rules.sort_unstable();
    rules.dedup();
    assert!(2 * rules.len() >= rule_names().len(), "{} of {}", rules.len(), rule_names().len());
}
