//! What memory is worth: where it is needed, policies with memory do what those without provably cannot.

use crate::toys::cue::CueWorlds;
use crate::toys::experiment::{Outcome, context, score, train};
use crate::toys::pendulum::{self, Pendulum};
use crate::toys::{self, Toy};
use giraffe_policy::{CoreKind, Policy, PolicyRunner};
use giraffe_robots::{SeedTree, Stream, WorldBatch};
use std::sync::LazyLock;

/// Sum of rewards of `steps` steps of a policy without exploration, and the sum and number of the cues to be reproduced.
fn act_without_memory(runner: &mut PolicyRunner, steps: usize) -> (f64, f64, f64) {
    const WORLDS: usize = 64;
    let mut worlds = CueWorlds::new(99, WORLDS);
    let mut batch = worlds.batch();
    worlds.reset_all(&mut batch);
    let (mut rewards, mut cues, mut count) = (0.0, 0.0, 0.0);
    let mut actions = [0.0; WORLDS];
    for _ in 0..steps {
        for (world, columns) in batch.observations.chunks_exact(3).enumerate() {
            runner.reset();
            runner.act(&columns[..2], &mut actions[world..=world]).unwrap();
            if columns[1] == 0.0 {
                cues += f64::from(columns[2]);
                count += 1.0;
            }
        }
        worlds.step(&actions, &mut batch);
        rewards += batch.rewards.iter().map(|reward| f64::from(*reward)).sum::<f64>();
    }
    (rewards, cues, count)
}

#[test]
fn whatever_was_learned_without_memory_the_cue_earns_no_more_than_luck_with_its_mean() {
    // Without memory every rewarded step looks the same and gets the same answer a. With n cues c of +-0.8 that earns
    // sum(0.64 - (a - c)^2) = 2 a sum(c) - n a^2, which no a makes more than sum(c)^2 / n.
    let experiment = toys::remember();
    for (memory, seed) in [(None, 1), (None, 2), (Some(CoreKind::Lstm), 3)] {
        let learner = train(&experiment, memory, seed, 40).unwrap();
        let mut runner = PolicyRunner::new(&learner.export(context("remember"))).without_memory();
        let (rewards, cues, count) = act_without_memory(&mut runner, 200);
        let most = cues * cues / count;
        assert!(rewards <= most + 1e-3, "{rewards} of {most}");
        assert!(most / count < 0.002, "the cues are so one-sided that {} a step is to be had", most / count);
    }
}

#[test]
fn an_lstm_and_a_gru_remember_the_cue() {
    let experiment = toys::remember();
    for memory in [CoreKind::Lstm, CoreKind::Gru] {
        let learner = train(&experiment, Some(memory), 1, 60).unwrap();
        let found = score(&experiment, &learner.export(context("remember")), 1).unwrap();
        assert!(found > 2.7, "{memory:?}: {found} of 3.2");
    }
}

/// Mean return of a law of pendulum and mass.
fn hold(law: impl Fn(&Pendulum) -> f64) -> f64 {
    let seeds = SeedTree::new(5);
    let starts = (0..100).map(|world| Pendulum::start(&mut seeds.stream(Stream::Toy, world, 0)));
    let returns = starts.map(|mut pendulum| {
        let reward = |_| f64::from(pendulum.step((law(&pendulum) / pendulum::TORQUE_NM) as f32).0);
        (0..Pendulum::STEP_LIMIT).map(reward).sum::<f64>()
    });
    returns.sum::<f64>() / 100.0
}

#[test]
fn who_knows_the_mass_holds_the_pendulum_better_than_any_law_of_angle_and_velocity_tried() {
    let knowing = hold(|pendulum| {
        let inertia = pendulum.mass_kg * pendulum::LENGTH_M * pendulum::LENGTH_M;
        let weight_nm = pendulum.mass_kg * pendulum::GRAVITY * pendulum::LENGTH_M * pendulum.angle_rad.sin();
        weight_nm + inertia * (-49.0 * pendulum.error_rad() - 11.0 * pendulum.velocity_rad_s)
    });
    assert!(knowing > 54.0, "{knowing}");
    let (mut best, mut tried) = (0f64, 0);
    for constant in [1.0, 3.0, 5.0] {
        for stiffness in [3.0, 6.0, 12.0, 18.0, 24.0, 36.0] {
            for damping in [0.2, 0.4, 0.8, 1.3, 2.0, 4.0] {
                let law = |p: &Pendulum| constant - stiffness * p.error_rad() - damping * p.velocity_rad_s;
                best = best.max(hold(law));
                tried += 1;
            }
        }
    }
    assert!(best < 0.85 * knowing, "{best} without, {knowing} with the mass, {tried} tried");
}

/// Holds pendulums of unknown mass after a third of the training that the example gives it.
fn holder(memory: Option<CoreKind>) -> Policy {
    train(&pendulum::experiment(), memory, 2, 130).unwrap().export(context("hidden_mass"))
}

static WITH_MEMORY: LazyLock<Policy> = LazyLock::new(|| holder(Some(CoreKind::Gru)));

#[test]
fn after_short_training_memory_already_holds_a_pendulum_of_unknown_mass_better() {
    let learned = |policy| score(&pendulum::experiment(), policy, 1).unwrap();
    let (with, without) = (learned(&WITH_MEMORY), learned(&holder(None)));
    assert!(with > 52.0 && with > without + 3.0, "{with} with memory, {without} without");
}

#[test]
fn a_policy_with_memory_weighs_what_it_holds() {
    // Two pendulums that look alike at first; what holds them differs ten times.
    for mass_kg in pendulum::MASSES_KG {
        let mut pendulum = Pendulum { mass_kg, angle_rad: 0.0, velocity_rad_s: 0.0 };
        let mut runner = PolicyRunner::new(&WITH_MEMORY);
        let told: Vec<f64> = (0..Pendulum::STEP_LIMIT)
            .map(|_| {
                let (mut columns, mut action) = ([0.0; 4], [0.0]);
                pendulum.observe(&mut columns);
                runner.act(&columns[..3], &mut action).unwrap();
                pendulum.step(action[0]);
                f64::from(action[0]) * pendulum::TORQUE_NM
            })
            .collect();
        let held_nm = told[40..].iter().sum::<f64>() / 20.0;
        let weight_nm = mass_kg * pendulum::GRAVITY * pendulum::LENGTH_M;
        assert!((held_nm / weight_nm - 1.0).abs() < 0.2, "{held_nm} N m for {weight_nm} N m");
        assert!(pendulum.error_rad().abs() < 0.2, "{pendulum:?}");
    }
}

#[test]
fn an_outcome_is_summed_up_with_students_interval() {
    // Quantile 0.975 of Student's t with 4 degrees of freedom: 2.776445; standard deviation of 1 to 5: sqrt(2.5).
    let outcome = Outcome::new("lstm", vec![5.0, 1.0, 3.0, 2.0, 4.0], 7, vec![]);
    let half = 2.776_445 * (2.5f64 / 5.0).sqrt();
    let [lower, upper] = outcome.interval95.unwrap();
    assert!((lower - 3.0 + half).abs() < 1e-5 && (upper - 3.0 - half).abs() < 1e-5, "{outcome:?}");
    assert!((outcome.mean - 3.0).abs() < 1e-12 && (outcome.median - 3.0).abs() < 1e-12);
    let one = Outcome::new("lstm", vec![5.0], 7, vec![]);
    assert!(one.interval95.is_none() && (one.median - 5.0).abs() < 1e-12);
}
