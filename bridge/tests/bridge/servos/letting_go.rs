//! Servos that may push because a program died or a cable broke: torque goes off first, whatever else is wrong.

use super::{Bench, get_ready, sensed};
use crate::controller::{await_that, clock};
use giraffe_bridge::drivers::dynamixel::{DynamixelDriver, DynamixelSettings};
use giraffe_bridge::{DriverError, HandDriver};
use std::time::Duration;

const READ: u8 = 0x02;
const SYNC_WRITE: u8 = 0x83;
const TORQUE_ENABLE: u16 = 64;

/// A bench whose servos have torque, and the driver that gave it to them.
fn pushing() -> (Bench, DynamixelDriver) {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    assert!((1..=3).all(|id| bench.servos.has_torque(id)));
    (bench, driver)
}

/// Asks for a release until it has an answer of the servos, and returns that.
fn release_of_servos(driver: &mut DynamixelDriver) -> Result<(), DriverError> {
    let mut done = driver.release();
    for _ in 0..100 {
        // The port may not be looked for again yet.
        match &done {
            Err(error) if !error.attempted.contains("torque") => {
                std::thread::sleep(Duration::from_millis(20));
                done = driver.release();
            }
            _ => break,
        }
    }
    done
}

#[test]
fn after_a_lost_port_torque_off_is_said_first_and_an_absent_servo_keeps_no_other_pushing() {
    let (mut bench, mut driver) = pushing();
    bench.servos.unplug();
    assert!(driver.release().is_err(), "nobody can be told");
    // A cable that breaks may take a servo with it.
    bench.servos.bus().servo(3).faults.absent = true;
    bench.servos.bus().take_said();
    bench.servos.plug().unwrap();
    let error = release_of_servos(&mut driver).unwrap_err().to_string();
    assert!(error.contains("servo 3 (thumb_bend)") && !error.contains("1 (") && !error.contains("2 ("), "{error}");
    assert!(!bench.servos.has_torque(1) && !bench.servos.has_torque(2), "the others let go");
    let said = bench.servos.bus().take_said();
    assert_eq!(said[0], (SYNC_WRITE, TORQUE_ENABLE), "before anything is asked: {said:?}");
    bench.servos.bus().servo(3).faults.absent = false;
    driver.release().unwrap();
    assert!(!bench.servos.any_torque());
    get_ready(&mut driver);
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
}

#[test]
fn an_adapter_that_came_back_slow_is_told_to_let_go_and_hears_it_and_then_is_refused() {
    let (mut bench, mut driver) = pushing();
    bench.servos.unplug();
    assert!(driver.release().is_err());
    bench.servos.plug().unwrap();
    // Who replugs an adapter gets the latency timer of the factory, 16 ms. More here, so that a busy machine is no excuse:
    // nobody would wait for so long behind a quick adapter.
    bench.hold_answers_back("200");
    for servo in bench.servos.bus().servos() {
        servo.faults.reply_delay_ms = 200;
    }
    release_of_servos(&mut driver).unwrap();
    assert!(!bench.servos.any_torque());
    let error = driver.make_ready().unwrap_err().to_string();
    assert!(error.contains("latency_timer") && error.contains("200 ms"), "{error}");
    let at = bench.robot.home_rad.clone();
    assert!(driver.command(&bench.targets(&at, 1.0)).is_err() && !bench.servos.any_torque());
}

#[test]
fn a_slower_adapter_than_the_loop_was_promised_is_refused_even_where_slow_ones_are_allowed() {
    let mut bench = Bench::new();
    let settings = DynamixelSettings { allow_usb_latency: true, ..bench.settings() };
    let mut driver = bench.driver_with(settings);
    driver.connect().unwrap();
    let promised_secs = driver.loop_period_secs();
    get_ready(&mut driver);
    bench.servos.unplug();
    driver.sense(&mut super::frame()).unwrap_err();
    bench.servos.plug().unwrap();
    bench.hold_answers_back("16");
    release_of_servos(&mut driver).unwrap();
    let error = driver.make_ready().unwrap_err().to_string();
    assert!(error.contains("were promised"), "{error}");
    assert_eq!(driver.loop_period_secs(), promised_secs);
}

#[test]
fn a_program_that_refuses_to_start_after_a_crash_has_taken_torque_off_first() {
    type Wrong = (&'static str, fn(&Bench), fn(&mut DynamixelSettings));
    let nothing: fn(&mut DynamixelSettings) = |_| {};
    let cases: [Wrong; 5] = [
        ("no answer from 3", |bench| bench.servos.bus().servo(3).faults.absent = true, nothing),
        ("model number 1060", |bench| bench.servos.bus().servo(3).set16(0, 1060), nothing),
        ("latency_timer", |bench| bench.hold_answers_back("16"), nothing),
        ("one turn takes", |_| {}, |settings| settings.bus_watchdog = 1),
        ("the gain P is 0", |_| {}, |settings| settings.gain_p = Some(0)),
    ];
    for (said, break_it, set) in cases {
        let (bench, driver) = pushing();
        drop(driver);
        break_it(&bench);
        let mut settings = bench.settings();
        set(&mut settings);
        let refused = DynamixelDriver::open_with(&bench.robot, settings, || Ok(None), clock()).map(drop).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        await_that(|| !bench.servos.has_torque(1) && !bench.servos.has_torque(2));
    }
    let (bench, driver) = pushing();
    drop(driver);
    let broken = || Err(DriverError::new("reading the calibration", "it is half a file"));
    let refused = DynamixelDriver::open_with(&bench.robot, bench.settings(), broken, clock()).map(drop).unwrap_err();
    assert!(refused.to_string().contains("half a file"), "{refused}");
    await_that(|| !bench.servos.any_torque());
}

#[test]
fn a_program_that_dies_while_it_gives_torque_leaves_no_servo_without_its_watchdog() {
    let bench = Bench::new();
    let mut driver = bench.driver_with(DynamixelSettings { slack_secs: 0.08, bus_watchdog: 25, ..bench.settings() });
    driver.connect().unwrap();
    get_ready(&mut driver);
    // The third servo takes no torque, so giving it ends in the middle.
    bench.servos.bus().servo(3).faults.forgets = Some(TORQUE_ENABLE);
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap_err();
    drop(driver);
    assert!(bench.servos.has_torque(1) && bench.servos.has_torque(2), "it died before it could take it off");
    await_that(|| (1..=2).all(|id| bench.servos.bus().servo(id).watchdog_tripped()));
}

#[test]
fn what_is_not_known_since_the_port_came_back_is_not_believed() {
    let (mut bench, mut driver) = pushing();
    bench.servos.unplug();
    assert!(driver.release().is_err());
    bench.servos.plug().unwrap();
    bench.servos.bus().servo(2).set16(20, 512);
    release_of_servos(&mut driver).unwrap();
    let before = bench.servos.heard(READ);
    let error = driver.make_ready().unwrap_err().to_string();
    assert!(error.contains("servo 2") && error.contains("Homing Offset"), "{error}");
    assert!(bench.servos.heard(READ) > before);
    let mut frame = super::frame();
    let error = driver.sense(&mut frame).unwrap_err().to_string();
    assert!(error.contains("Homing Offset"), "angles of servos that may be shifted are no angles: {error}");
}
