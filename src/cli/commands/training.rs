//! What simulates, learns, or runs a policy: from what was typed to what is done.

use super::EXIT_STOPPED;
use crate::cli::describe::describe;
use crate::cli::{
    BenchBridgeArguments, BenchLearnerArguments, BenchPhysicsArguments, BenchWhat, CompareArguments,
    ComparePoliciesArguments, DeployArguments, DescribeArguments, EvaluateArguments, PlotArguments,
    QuickstartArguments, ReplayArguments, TrainArguments,
};
use crate::fly::deploy::deploy;
use crate::fly::log::default_path;
use crate::fly::options::{DeployOptions, LogOptions};
use crate::learn::budget::Budget;
use crate::learn::display::Display;
use crate::learn::processes::Processes;
use crate::learn::train::Training;
use crate::quickstart::{QuickstartOptions, quickstart};
use crate::run::config::RunConfig;
use crate::run::evaluate::{Score, TrainedPolicy, episode_secs, run_episodes, unseen_seeds};
use crate::run::folder::CONFIG_FILE;
use crate::run::table::score_table;
use crate::study::bench::learner::{LearnerBench, LearnerBenchOptions, Shape, bench_learner, peak_memory_mib};
use crate::study::bench::link::{BridgeBench, BridgeBenchOptions, bench_bridge};
use crate::study::bench::{PhysicsBench, PhysicsBenchOptions, bench_physics};
use crate::study::engines::{CompareOptions, compare_engines};
use crate::study::plot::plot;
use crate::study::policies::{PoliciesOptions, compare_policies, table};
use crate::study::replay::{Episodes, ReplayOptions, replay, text};
use crate::study::replay_log::{self, LogReplayOptions, replay_log};
use anyhow::{Context, Result, ensure};
use giraffe_bridge::log::is_log;
use giraffe_randomization::{SCENARIOS, Scenario, find_scenario};
use giraffe_robots::{ImportReport, load_robot_with_report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn done(stop: &AtomicBool) -> ExitCode {
    if stop.load(Ordering::Relaxed) { ExitCode::from(EXIT_STOPPED) } else { ExitCode::SUCCESS }
}

fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("writing JSON")?);
    Ok(())
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

/// Says what was not understood of somebody else's hand, and what was assumed.
fn tell_import(report: &ImportReport) {
    if !report.is_empty() {
        eprint!("this hand is not in giraffe's own form; what is read differently, assumed or ignored:\n{report}");
    }
}

/// The same of the hand of a configuration. What is wrong with it is said when it is needed.
fn tell_import_of(config: &RunConfig) {
    if let Ok((_, report)) = load_robot_with_report(&config.robot) {
        tell_import(&report);
    }
}

pub fn run_quickstart(arguments: &QuickstartArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    check_minutes(arguments.minutes)?;
    ensure!(arguments.episodes > 0, "--episodes 0: expected at least one");
    let mut config = arguments.config.read()?;
    config.seed = arguments.seed;
    tell_import_of(&config);
    let out = arguments.out.clone().unwrap_or_else(|| free_folder(&format!("quickstart-{}", arguments.seed)));
    let options = QuickstartOptions {
        minutes: arguments.minutes,
        episodes: arguments.episodes,
        deployed_episodes: arguments.deployed_episodes,
        out,
        device: arguments.device.parse()?,
        quiet: false,
    };
    if let Some(report) = quickstart(config, &options, stop)? {
        eprintln!("\n{}\nthe run is in {}", report.table(), report.run_dir.display());
        if arguments.json {
            print_json(&report)?;
        }
    }
    Ok(done(stop))
}

