//! Arguments of everything that simulates, learns, or runs a policy.

use super::SceneArguments;
use crate::keys::PolicyKeys;
use crate::run::config::RunConfig;
use crate::study::named_run::NamedRun;
use anyhow::Result;
use clap::{Args, Subcommand};
use giraffe_robots::ROBOTS;
use std::path::{Path, PathBuf};

impl SceneArguments {
    /// Settings with what was asked for by flags behind them, so that flags win. Paths become absolute: a run is gone on
    /// with from any folder.
    pub fn over(&self, settings: &[String]) -> Vec<String> {
        let quoted = |key: &str, value: &str| format!("{key}={}", toml::Value::String(value.to_owned()));
        let mut all = settings.to_vec();
        all.extend(self.robot.as_deref().map(|robot| quoted("robot", &absolute(robot))));
        all.extend(self.object.as_deref().map(|object| quoted("object", object)));
        all
    }
}

/// A hand's name as it is, a path from the root of the file system.
fn absolute(robot: &str) -> String {
    let path = Path::new(robot);
    if ROBOTS.iter().any(|entry| entry.name == robot) || !path.exists() {
        return robot.to_owned();
    }
    std::path::absolute(path).map_or_else(|_| robot.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// What a run is.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// A TOML file with settings; see `config.toml` in any run's folder for all of them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which hand, and what it holds.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// One setting, such as `ppo.core_width=64`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

impl ConfigArguments {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown or a value cannot be.
    pub fn read(&self) -> Result<RunConfig> {
        RunConfig::read(self.config.as_deref(), &self.scene.over(&self.settings))
    }
}

/// Arguments of `quickstart`.
#[derive(Debug, Args)]
pub struct QuickstartArguments {
    /// What to train.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Wall-clock minutes of training.
    #[arg(long, default_value_t = 15.0)]
    pub minutes: f64,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Episodes of each evaluation.
    #[arg(long, default_value_t = 200)]
    pub episodes: usize,
    /// Episodes over ZeroMQ, each compared bit by bit with the same one in this process.
    #[arg(long, default_value_t = 100)]
    pub deployed_episodes: usize,
    /// Folder of the run [default: runs/quickstart-SEED, or the first free runs/quickstart-SEED-N].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// What learns: `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub device: String,
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
    /// Wall-clock minutes of training, earlier sessions of the run included.
    #[arg(long, conflicts_with = "steps")]
    pub minutes: Option<f64>,
    /// Control steps of training, in all worlds together, earlier sessions included. Exactly repeatable.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Seed of all randomness.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder of the run [default: runs/train-SEED, or the first free runs/train-SEED-N].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// What learns: `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// End with one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Folder of a run, or a policy file.
    pub policy: PathBuf,
    /// Number of episodes.
    #[arg(long, default_value_t = 200)]
    pub episodes: usize,
    /// What happens during each episode: a name from `giraffe list scenarios`, or `all`.
    #[arg(long, default_value = "none")]
    pub scenario: String,
    /// Reset the recurrent state before every step: how much does memory do?
    #[arg(long)]
    pub memoryless: bool,
    /// Seed of the worlds. Never the same worlds as in training, whatever the number.
    #[arg(long, default_value_t = 1)]
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
    /// Folder of a run, or a policy file.
    pub policy: PathBuf,
    /// Base endpoint of the controller.
    #[arg(long, default_value = "tcp://127.0.0.1:7401")]
    pub connect: String,
    /// Needed for a controller on another machine.
    #[command(flatten)]
    pub security: PolicyKeys,
    /// Number of episodes.
    #[arg(long, default_value_t = 20)]
    pub episodes: usize,
    /// In real time, as on a real hand. Without it in lock-step, which only simulated controllers grant.
    #[arg(long)]
    pub real_time: bool,
    /// Run every episode in this process too, with the same parameters, and compare bits. Needs giraffe's own
    /// simulated controller, in lock-step.
    #[arg(long, conflicts_with = "real_time")]
    pub paired: bool,
    /// Have the controller bring the hand to its home pose, slowly, before each episode: policies start from there.
    #[arg(long, requires = "real_time")]
    pub home: bool,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// With --paired: what happens during each episode, a name from `giraffe list scenarios`.
    #[arg(long, default_value = "none", requires = "paired")]
    pub scenario: String,
    /// Seed of the first episode.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
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

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// A hand, as with --robot [default: leap-right].
    #[arg(value_name = "ROBOT", conflicts_with = "robot")]
    pub hand: Option<String>,
    /// A task: a name from `giraffe list tasks` [default: rotate-z].
    pub task: Option<String>,
    /// Other settings.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare-engines`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Folder of the report: report.md, report.json, pictures, and the small scenes that were used.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A hand: a name from `giraffe list robots`, or the path of a folder or MJCF file.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// An object: a name from `giraffe list objects`.
    #[arg(long, default_value = "cube-70mm")]
    pub object: String,
    /// Another setting, such as `physics.substep_count=4`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// The Python that has MuJoCo [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
    /// Episodes of each of the three variants: undisturbed, pushed, tilted.
    #[arg(long, default_value_t = 100)]
    pub episodes: usize,
    /// A few short episodes, to see that it works: nothing to be quoted.
    #[arg(long)]
    pub quick: bool,
    /// Print report.json on standard output, too.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare-policies`.
#[derive(Debug, Args)]
pub struct ComparePoliciesArguments {
    /// A run's folder or a policy file, with its name in the report; several with one name are summed up together.
    #[arg(long = "policy", value_name = "NAME=RUN", required = true)]
    pub policies: Vec<NamedRun>,
    /// A test set: a preset (`none` is nominal physics), a scenario, or PRESET+SCENARIO; may be given many times
    /// [default: none and wide].
    #[arg(long = "test", value_name = "NAME")]
    pub test_sets: Vec<String>,
    /// Episodes of each policy on each test set.
    #[arg(long, default_value_t = 200)]
    pub episodes: usize,
    /// Seed of the worlds. Never the same worlds as in training, whatever the number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder of the report: report.md, report.json, policies.svg.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// Threads; 0 for one per core. Never changes a result.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
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
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The world. `giraffe evaluate` has one for each of its episodes. Logs have none.
    #[arg(long)]
    pub world: Option<u64>,
    /// The episode in that world. `giraffe evaluate` has only the first, 0.
    #[arg(long, default_value_t = 0)]
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
