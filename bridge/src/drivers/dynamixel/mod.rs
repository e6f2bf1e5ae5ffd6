//! Hands of Dynamixel X servos on one serial port: LEAP with its sixteen XC330-M288, or the light one with XL330-M288.
//!
//! Written after ROBOTIS' manuals and LEAP's own client, tested against an emulated bus. It has not run on a real hand.
//!
//! A new driver knows its hand and nothing of the port. Whenever the port is opened, the first thing said on it is "torque
//! off", to every servo, whatever is found out afterwards. [`HandDriver::release`] hears from each that it has none;
//! [`HandDriver::make_ready`] finds out who they are, if that is not known, and sets them up (about a third of a second for
//! sixteen). The first [`HandDriver::command`] after a release gives torque where the joints stand, then leads them on.
//!
//! | file | about |
//! | --- | --- |
//! | `registers.rs` | the control table |
//! | `port.rs`, `bus.rs` | bounded transactions on the bus |
//! | `timing.rs` | how long they take, and how often the loop can turn |
//! | `angles.rs` | ticks and radians |
//! | `strength.rs` | currents and torques, gains and stiffness |
//! | `settings.rs`, `setup.rs` | who is there, and the start-up order |
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
mod strength;
mod timing;

pub use angles::{joint_angle_of, ticks_of};
pub use port::UsbAdapter;
pub use settings::{DynamixelSettings, Gains};

use super::DriverOptions;
use crate::calibration::{Calibration, JointWire, wiring};
use crate::clock::Clock;
use crate::driver::{BusIdentity, Calibrated, DriverError, HandDriver, ServoHealth};
use crate::envelope::SafeTargets;
use bus::Bus;
use giraffe_robots::{RobotModel, Signal, SignalFrame};
use monitor::Monitor;
use power::{Retry, Torque};
use registers::{GOAL_CURRENT, GOAL_POSITION, PRESENT, VELOCITY_UNIT_RAD_PER_SEC, bytes, unsigned};
use std::sync::Arc;
use strength::Strength;
use timing::{Line, Timing, USUAL_LATENCY_SECS};

/// Servos behind a serial port.
pub struct DynamixelDriver {
    robot: RobotModel,
    wires: Vec<JointWire>,
    ids: Vec<u8>,
    strengths: Vec<Strength>,
    settings: DynamixelSettings,
    calibration: Option<Calibration>,
    clock: Arc<dyn Clock>,
    bus: Option<Bus>,
    /// How long things take on the line as it is now.
    timing: Timing,
    /// What was promised of the loop when the servos were first found, s.
    promised_secs: Option<f64>,
    /// Who is behind the port; `None` until that was found out since it was opened.
    identity: Option<BusIdentity>,
    torque: Torque,
    /// Whether each servo is set up; a restart undoes it.
    ready: Vec<bool>,
    /// A servo failed to answer while there was torque: it may have restarted.
    suspicious: bool,
    monitor: Monitor,
    /// Looking for a port that is gone.
    port_retry: Retry,
    /// Finding out about servos and setting them up.
    setup_retry: Retry,
}

