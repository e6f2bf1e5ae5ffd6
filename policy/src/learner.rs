//! The learner: collects, updates, and can be put away and taken up again bit for bit.

use crate::PolicyError;
use crate::checkpoint::{Policy, PolicyContext, PolicyManifest};
use crate::config::PpoConfig;
use crate::device::DeviceChoice;
use crate::gaussian::entropy;
use crate::network::{Inference, Network, NetworkShape, Sequence};
use crate::normalizer::{Normalizer, RunningMoments};
use crate::ppo::{ActorReport, CriticReport, Update};
use crate::rollout::{RecurrentState, Rollout, minibatches, moments};
use crate::threads::Threads;
use crate::trainee::{NotFinite, Trainee};
use burn::tensor::Device;
use giraffe_robots::{EpisodeEnd, ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Recurrent PPO with a privileged critic.
///
/// One iteration is [`PpoLearner::collect`] and [`PpoLearner::update`], or [`PpoLearner::iterate`] for both.
pub struct PpoLearner {
    pub(crate) config: PpoConfig,
    pub(crate) schema: ObservationSchema,
    pub(crate) action_width: usize,
    pub(crate) world_count: usize,
    pub(crate) seeds: SeedTree,
    pub(crate) device: Device,
    pub(crate) threads: Threads,
    pub(crate) actor: Trainee,
    pub(crate) critic: Trainee,
    moments: RunningMoments,
    /// What this iteration's observations add to `moments` when it is over.
    pub(crate) pending: RunningMoments,
    pub(crate) normalizer: Normalizer,
    learning_rate: f32,
    pub(crate) iteration: u64,
    pub(crate) control_steps: u64,
    /// As the worlds gave them last, `[W, F]`; empty before the first step.
    pub(crate) observations: Vec<f32>,
    pub(crate) actor_state: RecurrentState,
    pub(crate) critic_state: RecurrentState,
    pub(crate) rollout: Option<Rollout>,
}

/// What one iteration amounted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IterationReport {
    /// Iterations done, this one included.
    pub iteration: u64,
    /// Control steps collected in all worlds since the start.
    pub control_steps: u64,
    /// Mean reward per step.
    pub mean_reward: f32,
    /// Episodes that ended, and how many of them by the clock.
    pub episode_count: u64,
    /// Episodes cut off by the clock.
    pub timeout_count: u64,
    /// Clipped surrogate with its penalties, mean over gradient steps.
    pub policy_loss: f32,
    /// Mean squared error of the critic, mean over gradient steps.
    pub value_loss: f32,
    /// Entropy of the policy, nats.
    pub entropy: f32,
    /// Mean standard deviation of exploration.
    pub mean_std: f32,
    /// KL divergence of the policy in the last epoch from the one that collected, nats.
    pub approx_kl: f32,
    /// Share of samples whose probability ratio was clipped.
    pub clip_fraction: f32,
    /// Share of the returns' variance that the critic foresaw.
    pub explained_variance: f32,
    /// Length of the actor's gradient before clipping, mean.
    pub actor_gradient_norm: f32,
    /// Length of the critic's gradient before clipping, mean.
    pub critic_gradient_norm: f32,
    /// The actor's learning rate from now on.
    pub learning_rate: f32,
    /// Largest |ratio - 1| before anything was learned: 0 but for rounding, or rollout and update disagree.
    pub first_ratio_deviation: f32,
}

impl PpoLearner {
    /// A learner with fresh networks for `world_count` worlds of `schema` with `action_width` actions each.
    ///
    /// # Errors
    /// When a setting or the device cannot be.
    pub fn new(
        config: &PpoConfig,
        schema: &ObservationSchema,
        action_width: usize,
        world_count: usize,
        seeds: SeedTree,
        device: DeviceChoice,
    ) -> Result<Self, PolicyError> {
        config.validate(world_count)?;
        let device = device.open()?;
        let training = device.clone().autodiff();
        let [actor_shape, critic_shape] = shapes(config, schema, action_width);
        let weights = |network| seeds.stream(Stream::Weights, network, 0);
        let actor = Network::new(actor_shape, 0.01, Some(config.initial_std.ln()), &mut weights(0), &training);
        let critic = Network::new(critic_shape, 1.0, None, &mut weights(1), &training);
        let running = RunningMoments::new(schema.critic_width());
        Ok(Self {
            config: config.clone(),
            schema: schema.clone(),
            action_width,
            world_count,
            seeds,
            device,
            threads: Threads::new(config.thread_count)?,
            actor: Trainee::new(actor),
            critic: Trainee::new(critic),
            normalizer: running.freeze(config.observation_clip),
            pending: running.clone(),
            moments: running,
            learning_rate: config.learning_rate,
            iteration: 0,
            control_steps: 0,
            observations: Vec::new(),
            actor_state: RecurrentState::zero(world_count, config.core_width),
            critic_state: RecurrentState::zero(world_count, config.core_width),
            rollout: None,
        })
    }

