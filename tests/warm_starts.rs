//! A run that starts as another one ended.

use crate::resume::assert_same;
use crate::support::{TINY, run_in, steps, train};
use giraffe::learn::budget::Budget;
use giraffe::learn::processes::Processes;
use giraffe::learn::show::{Show, Standing};
use giraffe::learn::train::Training;
use giraffe::learn::warm_start::WarmStart;
use giraffe::run::config::RunConfig;
use giraffe_policy::{DeviceChoice, Policy, PolicyRunner};
use giraffe_robots::{
    ActionSchema, Aims, Audience, Encoding, EpisodeStart, Measure, ObservationTerm, RobotModel, SeedTree, Seen, Signal,
    Stream, StreamRng, TASKS, Task, Trial, TrialScene, WhenStale, add_task,
};
use rand::RngExt;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::AtomicBool;

/// The first task, with an actor that reads where the object is, before everything else.
struct Seeing;

static SEEING: Seeing = Seeing;

fn actors(robot: &RobotModel) -> Vec<ObservationTerm> {
    let place = ObservationTerm::fresh(Signal::ObjectPosition, Encoding::Divide(0.05), 1, Audience::ActorAndCritic);
    let place = place.up_to_secs_old(0.2).when_stale(WhenStale::Hold);
    let mut all = vec![place];
    all.extend(TASKS[0].observation(robot));
    all
}

impl Task for Seeing {
    fn name(&self) -> &'static str {
        "seeing"
    }

    fn doc(&self) -> &'static str {
        "turn the object, which is seen"
    }

    fn episode_step_count(&self) -> u32 {
        40
    }

    fn observation(&self, robot: &RobotModel) -> Vec<ObservationTerm> {
        actors(robot)
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        TASKS[0].action(robot)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        TASKS[0].start(robot, rng)
    }

    fn measures(&self) -> &'static [Measure] {
        TASKS[0].measures()
    }

    fn aims(&self) -> Aims {
        TASKS[0].aims()
    }

    fn failure_reward(&self) -> f32 {
        TASKS[0].failure_reward()
    }

    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial> {
        TASKS[0].begin(scene, seen)
    }
}

fn config(settings: &[&str]) -> RunConfig {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| add_task(&SEEING));
    let tiny = TINY.iter().filter(|word| **word != "--set").chain(settings);
    RunConfig::read(None, &tiny.map(|setting| (*setting).to_owned()).collect::<Vec<_>>()).unwrap()
}

struct Quiet;

impl Show for Quiet {
    fn show(&mut self, _standing: &Standing<'_>) {}
    fn warn(&mut self, _text: &str) {}
}

fn begin(config: RunConfig, out: &Path, from: Option<&Path>) -> anyhow::Result<Training> {
    let from = from.map(WarmStart::read).transpose()?;
    Training::begin_from(config, out, DeviceChoice::Cpu, Processes::alone(), from.as_ref())
}

fn go_on(mut training: Training, iterations: u64) -> Policy {
    training.run(Budget::Steps(64 * iterations), &mut Quiet, &AtomicBool::new(false)).unwrap();
    Policy::load(&training.folder().file("policy.bin")).unwrap()
}

#[test]
fn a_task_in_which_more_is_seen_is_begun_as_the_one_that_was_learned_ended() {
    let home = tempfile::tempdir().unwrap();
    let old = home.path().join("old");
    let blind = go_on(begin(config(&[]), &old, None).unwrap(), 12);
    let seeing = go_on(begin(config(&["task=seeing", "seed=5"]), &home.path().join("new"), Some(&old)).unwrap(), 0);
    let (was, is) = (blind.manifest(), seeing.manifest());
    assert_eq!(is.shape.input, was.shape.input + 4);
    assert_eq!((is.context.task.as_str(), is.control_steps, is.seed), ("seeing", 0, 5));
    assert_eq!(is.started_from[0].fingerprint, blind.fingerprint().unwrap());

    let (mut one, mut other) = (PolicyRunner::new(&blind), PolicyRunner::new(&seeing));
    let mut rng = SeedTree::new(1).stream(Stream::Toy, 0, 0);
    let mut actions = [vec![0.0; one.action_width()], vec![0.0; one.action_width()]];
    for _ in 0..50 {
        let observation: Vec<f32> = (0..other.observation_width()).map(|_| rng.random_range(-1.5..1.5)).collect();
        one.act(&observation[4..], &mut actions[0]).unwrap();
        other.act(&observation, &mut actions[1]).unwrap();
        assert_eq!(actions[0], actions[1]);
    }
    // What is new is used once the actor learns: after five updates of the critic alone.
    let new_rows = |policy: &Policy| policy.weights()[..4 * policy.manifest().shape.encoder].to_vec();
    let resumed = |iterations| {
        let training = Training::resume(&home.path().join("new"), DeviceChoice::Cpu, Processes::alone()).unwrap();
        go_on(training, iterations)
    };
    assert!(new_rows(&resumed(5)).iter().all(|weight| *weight == 0.0));
    assert!(new_rows(&resumed(7)).iter().any(|weight| *weight != 0.0));

    let refused = begin(config(&[]), &home.path().join("back"), Some(&home.path().join("new"))).err().unwrap();
    let said = format!("{refused:#}");
    assert!(said.contains("reads 4 columns") && said.contains("object_position/x, "), "{said}");
    assert!(!home.path().join("back").exists());
}

#[test]
fn before_it_learns_it_scores_as_the_policy_that_it_started_from_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    train(home, "old", 8, &[]);
    let arguments = ["train", "--from", "old", "--out", "new", "--seed", "9", "--steps", "0"];
    let begun = run_in(home, &[&arguments[..], &TINY].concat());
    assert_eq!(begun.code, Some(0), "{begun:#?}");
    assert!(begun.stderr.contains("starts from old (rotate-z with cube-70mm on leap-right, seed 1, 512 control steps"));
    let score = |policy: &str| run_in(home, &["evaluate", policy, "--episodes", "6", "--json"]).json();
    assert_eq!(score("old"), score("new"));
    train(home, "other", 8, &["--seed", "3"]);
    assert_ne!(score("old"), score("other"), "or the same would be said of any policy");
    let said: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.join("new/started_from.json")).unwrap()).unwrap();
    let old = Policy::load(&home.join("old/policy.bin")).unwrap();
    assert_eq!(said[0]["path"], "old");
    assert_eq!(said[0]["fingerprint"], old.fingerprint().unwrap());
    assert_eq!(Policy::load(&home.join("new/started_from.bin")).unwrap(), old);
    assert_eq!(Policy::load(&home.join("new/policy.bin")).unwrap().manifest().started_from[0].path, "old");
}

