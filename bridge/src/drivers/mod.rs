//! Drivers, by name. To add one: a file here and its line in [`DRIVERS`].

#[cfg(feature = "dynamixel")]
pub mod dynamixel;
mod scripted;

pub use scripted::{ScriptedDriver, ScriptedEpisode};

use crate::clock::Clock;
use crate::driver::{DriverError, HandDriver};
use giraffe_robots::RobotModel;
use std::path::PathBuf;
use std::sync::Arc;

/// What a driver is opened with. Each takes what concerns it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverOptions {
    /// The serial port its servos are at.
    pub port: Option<PathBuf>,
    /// What `giraffe wiggle` found out about this very hand.
    pub calibration: Option<PathBuf>,
    /// Bits per second on that port; `None`: what the driver's servos usually have.
    pub baud: Option<u32>,
    /// Largest current of every servo at full effort, mA; `None`: that of the torque in the hand's description.
    pub current_ma: Option<u16>,
    /// Proportional gain of every servo, in its own units; `None`: that of the stiffness in the hand's description.
    pub gain_p: Option<u16>,
    /// Go on with a USB adapter that holds answers back, slowly.
    pub allow_usb_latency: bool,
    /// Zeros that nobody measured will do.
    pub allow_described_zeros: bool,
    /// Name of the object that a hand which is no hand is said to hold; `None`: its own.
    pub object: Option<String>,
}

/// Opens a driver for a hand.
pub type OpenDriver = fn(&RobotModel, &DriverOptions, Arc<dyn Clock>) -> Result<Box<dyn HandDriver>, DriverError>;

/// One driver.
pub struct DriverRow {
    /// Name, as in `--driver`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Opens it. At most, torque is taken off: an earlier program may have died and left servos pushing.
    pub open: OpenDriver,
}

/// Every driver of this crate.
pub static DRIVERS: &[DriverRow] = &[
    DriverRow {
        name: "scripted",
        doc: "no hand at all: joints that follow their targets with a lag, for trying out the link",
        open: |robot, options, _| Ok(Box::new(ScriptedDriver::new(robot).holding(options.object.as_deref()))),
    },
    #[cfg(feature = "dynamixel")]
    DriverRow {
        name: "dynamixel",
        doc: "the LEAP hand, or another of Dynamixel XC330 or XL330 servos, on a serial port (never run on a real one)",
        open: |robot, options, clock| Ok(Box::new(dynamixel::DynamixelDriver::open(robot, options, clock)?)),
    },
];
