//! Somebody who reads what a hand does, and may stop it. Never commands, never takes the lease.

use super::admission::Admission;
use super::link::{Link, WAIT_MS};
use super::replies::{Reply, refusal};
use crate::clock::{Clock, after};
use crate::message::{Estop, Granted, Ping, State, Stop};
use crate::security::ClientSecurity;
use crate::transport::{ClientSockets, Endpoints, TransportError};
use crate::wire::{Body, Head, decode};
use giraffe_robots::HandError;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A reply takes no longer, s.
const REPLY_SECS: f64 = 1.0;
/// From one ping to the next while a state is waited for, s.
const PING_SECS: f64 = 0.05;
/// So many messages of one socket are passed over at a time, as many as may wait there: who never pauses does not keep us.
const AT_A_TIME: usize = 1000;

/// What an emergency button, a display or a logger needs.
pub struct Observer {
    link: Link,
}

impl Observer {
    /// Connects. This succeeds whether or not somebody listens: the first request tells.
    ///
    /// # Errors
    /// When the endpoint makes no sense, or may not be reached without keys.
    pub fn connect(
        endpoint: &str,
        security: &ClientSecurity,
        clock: Arc<dyn Clock>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, TransportError> {
        let has_keys = !matches!(security, ClientSecurity::LocalOnly);
        let sockets = ClientSockets::connect(&Endpoints::parse(endpoint, has_keys)?, security)?;
        let link = Link::new(endpoint, sockets, Admission::new(has_keys), clock, stop, 0, false);
        Ok(Self { link })
    }

    /// The newest state that is waiting, whoever commands the hand. Older ones are passed over.
    pub fn newest_state(&mut self) -> Option<(Head, State)> {
        let mut newest = None;
        for bytes in std::iter::from_fn(|| self.link.sockets.state()).take(AT_A_TIME) {
            let read = decode::<State>(&bytes);
            self.link.heard.state(read.as_ref().err().map(ToString::to_string));
            newest = read.ok().or(newest);
        }
        newest
    }

    /// The next state, at most `timeout_secs` from now. Asks the controller to publish once more: in lock-step nothing
    /// else would.
    ///
    /// # Errors
    /// When none comes, or the controller does not let us in.
    pub fn await_state(&mut self, timeout_secs: f64) -> Result<(Head, State), HandError> {
        let attempted = "waiting for a state";
        let deadline = after(self.link.now(), timeout_secs);
        let mut next_ping = self.link.now();
        self.link.heard.begin();
        loop {
            if let Some(state) = self.newest_state() {
                return Ok(state);
            }
            self.link.check_stop()?;
            self.link.take_events();
            self.link.check_admission(attempted)?;
            if self.link.now() >= deadline {
                let heard = self.link.heard.words(false);
                let advice =
                    format!("nobody publishes states there that could be used ({heard}); is a controller running?");
                return Err(self.link.silent(attempted, timeout_secs, &advice));
            }
            // Whatever comes ends the wait below: a ping for each time would be a flood that the answer to a stop waits behind.
            std::iter::from_fn(|| self.link.sockets.reply()).take(AT_A_TIME).for_each(drop);
            let now = self.link.now();
            if now >= next_ping {
                next_ping = after(now, PING_SECS);
                self.link.send(&Ping {});
            }
            self.link.sockets.wait(WAIT_MS);
        }
    }

    /// Takes torque off.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn stop(&mut self) -> Result<Granted, HandError> {
        self.ask("stopping", &Stop {})
    }

    /// Takes torque off and keeps it off until the commander clears faults. Works whoever commands.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn emergency_stop(&mut self) -> Result<Granted, HandError> {
        self.ask("emergency stop", &Estop {})
    }

    fn ask<B: Body>(&mut self, attempted: &str, body: &B) -> Result<Granted, HandError> {
        let deadline = after(self.link.now(), REPLY_SECS);
        match self.link.request_until(attempted, body, deadline)? {
            Reply::Granted((_, granted)) => Ok(granted),
            Reply::Refused(objection) => Err(refusal(attempted, objection)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::clock::MonotonicClock;
    use crate::message::Pong;
    use crate::security::ServerSecurity;
    use crate::transport::ServerSockets;
    use crate::wire::{decode_head, encode};
    use std::sync::atomic::Ordering;

    #[test]
    fn an_onlooker_who_waits_for_a_state_asks_now_and_then_however_fast_he_is_answered() {
        let folder = std::env::temp_dir().join(format!("giraffe-onlooker-{}", std::process::id()));
        let base = format!("ipc://{}", folder.display());
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let endpoints = Endpoints::parse(&base, false).unwrap();
        let sockets = ServerSockets::bind(&endpoints, &ServerSecurity::LocalOnly, false, &clock).unwrap();
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&over);
        // It answers at once, and publishes nothing.
        let answering = std::thread::spawn(move || {
            let mut pings = 0;
            while !seen.load(Ordering::Relaxed) {
                sockets.wait(1);
                while let Some(request) = sockets.request() {
                    let head = decode_head(&request.bytes).unwrap();
                    pings += u32::from(head.t == "ping");
                    sockets.reply(&request.peer, &encode(0, 1, 0, &Pong { re: head.seq, t0: head.ts, t1: 0, t2: 0 }));
                }
            }
            pings
        });
        let mut onlooker = Observer::connect(&base, &ClientSecurity::LocalOnly, clock, done).unwrap();
        onlooker.await_state(0.5).expect_err("nothing is published");
        over.store(true, Ordering::Relaxed);
        let pings = answering.join().unwrap();
        for socket in ["ctl", "cmd", "state", "pose"] {
            let _ = std::fs::remove_file(format!("{}-{socket}", folder.display()));
        }
        // One every 50 ms; a busy machine sends fewer.
        assert!((1..=11).contains(&pings), "{pings} pings in half a second");
    }
}
