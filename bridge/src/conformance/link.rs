//! Sections 2 and 3: bytes, requests, replies.

use super::bench::Bench;
use super::{Finding, Rule, Unmet, bytes, ensure};
use crate::message::{Arm, Bye, ClearFault, Hold, Ping, Pong, Welcome};
use crate::wire::{Body, encode};
use serde::{Deserialize, Serialize};

/// A request nobody knows.
#[derive(Debug, Serialize, Deserialize)]
struct Dance {}

impl Body for Dance {
    const TYPE: &'static str = "dance";
}

pub(super) static RULES: &[Rule] = &[
    Rule {
        name: "ping",
        section: "3",
        sentence: "a ping is answered by a pong with its `re` and `t0`, and t1 <= t2 on the controller's clock",
        check: ping,
    },
    Rule {
        name: "one-reply",
        section: "3",
        sentence: "each request draws exactly one reply, numbered upwards; nothing comes unasked",
        check: one_reply,
    },
    Rule {
        name: "unknown-type",
        section: "3",
        sentence: "an unknown request draws `error` UNKNOWN_TYPE and is never fatal",
        check: unknown_type,
    },
    Rule {
        name: "not-commander",
        section: "3",
        sentence: "arm, hold, clear_fault and bye of another session draw `error` NOT_COMMANDER",
        check: not_commander,
    },
    Rule { name: "unknown-keys", section: "2", sentence: "keys nobody knows are ignored", check: unknown_keys },
    Rule {
        name: "missing-key",
        section: "2",
        sentence: "a hello that lacks a key without a default is refused as MALFORMED",
        check: missing_key,
    },
    Rule {
        name: "malformed",
        section: "2",
        sentence: "bytes that are no message are dropped, and the next request is answered",
        check: malformed,
    },
    Rule {
        name: "no-head-no-reply",
        section: "3",
        sentence: "what has no head that can be read draws no reply: there is no `seq` to answer to",
        check: no_head_no_reply,
    },
    Rule {
        name: "trailing-bytes",
        section: "2",
        sentence: "bytes after the end of the map make a message malformed",
        check: trailing_bytes,
    },
    Rule {
        name: "oversize",
        section: "2",
        sentence: "a message above 64 KiB is dropped, and the controller stays",
        check: oversize,
    },
    Rule {
        name: "not-finite",
        section: "2",
        sentence: "a hello with a number that is not finite as float32 is refused",
        check: not_finite,
    },
    Rule {
        name: "version",
        section: "4",
        sentence: "another version draws `reject` VERSION for a hello, `error` VERSION for other requests",
        check: version,
    },
];

fn ping(bench: &mut Bench) -> Finding {
    let mut last_ns = i64::MIN;
    for _ in 0..3 {
        bench.a.ctl_seq += 1;
        let stamp = -1_000_000_007 - bench.a.ctl_seq as i64;
        let request = encode(0, bench.a.ctl_seq, stamp, &Ping {});
        let pong: Pong = bench.a.ask_bytes("`ping`", &request)?.body()?;
        ensure(pong.t0 == stamp, || format!("t0 is {}, the ping's ts was {stamp}", pong.t0))?;
        ensure(pong.t1 <= pong.t2, || format!("arrival {} is after departure {}", pong.t1, pong.t2))?;
        ensure(last_ns <= pong.t1, || format!("its clock went back from {last_ns} to {}", pong.t1))?;
        last_ns = pong.t2;
    }
    Ok("three pongs".to_owned())
}

fn one_reply(bench: &mut Bench) -> Finding {
    let mut peer = bench.peer()?;
    let mut last = 0;
    for _ in 0..5 {
        let answer = peer.ask(&Ping {})?;
        ensure(answer.head.seq > last, || format!("reply seq {} after {last}", answer.head.seq))?;
        last = answer.head.seq;
    }
    peer.ask(&Dance {})?;
    peer.listen(0.1);
    ensure(peer.strays.is_empty(), || peer.strays.join("; "))?;
    Ok("6 requests, 6 replies".to_owned())
}

