//! Many worlds with one task, stepped in parallel. Implements [`WorldBatch`] for the learner.

use crate::hand_sim::HandSim;
use crate::plan::EpisodePlan;
use crate::sampler::EpisodeSampler;
use crate::scene::SceneModel;
use giraffe_robots::{
    ActionDecoder, ActionSchema, EpisodeEnd, EpisodeReport, Hand, LOST_TERM, NamedLimits, ObservationEncoder,
    ObservationError, ObservationSchema, Outcome, Referee, RewardTerms, Seen, Signal, SignalFrame, SignalLayout,
    StepBatch, Task, TrialScene, WorldBatch, write_fingertips,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use thiserror::Error;

/// How many worlds, on how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldsSettings {
    /// Number of worlds.
    pub world_count: usize,
    /// Threads that step them; 0 for one per core. Never changes a result.
    pub thread_count: usize,
    /// Whether each world's first episode is cut at a different length, so that episodes do not all end together.
    pub staggered: bool,
}

impl Default for WorldsSettings {
    fn default() -> Self {
        Self { world_count: 128, thread_count: 0, staggered: true }
    }
}

/// Why a batch of worlds could not be made.
#[derive(Debug, Error)]
pub enum WorldsError {
    /// The task's observation cannot be.
    #[error(transparent)]
    Observation(#[from] ObservationError),
    /// No threads.
    #[error("starting {thread_count} physics threads failed: {source}")]
    Threads {
        /// How many were asked for.
        thread_count: usize,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Which part of all worlds is in this process, when several learn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorldsShare {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
}

impl WorldsShare {
    /// All of them.
    pub const ALL: Self = Self { rank: 0, size: 1 };

    /// Numbers of the worlds here, of `total`.
    fn of(self, total: usize) -> Range<usize> {
        self.rank * total / self.size..(self.rank + 1) * total / self.size
    }
}

/// Many [`HandSim`]s with one task.
///
/// Whoever steps them lets the sampler learn from the reports of finished episodes, between two steps of its choosing:
/// [`HandWorlds::learn`].
pub struct HandWorlds {
    shared: Shared,
    sampler: Box<dyn EpisodeSampler>,
    worlds: Vec<World>,
    /// Number of all worlds, those of other processes included.
    total: usize,
    share: WorldsShare,
    pool: rayon::ThreadPool,
    reports: Vec<EpisodeReport>,
    lost: Vec<LostEpisode>,
    reward_sums: RewardSums,
}

/// An episode that ended because its world lost its numbers ([`Outcome::Diverged`]).
#[derive(Debug, Clone, PartialEq)]
pub struct LostEpisode {
    /// Which world.
    pub world: u64,
    /// Which episode of that world.
    pub episode: u64,
    /// What was no number, or beyond reason.
    pub how: String,
    /// What its sampler had drawn, in the order of [`HandWorlds::parameters`].
    pub sampled: Vec<f32>,
}

/// Sums of the named terms of rewards, over steps in all worlds.
#[derive(Default)]
struct RewardSums {
    sums: Vec<(&'static str, f64)>,
    step_count: u64,
}

impl RewardSums {
    /// Always in the order of worlds, so that not even a last bit depends on threads.
    fn add(&mut self, terms: &RewardTerms) {
        self.step_count += 1;
        for &(name, value) in &terms.0 {
            match self.sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += f64::from(value),
                None => self.sums.push((name, f64::from(value))),
            }
        }
    }

    /// Means per step. What a lost engine costs comes last and is always there, so that the names never change.
    fn take(&mut self) -> Vec<(&'static str, f32)> {
        let Self { mut sums, step_count } = std::mem::take(self);
        let lost = sums.iter().position(|(name, _)| *name == LOST_TERM).map_or((LOST_TERM, 0.0), |at| sums.remove(at));
        sums.push(lost);
        sums.into_iter().map(|(name, sum)| (name, (sum / step_count.max(1) as f64) as f32)).collect()
    }
}

/// What every world reads and none changes.
struct Shared {
    scene: Arc<SceneModel>,
    task: &'static dyn Task,
    schema: ObservationSchema,
    decoder: ActionDecoder,
    staggered: bool,
}

/// One world and what its loop remembers.
struct World {
    index: u64,
    episode: u64,
    sim: HandSim,
    encoder: ObservationEncoder,
    sensed: SignalFrame,
    referee: Referee,
    reward: f32,
    /// What the latest reward was made of.
    reward_terms: RewardTerms,
    /// Every action since the start of the episode: enough to continue from a checkpoint bit for bit.
    actions: Vec<f32>,
    targets: Vec<f32>,
    /// How its numbers were lost, if they were.
    lost: Option<String>,
}

/// One world in a checkpoint: its plan, and the actions that led from its start to now.
#[derive(Serialize, Deserialize)]
struct SavedWorld {
    episode: u64,
    plan: EpisodePlan,
    actions: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct SavedWorlds {
    sampler: Vec<u8>,
    worlds: Vec<SavedWorld>,
    reports: Vec<EpisodeReport>,
}

impl HandWorlds {
    /// Worlds that have not started yet: call [`WorldBatch::reset_all`] or [`WorldBatch::restore`].
    ///
    /// # Errors
    /// When the task's observation cannot be built or no threads can be started.
    pub fn new(
        scene: Arc<SceneModel>,
        task: &'static dyn Task,
        sampler: Box<dyn EpisodeSampler>,
        settings: WorldsSettings,
    ) -> Result<Self, WorldsError> {
        Self::share_of(scene, task, sampler, settings, WorldsShare::ALL)
    }

    /// A share of the worlds that `settings` asks for. Their numbers, and so their episodes, are those they would have
    /// in one process.
    ///
    /// # Errors
    /// As [`HandWorlds::new`].
    pub fn share_of(
        scene: Arc<SceneModel>,
        task: &'static dyn Task,
        sampler: Box<dyn EpisodeSampler>,
        settings: WorldsSettings,
        share: WorldsShare,
    ) -> Result<Self, WorldsError> {
        let robot = Arc::clone(scene.robot());
        let schema = ObservationSchema::new(task.observation(&robot), &robot, sampler.parameters())?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.thread_count)
            .build()
            .map_err(|source| WorldsError::Threads { thread_count: settings.thread_count, source })?;
        let decoder = ActionDecoder::new(&task.action(&robot));
        let shared = Shared { scene, task, schema, decoder, staggered: settings.staggered };
        let worlds = pool.install(|| {
            share
                .of(settings.world_count)
                .into_par_iter()
                .map(|index| index as u64)
                .map(|index| World::new(&shared, &*sampler, index, 0))
                .collect()
        });
        let reward_sums = RewardSums::default();
        Ok(Self {
            shared,
            sampler,
            worlds,
            total: settings.world_count,
            share,
            pool,
            reports: Vec::new(),
            lost: Vec::new(),
            reward_sums,
        })
    }

    /// Lets the sampler learn from finished episodes, of all processes, in an order that does not depend on how worlds
    /// are spread over them.
    pub fn learn(&mut self, mut reports: Vec<EpisodeReport>) {
        reports.sort_by_key(|report| (report.world, report.episode));
        if !reports.is_empty() {
            self.sampler.learn(&reports);
        }
    }

    /// What one process with all worlds would have saved, from what every process did, in the order of ranks.
    ///
    /// # Errors
    /// When a part is not what [`WorldBatch::save`] gave.
    pub fn join_saved(parts: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        let mut joined: Option<SavedWorlds> = None;
        for part in parts {
            let part: SavedWorlds = rmp_serde::from_slice(part).map_err(|error| format!("saved worlds: {error}"))?;
            match &mut joined {
                None => joined = Some(part),
                Some(joined) => {
                    joined.worlds.extend(part.worlds);
                    joined.reports.extend(part.reports);
                }
            }
        }
        let joined = joined.ok_or("nothing was saved")?;
        Ok(rmp_serde::to_vec(&joined).expect("plain numbers can always be written"))
    }

    /// Takes the episodes of this process whose worlds lost their numbers since the last call.
    pub fn take_lost(&mut self) -> Vec<LostEpisode> {
        std::mem::take(&mut self.lost)
    }

    /// Names and bounds of what the sampler draws.
    pub fn parameters(&self) -> Vec<NamedLimits> {
        self.sampler.parameters()
    }

    /// What was drawn for the episodes that are going on, in the order of [`HandWorlds::parameters`].
    pub fn sampled(&self) -> impl Iterator<Item = &[f32]> {
        self.worlds.iter().map(|world| &world.sim.plan().sampled[..])
    }

    /// What actions mean here.
    pub fn action_schema(&self) -> ActionSchema {
        self.shared.task.action(self.shared.scene.robot())
    }
}

impl WorldBatch for HandWorlds {
    fn schema(&self) -> &ObservationSchema {
        &self.shared.schema
    }

    fn action_width(&self) -> usize {
        self.shared.scene.robot().actuated_joints().len()
    }

    fn world_count(&self) -> usize {
        self.worlds.len()
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        let Self { shared, sampler, worlds, pool, .. } = self;
        let width = shared.schema.critic_width();
        pool.install(|| {
            worlds.par_iter_mut().zip(out.observations.par_chunks_mut(width)).for_each(|(world, observation)| {
                *world = World::new(shared, &**sampler, world.index, 0);
                world.observe(shared, observation);
            });
        });
        out.ends.fill(EpisodeEnd::Running);
        out.rewards.fill(0.0);
        out.successes.fill(false);
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        let action_width = self.action_width();
        let Self { shared, sampler, worlds, pool, reports, lost, reward_sums, .. } = self;
        let width = shared.schema.critic_width();
        let finished: Vec<Option<(EpisodeReport, Option<LostEpisode>)>> = pool.install(|| {
            let outputs = out
                .observations
                .par_chunks_mut(width)
                .zip(out.last_observations.par_chunks_mut(width))
                .zip(out.rewards.par_iter_mut().zip(out.ends.par_iter_mut()));
            worlds
                .par_iter_mut()
                .zip(actions.par_chunks(action_width))
                .zip(outputs)
                .map(|((world, action), ((observation, last), (reward, end)))| {
                    (*reward, *end) = world.step(shared, action, observation);
                    if *end == EpisodeEnd::Running {
                        return None;
                    }
                    last.copy_from_slice(observation);
                    let ended = (world.report(), world.lost());
                    let episode = world.episode + 1;
                    let reward_terms = std::mem::take(&mut world.reward_terms);
                    *world = World::new(shared, &**sampler, world.index, episode);
                    world.reward_terms = reward_terms;
                    world.observe(shared, observation);
                    Some(ended)
                })
                .collect()
        });
        for (success, world) in out.successes.iter_mut().zip(&*worlds) {
            *success = world.reward_terms.is_success();
        }
        // In the order of worlds, so that it does not depend on threads.
        worlds.iter().for_each(|world| reward_sums.add(&world.reward_terms));
        for (report, how) in finished.into_iter().flatten() {
            reports.push(report);
            lost.extend(how);
        }
    }

    fn save(&self) -> Vec<u8> {
        let worlds = self.worlds.iter().map(World::save).collect();
        let saved = SavedWorlds { sampler: self.sampler.save(), worlds, reports: self.reports.clone() };
        rmp_serde::to_vec(&saved).expect("plain numbers can always be written")
    }

    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String> {
        let saved: SavedWorlds = rmp_serde::from_slice(saved).map_err(|error| format!("saved worlds: {error}"))?;
        if saved.worlds.len() != self.total {
            return Err(format!("{} worlds were saved, {} are here", saved.worlds.len(), self.total));
        }
        let joint_count = self.shared.scene.robot().joint_count();
        let fits = |plan: &EpisodePlan| plan.parameters.joints.len() == joint_count;
        if !saved.worlds.iter().all(|world| fits(&world.plan)) {
            return Err(format!("the saved worlds have another hand; this one has {joint_count} joints"));
        }
        self.sampler.restore(&saved.sampler)?;
        let own = self.share.of(self.total);
        let is_own = |report: &EpisodeReport| own.contains(&(report.world as usize));
        self.reports = saved.reports.into_iter().filter(is_own).collect();
        let own_worlds = saved.worlds.into_iter().skip(own.start).take(own.len()).collect::<Vec<_>>();
        self.reward_sums = RewardSums::default();
        let Self { shared, sampler, worlds, pool, .. } = self;
        let width = shared.schema.critic_width();
        pool.install(|| {
            worlds
                .par_iter_mut()
                .zip(own_worlds)
                .zip(out.observations.par_chunks_mut(width))
                .for_each(|((world, saved), observation)| world.relive(shared, &**sampler, saved, observation));
        });
        out.ends.fill(EpisodeEnd::Running);
        Ok(())
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        std::mem::take(&mut self.reports)
    }

    fn take_reward_terms(&mut self) -> Vec<(&'static str, f32)> {
        self.reward_sums.take()
    }
}

impl World {
    /// The world of the next episode.
    fn new(shared: &Shared, sampler: &dyn EpisodeSampler, index: u64, episode: u64) -> Self {
        Self::planned(shared, sampler, (index, episode), sampler.plan(index, episode))
    }

    fn planned(shared: &Shared, sampler: &dyn EpisodeSampler, (index, episode): (u64, u64), plan: EpisodePlan) -> Self {
        let task = sampler.task(&plan).unwrap_or(shared.task);
        let robot = shared.scene.robot();
        let layout = SignalLayout::of(robot, plan.sampled.len());
        let scene = TrialScene::of_episode(robot, shared.scene.object(), plan.noise_seed);
        let sim = HandSim::new(Arc::clone(&shared.scene), plan);
        let start = Seen::Pose(sim.object_pose());
        let step_limit = step_limit(shared, index, episode);
        let mut referee = Referee::begin(task, &scene, &start, step_limit);
        referee.note_start(sim.truth());
        Self {
            index,
            episode,
            encoder: ObservationEncoder::new(&shared.schema),
            sensed: SignalFrame::new(layout),
            referee,
            reward: 0.0,
            reward_terms: RewardTerms::default(),
            actions: Vec::new(),
            targets: vec![0.0; robot.joint_count()],
            lost: None,
            sim,
        }
    }

    /// The first observation of an episode.
    fn observe(&mut self, shared: &Shared, observation: &mut [f32]) {
        self.sim.observe(&mut self.sensed).expect("a simulated hand can always be read");
        if self.encode(shared, observation).is_err() {
            // Nothing can be read before the first step, which will find the same and end the episode.
            observation.fill(0.0);
        }
    }

    /// Writes what is read now, with the goal that is pursued from now on.
    fn encode(&mut self, shared: &Shared, observation: &mut [f32]) -> Result<(), ObservationError> {
        for frame in [&mut self.sensed, self.sim.truth_mut()] {
            if shared.schema.reads_fingertips() {
                write_fingertips(shared.scene.robot(), frame);
            }
            self.referee.write_goal(frame);
        }
        self.encoder.encode(&self.sensed, self.sim.truth(), observation)
    }

    fn step(&mut self, shared: &Shared, action: &[f32], observation: &mut [f32]) -> (f32, EpisodeEnd) {
        self.actions.extend_from_slice(action);
        let read = |signal| self.sensed.read(signal).unwrap_or(&[]);
        shared.decoder.decode(action, read(Signal::JointTarget), read(Signal::JointPosition), &mut self.targets);
        if let Err(error) = self.sim.exchange(&self.targets, &mut self.sensed) {
            self.lost = Some(error.to_string());
            // The engine lost its numbers: there is nothing to judge, and nothing to read.
            observation.fill(0.0);
            return self.lose(Outcome::Diverged, true);
        }
        let (rewards, outcome) = self.referee.judge_and_pay(&self.sim.object_pose(), self.sim.truth());
        self.reward_terms = rewards;
        let reward = self.reward_terms.total();
        self.reward += reward;
        if self.encode(shared, observation).is_err() && outcome.is_none() {
            observation.fill(0.0);
            return self.lose(Outcome::Unreadable, false);
        }
        (reward, outcome.map_or(EpisodeEnd::Running, end_of))
    }

    fn lose(&mut self, outcome: Outcome, in_a_new_step: bool) -> (f32, EpisodeEnd) {
        self.reward_terms = self.referee.lose(outcome, in_a_new_step);
        let reward = self.reward_terms.total();
        self.reward += reward;
        (reward, end_of(outcome))
    }

    fn report(&self) -> EpisodeReport {
        let result = self.referee.result();
        EpisodeReport {
            world: self.index,
            episode: self.episode,
            step_count: result.step_count,
            reward: self.reward,
            outcome: result.outcome,
            measures: result.measures,
            intended_secs: self.referee.intended_secs(),
        }
    }

    fn lost(&self) -> Option<LostEpisode> {
        let how = self.lost.clone()?;
        Some(LostEpisode { world: self.index, episode: self.episode, how, sampled: self.sim.plan().sampled.clone() })
    }

    fn save(&self) -> SavedWorld {
        SavedWorld { episode: self.episode, plan: self.sim.plan().clone(), actions: self.actions.clone() }
    }

    /// Lives through a saved episode again, up to where it was. The same plan and actions give the same bits.
    fn relive(&mut self, shared: &Shared, sampler: &dyn EpisodeSampler, saved: SavedWorld, observation: &mut [f32]) {
        *self = World::planned(shared, sampler, (self.index, saved.episode), saved.plan);
        self.observe(shared, observation);
        for action in saved.actions.chunks(shared.scene.robot().actuated_joints().len()) {
            self.step(shared, action, observation);
        }
    }
}

/// Control steps of an episode. Each world's first one is cut, so that episodes do not all end together.
fn step_limit(shared: &Shared, world: u64, episode: u64) -> u32 {
    let full = shared.task.episode_step_count();
    if shared.staggered && episode == 0 {
        // Spread evenly by a multiplicative hash of the world's index (Knuth 6.4, golden ratio).
        let spread = world.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        return 1 + ((spread * u64::from(full)) >> 32) as u32;
    }
    full
}

/// What the end of an episode means to the learner: whose time is up, or who did all that was asked for, could have gone
/// on.
fn end_of(outcome: Outcome) -> EpisodeEnd {
    match outcome {
        Outcome::TimeUp | Outcome::Done => EpisodeEnd::TimedOut,
        Outcome::Failed | Outcome::Unseen | Outcome::Diverged | Outcome::Unreadable => EpisodeEnd::Terminated,
    }
}
