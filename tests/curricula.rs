//! A run in which one number of the task gets harder.

use crate::resume::assert_same;
use crate::support::{TINY, run_in, running, steps, train};
use giraffe::study::named_run::NamedRun;
use giraffe::study::plot::plot;
use giraffe::study::replay::{Episodes, ReplayOptions, ReplayReport, replay};
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Episodes of 5 s. Every result counts as good, and one is enough to go on: eight levels in a run of a second or two.
const RISING: [&str; 12] = [
    "--set",
    "task=reorient",
    "--set",
    "dials.episode_secs=5",
    "--set",
    "curriculum={ scalar = 'dials.tolerance_rad', easy = 1.5, step_count = 8 }",
    "--set",
    "curriculum.episode_count=2",
    "--set",
    "curriculum.promote_above=-1.0",
    "--set",
    "curriculum.demote_below=-2.0",
];
/// 480 control steps in each of four worlds: more than four episodes of 100.
const ITERATIONS: u64 = 30;

fn rows(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn levels(run: &Path) -> Vec<u64> {
    rows(run).iter().map(|row| row["curriculum_level"].as_u64().unwrap()).collect()
}

fn lived(run: &Path, world: u64, episode: u64, live: bool) -> ReplayReport {
    let (run, settings) = (run.to_owned(), Vec::new());
    let options = ReplayOptions {
        run,
        episodes: Episodes::Training,
        world,
        episode,
        settings,
        memoryless: false,
        live,
        out: None,
    };
    replay(&options, &AtomicBool::new(false)).unwrap()
}

#[test]
fn its_level_is_in_metrics_pictures_and_checkpoints_and_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let whole = train(home, "whole", ITERATIONS, &RISING);
    let parts = train(home, "parts", 13, &RISING);
    for iterations in [22, ITERATIONS] {
        let resumed = run_in(home, &["train", "--resume", "parts", "--steps", &steps(iterations)]);
        assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    }
    assert_same(&whole, &parts);
    let found = levels(&whole);
    assert!(found[0] == 0 && found.last() > Some(&1), "{found:?}");
    assert!(found[12] > 0 || found[21] > 0, "it moved before it was stopped, or nothing is said: {found:?}");
    let last = rows(&whole).pop().unwrap();
    let expected = 1.5 - 1.1 * last["curriculum_level"].as_f64().unwrap() / 8.0;
    assert!((last["curriculum_value"].as_f64().unwrap() - expected).abs() < 1e-6, "{last}");
    let text = std::fs::read_to_string(whole.join("metrics.csv")).unwrap();
    assert!(text.lines().next().unwrap().contains("curriculum_level,curriculum_value"));
    let named: NamedRun = format!("a={}", whole.display()).parse().unwrap();
    let drawn = plot(&[named], &home.join("pictures")).unwrap();
    let picture = drawn.pictures.iter().find(|path| path.ends_with("curriculum.svg")).expect("a picture");
    assert!(std::fs::read_to_string(picture).unwrap().contains("level of the curriculum"));
}

#[test]
fn any_episode_of_it_is_planned_and_lived_again_at_the_level_of_then() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", ITERATIONS, &RISING);
    let (first, latest) = (lived(&run, 0, 0, false), running(&run));
    assert_eq!(first.curriculum.as_ref().map(|then| (then.level, then.value)), Some((0, 1.5)));
    let mut levels = Vec::new();
    for (world, (episode, plan)) in latest.into_iter().enumerate() {
        let again = lived(&run, world as u64, episode, false);
        assert!(again.plan == plan, "world {world}");
        let then = again.curriculum.expect("a level");
        let told = again.parameters.last().expect("the number that moves");
        assert_eq!((told.name.as_str(), told.value), ("dials.tolerance_rad", then.value));
        levels.push(then.level);
    }
    assert!(levels.iter().any(|level| *level > 0), "{levels:?}");
    let outcome = lived(&run, 0, 0, true).outcome.expect("it was lived");
    assert!(outcome.step_count > 0 && outcome.measures[0].1.is_some());
    // Evaluations are of what is to be learned in the end: no such column.
    let evaluated = run_in(folder.path(), &["evaluate", "run", "--episodes", "2", "--json"]);
    assert_eq!(evaluated.code, Some(0), "{evaluated:#?}");
}

#[test]
fn a_curriculum_that_cannot_be_is_said_in_one_message_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, expected) in [
        (["curriculum.scalar=dials.tolerence_rad", "curriculum.easy=1"], "did you mean `dials.tolerance_rad`?"),
        (["curriculum.scalar=dials.tolerance_rad", "randomization.adr.enabled=false"], "easy"),
        (["curriculum.scalar=dials.tolerance_rad", "curriculum.easy=9"], "0.05 to 1.5"),
    ] {
        let arguments = ["train", "--out", "new", "--steps", "64", "--set", "task=reorient"];
        let settings = ["--set", settings[0], "--set", settings[1]];
        let finished = run_in(folder.path(), &[&arguments[..], &settings, &TINY].concat());
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.contains(expected), "{finished:#?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    let two =
        [&["train", "--out", "new", "--steps", "64", "--set", "randomization.adr.enabled=true"], &RISING[..], &TINY];
    let finished = run_in(folder.path(), &two.concat());
    assert!(finished.code == Some(2) && finished.stderr.contains("one at a time"), "{finished:#?}");
}