    /// Iterations done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Control steps collected in all worlds since the start.
    pub fn control_steps(&self) -> u64 {
        self.control_steps
    }

    /// All parameters of actor and critic: what two equal learners have equal.
    pub fn parameters(&self) -> Vec<f32> {
        let mut all = self.actor.network.parameters();
        all.extend(self.actor.network.log_std_values());
        all.extend(self.critic.network.parameters());
        all
    }

    /// [`PpoLearner::collect`], then [`PpoLearner::update`].
    ///
    /// # Errors
    /// As these two.
    pub fn iterate(
        &mut self,
        worlds: &mut dyn WorldBatch,
        batch: &mut StepBatch,
    ) -> Result<IterationReport, PolicyError> {
        self.collect(worlds, batch)?;
        self.update()
    }

    /// Learns from what was collected.
    ///
    /// # Errors
    /// When nothing was collected, or when a loss or gradient is not finite: then the networks are as before.
    pub fn update(&mut self) -> Result<IterationReport, PolicyError> {
        let mut rollout = self.rollout.take().ok_or_else(|| PolicyError::Mismatch {
            what: "an update".to_owned(),
            expected: "a rollout collected before it".to_owned(),
            found: "none".to_owned(),
        })?;
        self.evaluate(&mut rollout);
        let mut rng = self.seeds.stream(Stream::Minibatch, 0, self.iteration);
        let minibatches = minibatches(&self.config, self.world_count, &mut rng);
        let update =
            Update { config: &self.config, rollout: &rollout, minibatches: &minibatches, device: &self.device };
        let (actor, critic, rate) = (self.actor.clone(), self.critic.clone(), self.learning_rate);
        let (actor, critic) =
            self.threads.both(move || update.train_actor(actor, rate), move || update.train_critic(critic));
        let ((actor, actor_report), (critic, critic_report)) =
            (self.learned("the actor's", actor)?, self.learned("the critic's", critic)?);
        self.actor = actor;
        self.critic = critic;
        self.learning_rate = actor_report.learning_rate;
        self.iteration += 1;
        self.moments.merge(&self.pending);
        self.pending = RunningMoments::new(self.schema.critic_width());
        self.normalizer = self.moments.freeze(self.config.observation_clip);
        Ok(self.report(&rollout, &actor_report, &critic_report))
    }

    fn learned<T>(&self, whose: &str, result: Result<T, NotFinite>) -> Result<T, PolicyError> {
        result.map_err(|NotFinite| PolicyError::NotFinite {
            what: format!("{whose} loss or gradient"),
            iteration: self.iteration,
            advice: "the networks are as before this update: continue from the last checkpoint with a lower learning rate",
        })
    }

    /// Fills in values, advantages and returns; advances the critic's state.
    ///
    /// The critic runs once over the whole rollout. Where an episode was cut off, and where each world stands at
    /// the end, it runs one step further from the state it had there.
    fn evaluate(&mut self, rollout: &mut Rollout) {
        let network = self.critic.network.inference();
        let sequence = Sequence {
            observations: rollout.observations.clone(),
            state: rollout.critic_start.clone(),
            keep: rollout.keep.clone(),
        };
        let run = self.threads.all.install(|| network.infer(sequence, &self.device));
        let sample_count = rollout.rewards.len();
        let last_step = sample_count - self.world_count;
        self.critic_state =
            RecurrentState::gather(&run.hidden, &run.cells, self.config.core_width, last_step..sample_count);
        for world in 0..self.world_count {
            if rollout.ends[last_step + world] != EpisodeEnd::Running {
                self.critic_state.forget(world);
            }
        }
        let timeout_values = self.values_after(&network, &run, rollout);
        let mut observations = vec![0.0; self.observations.len()];
        self.normalizer.apply_rows(&self.observations, &mut observations);
        let bootstrap_values = self.values_of(&network, observations, self.critic_state.clone());
        rollout.values = run.output;
        rollout.judge(&timeout_values, &bootstrap_values, &self.config);
    }