impl DynamixelDriver {
    /// A driver of `robot`; nothing is opened. `calibration`: what was found out about this very hand.
    ///
    /// # Errors
    /// When the description does not say which servo moves a joint or how strong it is, a setting makes no sense, or a turn of
    /// the loop does not fit onto the line.
    pub fn new(
        robot: &RobotModel,
        settings: DynamixelSettings,
        calibration: Option<Calibration>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DriverError> {
        settings.check()?;
        let wires = wiring(robot, calibration.as_ref())?;
        angles::check_ranges(robot, &wires)?;
        let strengths = strength::strengths(robot, &settings)?;
        let timing = line(&settings, wires.len(), USUAL_LATENCY_SECS).fitting(robot, &settings)?;
        let count = wires.len();
        Ok(Self {
            robot: robot.clone(),
            ids: wires.iter().map(|wire| wire.id).collect(),
            wires,
            strengths,
            calibration,
            clock,
            bus: None,
            timing,
            promised_secs: None,
            identity: None,
            torque: Torque::Unknown,
            ready: vec![false; count],
            suspicious: false,
            monitor: Monitor::default(),
            port_retry: Retry::default(),
            setup_retry: Retry::default(),
            settings,
        })
    }

    /// A driver with the servos at `options.port`, connected. Servos that the description names are told to let go before
    /// anything is looked at that could be refused: an earlier program may have died and left them pushing.
    ///
    /// # Errors
    /// When an option is missing or wrong, or the servos are not there.
    pub fn open(robot: &RobotModel, options: &DriverOptions, clock: Arc<dyn Clock>) -> Result<Self, DriverError> {
        let Some(port) = &options.port else {
            let reason = "no port is given; expected something like --port /dev/serial/by-id/usb-FTDI_...";
            return Err(DriverError::new("opening the servo bus", reason));
        };
        let mut settings = DynamixelSettings::new(port);
        settings.baud = options.baud.unwrap_or(settings.baud);
        settings.current_ma = options.current_ma;
        settings.gain_p = options.gain_p;
        settings.allow_usb_latency = options.allow_usb_latency;
        settings.allow_described_zeros = options.allow_described_zeros;
        let calibration = options.calibration.as_deref();
        let load = || calibration.map(|path| Calibration::load(path, robot)).transpose();
        Self::open_with(robot, settings, load, clock)
    }

    /// The same with settings, and with a calibration that is read once the servos were told to let go.
    ///
    /// # Errors
    /// As [`DynamixelDriver::open`].
    pub fn open_with(
        robot: &RobotModel,
        settings: DynamixelSettings,
        load: impl FnOnce() -> Result<Option<Calibration>, DriverError>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DriverError> {
        let described: Vec<u8> = robot.joints.iter().filter_map(|joint| Some(joint.device?.id)).collect();
        let bus = Bus::open_and_let_go(&settings.port, settings.baud, &described, Arc::clone(&clock))?;
        let mut driver = Self::new(robot, settings, load()?, clock)?;
        driver.take_port(bus)?;
        driver.find_out()?;
        Ok(driver)
    }

    /// Opens the port, tells the servos to let go, and finds out which are there and how they are. Writes nothing else to them.
    ///
    /// # Errors
    /// When the port cannot be used, a servo does not answer or is another one than the calibration says.
    pub fn connect(&mut self) -> Result<(), DriverError> {
        self.open_port()?;
        self.find_out()
    }

    /// Uses a port that was just opened; the servos of the calibration may be others than those of the description.
    fn take_port(&mut self, mut bus: Bus) -> Result<(), DriverError> {
        bus.let_go_unheard(&self.ids)?;
        bus.allow_fast_reads(self.settings.fast_sync_read);
        self.bus = Some(bus);
        self.timing = line(&self.settings, self.ids.len(), self.adapter().latency_secs()).timing();
        self.identity = None;
        self.torque = Torque::Unknown;
        self.ready.fill(false);
        Ok(())
    }

    fn adapter(&self) -> UsbAdapter {
        UsbAdapter::below(&self.settings.usb_devices, &self.settings.port)
    }

    /// Whether a turn of the loop fits onto the line as it is now.
    fn check_line(&mut self) -> Result<(), DriverError> {
        let adapter = self.adapter();
        if !self.settings.allow_usb_latency {
            adapter.check_latency()?;
        }
        let line = line(&self.settings, self.ids.len(), adapter.latency_secs());
        let timing = line.fitting(&self.robot, &self.settings)?;
        self.timing = timing;
        if let Some(promised_secs) = self.promised_secs.filter(|promised_secs| timing.period_secs > *promised_secs) {
            let reason = format!(
                "a turn of the loop takes {:.1} ms behind the adapter as it is now, and {:.1} ms were promised when this \
                 program started: set its latency timer to 1 ms again, or start this program again",
                1e3 * timing.period_secs,
                1e3 * promised_secs
            );
            return Err(DriverError::new("going on with the servo bus", reason));
        }
        Ok(())
    }

    /// Finds out who is behind the port and how they are. Only reads.
    fn find_out(&mut self) -> Result<(), DriverError> {
        self.check_line()?;
        let (path, adapter) = (&self.settings.port, self.adapter());
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("finding out about the servos", "the port is not open"));
        };
        let names: Vec<String> = self.robot.joints.iter().map(|joint| joint.name.clone()).collect();
        let servos = setup::identify(bus, &names, &self.wires, self.timing)?;
        let port = path.display().to_string();
        let identity = BusIdentity { port, adapter_serial: adapter.serial_number().unwrap_or_default(), servos };
        if let Some(calibration) = &self.calibration {
            calibration
                .check_bus(&identity)
                .map_err(|reason| DriverError::new("holding the servos against their calibration", reason))?;
        }
        self.monitor.read_all(bus, &self.ids, self.timing)?;
        self.promised_secs.get_or_insert(self.timing.period_secs);
        self.identity = Some(identity);
        Ok(())
    }

    /// The name of a joint.
    fn name(&self, joint: usize) -> &str {
        &self.robot.joints[joint].name
    }

