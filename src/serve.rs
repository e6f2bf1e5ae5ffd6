//! The controller's side: a driver behind the bridge, until somebody says stop.

use crate::config::RunConfig;
use crate::evaluate::unseen_seeds;
use crate::sim_driver::SimDriver;
use anyhow::{Context, Result, bail};
use giraffe_bridge::drivers::{DRIVERS, DriverOptions};
use giraffe_bridge::{BridgeServer, ControllerSpec, ExitAction, HandDriver, MonotonicClock};
use giraffe_randomization::NONE;
use giraffe_robots::{RobotModel, nearest_name};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The driver that lives here, because it needs the simulator: name and one sentence.
pub const SIM_DRIVER: (&str, &str) = ("sim", "a simulated hand and object, with parameters the policy is never told");

/// Names of all drivers with one sentence each.
pub fn drivers() -> Vec<(&'static str, &'static str)> {
    std::iter::once(SIM_DRIVER).chain(DRIVERS.iter().map(|driver| (driver.name, driver.doc))).collect()
}

/// What a controller is set up with.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeOptions {
    /// Base endpoint.
    pub endpoint: String,
    /// Name of the driver.
    pub driver: String,
    /// Seed of hidden parameters, for the simulated hand.
    pub seed: u64,
}

/// Serves until `stop` is set. Says `listening on ...` on standard output once the sockets are bound.
///
/// # Errors
/// When the endpoint is taken or may not be bound, or the driver cannot be opened.
#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
pub fn serve(config: &RunConfig, options: &ServeOptions, stop: &AtomicBool) -> Result<()> {
    let parts = config.parts()?;
    let robot = Arc::clone(parts.scene.robot());
    let driver: Box<dyn HandDriver> = if options.driver == SIM_DRIVER.0 {
        let hidden = parts.sampler(&config.randomization, &NONE, unseen_seeds(options.seed));
        Box::new(SimDriver::new(parts, hidden)?)
    } else {
        open_driver(&options.driver, &robot)?
    };
    let mut spec = ControllerSpec::of(&robot);
    // A controller that starts anew must number its sessions anew, so that nothing of an earlier life is accepted.
    spec.session_seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64 ^ u64::from(std::process::id()));
    let clock = Arc::new(MonotonicClock::start());
    let mut server = BridgeServer::bind(&options.endpoint, spec, ExitAction::Release, driver, clock)
        .with_context(|| format!("serving {} on {}", robot.name, options.endpoint))?;
    println!("listening on {} ({}, driver {})", options.endpoint, robot.name, options.driver);
    server.run(stop)?;
    Ok(())
}

fn open_driver(name: &str, robot: &RobotModel) -> Result<Box<dyn HandDriver>> {
    let Some(row) = DRIVERS.iter().find(|row| row.name == name) else {
        let names: Vec<&str> = drivers().into_iter().map(|(name, _)| name).collect();
        let near = nearest_name(name, names.iter().copied())
            .map_or_else(String::new, |near| format!(", did you mean {near}?"));
        bail!("there is no driver {name}{near} (there are: {})", names.join(", "));
    };
    Ok((row.open)(robot, &DriverOptions::default())?)
}
