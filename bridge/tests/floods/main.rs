//! What somebody who reaches a socket can do to a controller, or to a policy: nothing that costs a hand its turn, or a
//! machine its memory. A program of its own, since it keeps both cores of a small machine busy.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../bridge/controller.rs"]
#[allow(dead_code, reason = "of what other tests have, these need a part")]
mod controller;
#[path = "../bridge/hand.rs"]
#[allow(dead_code, reason = "of what other tests have, these need a part")]
mod hand;
mod policies;
mod processes;
#[path = "../bridge/raw.rs"]
mod raw;
mod scene;
mod zmtp;

use controller::{clock, never};
use giraffe_bridge::message::{Arm, Command, Hello, Ping, Role};
use giraffe_bridge::wire::{MAX_MESSAGE_BYTES, encode};
use giraffe_bridge::{ClientSecurity, Observer};
use processes::patient_hand;
use raw::{Socket, floods};
use scene::{Attack, Scene};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use zmtp::{Stranger, frame};

/// The sockets of a controller, and what a peer of each calls itself.
const SOCKETS: [(u16, &str); 3] = [(0, "DEALER"), (1, "PUSH"), (2, "SUB")];

/// An attack that did not come to this was none.
const MANY_TIMES: u64 = 20;

/// So long whoever attacks rests now and then: on a small machine the controller would wait for a processor, not for them. What
/// they send meanwhile is more than it can judge.
const PAUSE: Duration = Duration::from_millis(1);

/// Writes the same bytes to one socket for ever; comes again, whenever it is cut off.
fn pours<'a>(port: u16, kind: &'static str, bytes: Vec<u8>, comes: &'a AtomicU64) -> Attack<'a> {
    pours_from(1, port, kind, bytes, comes)
}

/// The same over several connections by turns.
fn pours_from<'a>(
    connections: usize,
    port: u16,
    kind: &'static str,
    bytes: Vec<u8>,
    comes: &'a AtomicU64,
) -> Attack<'a> {
    Box::new(move |over| {
        let is_over = || over.load(Ordering::Relaxed);
        let mut open: Vec<Option<Stranger>> = (0..connections).map(|_| None).collect();
        while !is_over() {
            for place in &mut open {
                std::thread::sleep(PAUSE);
                if let Some(stranger) = place {
                    if !stranger.write(&bytes, is_over) {
                        *place = None;
                    }
                } else {
                    let stream = TcpStream::connect(("127.0.0.1", port));
                    *place = stream.and_then(|stream| Stranger::meet(stream, kind)).ok();
                    comes.fetch_add(u64::from(place.is_some()), Ordering::Relaxed);
                }
            }
        }
    })
}

/// An endless message: a part of it that may be said again and again.
fn endless() -> Vec<u8> {
    frame(&[0x5a; 1000], true).repeat(64)
}

#[test]
fn a_message_without_end_fills_no_memory_and_takes_no_turn() {
    let mut scene = Scene::start(false);
    let came = [const { AtomicU64::new(0) }; 3];
    let attack = |((offset, kind), comes)| pours(scene.port(offset), kind, endless(), comes);
    let attacks = SOCKETS.into_iter().zip(&came).map(attack).collect();
    scene.withstands(attacks);
    assert!(came.iter().all(|times| times.load(Ordering::Relaxed) > MANY_TIMES), "cut off, everywhere: {came:?}");
}

/// What is right, or nearly: each costs more to judge than to send.
fn valid() -> [Vec<u8>; 2] {
    let hello = hand::hello_of(&patient_hand(), &[]);
    let onlooker = Hello { role: Role::Observer, ..hello.clone() };
    let command = Command { episode: 0, tick: 0, state_seq: 1, t_state: 0, q: vec![0.0; 3] };
    let ctl =
        [encode(0, 1, 0, &Ping {}), encode(0, 2, 0, &hello), encode(0, 3, 0, &onlooker), encode(0, 4, 0, &Arm {})];
    [ctl.map(|message| frame(&message, false)).concat(), frame(&encode(0, 1, 0, &command), false).repeat(4)]
}

