//! An experiment: the same training with memory and without, over several seeds, scored in worlds never seen.

use giraffe_policy::{CoreKind, DeviceChoice, Policy, PolicyContext, PolicyError, PolicyRunner, PpoConfig, PpoLearner};
use giraffe_robots::{EpisodeEnd, SeedTree, StepBatch, WorldBatch};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::error::Error;
use std::time::Instant;

/// Worlds a policy is scored in.
const UNSEEN_WORLDS: usize = 300;
/// Where the seeds of unseen worlds start: far from those of training.
const UNSEEN_SEED: u64 = 1 << 40;

/// What is tried.
pub struct Experiment {
    /// Name of the example.
    pub name: &'static str,
    /// What a score is and between which values it can lie.
    pub score: &'static str,
    /// Makes a number of worlds from a seed.
    pub worlds: fn(u64, usize) -> Box<dyn WorldBatch>,
    /// Worlds trained in.
    pub world_count: usize,
    /// Settings of the learner; whether it remembers is set by [`settings`].
    pub config: PpoConfig,
    /// Iterations of collecting and learning.
    pub iterations: usize,
}

/// What may remember: the name on the command line, and the kind of memory. `none` is the feed-forward policy: the same
/// network, forgetting before every step.
pub const MEMORIES: [(&str, Option<CoreKind>); 3] =
    [("lstm", Some(CoreKind::Lstm)), ("gru", Some(CoreKind::Gru)), ("none", None)];

/// What the command line asked for: `--core lstm|gru|none` (more than once for several), `--seeds N --iterations N --json`.
struct Arguments {
    memories: Vec<(&'static str, Option<CoreKind>)>,
    seeds: u64,
    iterations: usize,
    json: bool,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>, iterations: usize) -> Result<Self, String> {
        let mut read = Self { memories: Vec::new(), seeds: 5, iterations, json: false };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--core" => {
                    let wanted = arguments.next().unwrap_or_default();
                    let found = MEMORIES.into_iter().find(|(name, _)| *name == wanted);
                    read.memories.push(found.ok_or(format!("--core is lstm, gru or none, found {wanted:?}"))?);
                }
                "--seeds" => read.seeds = count(&name, arguments.next())?,
                "--iterations" => read.iterations = count(&name, arguments.next())?,
                "--json" => read.json = true,
                _ => return Err(format!("{name:?} is none of --core NAME, --seeds N, --iterations N and --json")),
            }
        }
        if read.memories.is_empty() {
            read.memories = MEMORIES.to_vec();
        }
        Ok(read)
    }
}

fn count<T: std::str::FromStr + PartialOrd + From<u8>>(name: &str, text: Option<String>) -> Result<T, String> {
    let text = text.unwrap_or_default();
    let count = text.parse().ok().filter(|count| *count >= T::from(1));
    count.ok_or_else(|| format!("{name} needs a whole number from 1, found {text:?}"))
}

/// The one place where the settings of a run are made.
pub fn settings(experiment: &Experiment, memory: Option<CoreKind>) -> PpoConfig {
    PpoConfig { core: memory.unwrap_or_default(), memoryless: memory.is_none(), ..experiment.config.clone() }
}

/// All there is to training: worlds, room for what they say, a learner, iterations.
///
/// # Errors
/// As the learner.
pub fn train(
    experiment: &Experiment,
    memory: Option<CoreKind>,
    seed: u64,
    iterations: usize,
) -> Result<PpoLearner, PolicyError> {
    let mut worlds = (experiment.worlds)(seed, experiment.world_count);
    let schema = worlds.schema().clone();
    let mut batch = StepBatch::new(worlds.world_count(), schema.critic_width());
    let config = settings(experiment, memory);
    let (actions, seeds) = (worlds.action_width(), SeedTree::new(seed));
    let mut learner = PpoLearner::new(&config, &schema, actions, worlds.world_count(), seeds, DeviceChoice::Cpu)?;
    for _ in 0..iterations {
        learner.iterate(worlds.as_mut(), &mut batch)?;
        // Nobody reads the reports of episodes here, but someone has to take them.
        worlds.take_reports();
    }
    Ok(learner)
}

