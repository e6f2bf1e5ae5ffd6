//! The controller's side: a driver behind the bridge, until somebody says stop.

use crate::cli::ServeArguments;
#[cfg(feature = "train")]
use crate::fly::sim_driver::{SIM_DRIVER, open_sim};
use crate::keys::ControllerKeys;
use anyhow::{Context, Result, bail};
use giraffe_bridge::drivers::{DRIVERS, DriverOptions};
use giraffe_bridge::{BridgeServer, ControllerSpec, ExitAction, HandDriver, MonotonicClock};
#[cfg(not(feature = "train"))]
use giraffe_robots::load_robot;
use giraffe_robots::{RobotModel, nearest_name};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The hand of a controller that is not asked for another one.
#[cfg(not(feature = "train"))]
const DEFAULT_ROBOT: &str = "leap-right";

/// Names of all drivers with one sentence each.
pub fn drivers() -> Vec<(&'static str, &'static str)> {
    #[cfg(feature = "train")]
    let simulated = [SIM_DRIVER];
    #[cfg(not(feature = "train"))]
    let simulated: [(&str, &str); 0] = [];
    simulated.into_iter().chain(DRIVERS.iter().map(|driver| (driver.name, driver.doc))).collect()
}

/// A hand and what moves it.
pub struct Served {
    /// The hand.
    pub robot: Arc<RobotModel>,
    /// Name of the driver.
    pub driver_name: String,
    /// The driver.
    pub driver: Box<dyn HandDriver>,
}

/// Opens the driver that is asked for. Touches no motor.
///
/// # Errors
/// When there is no such driver or hand, or it cannot be opened.
pub fn open(arguments: &ServeArguments) -> Result<Served> {
    let driver_name = arguments.driver.clone();
    let options = arguments.servos.options();
    #[cfg(feature = "train")]
    let robot = {
        let config = arguments.config.read()?;
        if driver_name == SIM_DRIVER.0 {
            let (robot, driver) = open_sim(&config, arguments.seed)?;
            return Ok(Served { robot, driver_name, driver });
        }
        config.parts()?.scene.robot().clone()
    };
    #[cfg(not(feature = "train"))]
    let robot = Arc::new(load_robot(arguments.scene.robot.as_deref().unwrap_or(DEFAULT_ROBOT))?);
    let driver = open_driver(&driver_name, &robot, &options)?;
    Ok(Served { robot, driver_name, driver })
}

/// What a controller is set up with.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeOptions {
    /// Base endpoint.
    pub endpoint: String,
    /// Keys, and who may connect.
    pub security: ControllerKeys,
}

/// Serves until `stop` is set. Says `listening on ...` on standard output once the sockets are bound.
///
/// # Errors
/// When the endpoint is taken or may not be bound.
#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
pub fn serve(served: Served, options: &ServeOptions, stop: &AtomicBool) -> Result<()> {
    let Served { robot, driver_name, mut driver } = served;
    let (security, _reloading) = options.security.read()?;
    // Servos are set up here, with torque off: what is wrong with one ends the program and is not a fault in its loop.
    driver.release().with_context(|| format!("taking torque off {} before serving it", robot.name))?;
    let mut spec = ControllerSpec::of(&robot);
    // A controller that starts anew must number its sessions anew, so that nothing of an earlier life is accepted.
    spec.session_seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64 ^ u64::from(std::process::id()));
    let clock = Arc::new(MonotonicClock::start());
    let mut server = BridgeServer::bind_secured(&options.endpoint, &security, spec, ExitAction::Release, driver, clock)
        .with_context(|| format!("serving {} on {}", robot.name, options.endpoint))?;
    let encrypted = if options.security.keys.is_some() { ", encrypted" } else { "" };
    println!("listening on {} ({}, driver {driver_name}{encrypted})", options.endpoint, robot.name);
    server.run(stop)?;
    Ok(())
}

/// Opens a driver by its name. Touches no motor.
///
/// # Errors
/// When there is no such driver, or it cannot be opened.
pub fn open_driver(name: &str, robot: &RobotModel, options: &DriverOptions) -> Result<Box<dyn HandDriver>> {
    let Some(row) = DRIVERS.iter().find(|row| row.name == name) else {
        let names: Vec<&str> = drivers().into_iter().map(|(name, _)| name).collect();
        let near = nearest_name(name, names.iter().copied())
            .map_or_else(String::new, |near| format!(", did you mean {near}?"));
        bail!("there is no driver {name}{near} (there are: {})", names.join(", "));
    };
    Ok((row.open)(robot, options)?)
}
