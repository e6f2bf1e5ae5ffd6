//! The main job, from nothing to a table: train, evaluate, deploy over ZeroMQ.

use crate::fly::controller::Controller;
use crate::fly::deploy::deploy;
use crate::fly::options::DeployOptions;
use crate::fly::report::Deployment;
use crate::keys::PolicyKeys;
use crate::learn::budget::Budget;
use crate::learn::display::Display;
use crate::learn::processes::Processes;
use crate::learn::train::{TrainReport, Training};
use crate::run::config::RunConfig;
use crate::run::evaluate::{TrainedPolicy, run_episodes, unseen_seeds};
use crate::run::folder::CONFIG_FILE;
use crate::run::score::Score;
use crate::run::table::score_table;
use crate::typed;
use anyhow::{Context, Result, bail};
use clap::Args;
use giraffe_policy::DeviceChoice;
use giraffe_randomization::NONE;
use giraffe_robots::find_task;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the quickstart is run.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct QuickstartOptions {
    /// Control steps of training, however long they take unless `--minutes` is given too [default: 5000000, in 8 minutes at
    /// most].
    #[arg(long, value_parser = typed::number)]
    pub steps: Option<u64>,
    /// Wall-clock minutes of training. With `--steps` too, whichever comes first; if that is the time, it is said.
    #[arg(long, value_parser = typed::real)]
    pub minutes: Option<f64>,
    /// Episodes of each evaluation.
    #[arg(long, default_value_t = 200, value_parser = typed::count)]
    pub episodes: usize,
    /// Episodes over ZeroMQ, each compared bit by bit with the same one in this process.
    #[arg(long, default_value_t = 100, value_parser = typed::count)]
    pub deployed_episodes: usize,
    /// What learns: `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub device: DeviceChoice,
    /// No progress on standard error.
    #[arg(skip)]
    pub quiet: bool,
}

/// What is learned where nobody says how much: what two idle cores do within [`USUAL_MINUTES`].
const USUAL_STEPS: u64 = 5_000_000;
/// When a machine that is slower than that stops learning.
const USUAL_MINUTES: f64 = 8.0;

impl QuickstartOptions {
    fn budget(&self) -> Budget {
        match (self.steps, self.minutes) {
            (None, None) => Budget::StepsWithin { steps: USUAL_STEPS, minutes: USUAL_MINUTES },
            (Some(steps), None) => Budget::Steps(steps),
            (None, Some(minutes)) => Budget::Minutes(minutes),
            (Some(steps), Some(minutes)) => Budget::StepsWithin { steps, minutes },
        }
    }

    fn budget_words(&self) -> String {
        match self.budget() {
            Budget::Minutes(minutes) => format!(" for {minutes} min"),
            Budget::Steps(steps) => format!(" for {:.1} M steps", 1e-6 * steps as f64),
            Budget::StepsWithin { steps, minutes } => {
                format!(" for {:.1} M steps, {minutes} min at most", 1e-6 * steps as f64)
            }
        }
    }

    /// How `train --resume` is asked for the same.
    fn budget_flag(&self) -> String {
        match self.budget() {
            Budget::Minutes(minutes) => format!(" --minutes {minutes}"),
            Budget::Steps(steps) | Budget::StepsWithin { steps, .. } => format!(" --steps {steps}"),
        }
    }
}

/// What `quickstart --json` ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuickstartReport {
    /// The task.
    pub task: String,
    /// The latest training episodes, exploration included.
    pub trained: Score,
    /// Unseen worlds, randomized as in training.
    pub evaluated: Score,
    /// Unseen starts, nominal physics.
    pub evaluated_nominal: Score,
    /// Over ZeroMQ, in lock-step, with the first of the parameters of `evaluated`.
    pub deployed: Deployment,
    /// Where everything is.
    pub run_dir: PathBuf,
    /// Control steps of training.
    pub control_steps: u64,
    /// Control steps it should have been, where that was said: more than `control_steps` where time was over first.
    pub wanted_steps: Option<u64>,
    /// Wall-clock seconds of training.
    pub train_seconds: f64,
}

impl QuickstartReport {
    /// The one table.
    pub fn table(&self) -> String {
        let mut rows = vec![
            ("trained", &self.trained),
            ("evaluated", &self.evaluated),
            ("evaluated, nominal", &self.evaluated_nominal),
        ];
        rows.extend(self.deployed.score.as_ref().map(|score| ("deployed over ZeroMQ", score)));
        let measures = find_task(&self.task).map_or(&[][..], |task| task.measures());
        let mut text = score_table(measures, &rows);
        if let Some(paired) = &self.deployed.paired {
            text.push_str(&format!("deployed: {paired}\n"));
        }
        text
    }
}

