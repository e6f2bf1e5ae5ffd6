//! Deploying to a simulated hand, through the real server, sockets and envelope: what a policy does here is what it
//! does in its own process, bit for bit.

use crate::support::{Controller, Process, TinyPolicy, giraffe, run_in, train};
use serde_json::Value;
use std::time::Duration;

fn deploy(tiny: &TinyPolicy, controller: &Controller, more: &[&str]) -> Value {
    let arguments = [&["deploy", "run", "--connect", &controller.endpoint, "--json"], more].concat();
    run_in(tiny.home(), &arguments).json()
}

#[test]
fn an_episode_over_the_wire_equals_the_same_episode_in_this_process() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    for scenario in ["none", "push", "amnesia"] {
        let deployed = deploy(&tiny, &controller, &["--paired", "--episodes", "2", "--scenario", scenario]);
        assert_eq!(deployed["paired"]["episodes"], 2, "{scenario}: {deployed}");
        assert_eq!(deployed["paired"]["equal"], 2, "{scenario}: {deployed}");
        assert_eq!(deployed["clipped_count"], 0, "the decoder and the envelope differ: {deployed}");
        assert_eq!(deployed["missed_tick_count"], 0, "{deployed}");
        assert_eq!(deployed["mode"], "lock-step");
    }
}

/// The link of the plan is between this process and that one, and nowhere else; a policy that has to do with it is told the
/// same in both. What is logged of it is what was said and done.
#[test]
fn an_episode_over_a_link_that_loses_commands_equals_the_same_episode_in_this_process() {
    let (home, controller) = (tempfile::tempdir().unwrap(), Controller::simulated());
    let lossy = ["link.dropout=0.2", "link.burst_rate=0.5", "link.burst_length=0.3"];
    let lossy = lossy.map(|range| format!("randomization.ranges.{range}"));
    let ranges: Vec<&str> = lossy.iter().flat_map(|range| ["--set", range]).collect();
    train(home.path(), "run", 2, &ranges);
    let options = ["--paired", "--episodes", "3", "--log", "lossy.mcap", "--json", "--connect", &controller.endpoint];
    let deployed = run_in(home.path(), &[&["deploy", "run"], &options[..]].concat()).json();
    assert_eq!((&deployed["paired"]["episodes"], &deployed["paired"]["equal"]), (&3.into(), &3.into()), "{deployed}");
    assert_eq!(deployed["clipped_count"], 0, "the decoder and the envelope differ: {deployed}");
    let evaluated = run_in(home.path(), &["evaluate", "run", "--episodes", "3", "--json"]).json();
    assert_eq!(deployed["score"], evaluated["none"]);
    let replayed = run_in(home.path(), &["replay", "lossy.mcap", "--policy", "run", "--json"]).json();
    assert_eq!(replayed["equal"], true, "{replayed:#}");
    let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{replayed:#}"));
    let applied = &replayed["applied"];
    let (steps, checked, lost) =
        (count(&replayed["steps"]), count(&applied["checked"]), count(&applied["never_applied"]));
    assert_eq!(applied["unchecked"], serde_json::json!({}), "{replayed:#}");
    // Every command was applied or lost; of those after the last that came nobody knows.
    let unknown = steps.checked_sub(checked + lost).unwrap_or_else(|| panic!("{replayed:#}"));
    assert!(lost > 5 && checked > lost && unknown < 20, "{replayed:#}");
}

#[test]
fn the_score_over_the_wire_is_the_score_of_an_evaluation() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let deployed = deploy(&tiny, &controller, &["--paired", "--episodes", "3", "--seed", "9"]);
    let evaluated = run_in(tiny.home(), &["evaluate", "run", "--episodes", "3", "--seed", "9", "--json"]).json();
    assert!(deployed["score"]["measures"].as_object().unwrap().len() > 1, "{deployed}");
    assert_eq!(deployed["score"], evaluated["none"]);
}

#[test]
fn a_hand_with_parameters_that_nobody_told_can_be_moved_too() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let first = deploy(&tiny, &controller, &["--episodes", "1", "--seed", "4"]);
    assert!(first["control_steps"].as_u64().unwrap() > 0 && first["paired"].is_null(), "{first}");
    assert_eq!(first, deploy(&tiny, &controller, &["--episodes", "1", "--seed", "4"]), "hidden, but the same");
    assert_ne!(first, deploy(&tiny, &controller, &["--episodes", "1", "--seed", "5"]));
}

#[test]
fn a_controller_that_dies_ends_the_deployment_with_a_message() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let arguments = ["deploy", "run", "--real-time", "--episodes", "100000", "--connect", &controller.endpoint];
    let mut process = Process::start(&mut giraffe(arguments), tiny.home());
    std::thread::sleep(Duration::from_millis(500));
    assert!(process.is_running(), "{:#?}", process.finish());
    let begun = crate::support::now();
    controller.end("KILL");
    let finished = process.finish();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stderr.contains("no answer") && !finished.stderr.contains("panicked"), "{finished:#?}");
    assert!(finished.stdout.contains("no episode was finished"), "{finished:#?}");
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[test]
fn episodes_that_were_finished_before_a_controller_died_are_scored() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let log = tiny.home().join("died.mcap");
    let log = log.to_str().unwrap();
    let endpoint = &controller.endpoint;
    let arguments = ["deploy", "run", "--episodes", "100000", "--connect", endpoint, "--json", "--log", log];
    let process = Process::start(&mut giraffe(arguments), tiny.home());
    // Some episodes take no more than this in lock-step, wherever it is cut.
    std::thread::sleep(Duration::from_secs(4));
    controller.end("KILL");
    let finished = process.finish();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stderr.contains("ended early"), "{finished:#?}");
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let episodes = report["score"]["episodes"].as_u64().unwrap();
    assert!(episodes > 0, "{report}");
    assert!(report["ended_early"].as_str().unwrap().contains(&format!("episode {episodes}")), "{report}");
}

#[test]
fn a_second_policy_waits_its_turn_and_the_hand_survives_a_policy_that_dies() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let arguments = ["deploy", "run", "--episodes", "100000", "--connect", &controller.endpoint];
    let process = Process::start(&mut giraffe(arguments), tiny.home());
    std::thread::sleep(Duration::from_millis(500));
    let second = run_in(tiny.home(), &["deploy", "run", "--episodes", "1", "--connect", &controller.endpoint]);
    assert_eq!(second.code, Some(2), "two policies move one hand: {second:#?}");
    process.signal("KILL");
    process.finish();
    let deadline = crate::support::now() + Duration::from_secs(10);
    let mut third = run_in(tiny.home(), &["deploy", "run", "--episodes", "1", "--connect", &controller.endpoint]);
    while third.code != Some(0) && crate::support::now() < deadline {
        third = run_in(tiny.home(), &["deploy", "run", "--episodes", "1", "--connect", &controller.endpoint]);
    }
    assert_eq!(third.code, Some(0), "the hand is lost with the policy that had it: {third:#?}");
}