pub fn run_train(arguments: &TrainArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let budget = match (arguments.minutes, arguments.steps) {
        (_, Some(steps)) => Budget::Steps(steps),
        (minutes, None) => check_minutes(minutes.unwrap_or(15.0))?,
    };
    let device = arguments.device.parse()?;
    let processes = Processes::join()?;
    let mut training = match &arguments.resume {
        Some(path) => Training::resume(path, device, processes.clone())?,
        None => {
            let mut config = arguments.config.read()?;
            config.seed = arguments.seed.unwrap_or(config.seed);
            if processes.is_first() {
                tell_import_of(&config);
            }
            let out = arguments.out.clone().unwrap_or_else(|| free_folder(&format!("train-{}", config.seed)));
            ensure!(
                arguments.out.is_some() || processes.count() == 1,
                "several processes need to know the folder of the run: give it with --out"
            );
            Training::begin(config, &out, device, processes.clone())?
        }
    };
    let mut display = Display::new(!processes.is_first());
    let report = training.run(budget, &mut display, stop)?;
    display.finish();
    let code = if report.stopped { ExitCode::from(EXIT_STOPPED) } else { ExitCode::SUCCESS };
    if !processes.is_first() {
        return Ok(code);
    }
    let run_dir = report.run_dir.display();
    eprintln!("{} control steps in {:.0} s; the run is in {run_dir}", report.control_steps, report.train_seconds);
    eprintln!("{}", report.speed);
    if report.stopped {
        eprintln!("stopped; go on with: giraffe train --resume {run_dir}");
    }
    if arguments.json {
        print_json(&report)?;
    }
    Ok(code)
}

pub fn run_evaluate(arguments: &EvaluateArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.episodes > 0, "--episodes 0: expected at least one");
    let scenarios: Vec<&'static Scenario> = match arguments.scenario.as_str() {
        "all" => SCENARIOS.to_vec(),
        name => vec![find_scenario(name)?],
    };
    let trained = TrainedPolicy::load(&arguments.policy, &arguments.scene.over(&arguments.settings))?;
    let parts = trained.parts()?;
    let secs = episode_secs(parts.task, parts.scene.robot());
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for scenario in &scenarios {
        let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(arguments.seed));
        let results = run_episodes(&trained.policy, &parts, &sampler, arguments.episodes, arguments.memoryless, stop)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(done(stop));
        }
        scores.insert(scenario.name, Score::of(&results, secs));
    }
    if arguments.json {
        print_json(&scores)?;
    } else {
        let rows: Vec<(&str, &Score)> = scenarios.iter().map(|s| (s.name, &scores[s.name])).collect();
        print!("{}", score_table(&rows));
    }
    Ok(done(stop))
}

pub fn run_deploy(arguments: &DeployArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    ensure!(arguments.episodes > 0, "--episodes 0: expected at least one");
    let trained = TrainedPolicy::load(&arguments.policy, &arguments.scene.over(&arguments.settings))?;
    let parts = trained.parts()?;
    let scenario = find_scenario(&arguments.scenario)?;
    let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(arguments.seed));
    let options = DeployOptions {
        endpoint: arguments.connect.clone(),
        security: arguments.security.clone(),
        episodes: arguments.episodes,
        real_time: arguments.real_time,
        paired: arguments.paired,
        home: arguments.home,
        memoryless: arguments.memoryless,
        seed: arguments.seed,
        log: (!arguments.no_log).then(|| log_options(arguments)),
    };
    let deployment = deploy(&trained.policy, &parts, &sampler, &options, stop)?;
    if let Some(log) = &deployment.log {
        let missing = if log.dropped == 0 { String::new() } else { format!(", {} records are MISSING", log.dropped) };
        eprintln!("log: {} ({} records{missing})", log.path.display(), log.written);
    }
    if arguments.json {
        print_json(&deployment)?;
        return Ok(done(stop));
    }
    match &deployment.score {
        Some(score) => print!("{}", score_table(&[("deployed", score)])),
        None => println!("nobody watched the object: no score (a tracker publishes poses on the `pose` socket)"),
    }
    println!(
        "{}, {} control steps, {} joint targets altered by the envelope, {} control periods missed",
        deployment.mode, deployment.control_steps, deployment.clipped_count, deployment.missed_tick_count
    );
    if let Some(paired) = deployment.paired {
        println!("{} of {} episodes equal bit for bit to the same ones in this process", paired.equal, paired.episodes);
    }
    Ok(done(stop))
}

fn log_options(arguments: &DeployArguments) -> LogOptions {
    let config = arguments.policy.join(CONFIG_FILE);
    LogOptions {
        path: arguments.log.clone().unwrap_or_else(|| default_path(&arguments.policy, arguments.real_time)),
        asked_for: arguments.log.is_some(),
        settings: arguments.scene.over(&arguments.settings),
        config: config.is_file().then_some(config),
    }
}

