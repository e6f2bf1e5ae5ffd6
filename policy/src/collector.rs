//! Running the policy in the worlds for T steps, and keeping what it reads and earns at the size that learning needs.

use crate::PolicyError;
use crate::compute::Compute;
use crate::config::PpoConfig;
use crate::group::Group;
use crate::head::ActionHead;
use crate::network::{Frozen, NetworkShape, Sequence};
use crate::normalizer::RunningMoments;
use crate::rollout::{Cut, Labels, RecurrentState, Rollout};
use crate::scales::{Learned, Scales};
use crate::teacher::Teacher;
use giraffe_robots::{EpisodeEnd, ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
use rayon::prelude::*;
use std::ops::Range;

const BAD_WORLDS: &str =
    "the worlds are to blame, not learning: look at the simulation, then continue from the last checkpoint";
const BAD_TEACHER: &str = "the teacher is to blame, not learning: look at what it reads, then continue from the last \
    checkpoint";

/// What somebody who acts in the worlds reads of each, and how many actions it has there.
pub(crate) struct Side {
    pub schema: ObservationSchema,
    pub action_width: usize,
}

impl Side {
    /// Shapes of actor and critic.
    pub fn shapes(&self, config: &PpoConfig) -> [NetworkShape; 2] {
        [
            NetworkShape::actor(config, self.schema.actor_width(), self.action_width),
            NetworkShape::critic(config, self.schema.critic_width()),
        ]
    }
}

/// Who acts, and how.
#[derive(Clone, Copy)]
pub(crate) struct Acting<'a> {
    pub config: &'a PpoConfig,
    /// The actor, without the means to learn.
    pub network: &'a Frozen,
    pub compute: &'a Compute,
    /// Iterations done: each has its own exploration.
    pub iteration: u64,
}

/// Acts for one side and records what came of it.
pub(crate) struct Collector {
    pub side: Side,
    /// Which of all worlds of the group are here.
    pub worlds: Range<usize>,
    pub seeds: SeedTree,
    /// As the worlds gave them last, `[W, F]`; empty before the first step.
    observations: Vec<f32>,
    /// What the actor remembers of every world.
    state: RecurrentState,
    scales: Scales,
    control_steps: u64,
}

/// A rollout in the making.
struct Recording {
    rollout: Rollout,
    /// What actions are drawn with in the whole rollout, `[T, W, A]`.
    noise: Vec<f32>,
    /// Where the latest step ended an episode, `[W]`.
    has_ended: Vec<bool>,
}

impl Collector {
    pub fn new(config: &PpoConfig, side: Side, worlds: Range<usize>, seeds: SeedTree) -> Self {
        let [actor, _] = side.shapes(config);
        Self {
            observations: Vec::new(),
            state: RecurrentState::zero(worlds.len(), actor.state_width()),
            scales: Scales::new(config, side.schema.critic_width(), worlds.len()),
            control_steps: 0,
            side,
            worlds,
            seeds,
        }
    }

    fn world_count(&self) -> usize {
        self.worlds.len()
    }

    /// As the worlds gave them last, `[W, F]`; empty before the first step.
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// What the actor remembers of every world.
    pub fn state(&self) -> &RecurrentState {
        &self.state
    }

    pub fn scales(&self) -> &Scales {
        &self.scales
    }

    /// Control steps collected in all worlds of the group since the start.
    pub fn control_steps(&self) -> u64 {
        self.control_steps
    }

    /// Lets the observations and rewards of this iteration, of all members of the group, count from now on; columns that
    /// are `held` stay normalised as they are.
    pub fn learn_scales(&mut self, group: &dyn Group, held: &[usize]) -> Result<(), PolicyError> {
        self.scales.learn(group, held)
    }

    /// Before the first step: how some columns are normalised is known.
    pub fn begin_with(&mut self, moments: RunningMoments) {
        self.scales.begin_with(moments);
    }

    /// Continues where somebody stood in worlds that are these.
    pub fn take_up(&mut self, observations: Vec<f32>, state: RecurrentState, control_steps: u64, scales: Learned<'_>) {
        self.observations = observations;
        self.state = state;
        self.control_steps = control_steps;
        self.scales.take_up(scales);
    }

    /// Runs the policy, with exploration, for the configured number of steps in every world, and asks the teacher, if
    /// there is one, what it would have done. The first call starts an episode in every world.
    pub fn collect(
        &mut self,
        acting: Acting<'_>,
        worlds: &mut dyn WorldBatch,
        batch: &mut StepBatch,
        mut teacher: Option<&mut dyn Teacher>,
    ) -> Result<Rollout, PolicyError> {
        self.check_worlds(worlds)?;
        if self.observations.is_empty() {
            worlds.reset_all(batch);
            self.observations.clone_from(&batch.observations);
            if let Some(teacher) = &mut teacher {
                (0..self.world_count()).for_each(|world| teacher.forget(world));
            }
        }
        self.check_stand(batch)?;
        let mut recording = self.begin(acting);
        for _ in 0..acting.config.horizon_steps {
            if let Some(teacher) = &mut teacher {
                recording.rollout.labels.append(self.ask(acting, *teacher)?);
            }
            worlds.step(self.act(acting, &mut recording), batch);
            self.record(acting, &mut recording, batch)?;
            if let Some(teacher) = &mut teacher {
                (0..self.world_count()).filter(|world| recording.has_ended[*world]).for_each(|w| teacher.forget(w));
            }
        }
        Ok(self.finish(acting, recording))
    }

