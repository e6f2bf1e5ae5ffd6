//! Servos and cables that fail: bounded in time, named, never made-up angles, torque off in the end.

use super::servo_bus::servo::Servo;
use super::{Bench, frame, get_ready, near, sensed};
use giraffe_bridge::drivers::dynamixel::{DynamixelDriver, DynamixelSettings};
use giraffe_bridge::{Clock, DriverError, Fault, HandDriver, MonotonicClock, ServoAlarm};
use giraffe_robots::Signal;
use std::time::Duration;

/// What is done to a servo.
type Break = fn(&mut Servo);

/// Far above what a call may take, far below forever.
const BOUNDED_SECS: f64 = 3.0;

/// What sensing fails with. It writes nothing then.
fn failure(driver: &mut DynamixelDriver) -> String {
    let clock = MonotonicClock::start();
    let mut frame = frame();
    let error = driver.sense(&mut frame).unwrap_err();
    assert_eq!(frame.read(Signal::JointPosition), None, "no made-up angles: {error}");
    assert_eq!(frame.read(Signal::JointVelocity), None);
    assert!(clock.now().as_secs() < BOUNDED_SECS, "{error}");
    error.to_string()
}

fn setup_error(break_it: impl FnOnce(&mut Servo)) -> String {
    let bench = Bench::new();
    break_it(bench.servos.bus().servo(2));
    let mut driver = bench.new_driver();
    let clock = MonotonicClock::start();
    let error = driver.connect().and_then(|()| driver.release()).and_then(|()| driver.make_ready()).unwrap_err();
    assert!(clock.now().as_secs() < BOUNDED_SECS, "{error}");
    let mut bus = bench.servos.bus();
    assert!(bus.servos().iter().all(|servo| !servo.has_torque()), "nothing has torque");
    error.to_string()
}

#[test]
fn what_is_wrong_at_the_start_names_servo_register_expected_and_found() {
    type Case = (&'static str, Break, &'static [&'static str]);
    let cases: [Case; 11] = [
        ("absent", |servo| servo.faults.absent = true, &["2 (finger_bend)", "no answer", "baud"]),
        ("another model", |servo| servo.set16(0, 1060), &["servo 2", "1060", "1240"]),
        (
            "gain forgotten",
            |servo| servo.faults.forgets = Some(84),
            &["servo 2", "Position P Gain", "84", "400", "600"],
        ),
        ("EEPROM locked", |servo| servo.faults.eeprom_locked = true, &["servo 2", "Return Delay Time", "error 7"]),
        ("reversed", |servo| servo.set8(10, 1), &["servo 2", "Drive Mode", "is 1", "expected 0"]),
        ("shifted", |servo| servo.set16(20, 100), &["servo 2", "Homing Offset", "register 20", "is 100", "expected 0"]),
        (
            "shifted the other way",
            |servo| [20, 22].into_iter().zip([-100i16 as u16, 0xFFFF]).for_each(|(at, value)| servo.set16(at, value)),
            &["servo 2", "Homing Offset", "is -100"],
        ),
        ("torque at start-up", |servo| servo.set8(60, 1), &["servo 2", "Startup Configuration"]),
        ("little current", |servo| servo.set16(38, 300), &["servo 2", "Current Limit", "300", "350"]),
        ("no protection", |servo| servo.set8(63, 0), &["servo 2", "Shutdown", "expected 36"]),
        ("too hot allowed", |servo| servo.set8(31, 90), &["servo 2", "Temperature Limit", "90"]),
    ];
    for (what, break_it, said) in cases {
        let error = setup_error(break_it);
        assert!(said.iter().all(|word| error.contains(word)), "{what}: {error}");
    }
}

#[test]
fn all_that_are_missing_are_named_and_retries_end() {
    let bench = Bench::new();
    bench.servos.bus().servo(1).faults.absent = true;
    bench.servos.bus().servo(3).faults.absent = true;
    let error = bench.new_driver().connect().unwrap_err().to_string();
    assert!(error.contains("1 (finger_mcp_side)") && error.contains("3 (thumb_bend)"), "{error}");
    assert!(!error.contains("finger_bend"), "{error}");
    assert_eq!(bench.servos.heard(0x02), 7, "three attempts for each of two, one for the third");
}

#[test]
fn one_broken_answer_costs_nothing() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let breaks: [fn(&Bench); 4] = [
        |bench| bench.servos.bus().servo(2).faults.corrupt_replies = 1,
        |bench| bench.servos.bus().servo(2).faults.wrong_id_replies = 1,
        |bench| bench.servos.bus().garbage = vec![0xFF, 0x12, 0xFD, 0x00, 0x55, 0x01],
        |bench| bench.servos.bus().garbage = vec![0xFF, 0xFF, 0xFD, 0x00, 0xFE, 0xFF, 0xFF],
    ];
    for break_it in breaks {
        break_it(&bench);
        assert!(near(&sensed(&mut driver), &[0.0; 3]));
    }
}

#[test]
fn answers_that_stay_broken_end_in_an_error_that_names_the_servo() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let breaks: [(&str, Break); 4] = [
        ("absent", |servo| servo.faults.absent = true),
        ("bad CRC", |servo| servo.faults.corrupt_replies = 1000),
        ("wrong id", |servo| servo.faults.wrong_id_replies = 1000),
        ("late", |servo| servo.faults.reply_delay_ms = 200),
    ];
    for (what, break_it) in breaks {
        break_it(bench.servos.bus().servo(3));
        let said = bench.servos.heard(0x82) + bench.servos.heard(0x8A);
        let error = failure(&mut driver);
        assert!(error.contains("servo 3"), "{what}: {error}");
        let asked = bench.servos.heard(0x82) + bench.servos.heard(0x8A) - said;
        assert!(asked <= 3, "{what}: asked {asked} times");
        bench.servos.bus().servo(3).faults = Default::default();
        // Late answers still come in.
        std::thread::sleep(Duration::from_millis(700));
        assert!(near(&sensed(&mut driver), &[0.0; 3]), "after {what}");
    }
}

