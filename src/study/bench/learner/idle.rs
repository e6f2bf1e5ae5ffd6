//! Worlds that cost nothing, so that what is measured is learning.

use giraffe_robots::{EpisodeEnd, EpisodeReport, ObservationSchema, StepBatch, WorldBatch};

/// One in so many steps ends an episode, by the clock.
const EPISODE_STEPS: usize = 100;

/// Worlds whose observations are copied from a table.
pub(super) struct IdleWorlds {
    schema: ObservationSchema,
    world_count: usize,
    action_width: usize,
    step_count: usize,
    table: Vec<f32>,
}

impl IdleWorlds {
    pub(super) fn new(schema: ObservationSchema, world_count: usize, action_width: usize) -> Self {
        let count = world_count * schema.critic_width() + EPISODE_STEPS;
        let table = (0..count).map(|index| ((index * 31) % 101) as f32 * 0.02 - 1.0).collect();
        Self { schema, world_count, action_width, step_count: 0, table }
    }

    fn observe(&self, out: &mut [f32]) {
        let first = self.step_count % EPISODE_STEPS;
        out.copy_from_slice(&self.table[first..first + out.len()]);
    }
}

impl WorldBatch for IdleWorlds {
    fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    fn action_width(&self) -> usize {
        self.action_width
    }

    fn world_count(&self) -> usize {
        self.world_count
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        self.observe(&mut out.observations);
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        self.step_count += 1;
        self.observe(&mut out.observations);
        self.observe(&mut out.last_observations);
        for (world, reward) in out.rewards.iter_mut().enumerate() {
            *reward = actions[world * self.action_width];
            let is_over = (self.step_count + world).is_multiple_of(EPISODE_STEPS);
            out.ends[world] = if is_over { EpisodeEnd::TimedOut } else { EpisodeEnd::Running };
        }
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _saved: &[u8], _out: &mut StepBatch) -> Result<(), String> {
        Err("idle worlds are not kept".to_owned())
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        Vec::new()
    }
}
