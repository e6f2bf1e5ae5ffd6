//! Having the hand follow.

use super::BridgeClient;
use super::link::{CONNECT_MS, SILENCE_SECS};
use super::replies::{Reply, refusal};
use crate::clock::after;
use crate::message::Arm;
use giraffe_robots::{HandError, Nanos};

/// Streaming before an arm is given up, s.
const ARM_SECS: f64 = 3.0;

impl BridgeClient {
    /// Makes the hand follow from the next [`giraffe_robots::Hand::exchange`] on. From a position the controller did not choose,
    /// commands to stay there are streamed first (half a second). Recurrent state must be reset afterwards.
    ///
    /// # Errors
    /// When the controller refuses (`FAULT_LATCHED`, `NOT_READY`) or does not answer.
    pub fn arm(&mut self) -> Result<(), HandError> {
        let attempted = "arming";
        self.link.receive();
        self.check_pose(attempted)?;
        let deadline = after(self.link.now(), ARM_SECS);
        let must_stream = !self.link.session.lockstep && !matches!(self.link.newest.mode(), "ready" | "active");
        if must_stream {
            self.stream_position(deadline)?;
        }
        loop {
            match self.ask(attempted, &Arm {})? {
                Reply::Granted(_) => break,
                Reply::Refused(objection) if must_stream && objection.code == "NOT_READY" => {
                    if self.link.now() >= deadline {
                        return Err(refusal(attempted, objection));
                    }
                    self.stream_once()?;
                }
                Reply::Refused(objection) => return Err(refusal(attempted, objection)),
            }
        }
        self.rearmed = true;
        self.held_since = None;
        self.begin_anew();
        if self.link.session.lockstep {
            // Nothing is published before the first command.
            if let Some(state) = &mut self.link.newest.state {
                state.body.mode = "active".to_owned();
            }
            return Ok(());
        }
        self.await_active()
    }

    fn await_active(&mut self) -> Result<(), HandError> {
        let deadline = after(self.link.now(), SILENCE_SECS);
        self.link.heard.begin();
        loop {
            if self.link.newest.mode() == "active" {
                return Ok(());
            }
            if self.link.now() >= deadline {
                return Err(HandError::Stopped {
                    reason: format!("armed, but {}; {}", self.link.newest.why(), self.link.heard.words(false)),
                });
            }
            self.link.pause(CONNECT_MS)?;
        }
    }

    fn stream_position(&mut self, deadline: Nanos) -> Result<(), HandError> {
        let enough = after(self.link.now(), self.terms().stream_ms as f64 * 1e-3);
        while self.link.now() < enough.min(deadline) {
            self.stream_once()?;
        }
        Ok(())
    }

    /// One command to stay, and one control period.
    fn stream_once(&mut self) -> Result<(), HandError> {
        self.link.receive();
        self.link.check_link("streaming before an arm")?;
        let Some(state) = &self.link.newest.state else { return Ok(()) };
        // Without torque `q_target` repeats the measured angles.
        let targets = state.body.q_target.clone();
        let targets = self.link.limit(targets);
        self.link.send_command(targets);
        let next = after(self.link.now(), f64::from(self.config.robot.control.period_secs));
        self.link.pause_until(next)
    }
}
