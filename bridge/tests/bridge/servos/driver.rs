//! What the driver does with servos that work. The mistakes of LEAP's own client are tests here.

use super::servo_bus::wire;
use super::{Bench, TICK_RAD, frame, get_ready, sensed, servo_hand};
use crate::controller::clock;
use giraffe_bridge::calibration::{JointWire, wiring};
use giraffe_bridge::drivers::dynamixel::{DynamixelDriver, DynamixelSettings, UsbAdapter, joint_angle_of, ticks_of};
use giraffe_bridge::drivers::{DRIVERS, DriverOptions};
use giraffe_bridge::{Calibrated, HandDriver};
use giraffe_robots::{Signal, load_robot};
use proptest::prelude::*;
use std::f32::consts::PI;
use std::time::Duration;

const WRITE: u8 = 0x03;
const SYNC_WRITE: u8 = 0x83;
const FAST_SYNC_READ: u8 = 0x8A;

#[test]
fn a_new_driver_is_silent_a_connected_one_only_lets_go_and_reads_until_it_is_made_ready() {
    let bench = Bench::new();
    let mut driver = bench.new_driver();
    let said: u32 = (0..=255).map(|code| bench.servos.heard(code)).sum();
    assert_eq!(said, 0, "nothing is said before the driver connects");
    driver.connect().unwrap();
    assert_eq!(bench.servos.heard(WRITE), 0);
    assert_eq!(bench.servos.heard(SYNC_WRITE), bench.servos.writes_to(64), "it takes torque off and only reads");
    driver.release().unwrap();
    assert_eq!(bench.servos.heard(WRITE), 0);
    assert_eq!(bench.servos.bus().servo(2).get8(11), 3, "letting go is not setting up");
    driver.make_ready().unwrap();
    let mut bus = bench.servos.bus();
    for (id, p, d) in [(1, 450, 150), (2, 600, 200), (3, 600, 200)] {
        let servo = bus.servo(id);
        assert!(!servo.has_torque());
        assert_eq!((servo.get8(9), servo.get8(11), servo.get8(98)), (0, 5, 0), "delay, mode, watchdog of {id}");
        assert_eq!((servo.get16(84), servo.get16(82), servo.get16(80)), (p, 0, d), "gains of {id}");
        assert_eq!(servo.get16(102), 350);
    }
    assert_eq!(bus.servo(0).get8(11), 3, "a servo that is none of this hand's is left alone");
}

#[test]
fn eeprom_is_written_once_in_its_life() {
    let bench = Bench::new();
    drop(bench.driver());
    let worn = (bench.servos.writes_to(9), bench.servos.writes_to(11));
    assert_eq!(worn, (3, 3));
    drop(bench.driver());
    assert_eq!((bench.servos.writes_to(9), bench.servos.writes_to(11)), worn);
}

#[test]
fn nothing_jumps_when_torque_comes() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let places = [(1, 2200.0), (2, 1950.0), (3, 2500.0)];
    for (id, ticks) in places {
        // Goals of an earlier life lie elsewhere.
        bench.servos.bus().servo(id).position_ticks = ticks;
    }
    let at = sensed(&mut driver);
    let targets = bench.targets(&at, 1.0);
    for _ in 0..5 {
        driver.command(&targets).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        for (id, ticks) in places {
            let mut bus = bench.servos.bus();
            assert!(bus.servo(id).has_torque());
            assert!((bus.servo(id).position_ticks - ticks).abs() <= 1.0, "servo {id} left {ticks}");
            assert!(bus.servo(id).peak_current_ma < 20.0, "not even for a moment");
        }
    }
    assert_eq!(bench.servos.bus().servo(1).get8(98), 100, "the servos' own watchdog is on while they have torque");
}

#[test]
fn what_is_written_is_what_is_read_to_a_tick() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let wanted = [0.31, 0.777, -0.123];
    bench.go(&mut driver, &wanted);
    let found = sensed(&mut driver);
    for (wanted, found) in wanted.iter().zip(&found) {
        assert!((wanted - found).abs() <= TICK_RAD, "{wanted} was written, {found} is read");
    }
    let mut frame = frame();
    driver.sense(&mut frame).unwrap();
    assert!(frame.read(Signal::JointVelocity).unwrap().iter().all(|speed| speed.abs() < 0.1));
}

