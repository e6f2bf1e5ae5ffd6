//! One control period after another, in lock-step or by a timer of our own.

use super::link::{CONNECT_MS, WAIT_MS};
use super::replies::refusal;
use super::{BridgeClient, IF_SLOW, SensedPose, write_sensed};
use crate::fault::Fault;
use crate::handshake::Objection;
use crate::message::OBJECT_POSE;
use giraffe_robots::{Commanded, Hand, HandError, Nanos, POSE_HOLD_SECS, RobotModel, SignalFrame};

impl BridgeClient {
    /// A policy that reads where the object is must not go on without knowing.
    pub(super) fn check_pose(&self, attempted: &str) -> Result<(), HandError> {
        if !self.config.needs_object_pose || self.link.newest.believed_pose(self.link.now()).is_some() {
            return Ok(());
        }
        let detail = format!(
            "the policy reads where the object is, and no tracker has said so for {:.0} ms ({} poses were not believed)",
            POSE_HOLD_SECS * 1e3,
            self.link.newest.object.rejected()
        );
        Err(refusal(attempted, Objection::new(Fault::PoseLost.name(), detail)))
    }

    /// Holds the hand when the object is lost.
    pub(super) fn watch_pose(&mut self) -> Result<(), HandError> {
        let Err(error) = self.check_pose("following") else { return Ok(()) };
        self.hold()?;
        Err(HandError::Stopped { reason: error.to_string() })
    }

    pub(super) fn in_wire_order(&self, targets_rad: &[f32]) -> Result<Vec<f32>, HandError> {
        let mut wire = vec![0.0; self.places.len()];
        if targets_rad.len() != wire.len() {
            let detail = format!("{} targets for {} joints", targets_rad.len(), wire.len());
            return Err(refusal("commanding", Objection::new("SHAPE", detail)));
        }
        for (joint, &place) in self.places.iter().enumerate() {
            if !targets_rad[joint].is_finite() {
                let name = &self.config.robot.joints[joint].name;
                return Err(HandError::NotFinite { what: format!("target of joint `{name}`") });
            }
            wire[place] = targets_rad[joint];
        }
        Ok(wire)
    }

    fn in_own_order(&self, wire: &[f32]) -> Vec<f32> {
        self.places.iter().map(|&place| wire[place]).collect()
    }

    fn exchange_lockstep(&mut self, wire: Vec<f32>) -> Result<(), HandError> {
        let attempted = "one control period in lock-step";
        let Some(before) = &self.link.newest.state else { return Ok(()) };
        let (episode, tick) = (before.body.episode, before.body.tick.saturating_add(1));
        let start = self.link.now();
        self.link.heard.begin();
        // A fresh connection may take a moment before it accepts commands.
        while !self.link.send_command(wire.clone()) {
            let reply_secs = self.config.reply_secs();
            if self.link.now().secs_since(start) > reply_secs {
                return Err(self.link.silent(attempted, reply_secs, "nobody takes commands at the `cmd` socket"));
            }
            self.link.pause(CONNECT_MS)?;
        }
        loop {
            if let Some(state) = &self.link.newest.state {
                if let Some(refused) =
                    state.body.refused.as_ref().filter(|refused| refused.seq == self.link.session.cmd_seq)
                {
                    return Err(refusal(attempted, Objection::new(refused.code.clone(), refused.detail.clone())));
                }
                let pose_came = match &self.link.newest.object.pose {
                    Some(pose) if self.has_feature(OBJECT_POSE) => {
                        (pose.body.episode, pose.body.tick) == (episode, tick)
                    }
                    _ => true,
                };
                if (state.body.episode, state.body.tick) == (episode, tick) && pose_came {
                    return Ok(());
                }
            }
            self.link.check_link(attempted)?;
            if self.link.now().secs_since(start) > self.config.step_secs() {
                return Err(self.no_answer(attempted, episode, tick));
            }
            self.link.pause(WAIT_MS)?;
        }
    }

