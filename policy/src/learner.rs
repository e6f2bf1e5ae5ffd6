//! The learner: collects, updates, and can be put away and taken up again bit for bit.

use crate::PolicyError;
use crate::checkpoint::{Policy, PolicyContext, PolicyManifest};
use crate::config::{HeadKind, PpoConfig};
use crate::device::DeviceChoice;
use crate::group::{Alone, Group, Lane, sums};
use crate::head::ActionHead;
use crate::network::{Network, NetworkShape};
use crate::normalizer::{Normalizer, RunningMoments};
use crate::ppo::{ActorReport, CriticReport, Update};
use crate::reward_scale::RewardScale;
use crate::rollout::{RecurrentState, Rollout, minibatches};
use crate::threads::Threads;
use crate::trainee::{NotFinite, Trainee};
use burn::tensor::Device;
use giraffe_robots::{EpisodeEnd, ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod judge;
mod kept;

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
    pub(crate) group: Arc<dyn Group>,
    pub(crate) actor: Trainee,
    pub(crate) critic: Trainee,
    moments: RunningMoments,
    /// What this iteration's observations add to `moments` when it is over.
    pub(crate) pending: RunningMoments,
    pub(crate) normalizer: Normalizer,
    /// Where rewards are normalised.
    pub(crate) reward_scale: Option<RewardScale>,
    pub(crate) pending_rewards: RunningMoments,
    learning_rate: f32,
    pub(crate) iteration: u64,
    pub(crate) control_steps: u64,
    /// As the worlds gave them last, `[W, F]`; empty before the first step.
    pub(crate) observations: Vec<f32>,
    pub(crate) actor_state: RecurrentState,
    pub(crate) critic_state: RecurrentState,
    pub(crate) rollout: Option<Rollout>,
    /// What the last update broke on: see [`PpoLearner::dump`].
    pub(crate) broken: Option<Rollout>,
}

