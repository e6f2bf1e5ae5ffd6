//! What servos are set to.

use crate::driver::DriverError;
use std::path::PathBuf;

/// Where Linux keeps USB serial adapters.
const USB_SERIAL_DEVICES: &str = "/sys/bus/usb-serial/devices";

/// Gains of a servo's position loop, in its own units (P/128, I/65536, D/16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gains {
    /// Proportional.
    pub p: u16,
    /// Integral.
    pub i: u16,
    /// Derivative.
    pub d: u16,
}

/// How the servos at a port are used. How often the loop turns is no setting: it follows from the line, and so do currents and
/// gains from the hand's description, unless they are said here.
#[derive(Debug, Clone, PartialEq)]
pub struct DynamixelSettings {
    /// Serial port.
    pub port: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// Largest current of every servo at full effort, mA; `None`: that of the description's torque. LEAP's own client says 500,
    /// or 350 for the light hand.
    pub current_ma: Option<u16>,
    /// Proportional gain of every servo; `None`: that of the description's stiffness. LEAP's own client says 600, which has run
    /// on many hands.
    pub gain_p: Option<u16>,
    /// Silence on the bus after which servos with torque stop by themselves, in 20 ms.
    pub bus_watchdog: u8,
    /// What this computer and USB add to each question on the bus, s.
    pub slack_secs: f64,
    /// Serve even when the USB adapter holds answers back.
    pub allow_usb_latency: bool,
    /// Zeros of the joints that nobody measured will do.
    pub allow_described_zeros: bool,
    /// Whether answers of several servos are asked for in one packet, where firmware can.
    pub fast_sync_read: bool,
    /// Where Linux says what USB serial adapters there are.
    pub usb_devices: PathBuf,
}

impl DynamixelSettings {
    /// Defaults for the servos at `port`.
    pub fn new(port: impl Into<PathBuf>) -> Self {
        Self {
            port: port.into(),
            baud: 4_000_000,
            current_ma: None,
            gain_p: None,
            bus_watchdog: 10,
            slack_secs: 2e-3,
            allow_usb_latency: false,
            allow_described_zeros: false,
            fast_sync_read: true,
            usb_devices: USB_SERIAL_DEVICES.into(),
        }
    }

    pub(super) fn check(&self) -> Result<(), DriverError> {
        let wrong = |what: &str, found: String, expected: &str| {
            Err(DriverError::new("setting up the servos", format!("{what} is {found}; expected {expected}")))
        };
        if !(1..=127).contains(&self.bus_watchdog) {
            return wrong("the Bus Watchdog (20 ms each)", self.bus_watchdog.to_string(), "1 to 127");
        }
        if self.baud == 0 {
            return wrong("the baud rate", "0".to_owned(), "9600 to 4000000");
        }
        if !(self.slack_secs > 0.0 && self.slack_secs < 1.0) {
            return wrong("the slack of a question on the bus (s)", self.slack_secs.to_string(), "above 0, below 1");
        }
        Ok(())
    }
}
