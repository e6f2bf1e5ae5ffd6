//! A run may be killed at any moment, and goes on.

use crate::metrics::{assert_metrics_agree, rows};
use crate::resume::assert_same;
use crate::support::{Finished, Process, TINY, checkpoints, giraffe, now, run_in, steps, train};
use std::path::Path;
use std::time::Duration;

/// How often it is killed, unless `GIRAFFE_KILLS` says otherwise.
const KILLS: u64 = 6;
/// Further than it comes before it is killed.
const FAR: u64 = 1_000_000;

#[allow(clippy::disallowed_methods, reason = "how long a test takes is a matter of who runs it")]
fn kills() -> u64 {
    let asked = std::env::var("GIRAFFE_KILLS");
    asked.map_or(KILLS, |count| count.parse().unwrap_or_else(|_| panic!("GIRAFFE_KILLS={count} is no number")))
}

/// The newest checkpoint.
fn reached(run: &Path) -> u64 {
    let newest = checkpoints(run).pop();
    newest.map_or(0, |path| path.file_name().unwrap().to_string_lossy().parse().unwrap())
}

/// A number below `bound` that depends on `n` alone (Knuth 6.4, multiplicative hashing).
fn scattered(n: u64, bound: u64) -> u64 {
    (((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) * bound) >> 32
}

fn kill_after(mut process: Process, delay: Duration) -> Finished {
    let begun = now();
    while begun.elapsed() < delay {
        assert!(process.is_running(), "it ended before it was killed: {:#?}", process.finish());
        std::thread::sleep(Duration::from_micros(200));
    }
    process.signal("KILL");
    process.finish()
}

/// Starts `arguments`. Every second time it is killed within a second of its start, whatever it is doing then: making its
/// folder, reading its checkpoint, cutting its metrics. Else it must first come further than it was, and is killed within a few iterations.
fn killed(folder: &Path, run: &Path, arguments: &[&str], n: u64) {
    let before = reached(run);
    let mut process = Process::start(&mut giraffe(arguments), folder);
    let waits = !n.is_multiple_of(2);
    while waits && reached(run) <= before {
        assert!(process.is_running(), "kill {n}: it does not go on: {:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(1));
    }
    let delay = Duration::from_millis(scattered(n, if waits { 250 } else { 1000 }));
    let finished = kill_after(process, delay);
    assert_eq!(finished.code, None, "kill {n}: {finished:#?}");
    assert!(!finished.stderr.contains("damaged"), "kill {n}: {finished:#?}");
}

#[test]
fn a_run_killed_at_any_moment_always_goes_on_and_learns_the_same() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let far = steps(FAR);
    let begin = [&["train", "--out", "run", "--steps", &far], &TINY[..]].concat();
    for n in 0..kills() {
        // Killed before it had written what it is, it is begun again, in the same folder.
        let resume = ["train", "--resume", "run", "--steps", &far];
        let has_begun = run.join("config.toml").is_file();
        killed(home.path(), &run, if has_begun { &resume } else { &begin }, n);
    }
    let last = reached(&run) + 2;
    let finished = run_in(home.path(), &["train", "--resume", "run", "--steps", &steps(last)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(!finished.stderr.contains("damaged"), "{finished:#?}");
    assert_eq!(checkpoints(&run).len(), 2);
    let left: Vec<_> = std::fs::read_dir(run.join("checkpoints")).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing half is left: {left:?}");
    assert_eq!(rows(&run).len() as u64, last);
    assert_metrics_agree(&run);
    assert_same(&train(home.path(), "whole", last, &["--set", "checkpoint_secs=1000"]), &run);
}

#[test]
fn a_run_killed_while_it_begins_goes_on_too() {
    let home = tempfile::tempdir().unwrap();
    for (n, delay_ms) in [1, 15, 30, 50, 80, 120].into_iter().enumerate() {
        let name = format!("run-{n}");
        let run = home.path().join(&name);
        let begin = |until: &str| [&["train", "--out", &name, "--steps", until], &TINY[..]].concat().join(" ");
        let words = begin(&steps(FAR));
        let process = Process::start(&mut giraffe(words.split(' ')), home.path());
        kill_after(process, Duration::from_millis(delay_ms));
        let until = steps(reached(&run) + 2);
        let again = if run.join("config.toml").is_file() {
            format!("train --resume {name} --steps {until}")
        } else {
            begin(&until)
        };
        let finished = run_in(home.path(), &again.split(' ').collect::<Vec<_>>());
        assert_eq!(finished.code, Some(0), "after {delay_ms} ms: {finished:#?}");
        assert_metrics_agree(&run);
    }
}
