//! Hands that files from everywhere say there are: silly, but no reason for a run to end in anything but words.

use crate::support::run_in;
use std::fmt::Write as _;

/// Three fingers of two links of 6 g on servos of 6 N m, each a box of 16 mm, with `pitch_m` from one to the next.
fn close_fingers(pitch_m: f64) -> String {
    let mut text = String::from(
        r#"<robot name="close"><link name="palm"><inertial><mass value="0.3"/>
        <inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/></inertial>
        <collision><origin xyz="-0.02 0 0"/><geometry><box size="0.1 0.09 0.04"/></geometry></collision></link>"#,
    );
    for finger in 0..3_i8 {
        let mut parent = "palm".to_owned();
        for part in ["a", "b"] {
            let name = format!("{part}{finger}");
            let at =
                if part == "a" { format!("0.04 {} 0", pitch_m * f64::from(1 - finger)) } else { "0.045 0 0".into() };
            let _ = write!(
                text,
                r#"<link name="{name}"><inertial><origin xyz="0.02 0 0"/><mass value="0.006"/>
                <inertia ixx="1e-6" iyy="1e-6" izz="1e-6" ixy="0" ixz="0" iyz="0"/></inertial>
                <collision><origin xyz="0.02 0 0"/><geometry><box size="0.04 0.016 0.016"/></geometry></collision></link>
                <joint name="bend_{name}" type="revolute"><parent link="{parent}"/><child link="{name}"/>
                <origin xyz="{at}"/><axis xyz="0 -1 0"/><limit lower="0" upper="1.8" effort="6" velocity="5"/></joint>"#
            );
            parent = name;
        }
    }
    text + "</robot>"
}

#[test]
fn fingers_that_touch_each_other_are_trained_with_under_every_seed_and_however_finely() {
    let folder = tempfile::tempdir().unwrap();
    for (run, pitch_m, more) in [
        ("first", 0.016_2, &["--seed", "1"][..]),
        ("second", 0.016_2, &["--seed", "2"]),
        ("finer", 0.016_2, &["--seed", "1", "--set", "physics.solver_iteration_count=8"]),
        ("inside", 0.015, &["--seed", "1"]),
        ("full", 0.016, &["--seed", "3", "--set", "randomization.preset=full"]),
    ] {
        std::fs::write(folder.path().join("close.urdf"), close_fingers(pitch_m)).unwrap();
        let asked = ["train", "--robot", "close.urdf", "--steps", "8000", "--out", run, "--set", "ppo.core_width=16"];
        let trained = run_in(folder.path(), &[&asked[..], more].concat());
        assert_eq!(trained.code, Some(0), "{run}: {trained:#?}");
        for word in ["panicked", "lost its numbers"] {
            assert!(!trained.stderr.contains(word), "{run}: {trained:#?}");
        }
    }
}
