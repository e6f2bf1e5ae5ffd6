//! Any episode of a run can be had again.

use crate::support::{GROWING, TinyPolicy, run_in, running, steps, train};
use giraffe::run::evaluate::{TrainedPolicy, run_episodes, unseen_seeds};
use giraffe::study::replay::{Episodes, ReplayOptions, ReplayReport, replay};
use giraffe_physics::EpisodePlan;
use giraffe_randomization::find_scenario;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn options(run: &Path, episodes: Episodes, world: u64, episode: u64) -> ReplayOptions {
    let (run, settings) = (run.to_owned(), Vec::new());
    ReplayOptions { run, episodes, world, episode, settings, memoryless: false, live: true, out: None }
}

fn training(run: &Path, world: u64, episode: u64) -> ReplayReport {
    let options = ReplayOptions { live: false, ..options(run, Episodes::Training, world, episode) };
    replay(&options, &AtomicBool::new(false)).unwrap()
}

#[test]
fn an_episode_of_an_evaluation_is_lived_through_again_bit_for_bit() {
    let tiny = TinyPolicy::shared();
    let (stop, scenario) = (AtomicBool::new(false), find_scenario("push").unwrap());
    let trained = TrainedPolicy::load(&tiny.run(), &[]).unwrap();
    let parts = trained.parts().unwrap();
    let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(9));
    let evaluated = run_episodes(&trained.policy, &parts, &sampler, 3, false, &stop).unwrap();
    for (world, expected) in evaluated.iter().enumerate() {
        let episodes = Episodes::Evaluation { seed: 9, scenario: scenario.into() };
        let again = replay(&options(&tiny.run(), episodes, world as u64, 0), &stop).unwrap();
        assert!(!again.plan.disturbances.is_empty());
        let outcome = again.outcome.unwrap();
        let expected = &expected.trial;
        let values =
            |measures: &[Option<f64>]| measures.iter().map(|value| value.map(f64::to_bits)).collect::<Vec<_>>();
        let found: Vec<Option<f64>> = outcome.measures.iter().map(|(_, value)| *value).collect();
        assert_eq!(values(&found), values(&expected.measures));
        assert_eq!((outcome.outcome, outcome.step_count), (expected.outcome, expected.step_count));
        // The curve that is drawn and written ends where the task's own count ends.
        assert_eq!(outcome.steps.len(), expected.step_count as usize);
        assert_eq!(values(&outcome.steps.last().unwrap().measures), values(&expected.measures));
    }
}

#[test]
fn an_episode_is_printed_and_drawn() {
    let tiny = TinyPolicy::shared();
    let home = tempfile::tempdir().unwrap();
    let (run, out) = (tiny.run(), home.path().join("episode"));
    let (run, out) = (run.to_str().unwrap(), out.to_str().unwrap());
    let episode = ["replay", run, "--seed", "4", "--world", "0", "--scenario", "push"];
    let report = run_in(home.path(), &[&episode[..], &["--out", out, "--json"]].concat()).json();
    let evaluated =
        run_in(home.path(), &["evaluate", run, "--seed", "4", "--scenario", "push", "--episodes", "1", "--json"])
            .json();
    assert_eq!(
        report["outcome"]["measures"][0][1], evaluated["push"]["measures"]["rotation_rate_rad_per_sec"]["value"],
        "a command that replays and one that evaluates disagree"
    );
    let text = run_in(home.path(), &episode).stdout;
    for parameter in report["parameters"].as_array().unwrap() {
        assert!(text.contains(parameter["name"].as_str().unwrap()), "{parameter}");
    }
    assert!(text.contains("object_impulse") && text.contains("rad/s"), "{text}");
    let read = |name: &str| std::fs::read_to_string(Path::new(out).join(name)).unwrap();
    let csv = read("episode.csv");
    assert_eq!(csv.lines().count() as u64, 1 + report["outcome"]["step_count"].as_u64().unwrap());
    let widths: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(widths.iter().all(|width| *width == 2 + 2 + 7 + 2 * 16), "{widths:?}");
    let plan: Value = serde_json::from_str(&read("plan.json")).unwrap();
    assert_eq!(plan, report["plan"]);
    let picture = read("episode.svg");
    assert!(picture.len() < 200_000 && picture.contains("so far: rotation rate") && picture.contains("#FFFFFF"));
}

#[test]
fn a_training_episode_from_fixed_ranges_is_planned_again_as_it_was() {
    let tiny = TinyPolicy::shared();
    let running = running(&tiny.run());
    assert_eq!(running.len(), 4);
    for (world, (episode, plan)) in running.iter().enumerate() {
        assert!(training(&tiny.run(), world as u64, *episode).plan == *plan, "world {world}, episode {episode}");
    }
}

#[test]
fn a_training_episode_from_growing_ranges_is_planned_again_even_after_the_run_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(folder.path(), "run", 30, &GROWING);
    let planned_as_it_was = || {
        let mut moves = 0;
        for (world, (episode, plan)) in running(&run).iter().enumerate() {
            let again = training(&run, world as u64, *episode);
            assert!(again.plan == *plan, "world {world}, episode {episode}");
            moves += again.ranges.unwrap().move_count;
        }
        moves
    };
    let early: Vec<(u64, EpisodePlan)> = running(&run);
    let moves = planned_as_it_was();
    // What a run wrote that was killed after its last checkpoint, in the middle of a line.
    let log = run.join("episodes.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"iteration\":31,\"moves\":[[1,0,\"9\"]],\"planned\":[[0,1,1]]}\n{\"iteration\":32,\"pla")
        .unwrap();
    drop(file);
    let finished = run_in(folder.path(), &["train", "--resume", "run", "--steps", &steps(60)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(planned_as_it_was() > moves, "no range moved after the run was continued");
    for (world, (episode, plan)) in early.iter().enumerate() {
        assert!(training(&run, world as u64, *episode).plan == *plan, "world {world}, episode {episode}");
    }
    // The log is that of a run that was never stopped.
    let whole = train(folder.path(), "whole", 60, &GROWING);
    let text = |run: &Path| std::fs::read_to_string(run.join("episodes.jsonl")).unwrap();
    assert_eq!(text(&whole), text(&run));
    let refused = |more: &[&str], parts: &[&str]| {
        let finished = run_in(folder.path(), &[&["replay", "run", "--training"], more].concat());
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(parts.iter().all(|part| finished.stderr.contains(part)), "{finished:#?}");
    };
    refused(&["--world", "0", "--episode", "999"], &["has not come to episode 999"]);
    refused(&["--world", "4"], &["world 4", "4 worlds", "0 to 3"]);
    refused(&["--world", "0", "--seed", "1"], &["--seed"]);
    std::fs::remove_file(&log).unwrap();
    refused(&["--world", "0", "--episode", "1"], &["episodes.jsonl"]);
}

#[test]
fn an_episode_of_nothing_is_refused() {
    let tiny = TinyPolicy::shared();
    for (arguments, part) in [
        (["nothing", "--world", "0", "--seed", "1"], "nothing"),
        (["run", "--world", "0", "--scenario", "pussh"], "did you mean"),
        (["run", "--world", "0", "--set", "ppo.core_widht=1"], "did you mean"),
        (["run/policy.bin", "--world", "0", "--training", "--json"], "not the folder of a run"),
    ] {
        let finished = run_in(tiny.home(), &[&["replay"], &arguments[..]].concat());
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.contains(part), "{finished:#?}");
    }
}
