//! The control table of XC330 and XL330 servos, as far as it is used here, and its units.

use giraffe_robots::Limits;

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register {
    /// As in ROBOTIS' manual.
    pub name: &'static str,
    /// First byte.
    pub address: u8,
    /// Number of bytes, least significant first.
    pub length: u8,
}

const fn register(name: &'static str, address: u8, length: u8) -> Register {
    Register { name, address, length }
}

/// Model number (2 bytes), model information (4), firmware version (1), and so on to Homing Offset (4): what a servo is,
/// and what shifts the angles it speaks of.
pub(super) const IDENTITY: Register = register("Model Number to Homing Offset", 0, 24);
pub(super) const RETURN_DELAY: Register = register("Return Delay Time", 9, 1);
pub(super) const DRIVE_MODE: Register = register("Drive Mode", 10, 1);
pub(super) const HOMING_OFFSET: Register = register("Homing Offset", 20, 4);
pub(super) const OPERATING_MODE: Register = register("Operating Mode", 11, 1);
pub(super) const TEMPERATURE_LIMIT: Register = register("Temperature Limit", 31, 1);
pub(super) const CURRENT_LIMIT: Register = register("Current Limit", 38, 2);
pub(super) const STARTUP_CONFIGURATION: Register = register("Startup Configuration", 60, 1);
pub(super) const SHUTDOWN: Register = register("Shutdown", 63, 1);
pub(super) const TORQUE_ENABLE: Register = register("Torque Enable", 64, 1);
pub(super) const HARDWARE_ERROR: Register = register("Hardware Error Status", 70, 1);
pub(super) const POSITION_D: Register = register("Position D Gain", 80, 2);
pub(super) const POSITION_I: Register = register("Position I Gain", 82, 2);
pub(super) const POSITION_P: Register = register("Position P Gain", 84, 2);
pub(super) const BUS_WATCHDOG: Register = register("Bus Watchdog", 98, 1);
pub(super) const GOAL_CURRENT: Register = register("Goal Current", 102, 2);
pub(super) const PROFILE_ACCELERATION: Register = register("Profile Acceleration", 108, 4);
pub(super) const PROFILE_VELOCITY: Register = register("Profile Velocity", 112, 4);
pub(super) const GOAL_POSITION: Register = register("Goal Position", 116, 4);
/// Present current (2 bytes), velocity (4), position (4).
pub(super) const PRESENT: Register = register("Present Current, Velocity, Position", 126, 10);
/// Present input voltage (2 bytes), temperature (1).
pub(super) const SUPPLY: Register = register("Present Input Voltage, Temperature", 144, 3);

/// Current-based position control: the position loop's output is a current, capped by Goal Current.
pub(super) const CURRENT_BASED_POSITION: u32 = 5;
/// What Bus Watchdog reads after it tripped: -1.
pub(super) const WATCHDOG_TRIPPED: u32 = 0xFF;

/// Servos with this control table: model number and name. From ROBOTIS' manuals.
pub(super) const MODELS: &[(u16, &str)] = &[
    (1240, "XC330-M288"),
    (1230, "XC330-M181"),
    (1220, "XC330-T288"),
    (1210, "XC330-T181"),
    (1200, "XL330-M288"),
    (1190, "XL330-M077"),
];

/// Ticks of one turn.
pub(super) const TICKS_PER_TURN: f64 = 4096.0;
/// Unit of Present Velocity, rad/s: 0.229 rpm.
pub(super) const VELOCITY_UNIT_RAD_PER_SEC: f64 = 0.229 * std::f64::consts::TAU / 60.0;
/// Unit of currents, A. LEAP's own client says 1.34 mA, which is the unit of another servo.
pub(super) const CURRENT_UNIT_A: f32 = 1e-3;
/// Unit of voltages, V.
pub(super) const VOLTAGE_UNIT_V: f32 = 0.1;

/// Where a joint's goal may be, ticks: one turn. After power-on a servo knows where it is only within its turn.
pub(super) const GOAL_TICKS: Limits = Limits { lower: 0.0, upper: 4095.0 };

/// The unsigned number in `bytes`, least significant first.
pub(super) fn unsigned(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// `value` as the bytes of `register`.
pub(super) fn bytes(register: Register, value: u32) -> Vec<u8> {
    value.to_le_bytes()[..usize::from(register.length)].to_vec()
}