fn unknown_type(bench: &mut Bench) -> Finding {
    bench.a.ask(&Dance {})?.refused("error", &["UNKNOWN_TYPE"])?;
    bench.a.ask(&Ping {})?.body::<Pong>()?;
    Ok("refused by name".to_owned())
}

fn not_commander(bench: &mut Bench) -> Finding {
    bench.session(&[])?;
    let foreign = bench.a.sid ^ 1;
    for sid in [0, foreign] {
        bench.b.ask_of(sid, &Arm {})?.refused("error", &["NOT_COMMANDER"])?;
        bench.b.ask_of(sid, &Hold {})?.refused("error", &["NOT_COMMANDER"])?;
        bench.b.ask_of(sid, &ClearFault {})?.refused("error", &["NOT_COMMANDER"])?;
        bench.b.ask_of(sid, &Bye {})?.refused("error", &["NOT_COMMANDER"])?;
    }
    Ok("4 requests with sid 0 and 4 with a foreign one".to_owned())
}

fn unknown_keys(bench: &mut Bench) -> Finding {
    let hello = bench.hello(&["teleportation"]);
    let request = bench.a.request_of(0, &hello);
    let answer = bench.a.ask_bytes("a `hello` with an unknown key", &bytes::with_unknown_key(&request))?;
    let welcome: Welcome = answer.body()?;
    bench.a.sid = answer.head.sid;
    ensure(!welcome.grants.iter().any(|grant| grant == "teleportation"), || {
        "it grants `teleportation`, which nobody has".to_owned()
    })?;
    let ping = bench.a.request(&Ping {});
    bench.a.ask_bytes("a `ping` with an unknown key", &bytes::with_unknown_key(&ping))?.body::<Pong>()?;
    Ok("in `hello` and `ping`; an unknown feature is not granted".to_owned())
}

fn missing_key(bench: &mut Bench) -> Finding {
    let hello = bench.hello(&[]);
    for key in ["limits", "test_vector", "wants", "policy_hz"] {
        let request = bench.a.request_of(0, &hello);
        let answer = bench.a.ask_bytes("a `hello` that lacks a key", &bytes::without_key(&request, key))?;
        bench.a.sid = if answer.head.t == "welcome" { answer.head.sid } else { 0 };
        answer.refused("reject", &["MALFORMED"]).map_err(|unmet| about(&format!("without `{key}`"), unmet))?;
    }
    Ok("limits, test_vector, wants, policy_hz".to_owned())
}

/// Says what a finding is about.
pub(super) fn about(what: &str, unmet: Unmet) -> Unmet {
    match unmet {
        Unmet::Failed(seen) => Unmet::Failed(format!("{what}: {seen}")),
        Unmet::Skipped(why) => Unmet::Skipped(format!("{what}: {why}")),
    }
}

fn malformed(bench: &mut Bench) -> Finding {
    let request = bench.a.request(&Ping {});
    let garbage = bytes::garbage(&request);
    let count = garbage.len();
    for (what, bytes) in garbage {
        bench.a.send(&bytes)?;
        let ping = bench.a.ask(&Ping {}).and_then(|answer| answer.body::<Pong>());
        ping.map_err(|unmet| about(&format!("after {what}"), unmet))?;
    }
    Ok(format!("{count} kinds of garbage, a pong after each"))
}

fn no_head_no_reply(bench: &mut Bench) -> Finding {
    let mut peer = bench.peer()?;
    peer.ask(&Ping {})?;
    let request = peer.request(&Ping {});
    let garbage = bytes::garbage(&request);
    for (_, bytes) in &garbage {
        peer.send(bytes)?;
    }
    peer.listen(0.1);
    peer.ask(&Ping {})?.body::<Pong>()?;
    ensure(peer.strays.is_empty(), || peer.strays.join("; "))?;
    Ok(format!("{} messages without a head, no reply", garbage.len()))
}