#[test]
fn valid_messages_as_fast_as_they_go_take_no_turn_and_keep_no_command_out() {
    let mut scene = Scene::start(false);
    let [ctl, cmd] = valid();
    let comes = AtomicU64::new(0);
    let attacks = vec![
        pours(scene.port(0), "DEALER", ctl.repeat(16), &comes),
        pours(scene.port(0), "DEALER", ctl, &comes),
        pours(scene.port(1), "PUSH", cmd.repeat(16), &comes),
    ];
    scene.withstands(attacks);
    scene.obeys();
    let (bad, replies) = scene.heard();
    assert!(bad > MANY_TIMES && replies > MANY_TIMES, "they came: {bad} commands, {replies} requests");
}

/// Messages that are none, as long as one may be, or as short.
fn broken() -> Vec<u8> {
    let nested = vec![0x91; MAX_MESSAGE_BYTES];
    // A map of four thousand million entries.
    let huge = [vec![0xdf, 0xff, 0xff, 0xff, 0xff], vec![0xa1; MAX_MESSAGE_BYTES - 5]].concat();
    let parts = [frame(b"half", true), frame(b"another", false)].concat();
    [frame(&nested, false), frame(&huge, false), parts, frame(b"", false), frame(&[0xc1; 40], false)].concat()
}

#[test]
fn broken_messages_as_fast_as_they_go_take_no_turn_and_no_memory() {
    let mut scene = Scene::start(false);
    // What claims to be longer than any message ends its connection.
    let endless_frame = [vec![2], u64::MAX.to_be_bytes().to_vec()].concat();
    let (comes, too_long) = (AtomicU64::new(0), AtomicU64::new(0));
    let attacks = vec![
        pours_from(8, scene.port(0), "DEALER", broken(), &comes),
        pours_from(8, scene.port(1), "PUSH", broken(), &comes),
        pours(scene.port(1), "PUSH", endless_frame, &too_long),
    ];
    scene.withstands(attacks);
    let (bad, _) = scene.heard();
    assert!(bad > MANY_TIMES && too_long.into_inner() > MANY_TIMES, "they came: {bad}");
}

#[test]
fn what_waits_while_a_controller_hangs_is_bounded_in_bytes() {
    let mut scene = Scene::start(false);
    // Sixteen queues of these would be 64 MiB, if only messages were counted.
    let long = frame(&[0xc1; 60_000], false);
    let comes = AtomicU64::new(0);
    let attacks = vec![
        pours_from(8, scene.port(0), "DEALER", long.clone(), &comes),
        pours_from(8, scene.port(1), "PUSH", long, &comes),
    ];
    scene.hangs_under(attacks);
    let (bad, _) = scene.heard();
    assert!(bad > MANY_TIMES, "they came: {bad}");
}

/// To two topics that share nothing but their length, and back.
fn subscriptions() -> Vec<u8> {
    let topic = |begins: &[u8], number: u32| {
        let mut topic = [begins, &number.to_be_bytes()].concat();
        topic.resize(MAX_MESSAGE_BYTES, 0x5a);
        frame(&topic, false)
    };
    (0..8).flat_map(|number| topic(&[1], number)).chain(topic(&[0], 3)).collect()
}

#[test]
fn subscriptions_to_anything_are_not_kept() {
    let mut scene = Scene::start(false);
    let short = (0..=255_u8).flat_map(|topic| frame(&[1, topic], false)).collect();
    let (long, many) = (AtomicU64::new(0), AtomicU64::new(0));
    let attacks = vec![pours(scene.port(2), "SUB", subscriptions(), &long), pours(scene.port(2), "SUB", short, &many)];
    scene.withstands(attacks);
    let (long, many) = (long.into_inner(), many.into_inner());
    assert!(long > MANY_TIMES && many > MANY_TIMES, "cut off: {long}, {many}");
}

