//! What the hand's encoders and the object's tracker make of the truth.

use super::actuators::Actuators;
use crate::parameters::WorldParameters;
use crate::scene::SceneModel;
use crate::sensing::{Encoders, ObjectTracker};
use giraffe_robots::{Nanos, ObjectPose, Signal, SignalFrame};

/// Encoders and tracker.
pub(super) struct Sensors {
    encoders: Encoders,
    tracker: ObjectTracker,
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
        let tracked = self.tracker.read();
        let rotation = tracked.pose.palm_from_object;
        let stamp = Nanos(sensed.now().0 - Nanos::from_secs(tracked.age_secs).0);
        sensed.write_at(Signal::ObjectPosition, tracked.pose.position_m.as_slice(), stamp);
        sensed.write_at(Signal::ObjectRotation, &[rotation.i, rotation.j, rotation.k, rotation.w], stamp);
    }
}
