//! ROBOTIS' own library against the emulated bus: what the driver is tested with is what the vendor's code expects.

use super::servo_bus::EmulatedBus;
use crate::needs::python;
use std::process::Command;

#[test]
fn the_vendors_library_agrees_with_the_emulated_bus() {
    let Some(python) = python("dynamixel_sdk", "the vendor's library agrees with the emulated bus") else { return };
    let folder = tempfile::tempdir().unwrap();
    let servos = EmulatedBus::start(4, folder.path()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sdk_against_servo_bus.py");
    let output = Command::new(python).arg(script).arg(servos.port()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all agree"), "{said}");
}
