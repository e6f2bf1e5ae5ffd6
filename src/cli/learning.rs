//! Training a policy, measuring it, deploying it: what can be typed, and what is done.

use super::config::ConfigArguments;
use super::meeting::tell_hand_of;
use super::outcome::{EXIT_DIFFERENT, done, print_json};
use super::recipe::{RecipeAsked, train_recipe};
use super::scene::SceneArguments;
use crate::fly::deploy::deploy;
use crate::fly::log::default_path;
use crate::fly::options::{DeployOptions, LogOptions};
use crate::fly::report::Deployment;
use crate::learn::budget::Budget;
use crate::learn::display::Display;
use crate::learn::processes::Processes;
use crate::learn::train::{TrainReport, Training};
use crate::learn::warm_start::WarmStart;
use crate::quickstart::{QuickstartOptions, quickstart};
use crate::run::dosed::{dosed_name, find_dosed};
use crate::run::evaluate::{TrainedPolicy, config_file_of, run_episodes, unseen_seeds};
use crate::run::score::Score;
use crate::run::shipped::PolicySource;
use crate::run::table::score_table;
use crate::say;
use crate::stopping::EXIT_STOPPED;
use crate::typed;
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use giraffe_policy::DeviceChoice;
use giraffe_randomization::{DosedScenario, SCENARIOS};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// From nothing to a policy on a hand.
#[derive(Debug, Subcommand)]
pub enum LearningCommand {
    /// Train, evaluate and deploy over ZeroMQ; prints one table.
    #[command(
        after_help = "Examples:\n  giraffe quickstart --seed 1\n  giraffe quickstart --minutes 30 --out runs/longer"
    )]
    Quickstart(QuickstartArguments),
    /// Train a policy, or go on training.
    #[command(
        after_help = "Examples:\n  giraffe train --minutes 60 --out runs/mine --set ppo.core_width=64\n  giraffe train --resume runs/mine --minutes 120\n  giraffe train --recipe leap-right/rotate-z --steps 100000 --out runs/again\n  giraffe train --from runs/mine --seed 2 --set randomization.preset=full --minutes 60"
    )]
    Train(TrainArguments),
    /// Measure a policy in simulated worlds it never saw.
    #[command(after_help = "Example:\n  giraffe evaluate runs/quickstart-1 --scenario push --episodes 200")]
    Evaluate(EvaluateArguments),
    /// Run a policy on a hand behind ZeroMQ.
    #[command(
        after_help = "Examples:\n  giraffe deploy runs/quickstart-1 --connect tcp://127.0.0.1:7401 --episodes 20\n  giraffe deploy runs/quickstart-1 --real-time --episodes 3\n\nWith --paired: 0 every episode is equal bit for bit, 1 one differs or none was compared."
    )]
    Deploy(DeployArguments),
}

impl LearningCommand {
    /// Does what was asked for.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(&self, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
        match self {
            Self::Quickstart(arguments) => run_quickstart(arguments, stop),
            Self::Train(arguments) => run_train(arguments, stop),
            Self::Evaluate(arguments) => run_evaluate(arguments, stop),
            Self::Deploy(arguments) => run_deploy(arguments, stop),
        }
    }
}