/// Trains, evaluates and deploys; the run goes into the folder `out`. `None` when somebody said stop: what was finished by
/// then was said, and a run can be resumed.
///
/// # Errors
/// When any part fails; what was finished stays in the run's folder.
pub fn quickstart(
    config: RunConfig,
    out: &Path,
    options: &QuickstartOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Option<QuickstartReport>> {
    let mut display = Display::new(options.quiet);
    display.say(&format!(
        "training {} on {} with {}{}; results go to {}",
        config.robot,
        config.task,
        config.object,
        options.budget_words(),
        out.display()
    ));
    let mut training = Training::begin(config, out, options.device, Processes::alone())?;
    let trained = training.run(options.budget(), &mut display, stop)?;
    // Nobody else writes into it until the report is there.
    let folder = training.folder().clone();
    drop(training);
    display.finish();
    if trained.stopped {
        display.say(&format!(
            "stopped; go on with\n  giraffe train --resume {}{}",
            out.display(),
            options.budget_flag()
        ));
        return Ok(None);
    }
    if let Some(words) = cut_short(&trained, out, options) {
        display.say(&words);
    }
    let Some(report) = assess(&trained, out, options, &display, stop)? else {
        let out = out.display();
        display.say(&format!("stopped; the trained policy is in {out}; measure it with\n  giraffe evaluate {out}"));
        return Ok(None);
    };
    folder.write("quickstart.json", &serde_json::to_vec_pretty(&report).context("writing down the report")?)?;
    Ok(Some(report))
}

/// What is to be known of a policy that learned from fewer steps than it should have, because time was over.
fn cut_short(trained: &TrainReport, out: &Path, options: &QuickstartOptions) -> Option<String> {
    let Budget::StepsWithin { steps, minutes } = options.budget() else { return None };
    (trained.control_steps < steps).then(|| {
        format!(
            "{minutes} min were over after {:.1} of {:.1} M steps: this machine is slow, or busy, and the policy no better than its \
             steps; go on with\n  giraffe train --resume {} --steps {steps}",
            1e-6 * trained.control_steps as f64,
            1e-6 * steps as f64,
            out.display(),
        )
    })
}

/// Nothing when somebody said stop; what was measured by then was said.
fn assess(
    trained: &TrainReport,
    out: &Path,
    options: &QuickstartOptions,
    display: &Display,
    stop: &Arc<AtomicBool>,
) -> Result<Option<QuickstartReport>> {
    let TrainedPolicy { policy, config, .. } = TrainedPolicy::load(out, &[])?;
    let parts = config.parts()?;
    let seeds = unseen_seeds(config.seed);
    let randomized = parts.sampler(&config.randomization, &NONE, seeds);
    let nominal = parts.nominal_sampler(seeds);
    let measures = parts.task.measures();
    display.say(&format!("evaluating {} episodes, randomized and nominal", options.episodes));
    let evaluated = run_episodes(&policy, &parts, &randomized, options.episodes, false, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let evaluated = Score::of_episodes(measures, &evaluated);
    let told = |rows: &[(&str, &Score)]| {
        let all: Vec<(&str, &Score)> =
            std::iter::once(("trained", &trained.score)).chain(rows.iter().copied()).collect();
        display.say(&score_table(measures, &all));
        Ok(None)
    };
    let evaluated_nominal = run_episodes(&policy, &parts, &nominal, options.episodes, false, stop)?;
    if stop.load(Ordering::Relaxed) {
        return told(&[("evaluated", &evaluated)]);
    }
    let evaluated_nominal = Score::of_episodes(measures, &evaluated_nominal);
    display.say(&format!("deploying over ZeroMQ, {} episodes", options.deployed_episodes));
    let controller = Controller::start(&out.join(CONFIG_FILE), config.seed)?;
    let attempt = deploy(
        &policy,
        &parts,
        &randomized,
        &DeployOptions {
            endpoint: controller.endpoint.clone(),
            security: PolicyKeys::default(),
            episodes: options.deployed_episodes,
            real_time: false,
            paired: options.deployed_episodes > 0,
            home: false,
            patience: 0.0,
            memoryless: false,
            reconnect: None,
            seed: config.seed,
            log: None,
        },
        stop,
    );
    if stop.load(Ordering::Relaxed) {
        return told(&[("evaluated", &evaluated), ("evaluated, nominal", &evaluated_nominal)]);
    }
    let deployed = attempt?;
    if let Some(why) = &deployed.ended_early {
        bail!("deploying over ZeroMQ ended early: {why}");
    }
    Ok(Some(QuickstartReport {
        task: parts.task.name().to_owned(),
        trained: trained.score.clone(),
        evaluated,
        evaluated_nominal,
        deployed,
        run_dir: out.to_owned(),
        control_steps: trained.control_steps,
        wanted_steps: match options.budget() {
            Budget::Steps(steps) | Budget::StepsWithin { steps, .. } => Some(steps),
            Budget::Minutes(_) => None,
        },
        train_seconds: trained.train_seconds,
    }))
}