    /// The bus, with so much time to use it.
    fn bus_for(&mut self, secs: f64) -> Result<&mut Bus, DriverError> {
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("using the servo bus", "it is not connected"));
        };
        bus.allow(secs, self.timing.attempt_secs);
        Ok(bus)
    }

    /// Reads the joints into `frame`.
    fn read_joints(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        if self.identity.is_none() && self.bus.is_some() {
            let reason = self.setup_retry.why("which servos these are is not known yet");
            return Err(DriverError::new("reading the joints", reason));
        }
        let ids = self.ids.clone();
        let answers = self.bus_for(self.timing.sense_secs)?.sync_read(&ids, PRESENT)?;
        let count = answers.len();
        let (mut position, mut velocity) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut current_a = Vec::with_capacity(count);
        for (joint, (data, alert)) in answers.iter().enumerate() {
            let wire = self.wires[joint];
            let ticks = unsigned(&data[6..10]) as i32;
            let units = unsigned(&data[2..6]) as i32;
            position.push(joint_angle_of(&wire, ticks));
            velocity.push((f64::from(units) * VELOCITY_UNIT_RAD_PER_SEC) as f32 * wire.sign);
            // A current, too, is of the joint: positive where it pushes toward larger angles.
            current_a.push(f32::from(unsigned(&data[0..2]) as u16 as i16) * registers::CURRENT_UNIT_A * wire.sign);
            self.monitor.note_alert(joint, *alert);
        }
        self.monitor.health.current_a = current_a;
        self.check_torque()?;
        frame.write(Signal::JointPosition, &position);
        frame.write(Signal::JointVelocity, &velocity);
        Ok(())
    }

    /// Puts currents and goals on the bus, both in every turn: nobody confirms them, so one that was lost must not stay lost.
    fn write_goals(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        let goals = self.goals(targets.positions_rad())?;
        let currents = self.currents(targets.effort_scales());
        let ids = self.ids.clone();
        let bus = self.bus_for(self.timing.command_secs)?;
        // Less current first: a goal that is far away meets it.
        bus.sync_write(&ids, GOAL_CURRENT, &currents)?;
        bus.sync_write(&ids, GOAL_POSITION, &goals)
    }

    /// Goal positions as bytes.
    fn goals(&self, positions_rad: &[f32]) -> Result<Vec<Vec<u8>>, DriverError> {
        let goal = |(joint, wire): (usize, &JointWire)| {
            let ticks = positions_rad.get(joint).and_then(|angle| ticks_of(wire, *angle)).ok_or_else(|| {
                // The envelope lets no such target through, so this is a mistake of ours.
                let reason = "there is no finite target for it";
                DriverError::new(format!("moving servo {} ({})", wire.id, self.name(joint)), reason)
            })?;
            Ok(bytes(GOAL_POSITION, ticks as u32))
        };
        self.wires.iter().enumerate().map(goal).collect()
    }

    /// Goal currents as bytes.
    fn currents(&self, effort_scales: &[f32]) -> Vec<Vec<u8>> {
        let current = |(strength, scale): (&Strength, &f32)| {
            let ma = (f32::from(strength.current_ma) * scale.clamp(0.0, 1.0)).round() as u16;
            bytes(GOAL_CURRENT, u32::from(ma))
        };
        self.strengths.iter().zip(effort_scales).map(current).collect()
    }
}

/// The line that settings speak of, behind an adapter that is so quick.
fn line(settings: &DynamixelSettings, joint_count: usize, latency_secs: f64) -> Line {
    Line { baud: settings.baud, latency_secs, joint_count, slack_secs: settings.slack_secs }
}

impl HandDriver for DynamixelDriver {
    fn loop_period_secs(&self) -> f32 {
        self.promised_secs.unwrap_or(self.timing.period_secs) as f32
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
            let attempted = format!("moving servo {} ({})", self.ids[joint], self.name(joint));
            return Err(DriverError::new(attempted, "it is not set up; torque goes off first"));
        }
        if self.torque != Torque::On {
            self.engage(targets.effort_scales())?;
        }
        self.check_watchdog()?;
        self.write_goals(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.reopen()?;
        match self.torque {
            Torque::Off => Ok(()),
            Torque::On | Torque::Unknown => self.power_down(),
        }
    }

    fn make_ready(&mut self) -> Result<(), DriverError> {
        self.set_up_again()
    }

    fn notes(&self) -> Vec<String> {
        let found = self.identity.as_ref().map_or(&[][..], |identity| &identity.servos);
        strength::objections(&self.robot, &self.strengths, found)
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
        Some(self.identity.clone().unwrap_or_default())
    }
}