    fn begin(&self, acting: Acting<'_>) -> Recording {
        let [actor, _] = self.side.shapes(acting.config);
        Recording {
            rollout: Rollout::new(self.world_count(), actor.state_width(), acting.network.log_std_values()),
            noise: self.noise(acting),
            has_ended: vec![false; self.world_count()],
        }
    }

    /// What actions are drawn with in the whole rollout. Every world has a stream of its own, so that it does not matter
    /// in which process it runs.
    fn noise(&self, acting: Acting<'_>) -> Vec<f32> {
        let (world_count, width) = (self.world_count(), self.side.action_width);
        let mut noise = vec![0.0; acting.config.horizon_steps * world_count * width];
        let head = acting.config.action_head();
        let of_world = |number: usize| {
            let mut own = vec![0.0; acting.config.horizon_steps * width];
            let mut rng = self.seeds.stream(Stream::Exploration, number as u64, acting.iteration);
            head.fill_noise(&mut rng, &mut own);
            own
        };
        let all: Vec<Vec<f32>> =
            acting.compute.threads.all.install(|| self.worlds.clone().into_par_iter().map(of_world).collect());
        for (world, own) in all.iter().enumerate() {
            for (step, own) in own.chunks_exact(width).enumerate() {
                noise[(step * world_count + world) * width..][..width].copy_from_slice(own);
            }
        }
        noise
    }

    /// The actions of one step, `[W, A]`; the actor's state advances.
    fn act<'r>(&mut self, acting: Acting<'_>, recording: &'r mut Recording) -> &'r [f32] {
        let Recording { rollout, noise, has_ended } = recording;
        if rollout.step_count.is_multiple_of(acting.config.chunk_length()) {
            rollout.actor_starts.append(&self.state);
        }
        let mut normalized = self.normalized();
        let keep: Vec<f32> =
            has_ended.iter().map(|ended| if *ended || acting.config.memoryless { 0.0 } else { 1.0 }).collect();
        let outputs = self.outputs(acting, &normalized, &keep);
        rollout.observations.append(&mut normalized);
        rollout.keep.extend(keep);
        let first = rollout.actions.len();
        let noise = &noise[first..][..self.world_count() * self.side.action_width];
        self.draw(acting.config.action_head(), rollout, &outputs, noise);
        &rollout.actions[first..]
    }

    /// Where the worlds stand, as networks read it.
    fn normalized(&self) -> Vec<f32> {
        let mut normalized = vec![0.0; self.observations.len()];
        self.scales.normalizer().apply_rows(&self.observations, &mut normalized);
        normalized
    }

    /// The actor's outputs, `[W, O]`; its state advances.
    fn outputs(&mut self, acting: Acting<'_>, normalized: &[f32], keep: &[f32]) -> Vec<f32> {
        let rows: Vec<usize> = (0..self.world_count()).collect();
        let cut = Cut { world_count: self.world_count(), chunk_length: 1 };
        let schema = &self.side.schema;
        let observations = cut.gather(normalized, schema.critic_width(), schema.actor_width(), &rows);
        let sequence = Sequence { observations, state: self.state.clone(), keep: keep.to_vec() };
        let result = acting.compute.infer(acting.network, sequence);
        self.state = result.state(0..self.world_count());
        result.output
    }

    /// Draws actions from `outputs` and notes how likely they were.
    fn draw(&self, head: ActionHead, rollout: &mut Rollout, outputs: &[f32], noise: &[f32]) {
        let width = outputs.len() / self.world_count();
        for (outputs, noise) in outputs.chunks_exact(width).zip(noise.chunks_exact(self.side.action_width)) {
            let first = rollout.actions.len();
            head.draw((outputs, &rollout.log_std), noise, &mut rollout.actions);
            rollout.log_probs.push(head.log_prob(&rollout.actions[first..], (outputs, &rollout.log_std)));
        }
        rollout.outputs.extend_from_slice(outputs);
    }

