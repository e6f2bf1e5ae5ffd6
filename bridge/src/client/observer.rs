//! Somebody who reads what a hand does, and may stop it. Never commands, never takes the lease.

use super::REPLY_SECS;
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
        while let Some(bytes) = self.link.sockets.state() {
            newest = decode::<State>(&bytes).ok().or(newest);
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
        loop {
            if let Some(state) = self.newest_state() {
                return Ok(state);
            }
            self.link.check_stop()?;
            self.link.take_events();
            self.link.check_admission(attempted)?;
            if self.link.now() >= deadline {
                let advice = "nobody publishes states there; is a controller running?";
                return Err(self.link.silent(attempted, timeout_secs, advice));
            }
            // What answers pings says nothing that is waited for, but unread it would fill the queue, and the answer to a later
            // stop would be lost.
            while self.link.sockets.reply().is_some() {}
            self.link.send(&Ping {});
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
