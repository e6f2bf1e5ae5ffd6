//! The main job, from nothing to a table: train, evaluate, deploy over ZeroMQ.

use crate::fly::deploy::{DeployOptions, Deployment, deploy};
use crate::keys::PolicyKeys;
use crate::learn::budget::Budget;
use crate::learn::display::Display;
use crate::learn::processes::Processes;
use crate::learn::train::{TrainReport, Training};
use crate::run::config::RunConfig;
use crate::run::evaluate::{Score, TrainedPolicy, episode_secs, run_episodes, unseen_seeds};
use crate::run::folder::{CONFIG_FILE, RunFolder};
use crate::run::table::score_table;
use anyhow::{Context, Result, bail};
use giraffe_policy::DeviceChoice;
use giraffe_randomization::{NONE, Preset, RandomizationConfig};
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the quickstart is run.
#[derive(Debug, Clone, PartialEq)]
pub struct QuickstartOptions {
    /// Budget of training, min.
    pub minutes: f64,
    /// Episodes of each evaluation.
    pub episodes: usize,
    /// Episodes over ZeroMQ, each paired with one in this process.
    pub deployed_episodes: usize,
    /// Where the run goes.
    pub out: PathBuf,
    /// What learns.
    pub device: DeviceChoice,
    /// No progress on standard error.
    pub quiet: bool,
}

/// What `quickstart --json` ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuickstartReport {
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
        let mut text = score_table(&rows);
        if let Some(paired) = self.deployed.paired {
            text.push_str(&format!(
                "{} of {} deployed episodes are equal, bit for bit, to the same episodes in this process\n",
                paired.equal, paired.episodes
            ));
        }
        text
    }
}

/// Trains, evaluates and deploys. `None` when somebody said stop during training: the run can be resumed.
///
/// # Errors
/// When any part fails; what was finished stays in the run's folder.
pub fn quickstart(
    config: RunConfig,
    options: &QuickstartOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Option<QuickstartReport>> {
    let mut display = Display::new(options.quiet);
    display.say(&format!(
        "training {} on {} with {} for {} min; results go to {}",
        config.robot,
        config.task,
        config.object,
        options.minutes,
        options.out.display()
    ));
    let trained = Training::begin(config, &options.out, options.device, Processes::alone())?.run(
        Budget::Minutes(options.minutes),
        &mut display,
        stop,
    )?;
    display.finish();
    if trained.stopped {
        display.say(&format!(
            "stopped; go on with\n  giraffe train --resume {} --minutes {}",
            options.out.display(),
            options.minutes
        ));
        return Ok(None);
    }
    let report = assess(&trained, options, &display, stop)?;
    let folder = RunFolder::open(&options.out)?;
    folder.write("quickstart.json", &serde_json::to_vec_pretty(&report).context("writing down the report")?)?;
    Ok(Some(report))
}

fn assess(
    trained: &TrainReport,
    options: &QuickstartOptions,
    display: &Display,
    stop: &Arc<AtomicBool>,
) -> Result<QuickstartReport> {
    let TrainedPolicy { policy, config } = TrainedPolicy::load(&options.out, &[])?;
    let parts = config.parts()?;
    let seeds = unseen_seeds(config.seed);
    let randomized = parts.sampler(&config.randomization, &NONE, seeds);
    let nominal = RandomizationConfig { preset: Preset::None, ..RandomizationConfig::default() };
    let nominal = parts.sampler(&nominal, &NONE, seeds);
    let secs = episode_secs(parts.task, parts.scene.robot());
    display.say(&format!("evaluating {} episodes, randomized and nominal", options.episodes));
    let evaluated = run_episodes(&policy, &parts, &randomized, options.episodes, false, stop)?;
    let evaluated_nominal = run_episodes(&policy, &parts, &nominal, options.episodes, false, stop)?;
    display.say(&format!("deploying over ZeroMQ, {} episodes", options.deployed_episodes));
    let controller = Controller::start(&options.out.join(CONFIG_FILE), config.seed)?;
    let deployed = deploy(
        &policy,
        &parts,
        &randomized,
        &DeployOptions {
            endpoint: controller.endpoint.clone(),
            security: PolicyKeys::default(),
            episodes: options.deployed_episodes,
            real_time: false,
            paired: true,
            home: false,
            memoryless: false,
            seed: config.seed,
            log: None,
        },
        stop,
    )?;
    if stop.load(Ordering::Relaxed) {
        bail!("stopped before the assessment was complete; the trained policy is in {}", options.out.display());
    }
    Ok(QuickstartReport {
        trained: Score {
            rotation_rate_rad_per_sec: trained.rotation_rate_rad_per_sec,
            ci95: trained.ci95,
            no_drop_fraction: trained.no_drop_fraction,
            no_drop_ci95: trained.no_drop_ci95,
            episodes: trained.episodes,
        },
        evaluated: Score::of(&evaluated, secs),
        evaluated_nominal: Score::of(&evaluated_nominal, secs),
        deployed,
        run_dir: options.out.clone(),
        control_steps: trained.control_steps,
        train_seconds: trained.train_seconds,
    })
}

/// A controller in a process of its own, ended when dropped.
pub struct Controller {
    child: Child,
    /// Where it listens.
    pub endpoint: String,
}

impl Controller {
    /// Starts `giraffe serve --driver sim` on free ports of this machine and waits until it listens.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub fn start(config: &Path, seed: u64) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4)?);
        let mut child = Command::new(program)
            .args(["serve", "--driver", "sim", "--bind", &endpoint, "--seed", &seed.to_string(), "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the controller's process")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).context("waiting for the controller")?;
        }
        if !line.starts_with("listening") {
            let status = child.wait().context("waiting for the controller")?;
            bail!("the controller on {endpoint} ended before it listened ({status})");
        }
        Ok(Self { child, endpoint })
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first of `count` consecutive TCP ports that are free now.
///
/// # Errors
/// When none are found.
pub fn free_ports(count: u16) -> Result<u16> {
    for _ in 0..64 {
        let first = TcpListener::bind(("127.0.0.1", 0)).context("asking for a free port")?.local_addr()?.port();
        let Some(last) = first.checked_add(count - 1) else { continue };
        let held: Vec<_> = (first..=last).map_while(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect();
        if held.len() == usize::from(count) {
            return Ok(first);
        }
    }
    bail!("no {count} consecutive free ports on 127.0.0.1")
}