/// What one iteration amounted to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IterationReport {
    /// Iterations done, this one included.
    pub iteration: u64,
    /// Control steps collected in all worlds since the start.
    pub control_steps: u64,
    /// Mean reward per step, as the worlds gave it.
    pub mean_reward: f32,
    /// Episodes that ended.
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
    /// Mean of what came of the steps: discounted rewards, with the critic's guess of what lies beyond the rollout. This
    /// and the six after it are of rewards as learned from: divided by their scale where `ppo.reward_normalization` is on.
    pub return_mean: f32,
    /// Their standard deviation.
    pub return_std: f32,
    /// Mean of what the critic had foreseen.
    pub value_mean: f32,
    /// Its standard deviation.
    pub value_std: f32,
    /// Largest |value|.
    pub largest_value: f32,
    /// Largest |reward| of a step.
    pub largest_reward: f32,
    /// Largest |advantage|, before advantages are brought to unit variance.
    pub largest_advantage: f32,
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
        Self::in_group(config, schema, (action_width, world_count), seeds, device, Arc::new(Alone))
    }

    /// A learner that learns together with others of the same settings and seed, each with its own `world_count` worlds:
    /// those from number `rank * world_count` on.
    ///
    /// # Errors
    /// When a setting or the device cannot be.
    pub fn in_group(
        config: &PpoConfig,
        schema: &ObservationSchema,
        (action_width, world_count): (usize, usize),
        seeds: SeedTree,
        device: DeviceChoice,
        group: Arc<dyn Group>,
    ) -> Result<Self, PolicyError> {
        config.validate(world_count)?;
        check_share(config, world_count, &*group)?;
        let device = device.open()?;
        let training = device.clone().autodiff();
        let [actor_shape, critic_shape] = shapes(config, schema, action_width);
        let weights = |network| seeds.stream(Stream::Weights, network, 0);
        let log_std = (config.head == HeadKind::Gaussian).then(|| config.initial_std.ln());
        let actor = Network::new(actor_shape, 0.01, log_std, &mut weights(0), &training);
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
            group,
            actor: Trainee::new(actor),
            critic: Trainee::new(critic),
            normalizer: running.freeze(config.observation_clip),
            pending: running.clone(),
            moments: running,
            reward_scale: config.reward_normalization.then(|| RewardScale::new(world_count)),
            pending_rewards: RunningMoments::new(1),
            learning_rate: config.learning_rate,
            iteration: 0,
            control_steps: 0,
            observations: Vec::new(),
            actor_state: RecurrentState::zero(world_count, actor_shape.state_width()),
            critic_state: RecurrentState::zero(world_count, critic_shape.state_width()),
            rollout: None,
            broken: None,
        })
    }

    /// Whether the latest update broke. In a group it then broke in all members.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Iterations done.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Control steps collected in all worlds since the start.
    pub fn control_steps(&self) -> u64 {
        self.control_steps
    }

    /// Which member of its group this is, from 0.
    pub fn rank(&self) -> usize {
        self.group.rank()
    }

    /// What was seen of every column of an observation so far: see [`ObservationSchema::column_names`].
    pub fn observation_moments(&self) -> &RunningMoments {
        &self.moments
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
    /// When nothing was collected, or when a loss or gradient is not finite: then the networks are as before, and
    /// [`PpoLearner::dump`] writes down what it broke on.
    pub fn update(&mut self) -> Result<IterationReport, PolicyError> {
        let mut rollout = self.rollout.take().ok_or_else(|| PolicyError::Mismatch {
            what: "an update".to_owned(),
            expected: "a rollout collected before it".to_owned(),
            found: "none".to_owned(),
        })?;
        self.broken = None;
        self.evaluate(&mut rollout);
        let own = self.first_world()..self.first_world() + self.world_count;
        let minibatches = minibatches(&self.config, own, self.seeds, self.iteration);
        let update = Update {
            config: &self.config,
            rollout: &rollout,
            head: self.config.action_head(),
            minibatches: &minibatches,
            device: &self.device,
            group: &*self.group,
        };
        let (actor, critic, rate) = (self.actor.clone(), self.critic.clone(), self.learning_rate);
        let (actor, critic) =
            self.threads.both(move || update.train_actor(actor, rate), move || update.train_critic(critic));
        let learned = (self.learned("the actor's", actor), self.learned("the critic's", critic));
        let ((actor, actor_report), (critic, critic_report)) = match learned {
            (Ok(actor), Ok(critic)) => (actor, critic),
            (Err(error), _) | (_, Err(error)) => {
                self.broken = Some(rollout);
                return Err(error);
            }
        };
        self.actor = actor;
        self.critic = critic;
        self.learning_rate = actor_report.learning_rate;
        self.iteration += 1;
        self.learn_scales()?;
        Ok(self.report(&rollout, &actor_report, &critic_report))
    }

    fn learned<T>(&self, whose: &str, result: Result<T, NotFinite>) -> Result<T, PolicyError> {
        result.map_err(|NotFinite| PolicyError::NotFinite {
            what: format!("{whose} loss or gradient"),
            iteration: self.iteration,
            advice: "the networks are as before this update: continue from the last checkpoint with lower ppo.learning_rate_bounds or a lower ppo.critic_learning_rate",
        })
    }

    /// Lets the statistics of this iteration, of all members of the group, count from now on.
    fn learn_scales(&mut self) -> Result<(), PolicyError> {
        let observations = std::mem::replace(&mut self.pending, RunningMoments::new(self.schema.critic_width()));
        let rewards = std::mem::replace(&mut self.pending_rewards, RunningMoments::new(1));
        for [observations, rewards] in self.gathered(&[observations, rewards])? {
            self.moments.merge(&observations);
            if let Some(scale) = &mut self.reward_scale {
                scale.moments.merge(&rewards);
            }
        }
        self.normalizer = self.moments.freeze(self.config.observation_clip);
        Ok(())
    }

    /// What every member of the group says, in the order of ranks.
    fn gathered<T: Serialize + serde::de::DeserializeOwned>(&self, own: &T) -> Result<Vec<T>, PolicyError> {
        let failed =
            |reason: String| PolicyError::Tensors { attempted: "telling the other members of the group", reason };
        let bytes = rmp_serde::to_vec(own).map_err(|error| failed(error.to_string()))?;
        let said = self.group.gather(Lane::Actor, &bytes);
        said.iter().map(|bytes| rmp_serde::from_slice(bytes).map_err(|error| failed(error.to_string()))).collect()
    }

    /// Number of the first world here among all worlds of the group.
    pub(crate) fn first_world(&self) -> usize {
        self.group.rank() * self.world_count
    }

    pub(crate) fn actor_shape(&self) -> NetworkShape {
        shapes(&self.config, &self.schema, self.action_width)[0]
    }

    fn report(&self, rollout: &Rollout, actor: &ActorReport, critic: &CriticReport) -> IterationReport {
        let count = |wanted: fn(EpisodeEnd) -> bool| rollout.ends.iter().filter(|end| wanted(**end)).count() as f64;
        let head = self.config.action_head();
        let width = rollout.outputs.len() / rollout.rewards.len();
        let log_std = self.actor.network.log_std_values();
        // A Gaussian's spread does not depend on the observation, and is reported as it is after the update.
        let outputs = match head {
            ActionHead::Gaussian => &rollout.outputs[..width],
            ActionHead::Categorical { .. } => &rollout.outputs,
        };
        let over_samples = |of: &dyn Fn(&[f32]) -> f32| {
            outputs.chunks_exact(width).map(|row| f64::from(of(row))).sum::<f64>() / (outputs.len() / width) as f64
        };
        let own = [
            rollout.mean_reward,
            f64::from(actor.clip_fraction.get()),
            over_samples(&|row| head.entropy((row, &log_std))),
            over_samples(&|row| head.mean_std((row, &log_std))),
            count(|end| end != EpisodeEnd::Running),
            count(|end| end == EpisodeEnd::TimedOut),
        ];
        let [mean_reward, clip_fraction, entropy, mean_std, episode_count, timeout_count] =
            sums(&*self.group, Lane::Actor, own);
        let mean = |sum: f64| (sum / self.group.size() as f64) as f32;
        let worth = self.worth(rollout);
        IterationReport {
            iteration: self.iteration,
            control_steps: self.control_steps,
            mean_reward: mean(mean_reward),
            episode_count: episode_count as u64,
            timeout_count: timeout_count as u64,
            policy_loss: actor.loss.get(),
            value_loss: critic.loss.get(),
            entropy: mean(entropy),
            mean_std: mean(mean_std),
            approx_kl: actor.kl,
            clip_fraction: mean(clip_fraction),
            explained_variance: rollout.explained_variance(&*self.group),
            return_mean: worth.return_mean,
            return_std: worth.return_std,
            value_mean: worth.value_mean,
            value_std: worth.value_std,
            largest_value: worth.largest_value,
            largest_reward: worth.largest_reward,
            largest_advantage: worth.largest_advantage,
            actor_gradient_norm: actor.gradient_norm.get(),
            critic_gradient_norm: critic.gradient_norm.get(),
            learning_rate: actor.learning_rate,
            first_ratio_deviation: actor.first_ratio_deviation,
        }
    }

    /// The policy as it is, for deployment and evaluation.
    pub fn export(&self, context: PolicyContext) -> Policy {
        let shape = self.actor_shape();
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
        let log_std = (self.config.head == HeadKind::Gaussian).then(|| self.actor.network.log_std_values());
        Policy::new(manifest, self.actor.network.parameters(), log_std)
    }
}

/// Shapes of actor and critic.
fn shapes(config: &PpoConfig, schema: &ObservationSchema, action_width: usize) -> [NetworkShape; 2] {
    [
        NetworkShape::actor(config, schema.actor_width(), action_width),
        NetworkShape::critic(config, schema.critic_width()),
    ]
}

/// In a group every member must have as much to learn from in every gradient step, or means of means would be wrong.
fn check_share(config: &PpoConfig, world_count: usize, group: &dyn Group) -> Result<(), PolicyError> {
    let chunk_count = world_count * config.chunk_count();
    if group.size() == 1 || chunk_count.is_multiple_of(config.minibatch_count) {
        return Ok(());
    }
    Err(PolicyError::Setting {
        field: "minibatch_count",
        found: config.minibatch_count.to_string(),
        expected: format!(
            "a divisor of {chunk_count}, the number of chunks of each process, when several learn together"
        ),
    })
}

#[cfg(test)]
#[path = "../examples/toys/cue.rs"]
pub(crate) mod toy;

#[cfg(test)]
mod tests;