/// Opens connections to all sockets, says nothing, or only who it is, or nonsense, and keeps as many as it can.
fn knocks(ports: Vec<u16>, knocked: &AtomicU64) -> Attack<'_> {
    Box::new(move |over| {
        let mut open = VecDeque::new();
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE);
            for (&port, (_, kind)) in ports.iter().zip(SOCKETS) {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) else { continue };
                let number = knocked.fetch_add(1, Ordering::Relaxed);
                if number.is_multiple_of(3) {
                    open.push_back((Some(stream), None));
                } else if let Ok(mut stranger) = Stranger::greet(stream, kind) {
                    if number % 3 == 1 {
                        let _ = stranger.write(&[0xff; 100], || false);
                    }
                    open.push_back((None, Some(stranger)));
                }
                if open.len() > 300 {
                    open.pop_front();
                }
            }
        }
    })
}

fn withstands_ten_thousand_connections(with_keys: bool) {
    const MANY: u64 = 10_000;
    let mut scene = Scene::start(with_keys);
    let knocked = AtomicU64::new(0);
    let ports: Vec<u16> = SOCKETS.iter().map(|(offset, _)| scene.port(*offset)).collect();
    while knocked.load(Ordering::Relaxed) < MANY {
        scene.withstands(vec![knocks(ports.clone(), &knocked), knocks(ports.clone(), &knocked)]);
        let files = scene.controller.open_files();
        assert!(files < scene.quiet_files + 100 + 10, "{files} files and sockets are open");
    }
    // When they are gone, there is room for others.
    if !with_keys {
        let security = ClientSecurity::LocalOnly;
        let mut onlooker = Observer::connect(&scene.endpoint, &security, clock(), never()).unwrap();
        onlooker.await_state(10.0).unwrap();
    }
}

#[test]
fn ten_thousand_connections_take_a_bounded_number_of_places() {
    withstands_ten_thousand_connections(false);
}

#[test]
fn ten_thousand_strangers_take_no_turn_of_a_controller_with_keys() {
    withstands_ten_thousand_connections(true);
}

#[test]
fn a_socket_that_opens_and_says_nothing_is_closed_within_seconds() {
    let mut scene = Scene::start(false);
    // More than there are places.
    let open = |port| (0..40).map(move |_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect::<Vec<_>>();
    let silent: Vec<TcpStream> = [0, 1, 2].into_iter().flat_map(|offset| open(scene.port(offset))).collect();
    scene.goes_on();
    for stream in &silent {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut greeting = Vec::new();
        // What the controller says of itself, and then the end.
        let end = std::io::Read::read_to_end(&mut &*stream, &mut greeting);
        assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "still open");
    }
    let mut onlooker = Observer::connect(&scene.endpoint, &ClientSecurity::LocalOnly, clock(), never()).unwrap();
    onlooker.await_state(10.0).unwrap();
    scene.withstands(Vec::new());
}

#[test]
fn an_observer_who_is_listed_takes_no_more_than_a_stranger() {
    let mut scene = Scene::start(true);
    const CTL: Socket = Socket::Ctl;
    const CMD: Socket = Socket::Cmd;
    // Messages of twenty thousand frames; requests; nonsense, and subscriptions to it.
    let frames = [vec![vec![0x5a; 1000]; 20_000], vec![encode(0, 1, 0, &Ping {})], vec![vec![0x91; 60_000]]];
    let at: [&[Socket]; 3] = [&[CTL, CMD], &[CTL, CMD], &[CMD, CTL, Socket::Subscription]];
    let attack = |(frames, at): (Vec<Vec<u8>>, &'static [Socket])| -> Attack<'_> {
        let observer = scene.observer();
        Box::new(move |over| floods(observer, at, &frames, || over.load(Ordering::Relaxed)))
    };
    let attacks = frames.into_iter().zip(at).map(attack).collect();
    scene.withstands(attacks);
    let (bad, replies) = scene.heard();
    assert!(bad > MANY_TIMES && replies > MANY_TIMES, "they came: {bad}, {replies}");
}
