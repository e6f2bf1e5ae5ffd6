//! Three small environments in plain Rust, to see what the learner learns and to copy from.
//!
//! | world | what is hidden | what the actor reads |
//! | --- | --- | --- |
//! | [`cue`] | a cue, after the first step | the cue at the first step, then nothing |
//! | [`pendulum`] | the mass, another one in every episode | angle and velocity |
//! | [`cart_pole`] | the velocities | positions |
//!
//! `experiment` trains in any of them and scores the policy in worlds it never saw.

#![allow(dead_code, reason = "each example uses some of this")]

pub mod cart_pole;
pub mod cue;
pub mod experiment;
pub mod pendulum;

use giraffe_policy::PpoConfig;
use giraffe_robots::{
    EpisodeEnd, EpisodeReport, ObservationSchema, Outcome, SeedTree, StepBatch, Stream, StreamRng, WorldBatch,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// One world with one action. [`ToyWorlds`] makes a batch of them.
pub trait Toy: Clone + Serialize + DeserializeOwned {
    /// Columns the actor reads.
    const ACTOR_WIDTH: usize;
    /// Columns only the critic reads, after those of the actor.
    const HIDDEN_WIDTH: usize;
    /// Control steps after which the clock ends an episode.
    const STEP_LIMIT: u32;
    /// Seconds between two actions.
    const CONTROL_PERIOD_SECS: f64;

    /// The start of an episode.
    fn start(rng: &mut StreamRng) -> Self;
    /// One control step with an action meant to be in [-1, 1]. Returns the reward, and whether this was the end for good.
    fn step(&mut self, action: f32) -> (f32, bool);
    /// Writes what actor and critic read: `ACTOR_WIDTH + HIDDEN_WIDTH` columns.
    fn observe(&self, out: &mut [f32]);
}

/// Many worlds of one kind.
///
/// Episode E of world W draws from `seeds.stream(Stream::Toy, W, E)` and from nothing else, so it does not depend on
/// the other worlds, nor on what happened before.
pub struct ToyWorlds<T> {
    schema: ObservationSchema,
    seeds: SeedTree,
    worlds: Vec<World<T>>,
    reports: Vec<EpisodeReport>,
}

/// One world and where its episode stands. All that must be saved.
#[derive(Clone, Serialize, Deserialize)]
struct World<T> {
    toy: T,
    episodes_begun: u64,
    step: u32,
    reward: f32,
}

impl<T: Toy> ToyWorlds<T> {
    const WIDTH: usize = T::ACTOR_WIDTH + T::HIDDEN_WIDTH;

    /// `world_count` worlds with episodes drawn from `seeds`.
    pub fn new(seeds: SeedTree, world_count: usize) -> Self {
        let first = |world| T::start(&mut seeds.stream(Stream::Toy, world, 0));
        let worlds =
            (0..world_count as u64).map(|world| World { toy: first(world), episodes_begun: 0, step: 0, reward: 0.0 });
        Self {
            schema: ObservationSchema::plain(T::ACTOR_WIDTH, T::HIDDEN_WIDTH),
            seeds,
            worlds: worlds.collect(),
            reports: Vec::new(),
        }
    }

    fn start(&mut self, index: usize) {
        let world = &mut self.worlds[index];
        let mut rng = self.seeds.stream(Stream::Toy, index as u64, world.episodes_begun);
        *world = World { toy: T::start(&mut rng), episodes_begun: world.episodes_begun + 1, step: 0, reward: 0.0 };
    }

    fn write_observations(&self, out: &mut StepBatch) {
        for (world, columns) in self.worlds.iter().zip(out.observations.chunks_exact_mut(Self::WIDTH)) {
            world.toy.observe(columns);
        }
    }

    fn report(&self, index: usize, end: EpisodeEnd) -> EpisodeReport {
        let world = &self.worlds[index];
        EpisodeReport {
            world: index as u64,
            episode: world.episodes_begun.saturating_sub(1),
            step_count: world.step,
            reward: world.reward,
            outcome: if end == EpisodeEnd::Terminated { Outcome::Failed } else { Outcome::TimeUp },
            measures: vec![Some(world.reward.into())],
            intended_secs: f64::from(T::STEP_LIMIT) * T::CONTROL_PERIOD_SECS,
        }
    }
}

impl<T: Toy> WorldBatch for ToyWorlds<T> {
    fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    fn action_width(&self) -> usize {
        1
    }

    fn world_count(&self) -> usize {
        self.worlds.len()
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        (0..self.worlds.len()).for_each(|index| self.start(index));
        self.write_observations(out);
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        for (index, &action) in actions.iter().enumerate() {
            let world = &mut self.worlds[index];
            let (reward, is_over) = world.toy.step(action);
            world.step += 1;
            world.reward += reward;
            out.rewards[index] = reward;
            // Failing in the very last step is failing: the clock is asked second.
            let end = match (is_over, world.step >= T::STEP_LIMIT) {
                (true, _) => EpisodeEnd::Terminated,
                (false, true) => EpisodeEnd::TimedOut,
                (false, false) => EpisodeEnd::Running,
            };
            out.ends[index] = end;
            if end != EpisodeEnd::Running {
                world.toy.observe(&mut out.last_observations[index * Self::WIDTH..][..Self::WIDTH]);
                self.reports.push(self.report(index, end));
                self.start(index);
            }
        }
        self.write_observations(out);
    }

    /// MessagePack, which keeps every bit of a number.
    fn save(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.worlds).expect("numbers can be written")
    }

    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String> {
        let worlds: Vec<World<T>> = rmp_serde::from_slice(saved).map_err(|error| error.to_string())?;
        if worlds.len() != self.worlds.len() {
            return Err(format!("expected {} worlds, found {}", self.worlds.len(), worlds.len()));
        }
        self.worlds = worlds;
        self.reports.clear();
        self.write_observations(out);
        Ok(())
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        std::mem::take(&mut self.reports)
    }
}

/// Learning to remember the cue. Not beside its worlds, since the learner's own tests include that file.
pub fn remember() -> experiment::Experiment {
    experiment::Experiment {
        name: "remember",
        score: "mean return of an episode; 3.2 is perfect, 0 is the best without memory",
        worlds: |seed, count| Box::new(cue::CueWorlds::new(seed, count)),
        world_count: 32,
        config: PpoConfig {
            encoder_width: 16,
            core_width: 16,
            horizon_steps: 16,
            minibatch_count: 2,
            learning_rate: 3e-3,
            learning_rate_bounds: [1e-5, 1e-2],
            critic_learning_rate: 3e-3,
            discount: 0.9,
            ..PpoConfig::default()
        },
        iterations: 100,
    }
}
