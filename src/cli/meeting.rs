//! A hand before anything is learned with it: what can be typed, and what is done.

use super::config::{ConfigArguments, tell_import};
use super::outcome::{done, print_json};
use super::scene::SceneArguments;
use crate::meet::adopt::{AdoptOptions, AdoptReport, ENOUGH_SHARE, adopt};
use crate::meet::describe::{Description, describe};
use crate::meet::hold::check_home;
use crate::meet::picture::{self, Format, in_terminal};
use crate::run::config::RunConfig;
use crate::say;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use giraffe_robots::MeshShapes;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// A hand before anything is learned with it.
#[derive(Debug, Subcommand)]
pub enum MeetCommand {
    /// Show a hand, whether it holds its object, its task, and what a policy reads.
    #[command(
        after_help = "Examples:\n  giraffe describe leap-right rotate-z\n  giraffe describe path/to/hand.xml --picture hand.svg\n  giraffe describe my-hand --hold 100 --json"
    )]
    Describe(DescribeArguments),
    /// Make a folder of its own for a hand that somebody else described: palm up, with a resting pose and a place for the
    /// object that were searched for, and every liberty written down.
    #[command(
        after_help = "Examples:\n  giraffe adopt path/to/hand.urdf --out my-hand\n  giraffe adopt path/to/hand.xml --out my-hand --object sphere --seed 2"
    )]
    Adopt(AdoptArguments),
}

