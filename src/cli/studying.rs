//! Questions about engines, policies, episodes and runs: what can be typed, and what is done.

use super::bench::{BenchArguments, run_bench};
use super::config::ComparedArguments;
use super::outcome::{EXIT_DIFFERENT, done, print_json};
use super::scene::SceneArguments;
use crate::run::dosed::find_dosed;
use crate::say;
use crate::study::engines::{EnginesOptions, compare_engines};
use crate::study::named_run::NamedRun;
use crate::study::plot::plot;
use crate::study::policies::{PoliciesOptions, compare_policies, table};
use crate::study::replay::{Episodes, ReplayOptions, replay, text};
use crate::study::replay_log::{self, LogReplayOptions, replay_log};
use crate::study::skills::{self, SkillsOptions, measure_skills};
use crate::typed;
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use giraffe_bridge::log::is_log;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Questions.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Run the same hand in rapier and in MuJoCo and report where they differ. Needs Python with MuJoCo.
    #[command(
        after_help = "Examples:\n  giraffe compare-engines --out comparison\n  giraffe compare-engines --out try --quick --python venv/bin/python"
    )]
    CompareEngines(CompareEnginesArguments),
    /// Measure several policies on the same worlds: a table, a picture, and how far seeds differ.
    #[command(
        after_help = "Example:\n  giraffe compare-policies --policy adr=runs/adr-1 --policy wide=runs/wide-1 --out comparison"
    )]
    ComparePolicies(ComparePoliciesArguments),
    /// Plan one episode of a run again, exactly, and let the policy live through it; or check the log of a deployment.
    #[command(
        after_help = "Examples:\n  giraffe replay runs/mine --seed 1 --world 17 --scenario push --out episode\n  giraffe replay runs/mine --training --world 3 --episode 40\n  giraffe replay runs/mine/deployments/2026-11-24T08-15-00Z-real-time.mcap --out pictures\n\nOf a log: 0 everything that could be compared is equal bit for bit, 1 something differs, or nothing could be compared."
    )]
    Replay(ReplayArguments),
    /// Draw what runs learned, and how far their ranges grew.
    #[command(after_help = "Example:\n  giraffe plot adr=runs/adr-1 adr=runs/adr-2 wide=runs/wide-1 --out pictures")]
    Plot(PlotArguments),
    /// Measure what policies do to the object if one after the other may act, and make a set of skills of them: a planner's
    /// folder, for `evaluate`, `deploy`, `compare-policies` as any policy.
    #[command(
        after_help = "Examples:\n  giraffe measure-skills --skill z=runs/rotate-z --skill y=runs/rotate-y --out skills\n  giraffe compare-policies --policy planner=skills --policy random=skills/random.toml --test none --out comparison"
    )]
    MeasureSkills(MeasureSkillsArguments),
    /// Measure speed.
    #[command(after_help = "Example:\n  giraffe bench physics --json")]
    Bench(BenchArguments),
}

impl StudyCommand {
    /// Answers.
    ///
    /// # Errors
    /// When it cannot be answered.
    pub fn run(&self, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
        match self {
            Self::CompareEngines(arguments) => run_compare_engines(arguments, stop),
            Self::ComparePolicies(arguments) => run_compare_policies(arguments, stop),
            Self::Replay(arguments) => run_replay(arguments, stop),
            Self::Plot(arguments) => run_plot(arguments),
            Self::MeasureSkills(arguments) => run_measure_skills(arguments, stop),
            Self::Bench(arguments) => run_bench(&arguments.what, stop),
        }
    }
}

