//! More controllers that break one rule each: of terms, of what is said of the motors, of lock-step, and of the envelope.

use crate::conformance::{Breakage, alter, eager, on, right_hand};
use crate::saboteur::{Change, Way, edit, kind};
use giraffe_bridge::message::{
    Arm, ClearFault, Command, Estop, Granted, Hello, Hold, Pong, Refusal, Reset, Role, State, Stop, Welcome,
};
use giraffe_bridge::wire::{decode, decode_head, encode};
use giraffe_bridge::{Fault, FaultSet};

/// What is said to an observer, changed.
fn to_observers(change: fn(&mut Welcome)) -> Change {
    let mut observes = false;
    Box::new(move |way, bytes| {
        if let (Way::Request, Ok((_, hello))) = (way, decode::<Hello>(bytes)) {
            observes = hello.role == Role::Observer;
        }
        let is_meant = observes && way == Way::Reply && kind(bytes) == "welcome";
        vec![if is_meant { edit::<Welcome>(bytes, |_, welcome| change(welcome)) } else { bytes.to_vec() }]
    })
}

/// The reply to one kind of request, changed.
fn in_reply_to(request: &'static str, change: fn(&mut Granted)) -> Change {
    let mut asked = false;
    Box::new(move |way, bytes| {
        if way == Way::Request {
            asked = kind(bytes) == request;
        }
        let is_meant = asked && way == Way::Reply && kind(bytes) == "ok";
        vec![if is_meant { edit::<Granted>(bytes, |_, granted| change(granted)) } else { bytes.to_vec() }]
    })
}

/// Reads only floats in a command.
fn no_integers() -> Change {
    on(Way::Command, |bytes| {
        let as_floats = decode::<Command>(bytes).map(|(head, command)| encode(head.sid, head.seq, head.ts, &command));
        let is_plain = as_floats.is_ok_and(|plain| plain.len() == bytes.len());
        vec![if is_plain || kind(bytes).is_empty() { bytes.to_vec() } else { vec![0xc1] }]
    })
}

/// Gives every command a number of its own.
fn renumbered() -> Change {
    let mut count = 0;
    on(Way::Command, move |bytes| {
        count += 1;
        vec![edit::<Command>(bytes, |head, _| head.seq = count)]
    })
}

/// Of several commands for one tick it looks at the first only.
fn first_only() -> Change {
    let mut last = None;
    on(Way::Command, move |bytes| {
        let at = decode::<Command>(bytes).ok().map(|(head, command)| (head.sid, command.episode, command.tick));
        let is_another = at.is_none() || at != last;
        last = at.or(last);
        if is_another { vec![bytes.to_vec()] } else { vec![] }
    })
}

/// Looks at one command a turn, and loses what comes meanwhile.
fn one_a_turn() -> Change {
    let (clock, mut last) = (crate::controller::clock(), None);
    on(Way::Command, move |bytes| {
        let now = clock.now();
        let comes_soon = last.replace(now).is_some_and(|last| now.secs_since(last) < 0.03);
        if comes_soon { vec![] } else { vec![bytes.to_vec()] }
    })
}

/// Refuses episodes that it does not know all of.
fn pedantic() -> Change {
    on(Way::Request, |bytes| {
        let is_unknown = bytes.windows(10).any(|window| window == b"hl_unknown");
        vec![if is_unknown { edit::<Reset>(bytes, |_, reset| reset.episode = vec![0xc1]) } else { bytes.to_vec() }]
    })
}

/// Takes any `reset` for one.
fn generous() -> Change {
    on(Way::Request, |bytes| match decode_head(bytes) {
        Ok(head) if head.t == "reset" => vec![encode(head.sid, head.seq, head.ts, &Reset { episode: vec![] })],
        _ => vec![bytes.to_vec()],
    })
}

/// Answers what it cannot read with whatever it read last.
fn obliging() -> Change {
    let mut last = Vec::new();
    on(Way::Command, move |bytes| {
        if decode::<Command>(bytes).is_ok() {
            last = bytes.to_vec();
        }
        vec![last.clone()]
    })
}

