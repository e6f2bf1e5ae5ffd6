//! Measurements of speed: what can be typed, and what is done.

use super::outcome::{done, print_json};
use crate::run::config::RunConfig;
use crate::study::bench::learner::{LearnerBench, LearnerBenchOptions, Shape, bench_learner, peak_memory_mib};
use crate::study::bench::link::{BridgeBench, BridgeBenchOptions, bench_bridge};
use crate::study::bench::{PhysicsBench, PhysicsBenchOptions, bench_physics};
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// Of what.
    #[command(subcommand)]
    pub what: BenchWhat,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// Control steps per second of the whole environment, against bare MuJoCo at equal joint error, alternating.
    #[command(
        after_help = "Examples:\n  giraffe bench physics --json\n  giraffe bench physics --repeats 9 --skip-memory --python venv/bin/python"
    )]
    Physics(BenchPhysicsArguments),
    /// Samples per second of a PPO epoch and of collecting, against the same network in PyTorch, alternating.
    #[command(
        after_help = "Examples:\n  giraffe bench learner --json\n  giraffe bench learner --quick --widths 128 --python venv/bin/python"
    )]
    Learner(BenchLearnerArguments),
    /// How long a command takes on an encrypted link, and how evenly the loops of both ends turn.
    #[command(after_help = "Example:\n  giraffe bench bridge --json")]
    Bridge(BenchBridgeArguments),
}

/// Arguments of `bench physics`.
#[derive(Debug, Args)]
pub struct BenchPhysicsArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder or MJCF file.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// An object: a name from `giraffe list objects`.
    #[arg(long, default_value = "cube-70mm")]
    pub object: String,
    /// How often every measurement is repeated; medians are reported.
    #[arg(long, default_value_t = 5)]
    pub repeats: usize,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 2.0)]
    pub secs: f64,
    /// Do not build 4,096 worlds to see how much memory one takes.
    #[arg(long)]
    pub skip_memory: bool,
    /// Do not measure the other hands.
    #[arg(long)]
    pub skip_robots: bool,
    /// Another setting, such as `physics.substep_count=4`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// The Python that has MuJoCo [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench learner`.
#[derive(Debug, Args)]
pub struct BenchLearnerArguments {
    /// Widths of the LSTM, and of the encoder before it [default: 128,256,512; with --quick 128].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub widths: Vec<usize>,
    /// Steps of a sequence [default: 16,32; with --quick 16].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub horizons: Vec<usize>,
    /// Sequences of a gradient step, one per world [default: 64,256,1024; with --quick 64,256].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub sequences: Vec<usize>,
    /// How often every measurement is repeated; medians are reported [default: 5; with --quick 3].
    #[arg(long)]
    pub repeats: Option<usize>,
    /// Least seconds of one measurement [default: 1; with --quick 0.3].
    #[arg(long)]
    pub secs: Option<f64>,
    /// Few shapes for a short time, to see that it works: nothing to be quoted.
    #[arg(long)]
    pub quick: bool,
    /// Threads; 0 for one per core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Do not measure memory.
    #[arg(long)]
    pub skip_memory: bool,
    /// Only train a little with the first of each of --widths, --horizons and --sequences, and print the peak memory
    /// of that, MiB.
    #[arg(long)]
    pub only_memory: bool,
    /// What learns: `cpu`, `cuda` or `cuda:N`. PyTorch is measured on the same.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// The Python that has PyTorch [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench bridge`.
#[derive(Debug, Args)]
pub struct BenchBridgeArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder or MJCF file.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// Width of the LSTM, and of the encoder before it.
    #[arg(long, default_value_t = 256)]
    pub width: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 20.0)]
    pub secs: f64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}
/// The Python that has MuJoCo or PyTorch.
fn python(given: Option<&String>) -> String {
    #[allow(clippy::disallowed_methods, reason = "the program, not a library, reads its environment")]
    let from_environment = || std::env::var("GIRAFFE_PYTHON").ok().filter(|path| !path.is_empty());
    given.cloned().or_else(from_environment).unwrap_or_else(|| "python3".to_owned())
}

