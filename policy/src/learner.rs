//! The learner: collects, updates, and can be put away and taken up again bit for bit.

use crate::PolicyError;
use crate::checkpoint::{Policy, PolicyContext, PolicyManifest};
use crate::collector::{Acting, Collector, Side};
use crate::compute::Compute;
use crate::config::{HeadKind, PpoConfig};
use crate::device::DeviceChoice;
use crate::group::{Alone, Group};
use crate::network::Network;
use crate::normalizer::RunningMoments;
use crate::objective::{Clipped, Cloning, Objective};
use crate::rollout::{RecurrentState, Rollout, minibatches};
use crate::teacher::Teacher;
use crate::threads::Threads;
use crate::trainee::{NotFinite, Trainee};
use crate::update::{ActorReport, Update};
use critic::Critic;
use giraffe_robots::{ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
pub use kept::KeptLearner;
use origin::Origin;
pub use report::IterationReport;
use std::sync::Arc;

mod critic;
mod dump;
mod kept;
mod origin;
mod report;

/// A recurrent actor with a privileged critic. What the actor learns for is its [`Objective`]; the critic learns what the
/// worlds' rewards come to.
///
/// One iteration is a rollout and [`Learner::update`]: [`PpoLearner::iterate`] or [`CloningLearner::iterate`] does both.
pub struct Learner<O> {
    config: PpoConfig,
    objective: O,
    compute: Compute,
    collector: Collector,
    actor: Trainee,
    critic: Critic,
    learning_rate: f32,
    iteration: u64,
    /// What it began with, if not with nothing learned.
    origin: Option<Origin>,
    /// What was collected and not yet learned from.
    rollout: Option<Rollout>,
    /// What the last update broke on: see [`Learner::dump`].
    broken: Option<Rollout>,
}

/// Recurrent PPO: learns from rewards.
///
/// One iteration is [`PpoLearner::collect`] and [`PpoLearner::update`], or [`PpoLearner::iterate`] for both.
pub type PpoLearner = Learner<Clipped>;

/// Learns to do what a [`Teacher`] would do, in whatever situations its own actions lead to.
///
/// One iteration is [`CloningLearner::collect`] and [`CloningLearner::update`], or [`CloningLearner::iterate`] for both.
/// The actor's learning rate stays as it is set; settings of PPO's loss change nothing.
pub type CloningLearner = Learner<Cloning>;

impl PpoLearner {
    /// Runs the policy, with exploration, for the configured number of steps in every world. The first call
    /// starts an episode in every world. `batch` must be what the worlds last gave.
    ///
    /// # Errors
    /// When the last rollout was not learned from yet, or when the worlds are not those the learner was made for or stand
    /// elsewhere: then nothing has happened. When worlds give numbers that are none: then learning continues from a
    /// checkpoint only.
    pub fn collect(&mut self, worlds: &mut dyn WorldBatch, batch: &mut StepBatch) -> Result<(), PolicyError> {
        self.collect_beside(worlds, batch, None)
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
}

impl CloningLearner {
    /// As [`PpoLearner::collect`], and asks `teacher` in every step what it would do. It must have gone along from the
    /// first step, or from the checkpoint that worlds and learner were taken up from.
    ///
    /// # Errors
    /// As [`PpoLearner::collect`], and when the teacher's answers are none for such actions.
    pub fn collect(
        &mut self,
        worlds: &mut dyn WorldBatch,
        batch: &mut StepBatch,
        teacher: &mut dyn Teacher,
    ) -> Result<(), PolicyError> {
        self.collect_beside(worlds, batch, Some(teacher))
    }

    /// [`CloningLearner::collect`], then [`CloningLearner::update`].
    ///
    /// # Errors
    /// As these two.
    pub fn iterate(
        &mut self,
        worlds: &mut dyn WorldBatch,
        batch: &mut StepBatch,
        teacher: &mut dyn Teacher,
    ) -> Result<IterationReport, PolicyError> {
        self.collect(worlds, batch, teacher)?;
        self.update()
    }
}

impl<O: Objective> Learner<O> {
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
        let side = Side { schema: schema.clone(), action_width };
        let [actor_shape, critic_shape] = side.shapes(config);
        let weights = |network| seeds.stream(Stream::Weights, network, 0);
        let log_std = (config.head == HeadKind::Gaussian).then(|| config.initial_std.ln());
        let actor = Network::new(actor_shape, 0.01, log_std, &mut weights(0), &training);
        let critic = Network::new(critic_shape, 1.0, None, &mut weights(1), &training);
        let first = group.rank() * world_count;
        Ok(Self {
            config: config.clone(),
            objective: O::new(config),
            compute: Compute { device, threads: Threads::new(config.thread_count)?, group },
            collector: Collector::new(config, side, first..first + world_count, seeds),
            actor: Trainee::new(actor),
            critic: Critic {
                trainee: Trainee::new(critic),
                state: RecurrentState::zero(world_count, critic_shape.state_width()),
            },
            learning_rate: config.learning_rate,
            iteration: 0,
            origin: None,
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
        self.collector.control_steps()
    }

    /// Which member of its group this is, from 0.
    pub fn rank(&self) -> usize {
        self.compute.group.rank()
    }

    /// What was seen of every column of an observation so far: see [`ObservationSchema::column_names`].
    pub fn observation_moments(&self) -> &RunningMoments {
        self.collector.scales().moments()
    }

    /// All parameters of actor and critic: what two equal learners have equal.
    pub fn parameters(&self) -> Vec<f32> {
        let mut all = self.actor.network.parameters();
        all.extend(self.actor.network.log_std_values());
        all.extend(self.critic.trainee.network.parameters());
        all
    }

    fn collect_beside(
        &mut self,
        worlds: &mut dyn WorldBatch,
        batch: &mut StepBatch,
        teacher: Option<&mut dyn Teacher>,
    ) -> Result<(), PolicyError> {
        self.check_idle("the moment to collect")?;
        let network = self.actor.network.inference();
        let acting =
            Acting { config: &self.config, network: &network, compute: &self.compute, iteration: self.iteration };
        self.rollout = Some(self.collector.collect(acting, worlds, batch, teacher)?);
        Ok(())
    }

    fn check_idle(&self, moment: &str) -> Result<(), PolicyError> {
        if self.rollout.is_none() {
            return Ok(());
        }
        Err(PolicyError::Mismatch {
            what: moment.to_owned(),
            expected: "after an update".to_owned(),
            found: "a rollout that was not learned from yet".to_owned(),
        })
    }

    /// Learns from what was collected.
    ///
    /// # Errors
    /// When nothing was collected, or when a loss or gradient is not finite: then the networks are as before, and
    /// [`Learner::dump`] writes down what it broke on.
    pub fn update(&mut self) -> Result<IterationReport, PolicyError> {
        let mut rollout = self.rollout.take().ok_or_else(|| PolicyError::Mismatch {
            what: "an update".to_owned(),
            expected: "a rollout collected before it".to_owned(),
            found: "none".to_owned(),
        })?;
        self.broken = None;
        self.critic.judge(&mut rollout, &self.config, &self.compute);
        let Collector { worlds, seeds, .. } = &self.collector;
        let minibatches = minibatches(&self.config, worlds.clone(), *seeds, self.iteration);
        let update = &Update {
            config: &self.config,
            objective: &self.objective,
            rollout: &rollout,
            minibatches: &minibatches,
            compute: &self.compute,
        };
        let (actor, critic, rate) = (self.actor.clone(), self.critic.trainee.clone(), self.learning_rate);
        let is_frozen = self.is_actor_frozen();
        let train_actor = move || match is_frozen {
            true => Ok((actor, ActorReport::unchanged(rate))),
            false => update.train_actor(actor, rate),
        };
        let (actor, critic) = self.compute.threads.both(train_actor, move || update.train_critic(critic));
        let learned = (self.learned("the actor's", actor), self.learned("the critic's", critic));
        let ((actor, actor_report), (critic, critic_report)) = match learned {
            (Ok(actor), Ok(critic)) => (actor, critic),
            (Err(error), _) | (_, Err(error)) => {
                self.broken = Some(rollout);
                return Err(error);
            }
        };
        self.actor = actor;
        self.critic.trainee = critic;
        self.learning_rate = actor_report.learning_rate;
        self.iteration += 1;
        let held = if is_frozen { self.inherited_columns().to_vec() } else { Vec::new() };
        self.collector.learn_scales(&*self.compute.group, &held)?;
        Ok(self.report(&rollout, &actor_report, &critic_report))
    }

    fn learned<T>(&self, whose: &str, result: Result<T, NotFinite>) -> Result<T, PolicyError> {
        result.map_err(|NotFinite| PolicyError::NotFinite {
            what: format!("{whose} loss or gradient"),
            iteration: self.iteration,
            advice: "the networks are as before this update: continue from the last checkpoint with lower ppo.learning_rate_bounds or a lower ppo.critic_learning_rate",
        })
    }

    /// The policy as it is, for deployment and evaluation.
    pub fn export(&self, context: PolicyContext) -> Policy {
        let Collector { side, seeds, .. } = &self.collector;
        let [shape, _] = side.shapes(&self.config);
        let mut manifest = PolicyManifest::new(
            context,
            side.schema.clone(),
            self.collector.scales().normalizer().prefix(side.schema.actor_width()),
            shape,
            self.config.memoryless,
            (seeds.root(), self.control_steps()),
        );
        manifest.started_from = self.ancestors().to_vec();
        let log_std = (self.config.head == HeadKind::Gaussian).then(|| self.actor.network.log_std_values());
        Policy::new(manifest, self.actor.network.parameters(), log_std)
    }
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
mod golden_tests;
#[cfg(test)]
mod tests;
