//! The controller's side: a driver behind the bridge, until somebody says stop.

use crate::keys::ControllerKeys;
use crate::say;
use anyhow::{Context, Result, bail};
use clap::Args;
use giraffe_bridge::drivers::{DRIVERS, DriverOptions};
use giraffe_bridge::{BridgeServer, Clock, ControllerSpec, DEFAULT_ENDPOINT, DriverError, ExitAction, HandDriver};
use giraffe_robots::{RobotModel, did_you_mean};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where servos are.
#[derive(Debug, Default, Args)]
pub struct ServoArguments {
    /// Serial port of the servos; best one of /dev/serial/by-id.
    #[arg(long, value_name = "PATH")]
    pub port: Option<PathBuf>,
    /// Calibration of this very hand, as `giraffe wiggle` wrote it.
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Bits per second on the port [default: what the driver's servos usually have].
    #[arg(long)]
    pub baud: Option<u32>,
    /// Go on with a USB adapter that holds answers back (latency timer above 1 ms), slowly, if a turn of the loop still fits.
    #[arg(long)]
    pub allow_usb_latency: bool,
    /// Largest current of every servo at full effort, mA [default: that of the torque in the hand's description].
    #[arg(long, value_name = "MA")]
    pub current_ma: Option<u16>,
    /// Proportional gain of every servo, in its own units [default: that of the stiffness in the hand's description].
    #[arg(long, value_name = "P")]
    pub gain_p: Option<u16>,
}

impl ServoArguments {
    /// For the driver.
    pub fn options(&self) -> DriverOptions {
        DriverOptions {
            port: self.port.clone(),
            calibration: self.calibration.clone(),
            baud: self.baud,
            current_ma: self.current_ma,
            gain_p: self.gain_p,
            allow_usb_latency: self.allow_usb_latency,
            allow_described_zeros: false,
            object: None,
        }
    }
}

/// What a controller is set up with.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ServeOptions {
    /// Base endpoint: this port and the three after it.
    #[arg(long = "bind", value_name = "BIND", default_value = DEFAULT_ENDPOINT)]
    pub endpoint: String,
    /// Needed for policies on other machines.
    #[command(flatten)]
    pub security: ControllerKeys,
}

/// Opens a driver for a hand. At most, torque is taken off.
pub type Open =
    Box<dyn FnOnce(&RobotModel, &DriverOptions, Arc<dyn Clock>) -> Result<Box<dyn HandDriver>, DriverError>>;

/// A driver that may be asked for by its name.
pub struct OfferedDriver {
    /// Its name.
    pub name: &'static str,
    /// What opens it.
    pub open: Open,
}

/// The drivers of the bridge, which move motors or play a hand of arithmetic.
pub fn bridge_drivers() -> Vec<OfferedDriver> {
    DRIVERS.iter().map(|row| OfferedDriver { name: row.name, open: Box::new(row.open) }).collect()
}

/// Opens one of some drivers by its name. At most, torque is taken off.
///
/// # Errors
/// When there is no such driver, or it cannot be opened.
pub fn open_driver(
    mut offered: Vec<OfferedDriver>,
    name: &str,
    robot: &RobotModel,
    options: &DriverOptions,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn HandDriver>> {
    let Some(place) = offered.iter().position(|driver| driver.name == name) else {
        let names: Vec<&str> = offered.iter().map(|driver| driver.name).collect();
        let meant = did_you_mean(name, names.iter().copied());
        bail!("there is no driver {name}{meant} (there are: {})", names.join(", "));
    };
    Ok((offered.swap_remove(place).open)(robot, options, Arc::clone(clock))?)
}

/// A hand and what moves it.
pub struct Served {
    /// The hand.
    pub robot: Arc<RobotModel>,
    /// Name of the driver.
    pub driver_name: String,
    /// The driver.
    pub driver: Box<dyn HandDriver>,
    /// The driver's clock, and the controller's.
    pub clock: Arc<dyn Clock>,
}

/// Serves until `stop` is set. Says `listening on ...` on standard output once the sockets are bound.
///
/// # Errors
/// When the endpoint is taken or may not be bound.
#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
pub fn serve(served: Served, options: &ServeOptions, stop: &AtomicBool) -> Result<()> {
    let Served { robot, driver_name, mut driver, clock } = served;
    // Before anything else: an earlier program may have died and left servos pushing.
    driver.release().with_context(|| format!("torque of {} is NOT confirmed off: cut its power", robot.name))?;
    let (security, _reloading) = options.security.read()?;
    // Servos are set up here, with torque off: what is wrong with one ends the program and is not a fault in its loop.
    driver.make_ready().with_context(|| format!("setting up {} before serving it; its torque is off", robot.name))?;
    for note in driver.notes() {
        tracing::warn!("{note}");
    }
    let mut spec = ControllerSpec::of(&robot);
    // A controller that starts anew must number its sessions anew, so that nothing of an earlier life is accepted.
    spec.session_seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64 ^ u64::from(std::process::id()));
    let mut server = BridgeServer::bind_secured(&options.endpoint, &security, spec, ExitAction::Release, driver, clock)
        .with_context(|| format!("serving {} on {}", robot.name, options.endpoint))?;
    let encrypted = if options.security.keys.is_some() { ", encrypted" } else { "" };
    let listening = format!("listening on {} ({}, driver {driver_name}{encrypted})", options.endpoint, robot.name);
    say::result_line(listening)?;
    server.run(stop)?;
    Ok(())
}