#[test]
fn the_first_reading_is_of_the_hand_and_not_of_nothing() {
    let bench = Bench::new();
    bench.servos.bus().servo(2).position_ticks = 2600.0;
    let mut driver = bench.new_driver();
    let mut frame = frame();
    assert!(driver.sense(&mut frame).is_err(), "nothing is connected yet");
    assert_eq!(frame.read(Signal::JointPosition), None, "no made-up angles");
    driver.connect().unwrap();
    let first = sensed(&mut driver);
    assert!((first[1] - 552.0 * TICK_RAD).abs() < 1e-5, "{first:?}");
}

proptest! {
    #[test]
    fn goals_are_the_nearest_tick_and_bounded(
        joint_rad in -2.5f32..2.5, sign in prop::bool::ANY, offset_rad in -0.3f32..0.3
    ) {
        let wire = JointWire { id: 1, sign: if sign { 1.0 } else { -1.0 }, zero_rad: PI + offset_rad };
        let ticks = ticks_of(&wire, joint_rad).unwrap();
        // Half a tick, and the last bits of an f32 angle. Cutting off would make it a whole one.
        prop_assert!((joint_angle_of(&wire, ticks) - joint_rad).abs() <= 0.5 * TICK_RAD + 2e-6);
        // The tick itself comes back as it went.
        prop_assert_eq!(ticks_of(&wire, joint_angle_of(&wire, ticks)), Some(ticks));
    }

    #[test]
    fn no_target_leaves_the_turn_and_none_that_is_no_number_becomes_one(bits in any::<u32>()) {
        let wire = JointWire { id: 1, sign: 1.0, zero_rad: PI };
        let angle = f32::from_bits(bits);
        match ticks_of(&wire, angle) {
            Some(ticks) => prop_assert!(!angle.is_nan() && (0..=4095).contains(&ticks)),
            None => prop_assert!(angle.is_nan()),
        }
    }
}

#[test]
fn a_flat_leap_stands_at_2048_and_every_joint_stays_within_its_servos_turn() {
    let robot = load_robot("leap-right").unwrap();
    for (joint, wire) in robot.joints.iter().zip(wiring(&robot, None).unwrap()) {
        assert_eq!(ticks_of(&wire, 0.0), Some(2048), "{}", joint.name);
        for end in [joint.position_limits_rad.lower, joint.position_limits_rad.upper] {
            let there = joint_angle_of(&wire, ticks_of(&wire, end).unwrap());
            assert!((there - end).abs() < TICK_RAD, "{}", joint.name);
        }
    }
    let mut bent = servo_hand();
    bent.joints[1].device.as_mut().unwrap().zero_rad = 5.0;
    let error = DynamixelDriver::new(&bent, DynamixelSettings::new("nowhere"), None, clock()).map(drop).unwrap_err();
    assert!(error.to_string().contains("finger_bend") && error.to_string().contains("one turn"), "{error}");
}

#[test]
fn effort_is_current_and_said_in_every_turn_so_that_a_lost_packet_is_made_up_for() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    sensed(&mut driver);
    assert_eq!(bench.servos.bus().servo(3).get16(102), 350);
    let written = bench.servos.writes_to(102);
    bench.servos.bus().lost_sync_writes = 1;
    driver.command(&bench.targets(&at, 0.7)).unwrap();
    // Sensing waits for answers, so what was written before has arrived, or never will.
    sensed(&mut driver);
    assert_eq!(bench.servos.bus().servo(3).get16(102), 350, "less current was lost on the way");
    driver.command(&bench.targets(&at, 0.7)).unwrap();
    sensed(&mut driver);
    assert_eq!(bench.servos.bus().servo(3).get16(102), 245);
    assert_eq!(bench.servos.writes_to(102), written + 2);
}

#[test]
fn a_current_has_the_sign_of_its_joint_and_not_of_its_servo() {
    let mut bench = Bench::new();
    bench.robot.joints[1].device.as_mut().unwrap().sign = -1.0;
    let mut driver = bench.driver();
    bench.servos.bus().servo(2).faults.blocked = true;
    bench.go(&mut driver, &[0.0, 0.5, 0.0]);
    sensed(&mut driver);
    let current_a = driver.health().unwrap().current_a[1];
    assert!((current_a - 0.35).abs() < 0.002, "it pushes toward larger angles: {current_a}");
    assert!((bench.servos.bus().servo(2).get16(126) as i16) < -300, "the servo toward smaller ones");
}

