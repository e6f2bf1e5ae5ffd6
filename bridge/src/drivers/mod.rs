//! Drivers, by name. To add one: a file here and its line in [`DRIVERS`].

mod scripted;

pub use scripted::{ScriptedDriver, ScriptedEpisode};

use crate::driver::{DriverError, HandDriver};
use giraffe_robots::RobotModel;

/// One driver.
pub struct DriverRow {
    /// Name, as in `--driver`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Opens it. Touches no motor.
    pub open: fn(&RobotModel) -> Result<Box<dyn HandDriver>, DriverError>,
}

/// Every driver of this crate.
pub static DRIVERS: &[DriverRow] = &[DriverRow {
    name: "scripted",
    doc: "no hand at all: joints that follow their targets with a lag, for trying out the link",
    open: |robot| Ok(Box::new(ScriptedDriver::new(robot))),
}];
