//! Somebody who knows how to act, asked at every step what it would do: what [`crate::Cloning`] learns from.

use crate::PolicyError;
use crate::checkpoint::Policy;
use crate::device::DeviceChoice;
use crate::head::ActionHead;
use crate::network::{Frozen, Network, Sequence};
use crate::normalizer::Normalizer;
use crate::rollout::{Labels, RecurrentState};
use burn::tensor::Device;
use giraffe_robots::ObservationSchema;

/// Somebody who knows how to act in W worlds.
///
/// It goes along with the learner: asked once in every step of every world, it may remember what it was shown. The
/// learner acts, so a teacher sees what comes of the learner's mistakes, and says what it would do there. What it knows
/// beyond the observations it is shown is its own matter.
pub trait Teacher: Send {
    /// What it would do now in every world. `observations`: `[W, F]` as the worlds gave them, not normalised.
    ///
    /// # Errors
    /// When it cannot read the observations.
    fn label(&mut self, observations: &[f32]) -> Result<Labels, PolicyError>;

    /// The episode of this world is over: what is shown of it next is the start of another.
    fn forget(&mut self, world: usize);
}

/// A trained policy as a teacher of a learner that reads the same as it.
///
/// What it remembers is put away with [`PolicyTeacher::save`], at the same moment as worlds and learner.
pub struct PolicyTeacher {
    network: Frozen,
    normalizer: Normalizer,
    log_std: Vec<f32>,
    memoryless: bool,
    /// Columns of an observation, of which the policy reads the first.
    column_count: usize,
    state: RecurrentState,
    device: Device,
}

impl PolicyTeacher {
    /// A teacher in `world_count` worlds of `schema`.
    ///
    /// # Errors
    /// When the policy reads something else than an actor of `schema` does, when its file did not keep how far it
    /// explored, or when the device cannot compute.
    pub fn new(
        policy: &Policy,
        schema: &ObservationSchema,
        world_count: usize,
        device: DeviceChoice,
    ) -> Result<Self, PolicyError> {
        let manifest = policy.manifest();
        let (wanted, found) = (schema.actor_fingerprint(), manifest.observation.actor_fingerprint());
        if wanted != found {
            return Err(mismatch("what the teacher reads", format!("the columns of {wanted}"), format!("{found}'s")));
        }
        let log_std = match (manifest.shape.head, policy.log_std()) {
            (ActionHead::Gaussian, None) => {
                return Err(mismatch(
                    "the teacher's file",
                    "one with the standard deviations of its actions (save the policy again from its run's checkpoint)"
                        .to_owned(),
                    "one of an earlier giraffe, without them".to_owned(),
                ));
            }
            (_, log_std) => log_std.unwrap_or_default().to_vec(),
        };
        let device = device.open()?;
        let network = Network::with_parameters(manifest.shape, policy.weights(), None, &device.clone().autodiff());
        Ok(Self {
            network: network.inference(),
            normalizer: manifest.normalizer.clone(),
            log_std,
            memoryless: manifest.memoryless,
            column_count: schema.critic_width(),
            state: RecurrentState::zero(world_count, manifest.shape.state_width()),
            device,
        })
    }

    /// What it remembers of the worlds, to be continued by [`PolicyTeacher::restore`] bit for bit.
    pub fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.state).expect("numbers can be written")
    }

    /// Continues from what it remembered.
    ///
    /// # Errors
    /// When the bytes are not what a teacher like this one remembered of as many worlds.
    pub fn restore(&mut self, saved: &[u8]) -> Result<(), PolicyError> {
        let describe = |state: &RecurrentState| format!("{} worlds of {} numbers", state.row_count(), state.width());
        let refuse = |found| Err(mismatch("what the teacher remembered", describe(&self.state), found));
        match rmp_serde::from_slice::<RecurrentState>(saved) {
            Ok(state) if state.is_of(self.state.row_count(), self.state.width()) => {
                self.state = state;
                Ok(())
            }
            Ok(state) => refuse(describe(&state)),
            Err(error) => refuse(error.to_string()),
        }
    }
}

impl Teacher for PolicyTeacher {
    fn label(&mut self, observations: &[f32]) -> Result<Labels, PolicyError> {
        let (world_count, width) = (self.state.row_count(), self.normalizer.mean.len());
        if observations.len() != world_count * self.column_count {
            let describe = |count: usize| format!("{count} numbers");
            let expected = describe(world_count * self.column_count);
            return Err(mismatch("what the teacher is shown", expected, describe(observations.len())));
        }
        let mut columns = vec![0.0; world_count * width];
        for (row, columns) in observations.chunks_exact(self.column_count).zip(columns.chunks_exact_mut(width)) {
            self.normalizer.apply(row, columns);
        }
        let keep = vec![if self.memoryless { 0.0 } else { 1.0 }; world_count];
        let sequence = Sequence { observations: columns, state: self.state.clone(), keep };
        let run = self.network.infer(sequence, &self.device);
        self.state = run.state(0..world_count);
        Ok(Labels { outputs: run.output, log_std: self.log_std.repeat(world_count) })
    }

    fn forget(&mut self, world: usize) {
        self.state.forget(world);
    }
}

fn mismatch(what: &str, expected: String, found: String) -> PolicyError {
    PolicyError::Mismatch { what: what.to_owned(), expected, found }
}
