//! A run keeps the hand it was made with: whatever becomes of the file, and wherever the run is taken.

use crate::resume::assert_same;
use crate::support::hands::{PINCH, copy, write};
use crate::support::{Controller, giraffe, run_in, steps, train};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A run with a hand of one's own, of so many iterations.
fn own_run(home: &Path, name: &str, iterations: u64) -> PathBuf {
    write(home, "my/pinch.urdf", PINCH);
    train(home, name, iterations, &["--robot", "my/pinch.urdf"])
}

/// Something that every command of a run can be asked for, as JSON.
fn asked(home: &Path, run: &str) -> Vec<Value> {
    let json = |arguments: &[&str]| run_in(home, arguments).json();
    let mut compared = json(&[
        "compare-policies",
        "--policy",
        &format!("a={run}"),
        "--test",
        "wide",
        "--episodes",
        "3",
        "--out",
        "compared",
        "--json",
    ]);
    compared["test_sets"][0]["groups"][0]["runs"] = Value::Null;
    let mut replayed = json(&["replay", run, "--world", "1", "--json"]);
    let mut training = json(&["replay", run, "--training", "--world", "1", "--json"]);
    let mut plotted = json(&["plot", &format!("a={run}"), "--out", "plotted", "--json"]);
    plotted["runs"][0]["run"] = Value::Null;
    (replayed["run"], training["run"]) = (Value::Null, Value::Null);
    vec![json(&["evaluate", run, "--episodes", "4", "--json"]), compared, replayed, training, plotted]
}

#[test]
fn a_run_is_whole_without_the_file_of_its_hand_and_in_another_place() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let whole = own_run(home, "whole", 6);
    let run = own_run(home, "run", 3);
    let before = asked(home, "run");
    // The file is moved, the run is copied to another machine, and the first one is gone.
    std::fs::remove_dir_all(home.join("my")).unwrap();
    let elsewhere = home.join("elsewhere");
    copy(&run, &elsewhere.join("copied"));
    std::fs::remove_dir_all(&run).unwrap();
    assert_eq!(asked(&elsewhere, "copied"), before);

    let config = elsewhere.join("copied/config.toml");
    let serve = |endpoint: &str| {
        giraffe(["serve", "--driver", "sim", "--bind", endpoint, "--config", config.to_str().unwrap()])
    };
    let controller = Controller::start(serve);
    let deploy = ["deploy", "copied", "--paired", "--episodes", "2", "--json", "--connect", &controller.endpoint];
    let deployed = run_in(&elsewhere, &deploy).json();
    assert_eq!((&deployed["paired"]["episodes"], &deployed["paired"]["equal"]), (&2.into(), &2.into()), "{deployed}");
    let logs: Vec<_> = std::fs::read_dir(elsewhere.join("copied/deployments")).unwrap().collect();
    let log = logs[0].as_ref().unwrap().path();
    assert_eq!(run_in(&elsewhere, &["replay", log.to_str().unwrap(), "--json"]).json()["equal"], true);

    let resumed = run_in(&elsewhere, &["train", "--resume", "copied", "--steps", &steps(6)]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    assert_same(&whole, &elsewhere.join("copied"));
}

