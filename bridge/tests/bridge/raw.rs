//! Sockets that keep to no rule of ours: what a stranger could write, and what a stranger would see.

#![allow(dead_code, reason = "two programs of tests use it, each a part")]

use giraffe_bridge::message::{Ping, Pong, State};
use giraffe_bridge::wire::{Body, decode, encode};
use std::time::Duration;
use zmq::{Context, DONTWAIT, SocketType};

/// Keys as text. Whoever has none speaks in clear text.
#[derive(Clone)]
pub struct RawKeys {
    pub public: String,
    pub secret: String,
    /// The key that is taken for the controller's.
    pub server: String,
}

/// What comes within ten seconds.
fn in_time<T>(mut next: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = next() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing came");
}

/// A key as bytes.
pub fn key_bytes(key: &str) -> Vec<u8> {
    zmq::z85_decode(key).unwrap()
}

/// One of them, to be flooded.
#[derive(Clone, Copy)]
pub enum Socket {
    Ctl,
    Cmd,
    /// To states, which takes subscriptions.
    Subscription,
}

/// Sends a message of these frames to each of these sockets, again and again.
pub fn floods(raw: Raw, sockets: &[Socket], frames: &[Vec<u8>], is_over: impl Fn() -> bool) {
    let mut number = 0_u32;
    while !is_over() {
        // On a small machine others want to run, too.
        std::thread::sleep(Duration::from_millis(1));
        for socket in sockets {
            number += 1;
            let socket = match socket {
                Socket::Ctl => &raw.ctl,
                Socket::Cmd => &raw.cmd,
                Socket::Subscription => {
                    let topic = [&number.to_be_bytes(), frames[0].as_slice()].concat();
                    raw.state.set_subscribe(&topic).unwrap();
                    continue;
                }
            };
            let _ = socket.send_multipart(frames, DONTWAIT);
        }
    }
}

/// All four sockets of somebody.
pub struct Raw {
    ctl: zmq::Socket,
    cmd: zmq::Socket,
    state: zmq::Socket,
    pose: zmq::Socket,
    seq: u64,
}

impl Raw {
    pub fn connect(base: &str, keys: Option<&RawKeys>) -> Self {
        let (host, port) = base.rsplit_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        let context = Context::new();
        let socket = |kind: SocketType, offset: u16| {
            let socket = context.socket(kind).unwrap();
            socket.set_linger(0).unwrap();
            if kind == zmq::SUB {
                socket.set_subscribe(b"").unwrap();
            }
            if let Some(keys) = keys {
                socket.set_curve_serverkey(keys.server.as_bytes()).unwrap();
                socket.set_curve_publickey(keys.public.as_bytes()).unwrap();
                socket.set_curve_secretkey(keys.secret.as_bytes()).unwrap();
            }
            socket.connect(&format!("{host}:{}", port + offset)).unwrap();
            socket
        };
        let [ctl, cmd, state, pose] =
            [(zmq::DEALER, 0), (zmq::PUSH, 1), (zmq::SUB, 2), (zmq::SUB, 3)].map(|(kind, at)| socket(kind, at));
        // After everybody else's: what is dropped is not dropped for that.
        Self { ctl, cmd, state, pose, seq: 1 << 40 }
    }

    /// Sends a request that claims to be of session `sid`.
    pub fn request<B: Body>(&mut self, sid: u64, body: &B) {
        self.seq += 1;
        let _ = self.ctl.send(encode(sid, self.seq, 0, body), DONTWAIT);
    }

    /// How many requests the controller has answered, whoever's.
    pub fn replies(&mut self) -> u64 {
        self.request(0, &Ping {});
        let bytes = in_time(|| self.ctl.recv_bytes(DONTWAIT).ok());
        decode::<Pong>(&bytes).unwrap().0.seq
    }

    /// Sends a request and waits for its reply.
    pub fn ask<B: Body, A: Body>(&mut self, sid: u64, body: &B) -> A {
        while self.ctl.recv_bytes(DONTWAIT).is_ok() {}
        self.request(sid, body);
        let bytes = in_time(|| self.ctl.recv_bytes(DONTWAIT).ok());
        decode::<A>(&bytes).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&bytes))).1
    }

    /// Sends a command that claims to be of session `sid`.
    pub fn command<B: Body>(&mut self, sid: u64, body: &B) {
        self.seq += 1;
        let _ = self.cmd.send(encode(sid, self.seq, 0, body), DONTWAIT);
    }

    /// The next state.
    pub fn state(&self) -> (u64, State) {
        let bytes = in_time(|| self.state.recv_bytes(DONTWAIT).ok());
        let (head, state) = decode::<State>(&bytes).unwrap();
        (head.sid, state)
    }

    /// Forgets what has arrived so far.
    pub fn drain(&self) {
        for socket in [&self.ctl, &self.state, &self.pose] {
            while socket.recv_bytes(DONTWAIT).is_ok() {}
        }
    }

    /// Whether nothing at all arrives for a while.
    pub fn hears_nothing(&self, wait: Duration) -> bool {
        let sockets = [&self.ctl, &self.state, &self.pose];
        let mut items = sockets.map(|socket| socket.as_poll_item(zmq::POLLIN));
        zmq::poll(&mut items, i64::try_from(wait.as_millis()).unwrap()).unwrap() == 0
    }
}