/// Grants lock-step, and goes on in real time.
fn in_real_time() -> Change {
    Box::new(|way, bytes| {
        vec![match way {
            Way::Request => edit::<Hello>(bytes, |_, hello| hello.wants.retain(|want| want != "lockstep")),
            Way::Reply => edit::<Welcome>(bytes, |_, welcome| welcome.grants.push("lockstep".to_owned())),
            _ => bytes.to_vec(),
        }]
    })
}

/// Begins every episode by forgetting what went wrong.
fn forgetful() -> Change {
    on(Way::Request, |bytes| match decode::<Reset>(bytes) {
        Ok((head, _)) => vec![encode(head.sid, 0, head.ts, &ClearFault {}), bytes.to_vec()],
        Err(_) => vec![bytes.to_vec()],
    })
}

/// Holds the hand when told to stop.
fn half_stopped() -> Change {
    let mut sid = 0;
    Box::new(move |way, bytes| {
        if way == Way::Reply && kind(bytes) == "welcome" {
            sid = decode::<Welcome>(bytes).map_or(sid, |(head, _)| head.sid);
        }
        match (way, decode::<Stop>(bytes)) {
            (Way::Request, Ok((head, _))) => vec![encode(sid, head.seq, head.ts, &Hold {})],
            _ => vec![bytes.to_vec()],
        }
    })
}

/// Never says this fault, and that the hand follows instead.
fn without(fault: Fault) -> Change {
    on(Way::State, move |bytes| {
        vec![edit::<State>(bytes, |_, state| {
            if FaultSet::from_bits(state.fault).holds(fault) {
                (state.fault, state.mode, state.why) = (0, "active".to_owned(), String::new());
            }
        })]
    })
}

/// Says another mode in states than the hand is in.
fn states_say(of: &'static str, instead: &'static str) -> Change {
    on(Way::State, move |bytes| {
        vec![edit::<State>(bytes, |_, state| {
            if state.mode == of {
                instead.clone_into(&mut state.mode);
            }
        })]
    })
}