/// What a comparison or a measurement is of.
fn compared_config(robot: &str, object: &str, settings: &[String]) -> Result<RunConfig> {
    let config = RunConfig::read(None, settings)?;
    Ok(RunConfig { robot: robot.to_owned(), object: object.to_owned(), ..config })
}

pub fn run_bench(what: &BenchWhat, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    match what {
        BenchWhat::Physics(arguments) => run_bench_physics(arguments, stop),
        BenchWhat::Learner(arguments) => run_bench_learner(arguments, stop),
        BenchWhat::Bridge(arguments) => run_bench_bridge(arguments, stop),
    }
}

fn run_bench_physics(arguments: &BenchPhysicsArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.repeats > 0, "--repeats 0: expected at least one");
    let secs = arguments.secs;
    ensure!(secs.is_finite() && secs > 0.0, "--secs {secs}: expected a number above zero");
    let options = PhysicsBenchOptions {
        config: compared_config(&arguments.robot, &arguments.object, &arguments.settings)?,
        python: python(arguments.python.as_ref()),
        repeats: arguments.repeats,
        secs,
        memory: !arguments.skip_memory,
        robots: !arguments.skip_robots,
    };
    print_measured(bench_physics(&options, stop), arguments.json, PhysicsBench::table, stop)
}

/// What was measured, for programs or for people; nothing when it was interrupted.
fn print_measured<T: serde::Serialize>(
    measured: Result<T>,
    json: bool,
    table: impl Fn(&T) -> String,
    stop: &AtomicBool,
) -> Result<ExitCode> {
    if stop.load(Ordering::Relaxed) {
        return Ok(done(stop));
    }
    let report = measured?;
    if json {
        print_json(&report)?;
    } else {
        print!("{}", table(&report));
    }
    Ok(ExitCode::SUCCESS)
}

fn run_bench_learner(arguments: &BenchLearnerArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = learner_bench_options(arguments)?;
    if arguments.only_memory {
        let first = |numbers: &[usize]| numbers[0];
        let [core_width, horizon_steps, sequences] =
            [&options.widths, &options.horizons, &options.sequences].map(|numbers| first(numbers));
        print_json(&peak_memory_mib(Shape { core_width, horizon_steps, sequences })?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_measured(bench_learner(&options, stop), arguments.json, LearnerBench::table, stop)
}

fn run_bench_bridge(arguments: &BenchBridgeArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let secs = arguments.secs;
    ensure!(secs.is_finite() && secs > 0.0, "--secs {secs}: expected a number above zero");
    ensure!(arguments.width > 0, "--width 0: expected at least one");
    let options = BridgeBenchOptions { robot: arguments.robot.clone(), core_width: arguments.width, secs };
    print_measured(bench_bridge(&options, stop), arguments.json, BridgeBench::table, stop)
}

fn learner_bench_options(arguments: &BenchLearnerArguments) -> Result<LearnerBenchOptions> {
    let quick = arguments.quick;
    let numbers = |flag: &str, given: &[usize], few: &[usize], all: &[usize]| {
        ensure!(!given.contains(&0), "{flag} 0: expected numbers of at least one");
        Ok(if given.is_empty() { if quick { few } else { all }.to_vec() } else { given.to_vec() })
    };
    let repeats = arguments.repeats.unwrap_or(if quick { 3 } else { 5 });
    ensure!(repeats > 0, "--repeats 0: expected at least one");
    let secs = arguments.secs.unwrap_or(if quick { 0.3 } else { 1.0 });
    ensure!(secs.is_finite() && secs > 0.0, "--secs {secs}: expected a number above zero");
    Ok(LearnerBenchOptions {
        widths: numbers("--widths", &arguments.widths, &[128], &[128, 256, 512])?,
        horizons: numbers("--horizons", &arguments.horizons, &[16], &[16, 32])?,
        sequences: numbers("--sequences", &arguments.sequences, &[64, 256], &[64, 256, 1024])?,
        repeats,
        secs,
        thread_count: arguments.threads,
        device: arguments.device.parse()?,
        python: python(arguments.python.as_ref()),
        memory: !arguments.skip_memory,
    })
}