    /// Values of the observations before resets, with the state each episode had then.
    fn values_after(&self, network: &Network, run: &Inference, rollout: &Rollout) -> Vec<f32> {
        if rollout.timeout_indices.is_empty() {
            return Vec::new();
        }
        let rows = rollout.timeout_indices.iter().copied();
        let state = RecurrentState::gather(&run.hidden, &run.cells, self.config.core_width, rows);
        self.values_of(network, rollout.timeout_observations.clone(), state)
    }

    fn values_of(&self, network: &Network, observations: Vec<f32>, state: RecurrentState) -> Vec<f32> {
        let row_count = observations.len() / self.schema.critic_width();
        let keep = vec![if self.config.memoryless { 0.0 } else { 1.0 }; row_count];
        self.threads.all.install(|| network.infer(Sequence { observations, state, keep }, &self.device)).output
    }

    fn report(&self, rollout: &Rollout, actor: &ActorReport, critic: &CriticReport) -> IterationReport {
        let log_std = self.actor.network.log_std_values();
        let count = |wanted: fn(EpisodeEnd) -> bool| rollout.ends.iter().filter(|end| wanted(**end)).count() as u64;
        IterationReport {
            iteration: self.iteration,
            control_steps: self.control_steps,
            mean_reward: moments(&rollout.rewards).0 as f32,
            episode_count: count(|end| end != EpisodeEnd::Running),
            timeout_count: count(|end| end == EpisodeEnd::TimedOut),
            policy_loss: actor.loss.get(),
            value_loss: critic.loss.get(),
            entropy: entropy(&log_std),
            mean_std: log_std.iter().map(|x| x.exp()).sum::<f32>() / log_std.len().max(1) as f32,
            approx_kl: actor.kl,
            clip_fraction: actor.clip_fraction.get(),
            explained_variance: rollout.explained_variance(),
            actor_gradient_norm: actor.gradient_norm.get(),
            critic_gradient_norm: critic.gradient_norm.get(),
            learning_rate: actor.learning_rate,
            first_ratio_deviation: actor.first_ratio_deviation,
        }
    }

    /// The policy as it is, for deployment and evaluation.
    pub fn export(&self, context: PolicyContext) -> Policy {
        let [shape, _] = shapes(&self.config, &self.schema, self.action_width);
        let mut normalizer = self.normalizer.prefix(self.schema.actor_width());
        normalizer.clip = self.config.observation_clip;
        let manifest = PolicyManifest::new(
            context,
            self.schema.clone(),
            normalizer,
            shape,
            self.config.memoryless,
            (self.seeds.root(), self.control_steps),
        );
        Policy::new(manifest, self.actor.network.parameters())
    }
}

/// Shapes of actor and critic.
fn shapes(config: &PpoConfig, schema: &ObservationSchema, action_width: usize) -> [NetworkShape; 2] {
    [NetworkShape::new(config, schema.actor_width(), action_width), NetworkShape::new(config, schema.critic_width(), 1)]
}

/// Everything of a learner but its networks, as kept in `learner.msgpack`.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    shapes: [NetworkShape; 2],
    schema: ObservationSchema,
    world_count: usize,
    seeds: SeedTree,
    moments: RunningMoments,
    learning_rate: f32,
    iteration: u64,
    control_steps: u64,
    observations: Vec<f32>,
    actor_state: RecurrentState,
    critic_state: RecurrentState,
}

const KEPT_FORMAT: u32 = 1;
const KEPT_FILE: &str = "learner.msgpack";

impl PpoLearner {
    /// Names of the files [`PpoLearner::save`] writes.
    pub const FILES: [&str; 5] = ["actor.bpk", "actor_optimizer.bpk", "critic.bpk", "critic_optimizer.bpk", KEPT_FILE];