pub const MORE: &[Breakage] = &[
    Breakage {
        rule: "no-head-no-reply",
        what: "answers whatever comes",
        how: || {
            on(Way::Request, |bytes| {
                let answerable = encode(0, 1, 0, &Pong { re: 0, t0: 0, t1: 0, t2: 0 });
                vec![if kind(bytes).is_empty() { answerable } else { bytes.to_vec() }]
            })
        },
    },
    Breakage {
        rule: "object",
        what: "does not look at what the policy is for",
        how: || alter::<Hello>(Way::Request, |hello| hello.object = None),
    },
    Breakage {
        rule: "object",
        what: "follows something else than it says it holds",
        how: || {
            on(Way::Pose, |bytes| {
                vec![edit::<giraffe_bridge::message::Pose>(bytes, |_, pose| pose.object = "mug".to_owned())]
            })
        },
    },
    Breakage {
        rule: "pose",
        what: "says where the object is as its camera sees it",
        how: || {
            on(Way::Pose, |bytes| {
                vec![edit::<giraffe_bridge::message::Pose>(bytes, |_, pose| pose.frame = "camera".to_owned())]
            })
        },
    },
    Breakage { rule: "moved-tip", what: "takes any hand", how: || alter::<Hello>(Way::Request, right_hand) },
    Breakage { rule: "other-joints", what: "takes any hand", how: || alter::<Hello>(Way::Request, right_hand) },
    Breakage {
        rule: "observer-terms",
        what: "tells an observer of other limits than are in force",
        how: || to_observers(|welcome| welcome.limits.values_mut().for_each(|limits| limits.velocity *= 2.0)),
    },
    Breakage {
        rule: "observer-terms",
        what: "grants an observer what only a commander can use",
        how: || to_observers(|welcome| welcome.grants.push("rehearsal".to_owned())),
    },
    Breakage {
        rule: "hold-without-torque",
        what: "says `hold` of a hand without torque",
        how: || in_reply_to("hold", |granted| granted.mode = "hold".to_owned()),
    },
    Breakage { rule: "newest-command", what: "applies the first of two", how: one_a_turn },
    Breakage { rule: "reset-unknown-keys", what: "refuses keys it does not know", how: pedantic },
    Breakage { rule: "reset-malformed", what: "begins an episode that nobody named", how: generous },
    Breakage { rule: "integers", what: "reads only floats", how: no_integers },
    Breakage {
        rule: "counters-begin-anew",
        what: "counts on from session to session",
        how: || alter::<State>(Way::State, |state| state.rx_bad += 2),
    },
    Breakage { rule: "stop-claims", what: "says ok before torque is off", how: || states_say("off", "releasing") },
    Breakage { rule: "stop-claims", what: "says that it holds after a stop", how: || states_say("off", "hold") },
    Breakage {
        rule: "bye-holds",
        what: "says that torque is off after `bye`",
        how: || {
            on(Way::State, |bytes| {
                vec![edit::<State>(bytes, |head, state| {
                    if head.sid == 0 && state.mode == "hold" {
                        state.mode = "off".to_owned();
                    }
                })]
            })
        },
    },
    Breakage { rule: "lockstep-before-reset", what: "arms whenever it is asked to", how: eager },
    Breakage { rule: "lockstep-repeated", what: "does not look at `seq`", how: renumbered },
    Breakage { rule: "lockstep-two-commands", what: "passes over the second", how: first_only },
    Breakage { rule: "lockstep-unread", what: "answers what it cannot read", how: obliging },
    Breakage { rule: "lockstep-silence", what: "runs in real time all the same", how: in_real_time },
    Breakage {
        rule: "lockstep-shape",
        what: "never latches CMD_SHAPE",
        how: || alter::<State>(Way::State, |state| state.fault &= !(1 << Fault::CommandShape as u64)),
    },
    Breakage { rule: "shape", what: "never says CMD_SHAPE in real time", how: || without(Fault::CommandShape) },
    Breakage {
        rule: "lockstep-nan",
        what: "makes 0 of NaN",
        how: || {
            alter::<Command>(Way::Command, |command| {
                command.q.iter_mut().filter(|target| target.is_nan()).for_each(|target| *target = 0.0);
            })
        },
    },
    Breakage { rule: "reset-keeps-faults", what: "forgets faults with every reset", how: forgetful },
    Breakage {
        rule: "lockstep-hold",
        what: "says ok to `hold` and goes on",
        how: || {
            on(Way::Request, |bytes| match decode::<Hold>(bytes) {
                Ok((head, _)) => vec![encode(head.sid, head.seq, head.ts, &Arm {})],
                Err(_) => vec![bytes.to_vec()],
            })
        },
    },
    Breakage { rule: "lockstep-stop", what: "holds when it should let go", how: half_stopped },
    Breakage {
        rule: "lockstep-estop",
        what: "takes estop for stop",
        how: || {
            on(Way::Request, |bytes| match decode::<Estop>(bytes) {
                Ok((head, _)) => vec![encode(head.sid, head.seq, head.ts, &Stop {})],
                Err(_) => vec![bytes.to_vec()],
            })
        },
    },
    Breakage {
        rule: "lockstep-acceleration",
        what: "starts as suddenly as it can",
        how: || {
            alter::<Hello>(Way::Request, |hello| {
                hello.limits.values_mut().for_each(|limits| limits.acceleration *= 8.0);
            })
        },
    },
    Breakage {
        rule: "lockstep-band",
        what: "winds up against a joint that does not move",
        how: || {
            alter::<Welcome>(Way::Reply, |welcome| welcome.tracking_band = welcome.tracking_band.map(|band| 0.4 * band))
        },
    },
    Breakage { rule: "lockstep-tracking", what: "pushes for ever", how: || without(Fault::Tracking) },
    Breakage { rule: "lockstep-limit-hard", what: "does not mind a broken finger", how: || without(Fault::LimitHard) },
    Breakage {
        rule: "not-released",
        what: "says ok to a stop that did not happen",
        how: || {
            on(Way::Reply, |bytes| {
                let Ok((head, error)) = decode::<Refusal>(bytes) else { return vec![bytes.to_vec()] };
                let granted = Granted { re: error.re, mode: "off".to_owned(), fault: 0 };
                let is_meant = error.code == "NOT_RELEASED";
                vec![if is_meant { encode(head.sid, head.seq, head.ts, &granted) } else { bytes.to_vec() }]
            })
        },
    },
    Breakage {
        rule: "releasing",
        what: "promises what servos did not confirm",
        how: || states_say("releasing", "off"),
    },
    Breakage {
        rule: "releasing",
        what: "does not say what went wrong",
        how: || alter::<State>(Way::State, |state| state.fault &= !(1 << Fault::BusError as u64)),
    },
];