/// Mean return of the first episodes in worlds never seen, each acted in without exploration.
///
/// # Errors
/// When the policy reads other columns than the worlds write.
pub fn score(experiment: &Experiment, policy: &Policy, seed: u64) -> Result<f64, PolicyError> {
    let mut worlds = (experiment.worlds)(UNSEEN_SEED + seed, UNSEEN_WORLDS);
    let (width, read) = (worlds.schema().critic_width(), worlds.schema().actor_width());
    let mut batch = StepBatch::new(UNSEEN_WORLDS, width);
    let mut runners = vec![PolicyRunner::new(policy); UNSEEN_WORLDS];
    let mut actions = vec![0.0; UNSEEN_WORLDS];
    let mut is_running = vec![true; UNSEEN_WORLDS];
    let mut sum = 0.0;
    worlds.reset_all(&mut batch);
    while is_running.contains(&true) {
        for (world, runner) in runners.iter_mut().enumerate().filter(|(world, _)| is_running[*world]) {
            runner.act(&batch.observations[world * width..][..read], &mut actions[world..=world])?;
        }
        worlds.step(&actions, &mut batch);
        for (world, running) in is_running.iter_mut().enumerate().filter(|(_, running)| **running) {
            sum += f64::from(batch.rewards[world]);
            *running = batch.ends[world] == EpisodeEnd::Running;
        }
    }
    Ok(sum / UNSEEN_WORLDS as f64)
}

/// What a policy file should say of a policy without a hand.
pub fn context(task: &str) -> PolicyContext {
    let joint = serde_json::json!({ "joints": [{ "name": "joint", "limits": { "lower": -1.0, "upper": 1.0 } }],
        "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 });
    PolicyContext {
        action: serde_json::from_value(joint).expect("one joint with its limits"),
        control_period_secs: 0.05,
        robot: "none".to_owned(),
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
        task: task.to_owned(),
        object: "none".to_owned(),
        commit: "unknown".to_owned(),
    }
}

/// One kind of memory over all seeds.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Its name on the command line.
    pub core: &'static str,
    /// One for each seed.
    pub scores: Vec<f64>,
    /// Of the scores.
    pub median: f64,
    /// Of the scores.
    pub mean: f64,
    /// 95 % interval of the mean, Student's over the seeds; none of a single seed.
    pub interval95: Option<[f64; 2]>,
    /// Control steps of one training, in all its worlds together.
    pub steps: u64,
    /// Seconds of each training.
    pub seconds: Vec<f64>,
}

impl Outcome {
    /// Sums up the scores, of which there is at least one.
    pub fn new(core: &'static str, scores: Vec<f64>, steps: u64, seconds: Vec<f64>) -> Self {
        let count = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        let (lower, upper) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let interval95 = StudentsT::new(0.0, 1.0, count - 1.0).ok().map(|student| {
            let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0);
            let half = student.inverse_cdf(0.975) * (variance / count).sqrt();
            [mean - half, mean + half]
        });
        Self { core, scores, median: 0.5 * (lower + upper), mean, interval95, steps, seconds }
    }
}

#[allow(clippy::disallowed_methods, reason = "an experiment says how long it took")]
fn try_seeds(
    experiment: &Experiment,
    (core, memory): (&'static str, Option<CoreKind>),
    arguments: &Arguments,
) -> Result<Outcome, PolicyError> {
    let (mut scores, mut seconds, mut steps) = (Vec::new(), Vec::new(), 0);
    for seed in 1..=arguments.seeds {
        let begun = Instant::now();
        let learner = train(experiment, memory, seed, arguments.iterations)?;
        let taken = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        let score = score(experiment, &learner.export(context(experiment.name)), seed)?;
        eprintln!("{core}, seed {seed}: {score:.3} after {taken} s");
        steps = learner.control_steps();
        seconds.push(taken);
        scores.push(score);
    }
    Ok(Outcome::new(core, scores, steps, seconds))
}

/// Does the experiment as the command line asks, and prints a table or a JSON document.
///
/// # Errors
/// When an argument is not understood, or the learner refuses.
pub fn run(experiment: &Experiment) -> Result<(), Box<dyn Error>> {
    let arguments = match Arguments::read(std::env::args().skip(1), experiment.iterations) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let outcomes = arguments.memories.iter().map(|memory| try_seeds(experiment, *memory, &arguments));
    let outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
    if arguments.json {
        let document = serde_json::json!({
            "example": experiment.name,
            "score": experiment.score,
            "seeds": arguments.seeds,
            "iterations": arguments.iterations,
            "worlds": experiment.world_count,
            "unseen_worlds": UNSEEN_WORLDS,
            "cores": outcomes,
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(());
    }
    println!("{}: {}", experiment.name, experiment.score);
    println!("{:<5} {:>8} {:>8}  {:<18} {:>9} {:>8}", "core", "median", "mean", "95 % interval", "steps", "seconds");
    for outcome in &outcomes {
        let interval = outcome.interval95.map_or("of one seed: none".to_owned(), |[a, b]| format!("[{a:.3}, {b:.3}]"));
        let Outcome { core, median, mean, steps, seconds, .. } = outcome;
        let seconds: f64 = seconds.iter().sum();
        println!("{core:<5} {median:>8.3} {mean:>8.3}  {interval:<18} {steps:>9} {seconds:>8.1}");
    }
    Ok(())
}