    /// Notes what came of a step.
    fn record(&mut self, acting: Acting<'_>, recording: &mut Recording, batch: &StepBatch) -> Result<(), PolicyError> {
        self.check_step(acting.iteration, batch)?;
        let Recording { rollout, has_ended, .. } = recording;
        let width = self.side.schema.critic_width();
        let first = rollout.rewards.len();
        rollout.mean_reward += batch.rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>();
        rollout.rewards.append(&mut self.scales.scaled_rewards(batch, acting.config.discount));
        rollout.ends.extend_from_slice(&batch.ends);
        let reached = batch.successes.iter().enumerate().filter(|(_, success)| **success);
        rollout.success_indices.extend(reached.map(|(world, _)| first + world));
        for world in (0..self.world_count()).filter(|world| batch.ends[*world] == EpisodeEnd::TimedOut) {
            rollout.timeout_indices.push(first + world);
            let mut row = vec![0.0; width];
            self.scales.normalizer().apply(&batch.last_observations[world * width..][..width], &mut row);
            rollout.timeout_observations.append(&mut row);
        }
        self.scales.note(&batch.observations);
        has_ended.iter_mut().zip(&batch.ends).for_each(|(ended, end)| *ended = *end != EpisodeEnd::Running);
        rollout.step_count += 1;
        self.observations.clone_from(&batch.observations);
        Ok(())
    }

    fn finish(&mut self, acting: Acting<'_>, recording: Recording) -> Rollout {
        let Recording { mut rollout, has_ended, .. } = recording;
        // What comes after an end in the last step starts fresh, in the next rollout too.
        for world in (0..self.world_count()).filter(|world| has_ended[*world]) {
            self.state.forget(world);
        }
        rollout.next_observations = self.normalized();
        rollout.mean_reward /= rollout.rewards.len() as f64;
        self.control_steps += (rollout.rewards.len() * acting.compute.group.size()) as u64;
        rollout
    }

    /// What the teacher would do where the worlds stand.
    fn ask(&self, acting: Acting<'_>, teacher: &mut dyn Teacher) -> Result<Labels, PolicyError> {
        let labels = acting.compute.threads.all.install(|| teacher.label(&self.observations))?;
        let action_count = self.world_count() * self.side.action_width;
        let (outputs, log_std) = match acting.config.action_head() {
            ActionHead::Gaussian => (action_count, action_count),
            ActionHead::Categorical { bin_count } => (action_count * bin_count, 0),
        };
        if (labels.outputs.len(), labels.log_std.len()) != (outputs, log_std) {
            let describe = |outputs: usize, log_std: usize| {
                format!("{outputs} numbers put out and {log_std} standard deviations for {} worlds", self.world_count())
            };
            return Err(PolicyError::Mismatch {
                what: "the teacher's answer".to_owned(),
                expected: describe(outputs, log_std),
                found: describe(labels.outputs.len(), labels.log_std.len()),
            });
        }
        if labels.outputs.iter().chain(&labels.log_std).all(|number| number.is_finite()) {
            return Ok(labels);
        }
        let what = "the teacher's answer".to_owned();
        Err(PolicyError::NotFinite { what, iteration: acting.iteration, advice: BAD_TEACHER })
    }

    fn check_worlds(&self, worlds: &dyn WorldBatch) -> Result<(), PolicyError> {
        let Side { schema, action_width } = &self.side;
        let found = (worlds.world_count(), worlds.action_width(), worlds.schema());
        if found == (self.world_count(), *action_width, schema) {
            return Ok(());
        }
        let describe = |worlds: usize, actions: usize, fingerprint: String, columns: usize| {
            format!("{worlds} worlds with {actions} actions and {columns} columns (actor's {fingerprint})")
        };
        let own = (schema.actor_fingerprint(), schema.critic_width());
        Err(PolicyError::Mismatch {
            what: "the batch of worlds".to_owned(),
            expected: describe(self.world_count(), *action_width, own.0, own.1),
            found: describe(found.0, found.1, found.2.actor_fingerprint(), found.2.critic_width()),
        })
    }

    fn check_stand(&self, batch: &StepBatch) -> Result<(), PolicyError> {
        if same_bits(&self.observations, &batch.observations) {
            return Ok(());
        }
        Err(PolicyError::Mismatch {
            what: "the worlds' observations".to_owned(),
            expected: "those the learner saw last (restore worlds and learner from the same checkpoint)".to_owned(),
            found: "others".to_owned(),
        })
    }

    fn check_step(&self, iteration: u64, batch: &StepBatch) -> Result<(), PolicyError> {
        let width = self.side.schema.critic_width();
        let refuse = |what| Err(PolicyError::NotFinite { what, iteration, advice: BAD_WORLDS });
        if let Some(world) = batch.rewards.iter().position(|reward| !reward.is_finite()) {
            return refuse(format!("the reward of world {world}"));
        }
        let timed_out = |index: &usize| batch.ends[index / width] == EpisodeEnd::TimedOut;
        let now = batch.observations.iter().position(|x| !x.is_finite());
        let last =
            batch.last_observations.iter().enumerate().filter(|(i, x)| !x.is_finite() && timed_out(i)).map(|(i, _)| i);
        if let Some(index) = now.or(last.into_iter().next()) {
            let column = self.side.schema.column_names().swap_remove(index % width);
            return refuse(format!("{column} in world {}", index / width));
        }
        Ok(())
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
