//! Hands of Dynamixel X servos on one serial port: LEAP with its sixteen XC330-M288, or the light one with XL330-M288.
//!
//! Written after ROBOTIS' manuals and LEAP's own client, tested against an emulated bus. It has not run on a real hand.
//!
//! A new driver knows its hand and nothing of the port; [`DynamixelDriver::connect`] opens the port and only reads. The
//! first [`HandDriver::release`] takes torque off and sets the servos up (about a third of a second for sixteen). The
//! first [`HandDriver::command`] after a release gives torque where the joints stand, then leads them on.
//!
//! | file | about |
//! | --- | --- |
//! | `registers.rs` | the control table |
//! | `port.rs`, `bus.rs` | bounded transactions on the bus |
//! | `angles.rs` | ticks and radians |
//! | `settings.rs`, `setup.rs` | gains, limits, the start-up order |
//! | `power.rs` | torque on and off, restart after an alarm, the port coming back |
//! | `monitor.rs` | what servos say of themselves |

mod angles;
mod bus;
mod monitor;
mod port;
mod power;
mod registers;
mod settings;
mod setup;

pub use angles::{joint_angle_of, ticks_of};
pub use port::UsbAdapter;
pub use settings::{DynamixelSettings, Gains};

use super::DriverOptions;
use crate::calibration::{Calibration, JointWire, wiring};
use crate::clock::MonotonicClock;
use crate::driver::{BusIdentity, Calibrated, DriverError, HandDriver, ServoHealth};
use crate::envelope::SafeTargets;
use bus::Bus;
use giraffe_robots::{RobotModel, Signal, SignalFrame};
use monitor::Monitor;
use power::Reconnection;
use registers::{GOAL_CURRENT, GOAL_POSITION, PRESENT, VELOCITY_UNIT_RAD_PER_SEC, bytes, unsigned};

/// Share of a turn of the loop that reading the joints may take.
const SENSE_SHARE: f64 = 0.6;
/// Share of a turn of the loop that a command may take.
const COMMAND_SHARE: f64 = 0.3;
/// Share of what is allowed that one attempt may wait for its answer: what comes broken is asked for again at once, what
/// does not come leaves time for one more.
const ATTEMPT_SHARE: f64 = 0.6;

/// Whether servos have torque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Torque {
    /// Every servo has confirmed that it has none.
    Off,
    /// Every servo has confirmed that it has.
    On,
    /// An earlier life of this program, or something that failed, may have left it on.
    Unknown,
}

/// Sixteen servos behind a serial port.
pub struct DynamixelDriver {
    names: Vec<String>,
    wires: Vec<JointWire>,
    ids: Vec<u8>,
    settings: DynamixelSettings,
    calibration: Option<Calibration>,
    clock: MonotonicClock,
    bus: Option<Bus>,
    identity: BusIdentity,
    torque: Torque,
    /// Whether each servo is set up; a restart undoes it.
    ready: Vec<bool>,
    /// A servo failed to answer while there was torque: it may have restarted.
    suspicious: bool,
    /// Currents last written, mA.
    current_ma: Vec<u16>,
    monitor: Monitor,
    reconnection: Reconnection,
}

impl DynamixelDriver {
    /// A driver of `robot`; nothing is opened. `calibration`: what was found out about this very hand.
    ///
    /// # Errors
    /// When the description does not say which servo moves a joint, or a setting makes no sense.
    pub fn new(
        robot: &RobotModel,
        settings: DynamixelSettings,
        calibration: Option<Calibration>,
    ) -> Result<Self, DriverError> {
        settings.check()?;
        let wires = wiring(robot, calibration.as_ref())?;
        angles::check_ranges(robot, &wires)?;
        let count = wires.len();
        Ok(Self {
            names: robot.joints.iter().map(|joint| joint.name.clone()).collect(),
            ids: wires.iter().map(|wire| wire.id).collect(),
            wires,
            calibration,
            clock: MonotonicClock::start(),
            bus: None,
            identity: BusIdentity::default(),
            torque: Torque::Unknown,
            ready: vec![false; count],
            suspicious: false,
            current_ma: vec![settings.goal_current_ma; count],
            monitor: Monitor::default(),
            reconnection: Reconnection::default(),
            settings,
        })
    }

    /// A driver with the servos at `options.port`, connected.
    ///
    /// # Errors
    /// When an option is missing or wrong, or the servos are not there.
    pub fn open(robot: &RobotModel, options: &DriverOptions) -> Result<Self, DriverError> {
        let Some(port) = &options.port else {
            let reason = "no port is given; expected something like --port /dev/serial/by-id/usb-FTDI_...";
            return Err(DriverError::new("opening the servo bus", reason));
        };
        let calibration = options.calibration.as_ref().map(|path| Calibration::load(path, robot)).transpose()?;
        let mut settings = DynamixelSettings::new(port);
        settings.baud = options.baud.unwrap_or(settings.baud);
        settings.allow_usb_latency = options.allow_usb_latency;
        settings.allow_described_zeros = options.allow_described_zeros;
        let mut driver = Self::new(robot, settings, calibration)?;
        driver.connect()?;
        Ok(driver)
    }