/// Arguments of `compare-engines`.
#[derive(Debug, Args)]
pub struct CompareEnginesArguments {
    /// What is compared.
    #[command(flatten)]
    pub compared: ComparedArguments,
    /// How.
    #[command(flatten)]
    pub options: EnginesOptions,
    /// Print report.json on standard output, too.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare-policies`.
#[derive(Debug, Args)]
pub struct ComparePoliciesArguments {
    /// Which policies, on what.
    #[command(flatten)]
    pub options: PoliciesOptions,
    /// Another hand of the same kinematics, or another object, than in training.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// A setting of the worlds, the same for all policies, such as `randomization.preset=narrow` for scenarios without a
    /// preset; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Print report.json on standard output, too.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Folder of a run; for an episode of an evaluation a policy file will do. Or the log of a deployment.
    #[arg(value_name = "RUN|FILE.mcap")]
    pub run: PathBuf,
    /// Of a log: the run whose policy was deployed, where the log does not lie in its folder.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["training", "world"])]
    pub policy: Option<PathBuf>,
    /// An episode that the run was trained in, instead of one of `giraffe evaluate`. The plan is that of then; what is
    /// lived through is what the run's policy does with it now, without exploring.
    #[arg(long, conflicts_with_all = ["seed", "scenario", "robot", "object", "settings"])]
    pub training: bool,
    /// Seed of the evaluation, as with `giraffe evaluate`.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
    /// The world. `giraffe evaluate` has one for each of its episodes. Logs have none.
    #[arg(long, value_parser = typed::number)]
    pub world: Option<u64>,
    /// The episode in that world. `giraffe evaluate` has only the first, 0.
    #[arg(long, default_value_t = 0, value_parser = typed::number)]
    pub episode: u64,
    /// What happened during the evaluation: a name from `giraffe list scenarios`.
    #[arg(long, default_value = "none")]
    pub scenario: String,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// Only say what was planned.
    #[arg(long)]
    pub plan_only: bool,
    /// Folder for plan.json, episode.csv and episode.svg; of a log, for joints.svg.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The hand and object of the evaluation, where they were others than in training.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// A setting that was changed in the evaluation, such as `randomization.preset=none`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `measure-skills`.
#[derive(Debug, Args)]
pub struct MeasureSkillsArguments {
    /// Which skills, and how.
    #[command(flatten)]
    pub options: SkillsOptions,
    /// Another hand of the same kinematics, or another object, than in training.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// A setting of the worlds, such as `randomization.preset=none`; may be given many times. Else they are those that the
    /// first skill was trained in.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plot`.
#[derive(Debug, Args)]
pub struct PlotArguments {
    /// A run's folder, or NAME=FOLDER; of several with one name the median is drawn, too.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<NamedRun>,
    /// Folder of the pictures: learning.svg, and where ranges grow by themselves entropy.svg and ranges.svg.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn run_compare_engines(arguments: &CompareEnginesArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = &arguments.options;
    ensure!(options.episodes > 1, "--episodes {}: expected at least two", options.episodes);
    let compared = compare_engines(&arguments.compared.config()?, options, stop);
    if stop.load(Ordering::Relaxed) {
        return Ok(done(stop));
    }
    let report = compared?;
    if arguments.json {
        print_json(&report)?;
    } else {
        say::result_line(report.summary())?;
    }
    say::note(format_args!("the report is {}", options.out.join("report.md").display()));
    Ok(ExitCode::SUCCESS)
}

fn run_compare_policies(arguments: &ComparePoliciesArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let options = &arguments.options;
    ensure!(options.episodes > 0, "--episodes 0: expected at least one");
    let settings = arguments.scene.over(&arguments.settings);
    let Some(report) = compare_policies(&settings, options, stop)? else { return Ok(done(stop)) };
    if arguments.json {
        print_json(&report)?;
    } else {
        say::result(&table(&report))?;
    }
    say::note(format_args!("the report is {}", options.out.join("report.md").display()));
    if report.stopped {
        let names: Vec<&str> = report.test_sets.iter().map(|set| set.name.as_str()).collect();
        say::note(format_args!("stopped; finished before: {}", names.join(", ")));
    }
    Ok(done(stop))
}

fn run_replay(arguments: &ReplayArguments, stop: &AtomicBool) -> Result<ExitCode> {
    if is_log(&arguments.run) || arguments.run.extension().is_some_and(|ending| ending == "mcap") {
        return run_replay_log(arguments);
    }
    ensure!(arguments.policy.is_none(), "--policy is for logs of deployments; {} is none", arguments.run.display());
    let world = arguments.world.context("which world? say --world N (only logs of deployments go without)")?;
    let episodes = match arguments.training {
        true => Episodes::Training,
        false => Episodes::Evaluation { seed: arguments.seed, scenario: find_dosed(&arguments.scenario)? },
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
        say::result(&text(&report))?;
        report.files.iter().try_for_each(|file| say::result_line(file.display()))?;
    }
    Ok(done(stop))
}

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
        say::result(&replay_log::text(&report))?;
        report.files.iter().try_for_each(|file| say::result_line(file.display()))?;
    }
    Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DIFFERENT) })
}

fn run_measure_skills(arguments: &MeasureSkillsArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let settings = arguments.scene.over(&arguments.settings);
    let Some(report) = measure_skills(&settings, &arguments.options, stop)? else {
        say::note("stopped: nothing was written");
        return Ok(done(stop));
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        say::result(&skills::text(&report))?;
    }
    say::note(format_args!("the set of skills is in {}", report.folder.display()));
    Ok(done(stop))
}

fn run_plot(arguments: &PlotArguments) -> Result<ExitCode> {
    let report = plot(&arguments.runs, &arguments.out)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        report.pictures.iter().try_for_each(|picture| say::result_line(picture.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
