//! What is published, and the start of an episode.

use super::{DroppedCommand, Episode, ServerCore};
use crate::driver::TrackedObject;
use crate::message::{POSE_FRAME, Pose, Refused, Started, State, TrackerPose, WithHead};
use crate::watchdog::Mode;
use crate::wire::{Body, Head, VERSION, encode};
use giraffe_robots::{Nanos, SignalFrame};

impl ServerCore {
    /// The state to publish; `None` before every joint was read once.
    pub fn state_message(&mut self, now: Nanos) -> Option<Vec<u8>> {
        self.state_bytes(None, now)
    }

    /// The state that answers a command that was not accepted in lock-step.
    pub fn refused_message(&mut self, dropped: &DroppedCommand, now: Nanos) -> Option<Vec<u8>> {
        let refused = Refused { seq: dropped.seq, code: dropped.code.to_owned(), detail: dropped.detail.clone() };
        self.state_bytes(Some(refused), now)
    }

    fn state_bytes(&mut self, refused: Option<Refused>, now: Nanos) -> Option<Vec<u8>> {
        let state = State { refused, ..self.state()? };
        self.link.seqs.state += 1;
        let seq = self.link.seqs.state;
        if let Some(measured) = &mut self.body.measured {
            measured.state_seq = seq;
        }
        Some(encode(self.sid(), seq, now.0, &state))
    }

    fn state(&self) -> Option<State> {
        let Self { link, body, safety, episode, .. } = self;
        let measured = body.measured.as_ref()?;
        let mode = safety.mode();
        let targets = if mode.has_torque() { safety.envelope.held_rad() } else { &measured.q };
        let (counters, applied) = (&link.counters, &safety.applied);
        Some(State {
            episode: episode.number,
            tick: episode.tick,
            t_meas: measured.stamp.0,
            q: measured.q.clone(),
            dq: measured.dq.clone(),
            q_target: targets.to_vec(),
            cmd_seq: applied.seq,
            cmd_age_us: applied.age_us,
            clip: applied.clip,
            mode: safety.published_mode().name().to_owned(),
            fault: safety.faults.bits(),
            why: if mode == Mode::Active { String::new() } else { safety.why.clone() },
            rx_stale: counters.stale,
            rx_bad: counters.bad,
            overruns: body.overruns,
            refused: None,
            rx_applied: Some(counters.applied),
            rx_superseded: Some(counters.superseded + counters.unfollowed),
            rx_rejected: Some(counters.rejected),
            rx_gap: Some(counters.gap),
            dt: applied.dt,
            q_seq: applied.q_seq,
            cur: body.health.current_a(),
            temp: body.health.temperature_celsius(),
            volt: body.health.voltage_v(),
            loop_us: body.loop_us,
        })
    }

    /// The pose to publish.
    pub fn pose_message(&mut self, object: &TrackedObject, now: Nanos) -> Vec<u8> {
        self.link.seqs.pose += 1;
        encode(self.sid(), self.link.seqs.pose, now.0, &self.pose(object))
    }

    fn pose(&self, object: &TrackedObject) -> Pose {
        let t_meas = self.body.measured.as_ref().map_or(0, |measured| measured.stamp.0);
        let seen = object.seen.map(|(pose, age)| TrackerPose {
            p: pose.position_m.into(),
            q_xyzw: pose.palm_from_object.coords.into(),
            t_meas: t_meas.saturating_sub(age.0),
        });
        Pose {
            episode: self.episode.number,
            tick: self.episode.tick,
            t_meas,
            object: object.name.clone(),
            frame: POSE_FRAME.to_owned(),
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
        if self.body.take_measurement(frame, count).is_err() {
            let detail = "the driver sensed no finite angles and velocities after the reset";
            return Err(self.on_reset_failed(re, detail, now));
        }
        self.body.note_sensed();
        self.body.tracking.forget();
        self.link.drop_pending();
        self.safety.begin_episode(targets_rad, now);
        self.episode = Episode { number: self.episode.number + 1, tick: 0, world_stands: true };
        Ok(self.started(re, object, now))
    }

    fn started(&mut self, re: u64, object: Option<&TrackedObject>, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        let state = self.state().expect("a measurement was just taken");
        let pose = object.map(|object| self.pose(object));
        // The numbers that the published copies will have.
        let state = WithHead { head: head::<State>(sid, self.link.seqs.state + 1, now), body: state };
        let pose = pose.map(|body| WithHead { head: head::<Pose>(sid, self.link.seqs.pose + 1, now), body });
        self.link.reply(sid, now, &Started { re, episode: self.episode.number, state, pose })
    }

    /// A reset could not be carried out. Returns the reply.
    pub fn on_reset_failed(&mut self, re: u64, detail: &str, now: Nanos) -> Vec<u8> {
        self.safety.watchdog.stop(now);
        self.safety.why = format!("reset failed: {detail}");
        self.refusal(re, "RESET_FAILED", detail, now)
    }
}

fn head<B: Body>(sid: u64, seq: u64, now: Nanos) -> Head {
    Head { v: VERSION, t: B::TYPE.to_owned(), sid, seq, ts: now.0 }
}
