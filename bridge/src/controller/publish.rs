//! What is published, and the start of an episode.

use super::{Applied, DroppedCommand, ServerCore};
use crate::driver::TrackedObject;
use crate::message::{Pose, Refused, Started, State, TrackerPose, WithHead};
use crate::watchdog::Mode;
use crate::wire::{Body, Head, VERSION, encode};
use giraffe_robots::{Nanos, SignalFrame};

impl ServerCore {
    /// The state to publish; `None` before every joint was read once.
    pub fn state_message(&mut self, now: Nanos) -> Option<Vec<u8>> {
        self.state_bytes(None, now)
    }

    /// The state that answers a command that was not accepted in lock-step.
    pub fn refused_message(&mut self, drop: &DroppedCommand, now: Nanos) -> Option<Vec<u8>> {
        let refused = Refused { seq: drop.seq, code: drop.code.to_owned(), detail: drop.detail.clone() };
        self.state_bytes(Some(refused), now)
    }

    fn state_bytes(&mut self, refused: Option<Refused>, now: Nanos) -> Option<Vec<u8>> {
        let state = State { refused, ..self.state()? };
        self.state_seq += 1;
        if let Some(measured) = &mut self.measured {
            measured.state_seq = self.state_seq;
        }
        Some(encode(self.sid(), self.state_seq, now.0, &state))
    }

    fn state(&self) -> Option<State> {
        let measured = self.measured.as_ref()?;
        let mode = self.watchdog.mode();
        let targets = if mode.has_torque() { self.envelope.held_rad() } else { &measured.q };
        Some(State {
            episode: self.episode,
            tick: self.tick,
            t_meas: measured.stamp.0,
            q: measured.q.clone(),
            dq: measured.dq.clone(),
            q_target: targets.to_vec(),
            cmd_seq: self.applied.seq,
            cmd_age_us: self.applied.age_us,
            clip: self.applied.clip,
            mode: mode.name().to_owned(),
            fault: self.faults.bits(),
            why: if mode == Mode::Active { String::new() } else { self.why.clone() },
            rx_stale: self.counters.stale,
            rx_bad: self.counters.bad,
            overruns: self.overruns,
            refused: None,
            rx_applied: Some(self.counters.applied),
            rx_superseded: Some(self.counters.superseded + self.counters.unfollowed),
            rx_rejected: Some(self.counters.rejected),
            rx_gap: Some(self.counters.gap),
            dt: self.applied.dt,
            q_seq: self.applied.q_seq,
            cur: self.health.current_a(),
            temp: self.health.temperature_celsius(),
            volt: self.health.voltage_v(),
            loop_us: self.loop_us,
        })
    }

    /// The pose to publish.
    pub fn pose_message(&mut self, object: &TrackedObject, now: Nanos) -> Vec<u8> {
        self.pose_seq += 1;
        encode(self.sid(), self.pose_seq, now.0, &self.pose(object))
    }

    fn pose(&self, object: &TrackedObject) -> Pose {
        let t_meas = self.measured.as_ref().map_or(0, |measured| measured.stamp.0);
        let seen = object.seen.map(|(pose, age)| TrackerPose {
            p: pose.position_m.into(),
            q_xyzw: pose.palm_from_object.coords.into(),
            t_meas: t_meas.saturating_sub(age.0),
        });
        Pose {
            episode: self.episode,
            tick: self.tick,
            t_meas,
            object: object.name.clone(),
            frame: "palm".to_owned(),
            p: object.pose.position_m.into(),
            q_xyzw: object.pose.palm_from_object.coords.into(),
            valid: object.valid,
            truth: object.truth,
            seen,
        }
    }

    /// A reset was carried out: `targets_rad` are in force, `frame` is the first thing sensed. Returns the reply to
    /// request `re`, after which the state and pose are to be published.
    ///
    /// # Errors
    /// When the driver's numbers are no start; the reply to send instead.
    pub fn on_reset_done(
        &mut self,
        re: u64,
        targets_rad: &[f32],
        frame: &SignalFrame,
        object: Option<&TrackedObject>,
        now: Nanos,
    ) -> Result<Vec<u8>, Vec<u8>> {
        let count = self.spec.robot.joint_count();
        if targets_rad.len() != count || !targets_rad.iter().all(|value| value.is_finite()) {
            let detail = format!("the driver's start is not {count} finite angles");
            return Err(self.on_reset_failed(re, &detail, now));
        }
        if self.take_measurement(frame).is_err() {
            let detail = "the driver sensed no finite angles and velocities after the reset";
            return Err(self.on_reset_failed(re, detail, now));
        }
        self.envelope.start_at(targets_rad);
        self.sense_failures = 0;
        self.last_filter = None;
        self.drop_pending();
        self.tracking.forget();
        self.applied = Applied::default();
        self.episode += 1;
        self.tick = 0;
        self.world_stands = true;
        self.watchdog.ready(now);
        self.why = "the episode is ready, not armed yet".to_owned();
        Ok(self.started(re, object, now))
    }

    fn started(&mut self, re: u64, object: Option<&TrackedObject>, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        let state = self.state().expect("a measurement was just taken");
        let pose = object.map(|object| self.pose(object));
        // The numbers that the published copies will have.
        let state = WithHead { head: head::<State>(sid, self.state_seq + 1, now), body: state };
        let pose = pose.map(|body| WithHead { head: head::<Pose>(sid, self.pose_seq + 1, now), body });
        self.ctl_bytes(sid, now, &Started { re, episode: self.episode, state, pose })
    }

    /// A reset could not be carried out. Returns the reply.
    pub fn on_reset_failed(&mut self, re: u64, detail: &str, now: Nanos) -> Vec<u8> {
        self.watchdog.stop(now);
        self.why = format!("reset failed: {detail}");
        self.refusal(re, "RESET_FAILED", detail, now)
    }
}

fn head<B: Body>(sid: u64, seq: u64, now: Nanos) -> Head {
    Head { v: VERSION, t: B::TYPE.to_owned(), sid, seq, ts: now.0 }
}
