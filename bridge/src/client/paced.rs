//! Stepping with the controller's states instead of with a timer of our own.

use super::BridgeClient;
use super::link::WAIT_MS;
use crate::clock::after;
use giraffe_robots::{HandError, Nanos, SignalFrame};

impl BridgeClient {
    /// Waits for a state that is newer than the last, and writes it down. Returns when it came, on this client's clock.
    /// Meant for those who act on every state, or every k-th, as it comes; [`giraffe_robots::Hand::exchange`] has a
    /// timer of its own.
    ///
    /// # Errors
    /// When none comes within `timeout_secs`, the link is lost, or the session is over.
    pub fn next_state(&mut self, sensed: &mut SignalFrame, timeout_secs: f64) -> Result<Nanos, HandError> {
        let attempted = "waiting for the next state";
        let deadline = after(self.link.now(), timeout_secs);
        let last = self.link.newest.state.as_ref().map_or(0, |state| state.head.seq);
        loop {
            let came = self.link.now();
            self.link.receive();
            self.link.check_link(attempted)?;
            if self.link.newest.state.as_ref().is_some_and(|state| state.head.seq > last) {
                self.write(sensed);
                return Ok(came);
            }
            if came >= deadline {
                let heard = self.link.heard.words(false);
                let advice = format!("the controller publishes no states any more that could be used ({heard})");
                return Err(self.link.silent(attempted, timeout_secs, &advice));
            }
            self.link.check_stop()?;
            self.link.sockets.wait(WAIT_MS);
        }
    }

    /// Sends targets at once, computed from the last state. False if the link would not take them: nobody is
    /// connected, or two are waiting already.
    ///
    /// # Errors
    /// When there is not one finite target per joint, or nobody sees the object any more and the policy needs that.
    pub fn command(&mut self, targets_rad: &[f32]) -> Result<bool, HandError> {
        let wire = self.in_wire_order(targets_rad)?;
        self.watch_pose()?;
        let wire = self.link.limit(wire);
        self.link.compare_clocks();
        Ok(self.link.send_command(wire))
    }
}