pub fn run_describe(arguments: &DescribeArguments) -> Result<ExitCode> {
    let mut config = arguments.config.read()?;
    if let Some(hand) = &arguments.hand {
        config.robot.clone_from(hand);
    }
    if let Some(task) = &arguments.task {
        config.task.clone_from(task);
    }
    let description = describe(&config)?;
    tell_import(&description.import);
    if arguments.json {
        print_json(&description.json)?;
    } else {
        print!("{}", description.text);
    }
    Ok(ExitCode::SUCCESS)
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

pub fn run_compare(arguments: &CompareArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.episodes > 1, "--episodes {}: expected at least two", arguments.episodes);
    let options = CompareOptions {
        out: arguments.out.clone(),
        config: compared_config(&arguments.robot, &arguments.object, &arguments.settings)?,
        python: python(arguments.python.as_ref()),
        episodes: arguments.episodes,
        quick: arguments.quick,
    };
    let compared = compare_engines(&options, stop);
    if stop.load(Ordering::Relaxed) {
        return Ok(done(stop));
    }
    let report = compared?;
    if arguments.json {
        print_json(&report)?;
    } else {
        println!("{}", report.summary());
    }
    eprintln!("the report is {}", options.out.join("report.md").display());
    Ok(ExitCode::SUCCESS)
}

pub fn run_compare_policies(arguments: &ComparePoliciesArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.episodes > 0, "--episodes 0: expected at least one");
    let asked = &arguments.test_sets;
    let options = PoliciesOptions {
        policies: arguments.policies.clone(),
        settings: arguments.scene.over(&arguments.settings),
        test_sets: if asked.is_empty() { vec!["none".to_owned(), "wide".to_owned()] } else { asked.clone() },
        episodes: arguments.episodes,
        seed: arguments.seed,
        memoryless: arguments.memoryless,
        thread_count: arguments.threads,
        out: arguments.out.clone(),
    };
    let Some(report) = compare_policies(&options, stop)? else { return Ok(done(stop)) };
    if arguments.json {
        print_json(&report)?;
    } else {
        print!("{}", table(&report));
    }
    eprintln!("the report is {}", options.out.join("report.md").display());
    Ok(ExitCode::SUCCESS)
}

pub fn run_replay(arguments: &ReplayArguments, stop: &AtomicBool) -> Result<ExitCode> {
    if is_log(&arguments.run) || arguments.run.extension().is_some_and(|ending| ending == "mcap") {
        return run_replay_log(arguments);
    }
    ensure!(arguments.policy.is_none(), "--policy is for logs of deployments; {} is none", arguments.run.display());
    let world = arguments.world.context("which world? say --world N (only logs of deployments go without)")?;
    let episodes = match arguments.training {
        true => Episodes::Training,
        false => Episodes::Evaluation { seed: arguments.seed, scenario: find_scenario(&arguments.scenario)? },
    };
    let options = ReplayOptions {
        run: arguments.run.clone(),
        episodes,
        world,
        episode: arguments.episode,
        settings: arguments.scene.over(&arguments.settings),
        memoryless: arguments.memoryless,
        live: !arguments.plan_only,
        out: arguments.out.clone(),
    };
    let report = replay(&options, stop)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print!("{}", text(&report));
        report.files.iter().for_each(|file| println!("{}", file.display()));
    }
    Ok(done(stop))
}

/// What something that differs ends with.
const EXIT_DIFFERENT: u8 = 1;

fn run_replay_log(arguments: &ReplayArguments) -> Result<ExitCode> {
    ensure!(
        arguments.world.is_none() && !arguments.training,
        "{} is the log of a deployment: it has no worlds; leave out --world and --training",
        arguments.run.display()
    );
    let report = replay_log(&LogReplayOptions {
        log: arguments.run.clone(),
        policy: arguments.policy.clone(),
        out: arguments.out.clone(),
    })?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print!("{}", replay_log::text(&report));
        report.files.iter().for_each(|file| println!("{}", file.display()));
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

pub fn run_plot(arguments: &PlotArguments) -> Result<ExitCode> {
    let report = plot(&arguments.runs, &arguments.out)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        report.pictures.iter().for_each(|picture| println!("{}", picture.display()));
    }
    Ok(ExitCode::SUCCESS)
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
