//! Worlds that need memory: a cue is shown at the first step of an episode, and reproducing it is what is rewarded
//! at every later step. Without memory the best answer is zero, and worth nothing.
//!
//! An episode shows the cue c, 0.8 or -0.8 by lot, then lasts for 3 to 7 rewarded steps; action a earns 0.64 - (a - c)^2,
//! so an episode is worth 0.64 x 5 = 3.2 to who remembers. Who does not sees the same at every rewarded step and can only
//! give one answer a, expected to earn 0.64 - E (a - c)^2 = -a^2: zero at best.
//!
//! [`WorldBatch`] is implemented here from scratch, as a library user would; the other toys share `ToyWorlds`.

use giraffe_robots::{EpisodeEnd, EpisodeReport, ObservationSchema, SeedTree, StepBatch, Stream, WorldBatch};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Column 0: the cue at the first step, else 0. Column 1: 1 at the first step, else 0. Critic only: the cue.
pub const ACTOR_WIDTH: usize = 2;
const WIDTH: usize = 3;

/// `world_count` cues to be remembered.
pub struct CueWorlds {
    schema: ObservationSchema,
    seeds: SeedTree,
    worlds: Vec<World>,
    /// Number of the first of them among those of all processes.
    first_world: u64,
    /// What a reward is multiplied with.
    pub reward_scale: f32,
}

#[derive(Clone, Serialize, Deserialize)]
struct World {
    cue: f32,
    step: u32,
    length: u32,
    episode: u64,
}

impl CueWorlds {
    /// `world_count` worlds whose cues and lengths are drawn from `seed`.
    pub fn new(seed: u64, world_count: usize) -> Self {
        Self::numbered(seed, 0..world_count)
    }

    /// Some of many worlds, known by their numbers.
    pub fn numbered(seed: u64, worlds: std::ops::Range<usize>) -> Self {
        let world = World { cue: 0.0, step: 0, length: 0, episode: 0 };
        Self {
            schema: ObservationSchema::plain(ACTOR_WIDTH, WIDTH - ACTOR_WIDTH),
            seeds: SeedTree::new(seed),
            first_world: worlds.start as u64,
            worlds: vec![world; worlds.len()],
            reward_scale: 1.0,
        }
    }

    /// Room for a step of these worlds.
    pub fn batch(&self) -> StepBatch {
        StepBatch::new(self.worlds.len(), WIDTH)
    }

    fn start(&mut self, index: usize) {
        let world = &mut self.worlds[index];
        let mut rng = self.seeds.stream(Stream::Toy, self.first_world + index as u64, world.episode);
        world.episode += 1;
        world.cue = if rng.random::<bool>() { 0.8 } else { -0.8 };
        world.length = rng.random_range(4..9);
        world.step = 0;
    }

    fn observation(&self, index: usize) -> [f32; WIDTH] {
        let world = &self.worlds[index];
        if world.step == 0 { [world.cue, 1.0, world.cue] } else { [0.0, 0.0, world.cue] }
    }

    fn write_observations(&self, out: &mut StepBatch) {
        for index in 0..self.worlds.len() {
            out.observations[index * WIDTH..][..WIDTH].copy_from_slice(&self.observation(index));
        }
    }
}

impl WorldBatch for CueWorlds {
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
        for (index, action) in actions.iter().enumerate() {
            let world = &mut self.worlds[index];
            let miss = action.clamp(-2.0, 2.0) - world.cue;
            let is_rewarded = world.step > 0;
            out.rewards[index] = if is_rewarded { self.reward_scale * (0.64 - miss * miss) } else { 0.0 };
            world.step += 1;
            let by_clock = world.episode.is_multiple_of(2);
            out.ends[index] = match (world.step >= world.length, by_clock) {
                (false, _) => EpisodeEnd::Running,
                (true, true) => EpisodeEnd::TimedOut,
                (true, false) => EpisodeEnd::Terminated,
            };
            if out.ends[index] != EpisodeEnd::Running {
                let last = self.observation(index);
                out.last_observations[index * WIDTH..][..WIDTH].copy_from_slice(&last);
                self.start(index);
            }
        }
        self.write_observations(out);
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(&self.worlds).expect("numbers can be written")
    }

    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String> {
        let worlds: Vec<World> = serde_json::from_slice(saved).map_err(|error| error.to_string())?;
        if worlds.len() != self.worlds.len() {
            return Err(format!("expected {} worlds, found {}", self.worlds.len(), worlds.len()));
        }
        self.worlds = worlds;
        self.write_observations(out);
        Ok(())
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        Vec::new()
    }
}
