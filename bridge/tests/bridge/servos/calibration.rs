//! A calibration file is of one hand, and says what is wrong with it.

use super::{Bench, servo_hand};
use crate::controller::clock;
use giraffe_bridge::calibration::{Calibration, JointCalibration, SeenBy, Zeros, wiring};
use giraffe_bridge::drivers::DriverOptions;
use giraffe_bridge::drivers::dynamixel::DynamixelDriver;
use giraffe_bridge::{BusIdentity, Calibrated, HandDriver, ServoIdentity};

pub fn valid() -> Calibration {
    let joints = servo_hand().joints.into_iter().map(|joint| JointCalibration {
        name: joint.name,
        id: joint.device.unwrap().id,
        sign: 1,
        offset_rad: 0.0,
        asked_rad: 0.05,
        moved_rad: 0.049,
    });
    let servo = |id| ServoIdentity { id, model: "XC330-M288".to_owned(), firmware: 52 };
    let bus = BusIdentity {
        port: "servo-bus".to_owned(),
        adapter_serial: String::new(),
        servos: [1, 2, 3].into_iter().map(servo).collect(),
    };
    Calibration {
        hand: "small-hand".to_owned(),
        kinematics: "kinematics".to_owned(),
        date: "2026-11-23".to_owned(),
        tool: "a test".to_owned(),
        seen_by: SeenBy::Operator,
        zeros: Zeros::Measured,
        bus,
        joints: joints.collect(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hand.toml");
    let calibration = valid();
    calibration.save(&path).unwrap();
    assert_eq!(Calibration::load(&path, &servo_hand()).unwrap(), calibration);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let mut other = valid();
    other.joints[0].offset_rad = 0.01;
    assert_ne!(other.id(), calibration.id());
}

#[test]
fn mistakes_name_joint_and_field() {
    type Mistake = (fn(&mut Calibration), &'static [&'static str]);
    let cases: [Mistake; 9] = [
        (|c| c.hand = "leap-right".to_owned(), &["leap-right", "small-hand"]),
        (|c| c.kinematics = "older".to_owned(), &["kinematics", "giraffe wiggle"]),
        (|c| c.joints[1].name = "finger_bent".to_owned(), &["finger_bent", "did you mean `finger_bend`"]),
        (|c| c.joints[1].sign = 0, &["finger_bend", "sign is 0"]),
        (|c| c.joints[1].offset_rad = f32::NAN, &["finger_bend", "offset_rad is NaN"]),
        (|c| c.joints[1].offset_rad = 0.5, &["finger_bend", "offset_rad is 0.5", "horn"]),
        (|c| c.joints[1].id = 1, &["finger_bend", "id 1"]),
        (|c| c.joints.truncate(2), &["thumb_bend", "missing"]),
        (|c| c.joints[1].name = "thumb_bend".to_owned(), &["thumb_bend", "twice"]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hand.toml");
    for (break_it, said) in cases {
        let mut calibration = valid();
        break_it(&mut calibration);
        calibration.save(&path).unwrap();
        let error = Calibration::load(&path, &servo_hand()).unwrap_err().to_string();
        assert!(said.iter().all(|word| error.contains(word)) && error.contains("hand.toml"), "{error}");
    }
    std::fs::write(&path, "hand = 3").unwrap();
    assert!(Calibration::load(&path, &servo_hand()).is_err());
    let error = Calibration::load(&folder.path().join("none.toml"), &servo_hand()).unwrap_err().to_string();
    assert!(error.contains("none.toml") && error.contains("giraffe wiggle"), "{error}");
}

#[test]
fn wires_are_those_of_the_file() {
    let mut calibration = valid();
    calibration.joints[0].id = 9;
    calibration.joints[2].sign = -1;
    calibration.joints[2].offset_rad = 0.1;
    let wires = wiring(&servo_hand(), Some(&calibration)).unwrap();
    assert_eq!((wires[0].id, wires[0].sign), (9, 1.0));
    assert_eq!((wires[2].sign, wires[2].zero_rad), (-1.0, std::f32::consts::PI + 0.1));
}

#[test]
fn a_driver_takes_only_a_calibration_of_the_servos_that_are_there() {
    let bench = Bench::new();
    let path = bench.folder.path().join("hand.toml");
    let options = DriverOptions {
        port: Some(bench.servos.port().to_owned()),
        calibration: Some(path.clone()),
        ..DriverOptions::default()
    };
    let open = || DynamixelDriver::open(&bench.robot, &options, clock());
    valid().save(&path).unwrap();
    assert_eq!(open().unwrap().calibration(), Calibrated::Valid { id: valid().id() });

    let mut newer = valid();
    newer.bus.servos[0].firmware = 40;
    newer.save(&path).unwrap();
    assert!(open().is_ok(), "firmware may be updated");

    let mut other_model = valid();
    other_model.bus.servos[2].model = "XL330-M288".to_owned();
    other_model.save(&path).unwrap();
    let error = open().map(drop).unwrap_err().to_string();
    assert!(error.contains("servo 3") && error.contains("XL330-M288") && error.contains("XC330-M288"), "{error}");

    let mut other_adapter = valid();
    other_adapter.bus.adapter_serial = "FT4THXYZ".to_owned();
    other_adapter.save(&path).unwrap();
    let error = open().map(drop).unwrap_err().to_string();
    assert!(error.contains("FT4THXYZ"), "{error}");

    let mut unseen = valid();
    unseen.seen_by = SeenBy::Nobody;
    unseen.save(&path).unwrap();
    assert!(matches!(open().unwrap().calibration(), Calibrated::Missing { .. }), "nobody looked");
}

#[test]
fn zeros_that_nobody_measured_arm_no_real_hand_unless_that_is_allowed() {
    let bench = Bench::new();
    let path = bench.folder.path().join("hand.toml");
    let open = |allow_described_zeros| {
        let (port, calibration) = (Some(bench.servos.port().to_owned()), Some(path.clone()));
        let options = DriverOptions { port, calibration, allow_described_zeros, ..DriverOptions::default() };
        DynamixelDriver::open(&bench.robot, &options, clock()).unwrap().calibration()
    };
    let described = Calibration { zeros: Zeros::Described, ..valid() };
    described.save(&path).unwrap();
    let Calibrated::Missing { detail } = open(false) else { panic!("it does not count") };
    assert!(detail.contains("zeros") && detail.contains("--flat"), "{detail}");
    assert_eq!(open(true), Calibrated::Valid { id: described.id() });
    // A file of before, which cannot say it.
    let text = std::fs::read_to_string(&path).unwrap().replace("zeros = \"described\"\n", "");
    std::fs::write(&path, text).unwrap();
    assert!(matches!(open(false), Calibrated::Missing { .. }));
    valid().save(&path).unwrap();
    assert_eq!(open(false), Calibrated::Valid { id: valid().id() });
}