impl MeetCommand {
    /// Does what was asked for.
    ///
    /// # Errors
    /// When it cannot be done.
    pub fn run(&self, stop: &AtomicBool) -> Result<ExitCode> {
        match self {
            Self::Describe(arguments) => run_describe(arguments, stop),
            Self::Adopt(arguments) => run_adopt(arguments, stop),
        }
    }
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
    /// In how many of so many whole episodes does a hand that does nothing keep its object? Nothing is randomized.
    #[arg(long, value_name = "EPISODES", default_value_t = 0, hide_default_value = true)]
    pub hold: usize,
    /// Draw hand and object as an episode starts: a file that ends in .svg or .png.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Draw nothing in the terminal.
    #[arg(long)]
    pub no_picture: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub struct AdoptArguments {
    /// An MJCF or URDF file; or a name from `giraffe list robots`, or a folder in giraffe's own form.
    #[arg(value_name = "HAND")]
    pub hand: String,
    /// The folder that is made: hand.xml, robot.toml, README.md.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The object it is to hold: a name from `giraffe list objects` [default: cube-70mm; others, if it cannot be held].
    #[arg(long, value_name = "NAME")]
    pub object: Option<String>,
    /// Another setting, such as `physics.substep_count=4`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Starts that are tried for each object.
    #[arg(long, value_name = "N", default_value_t = 400)]
    pub starts: usize,
    /// Episodes of which the share is reported in which a hand that does nothing keeps its object, before and after.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub hold: usize,
    /// What stands for meshes.
    #[arg(long, value_enum, default_value_t = Meshes::Fitted)]
    pub meshes: Meshes,
    /// Leave the hand as it stands, even if its palm does not look up.
    #[arg(long)]
    pub keep_standing: bool,
    /// Seed of the search.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What stands for a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Meshes {
    /// The box around it, along its axes, as everywhere else.
    Boxes,
    /// Of the box, ball, capsule and cylinder around it, however turned, the one of least volume.
    Fitted,
}

/// Says how the hand of a configuration was read, and warns where its file has changed since, or where it does not hold its
/// object at rest. What else is wrong with it is said when it is needed.
pub(super) fn tell_hand_of(config: &RunConfig, stop: &AtomicBool) {
    let Ok(parts) = config.parts() else { return };
    tell_import(&parts.import);
    let held = check_home(&parts, stop).and_then(|check| check.warning);
    for warning in config.changed_hand().into_iter().map(|changed| changed.to_string()).chain(held) {
        tracing::warn!("{warning}");
    }
}

fn run_describe(arguments: &DescribeArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let mut config = arguments.config.read()?;
    if let Some(hand) = &arguments.hand {
        config.robot.clone_from(hand);
        config.own_hand = None;
    }
    if let Some(task) = &arguments.task {
        config.task.clone_from(task);
    }
    // Before a long measurement, not after.
    arguments.picture.as_deref().map(Format::of).transpose()?;
    let Some(description) = describe(&config, arguments.hold, stop)? else { return Ok(done(stop)) };
    let Description { text, json, import, warning, start } = description;
    tell_import(&import);
    if let Some(path) = &arguments.picture {
        picture::write(path, &start, &config.robot)?;
    }
    if arguments.json {
        print_json(&json)?;
    } else {
        if say::results_are_seen_on_a_terminal() && !arguments.no_picture {
            say::result_line(in_terminal(&start, wants_colors()))?;
        }
        say::result(&text)?;
    }
    // Last, where it is seen.
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(done(stop))
}

/// By the habit of <https://no-color.org>.
#[allow(clippy::disallowed_methods, reason = "the program, not a library, reads its environment")]
fn wants_colors() -> bool {
    std::env::var("NO_COLOR").map_or(true, |asked| asked.is_empty())
}

fn run_adopt(arguments: &AdoptArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(arguments.starts > 0, "--starts 0: expected at least one");
    ensure!(arguments.hold > 0, "--hold 0: expected at least one");
    let scene = SceneArguments { robot: Some(arguments.hand.clone()), object: arguments.object.clone() };
    let mut config = RunConfig::read(None, &scene.over(&arguments.settings))?;
    config.seed = arguments.seed;
    let options = AdoptOptions {
        out: arguments.out.clone(),
        object: arguments.object.clone(),
        starts: arguments.starts,
        episodes: arguments.hold,
        keep_standing: arguments.keep_standing,
        mesh_shapes: match arguments.meshes {
            Meshes::Boxes => MeshShapes::BoundingBox,
            Meshes::Fitted => MeshShapes::Fitted,
        },
    };
    let rounds = Rounds::new();
    let report = adopt(&config, &options, &|round, done, total| rounds.show(round, done, total), stop);
    rounds.finish();
    let Some(report) = report? else {
        say::note("stopped; nothing was written");
        return Ok(done(stop));
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        say::result(&in_words(&report))?;
    }
    warn_of(&report);
    Ok(ExitCode::SUCCESS)
}

fn in_words(report: &AdoptReport) -> String {
    let folder = report.folder.display();
    let [x, y, z] = report.object_home_m;
    let turned = match (&report.stance, report.turned_rpy_rad) {
        (Some(stance), Some(_)) => format!("turned palm up: it was tilted by {:.0} degrees\n", stance.tilt_degrees),
        _ => String::new(),
    };
    format!(
        "{folder}: hand.xml, robot.toml, README.md, with {} liberties that were taken\n{turned}{} starts at {x:.3} {y:.3} \
         {z:.3} m in the palm frame\na hand that does nothing kept its object in {} of {} episodes, and keeps it in {} of {} \
         now\nlook at it with: giraffe describe {folder} --object {} --picture hand.svg\ntrain it with:  giraffe train \
         --robot {folder} --object {}\n",
        report.liberties,
        report.object,
        report.before.held,
        report.before.episodes,
        report.after.held,
        report.after.episodes,
        report.object,
        report.object,
    )
}

fn warn_of(report: &AdoptReport) {
    report.warnings.iter().for_each(|warning| tracing::warn!("{}: {warning}", report.source));
    let share = report.after.held as f64 / report.after.episodes as f64;
    if share < ENOUGH_SHARE {
        tracing::warn!(
            "no start was found from which the hand keeps its object: {} in {} of {} episodes is the best; look at the \
             picture, correct shapes, limits or how the hand stands in {}, and adopt that folder again",
            report.object,
            report.after.held,
            report.after.episodes,
            report.folder.display()
        );
    }
}

/// How a search goes on: a line that is redrawn on a terminal, a line for each round elsewhere.
struct Rounds {
    bar: Option<ProgressBar>,
    current: Mutex<String>,
}

impl Rounds {
    fn new() -> Self {
        let bar = say::is_seen_on_a_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos:>4} of {len} {msg}");
            ProgressBar::new(1).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, current: Mutex::default() }
    }

    fn show(&self, round: &str, done: usize, total: usize) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *current != round;
        if is_new {
            round.clone_into(&mut current);
        }
        match &self.bar {
            Some(bar) => {
                if is_new {
                    bar.set_length(total as u64);
                    bar.set_message(round.to_owned());
                }
                bar.set_position(done as u64);
            }
            None if is_new => say::note(format_args!("{round}: {total} episodes")),
            None => {}
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