#[test]
fn a_blocked_finger_draws_no_more_than_it_may_in_true_amperes() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    bench.servos.bus().servo(2).faults.blocked = true;
    bench.go(&mut driver, &[0.0, 0.5, 0.0]);
    sensed(&mut driver);
    let current_a = driver.health().unwrap().current_a.clone();
    assert!((current_a[1] - 0.35).abs() < 0.002, "{current_a:?}: the unit of this servo is 1.0 mA");
    assert!(current_a[0].abs() < 0.05, "{current_a:?}");
}

#[test]
fn a_release_is_final_after_one_confirmation_and_can_be_repeated() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    driver.release().unwrap();
    // Sensing waits for answers, so what was written before has arrived.
    sensed(&mut driver);
    assert!(bench.servos.bus().servos().iter().all(|servo| !servo.has_torque() && servo.get8(98) == 0));
    let said = bench.servos.heard(SYNC_WRITE);
    driver.release().unwrap();
    assert_eq!(bench.servos.heard(SYNC_WRITE), said);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    assert!(bench.servos.has_torque(1), "and it can be given torque again");
}

#[test]
fn voltage_and_temperature_come_in_turn_without_asking_for_all_at_once() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let before = bench.servos.heard(0x02);
    bench.servos.bus().servo(3).temperature_celsius = 44.0;
    bench.servos.bus().servo(3).voltage_decivolt = 52;
    let mut told = Vec::new();
    for _ in 0..400 {
        let fast = bench.servos.heard(FAST_SYNC_READ);
        let single = bench.servos.heard(0x02);
        sensed(&mut driver);
        assert_eq!(bench.servos.heard(FAST_SYNC_READ), fast + 1, "joints in one question");
        assert!(bench.servos.heard(0x02) <= single + 1, "at most one servo besides");
        told = driver.health().unwrap().temperature_celsius.clone();
        if told[2] > 43.0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(told[2], 44.0);
    assert!((driver.health().unwrap().voltage_v[2] - 5.2).abs() < 1e-4);
    assert!(bench.servos.heard(0x02) - before < 60, "about six a second, however fast the loop");
}

#[test]
fn an_adapter_that_holds_answers_back_is_refused_with_the_cure() {
    let bench = Bench::new();
    let port = bench.servos.port();
    assert!(UsbAdapter::below(&bench.usb_devices(), port).check_latency().is_ok(), "a pty is no USB adapter");
    let devices = bench.folder.path().join("devices");
    let name = std::fs::canonicalize(port).unwrap().file_name().unwrap().to_owned();
    std::fs::create_dir_all(devices.join(&name)).unwrap();
    std::fs::write(devices.join("serial"), "FT4THXYZ\n").unwrap();
    for (text, fine) in [("16\n", false), ("2", false), ("?", false), ("1\n", true), ("0", true)] {
        std::fs::write(devices.join(&name).join("latency_timer"), text).unwrap();
        let adapter = UsbAdapter::below(&devices, port);
        let checked = adapter.check_latency();
        assert_eq!(checked.is_ok(), fine, "{text}");
        if let Err(error) = checked {
            let error = error.to_string();
            assert!(error.contains("latency_timer") && error.contains("udev") && error.contains("--allow"), "{error}");
        }
        assert_eq!(adapter.serial_number().as_deref(), Some("FT4THXYZ"));
    }
}

#[test]
fn a_slow_adapter_that_is_allowed_makes_turns_longer_and_the_hand_goes_on() {
    let bench = Bench::new();
    let quick_secs = bench.new_driver().loop_period_secs();
    bench.hold_answers_back("16");
    let settings = DynamixelSettings { allow_usb_latency: true, ..bench.settings() };
    let mut driver = bench.driver_with(settings);
    driver.connect().unwrap();
    // Two questions of 16 (or 1) + 150 ms, 1.5 ms of quiet, 75 ms to write, a tenth to spare; and what bytes take.
    let expected_secs = |latency_secs: f32| (2.0 * (latency_secs + 0.15) + 0.0015 + 0.075) / 0.9;
    let period_secs = driver.loop_period_secs();
    assert!((period_secs - expected_secs(0.016)).abs() < 2e-3, "{period_secs}");
    assert!((quick_secs - expected_secs(0.001)).abs() < 2e-3, "{quick_secs}");
    for servo in bench.servos.bus().servos() {
        servo.faults.reply_delay_ms = 16;
    }
    get_ready(&mut driver);
    bench.go(&mut driver, &[0.1, 0.3, 0.0]);
    assert!((sensed(&mut driver)[1] - 0.3).abs() < 0.01);
    driver.release().unwrap();
    assert!(!bench.servos.any_torque());
}

