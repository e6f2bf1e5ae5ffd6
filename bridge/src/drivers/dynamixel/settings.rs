//! What servos are set to.

use crate::driver::DriverError;
use std::path::PathBuf;

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

/// What servos are set to. The defaults are LEAP's own (its Python client's, for the hand with XC330 servos).
///
/// Gains are not computed from the stiffness of the hand's description: in current-based position control that would
/// be P = stiffness * 128 / (652 ticks/rad * 0.517 N m/A * 1e-3 A), 1139 for 3 N m/rad, from a torque constant nobody
/// has measured on this hand. 600 has run on many hands. Identify the stiffness from logs, then train with it.
#[derive(Debug, Clone, PartialEq)]
pub struct DynamixelSettings {
    /// Serial port.
    pub port: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// Gains of every joint.
    pub gains: Gains,
    /// Joints whose names end so are softer...
    pub soft_suffix: &'static str,
    /// ... with gains P and D times this.
    pub soft_share: f32,
    /// Largest current at full effort, mA.
    pub goal_current_ma: u16,
    /// Silence on the bus after which servos with torque stop by themselves, in 20 ms.
    pub bus_watchdog: u8,
    /// Seconds of one turn of the controller's loop.
    pub loop_period_secs: f32,
    /// Serve even when the USB adapter holds answers back.
    pub allow_usb_latency: bool,
    /// Zeros of the joints that nobody measured will do.
    pub allow_described_zeros: bool,
    /// Whether answers of several servos are asked for in one packet, where firmware can.
    pub fast_sync_read: bool,
}

impl DynamixelSettings {
    /// Defaults for the servos at `port`.
    pub fn new(port: impl Into<PathBuf>) -> Self {
        Self {
            port: port.into(),
            baud: 4_000_000,
            gains: Gains { p: 600, i: 0, d: 200 },
            soft_suffix: "_mcp_side",
            soft_share: 0.75,
            goal_current_ma: 350,
            bus_watchdog: 10,
            loop_period_secs: 0.0125,
            allow_usb_latency: false,
            allow_described_zeros: false,
            fast_sync_read: true,
        }
    }

    /// Gains of one joint.
    pub fn gains_of(&self, joint: &str) -> Gains {
        if !joint.ends_with(self.soft_suffix) {
            return self.gains;
        }
        let soft = |gain: u16| (f32::from(gain) * self.soft_share).round() as u16;
        Gains { p: soft(self.gains.p), d: soft(self.gains.d), ..self.gains }
    }

    pub(super) fn check(&self) -> Result<(), DriverError> {
        let wrong = |what: &str, found: String, expected: &str| {
            Err(DriverError::new("setting up the servos", format!("{what} is {found}; expected {expected}")))
        };
        if !(1..=127).contains(&self.bus_watchdog) {
            return wrong("the Bus Watchdog (20 ms each)", self.bus_watchdog.to_string(), "1 to 127");
        }
        if self.goal_current_ma == 0 {
            return wrong("the largest current (mA)", "0".to_owned(), "above zero");
        }
        if !(self.loop_period_secs > 0.0 && self.loop_period_secs.is_finite()) {
            return wrong("the loop period (s)", self.loop_period_secs.to_string(), "above zero");
        }
        if f64::from(self.bus_watchdog) * 0.02 < 2.0 * f64::from(self.loop_period_secs) {
            return wrong(
                "the Bus Watchdog (20 ms each)",
                self.bus_watchdog.to_string(),
                "two turns of the loop or more",
            );
        }
        if !(0.0..=1.0).contains(&self.soft_share) {
            return wrong("the share of gains of soft joints", self.soft_share.to_string(), "0 to 1");
        }
        Ok(())
    }
}
