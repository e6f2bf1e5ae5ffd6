//! A hand's first day, at a terminal: which servo moves which joint, which way; written to a calibration file.

use super::serve::{ServoArguments, bridge_drivers, open_driver};
use crate::calendar::UtcTime;
use crate::say;
use anyhow::{Context, Result, ensure};
use clap::Args;
use giraffe_bridge::calibration::{Calibration, Zeros, wiring};
use giraffe_bridge::commissioning::{AssumeYes, Findings, TerminalWitness, WiggleSpec, Witness, wiggle};
use giraffe_bridge::{BusIdentity, Clock, HandDriver, MonotonicClock};
use giraffe_robots::{RobotModel, load_robot};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What `--tool` would be: who wrote a calibration.
const TOOL: &str = concat!("giraffe ", env!("CARGO_PKG_VERSION"));

/// Arguments of `wiggle`.
#[derive(Debug, Args)]
pub struct WiggleArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// What moves it: `dynamixel`, or `scripted` to try this out without a hand.
    #[arg(long)]
    pub driver: String,
    /// Where servos are. A calibration given here is the starting point.
    #[command(flatten)]
    pub servos: ServoArguments,
    /// The calibration file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How far each joint moves, rad.
    #[arg(long, default_value_t = 0.05)]
    pub amplitude: f32,
    /// How fast at most, rad/s.
    #[arg(long, default_value_t = 0.2)]
    pub speed: f32,
    /// The hand lies flat, every joint at zero: take the zeros from there.
    #[arg(long)]
    pub flat: bool,
    /// Ask nobody. The file then says that nobody looked, and is not good enough for a real hand.
    #[arg(long)]
    pub assume_yes: bool,
    /// End with one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Moves every joint, asks about it, writes the calibration.
///
/// # Errors
/// When anything is not as expected. Torque is off then.
pub fn run(arguments: &WiggleArguments, stop: &AtomicBool) -> Result<ExitCode> {
    ensure!(!arguments.out.is_dir(), "--out {}: it is a folder, expected a file", arguments.out.display());
    let robot = load_robot(&arguments.robot)?;
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let mut driver = open_driver(bridge_drivers(), &arguments.driver, &robot, &arguments.servos.options(), &clock)?;
    // Only now: whoever opens the driver has told servos to let go, whatever is wrong with a file.
    let before = arguments.servos.calibration.as_ref().map(|path| Calibration::load(path, &robot)).transpose()?;
    let wires = wiring(&robot, before.as_ref())?;
    say::note(format_args!(
        "Each of {} joints moves by {} rad and back. Keep a hand on the supply switch; Ctrl-C takes torque off.",
        robot.joint_count(),
        arguments.amplitude
    ));
    let spec = WiggleSpec {
        amplitude_rad: arguments.amplitude,
        peak_rad_per_sec: arguments.speed,
        flat: arguments.flat,
        ..WiggleSpec::default()
    };
    let mut witness: Box<dyn Witness> = match arguments.assume_yes {
        true => Box::new(AssumeYes),
        false => Box::new(TerminalWitness::new(std::io::stdin().lock(), say::Notes)),
    };
    let findings = wiggle(driver.as_mut(), &robot, &wires, &spec, witness.as_mut(), clock.as_ref(), stop)?;
    let calibration = calibration(&findings, &robot, driver.as_ref(), witness.as_ref());
    calibration.save(&arguments.out)?;
    report(arguments, &findings, &calibration)?;
    Ok(ExitCode::SUCCESS)
}

fn calibration(findings: &Findings, robot: &RobotModel, driver: &dyn HandDriver, witness: &dyn Witness) -> Calibration {
    let today = UtcTime::now().date().to_string();
    let described = |bus: BusIdentity| findings.calibration(robot, bus, witness.seen_by(), &today, TOOL);
    described(driver.identity().unwrap_or_default())
}

fn report(arguments: &WiggleArguments, findings: &Findings, calibration: &Calibration) -> Result<()> {
    let corrections: Vec<String> = findings.corrections.iter().map(ToString::to_string).collect();
    let out = arguments.out.display().to_string();
    if arguments.json {
        let report =
            json!({ "calibration": calibration, "corrections": corrections, "id": calibration.id(), "file": out });
        return say::result_line(serde_json::to_string_pretty(&report).context("writing JSON")?);
    }
    if corrections.is_empty() {
        say::result_line("every joint is wired as described")?;
    }
    corrections.iter().try_for_each(say::result_line)?;
    say::result_line(format_args!("wrote {out} (calibration {})", calibration.id()))?;
    if calibration.zeros == Zeros::Described {
        say::note(
            "the zeros are those of the description, nobody measured them: a real hand will not be armed; lay it flat and use --flat",
        );
    }
    Ok(())
}