#[test]
fn a_line_too_slow_for_the_hand_is_refused_before_anything_moves() {
    let mut bench = Bench::new();
    bench.robot.control.period_secs = 0.2;
    // 3 servos: 17 + 63 bytes; at 9600 baud one question and its answers take 83 ms.
    let settings = DynamixelSettings { baud: 9_600, slack_secs: 2e-3, ..bench.settings() };
    let refused =
        |settings| DynamixelDriver::new(&bench.robot, settings, None, clock()).map(drop).unwrap_err().to_string();
    let error = refused(settings.clone());
    assert!(error.contains("9600 baud") && error.contains("every 200.0 ms") && error.contains("--baud"), "{error}");
    let error = refused(DynamixelSettings { baud: 4_000_000, slack_secs: 0.05, bus_watchdog: 10, ..settings });
    assert!(error.contains("watchdog stops them after 200 ms"), "{error}");
}

#[test]
fn what_the_servos_are_not_strong_enough_for_is_a_note_to_everybody() {
    let bench = Bench::new();
    let notes = |settings: DynamixelSettings| {
        let mut driver = bench.driver_with(settings);
        driver.connect().unwrap();
        driver.notes()
    };
    assert_eq!(notes(bench.settings()), Vec::<String>::new());
    let weak = notes(DynamixelSettings { current_ma: Some(175), ..bench.settings() });
    assert!(weak.len() == 1 && weak[0].contains("50 % of the torque"), "{weak:?}");
    bench.servos.bus().servo(3).set16(0, 1200);
    let other = notes(bench.settings());
    assert!(other.len() == 1 && other[0].contains("servo 3 is an XL330-M288"), "{other:?}");
}

#[test]
fn it_is_in_the_list_and_says_what_it_needs() {
    let row = DRIVERS.iter().find(|row| row.name == "dynamixel").unwrap();
    let error = (row.open)(&servo_hand(), &DriverOptions::default(), clock()).map(drop).unwrap_err().to_string();
    assert!(error.contains("--port"), "{error}");
    let bench = Bench::new();
    let options = DriverOptions { port: Some(bench.servos.port().to_owned()), ..DriverOptions::default() };
    let driver = (row.open)(&bench.robot, &options, clock()).unwrap();
    let Calibrated::Missing { detail } = driver.calibration() else { panic!("nobody calibrated it") };
    assert!(detail.contains("giraffe wiggle"), "{detail}");
    let servos = driver.identity().unwrap().servos;
    assert_eq!(servos.iter().map(|servo| servo.id).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(servos.iter().all(|servo| servo.model == "XC330-M288" && servo.firmware == 52));
}

#[test]
fn packets_are_those_of_the_manual() {
    // ROBOTIS' manual, protocol 2.0: ping of id 1, and read of 132, 4 bytes.
    let ping = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x03, 0x00, 0x01, 0x19, 0x4E];
    assert_eq!(wire::crc16(&ping[..8]).to_le_bytes(), ping[8..]);
    let read = [0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x07, 0x00, 0x02, 0x84, 0x00, 0x04, 0x00, 0x1D, 0x15];
    assert_eq!(wire::crc16(&read[..12]).to_le_bytes(), read[12..]);
    let odd = [0xFF, 0xFF, 0xFD, 0xFD, 0xFF, 0xFF, 0xFF, 0xFD];
    assert_eq!(wire::stuff(&odd), [0xFF, 0xFF, 0xFD, 0xFD, 0xFD, 0xFF, 0xFF, 0xFF, 0xFD, 0xFD]);
    assert_eq!(wire::unstuff(&wire::stuff(&odd)), odd);
}