#[test]
fn what_has_changed_in_the_file_is_named_field_by_field_and_the_run_goes_on_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let whole = own_run(home, "whole", 6);
    let run = own_run(home, "run", 3);
    let evaluate = ["evaluate", "run", "--episodes", "3", "--json"];
    let before = run_in(home, &evaluate);
    assert!(!before.stderr.contains("has changed"), "{before:#?}");
    let heavy =
        PINCH.replacen("<mass value=\"0.05\"/>", "<mass value=\"0.1\"/>", 1).replacen("0.02 0\"/>", "0.03 0\"/>", 1);
    write(home, "my/pinch.urdf", &heavy.replace("upper=\"1.5\" effort=\"0.5\"", "upper=\"1.25\" effort=\"0.75\""));
    let after = run_in(home, &evaluate);
    assert_eq!(after.json(), before.json());
    let resumed = run_in(home, &["train", "--resume", "run", "--steps", &steps(6)]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    for said in [&after.stderr, &resumed.stderr] {
        for part in [
            "has changed since the run began",
            "bodies.left.mass_kg was 0.05, is 0.1",
            "joints.left_bend.effort_limit_newton_m was 0.5, is 0.75",
            "joints.left_bend.position_limits_rad.upper was 1.5, is 1.25",
            "goes on with its own hand",
        ] {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
    }
    assert_same(&whole, &run);
    // Asked for by name, it is the changed one, which this policy was not made for.
    let other = run_in(home, &[&evaluate[..], &["--robot", "my/pinch.urdf"]].concat());
    assert_eq!(other.code, Some(2), "{other:#?}");
    assert!(other.stderr.contains("this policy was made for"), "{other:#?}");
    // One that only weighs more fits, and is named.
    let heavy = PINCH.replacen("<mass value=\"0.05\"/>", "<mass value=\"0.1\"/>", 1);
    write(home, "my/pinch.urdf", &heavy);
    let heavier = run_in(home, &[&evaluate[..], &["--robot", "my/pinch.urdf"]].concat());
    assert!(heavier.code == Some(0) && heavier.stderr.contains("bodies.left.mass_kg was 0.05, is 0.1"), "{heavier:#?}");
    // And one that cannot be read any more is no reason to stop.
    write(home, "my/pinch.urdf", "<robot");
    let broken = run_in(home, &evaluate);
    assert!(broken.code == Some(0) && broken.stderr.contains("cannot be read any more"), "{broken:#?}");
}

#[test]
fn a_run_that_was_begun_before_hands_were_kept_goes_on_with_the_same_hand_only() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let run = own_run(home, "run", 2);
    let kept = std::fs::read(run.join("hand.json")).unwrap();
    std::fs::remove_file(run.join("hand.json")).unwrap();
    let evaluate = ["evaluate", "run", "--episodes", "2", "--json"];
    run_in(home, &evaluate).json();
    let resume = |iterations: u64| run_in(home, &["train", "--resume", "run", "--steps", &steps(iterations)]);
    write(home, "my/pinch.urdf", &PINCH.replace("<mass value=\"0.05\"/>", "<mass value=\"0.1\"/>"));
    let refused = resume(3);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("not the one that this run was made with"), "{refused:#?}");
    write(home, "my/pinch.urdf", PINCH);
    assert_eq!(resume(3).code, Some(0));
    assert_eq!(std::fs::read(run.join("hand.json")).unwrap(), kept, "from now on it is kept");
}

#[test]
fn a_hand_that_was_damaged_or_changed_in_the_folder_of_its_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let run = train(home, "run", 2, &[]);
    let path = run.join("hand.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (text, part) in [
        (whole.replacen("\"mass_kg\": 0.", "\"mass_kg\": 1.", 1), "has changed since it was written"),
        (whole[..whole.len() / 3].to_owned(), "damaged"),
        (String::new(), "damaged"),
        (whole.replacen("\"format\": 1", "\"format\": 2", 1), "format is 2"),
    ] {
        std::fs::write(&path, text).unwrap();
        for arguments in [&["evaluate", "run", "--episodes", "1"][..], &["train", "--resume", "run", "--steps", "9999"]]
        {
            let refused = run_in(home, arguments);
            assert_eq!(refused.code, Some(2), "{part}: {refused:#?}");
            assert!(refused.stderr.contains(part) && refused.stderr.contains("hand.json"), "{part}: {refused:#?}");
        }
    }
}

#[test]
fn a_new_run_from_the_configuration_of_an_old_one_has_its_hand() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    own_run(home, "run", 1);
    std::fs::remove_dir_all(home.join("my")).unwrap();
    let begin = ["train", "--config", "run/config.toml", "--out", "again", "--steps", &steps(1)];
    let again = run_in(home, &begin);
    assert_eq!(again.code, Some(0), "{again:#?}");
    let hand = |run: &str| std::fs::read(home.join(run).join("hand.json")).unwrap();
    assert!(hand("run") == hand("again"));
    let other = run_in(home, &["describe", "--config", "run/config.toml", "--robot", "leap-right", "--json"]).json();
    assert_eq!(other["robot"]["name"], "leap-right", "what is asked for by name is what is meant");
    assert_eq!(run_in(home, &["describe", "--config", "run/config.toml", "--json"]).json()["robot"]["name"], "pinch");
}