fn trailing_bytes(bench: &mut Bench) -> Finding {
    let request = bench.a.request(&Ping {});
    bench.a.send(&[&request[..], &[0xc0]].concat())?;
    match bench.a.answer_within(0.2) {
        None => Ok("dropped".to_owned()),
        Some(answer) if answer.refusal().is_some_and(|(code, _)| code == "MALFORMED") => {
            Ok("refused as MALFORMED".to_owned())
        }
        Some(answer) => Err(Unmet::Failed(format!("a ping with a byte after its end was answered by {answer}"))),
    }
}

fn oversize(bench: &mut Bench) -> Finding {
    let mut peer = bench.peer()?;
    peer.ask(&Ping {})?;
    let request = peer.request(&Ping {});
    peer.send(&bytes::oversized(&request))?;
    if let Some(answer) = peer.answer_within(0.2) {
        ensure(answer.refusal().is_some(), || format!("it was answered by {answer}"))?;
    }
    let _ = peer.send_cmd(&bytes::oversized(&request));
    // ZeroMQ closes such a connection, and makes a new one by itself.
    for _ in 0..5 {
        let ping = peer.request(&Ping {});
        peer.send(&ping)?;
        if peer.answer_within(0.3).is_some() {
            bench.a.ask(&Ping {})?.body::<Pong>()?;
            return Ok("dropped on `ctl` and `cmd`, pings are answered afterwards".to_owned());
        }
    }
    Err(Unmet::Failed("whoever sent it gets no answers any more".to_owned()))
}

fn not_finite(bench: &mut Bench) -> Finding {
    let fine = bench.hello(&[]);
    let name = bench.robot.joints[0].name.clone();
    let mut broken = vec![];
    let mut limit = fine.clone();
    if let Some(limits) = limit.limits.get_mut(&name) {
        limits.velocity = f32::NAN;
    }
    broken.push(("NaN as a velocity limit", limit));
    let mut axis = fine.clone();
    if let Some(joint) = axis.robot.joints.get_mut(&name) {
        joint.axis[0] = f32::INFINITY;
    }
    broken.push(("infinity in an axis", axis));
    let mut angle = fine.clone();
    angle.test_vector.q.insert(name, f32::NAN);
    broken.push(("NaN as a test angle", angle));
    broken.push(("NaN as policy_hz", crate::message::Hello { policy_hz: f64::NAN, ..fine.clone() }));
    for (what, hello) in &broken {
        let answer = bench.greet(hello)?;
        ensure(answer.head.t == "reject", || format!("{what} was answered by {answer}"))?;
    }
    let request = bench.a.request_of(0, &fine);
    let upper = bench.robot.joints[0].position_limits_rad.upper;
    let answer = bench.a.ask_bytes("a `hello` with 1e300", &bytes::with_double(&request, upper, 1e300))?;
    bench.a.sid = if answer.head.t == "welcome" { answer.head.sid } else { 0 };
    ensure(answer.head.t == "reject", || format!("1e300 as an end of a range was answered by {answer}"))?;
    Ok("NaN, infinity and 1e300".to_owned())
}

fn version(bench: &mut Bench) -> Finding {
    let hello = bench.hello(&[]);
    for version in [0, 2] {
        let request = bench.a.request_of(0, &hello);
        let answer = bench.a.ask_bytes("a `hello` of another version", &bytes::with_version(&request, version))?;
        bench.a.sid = if answer.head.t == "welcome" { answer.head.sid } else { 0 };
        answer.refused("reject", &["VERSION"])?;
        let request = bench.a.request(&Ping {});
        let answer = bench.a.ask_bytes("a `ping` of another version", &bytes::with_version(&request, version))?;
        answer.refused("error", &["VERSION"])?;
    }
    Ok("versions 0 and 2".to_owned())
}
