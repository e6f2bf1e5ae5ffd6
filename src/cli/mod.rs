//! The command line: what can be typed, and what it means.

#[cfg(feature = "train")]
mod bench;
#[cfg(feature = "train")]
pub mod config;
mod interrupt;
#[cfg(feature = "train")]
mod learning;
pub mod list;
#[cfg(feature = "train")]
mod meeting;
#[cfg(feature = "train")]
mod outcome;
#[cfg(feature = "train")]
mod recipe;
pub mod scene;
pub mod serve;
#[cfg(feature = "train")]
mod studying;

use crate::hand::keygen::{AFTER_HELP as KEYGEN_HELP, KeygenArguments};
use crate::hand::wiggle::WiggleArguments;
use crate::hand::{check_controller, keygen, stop, wiggle};
use crate::say;
use crate::stopping::EXIT_STOPPED;
use anyhow::{Error, Result};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use giraffe_bridge::conformance::CheckError;
use giraffe_robots::HandError;
use interrupt::Stopping;
#[cfg(feature = "train")]
use learning::LearningCommand;
use list::ListArguments;
#[cfg(feature = "train")]
use meeting::MeetCommand;
use serve::ServeArguments;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "train")]
use studying::StudyCommand;

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
    /// From nothing to a policy on a hand.
    #[cfg(feature = "train")]
    #[command(flatten)]
    Learning(LearningCommand),
    /// Be the controller of a hand: the other end of `deploy`.
    #[command(
        after_help = "Examples:\n  giraffe serve --driver sim --seed 7 --bind tcp://127.0.0.1:7401\n  giraffe serve --driver dynamixel --port /dev/ttyUSB0 --calibration leap.toml"
    )]
    Serve(ServeArguments),
    /// Does a controller, in any language, keep the rules of the protocol? Exit code 1 if it breaks one, or none
    /// could be checked.
    #[command(
        after_help = "Examples:\n  giraffe check-controller tcp://127.0.0.1:7401\n  giraffe check-controller tcp://127.0.0.1:7401 --active --json"
    )]
    CheckController(check_controller::CheckControllerArguments),
    /// Take torque off a hand, whoever commands it.
    #[command(
        after_help = "Examples:\n  giraffe stop\n  giraffe stop tcp://hand:7401 --emergency --keys me.key_secret --server-key hand.key"
    )]
    Stop(stop::StopArguments),
    /// Make a pair of keys, for one end of links between machines.
    #[command(after_help = KEYGEN_HELP)]
    Keygen(KeygenArguments),
    /// Move every joint of a real hand a little, to find out how it is wired; writes its calibration.
    #[command(
        after_help = "Examples:\n  giraffe wiggle --driver dynamixel --port /dev/ttyUSB0 --out leap.toml --flat\n  giraffe wiggle --driver scripted --assume-yes --out try.toml"
    )]
    Wiggle(WiggleArguments),
    /// A hand before anything is learned with it.
    #[cfg(feature = "train")]
    #[command(flatten)]
    Meet(MeetCommand),
    /// Questions about engines, policies, episodes and runs.
    #[cfg(feature = "train")]
    #[command(flatten)]
    Study(StudyCommand),
    /// List robots, tasks, objects, randomized parameters, presets of their ranges, scenarios, drivers, policies.
    #[command(after_help = "Example:\n  giraffe list drivers")]
    List(ListArguments),
}

impl Cli {
    /// What was typed. A number below zero is a wrong number, not an unknown option.
    ///
    /// # Errors
    /// When it cannot be understood, or asks for help.
    pub fn typed() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&numbers_may_be_negative(Self::command()).try_get_matches()?)
    }
}

fn numbers_may_be_negative(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let takes = argument.get_action().takes_values();
        argument.allow_negative_numbers(takes)
    });
    let names: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, numbers_may_be_negative))
}

impl Command {
    /// How it is stopped. What moves a hand sees to it that the hand is let go of or held, and is waited for.
    fn stopping(&self) -> Stopping {
        match self {
            #[cfg(feature = "train")]
            Self::Learning(LearningCommand::Deploy(_)) => Stopping { may_be_cut: false, hangs_up: true },
            #[cfg(feature = "train")]
            Self::Learning(_) | Self::Meet(_) | Self::Study(_) => Stopping { may_be_cut: true, hangs_up: true },
            // There SIGHUP has the list read again.
            Self::Serve(arguments) => {
                Stopping { may_be_cut: false, hangs_up: arguments.options.security.allow.is_none() }
            }
            Self::CheckController(_) | Self::Stop(_) | Self::Wiggle(_) => {
                Stopping { may_be_cut: false, hangs_up: true }
            }
            Self::Keygen(_) | Self::List(_) => Stopping { may_be_cut: true, hangs_up: true },
        }
    }
}

/// What happened is a fault of this program, not of who uses it.
#[cfg(feature = "train")]
pub fn is_our_fault(error: &Error) -> bool {
    error.is::<crate::learn::rescue::Fault>()
}

/// What happened is a fault of this program, not of who uses it.
#[cfg(not(feature = "train"))]
pub fn is_our_fault(_error: &Error) -> bool {
    false
}

/// Does what was asked for.
///
/// # Errors
/// When it cannot be done: one message that says what to do.
pub fn run(command: &Command) -> Result<ExitCode> {
    let stop = interrupt::stop_flag(command.stopping())?;
    match dispatch(command, &stop) {
        Err(error) if stop.load(Ordering::Relaxed) && is_interruption(&error) => {
            say::note(format_args!("stopped: {error:#}"));
            Ok(ExitCode::from(EXIT_STOPPED))
        }
        other => other,
    }
}

/// Whether it went wrong because somebody said stop.
fn is_interruption(error: &Error) -> bool {
    matches!(error.downcast_ref::<HandError>(), Some(HandError::Stopped { .. }))
        || matches!(error.downcast_ref::<CheckError>(), Some(CheckError::Stopped))
}

fn dispatch(command: &Command, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    #[cfg(feature = "train")]
    if matches!(command, Command::Learning(_) | Command::Meet(_) | Command::Study(_)) {
        learning::start_threads()?;
    }
    match command {
        #[cfg(feature = "train")]
        Command::Learning(command) => command.run(stop),
        Command::Serve(arguments) => serve::run(arguments, stop),
        Command::CheckController(arguments) => check_controller::run(arguments, stop),
        Command::Stop(arguments) => stop::run(arguments, stop),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Wiggle(arguments) => wiggle::run(arguments, stop),
        #[cfg(feature = "train")]
        Command::Meet(command) => command.run(stop),
        #[cfg(feature = "train")]
        Command::Study(command) => command.run(stop),
        Command::List(arguments) => list::run(arguments),
    }
}
