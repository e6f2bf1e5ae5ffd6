//! What the hand's encoders and the object's tracker make of the truth.

use super::actuators::Actuators;
use crate::parameters::WorldParameters;
use crate::scene::SceneModel;
use crate::sensing::{Encoders, ObjectTracker, TrackedPose};
use giraffe_robots::{Nanos, ObjectPose, PoseGuard, Signal, SignalFrame};

/// Encoders and tracker.
pub(super) struct Sensors {
    encoders: Encoders,
    tracker: ObjectTracker,
    /// What the tracker said when it was read last.
    tracked: TrackedPose,
    /// What of that is believed, as on the policy's side of a link.
    guard: PoseGuard,
    /// Scratch: per joint, the angle at the encoder, rad.
    encoder_side_rad: Vec<f32>,
    /// Joint angles freeze until this control step.
    frozen_until: u32,
}

impl Sensors {
    /// Sensors of a hand and an object that have always been where they are.
    pub fn new(
        scene: &SceneModel,
        parameters: &WorldParameters,
        noise_seed: u64,
        start_rad: &[f32],
        object: ObjectPose,
    ) -> Self {
        let (substep_secs, period_secs) = (scene.substep_secs(), scene.robot().control.period_secs);
        let times = [substep_secs, period_secs];
        Self {
            encoders: Encoders::new(parameters.sensing, &parameters.joints, times, noise_seed, start_rad),
            tracker: ObjectTracker::new(parameters.tracking, substep_secs, noise_seed, object),
            tracked: TrackedPose { pose: object, age_secs: 0.0 },
            guard: PoseGuard::default(),
            encoder_side_rad: vec![0.0; start_rad.len()],
            frozen_until: 0,
        }
    }

    /// Other sensors from now on.
    pub fn apply(&mut self, parameters: &WorldParameters) {
        self.encoders.apply(parameters.sensing, &parameters.joints);
        self.tracker.apply(parameters.tracking);
    }

    /// Lets joint angles freeze until a control step.
    pub fn freeze(&mut self, until: u32) {
        self.frozen_until = until;
    }

    /// Takes note of a physics step.
    pub fn record(&mut self, positions_rad: &[f32], actuators: &Actuators, object: ObjectPose) {
        for (joint, (side, &angle)) in self.encoder_side_rad.iter_mut().zip(positions_rad).enumerate() {
            *side = actuators.encoder_side_rad(joint, angle);
        }
        self.encoders.record(&self.encoder_side_rad);
        self.tracker.record(object);
    }

    /// Writes down what is sensed at the end of control step `step`, at a time, with targets as a hand reports them.
    pub fn sense(&mut self, step: u32, now: Nanos, targets_rad: &[f32], sensed: &mut SignalFrame) {
        sensed.begin(now);
        let frozen = step <= self.frozen_until && self.frozen_until > 0;
        self.encoders.read(step, frozen);
        sensed.write(Signal::JointPosition, self.encoders.positions_rad());
        sensed.write(Signal::JointVelocity, self.encoders.velocities_rad_per_sec());
        sensed.write(Signal::JointTarget, targets_rad);
        self.tracked = self.tracker.read();
        let TrackedPose { pose, age_secs } = self.tracked;
        let stamp = Nanos(now.0 - Nanos::from_secs(age_secs).0);
        self.guard.offer(pose.position_m.into(), pose.palm_from_object.coords.into(), stamp);
        self.guard.write(sensed);
    }

    /// What the tracker said when it was read last.
    pub fn tracked(&self) -> TrackedPose {
        self.tracked
    }
}
