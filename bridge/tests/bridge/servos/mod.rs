//! The driver for Dynamixel servos, on an emulated bus. No real servo was ever behind it.

mod calibration;
mod driver;
mod faults;
mod letting_go;
mod over_link;
mod sdk;
#[path = "../../servo_bus/mod.rs"]
mod servo_bus;
mod wiggle;

use crate::controller::clock;
use crate::hand::small_hand;
use giraffe_bridge::drivers::dynamixel::{DynamixelDriver, DynamixelSettings};
use giraffe_bridge::{EnvelopeSpec, HandDriver, SafeTargets, SafetyEnvelope};
use giraffe_robots::{Nanos, RobotModel, ServoKind, Signal, SignalFrame, SignalLayout};
use servo_bus::EmulatedBus;
use std::f32::consts::PI;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// One tick of a servo, rad.
const TICK_RAD: f32 = 2.0 * PI / 4096.0;

/// The small hand with servos 1, 2, 3 that stand at pi where its joints stand at zero. One joint is softer. Commanded slowly:
/// this machine may be busy.
fn servo_hand() -> RobotModel {
    let mut robot = small_hand();
    robot.joints[0].name = "finger_mcp_side".to_owned();
    // 0.175 N m are 350 mA; P 600 is 600 / 128 x 651.9 ticks/rad x 0.5 mN m = 1.528 N m/rad.
    robot.servos = Some(ServoKind { model: "XC330-M288".to_owned(), torque_constant_newton_m_per_a: 0.5 });
    for joint in &mut robot.joints {
        joint.device.as_mut().unwrap().zero_rad = PI;
        joint.effort_limit_newton_m = 0.175;
        joint.stiffness_newton_m_per_rad = 1.528;
    }
    robot.joints[0].stiffness_newton_m_per_rad = 0.75 * 1.528;
    robot.control.period_secs = 0.6;
    robot.safety.hold_after_secs = 1.8;
    robot
}

/// Servos on a bus, and the hand they belong to.
struct Bench {
    folder: TempDir,
    servos: EmulatedBus,
    robot: RobotModel,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servos = EmulatedBus::start(4, folder.path()).unwrap();
        Self { folder, servos, robot: servo_hand() }
    }

    /// Patient: this machine may be busy.
    fn settings(&self) -> DynamixelSettings {
        DynamixelSettings {
            slack_secs: 0.15,
            bus_watchdog: 100,
            usb_devices: self.usb_devices(),
            ..DynamixelSettings::new(self.servos.port())
        }
    }

    /// Where Linux says what USB adapters there are; nothing unless [`Bench::hold_answers_back`] was called.
    fn usb_devices(&self) -> PathBuf {
        self.folder.path().join("devices")
    }

    /// The port is that of a USB adapter with this latency timer, until it is plugged in anew.
    fn hold_answers_back(&self, latency_timer: &str) {
        let device = std::fs::canonicalize(self.servos.port()).unwrap().file_name().unwrap().to_owned();
        let device = self.usb_devices().join(device);
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("latency_timer"), latency_timer).unwrap();
    }

    fn new_driver(&self) -> DynamixelDriver {
        self.driver_with(self.settings())
    }

    fn driver_with(&self, settings: DynamixelSettings) -> DynamixelDriver {
        DynamixelDriver::new(&self.robot, settings, None, clock()).unwrap()
    }

    /// Connected, set up, torque off.
    fn driver(&self) -> DynamixelDriver {
        let mut driver = self.new_driver();
        driver.connect().unwrap();
        get_ready(&mut driver);
        driver
    }

    fn envelope(&self, at_rad: &[f32]) -> SafetyEnvelope {
        SafetyEnvelope::new(EnvelopeSpec::of(&self.robot), at_rad).unwrap()
    }

    /// These very targets, as an envelope lets them through that has time.
    fn targets(&self, at_rad: &[f32], effort_scale: f32) -> SafeTargets {
        self.envelope(at_rad).hold(effort_scale)
    }

    /// Commands `at_rad` until it should have been reached.
    fn go(&self, driver: &mut DynamixelDriver, at_rad: &[f32]) {
        for _ in 0..15 {
            driver.command(&self.targets(at_rad, 1.0)).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Torque off, set up.
fn get_ready(driver: &mut DynamixelDriver) {
    driver.release().unwrap();
    driver.make_ready().unwrap();
}

fn frame() -> SignalFrame {
    let mut frame = SignalFrame::new(SignalLayout { joint_count: 3, action_count: 3, ..SignalLayout::default() });
    frame.begin(Nanos(1));
    frame
}

/// Whether two poses are the same to a tick.
fn near(one: &[f32], other: &[f32]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() <= TICK_RAD)
}

/// What the driver senses now.
fn sensed(driver: &mut DynamixelDriver) -> Vec<f32> {
    let mut frame = frame();
    driver.sense(&mut frame).unwrap();
    frame.read(Signal::JointPosition).unwrap().to_vec()
}
