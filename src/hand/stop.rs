//! `giraffe stop`: takes torque off a hand, whoever commands it.

use crate::keys::PolicyKeys;
use crate::say;
use anyhow::Result;
use clap::Args;
use giraffe_bridge::{FaultSet, MonotonicClock, Observer};
use giraffe_robots::HandError;
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

/// What a stop ends with that was not confirmed.
const EXIT_NOT_CONFIRMED: u8 = 1;

/// Stops the hand. An object in it falls. Exit code 1 if nobody confirmed that torque is off: the hand may then still push.
///
/// # Errors
/// When the endpoint or a key makes no sense, or the answer cannot be printed.
pub fn run(arguments: &StopArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let clock = Arc::new(MonotonicClock::start());
    let security = arguments.security.read()?;
    let mut onlooker = Observer::connect(&arguments.endpoint, &security, clock, Arc::clone(stop))?;
    let stopped = if arguments.emergency { onlooker.emergency_stop() } else { onlooker.stop() };
    let stopped = match stopped {
        Ok(stopped) => stopped,
        Err(error) => return not_confirmed(&error, arguments.json),
    };
    let faults = FaultSet::from_bits(stopped.fault).to_string();
    if arguments.json {
        say::result_line(json!({ "confirmed": true, "mode": stopped.mode, "faults": faults }))?;
    } else if faults.is_empty() {
        say::result_line(format_args!("torque is off (mode `{}`)", stopped.mode))?;
    } else {
        say::result_line(format_args!("torque is off (mode `{}`, {faults})", stopped.mode))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says that the hand may push, and why.
fn not_confirmed(error: &HandError, json: bool) -> Result<ExitCode> {
    if json {
        say::result_line(json!({ "confirmed": false, "why": error.to_string() }))?;
    }
    say::aside(format_args!("NOT confirmed: cut its power ({error})"));
    Ok(ExitCode::from(EXIT_NOT_CONFIRMED))
}
