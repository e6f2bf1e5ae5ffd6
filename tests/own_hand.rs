//! A user's own hand by path: what the program says about it, and that a run with it is one like any other.

use crate::support::hands::{PINCH, write};
use crate::support::{TINY, run_in};
use std::path::Path;

#[test]
fn a_file_is_described_with_what_was_assumed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "my/pinch.urdf", PINCH);
    let described = run_in(folder.path(), &["describe", "my/pinch.urdf", "--json"]);
    let json = described.json();
    assert_eq!(json["robot"]["joints"][0]["name"], "left_bend");
    let entries = json["import"]["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["action"] == "assumed" && entry["file"] == "pinch.urdf"), "{entries:?}");
    assert!(json["import"]["robot_toml"].as_str().unwrap().contains("left_bend"));
    for part in ["not in giraffe's own form", "assumed      pinch.urdf", "stiffness"] {
        assert!(described.stderr.contains(part), "`{part}` is not in {}", described.stderr);
    }
    let built_in = run_in(folder.path(), &["describe", "--robot", "leap-right"]);
    assert!(!built_in.stderr.contains("giraffe's own form") && built_in.stdout.contains("leap-right"), "{built_in:?}");
}

#[test]
fn a_run_with_a_hand_of_ones_own_and_another_object_is_a_run_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "my/pinch.urdf", PINCH);
    let begin = ["train", "--robot", "my/pinch.urdf", "--object", "sphere", "--out", "run", "--steps", "64"];
    let trained = run_in(folder.path(), &[&begin[..], &TINY[..]].concat());
    assert_eq!(trained.code, Some(0), "{trained:#?}");
    assert!(trained.stderr.contains("assumed      pinch.urdf"), "{trained:#?}");
    let config: toml::Table = std::fs::read_to_string(folder.path().join("run/config.toml")).unwrap().parse().unwrap();
    assert_eq!(config["object"].as_str(), Some("sphere"));
    assert!(Path::new(config["robot"].as_str().unwrap()).is_absolute());
    // From another folder, and with the flags instead of the settings of the run.
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let resumed = run_in(&elsewhere, &["train", "--resume", "../run", "--steps", "128"]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    let score = run_in(&elsewhere, &["evaluate", "../run", "--episodes", "2", "--object", "cube-70mm", "--json"]);
    assert!(score.json()["none"].is_object(), "{score:#?}");
    let other = run_in(&elsewhere, &["evaluate", "../run", "--episodes", "2", "--robot", "leap-right"]);
    assert_eq!(other.code, Some(2), "{other:#?}");
}

#[test]
fn a_file_that_cannot_be_is_one_message_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "heavy.urdf", &PINCH.replacen("<mass value=\"0.05\"/>", "<mass value=\"-1\"/>", 1));
    write(folder.path(), "huge.xml", &" ".repeat(3 << 20));
    for (arguments, part) in [
        (["describe", "heavy.urdf"], "heavy.urdf:3: body `left`: mass -1 kg"),
        (["train", "--robot=heavy.urdf"], "heavy.urdf:3: body `left`: mass -1 kg"),
        (["describe", "huge.xml"], "huge.xml is larger"),
        (["describe", "none.urdf"], "none.urdf"),
        (["train", "--robot=none"], "MJCF or URDF file"),
        (["train", "--object=cub"], "there is no object"),
    ] {
        let refused = run_in(folder.path(), &arguments);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        let messages: Vec<&str> = refused.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(messages.len() == 1 && messages[0].contains(part), "`{part}` is not in {refused:#?}");
    }
}
