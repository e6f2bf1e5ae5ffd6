//! The newest of what came in: what the hand senses and does, and where the object is.

use super::object::{ObjectView, ObjectWatch};
use super::pose::BelievedPose;
use crate::fault::FaultSet;
use crate::message::{State, WithHead};
use giraffe_robots::Nanos;

/// The newest messages of the hand.
pub(super) struct Newest {
    joint_count: usize,
    pub(super) state: Option<WithHead<State>>,
    /// When that state came, or since when one is waited for.
    pub(super) arrived: Nanos,
    /// What is known of the object.
    pub(super) object: ObjectView,
}

impl Newest {
    /// Nothing yet, of a hand with so many joints.
    pub(super) fn new(joint_count: usize, now: Nanos) -> Self {
        Self { joint_count, state: None, arrived: now, object: ObjectView::default() }
    }

    /// Takes in a state that came `now`.
    pub(super) fn take(&mut self, state: WithHead<State>, now: Nanos) {
        self.state = Some(state);
        self.arrived = now;
    }

    /// Whether a state is one of our hand.
    pub(super) fn check_shape(&self, state: &State) -> Result<(), String> {
        let count = self.joint_count;
        for (name, values) in [("q", &state.q), ("dq", &state.dq), ("q_target", &state.q_target)] {
            if values.len() != count {
                return Err(format!("`{name}` of a state has {} elements for {count} joints", values.len()));
            }
        }
        Ok(())
    }

    /// What a policy is told of the object, however old; `None` before the first state.
    pub(super) fn told_pose(&self, now: Nanos) -> Option<BelievedPose> {
        let hand_now = Nanos(self.state.as_ref()?.body.t_meas);
        self.object.last(hand_now, now)
    }

    /// The same, if it says that the object is seen now.
    pub(super) fn believed_pose(&self, now: Nanos) -> Option<BelievedPose> {
        let hand_now = Nanos(self.state.as_ref()?.body.t_meas);
        self.object.believed(hand_now, now)
    }

    /// What is seen of the object; nothing before the first state.
    pub(super) fn object_watch(&self, now: Nanos) -> ObjectWatch {
        let state = self.state.as_ref();
        state.map_or_else(ObjectWatch::default, |state| self.object.watch(Nanos(state.body.t_meas), now))
    }

    /// What the motors do, as the controller last said.
    pub(super) fn mode(&self) -> &str {
        self.state.as_ref().map_or("off", |state| &state.body.mode)
    }

    /// Faults, as the controller last said.
    pub(super) fn faults(&self) -> FaultSet {
        FaultSet::from_bits(self.state.as_ref().map_or(0, |state| state.body.fault))
    }

    /// Why the hand does not follow, in words.
    pub(super) fn why(&self) -> String {
        match &self.state {
            Some(state) => {
                let faults = if self.faults().is_empty() { String::new() } else { format!(" [{}]", self.faults()) };
                format!("mode `{}`: {}{faults}", state.body.mode, state.body.why)
            }
            None => "nothing was ever sensed".to_owned(),
        }
    }
}