#[test]
fn old_firmware_is_asked_the_plain_way() {
    let bench = Bench::new();
    bench.servos.bus().knows_fast_sync_read = false;
    let mut driver = bench.driver();
    for _ in 0..8 {
        assert!(near(&sensed(&mut driver), &[0.0; 3]));
    }
    assert_eq!(bench.servos.heard(0x8A), 3, "and no more in the fast one");
}

#[test]
fn a_servo_that_answers_no_more_keeps_no_other_under_torque() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    // Sensing waits for answers, so what was written before has arrived.
    sensed(&mut driver);
    bench.servos.bus().servo(1).faults.absent = true;
    // What is said to all of them at once reaches none of them, this time.
    bench.servos.bus().lost_sync_writes = 1;
    let clock = MonotonicClock::start();
    let error = driver.release().unwrap_err().to_string();
    assert!(error.contains("servo 1") && clock.now().as_secs() < BOUNDED_SECS, "{error}");
    assert!(!error.contains("2 (") && !error.contains("3 ("), "only the dead one is named: {error}");
    assert!(!bench.servos.has_torque(2) && !bench.servos.has_torque(3));
    bench.servos.bus().servo(1).faults.absent = false;
    driver.release().unwrap();
    assert!(!bench.servos.has_torque(1), "and it is not forgotten");
}

#[test]
fn a_servo_that_restarted_is_noticed_and_set_up_again() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    // Longer than the driver asks for it in one turn.
    bench.servos.bus().servo(2).reboot_secs = 0.8;
    bench.servos.bus().servo(2).reboot();
    assert!(failure(&mut driver).contains("servo 2"));
    std::thread::sleep(Duration::from_millis(1200));
    let error = failure(&mut driver);
    assert!(error.contains("servo 2") && error.contains("torque"), "it is back, with other gains: {error}");
    let error = driver.command(&bench.targets(&at, 1.0)).unwrap_err().to_string();
    assert!(error.contains("servo 2"), "{error}");
    assert_eq!(bench.servos.bus().servo(2).get16(84), 400, "as from the factory");
    get_ready(&mut driver);
    assert_eq!(bench.servos.bus().servo(2).get16(84), 600);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
}

#[test]
fn an_unplugged_port_is_named_and_comes_back() {
    let mut bench = Bench::new();
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    let port = bench.servos.port().display().to_string();
    bench.servos.unplug();
    let error = failure(&mut driver);
    assert!(error.contains(&port) && error.contains("gone"), "{error}");
    assert!(driver.command(&bench.targets(&at, 1.0)).is_err());
    let clock = MonotonicClock::start();
    for _ in 0..100 {
        let error = driver.release().unwrap_err().to_string();
        assert!(error.contains(&port), "{error}");
    }
    assert!(clock.now().as_secs() < BOUNDED_SECS, "looking for it is rare and short");
    bench.servos.plug().unwrap();
    let back = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        driver.release().is_ok()
    });
    assert!(back && !bench.servos.has_torque(1));
    driver.make_ready().unwrap();
    assert!(near(&sensed(&mut driver), &at));
    driver.command(&bench.targets(&at, 1.0)).unwrap();
}

