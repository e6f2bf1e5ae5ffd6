//! `giraffe stop`: takes torque off a hand, whoever commands it.

use crate::keys::PolicyKeys;
use crate::say;
use anyhow::{Context, Result};
use clap::Args;
use giraffe_bridge::{FaultSet, MonotonicClock, Observer};
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopArguments {
    /// Base endpoint of the controller.
    #[arg(value_name = "ENDPOINT", default_value = giraffe_bridge::DEFAULT_ENDPOINT)]
    pub endpoint: String,
    /// Keep torque off until the commander clears faults; without it the next arm brings it back.
    #[arg(long)]
    pub emergency: bool,
    /// What opens an encrypted link; an observer's key will do.
    #[command(flatten)]
    pub security: PolicyKeys,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Stops the hand. An object in it falls.
///
/// # Errors
/// When no controller answers, or it does not let us in: the hand may then still move.
pub fn run(arguments: &StopArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let clock = Arc::new(MonotonicClock::start());
    let security = arguments.security.read()?;
    let mut onlooker = Observer::connect(&arguments.endpoint, &security, clock, Arc::clone(stop))?;
    let stopped = if arguments.emergency { onlooker.emergency_stop() } else { onlooker.stop() };
    let stopped = stopped.context("the hand was NOT stopped; cut its power")?;
    let faults = FaultSet::from_bits(stopped.fault).to_string();
    if arguments.json {
        say::result_line(json!({ "mode": stopped.mode, "faults": faults }))?;
    } else if faults.is_empty() {
        say::result_line(format_args!("torque is off (mode `{}`)", stopped.mode))?;
    } else {
        say::result_line(format_args!("torque is off (mode `{}`, {faults})", stopped.mode))?;
    }
    Ok(ExitCode::SUCCESS)
}
