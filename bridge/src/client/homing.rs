//! Having the hand go home.

use super::BridgeClient;
use super::link::{CONNECT_MS, SILENCE_SECS};
use super::replies::{Reply, refusal};
use crate::clock::after;
use crate::handshake::Objection;
use crate::message::{HOMING, Home, Ping};
use giraffe_robots::{HandError, Nanos};

/// Every way home is over after so long, s.
const HOME_SECS: f64 = 60.0;
/// So often the controller hears that somebody still waits, s. Well below any lease.
const STAY_SECS: f64 = 0.1;

impl BridgeClient {
    /// Has the controller move the hand to its resting pose, slowly and by itself, and waits until it is there. From
    /// any mode with or without torque except while the hand follows. Afterwards [`BridgeClient::arm`] takes effect
    /// at once; the controller holds the pose only while it hears of us (its `lease_ms`).
    ///
    /// # Errors
    /// When the controller cannot or will not (`UNSUPPORTED`, `NOT_READY`, `NOT_CALIBRATED`, `FAULT_LATCHED`), does
    /// not answer, or the hand was held on the way: says why, and which joint did not come.
    pub fn home(&mut self) -> Result<(), HandError> {
        let attempted = "going home";
        if !self.has_feature(HOMING) {
            let detail = format!("the controller does not grant `{HOMING}`, only {:?}", self.terms().grants);
            return Err(refusal(attempted, Objection::new("UNSUPPORTED", detail)));
        }
        match self.ask(attempted, &Home {})? {
            Reply::Granted(_) => {}
            Reply::Refused(objection) => return Err(refusal(attempted, objection)),
        }
        let arrived = self.await_ready(attempted);
        if matches!(&arrived, Err(HandError::Silent { .. })) {
            // The controller ends it by itself once the lease is over; this is only sooner.
            let _ = self.hold();
        }
        self.due = None;
        arrived
    }

    fn await_ready(&mut self, attempted: &str) -> Result<(), HandError> {
        let start = self.link.now();
        let (deadline, mut next_word) = (after(start, HOME_SECS), start);
        let mut set_out = false;
        loop {
            match self.link.newest.mode() {
                "homing" => set_out = true,
                // States published before the request still show the mode before.
                _ if !set_out && !self.waited_for(start) => {}
                "ready" => return Ok(()),
                _ => {
                    return Err(HandError::Stopped { reason: format!("on the way home: {}", self.link.newest.why()) });
                }
            }
            let now = self.link.now();
            if now >= deadline {
                return Err(self.link.silent(attempted, HOME_SECS, "the controller still says that it is on its way"));
            }
            if now >= next_word {
                next_word = after(now, STAY_SECS);
                self.link.send(&Ping {});
            }
            self.link.pause(CONNECT_MS)?;
            self.link.check_link(attempted)?;
        }
    }

    /// Whether a state that shows the new mode must have come by now.
    fn waited_for(&self, start: Nanos) -> bool {
        self.link.now().secs_since(start) > SILENCE_SECS
    }
}
