//! What a rollout's values and a runner's actions must agree with.

use super::toy::CueWorlds;
use super::*;
use crate::runner::PolicyRunner;
use giraffe_robots::StepBatch;

fn collected() -> (PpoLearner, Rollout) {
    let config =
        PpoConfig { horizon_steps: 12, minibatch_count: 1, encoder_width: 24, core_width: 20, ..PpoConfig::default() };
    let mut worlds = CueWorlds::new(3, 6);
    let mut batch: StepBatch = worlds.batch();
    let mut learner =
        PpoLearner::new(&config, worlds.schema(), 1, 6, SeedTree::new(1), DeviceChoice::Cpu).expect("a learner");
    // A few updates, so that weights, normalisation and carried state are those of a run.
    for _ in 0..3 {
        learner.iterate(&mut worlds, &mut batch).expect("an iteration");
    }
    learner.collect(&mut worlds, &mut batch).expect("a rollout");
    let rollout = learner.rollout.clone().expect("was just collected");
    (learner, rollout)
}

/// The critic run step by step over one world; at `index` it reads `instead` and stops.
fn value_by_steps(learner: &PpoLearner, rollout: &Rollout, world: usize, step: usize, instead: &[f32]) -> f32 {
    let network = learner.critic.network.inference();
    let mut state = rollout.critic_start.rows(std::iter::once(world));
    let width = learner.schema.critic_width();
    for now in 0..=step {
        let index = now * 6 + world;
        let observations = rollout.observations[index * width..][..width].to_vec();
        let sequence = Sequence { observations, state, keep: vec![rollout.keep[index]] };
        let run = network.infer(sequence, &learner.device);
        state = RecurrentState::gather(&run.hidden, &run.cells, learner.config.core_width, 0..1);
    }
    learner.values_of(&network, instead.to_vec(), state)[0]
}

#[test]
fn a_time_out_is_worth_what_the_critic_thinks_before_the_reset() {
    let (mut learner, mut rollout) = collected();
    learner.evaluate(&mut rollout);
    let width = learner.schema.critic_width();
    assert!(rollout.timeout_indices.iter().any(|index| index / 6 < 11), "a time-out inside the rollout");
    for (nth, &index) in rollout.timeout_indices.iter().enumerate() {
        let (step, world) = (index / 6, index % 6);
        let before_reset = &rollout.timeout_observations[nth * width..][..width];
        let future = value_by_steps(&learner, &rollout, world, step, before_reset);
        let expected = rollout.rewards[index] + learner.config.discount * future;
        assert!((rollout.returns[index] - expected).abs() < 1e-5, "{} instead of {expected}", rollout.returns[index]);
        // The observation after the reset, or the state forgotten, would give another value.
        let forgotten = RecurrentState::zero(1, learner.config.core_width);
        let other = learner.values_of(&learner.critic.network.inference(), before_reset.to_vec(), forgotten)[0];
        assert!((other - future).abs() > 1e-4, "{other} {future}");
    }
}

#[test]
fn values_after_a_termination_count_for_nothing() {
    let (mut learner, mut rollout) = collected();
    learner.evaluate(&mut rollout);
    let terminated: Vec<usize> = (0..72).filter(|index| rollout.ends[*index] == EpisodeEnd::Terminated).collect();
    assert!(!terminated.is_empty());
    for index in terminated {
        assert!((rollout.returns[index] - rollout.rewards[index]).abs() < 1e-6);
    }
}

#[test]
fn a_runner_acts_as_the_actor_does() {
    let (learner, rollout) = collected();
    let context = PolicyContext {
        action: serde_json::from_value(
            serde_json::json!({ "joints": [{ "name": "joint", "limits": { "lower": -1.0, "upper": 1.0 } }],
            "max_rad_per_step": 0.1, "tracking_band_rad": 0.5 }),
        )
        .expect("an action schema"),
        control_period_secs: 0.05,
        robot: String::new(),
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
        task: String::new(),
        object: String::new(),
        commit: String::new(),
    };
    let policy = learner.export(context);
    let network = learner.actor.network.inference();
    let mut runner = PolicyRunner::new(&policy);
    let mut state = RecurrentState::zero(1, learner.config.core_width);
    let mut rng = SeedTree::new(4).stream(Stream::Toy, 0, 0);
    let mut greatest = 0f32;
    for step in 0..50 {
        let mut observation = [0.0; 2];
        crate::gaussian::fill_standard_normal(&mut rng, &mut observation);
        let mut normalized = [0.0; 2];
        learner.normalizer.apply(&observation, &mut normalized);
        let sequence = Sequence { observations: normalized.to_vec(), state, keep: vec![1.0] };
        let run = network.infer(sequence, &learner.device);
        let mut action = [0.0];
        runner.act(&observation, &mut action).expect("an action");
        assert!((action[0] - run.output[0]).abs() < 1e-5, "step {step}: {} {}", action[0], run.output[0]);
        greatest = greatest.max(action[0].abs());
        state = RecurrentState::gather(&run.hidden, &run.cells, learner.config.core_width, 0..1);
    }
    assert!(greatest > 1e-3, "actions are all but zero");
    assert_eq!(rollout.actions.len(), 72);
}
