//! A hand in another simulator, in another language, in another process: nothing is shared but the protocol.

use crate::support::needs::python;
use crate::support::{Controller, TinyPolicy, run_in, train};
use std::path::Path;
use std::process::Command;

const PACKAGES: &str = "zmq, msgpack, mujoco, numpy, tomllib";

/// A hand and a cube with properties that nobody is told.
fn mujoco_hand(python: &str) -> Controller {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridge/examples/python/mujoco_hand.py");
    Controller::start(|endpoint| {
        let mut command = Command::new(python);
        command.arg(&script).args(["--seed", "3", "--lockstep", "--bind", endpoint]);
        command
    })
}

#[test]
fn a_policy_moves_a_hand_in_mujoco_behind_a_controller_in_python() {
    let Some(python) = python(PACKAGES, "a policy moves a hand in MuJoCo") else {
        return;
    };
    let controller = mujoco_hand(&python);
    let tiny = TinyPolicy::shared();
    let arguments = ["deploy", "run", "--connect", &controller.endpoint, "--episodes", "1", "--json"];
    let deployed = run_in(tiny.home(), &arguments).json();
    assert_eq!(deployed["mode"], "lock-step");
    assert_eq!(deployed["clipped_count"], 0, "two envelopes of the same description differ: {deployed}");
    assert!(deployed["control_steps"].as_u64().unwrap() > 0, "{deployed}");
    assert_eq!(deployed["score"]["episodes"], 1, "the object is tracked, so there is a score: {deployed}");
    // The same comparison that finds giraffe's own controller equal must find another simulator different, and say so.
    let paired = run_in(tiny.home(), &[&arguments[..], &["--paired"]].concat());
    assert_eq!(paired.code, Some(1), "{paired:#?}");
    let json: serde_json::Value = serde_json::from_str(&paired.stdout).unwrap();
    assert_eq!((&json["paired"]["episodes"], &json["paired"]["equal"]), (&1.into(), &0.into()), "{json}");
}

#[test]
fn a_policy_that_reads_poses_acts_on_the_tracker_of_a_hand_in_mujoco_and_its_goals_are_counted() {
    let Some(python) = python(PACKAGES, "a policy with goals moves a hand in MuJoCo") else {
        return;
    };
    let controller = mujoco_hand(&python);
    let home = tempfile::tempdir().unwrap();
    train(home.path(), "run", 3, &["--set", "task=turn-goals", "--set", "dials.episode_secs=10"]);
    let arguments = ["deploy", "run", "--connect", &controller.endpoint, "--episodes", "2", "--json"];
    let deployed = run_in(home.path(), &arguments).json();
    assert_eq!((&deployed["mode"], &deployed["score"]["episodes"]), (&"lock-step".into(), &2.into()), "{deployed}");
    let outcomes = &deployed["score"]["outcomes"];
    assert!(outcomes.get("unreadable").is_none() && outcomes.get("unseen").is_none(), "it is seen: {deployed}");
    assert!(deployed["score"]["measures"]["goals_per_30_secs"].is_object(), "goals are told and counted: {deployed}");
}