/// Arguments of `quickstart`.
#[derive(Debug, Args)]
pub struct QuickstartArguments {
    /// What to train.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// How long, and what then.
    #[command(flatten)]
    pub options: QuickstartOptions,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
    /// Folder of the run [default: runs/quickstart-SEED, or the first free runs/quickstart-SEED-N].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// End with one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// What to train.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Go on with the run in this folder, from its newest checkpoint. Its own settings hold.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "robot", "object", "settings", "out", "seed"])]
    pub resume: Option<PathBuf>,
    /// A new run whose actor starts as this policy: the folder of a run, a policy file or a shipped policy. Whatever it reads must
    /// be read here, too; what is new here it learns to use. The critic begins anew.
    #[arg(long, value_name = "POLICY", conflicts_with = "resume")]
    pub from: Option<PathBuf>,
    /// Wall-clock minutes of training, earlier sessions of the run included.
    #[arg(long, conflicts_with = "steps", value_parser = typed::real)]
    pub minutes: Option<f64>,
    /// Train by a recipe, which says everything else: that of a shipped policy (`giraffe list policies`), or a file.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["config", "settings", "minutes", "from"])]
    pub recipe: Option<PathBuf>,
    /// Control steps of training, in all worlds together, earlier sessions included. Exactly repeatable. With --recipe: only the
    /// first so many of it.
    #[arg(long, value_parser = typed::number)]
    pub steps: Option<u64>,
    /// Seed of all randomness.
    #[arg(long, value_parser = typed::seed)]
    pub seed: Option<u64>,
    /// Folder of the run [default: runs/train-SEED, or the first free runs/train-SEED-N].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// What learns: `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub device: DeviceChoice,
    /// End with one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Folder of a run, a policy file, or the name of a shipped policy (`giraffe list policies`).
    pub policy: PathBuf,
    /// Number of episodes.
    #[arg(long, default_value_t = 200, value_parser = typed::count)]
    pub episodes: usize,
    /// What happens during each episode: a name from `giraffe list scenarios`, with a dose if not the usual one
    /// (`push=0.2`), or `all`.
    #[arg(long, default_value = "none")]
    pub scenario: String,
    /// Reset the recurrent state before every step: how much does memory do?
    #[arg(long)]
    pub memoryless: bool,
    /// Seed of the worlds. Never the same worlds as in training, whatever the number.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
    /// Another hand of the same kinematics, or another object, than in training.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// Change a setting of the run, such as `randomization.preset=none`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArguments {
    /// Folder of a run, a policy file, or the name of a shipped policy (`giraffe list policies`).
    pub policy: PathBuf,
    /// How it is deployed.
    #[command(flatten)]
    pub options: DeployOptions,
    /// With --paired: what happens during each episode, a name from `giraffe list scenarios`, with a dose if not the usual
    /// one (`push=0.2`).
    #[arg(long, default_value = "none", requires = "paired")]
    pub scenario: String,
    /// Another hand of the same kinematics, or another object, than in training.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// Change a setting of the run, such as `randomization.preset=none`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Where the log goes (MCAP: Foxglove, Rerun and `ros2 bag` open it, `giraffe replay` checks it). Without it, into
    /// `deployments/` in the run's folder.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Write no log.
    #[arg(long, conflicts_with = "log")]
    pub no_log: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The first of `runs/NAME`, `runs/NAME-2`, `runs/NAME-3`, ... that does not exist yet.
fn free_folder(name: &str) -> PathBuf {
    let first = Path::new("runs").join(name);
    let mut others = (2..).map(|n| Path::new("runs").join(format!("{name}-{n}")));
    if first.exists() { others.find(|path| !path.exists()).unwrap_or(first) } else { first }
}

fn check_minutes(minutes: f64) -> Result<Budget> {
    ensure!(minutes.is_finite() && minutes > 0.0, "--minutes {minutes}: expected a number above zero");
    Ok(Budget::Minutes(minutes))
}

fn run_quickstart(arguments: &QuickstartArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    arguments.options.minutes.map(check_minutes).transpose()?;
    ensure!(arguments.options.episodes > 0, "--episodes 0: expected at least one");
    let mut config = arguments.config.read()?;
    config.seed = arguments.seed;
    tell_hand_of(&config, stop);
    let out = arguments.out.clone().unwrap_or_else(|| free_folder(&format!("quickstart-{}", arguments.seed)));
    if let Some(report) = quickstart(config, &out, &arguments.options, stop)? {
        say::note(format_args!("\n{}\nthe run is in {}", report.table(), report.run_dir.display()));
        if arguments.json {
            print_json(&report)?;
        }
        return Ok(exit_code(&report.deployed, stop));
    }
    Ok(done(stop))
}

fn run_train(arguments: &TrainArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let budget = match (arguments.minutes, arguments.steps) {
        (_, Some(steps)) => Budget::Steps(steps),
        (minutes, None) => check_minutes(minutes.unwrap_or(15.0))?,
    };
    let processes = Processes::join()?;
    if let Some(recipe) = &arguments.recipe {
        let asked = RecipeAsked {
            recipe,
            scene: &arguments.config.scene,
            seed: arguments.seed,
            steps: arguments.steps,
            resume: arguments.resume.as_deref(),
            out: arguments.out.as_deref(),
            device: arguments.device,
        };
        let (report, how_to_go_on) = train_recipe(&asked, &processes, free_folder, stop)?;
        return tell_training(&report, arguments.json, &processes, &how_to_go_on);
    }
    let mut training = match &arguments.resume {
        Some(path) => Training::resume(path, arguments.device, processes.clone())?,
        None => {
            let mut config = arguments.config.read()?;
            config.seed = arguments.seed.unwrap_or(config.seed);
            if processes.is_first() {
                tell_hand_of(&config, stop);
            }
            let out = arguments.out.clone().unwrap_or_else(|| free_folder(&format!("train-{}", config.seed)));
            ensure!(
                arguments.out.is_some() || processes.count() == 1,
                "several processes need to know the folder of the run: give it with --out"
            );
            let from = arguments.from.as_deref().map(WarmStart::read).transpose()?;
            Training::begin_from(config, &out, arguments.device, processes.clone(), from.as_ref())?
        }
    };
    if let (Some(ancestor), true, None) = (training.started_from().first(), processes.is_first(), &arguments.resume) {
        say::note(format_args!("starts from {ancestor}"));
    }
    let mut display = Display::new(!processes.is_first());
    let report = training.run(budget, &mut display, stop)?;
    display.finish();
    let how_to_go_on = format!("giraffe train --resume {}", report.run_dir.display());
    tell_training(&report, arguments.json, &processes, &how_to_go_on)
}

/// Says what training amounted to, and how to go on after a stop.
fn tell_training(report: &TrainReport, json: bool, processes: &Processes, how_to_go_on: &str) -> Result<ExitCode> {
    let code = if report.stopped { ExitCode::from(EXIT_STOPPED) } else { ExitCode::SUCCESS };
    if !processes.is_first() {
        return Ok(code);
    }
    let run_dir = report.run_dir.display();
    let (steps, secs) = (report.control_steps, report.train_seconds);
    say::note(format_args!("{steps} control steps in {secs:.0} s; the run is in {run_dir}"));
    say::note(report.speed);
    if report.stopped {
        say::note(format_args!("stopped; go on with: {how_to_go_on}"));
    }
    if json {
        print_json(report)?;
    }
    Ok(code)
}

fn run_evaluate(arguments: &EvaluateArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.episodes > 0, "--episodes 0: expected at least one");
    let scenarios: Vec<DosedScenario> = match arguments.scenario.as_str() {
        "all" => SCENARIOS.iter().map(|scenario| DosedScenario::from(*scenario)).collect(),
        text => vec![find_dosed(text)?],
    };
    let trained = TrainedPolicy::load(&arguments.policy, &arguments.scene.over(&arguments.settings))?;
    let parts = trained.parts()?;
    let measures = parts.task.measures();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for scenario in &scenarios {
        let sampler = parts.sampler(&trained.config.randomization, *scenario, unseen_seeds(arguments.seed));
        let results = run_episodes(&trained.policy, &parts, &sampler, arguments.episodes, arguments.memoryless, stop)?;
        if stop.load(Ordering::Relaxed) {
            // Of this one those episodes are over that ended early: they say less than nothing.
            let name = dosed_name(scenario);
            say::note(format_args!(
                "stopped: {} of {} episodes of `{name}` are over",
                results.len(),
                arguments.episodes
            ));
            break;
        }
        scores.insert(dosed_name(scenario), Score::of_episodes(measures, &results));
    }
    if scores.is_empty() {
        return Ok(done(stop));
    }
    if arguments.json {
        print_json(&scores)?;
    } else {
        let names: Vec<String> = scenarios.iter().map(dosed_name).collect();
        let rows: Vec<(&str, &Score)> =
            names.iter().filter_map(|name| Some((name.as_str(), scores.get(name)?))).collect();
        say::result(&score_table(measures, &rows))?;
    }
    Ok(done(stop))
}

