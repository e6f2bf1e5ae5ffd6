//! Deployments that end before their time, and what is left of them: every episode that was whole, in the report and in the
//! log alike.

use crate::support::{Controller, Finished, Process, TinyPolicy, giraffe, now, run_in};
use giraffe_bridge::log::read;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A deployment that would go on for hours, in lock-step, and its log.
struct Deployed {
    process: Process,
    log: PathBuf,
}

impl Deployed {
    fn start(tiny: &TinyPolicy, controller: &Controller, name: &str, more: &[&str]) -> Self {
        let log = tiny.home().join(format!("{name}.mcap"));
        let ends = ["--connect", &controller.endpoint, "--json", "--log", log.to_str().unwrap()];
        let arguments = [&["deploy", "run"], &ends[..], more].concat();
        Self { process: Process::start(&mut giraffe(arguments), tiny.home()), log }
    }

    /// Waits until the log holds the results of so many whole episodes.
    fn await_episodes(&mut self, count: usize) {
        let begun = now();
        while whole_episodes(&self.log) < count {
            assert!(self.process.is_running(), "it ended by itself");
            assert!(begun.elapsed() < Duration::from_secs(60), "the log does not hold {count} episodes");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn whole_episodes(log: &Path) -> usize {
    let Ok(log) = read(log) else { return 0 };
    let episodes = log.episodes();
    episodes.iter().filter(|episode| episode.summary.as_ref().is_some_and(|end| end.outcome != "cut")).count()
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
}

/// What `giraffe replay` makes of a log.
fn replayed(tiny: &TinyPolicy, log: &Path) -> Value {
    let report = run_in(tiny.home(), &["replay", log.to_str().unwrap(), "--policy", "run", "--json"]).json();
    assert_eq!(report["equal"], true, "{report:#}");
    report
}

const MANY: [&str; 2] = ["--episodes", "100000"];

#[test]
fn a_deployment_that_is_interrupted_tells_of_the_episodes_that_were_whole_and_so_does_its_log() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let mut deployed = Deployed::start(&tiny, &controller, "interrupted", &MANY);
    deployed.await_episodes(2);
    deployed.process.signal("INT");
    let log = deployed.log.clone();
    let finished = deployed.process.finish();
    assert_eq!(finished.code, Some(130), "{finished:#?}");
    let said = report(&finished);
    let episodes = said["score"]["episodes"].as_u64().unwrap();
    assert!(episodes >= 2 && said["control_steps"].as_u64().unwrap() > 0, "{said:#}");
    assert_eq!(whole_episodes(&log) as u64, episodes, "one that was cut counts nowhere");
    assert_eq!(replayed(&tiny, &log)["score"], said["score"], "the log tells the same");
}

#[test]
fn a_deployment_that_is_killed_leaves_the_results_of_its_whole_episodes_in_its_log() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let mut deployed = Deployed::start(&tiny, &controller, "killed", &MANY);
    deployed.await_episodes(2);
    deployed.process.signal("KILL");
    let log = deployed.log.clone();
    let finished = deployed.process.finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (None, ""), "nobody could say anything any more");
    let found = replayed(&tiny, &log);
    assert!(found["cut"].is_string(), "{found:#}");
    assert_eq!(found["score"]["episodes"].as_u64().unwrap(), whole_episodes(&log) as u64, "{found:#}");
    assert!(whole_episodes(&log) >= 2);
    let text = run_in(tiny.home(), &["replay", log.to_str().unwrap(), "--policy", "run"]).stdout;
    assert!(text.contains("as written down"), "{text}");
}

#[test]
fn a_deployment_whose_controller_dies_goes_on_with_the_next_one_if_it_is_to_reconnect() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    const EPISODES: usize = 25;
    let more = ["--episodes", "25", "--reconnect", "60"];
    let mut deployed = Deployed::start(&tiny, &controller, "reconnected", &more);
    deployed.await_episodes(1);
    let endpoint = controller.endpoint.clone();
    controller.end("KILL");
    let _next = Controller::simulated_at(&endpoint);
    let log = deployed.log.clone();
    let finished = deployed.process.finish();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    let said = report(&finished);
    let lost = said["reconnections"].as_array().unwrap_or_else(|| panic!("it was too quick: {said:#}"));
    assert_eq!(lost.len(), 1, "{said:#}");
    let whole = said["score"]["episodes"].as_u64().unwrap() as usize;
    assert_eq!(whole, EPISODES - 1, "the episode that was under way counts nowhere: {said:#}");
    let found = replayed(&tiny, &log);
    assert_eq!((&found["score"], &found["reconnections"]), (&said["score"], &Value::from(1)), "{found:#}");
    let numbers: Vec<u64> = read(&log).unwrap().episodes().iter().map(|episode| episode.number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "every episode has a number of its own: {numbers:?}");
    assert_eq!(numbers.last(), Some(&(EPISODES as u64 - 1)));
}

#[test]
fn a_deployment_that_reaches_nobody_again_in_time_ends_with_what_it_has() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let mut deployed = Deployed::start(&tiny, &controller, "alone", &[&MANY[..], &["--reconnect", "1"]].concat());
    deployed.await_episodes(1);
    controller.end("KILL");
    let finished = deployed.process.finish();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let said = report(&finished);
    assert!(said["score"]["episodes"].as_u64().unwrap() >= 1, "{said:#}");
    assert!(said["ended_early"].as_str().unwrap().contains("reconnecting for 1 s"), "{said:#}");
    for wrong in ["0", "-3", "soon"] {
        let refused = run_in(tiny.home(), &["deploy", "run", &format!("--reconnect={wrong}")]);
        assert!(refused.code == Some(2) && refused.stderr.contains("seconds above zero"), "{refused:#?}");
    }
}

#[test]
fn nobody_reconnects_to_a_hand_that_somebody_told_to_stop_meanwhile() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let mut deployed = Deployed::start(&tiny, &controller, "stopped", &[&MANY[..], &["--reconnect", "60"]].concat());
    deployed.await_episodes(1);
    // It hears nothing of what happens now.
    deployed.process.signal("STOP");
    let endpoint = controller.endpoint.clone();
    controller.end("KILL");
    let next = Controller::simulated_at(&endpoint);
    assert_eq!(run_in(tiny.home(), &["stop", &endpoint]).code, Some(0));
    deployed.process.signal("CONT");
    let finished = deployed.process.finish();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let said = report(&finished);
    assert!(said["ended_early"].as_str().unwrap().contains("somebody told it to stop"), "{said:#}");
    drop(next);
}