#[test]
fn a_dead_controller_is_outlived_by_the_servos_own_watchdog() {
    let bench = Bench::new();
    // 25 x 20 ms: longer than by default, since this machine may be busy.
    let mut driver = bench.driver_with(DynamixelSettings { slack_secs: 0.08, bus_watchdog: 25, ..bench.settings() });
    driver.connect().unwrap();
    get_ready(&mut driver);
    let wanted = bench.targets(&[0.0, 1.5, 0.0], 1.0);
    driver.command(&wanted).unwrap();
    // Killed: it says nothing more, and takes no torque off.
    drop(driver);
    std::thread::sleep(Duration::from_millis(1200));
    let stopped_at = bench.servos.bus().servo(2).position_ticks;
    for id in 1..=3 {
        assert!(bench.servos.bus().servo(id).watchdog_tripped(), "servo {id}");
        assert_eq!(bench.servos.bus().servo(id).write(116, &2048u32.to_le_bytes()), Err(4), "goals are locked");
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bench.servos.bus().servo(2).position_ticks, stopped_at);
    // Its next life begins from there.
    let mut driver = bench.driver();
    assert!(!bench.servos.bus().servo(2).watchdog_tripped());
    assert!(!bench.servos.has_torque(2));
    bench.go(&mut driver, &[0.0, 0.2, 0.0]);
    assert!((sensed(&mut driver)[1] - 0.2).abs() < 0.01);
}

#[test]
fn a_controller_that_hung_is_told_that_its_servos_have_stopped() {
    let bench = Bench::new();
    let mut driver = bench.driver_with(DynamixelSettings { slack_secs: 0.08, bus_watchdog: 25, ..bench.settings() });
    driver.connect().unwrap();
    get_ready(&mut driver);
    let targets = bench.targets(&[0.0, 0.0, 0.0], 1.0);
    driver.command(&targets).unwrap();
    std::thread::sleep(Duration::from_millis(800));
    let error = driver.command(&targets).unwrap_err().to_string();
    assert!(error.contains("silent") && error.contains("500 ms"), "{error}");
    driver.release().unwrap();
    driver.command(&targets).unwrap();
}

fn alarms(driver: &mut DynamixelDriver) -> Vec<ServoAlarm> {
    // The bit is seen in one turn, its reason read in that turn or the next.
    for _ in 0..3 {
        sensed(driver);
    }
    driver.health().unwrap().alarms.clone()
}

#[test]
fn a_servo_too_hot_is_told_and_restarts_only_when_it_has_cooled() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    bench.go(&mut driver, &[0.0, 0.2, 0.0]);
    bench.servos.bus().servo(2).faults.heating_celsius_per_sec = 400.0;
    std::thread::sleep(Duration::from_millis(300));
    bench.servos.bus().servo(2).faults.heating_celsius_per_sec = 0.0;
    assert!(!bench.servos.has_torque(2), "it protects itself");
    let told = alarms(&mut driver);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].joint, told[0].fault), (1, Fault::OverTemperature));
    assert!(told[0].detail.contains("servo 2"), "{told:?}");

    driver.release().unwrap();
    bench.servos.bus().servo(2).temperature_celsius = 69.0;
    let refused = driver.clear_alarms().unwrap_err().to_string();
    assert!(refused.contains("servo 2") && refused.contains("69"), "{refused}");
    assert_eq!(bench.servos.heard(0x08), 0, "no restart before the cause is gone");
    assert_eq!(alarms(&mut driver).len(), 1);

    bench.servos.bus().servo(2).temperature_celsius = 50.0;
    driver.clear_alarms().unwrap();
    assert_eq!(bench.servos.heard(0x08), 1);
    assert_eq!(alarms(&mut driver), []);
    assert_eq!(bench.servos.bus().servo(2).get16(84), 600, "set up from the beginning");
    assert!(!bench.servos.has_torque(1));
    let at = sensed(&mut driver);
    driver.command(&bench.targets(&at, 1.0)).unwrap();
    assert!(bench.servos.has_torque(2));
}

#[test]
fn every_bit_of_hardware_error_status_is_told_apart() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let bits = [
        (0, Fault::Voltage),
        (2, Fault::OverTemperature),
        (3, Fault::BusError),
        (4, Fault::BusError),
        (5, Fault::Overload),
    ];
    for (bit, fault) in bits {
        bench.servos.bus().servo(3).trip(1 << bit);
        let told = alarms(&mut driver);
        assert_eq!(told.iter().map(|alarm| (alarm.joint, alarm.fault)).collect::<Vec<_>>(), [(2, fault)], "bit {bit}");
        driver.clear_alarms().unwrap();
    }
    bench.servos.bus().servo(1).faults.stuck_alert = true;
    let told = alarms(&mut driver);
    assert!(told.len() == 1 && told[0].fault == Fault::BusError && told[0].detail.contains("servo 1"), "{told:?}");
    let refused: DriverError = driver.clear_alarms().unwrap_err();
    assert!(refused.to_string().contains("tripped again"), "a restart did not help: {refused}");
}
