//! Drivers, by name. To add one: a file here and its line in [`DRIVERS`].

mod scripted;

pub use scripted::{ScriptedDriver, ScriptedEpisode};

use crate::driver::{DriverError, HandDriver};
use giraffe_robots::RobotModel;
use std::path::PathBuf;

/// What a driver is opened with. Each takes what concerns it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverOptions {
    /// The serial port its servos are at.
    pub port: Option<PathBuf>,
    /// What `giraffe wiggle` found out about this very hand.
    pub calibration: Option<PathBuf>,
}

/// Opens a driver for a hand.
pub type OpenDriver = fn(&RobotModel, &DriverOptions) -> Result<Box<dyn HandDriver>, DriverError>;

/// One driver.
pub struct DriverRow {
    /// Name, as in `--driver`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Opens it. Touches no motor.
    pub open: OpenDriver,
}

/// Every driver of this crate.
pub static DRIVERS: &[DriverRow] = &[DriverRow {
    name: "scripted",
    doc: "no hand at all: joints that follow their targets with a lag, for trying out the link",
    open: |robot, _| Ok(Box::new(ScriptedDriver::new(robot))),
}];