    /// What is missing of the answer to a command in lock-step, and what came instead.
    fn no_answer(&self, attempted: &str, episode: u64, tick: u64) -> HandError {
        let found = self.link.newest.state.as_ref().map(|state| (state.body.episode, state.body.tick));
        let tracked = self.has_feature(OBJECT_POSE);
        let what = match found {
            Some(found) if found == (episode, tick) => {
                let pose = self.link.newest.object.pose.as_ref().map(|pose| (pose.body.episode, pose.body.tick));
                let last =
                    pose.map_or_else(|| "none ever came".to_owned(), |(_, tick)| format!("the last is of tick {tick}"));
                format!(
                    "the state of tick {tick} came and its pose did not ({last}): a controller that grants object_pose \
                     publishes one per control period on `pose`, with the same `episode` and `tick`"
                )
            }
            Some((found_episode, found_tick)) if found_episode == episode => {
                format!("no state of tick {tick}: the last state that could be used is of tick {found_tick}")
            }
            Some((found_episode, _)) => format!(
                "no state of tick {tick}: the last state that could be used is of another episode (the controller counts \
                 {found_episode} resets, this one is {episode})"
            ),
            None => format!("no state of tick {tick}"),
        };
        let heard = self.link.heard.words(tracked);
        let advice = format!("{what}; {heard}{IF_SLOW}");
        self.link.silent(attempted, self.config.step_secs(), &advice)
    }

    /// Sends now, then waits for the next tick of our own timer. Returns how many ticks had been missed.
    fn exchange_in_time(&mut self, wire: Vec<f32>) -> Result<u32, HandError> {
        let period = Nanos::from_secs(f64::from(self.config.robot.control.period_secs)).0;
        let now = self.link.now();
        let due = self.due.unwrap_or(now);
        let missed = ((now.0 - due.0) / period).max(0);
        self.link.check_stop()?;
        self.link.send_command(wire);
        self.link.compare_clocks();
        let next = Nanos(due.0 + (missed + 1) * period);
        self.due = Some(next);
        self.link.pause_until(next)?;
        self.link.check_link("waiting for a state")?;
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.link.report.missed_ticks += u64::from(missed);
        Ok(missed)
    }

    /// Whether the hand still follows. A short hold that our next command will end counts as following.
    fn check_following(&mut self) -> Result<(), HandError> {
        let now = self.link.now();
        if self.link.newest.mode() == "active" {
            self.held_since = None;
            return Ok(());
        }
        let faults = self.link.newest.faults();
        let by_silence =
            self.link.newest.mode() == "hold" && faults.holds(Fault::LinkLost) && faults.latched().is_empty();
        let since = *self.held_since.get_or_insert(now);
        let patience_secs = self.terms().rearm_ms as f64 * 1e-3;
        if by_silence && !self.link.session.lockstep && now.secs_since(since) < patience_secs {
            return Ok(());
        }
        let reason = self.link.newest.why();
        Err(if by_silence { HandError::LinkLost { reason } } else { HandError::Stopped { reason } })
    }

    pub(super) fn write(&mut self, sensed: &mut SignalFrame) {
        let Some(state) = &self.link.newest.state else { return };
        let hand_now = Nanos(state.body.t_meas);
        // The truth of a simulator is not for the policy.
        let seen = self.link.newest.told_pose(self.link.now()).map(|seen| SensedPose {
            position_m: seen.pose.position_m.into(),
            rotation_xyzw: seen.pose.palm_from_object.coords.into(),
            stamp: Nanos(hand_now.0.saturating_sub(Nanos::from_secs(seen.age_secs).0)),
        });
        write_sensed(&state.body, seen.as_ref(), &self.places, sensed);
        if let Some(seen) = seen {
            self.link.tell(|tap, now| tap.sensed_pose(&seen, now));
        }
    }
}

impl Hand for BridgeClient {
    fn model(&self) -> &RobotModel {
        &self.config.robot
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        self.link.receive();
        self.link.check_link("observing")?;
        self.write(sensed);
        // Who observes begins anew, with fresh recurrent state: the arming before it is no news to them.
        self.rearmed = false;
        Ok(())
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        let wire = self.in_wire_order(targets_rad)?;
        let wire = self.link.limit(wire);
        let missed_tick_count = if self.link.session.lockstep {
            self.exchange_lockstep(wire)?;
            0
        } else {
            self.exchange_in_time(wire)?
        };
        self.check_following()?;
        self.watch_pose()?;
        self.write(sensed);
        let (applied_rad, clip, applied_seq) = match &self.link.newest.state {
            Some(state) => (self.in_own_order(&state.body.q_target), state.body.clip, state.body.cmd_seq),
            None => (Vec::new(), 0, 0),
        };
        let rearmed = std::mem::take(&mut self.rearmed);
        let clipped_joint_count = clip.count_ones();
        Ok(Commanded { applied_rad, clipped_joint_count, missed_tick_count, rearmed, applied_seq })
    }
}