    /// Opens the port, and finds out which servos are there and how they are. Writes nothing to them.
    ///
    /// # Errors
    /// When the port cannot be used, a servo does not answer or is another one than the calibration says.
    pub fn connect(&mut self) -> Result<(), DriverError> {
        let path = &self.settings.port;
        let adapter = UsbAdapter::of_this_machine(path);
        if !self.settings.allow_usb_latency {
            adapter.check_latency()?;
        }
        let mut bus = Bus::open(path, self.settings.baud, self.clock)?;
        bus.allow_fast_reads(self.settings.fast_sync_read);
        let servos = setup::identify(&mut bus, &self.names, &self.wires)?;
        let port = path.display().to_string();
        let identity = BusIdentity { port, adapter_serial: adapter.serial_number().unwrap_or_default(), servos };
        if let Some(calibration) = &self.calibration {
            calibration
                .check_bus(&identity)
                .map_err(|reason| DriverError::new("holding the servos against their calibration", reason))?;
        }
        self.monitor.read_all(&mut bus, &self.ids)?;
        self.identity = identity;
        self.bus = Some(bus);
        self.torque = Torque::Unknown;
        self.ready.fill(false);
        Ok(())
    }

    /// The bus, with a share of a turn of the loop to use it.
    fn bus_for(&mut self, share: f64) -> Result<&mut Bus, DriverError> {
        let secs = share * f64::from(self.settings.loop_period_secs);
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("using the servo bus", "it is not connected"));
        };
        bus.allow(secs, ATTEMPT_SHARE * secs);
        Ok(bus)
    }

    /// Reads the joints into `frame`.
    fn read_joints(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        let ids = self.ids.clone();
        let answers = self.bus_for(SENSE_SHARE)?.sync_read(&ids, PRESENT)?;
        let count = answers.len();
        let (mut position, mut velocity) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut current_a = Vec::with_capacity(count);
        for (joint, (data, alert)) in answers.iter().enumerate() {
            let ticks = unsigned(&data[6..10]) as i32;
            let units = unsigned(&data[2..6]) as i32;
            position.push(joint_angle_of(&self.wires[joint], ticks));
            velocity.push((f64::from(units) * VELOCITY_UNIT_RAD_PER_SEC) as f32 * self.wires[joint].sign);
            current_a.push(f32::from(unsigned(&data[0..2]) as u16 as i16) * registers::CURRENT_UNIT_A);
            self.monitor.note_alert(joint, *alert);
        }
        self.monitor.health.current_a = current_a;
        self.check_torque()?;
        frame.write(Signal::JointPosition, &position);
        frame.write(Signal::JointVelocity, &velocity);
        Ok(())
    }

    /// Puts goals on the bus, and currents where they changed.
    fn write_goals(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        let goals = self.goals(targets.positions_rad())?;
        let currents = self.currents(targets.effort_scales());
        let changed: Vec<usize> =
            (0..goals.len()).filter(|joint| currents[*joint] != self.current_ma[*joint]).collect();
        let ids = self.ids.clone();
        let bus = self.bus_for(COMMAND_SHARE)?;
        if !changed.is_empty() {
            let changed_ids: Vec<u8> = changed.iter().map(|joint| ids[*joint]).collect();
            let data: Vec<Vec<u8>> =
                changed.iter().map(|joint| bytes(GOAL_CURRENT, u32::from(currents[*joint]))).collect();
            bus.sync_write(&changed_ids, GOAL_CURRENT, &data)?;
        }
        bus.sync_write(&ids, GOAL_POSITION, &goals)?;
        self.current_ma = currents;
        Ok(())
    }

    /// Goal positions as bytes.
    fn goals(&self, positions_rad: &[f32]) -> Result<Vec<Vec<u8>>, DriverError> {
        let goal = |(joint, wire): (usize, &JointWire)| {
            let ticks = positions_rad.get(joint).and_then(|angle| ticks_of(wire, *angle)).ok_or_else(|| {
                // The envelope lets no such target through, so this is a mistake of ours.
                let reason = "there is no finite target for it";
                DriverError::new(format!("moving servo {} ({})", wire.id, self.names[joint]), reason)
            })?;
            Ok(bytes(GOAL_POSITION, ticks as u32))
        };
        self.wires.iter().enumerate().map(goal).collect()
    }

    /// Goal currents, mA.
    fn currents(&self, effort_scales: &[f32]) -> Vec<u16> {
        let most = f32::from(self.settings.goal_current_ma);
        effort_scales.iter().map(|scale| (most * scale.clamp(0.0, 1.0)).round() as u16).collect()
    }
}

impl HandDriver for DynamixelDriver {
    fn loop_period_secs(&self) -> f32 {
        self.settings.loop_period_secs
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        let done = self.read_joints(frame);
        match &done {
            Ok(()) => self.watch_health(),
            Err(_) => self.suspicious = true,
        }
        done
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        if let Some(joint) = self.ready.iter().position(|ready| !ready) {
            let attempted = format!("moving servo {} ({})", self.ids[joint], self.names[joint]);
            return Err(DriverError::new(attempted, "it is not set up; torque goes off first"));
        }
        if self.torque != Torque::On {
            self.engage(targets.effort_scales())?;
        }
        self.check_watchdog()?;
        self.write_goals(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.reconnect()?;
        if self.torque != Torque::Off {
            self.power_down()?;
        }
        self.set_up_all()
    }

    fn is_released(&self) -> bool {
        self.torque == Torque::Off && self.bus.is_some()
    }

    fn health(&mut self) -> Option<&ServoHealth> {
        Some(&self.monitor.health)
    }

    fn clear_alarms(&mut self) -> Result<(), DriverError> {
        self.restart_alarmed()
    }

    fn calibration(&self) -> Calibrated {
        match &self.calibration {
            Some(calibration) => calibration.calibrated(self.settings.allow_described_zeros),
            None => Calibrated::Missing {
                detail: "no calibration was given: run `giraffe wiggle` and serve with --calibration".to_owned(),
            },
        }
    }

    fn identity(&self) -> Option<BusIdentity> {
        Some(self.identity.clone())
    }
}