fn run_deploy(arguments: &DeployArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    ensure!(arguments.options.episodes > 0, "--episodes 0: expected at least one");
    let trained = TrainedPolicy::load(&arguments.policy, &arguments.scene.over(&arguments.settings))?;
    let parts = trained.parts()?;
    let scenario = find_dosed(&arguments.scenario)?;
    let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(arguments.options.seed));
    let log = (!arguments.no_log).then(|| log_options(arguments)).transpose()?;
    let options = DeployOptions { log, ..arguments.options.clone() };
    let deployment = deploy(&trained.policy, &parts, &sampler, &options, stop)?;
    if let Some(log) = &deployment.log {
        let missing = if log.dropped == 0 { String::new() } else { format!(", {} records are MISSING", log.dropped) };
        say::note(format_args!("log: {} ({} records{missing})", log.path.display(), log.written));
    }
    if let Some(words) = deployment.frozen_words() {
        say::note(words);
    }
    if arguments.json {
        print_json(&deployment)?;
        return Ok(exit_code(&deployment, stop));
    }
    match &deployment.score {
        Some(score) => say::result(&score_table(parts.task.measures(), &[("deployed", score)]))?,
        None if deployment.control_steps == 0 => say::result_line("no episode was finished")?,
        None => {
            say::result_line("nobody watched the object: no score (a tracker publishes poses on the `pose` socket)")?;
        }
    }
    say::result_line(format_args!(
        "{}, {} control steps, {} joint targets altered by the envelope, {} control periods missed",
        deployment.mode, deployment.control_steps, deployment.clipped_count, deployment.missed_tick_count
    ))?;
    if let [first, ..] = &deployment.reconnections[..] {
        let count = deployment.reconnections.len();
        say::result_line(format_args!("the hand was lost and reached again {count} times; first: {}", first.why))?;
    }
    if let Some(paired) = &deployment.paired {
        say::result_line(paired)?;
    }
    Ok(exit_code(&deployment, stop))
}

