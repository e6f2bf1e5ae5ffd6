//! The whole environment step as training runs it, with random targets instead of a policy.

use crate::say;
use crate::study::engines::episodes::TARGET_SPREAD_RAD;
use crate::study::engines::rollout::Setup;
use anyhow::Result;
use giraffe_physics::{HandWorlds, WorldsSettings};
use giraffe_randomization::{Distribution, FixedRanges, Preset};
use giraffe_robots::{
    ActionSchema, Aims, EpisodeEnd, EpisodeStart, Limits, Measure, ObservationTerm, RobotModel, SeedTree, Seen,
    StepBatch, Stream, StreamRng, TASKS, Task, Trial, TrialScene, WorldBatch,
};
use std::time::Instant;

/// Worlds of a measurement of speed: as many as training has by default.
pub(super) const WORLDS: usize = 128;
/// Control steps before the first measurement: the object has fallen into the hand by then.
const WARM_UP_STEPS: usize = 40;

/// The first task, but for its actions: an action of one moves a target across the whole range of random targets.
struct RandomTargets;

static RANDOM_TARGETS: RandomTargets = RandomTargets;

impl RandomTargets {
    fn inner() -> &'static dyn Task {
        TASKS[0]
    }
}

impl Task for RandomTargets {
    fn name(&self) -> &'static str {
        "random-targets"
    }

    fn doc(&self) -> &'static str {
        "for measurements: targets are random, all else is as in the first task"
    }

    fn episode_step_count(&self) -> u32 {
        Self::inner().episode_step_count()
    }

    fn observation(&self, robot: &RobotModel) -> Vec<ObservationTerm> {
        Self::inner().observation(robot)
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        ActionSchema::increments(robot, 2.0 * TARGET_SPREAD_RAD, f32::MAX)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        Self::inner().start(robot, rng)
    }

    fn measures(&self) -> &'static [Measure] {
        Self::inner().measures()
    }

    fn aims(&self) -> Aims {
        Self::inner().aims()
    }

    fn failure_reward(&self) -> f32 {
        Self::inner().failure_reward()
    }

    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial> {
        Self::inner().begin(scene, seen)
    }
}

/// Worlds under random targets.
pub(super) struct Environment {
    worlds: HandWorlds,
    batch: StepBatch,
    actions: Vec<f32>,
    /// Where the targets are within their range, relative to where an episode started.
    places: Vec<f32>,
    rng: StreamRng,
}

impl Environment {
    /// So many worlds as training has them, all parameters randomized, on so many threads; warmed up.
    pub(super) fn new(setup: &Setup, world_count: usize, thread_count: usize) -> Result<Self> {
        let mut environment = Self::build(setup, world_count, thread_count)?;
        (0..WARM_UP_STEPS).for_each(|_| environment.step());
        Ok(environment)
    }

    fn build(setup: &Setup, world_count: usize, thread_count: usize) -> Result<Self> {
        let seeds = SeedTree::new(1).branch("speed");
        let scene = setup.scene(setup.physics);
        let sampler = FixedRanges::new(seeds, scene.clone(), &RANDOM_TARGETS, &Preset::Wide.ranges());
        let settings = WorldsSettings { world_count, thread_count, staggered: true };
        let mut worlds = HandWorlds::new(scene, &RANDOM_TARGETS, Box::new(sampler), settings)?;
        let mut batch = StepBatch::new(world_count, worlds.schema().critic_width());
        worlds.reset_all(&mut batch);
        let count = world_count * worlds.action_width();
        let rng = seeds.stream(Stream::Toy, 0, 0);
        Ok(Self { worlds, batch, actions: vec![0.0; count], places: vec![0.0; count], rng })
    }

    /// Draws new targets: each action goes from the last one, or from the start of the episode, to the next.
    fn draw(&mut self) {
        let (min, max) = (-TARGET_SPREAD_RAD, TARGET_SPREAD_RAD);
        let spread = Distribution::Uniform { min, max };
        let width = self.worlds.action_width();
        let ends = &self.batch.ends;
        for (world, (actions, places)) in self.actions.chunks_mut(width).zip(self.places.chunks_mut(width)).enumerate()
        {
            if ends[world] != EpisodeEnd::Running {
                places.fill(0.0);
            }
            for (action, place) in actions.iter_mut().zip(places) {
                let next = spread.draw(Limits { lower: min, upper: max }, &mut self.rng);
                *action = (next - *place) / (max - min);
                *place = next;
            }
        }
    }

    fn step(&mut self) {
        self.draw();
        self.worlds.step(&self.actions, &mut self.batch);
    }

    /// Control steps per second, in all worlds together, over at least so many seconds.
    pub(super) fn rate(&mut self, secs: f64) -> f64 {
        let (mut steps, mut spent) = (0, 0.0);
        while spent < secs {
            self.draw();
            #[allow(clippy::disallowed_methods, reason = "a measurement of speed reads the clock")]
            let begun = Instant::now();
            self.worlds.step(&self.actions, &mut self.batch);
            spent += begun.elapsed().as_secs_f64();
            steps += self.worlds.world_count();
        }
        self.worlds.take_reports();
        steps as f64 / spent
    }
}

/// Resident memory of one world among many, in bytes; nothing where the system does not say, or says that there is no more
/// than before: then the worlds lie in memory that something else has let go of.
pub(super) fn bytes_per_world(setup: &Setup, world_count: usize) -> Result<Option<f64>> {
    let Some(before) = resident_bytes() else { return Ok(None) };
    say::note(format_args!("memory of {world_count} worlds"));
    let mut environment = Environment::build(setup, world_count, 0)?;
    (0..WARM_UP_STEPS / 4).for_each(|_| environment.step());
    Ok(resident_bytes().filter(|after| *after > before).map(|after| (after - before) / world_count as f64))
}

/// What this process has in memory (Linux).
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024.0 * kibibytes)
}
