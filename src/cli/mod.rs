//! The command line: what can be typed, and what it means.

mod commands;
#[cfg(feature = "train")]
pub mod describe;
pub mod list;
#[cfg(feature = "train")]
mod training;

pub use commands::run;
#[cfg(feature = "train")]
pub use training::*;

use crate::cli::list::Kind;
use crate::hand::keygen::{AFTER_HELP as KEYGEN_HELP, KeygenArguments};
use crate::hand::wiggle::{ServoArguments, WiggleArguments};
use crate::keys::ControllerKeys;
use clap::{Args, Parser, Subcommand};

/// What somebody new is told to try.
#[cfg(feature = "train")]
const FIRST_TIME: &str = "First time here? giraffe quickstart";
/// The same on the computer next to the motors, where this program neither simulates nor learns.
#[cfg(not(feature = "train"))]
const FIRST_TIME: &str = "This is the small program for the computer next to the motors: it cannot simulate or learn.";

/// Train a robot hand in heavily randomized simulation, carry the policy to a real hand over ZeroMQ.
#[derive(Debug, Parser)]
#[command(name = "giraffe", version, after_help = FIRST_TIME)]
pub struct Cli {
    /// Say more: -v for information, -vv for debugging.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train, evaluate and deploy over ZeroMQ; prints one table.
    #[cfg(feature = "train")]
    #[command(after_help = "Example:\n  giraffe quickstart --minutes 15 --seed 1")]
    Quickstart(QuickstartArguments),
    /// Train a policy, or go on training.
    #[cfg(feature = "train")]
    #[command(
        after_help = "Examples:\n  giraffe train --minutes 60 --out runs/mine --set ppo.core_width=64\n  giraffe train --resume runs/mine --minutes 120"
    )]
    Train(TrainArguments),
    /// Measure a policy in simulated worlds it never saw.
    #[cfg(feature = "train")]
    #[command(after_help = "Example:\n  giraffe evaluate runs/quickstart-1 --scenario push --episodes 200")]
    Evaluate(EvaluateArguments),
    /// Run a policy on a hand behind ZeroMQ.
    #[cfg(feature = "train")]
    #[command(
        after_help = "Examples:\n  giraffe deploy runs/quickstart-1 --connect tcp://127.0.0.1:7401 --episodes 20\n  giraffe deploy runs/quickstart-1 --real-time --episodes 3"
    )]
    Deploy(DeployArguments),
    /// Be the controller of a hand: the other end of `deploy`.
    #[command(
        after_help = "Examples:\n  giraffe serve --driver sim --seed 7 --bind tcp://127.0.0.1:7401\n  giraffe serve --driver dynamixel --port /dev/ttyUSB0 --calibration leap.toml"
    )]
    Serve(ServeArguments),
    /// Does a controller, in any language, keep the rules of the protocol? Exit code 1 if it breaks one.
    #[command(
        after_help = "Examples:\n  giraffe check-controller tcp://127.0.0.1:7401\n  giraffe check-controller tcp://127.0.0.1:7401 --active --json"
    )]
    CheckController(crate::hand::check_controller::CheckControllerArguments),
    /// Take torque off a hand, whoever commands it.
    #[command(
        after_help = "Examples:\n  giraffe stop\n  giraffe stop tcp://hand:7401 --emergency --keys me.key_secret --server-key hand.key"
    )]
    Stop(crate::hand::stop::StopArguments),
    /// Make a pair of keys, for one end of links between machines.
    #[command(after_help = KEYGEN_HELP)]
    Keygen(KeygenArguments),
    /// Move every joint of a real hand a little, to find out how it is wired; writes its calibration.
    #[command(
        after_help = "Examples:\n  giraffe wiggle --driver dynamixel --port /dev/ttyUSB0 --out leap.toml\n  giraffe wiggle --driver scripted --assume-yes --out try.toml"
    )]
    Wiggle(WiggleArguments),
    /// Show a hand, its task, and what a policy reads.
    #[cfg(feature = "train")]
    #[command(after_help = "Examples:\n  giraffe describe leap-right rotate-z\n  giraffe describe path/to/hand.xml")]
    Describe(DescribeArguments),
    /// Run the same hand in rapier and in MuJoCo and report where they differ. Needs Python with MuJoCo.
    #[cfg(feature = "train")]
    #[command(
        after_help = "Examples:\n  giraffe compare-engines --out comparison\n  giraffe compare-engines --out try --quick --python venv/bin/python"
    )]
    CompareEngines(CompareArguments),
    /// Measure several policies on the same worlds: a table, a picture, and how far seeds differ.
    #[cfg(feature = "train")]
    #[command(
        after_help = "Example:\n  giraffe compare-policies --policy adr=runs/adr-1 --policy wide=runs/wide-1 --out comparison"
    )]
    ComparePolicies(ComparePoliciesArguments),
    /// Plan one episode of a run again, exactly, and let the policy live through it; or check the log of a deployment.
    #[cfg(feature = "train")]
    #[command(
        after_help = "Examples:\n  giraffe replay runs/mine --seed 1 --world 17 --scenario push --out episode\n  giraffe replay runs/mine --training --world 3 --episode 40\n  giraffe replay runs/mine/deployments/2026-11-24T08-15-00Z-real-time.mcap --out pictures\n\nOf a log: 0 everything that could be compared is equal bit for bit, 1 something differs."
    )]
    Replay(ReplayArguments),
    /// Draw what runs learned, and how far their ranges grew.
    #[cfg(feature = "train")]
    #[command(after_help = "Example:\n  giraffe plot adr=runs/adr-1 adr=runs/adr-2 wide=runs/wide-1 --out pictures")]
    Plot(PlotArguments),
    /// Measure speed.
    #[cfg(feature = "train")]
    #[command(after_help = "Example:\n  giraffe bench physics --json")]
    Bench(BenchArguments),
    /// List robots, tasks, objects, randomized parameters, presets of their ranges, scenarios, drivers.
    #[command(after_help = "Example:\n  giraffe list drivers")]
    List(ListArguments),
}

/// Which hand, and what it holds.
#[derive(Debug, Default, Args)]
pub struct SceneArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder, MJCF or URDF file.
    #[arg(long, value_name = "NAME|PATH")]
    pub robot: Option<String>,
    /// An object: a name from `giraffe list objects`.
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Which hand.
    #[cfg(feature = "train")]
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Which hand.
    #[cfg(not(feature = "train"))]
    #[command(flatten)]
    pub scene: SceneArguments,
    /// What moves it: a name from `giraffe list drivers`.
    #[cfg_attr(feature = "train", arg(long, default_value = "sim"))]
    #[cfg_attr(not(feature = "train"), arg(long))]
    pub driver: String,
    /// Where its servos are.
    #[command(flatten)]
    pub servos: ServoArguments,
    /// Base endpoint: this port and the three after it.
    #[arg(long, default_value = "tcp://127.0.0.1:7401")]
    pub bind: String,
    /// Needed for policies on other machines.
    #[command(flatten)]
    pub security: ControllerKeys,
    /// Seed of a simulated hand's hidden parameters.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Which kind; all without it.
    pub kind: Option<Kind>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown.
    #[arg(long)]
    pub markdown: bool,
}