/// Stopped, or ended early, or different where episodes were compared.
fn exit_code(deployment: &Deployment, stop: &AtomicBool) -> ExitCode {
    let is_different = deployment.paired.as_ref().is_some_and(|paired| !paired.is_equal());
    if let Some(why) = &deployment.ended_early {
        say::note(format_args!("error: the deployment ended early: {why}"));
    }
    if stop.load(Ordering::Relaxed) || !(is_different || deployment.ended_early.is_some()) {
        return done(stop);
    }
    ExitCode::from(EXIT_DIFFERENT)
}

/// Threads for whatever is counted in parallel. Made here, where it can be said that there are none.
///
/// # Errors
/// When there are none.
pub(super) fn start_threads() -> Result<()> {
    let made = rayon::ThreadPoolBuilder::new().build_global();
    made.context("starting threads (too few processes or too little memory may be allowed: ulimit -u, ulimit -v)")
}

fn log_options(arguments: &DeployArguments) -> Result<LogOptions> {
    let config = match PolicySource::find(&arguments.policy)? {
        PolicySource::Path(path) => {
            let read = |file: PathBuf| std::fs::read(&file).with_context(|| format!("reading {}", file.display()));
            config_file_of(&path).map(read).transpose()?
        }
        PolicySource::Shipped(shipped) => Some(shipped.config_text().as_bytes().to_vec()),
    };
    Ok(LogOptions {
        path: arguments.log.clone().unwrap_or_else(|| default_path(&arguments.policy, arguments.options.real_time)),
        asked_for: arguments.log.is_some(),
        settings: arguments.scene.over(&arguments.settings),
        config,
    })
}