    /// Writes [`PpoLearner::FILES`] into `folder`, which must exist. Between iterations only; with the worlds saved
    /// at the same moment, learning continues bit for bit.
    ///
    /// # Errors
    /// When a file cannot be written, or a rollout waits for its update.
    pub fn save(&self, folder: &Path) -> Result<(), PolicyError> {
        if self.rollout.is_some() {
            return Err(PolicyError::Mismatch {
                what: "the moment to save".to_owned(),
                expected: "after an update".to_owned(),
                found: "a rollout that was not learned from yet".to_owned(),
            });
        }
        let kept = Kept {
            format: KEPT_FORMAT,
            shapes: shapes(&self.config, &self.schema, self.action_width),
            schema: self.schema.clone(),
            world_count: self.world_count,
            seeds: self.seeds,
            moments: self.moments.clone(),
            learning_rate: self.learning_rate,
            iteration: self.iteration,
            control_steps: self.control_steps,
            observations: self.observations.clone(),
            actor_state: self.actor_state.clone(),
            critic_state: self.critic_state.clone(),
        };
        let [actor, actor_optimizer] = self.actor.save()?;
        let [critic, critic_optimizer] = self.critic.save()?;
        let kept = rmp_serde::to_vec_named(&kept)
            .map_err(|error| PolicyError::Tensors { attempted: "saving the learner", reason: error.to_string() })?;
        for (name, bytes) in Self::FILES.iter().zip([actor, actor_optimizer, critic, critic_optimizer, kept]) {
            crate::checkpoint::write_file(&folder.join(name), &bytes)?;
        }
        Ok(())
    }

    /// Continues from a folder written by [`PpoLearner::save`]. The learner must have been made with the same
    /// widths, worlds and seed; other settings may differ and count from now on.
    ///
    /// # Errors
    /// When a file cannot be read, or is of another learner. Then this one is as before.
    pub fn load(&mut self, folder: &Path) -> Result<(), PolicyError> {
        let mut files = Vec::new();
        for name in Self::FILES {
            files.push(crate::checkpoint::read_file(&folder.join(name))?);
        }
        let kept: Kept = rmp_serde::from_slice(&files[4])
            .map_err(|error| PolicyError::Damaged { path: folder.join(KEPT_FILE), reason: error.to_string() })?;
        self.check_kept(&kept)?;
        let mut take = |index: usize| std::mem::take(&mut files[index]);
        let actor = self.actor.clone().load([take(0), take(1)])?;
        let critic = self.critic.clone().load([take(2), take(3)])?;
        self.actor = actor;
        self.critic = critic;
        self.normalizer = kept.moments.freeze(self.config.observation_clip);
        self.moments = kept.moments;
        self.pending = RunningMoments::new(self.schema.critic_width());
        self.learning_rate = kept.learning_rate;
        self.iteration = kept.iteration;
        self.control_steps = kept.control_steps;
        self.observations = kept.observations;
        self.actor_state = kept.actor_state;
        self.critic_state = kept.critic_state;
        self.rollout = None;
        Ok(())
    }

    fn check_kept(&self, kept: &Kept) -> Result<(), PolicyError> {
        let own = shapes(&self.config, &self.schema, self.action_width);
        let refuse = |what: &str, expected: String, found: String| {
            Err(PolicyError::Mismatch { what: format!("the checkpoint's {what}"), expected, found })
        };
        if kept.format != KEPT_FORMAT {
            return refuse("format", KEPT_FORMAT.to_string(), kept.format.to_string());
        }
        if kept.shapes != own {
            return refuse("network", format!("{own:?}"), format!("{:?}", kept.shapes));
        }
        if kept.schema != self.schema {
            return refuse("observation", self.schema.actor_fingerprint(), kept.schema.actor_fingerprint());
        }
        if (kept.world_count, kept.seeds) != (self.world_count, self.seeds) {
            let describe = |count: usize, seeds: SeedTree| format!("{count} worlds, seed {}", seeds.root());
            return refuse("worlds", describe(self.world_count, self.seeds), describe(kept.world_count, kept.seeds));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "../tests/toy/mod.rs"]
mod toy;

#[cfg(test)]
mod tests;
