//! How fast learning is: samples per second of a PPO epoch, steps per second of collecting, time of one action.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example learner_throughput -- [worlds] [core width] [threads]
//! ```

use giraffe_policy::{DeviceChoice, PolicyContext, PolicyRunner, PpoConfig, PpoLearner};
use giraffe_robots::{EpisodeEnd, EpisodeReport, ObservationSchema, SeedTree, StepBatch, WorldBatch};
use std::time::{Duration, Instant};

const ACTOR_COLUMNS: usize = 96;
const CRITIC_COLUMNS: usize = 190;
const ACTIONS: usize = 16;

/// Worlds that cost nothing, so that what is measured is learning.
struct IdleWorlds {
    schema: ObservationSchema,
    world_count: usize,
    step_count: usize,
}

impl IdleWorlds {
    fn write(&self, out: &mut StepBatch) {
        for (index, value) in out.observations.iter_mut().enumerate() {
            *value = ((index * 31 + self.step_count * 17) % 101) as f32 * 0.02 - 1.0;
        }
    }
}

impl WorldBatch for IdleWorlds {
    fn schema(&self) -> &ObservationSchema {
        &self.schema
    }

    fn action_width(&self) -> usize {
        ACTIONS
    }

    fn world_count(&self) -> usize {
        self.world_count
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        self.write(out);
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        self.step_count += 1;
        self.write(out);
        out.last_observations.copy_from_slice(&out.observations);
        for (world, reward) in out.rewards.iter_mut().enumerate() {
            *reward = actions[world * ACTIONS];
            let is_over = (self.step_count + world).is_multiple_of(100);
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

#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [world_count, width, thread_count] =
        [(0, 256), (1, 128), (2, 0)].map(|(index, default)| numbers.get(index).copied().unwrap_or(default));
    let config = PpoConfig { core_width: width, encoder_width: width, thread_count, ..PpoConfig::default() };
    let schema = ObservationSchema::plain(ACTOR_COLUMNS, CRITIC_COLUMNS - ACTOR_COLUMNS);
    let mut worlds = IdleWorlds { schema: schema.clone(), world_count, step_count: 0 };
    let mut batch = StepBatch::new(world_count, CRITIC_COLUMNS);
    let mut learner = PpoLearner::new(&config, &schema, ACTIONS, world_count, SeedTree::new(1), DeviceChoice::Cpu)?;

    let (mut collecting, mut updating) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let (result, time) = timed(|| learner.collect(&mut worlds, &mut batch));
        result?;
        collecting.push(time);
        let (result, time) = timed(|| learner.update());
        result?;
        updating.push(time);
    }
    let samples = (world_count * config.horizon_steps) as f64;
    let (collecting, updating) = (median(collecting), median(updating));
    println!("{world_count} worlds x {} steps, LSTM-{width}, {} epochs", config.horizon_steps, config.epoch_count);
    println!("collect  {:8.1} ms   {:9.0} steps/s", collecting * 1e3, samples / collecting);
    println!(
        "update   {:8.1} ms   {:9.0} samples/s per epoch",
        updating * 1e3,
        samples * config.epoch_count as f64 / updating
    );
    println!("together {:8.1} ms   {:9.0} steps/s", (collecting + updating) * 1e3, samples / (collecting + updating));
    time_actions(&learner)
}

fn time_actions(learner: &PpoLearner) -> Result<(), Box<dyn std::error::Error>> {
    let joints: Vec<_> = (0..ACTIONS)
        .map(|index| serde_json::json!({ "name": format!("joint_{index}"), "limits": { "lower": -1.0, "upper": 1.0 } }))
        .collect();
    let action = serde_json::json!({ "joints": joints, "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 });
    let policy = learner.export(PolicyContext {
        action: serde_json::from_value(action)?,
        control_period_secs: 0.05,
        robot: String::new(),
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
        task: String::new(),
        object: String::new(),
        commit: String::new(),
    });
    let mut runner = PolicyRunner::new(&policy);
    let observation: Vec<f32> = (0..ACTOR_COLUMNS).map(|index| (index as f32 * 0.37).sin()).collect();
    let mut actions = vec![0.0; ACTIONS];
    let mut times = Vec::new();
    for _ in 0..2000 {
        let (result, time) = timed(|| runner.act(&observation, &mut actions));
        result?;
        times.push(time);
    }
    println!("act      {:8.1} us   (one hand, deterministic)", median(times) * 1e6);
    Ok(())
}
