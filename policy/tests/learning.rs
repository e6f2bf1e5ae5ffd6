//! Learning as a whole: it solves what needs memory, and nothing about it depends on threads or interruptions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "learning/cloning.rs"]
mod cloning;
mod golden;
#[path = "learning/memory.rs"]
mod memory;
#[path = "learning/policy_file.rs"]
mod policy_file;
#[path = "../examples/toys/mod.rs"]
mod toys;
#[path = "learning/warm_start.rs"]
mod warm_start;
#[path = "learning/worlds.rs"]
mod worlds;

use giraffe_policy::{
    DeviceChoice, IterationReport, Policy, PolicyContext, PolicyError, PolicyRunner, PpoConfig, PpoLearner,
};
use giraffe_robots::{SeedTree, StepBatch, WorldBatch};
use toys::cue::{ACTOR_WIDTH, CueWorlds};

const WORLDS: usize = 32;

fn config() -> PpoConfig {
    PpoConfig { thread_count: 2, ..toys::remember().config }
}

fn learner(config: &PpoConfig, worlds: &CueWorlds) -> PpoLearner {
    PpoLearner::new(config, worlds.schema(), 1, worlds.world_count(), SeedTree::new(11), DeviceChoice::Cpu).unwrap()
}

fn train(config: &PpoConfig, iterations: usize) -> (PpoLearner, Vec<IterationReport>) {
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut learner = learner(config, &worlds);
    let reports = (0..iterations).map(|_| learner.iterate(&mut worlds, &mut batch).unwrap()).collect();
    (learner, reports)
}

