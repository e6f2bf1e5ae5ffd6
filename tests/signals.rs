//! Signals at any moment: the exit code is the documented one, it comes within seconds, and nothing that was finished is lost.

use crate::metrics::rows;
use crate::shells::{Stream, start};
use crate::support::{Controller, Finished, Process, TINY, TinyPolicy, checkpoints, giraffe, now, run_in, steps};
use std::path::Path;
use std::time::Duration;

/// How many signals are sent, unless `GIRAFFE_SIGNALS` says otherwise.
const SIGNALS: u64 = 15;
/// A signal is heard within two seconds. Beside that, what a busy machine with a slow build needs.
const HEARD_SECS: f64 = 2.0 + 3.0;
/// Before this a program may not have begun to listen, ms.
const DEAF_MS: u64 = 150;

#[allow(clippy::disallowed_methods, reason = "how long a test takes is a matter of who runs it")]
fn signal_count() -> u64 {
    let asked = std::env::var("GIRAFFE_SIGNALS");
    asked.map_or(SIGNALS, |count| count.parse().unwrap_or_else(|_| panic!("GIRAFFE_SIGNALS={count} is no number")))
}

/// A number below `bound` that depends on `n` alone (Knuth 6.4, multiplicative hashing).
fn scattered(n: u64, bound: u64) -> u64 {
    (((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) * bound) >> 32
}

/// One thing that is stopped.
struct Case {
    n: u64,
    signal: &'static str,
    stdout: Stream,
    stderr: Stream,
}

impl Case {
    fn of(n: u64) -> Self {
        let streams = [Stream::Kept, Stream::Unread, Stream::Kept];
        Self {
            n,
            signal: ["INT", "TERM", "HUP"][(n % 3) as usize],
            stdout: streams[(n / 3 % 3) as usize],
            stderr: streams[(n / 5 % 3) as usize],
        }
    }

    /// Starts, waits, sends the signal. `None` when it was over before.
    fn stopped(&self, arguments: &[&str], folder: &Path, longest_ms: u64) -> (Finished, Option<f64>) {
        let delay = Duration::from_millis(DEAF_MS + scattered(self.n, longest_ms));
        let mut process: Process = start(arguments, folder, self.stdout, self.stderr);
        let begun = now();
        while begun.elapsed() < delay {
            if !process.is_running() {
                return (process.finish(), None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if !process.is_running() {
            return (process.finish(), None);
        }
        let sent = now();
        process.signal(self.signal);
        let finished = process.finish();
        let secs = sent.elapsed().as_secs_f64();
        let Self { n, signal, .. } = self;
        assert!(secs < HEARD_SECS, "{n}: {signal} was heard after {secs} s: {arguments:?} {finished:#?}");
        (finished, Some(secs))
    }

    /// The code is one of those that are documented for it: done, or stopped.
    fn assert_ended(&self, finished: &Finished, asked: Option<f64>) {
        let Self { n, signal, .. } = self;
        let documented = match asked {
            None => finished.code == Some(0),
            Some(_) => matches!(finished.code, Some(0 | 130)),
        };
        assert!(documented, "{n}, {signal}: {finished:#?}");
        for word in ["panicked", "RUST_BACKTRACE", "error:"] {
            assert!(!finished.stderr.contains(word), "{n}, {signal}: {finished:#?}");
        }
    }
}

/// Everything that a run wrote down as finished is in a checkpoint, and it goes on from there.
fn assert_nothing_lost(home: &Path, name: &str, goes_on: bool) {
    let run = home.join(name);
    if !run.join("metrics.jsonl").is_file() {
        return;
    }
    let reached = checkpoints(&run).pop();
    let reached: u64 = reached.map_or(0, |path| path.file_name().unwrap().to_string_lossy().parse().unwrap());
    assert_eq!(reached, rows(&run).len() as u64, "{name}: every iteration that was finished is saved");
    if !goes_on {
        return;
    }
    let resumed = run_in(home, &["train", "--resume", name, "--steps", &steps(reached + 1)]);
    assert_eq!(resumed.code, Some(0), "{name}: {resumed:#?}");
}

fn stop_training(case: &Case, home: &Path, quick: bool) -> Option<f64> {
    let (n, minutes) = (case.n, "5");
    let name = format!("{}-{n}", if quick { "quickstart" } else { "train" });
    // Now and then a run whose worlds take seconds to build and whose iterations take longer than anybody waits.
    let large = ["--set", "worlds.world_count=300", "--set", "ppo.horizon_steps=32", "--set", "checkpoint_secs=1000"];
    let size: &[&str] = if n % 4 == 1 { &large } else { &[] };
    let seldom = ["--set", if n % 2 == 0 { "checkpoint_secs=1000" } else { "checkpoint_secs=0" }];
    let command = if quick { "quickstart" } else { "train" };
    // Every other quickstart is over with training soon, and is stopped while it measures and deploys.
    let minutes = if quick && n % 2 == 0 { "0.01" } else { minutes };
    let arguments = [&[command, "--minutes", minutes, "--out", &name], &TINY[..], &seldom, size].concat();
    let (finished, asked) = case.stopped(&arguments, home, if n % 4 == 1 { 6000 } else { 2500 });
    case.assert_ended(&finished, asked);
    // An iteration of a large run takes its time: one of four goes on.
    assert_nothing_lost(home, &name, size.is_empty() || n % 16 == 1);
    asked
}

fn stop_deployment(case: &Case, home: &Path, controller: &Controller) -> Option<f64> {
    let log = format!("signals-{}.mcap", case.n);
    let deploy = ["deploy", "run", "--episodes", "40", "--log", &log, "--connect", &controller.endpoint];
    let paired: &[&str] = if case.n.is_multiple_of(2) { &["--paired"] } else { &[] };
    let (finished, asked) = case.stopped(&[&deploy[..], paired].concat(), home, 1500);
    case.assert_ended(&finished, asked);
    if home.join(&log).is_file() {
        let replayed = run_in(home, &["replay", &log, "--policy", "run", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&replayed.stdout).unwrap();
        assert!(report["cut"].is_null(), "the log is finished: {report:#}");
        assert!(report["equal"] == true || report["steps"] == 0, "{report:#}");
    }
    asked
}

fn stop_comparison(case: &Case, home: &Path) -> Option<f64> {
    let out = format!("compared-{}", case.n);
    let tests = ["--test", "none", "--test", "wide", "--test", "push", "--test", "tilt"];
    let compare = ["compare-policies", "--policy", "a=run", "--episodes", "60", "--out", &out];
    let (finished, asked) = case.stopped(&[&compare[..], &tests].concat(), home, 4000);
    case.assert_ended(&finished, asked);
    let report = std::fs::read(home.join(&out).join("report.json"));
    if let Ok(report) = report {
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let sets = report["test_sets"].as_array().unwrap();
        assert_eq!(report["stopped"] == true, sets.len() < 4, "{report:#}");
        assert!(!sets.is_empty() && sets.iter().all(|set| set["groups"][0]["runs"][0]["score"]["episodes"] == 60));
    }
    asked
}

#[test]
fn a_signal_at_any_moment_is_heard_and_nothing_that_was_finished_is_lost() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let home = tempfile::tempdir().unwrap();
    let mut slowest: f64 = 0.0;
    for n in 0..signal_count() {
        let case = Case::of(n);
        let asked = match n % 5 {
            0 => stop_training(&case, home.path(), false),
            1 => {
                let evaluate = ["evaluate", "run", "--episodes", "3000", "--scenario", "all"];
                let (finished, asked) = case.stopped(&evaluate, tiny.home(), 3000);
                case.assert_ended(&finished, asked);
                asked
            }
            2 => stop_deployment(&case, tiny.home(), &controller),
            3 => stop_comparison(&case, tiny.home()),
            _ => stop_training(&case, home.path(), true),
        };
        slowest = slowest.max(asked.unwrap_or(0.0));
        if n % 20 == 19 {
            println!("{} signals, the slowest was heard after {slowest:.2} s", n + 1);
        }
    }
}

#[test]
fn what_an_evaluation_has_finished_is_told_when_it_is_stopped() {
    let tiny = TinyPolicy::shared();
    const EPISODES: usize = 40;
    let evaluate = |scenario: &str| {
        let episodes = EPISODES.to_string();
        giraffe(["evaluate", "run", "--episodes", &episodes, "--scenario", scenario, "--json"])
    };
    // One scenario is over in three times the time of one, and a dozen and more are not.
    let one = Process::start(&mut evaluate("none"), tiny.home()).finish();
    assert_eq!(one.code, Some(0), "{one:#?}");
    let mut process = Process::start(&mut evaluate("all"), tiny.home());
    let begun = now();
    while process.is_running() && begun.elapsed().as_secs_f64() < 3.0 * one.secs {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.signal("TERM");
    let finished = process.finish();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    let scores: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let scores = scores.as_object().unwrap();
    assert!(!scores.is_empty(), "{finished:#?}");
    for (name, score) in scores {
        assert_eq!(score["episodes"], EPISODES, "{name} is whole");
    }
    assert!(finished.stderr.contains("of 40 episodes of"), "{finished:#?}");
}

#[test]
fn a_second_signal_ends_at_once_and_two_that_come_together_are_one_wish() {
    let folder = tempfile::tempdir().unwrap();
    let large = ["--set", "worlds.world_count=400", "--set", "ppo.horizon_steps=400", "--set", "ppo.core_width=16"];
    let arguments = [&["train", "--minutes", "5", "--out", "run"], &large[..]].concat();
    let mut process = Process::start(&mut giraffe(arguments), folder.path());
    while !folder.path().join("run/config.toml").is_file() {
        assert!(process.is_running(), "{:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let sent = now();
    process.signal("HUP");
    process.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert!(process.is_running(), "two that come together are one wish: {:#?}", process.finish());
    process.signal("INT");
    let finished = process.finish();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    assert!(sent.elapsed().as_secs_f64() < 1.3, "at once: {} s", sent.elapsed().as_secs_f64());
    assert!(finished.stderr.contains("stopping cleanly"), "{finished:#?}");
}

#[test]
fn an_iteration_that_takes_longer_than_anybody_waits_is_cut_and_those_before_it_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let slow = ["--set", "worlds.world_count=16", "--set", "ppo.core_width=256", "--set", "ppo.encoder_width=256"];
    let seldom = ["--set", "checkpoint_secs=1000", "--set", "ppo.horizon_steps=64", "--set", "ppo.epoch_count=12"];
    let arguments = [&["train", "--minutes", "5", "--out", "run"], &slow[..], &seldom].concat();
    let mut process = Process::start(&mut giraffe(arguments), folder.path());
    while !run.join("metrics.jsonl").is_file() || rows(&run).len() < 2 {
        assert!(process.is_running(), "{:#?}", process.finish());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    let sent = now();
    process.signal("TERM");
    let finished = process.finish();
    let secs = sent.elapsed().as_secs_f64();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    assert!(secs < HEARD_SECS, "{secs} s: {finished:#?}");
    let reached: u64 = checkpoints(&run).pop().unwrap().file_name().unwrap().to_string_lossy().parse().unwrap();
    assert_eq!(reached, rows(&run).len() as u64, "{finished:#?}");
    assert!(
        run.join("policy.bin").is_file() && finished.stderr.contains("giraffe train --resume run"),
        "{finished:#?}"
    );
}