#[test]
fn it_goes_on_bit_for_bit_without_the_run_that_it_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    train(home, "old", 4, &[]);
    let from = ["--from", "old", "--seed", "2", "--set", "ppo.frozen_actor_updates=3"];
    let whole = train(home, "whole", 12, &from);
    let [parts, killed] = [("parts", 2), ("killed", 0)].map(|(name, count)| train(home, name, count, &from));
    let plain = train(home, "plain", 12, &["--seed", "2"]);
    std::fs::rename(home.join("old"), home.join("gone")).unwrap();
    // As if it had been killed before it had a checkpoint.
    for checkpoint in crate::support::checkpoints(&killed) {
        std::fs::remove_dir_all(checkpoint).unwrap();
    }
    for (name, iterations) in [("parts", 7), ("parts", 12), ("killed", 12)] {
        let resumed = run_in(home, &["train", "--resume", name, "--steps", &steps(iterations)]);
        assert_eq!(resumed.code, Some(0), "{resumed:#?}");
    }
    assert_same(&whole, &parts);
    assert_same(&whole, &killed);
    let policy = |run: &Path| Policy::load(&run.join("policy.bin")).unwrap();
    assert_ne!(policy(&whole).weights(), policy(&plain).weights());
    assert_eq!(policy(&parts).manifest().started_from.len(), 1);
}

#[test]
fn what_a_run_cannot_start_from_is_said_in_one_message_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    train(home, "old", 1, &[]);
    std::fs::write(home.join("cut.bin"), &std::fs::read(home.join("old/policy.bin")).unwrap()[..999]).unwrap();
    std::fs::create_dir(home.join("empty")).unwrap();
    let refused = |from: &str, more: &[&str], expected: &[&str]| {
        let arguments = [&["train", "--from", from, "--out", "new", "--steps", "64"], &TINY[..], more].concat();
        let finished = run_in(home, &arguments);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(expected.iter().all(|words| finished.stderr.contains(words)), "{finished:#?}");
        assert!(!home.join("new").exists());
    };
    let wider = ["--set", "ppo.core_width=20", "--set", "ppo.core=gru"];
    refused("old", &wider, &["cannot start from old", "give --set ppo.core=lstm --set ppo.core_width=16"]);
    refused("old", &["--robot", "allegro-right"], &["cannot start from old", "was made for leap-right"]);
    refused("empty", &[], &["cannot start from empty", "holds no policy"]);
    refused("nowhere", &[], &["cannot start from nowhere", "there is no policy nowhere"]);
    refused("cut.bin", &[], &["cannot start from cut.bin", "damaged"]);
    let both = run_in(home, &["train", "--from", "old", "--resume", "old"]);
    assert_eq!(both.code, Some(2), "{both:#?}");
}
