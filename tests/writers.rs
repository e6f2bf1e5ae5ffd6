//! One process at a time writes into the folder of a run; anybody may read it.

use crate::metrics::assert_metrics_agree;
use crate::support::hands::copy;
use crate::support::{Process, TINY, checkpoints, giraffe, now, run_in, steps};
use std::path::Path;
use std::time::Duration;

/// A run that goes on until it is ended, and has a policy.
fn training(home: &Path, name: &str) -> Process {
    let arguments = [&["train", "--minutes", "5", "--out", name], &TINY[..]].concat();
    let mut process = Process::start(&mut giraffe(arguments), home);
    while !home.join(name).join("policy.bin").is_file() {
        assert!(process.is_running(), "{:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}

fn assert_refused(home: &Path, arguments: &[&str], parts: &[&str]) {
    let finished = run_in(home, arguments);
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    for part in parts {
        assert!(finished.stderr.contains(part), "`{part}` is not in {finished:#?}");
    }
}

#[test]
fn a_run_that_is_being_trained_can_be_read_and_not_be_trained_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let process = training(home, "run");
    let far = steps(1_000_000);
    assert_refused(home, &["train", "--resume", "run", "--steps", &far], &["is writing into run", "process "]);
    assert_refused(home, &[&["train", "--out", "run"], &TINY[..]].concat(), &["is not empty"]);
    assert_refused(home, &[&["quickstart", "--out", "run"], &TINY[..]].concat(), &["is not empty"]);
    // Whoever only reads is let in: the policy is whole at any moment.
    assert_eq!(run_in(home, &["evaluate", "run", "--episodes", "1", "--json"]).code, Some(0));
    assert_eq!(run_in(home, &["replay", "run", "--world", "0", "--training"]).code, Some(0));
    // A copy is nobody's.
    copy(&home.join("run"), &home.join("copied"));
    let copied = run_in(home, &["train", "--resume", "copied", "--steps", "64"]);
    assert_eq!(copied.code, Some(0), "{copied:#?}");
    // However the writer dies, the folder is free.
    process.signal("KILL");
    process.finish();
    let reached = checkpoints(&home.join("run")).pop().unwrap();
    let reached: u64 = reached.file_name().unwrap().to_string_lossy().parse().unwrap();
    let resumed = run_in(home, &["train", "--resume", "run", "--steps", &steps(reached + 2)]);
    assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    assert_metrics_agree(&home.join("run"));
}

#[test]
fn of_two_that_resume_one_run_at_once_one_is_told_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    crate::support::train(home, "run", 2, &[]);
    let far = steps(1_000_000);
    let start = || Process::start(&mut giraffe(["train", "--resume", "run", "--steps", &far]), home);
    let mut both = [start(), start(), start()];
    let begun = now();
    while both.iter_mut().filter_map(|process| process.is_running().then_some(())).count() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is refused");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (mut refused, mut stopped) = (0, 0);
    for process in both {
        let mut process = process;
        if process.is_running() {
            process.signal("TERM");
        }
        let finished = process.finish();
        match finished.code {
            Some(2) => {
                assert!(finished.stderr.contains("is writing into run"), "{finished:#?}");
                refused += 1;
            }
            Some(130) => stopped += 1,
            _ => panic!("{finished:#?}"),
        }
    }
    assert_eq!((refused, stopped), (2, 1));
    assert_metrics_agree(&home.join("run"));
}

#[test]
fn of_two_that_begin_a_run_in_one_folder_one_is_told_to_choose_another() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let until = steps(3);
    let begin = [&["train", "--out", "run", "--steps", &until], &TINY[..]].concat();
    let both = [0, 1].map(|_| Process::start(&mut giraffe(&begin), home));
    let mut codes: Vec<Option<i32>> = both.map(|process| process.finish().code).to_vec();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(2)]);
    assert_metrics_agree(&home.join("run"));
}

#[test]
fn deployments_at_the_same_time_write_logs_of_their_own() {
    let (tiny, one, two) = (
        crate::support::TinyPolicy::shared(),
        crate::support::Controller::simulated(),
        crate::support::Controller::simulated(),
    );
    let deploy = |endpoint: &str| giraffe(["deploy", "run", "--episodes", "1", "--connect", endpoint]);
    let both = [&one, &two].map(|at| Process::start(&mut deploy(&at.endpoint), tiny.home()));
    let logs: Vec<String> = both
        .map(|process| {
            let finished = process.finish();
            assert_eq!(finished.code, Some(0), "{finished:#?}");
            finished.stderr.lines().find(|line| line.starts_with("log: ")).unwrap_or_default().to_owned()
        })
        .to_vec();
    assert!(logs[0] != logs[1] && logs.iter().all(|log| log.contains(".mcap")), "{logs:?}");
}
