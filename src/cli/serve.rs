//! `giraffe serve`, in the whole program and in the small one: they differ in how a hand is chosen, and in who can move it.

#[cfg(not(feature = "train"))]
mod small;
#[cfg(feature = "train")]
mod whole;

#[cfg(not(feature = "train"))]
use small as program;
#[cfg(feature = "train")]
use whole as program;

use crate::hand::serve::{ServeOptions, Served, ServoArguments, open_driver, serve};
use crate::typed;
use anyhow::Result;
use clap::Args;
use giraffe_bridge::drivers::{DRIVERS, DriverOptions};
use giraffe_bridge::{Clock, MonotonicClock};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Which hand.
    #[command(flatten)]
    pub hand: program::HandArguments,
    /// What moves it: a name from `giraffe list drivers`.
    #[cfg_attr(feature = "train", arg(long, default_value = "sim"))]
    #[cfg_attr(not(feature = "train"), arg(long))]
    pub driver: String,
    /// Where its servos are.
    #[command(flatten)]
    pub servos: ServoArguments,
    /// Let a real hand be armed whose zeros nobody measured.
    #[arg(long)]
    pub allow_described_zeros: bool,
    /// Where it is served, and to whom.
    #[command(flatten)]
    pub options: ServeOptions,
    /// Seed of a simulated hand's hidden parameters.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
}

/// Names of all drivers with one sentence each.
pub fn drivers() -> Vec<(&'static str, &'static str)> {
    program::SIMULATED.iter().copied().chain(DRIVERS.iter().map(|driver| (driver.name, driver.doc))).collect()
}

/// Serves until `stop` is set.
///
/// # Errors
/// When there is no such hand or driver, or it cannot be opened or served.
pub fn run(arguments: &ServeArguments, stop: &AtomicBool) -> Result<ExitCode> {
    let (robot, object, offered) = program::offered(&arguments.hand, arguments.seed)?;
    let allow_described_zeros = arguments.allow_described_zeros;
    let servos = DriverOptions { allow_described_zeros, object, ..arguments.servos.options() };
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let driver = open_driver(offered, &arguments.driver, &robot, &servos, &clock)?;
    serve(Served { robot, driver_name: arguments.driver.clone(), driver, clock }, &arguments.options, stop)?;
    Ok(ExitCode::SUCCESS)
}