fn context() -> PolicyContext {
    let robot = serde_json::json!({ "joints": [{ "name": "joint", "limits": { "lower": -1.0, "upper": 1.0 } }],
        "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 });
    PolicyContext {
        action: serde_json::from_value(robot).unwrap(),
        control_period_secs: 0.05,
        robot: "cue".to_owned(),
        kinematics_fingerprint: "k".to_owned(),
        dynamics_fingerprint: "d".to_owned(),
        task: "remember".to_owned(),
        object: "none".to_owned(),
        commit: "unknown".to_owned(),
    }
}

/// Mean reward per step of the deterministic policy in other worlds than it was trained in.
fn score(policy: &Policy) -> f32 {
    let mut worlds = CueWorlds::new(99, WORLDS);
    let mut batch = worlds.batch();
    worlds.reset_all(&mut batch);
    let mut runners = vec![PolicyRunner::new(policy); WORLDS];
    let mut actions = vec![0.0; WORLDS];
    let mut sum = 0.0;
    for _ in 0..100 {
        act(&mut runners, &batch, &mut actions);
        worlds.step(&actions, &mut batch);
        for (runner, end) in runners.iter_mut().zip(&batch.ends) {
            if *end != giraffe_robots::EpisodeEnd::Running {
                runner.reset();
            }
        }
        sum += batch.rewards.iter().sum::<f32>();
    }
    sum / (100 * WORLDS) as f32
}

fn act(runners: &mut [PolicyRunner], batch: &StepBatch, actions: &mut [f32]) {
    let width = batch.observations.len() / runners.len();
    for (world, runner) in runners.iter_mut().enumerate() {
        let observation = &batch.observations[world * width..][..ACTOR_WIDTH];
        runner.act(observation, &mut actions[world..=world]).unwrap();
    }
}

#[test]
fn a_cue_is_remembered_with_memory_and_cannot_be_without() {
    let (with_memory, reports) = train(&config(), 60);
    let (without, _) = train(&PpoConfig { memoryless: true, ..config() }, 60);
    let (with_memory, without) = (score(&with_memory.export(context())), score(&without.export(context())));
    let last = reports.last().unwrap();
    // 5 of 6 steps are rewarded on average, with 0.64 at best; the best without memory is 0.
    assert!(with_memory > 0.45, "with memory: {with_memory}, {last:?}");
    assert!(without < 0.05, "without memory: {without}");
    // When an episode ends is drawn by lot, so much of the return cannot be foreseen.
    assert!(last.explained_variance > 0.2, "{last:?}");
}

#[test]
fn the_update_sees_the_rollout_as_it_was() {
    // Episodes end inside every rollout, so recurrent state, resets and normalisation must all be reproduced.
    let (_, reports) = train(&PpoConfig { minibatch_count: 1, ..config() }, 8);
    for report in reports {
        assert!(report.episode_count > 20 && report.timeout_count > 0, "{report:?}");
        assert!(report.first_ratio_deviation < 1e-5, "{report:?}");
        assert!(report.approx_kl > 1e-6, "nothing was learned: {report:?}");
    }
}

#[test]
fn parameters_do_not_depend_on_the_number_of_threads() {
    let wide = |thread_count| PpoConfig { core_width: 64, encoder_width: 64, thread_count, ..config() };
    let run = |thread_count| {
        let mut worlds = CueWorlds::new(5, 200);
        let mut batch = worlds.batch();
        let mut learner = learner(&wide(thread_count), &worlds);
        for _ in 0..3 {
            learner.iterate(&mut worlds, &mut batch).unwrap();
        }
        bits(&learner.parameters())
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn an_interrupted_run_continues_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut straight = learner(&config(), &worlds);
    for _ in 0..4 {
        straight.iterate(&mut worlds, &mut batch).unwrap();
    }
    straight.save(folder.path()).unwrap();
    let saved_worlds = worlds.save();
    let at_half = bits(&straight.parameters());
    let expected: Vec<_> = (0..4).map(|_| straight.iterate(&mut worlds, &mut batch).unwrap()).collect();
    assert_ne!(at_half, bits(&straight.parameters()));

    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    worlds.restore(&saved_worlds, &mut batch).unwrap();
    let mut resumed = learner(&config(), &worlds);
    resumed.load(folder.path()).unwrap();
    assert_eq!((resumed.iteration(), resumed.control_steps()), (4, 4 * 16 * WORLDS as u64));
    assert_eq!(at_half, bits(&resumed.parameters()));
    let found: Vec<_> = (0..4).map(|_| resumed.iterate(&mut worlds, &mut batch).unwrap()).collect();
    assert_eq!(bits(&straight.parameters()), bits(&resumed.parameters()));
    assert_eq!(expected, found);
    assert_eq!(straight.export(context()), resumed.export(context()));
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn another_seed_learns_something_else() {
    let (first, _) = train(&config(), 1);
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut other =
        PpoLearner::new(&config(), worlds.schema(), 1, WORLDS, SeedTree::new(12), DeviceChoice::Cpu).unwrap();
    other.iterate(&mut worlds, &mut batch).unwrap();
    assert_ne!(bits(&first.parameters()), bits(&other.parameters()));
}

#[test]
fn numbers_that_explode_are_refused_and_leave_the_networks_alone() {
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut learner = learner(&config(), &worlds);
    learner.iterate(&mut worlds, &mut batch).unwrap();
    let before = bits(&learner.parameters());

    worlds.reward_scale = 1e30;
    learner.collect(&mut worlds, &mut batch).unwrap();
    let error = learner.update().unwrap_err();
    assert!(matches!(error, PolicyError::NotFinite { iteration: 1, .. }), "{error}");
    assert_eq!(before, bits(&learner.parameters()));

    worlds.reward_scale = f32::NAN;
    let error = learner.collect(&mut worlds, &mut batch).unwrap_err().to_string();
    assert!(error.contains("the reward of world"), "{error}");
    assert_eq!(before, bits(&learner.parameters()));
}

#[test]
fn worlds_and_learner_from_different_moments_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut first = learner(&config(), &worlds);
    first.iterate(&mut worlds, &mut batch).unwrap();
    first.save(folder.path()).unwrap();
    first.collect(&mut worlds, &mut batch).unwrap();
    assert!(first.save(folder.path()).unwrap_err().to_string().contains("after an update"));

    let mut second = learner(&config(), &worlds);
    second.load(folder.path()).unwrap();
    let error = second.collect(&mut worlds, &mut batch).unwrap_err().to_string();
    assert!(error.contains("same checkpoint"), "{error}");

    let mut narrow = learner(&PpoConfig { core_width: 8, ..config() }, &worlds);
    let error = narrow.load(folder.path()).unwrap_err().to_string();
    let both = error.contains("1 x LSTM-8,") && error.contains("1 x LSTM-16,");
    assert!(error.contains("the checkpoint's network") && both, "{error}");
    let mut few = CueWorlds::new(5, 4);
    let mut batch = few.batch();
    let error = second.collect(&mut few, &mut batch).unwrap_err().to_string();
    assert!(error.contains("expected 32 worlds") && error.contains("found 4 worlds"), "{error}");
}

#[test]
fn a_policy_file_says_everything_and_shows_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.bin");
    let (learner, _) = train(&config(), 2);
    let policy = learner.export(context());
    policy.save(&path).unwrap();
    let read = Policy::load(&path).unwrap();
    assert_eq!(read, policy);
    assert_eq!((read.manifest().seed, read.manifest().control_steps), (11, 2 * 16 * WORLDS as u64));
    assert_eq!(score(&read).to_bits(), score(&policy).to_bits());

    let bytes = std::fs::read(&path).unwrap();
    for (what, damaged) in [
        ("one bit", flipped(&bytes, bytes.len() / 2)),
        ("the manifest", flipped(&bytes, 60)),
        ("the hash", flipped(&bytes, bytes.len() - 1)),
        ("its end", bytes[..bytes.len() - 100].to_vec()),
        ("its start", flipped(&bytes, 0)),
        ("all but its start", bytes[..20].to_vec()),
        ("everything", Vec::new()),
    ] {
        std::fs::write(&path, damaged).unwrap();
        let error = Policy::load(&path).unwrap_err();
        assert!(matches!(error, PolicyError::Damaged { .. }), "{what}: {error}");
    }
    let error = Policy::load(&folder.path().join("none.bin")).unwrap_err().to_string();
    assert!(error.starts_with("reading") && error.contains("none.bin"), "{error}");
}

fn flipped(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[index] ^= 4;
    bytes
}

#[test]
fn a_runner_forgets_when_told_and_refuses_what_it_cannot_read() {
    let (learner, _) = train(&config(), 2);
    let policy = learner.export(context());
    let mut runner = PolicyRunner::new(&policy);
    let action = |runner: &mut PolicyRunner, observation: &[f32]| {
        let mut actions = [0.0];
        runner.act(observation, &mut actions).map(|()| actions[0].to_bits())
    };
    let first = action(&mut runner, &[0.8, 1.0]).unwrap();
    let second = action(&mut runner, &[0.8, 1.0]).unwrap();
    assert_ne!(first, second, "what was seen before must matter");
    runner.reset();
    assert_eq!(first, action(&mut runner, &[0.8, 1.0]).unwrap());
    let wrong = action(&mut runner, &[f32::NAN, 1.0]).unwrap_err().to_string();
    assert!(wrong.contains("column 0"), "{wrong}");
    assert!(action(&mut runner, &[1.0]).unwrap_err().to_string().contains("expected 2 numbers"));
    assert_eq!(second, action(&mut runner, &[0.8, 1.0]).unwrap(), "a refused observation must leave no trace");
    let mut forgetful = runner.without_memory();
    assert_eq!(first, action(&mut forgetful, &[0.8, 1.0]).unwrap());
}

#[test]
fn a_rollout_is_learned_from_before_the_next_is_collected() {
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut learner = learner(&config(), &worlds);
    learner.collect(&mut worlds, &mut batch).unwrap();
    let error = learner.collect(&mut worlds, &mut batch).unwrap_err().to_string();
    assert!(error.contains("after an update"), "{error}");
    learner.update().unwrap();
    learner.collect(&mut worlds, &mut batch).unwrap();
}

#[test]
fn a_resumed_learner_obeys_bounds_that_were_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut worlds = CueWorlds::new(5, WORLDS);
    let mut batch = worlds.batch();
    let mut first = learner(&config(), &worlds);
    for _ in 0..2 {
        first.iterate(&mut worlds, &mut batch).unwrap();
    }
    first.save(folder.path()).unwrap();
    let slow = PpoConfig { learning_rate: 1e-6, learning_rate_bounds: [1e-7, 1e-6], ..config() };
    let mut second = learner(&slow, &worlds);
    second.load(folder.path()).unwrap();
    let before = second.parameters();
    let report = second.iterate(&mut worlds, &mut batch).unwrap();
    assert!(report.learning_rate <= 1e-6, "{report:?}");
    let actor = before.len() / 3;
    let moved = before.iter().zip(second.parameters()).take(actor).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // 8 gradient steps of Adam move a parameter by a few rates each at most.
    assert!(moved > 0.0 && moved < 1e-4, "moved by {moved}");
}

#[test]
fn a_checkpoint_of_fewer_worlds_than_it_names_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = train(&config(), 2);
    first.save(folder.path()).unwrap();
    let path = folder.path().join("learner.msgpack");
    let mut kept: serde_json::Value = rmp_serde::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kept["worlds"]["observations"].as_array_mut().unwrap().truncate(5);
    std::fs::write(&path, rmp_serde::to_vec_named(&kept).unwrap()).unwrap();
    let (mut second, _) = train(&config(), 1);
    let before = bits(&second.parameters());
    let error = second.load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("the checkpoint's state"), "{error}");
    assert_eq!(before, bits(&second.parameters()));
}
