//! What randomization costs: control steps of whole environments, nominal against each set of rows, alternating.
//!
//! ```text
//! cargo run --release -p giraffe-randomization --example cost -- 20
//! ```
//! The argument is how many rounds; a round is 100 control steps of 64 worlds on one thread for each set.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use giraffe_physics::{HandWorlds, PhysicsSettings, SceneModel, WorldsSettings};
use giraffe_randomization::{Distribution, FixedRanges, PARAMETERS, Preset, RangeConfig};
use giraffe_robots::{OBJECTS, SeedTree, StepBatch, StreamRng, WorldBatch, load_robot, tasks::TASKS};
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Instant;

const WORLDS: usize = 64;
const STEPS: usize = 100;

/// Rows of what real servos, encoders and trackers add to ideal ones.
fn is_flaw(name: &str) -> bool {
    let flaws = ["joint.dead_band", "joint.backlash", "joint.torque_speed_slope", "sensing.position_resolution"];
    let more = ["sensing.position_bias", "sensing.position_dropout", "actuation.jitter", "actuation.noise"];
    name.starts_with("tracking.") || name == "actuation.bias" || flaws.contains(&name) || more.contains(&name)
}

/// The random network adversary's.
fn is_adversary(name: &str) -> bool {
    name.starts_with("adversary.")
}

/// The usual ranges, with the rows that `keep` does not name at their nominal values: the columns stay the same.
fn ranges(keep: impl Fn(&str) -> bool) -> RangeConfig {
    let mut ranges = Preset::Full.ranges();
    for row in PARAMETERS.iter().filter(|row| !keep(row.name)) {
        ranges.set(row.name, Distribution::Fixed(row.nominal)).expect("nominal values are inside the bounds");
    }
    ranges
}

struct Environment {
    name: &'static str,
    worlds: HandWorlds,
    batch: StepBatch,
    rng: StreamRng,
    secs: Vec<f64>,
}

impl Environment {
    fn new(name: &'static str, scene: &Arc<SceneModel>, ranges: &RangeConfig) -> Self {
        let sampler = FixedRanges::new(SeedTree::new(1), Arc::clone(scene), TASKS[0], ranges);
        let settings = WorldsSettings { world_count: WORLDS, thread_count: 1, staggered: true };
        let mut worlds = HandWorlds::new(Arc::clone(scene), TASKS[0], Box::new(sampler), settings).expect("worlds");
        let mut batch = StepBatch::new(WORLDS, worlds.schema().critic_width());
        worlds.reset_all(&mut batch);
        Self { name, worlds, batch, rng: StreamRng::seed_from_u64(3), secs: Vec::new() }
    }

    fn round(&mut self) {
        let mut actions = vec![0.0; WORLDS * self.worlds.action_width()];
        let begin = Instant::now();
        for _ in 0..STEPS {
            actions.iter_mut().for_each(|action| *action = self.rng.random_range(-1.0..=1.0));
            self.worlds.step(&actions, &mut self.batch);
        }
        self.secs.push(begin.elapsed().as_secs_f64());
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(20);
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    let scene = Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()));
    let mut environments = [
        Environment::new("nominal", &scene, &ranges(|_| false)),
        Environment::new("flaws of servos and sensors", &scene, &ranges(is_flaw)),
        Environment::new("all but these flaws", &scene, &ranges(|name| !is_flaw(name) && !is_adversary(name))),
        Environment::new("all rows but the adversary", &scene, &ranges(|name| !is_adversary(name))),
        Environment::new("the adversary alone", &scene, &ranges(is_adversary)),
        Environment::new("all rows", &scene, &ranges(|_| true)),
    ];
    for _ in 0..=rounds {
        environments.iter_mut().for_each(Environment::round);
    }
    // The first round warms up.
    let nominal = environments[0].secs[1..].to_vec();
    for environment in &environments {
        let ratio = median(environment.secs[1..].iter().zip(&nominal).map(|(secs, nominal)| secs / nominal));
        let secs = median(environment.secs[1..].iter().copied());
        let micros = secs * 1e6 / (STEPS * WORLDS) as f64;
        println!("{:<28} {micros:7.1} us per control step, {ratio:.3} of nominal", environment.name);
    }
}
