//! Measurements of speed: what can be typed, and what is done.

use super::config::ComparedArguments;
use super::outcome::{done, print_json};
use crate::say;
use crate::study::bench::learner::{LearnerBench, LearnerBenchOptions, bench_learner, peak_memory_mib};
use crate::study::bench::link::{LinkBench, LinkBenchOptions, bench_link};
use crate::study::bench::physics::{PhysicsBench, PhysicsBenchOptions, bench_physics};
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
    /// Control steps per second of the whole environment, against bare MuJoCo that is no less exact, alternating.
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
    /// What is measured.
    #[command(flatten)]
    pub compared: ComparedArguments,
    /// How.
    #[command(flatten)]
    pub options: PhysicsBenchOptions,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench learner`.
#[derive(Debug, Args)]
pub struct BenchLearnerArguments {
    /// What is measured, and how.
    #[command(flatten)]
    pub options: LearnerBenchOptions,
    /// Only train a little with the first of each of --widths, --horizons and --sequences, and print the peak memory
    /// of that, MiB.
    #[arg(long)]
    pub only_memory: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench bridge`.
#[derive(Debug, Args)]
pub struct BenchBridgeArguments {
    /// What is measured, and how.
    #[command(flatten)]
    pub options: LinkBenchOptions,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Measures.
///
/// # Errors
/// When a number cannot be, or what is measured breaks down.
pub fn run_bench(what: &BenchWhat, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    match what {
        BenchWhat::Physics(arguments) => run_bench_physics(arguments, stop),
        BenchWhat::Learner(arguments) => run_bench_learner(arguments, stop),
        BenchWhat::Bridge(arguments) => run_bench_bridge(arguments, stop),
    }
}

fn run_bench_physics(arguments: &BenchPhysicsArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = &arguments.options;
    ensure!(options.repeats > 0, "--repeats 0: expected at least one");
    check_secs(options.secs)?;
    let config = arguments.compared.config()?;
    print_measured(bench_physics(&config, options, stop), arguments.json, PhysicsBench::table, stop)
}

fn check_secs(secs: f64) -> Result<()> {
    ensure!(secs.is_finite() && secs > 0.0, "--secs {secs}: expected a number above zero");
    Ok(())
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
        say::result(&table(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_bench_learner(arguments: &BenchLearnerArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = &arguments.options;
    options.check()?;
    if arguments.only_memory {
        print_json(&peak_memory_mib(options.first_shape())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_measured(bench_learner(options, stop), arguments.json, LearnerBench::table, stop)
}

fn run_bench_bridge(arguments: &BenchBridgeArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let options = &arguments.options;
    check_secs(options.secs)?;
    ensure!(options.core_width > 0, "--width 0: expected at least one");
    print_measured(bench_link(options, stop), arguments.json, LinkBench::table, stop)
}
