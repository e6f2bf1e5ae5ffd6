//! How much memory a world takes: builds many through [`HandWorlds`], steps them, and divides.
//!
//! `cargo run --release -p giraffe-physics --example memory -- [worlds] [robot] [steps] [--json]`
//!
//! Reads `/proc/self/statm`, so it runs on Linux only.

use giraffe_physics::{
    EpisodePlan, EpisodeSampler, HandWorlds, PhysicsSettings, SceneModel, WorldParameters, WorldsSettings,
};
use giraffe_robots::{NamedLimits, OBJECTS, SeedTree, StepBatch, Stream, WorldBatch, load_robot, tasks::TASKS};
use std::sync::Arc;

/// Nominal physics with the task's random starts.
struct Nominal(Arc<SceneModel>, SeedTree);

impl EpisodeSampler for Nominal {
    fn parameters(&self) -> Vec<NamedLimits> {
        Vec::new()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        EpisodePlan {
            parameters: WorldParameters::nominal(&self.0),
            start: TASKS[0].start(self.0.robot(), &mut self.1.stream(Stream::Start, world, episode)),
            disturbances: Vec::new(),
            sampled: Vec::new(),
            noise_seed: world,
        }
    }
}

/// Resident memory of this process, bytes.
fn resident() -> Result<f64, Box<dyn std::error::Error>> {
    const PAGE_BYTES: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split_whitespace().nth(1).ok_or("no resident pages in /proc/self/statm")?.parse()?;
    Ok(pages * PAGE_BYTES)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with('-'));
    let world_count: usize = words.first().map_or(Ok(4096), |word| word.parse())?;
    let robot_name = words.get(1).map_or("leap-right", String::as_str);
    let step_count: usize = words.get(2).map_or(Ok(20), |word| word.parse())?;
    let robot = Arc::new(load_robot(robot_name)?);
    let scene = Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()));
    let sampler = Box::new(Nominal(Arc::clone(&scene), SeedTree::new(1)));
    let settings = WorldsSettings { world_count, thread_count: 0, staggered: true };

    let before = resident()?;
    let mut worlds = HandWorlds::new(scene, TASKS[0], sampler, settings)?;
    let mut batch = StepBatch::new(world_count, worlds.schema().critic_width());
    worlds.reset_all(&mut batch);
    let actions = vec![0.5; world_count * worlds.action_width()];
    for _ in 0..step_count {
        worlds.step(&actions, &mut batch);
    }
    let per_world_kib = (resident()? - before) / world_count as f64 / 1024.0;
    if flags.iter().any(|flag| flag == "--json") {
        println!(
            "{{\"robot\": \"{robot_name}\", \"worlds\": {world_count}, \"steps\": {step_count}, \
             \"memory_kib_per_world\": {per_world_kib:.1}}}"
        );
    } else {
        println!("{world_count} worlds of {robot_name} after {step_count} steps: {per_world_kib:.0} KiB each");
    }
    Ok(())
}
