//! A run that was killed goes on as if nothing had happened, bit for bit.

use crate::support::{GROWING, Process, TINY, checkpoints, giraffe, run_in, steps, train};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long enough that episodes end on the way: 30 iterations of 16 steps are more than an episode of 400 in each world.
const ITERATIONS: u64 = 30;

/// What must be the same in two runs: the policy, and every number learned on the way. Only wall-clock times differ.
fn outcome(run: &Path) -> (Vec<u8>, Vec<Value>) {
    let policy = std::fs::read(run.join("policy.bin")).unwrap();
    let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let rows = metrics.lines().map(|line| {
        let mut row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        row.retain(|name, _| !is_time(name));
        assert!(row.len() > 5, "a row without numbers: {line}");
        Value::Object(row)
    });
    (policy, rows.collect())
}

/// Seconds, and steps or samples per second.
pub fn is_time(name: &str) -> bool {
    name.ends_with("seconds") || name.ends_with("_secs") || name.ends_with("s_per_sec")
}

pub fn assert_same(one: &Path, other: &Path) {
    let ((policy, rows), (other_policy, other_rows)) = (outcome(one), outcome(other));
    assert_eq!(rows.len(), other_rows.len());
    for (index, (row, other_row)) in rows.iter().zip(&other_rows).enumerate() {
        assert_eq!(row, other_row, "iteration {}", index + 1);
    }
    assert!(policy == other_policy, "the same numbers were learned, but the policies differ");
}

/// Starts a run and kills it without warning when it has come to the `iteration`-th checkpoint or a little further.
fn killed(folder: &Path, name: &str, iteration: u64) -> PathBuf {
    let run = folder.join(name);
    let steps = steps(ITERATIONS);
    let arguments = [&["train", "--out", name, "--steps", &steps], &TINY[..]].concat();
    let mut process = Process::start(&mut giraffe(arguments), folder);
    let reached = || {
        let newest = checkpoints(&run).pop()?;
        newest.file_name()?.to_string_lossy().parse::<u64>().ok()
    };
    while reached().is_none_or(|reached| reached < iteration) {
        assert!(process.is_running(), "it ended before it could be killed: {:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(1));
    }
    process.signal("KILL");
    assert_eq!(process.finish().code, None, "it was killed");
    run
}

#[test]
fn a_killed_run_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(folder.path(), "whole", ITERATIONS, &[]);
    // Gone on with twice, in the first episode of most worlds and in the second.
    let run = killed(folder.path(), "killed", 4);
    for (iterations, is_last) in [(18, false), (ITERATIONS, true)] {
        let finished = run_in(folder.path(), &["train", "--resume", "killed", "--steps", &steps(iterations)]);
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        assert!(!finished.stderr.contains("damaged"), "{finished:#?}");
        if is_last {
            assert_same(&whole, &run);
        }
    }
}

/// Every range that was written down, without wall-clock times.
fn ranges(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("adr.jsonl")).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        assert!(line.remove("train_seconds").is_some(), "{line:?}");
        Value::Object(line)
    });
    lines.collect()
}

#[test]
fn ranges_that_grow_by_themselves_go_on_from_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(folder.path(), "whole", 90, &GROWING);
    let run = train(folder.path(), "parts", 45, &GROWING);
    let finished = run_in(folder.path(), &["train", "--resume", "parts", "--steps", &steps(90)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_same(&whole, &run);
    let lines = ranges(&whole);
    assert_eq!(lines, ranges(&run));
    assert_eq!(lines.len(), 9);
    let entropy = |line: &Value| line["entropy_nats"].as_f64().unwrap();
    assert!(entropy(&lines[0]) < -6.9 && entropy(&lines[8]) > entropy(&lines[4]), "{:?}", lines[8]);
    let last = &outcome(&whole).1[89];
    assert_eq!(last["adr_entropy"], lines[8]["entropy_nats"]);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(folder.path(), "whole", 12, &[]);
    let run = train(folder.path(), "short", 9, &[]);
    let newest = checkpoints(&run).pop().unwrap();
    let files = std::fs::read_dir(&newest).unwrap().map(|entry| entry.unwrap().path());
    let largest = files.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let bytes = std::fs::read(&largest).unwrap();
    std::fs::write(&largest, &bytes[..bytes.len() / 2]).unwrap();
    let finished = run_in(folder.path(), &["train", "--resume", "short", "--steps", &steps(12)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let name = newest.file_name().unwrap().to_string_lossy().into_owned();
    assert!(finished.stderr.contains("damaged") && finished.stderr.contains(&name), "{finished:#?}");
    assert_same(&whole, &run);
}

#[test]
fn a_run_without_a_whole_checkpoint_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", 2, &[]);
    for checkpoint in checkpoints(&run) {
        std::fs::write(checkpoint.join("progress.json"), b"{}").unwrap();
    }
    let metrics = std::fs::read(run.join("metrics.jsonl")).unwrap();
    let finished = run_in(folder.path(), &["train", "--resume", "run", "--steps", &steps(4)]);
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr.contains("every checkpoint in run is damaged"), "{finished:#?}");
    assert_eq!(std::fs::read(run.join("metrics.jsonl")).unwrap(), metrics);
}

#[test]
fn the_number_of_threads_changes_no_bit_and_the_seed_changes_them() {
    let folder = tempfile::tempdir().unwrap();
    let threads = |count: &str| [format!("worlds.thread_count={count}"), format!("ppo.thread_count={count}")];
    let run = |name: &str, count: &str, seed: &str| {
        let [worlds, ppo] = threads(count);
        train(folder.path(), name, 8, &["--seed", seed, "--set", &worlds, "--set", &ppo])
    };
    let (one, three, other) = (run("one", "1", "1"), run("three", "3", "1"), run("other", "1", "2"));
    assert_same(&one, &three);
    assert_ne!(outcome(&one).1, outcome(&other).1);
}
