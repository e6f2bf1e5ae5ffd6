//! ROBOTIS' own library against the emulated bus: what the driver is tested with is what the vendor's code expects.

use super::servo_bus::EmulatedBus;
use std::process::Command;

/// The Python that has ROBOTIS' `dynamixel_sdk`; `None` where there is none.
fn python() -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a test may ask which Python to use")]
    let python = std::env::var("GIRAFFE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import dynamixel_sdk"]).output();
    found.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
fn the_vendors_library_agrees_with_the_emulated_bus() {
    let Some(python) = python() else {
        eprintln!("left out: needs a Python with dynamixel-sdk (bridge/examples/python/requirements.txt)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let servos = EmulatedBus::start(4, folder.path()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sdk_against_servo_bus.py");
    let output = Command::new(python).arg(script).arg(servos.port()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("all agree"), "{said}");
}
