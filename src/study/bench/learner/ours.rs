//! Our side: a learner in idle worlds, its memory, and what the processor could do at most.

use super::idle::IdleWorlds;
use super::{ACTIONS, ACTOR_COLUMNS, CRITIC_COLUMNS, EPOCHS, LearnerBenchOptions, Shape};
use crate::run::statistics::median;
use anyhow::{Context, Result, bail};
use gemm::Parallelism;
use giraffe_policy::{DeviceChoice, PolicyContext, PolicyRunner, PpoConfig, PpoLearner};
use giraffe_robots::{ObservationSchema, SeedTree, StepBatch};
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Columns of the memory measurement, for actor and critic.
const MEMORY_COLUMNS: usize = 120;
/// Its iterations, and epochs of each. The peak is reached in the first; more would show growth.
const MEMORY_ITERATIONS: usize = 3;
const MEMORY_EPOCHS: usize = 2;
/// Actions of one hand that are timed one by one.
const TIMED_ACTIONS: usize = 2000;
/// Rows and columns of the matrices that the peak is measured with.
pub(super) const PEAK_WIDTH: usize = 1536;

/// The clock.
pub(super) fn now() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "a measurement of speed reads the clock")]
    Instant::now()
}

/// A learner of one shape, at work.
pub(super) struct Ours {
    shape: Shape,
    learner: PpoLearner,
    worlds: IdleWorlds,
    batch: StepBatch,
}

/// What was measured in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// Samples per second of an epoch: all of the update counts.
    pub samples_per_sec: f64,
    /// Steps per second of collecting.
    pub steps_per_sec: f64,
}

impl Ours {
    /// A learner that has gone through everything once.
    pub(super) fn new(shape: Shape, options: &LearnerBenchOptions) -> Result<Self> {
        let config =
            PpoConfig { epoch_count: EPOCHS, minibatch_count: 1, thread_count: options.thread_count, ..config(shape) };
        let schema = ObservationSchema::plain(ACTOR_COLUMNS, CRITIC_COLUMNS - ACTOR_COLUMNS);
        let mut ours = Self::build(shape, &config, &schema, options.device)?;
        ours.rates(0.0)?;
        Ok(ours)
    }

    fn build(shape: Shape, config: &PpoConfig, schema: &ObservationSchema, device: DeviceChoice) -> Result<Self> {
        let worlds = IdleWorlds::new(schema.clone(), shape.sequences, ACTIONS);
        let batch = StepBatch::new(shape.sequences, schema.critic_width());
        let learner = PpoLearner::new(config, schema, ACTIONS, shape.sequences, SeedTree::new(1), device)?;
        Ok(Self { shape, learner, worlds, batch })
    }

    /// Iterations until updates have taken so many seconds, at least one.
    pub(super) fn rates(&mut self, secs: f64) -> Result<Rates> {
        let (mut collecting, mut updating, mut count) = (0.0, 0.0, 0);
        while count == 0 || updating < secs {
            let begun = now();
            self.learner.collect(&mut self.worlds, &mut self.batch)?;
            collecting += begun.elapsed().as_secs_f64();
            let begun = now();
            self.learner.update()?;
            updating += begun.elapsed().as_secs_f64();
            count += 1;
        }
        let steps = (count * self.shape.samples()) as f64;
        Ok(Rates { samples_per_sec: EPOCHS as f64 * steps / updating, steps_per_sec: steps / collecting })
    }
}

impl Ours {
    /// Seconds of one action of one hand, deterministic, as in deployment: median.
    pub(super) fn secs_per_action(&self) -> Result<f64> {
        let joint = |index| json!({ "name": format!("joint_{index}"), "limits": { "lower": -1.0, "upper": 1.0 } });
        let joints: Vec<_> = (0..ACTIONS).map(joint).collect();
        let action = json!({ "joints": joints, "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 });
        let policy = self.learner.export(PolicyContext {
            action: serde_json::from_value(action).context("describing an action")?,
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
        let mut actions = [0.0; ACTIONS];
        let mut times = Vec::with_capacity(TIMED_ACTIONS);
        for _ in 0..TIMED_ACTIONS {
            let begun = now();
            runner.act(&observation, &mut actions)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        median(&times).context("no actions were timed")
    }
}

fn config(shape: Shape) -> PpoConfig {
    PpoConfig {
        core_width: shape.core_width,
        encoder_width: shape.core_width,
        horizon_steps: shape.horizon_steps,
        ..PpoConfig::default()
    }
}

/// Trains a little and returns the most memory this process ever had, MiB; nothing where the system does not say.
/// Meant for a process that does nothing else.
///
/// # Errors
/// When the learner fails.
pub fn peak_memory_mib(shape: Shape) -> Result<Option<f64>> {
    let config = PpoConfig { epoch_count: MEMORY_EPOCHS, minibatch_count: 4.min(shape.sequences), ..config(shape) };
    let schema = ObservationSchema::plain(MEMORY_COLUMNS, 0);
    let mut ours = Ours::build(shape, &config, &schema, DeviceChoice::Cpu)?;
    for _ in 0..MEMORY_ITERATIONS {
        ours.learner.iterate(&mut ours.worlds, &mut ours.batch)?;
    }
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(None) };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()).map(|kibibytes| kibibytes / 1024.0))
}

/// [`peak_memory_mib`] of a process of its own.
pub(super) fn peak_memory_of_child(shape: Shape) -> Result<Option<f64>> {
    let program = std::env::current_exe().context("finding this program, to measure its memory")?;
    let Shape { core_width, horizon_steps, sequences } = shape;
    let child = Command::new(&program)
        .args(["bench", "learner", "--only-memory"])
        .args(["--widths", &core_width.to_string()])
        .args(["--horizons", &horizon_steps.to_string()])
        .args(["--sequences", &sequences.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {} to measure its memory", program.display()))?;
    if !child.status.success() {
        bail!("the process that was to measure memory ended with {}; what it printed is above", child.status);
    }
    serde_json::from_slice(&child.stdout).context("reading what the process that measures memory printed")
}

/// Floating-point operations per second of the product of two large square matrices on so many threads, in the best of
/// three tries.
pub(super) fn gemm_flops_per_sec(threads: usize) -> f64 {
    let n = PEAK_WIDTH;
    let matrix = |seed: usize| (0..n * n).map(|i| ((i * seed) % 97) as f32 * 0.01).collect::<Vec<f32>>();
    let (left, right, mut out) = (matrix(31), matrix(57), vec![0.0f32; n * n]);
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let mut product = || {
        let (rows, columns) = (n as isize, 1);
        let begun = now();
        // SAFETY: three row-major matrices of n rows and n columns each.
        unsafe {
            gemm::gemm(
                n,
                n,
                n,
                out.as_mut_ptr(),
                columns,
                rows,
                false,
                left.as_ptr(),
                columns,
                rows,
                right.as_ptr(),
                columns,
                rows,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
        begun.elapsed().as_secs_f64()
    };
    product();
    let fastest = (0..3).map(|_| product()).fold(f64::INFINITY, f64::min);
    2.0 * (n as f64).powi(3) / fastest
}
