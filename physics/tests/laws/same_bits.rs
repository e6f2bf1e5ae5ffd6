//! The same plan and the same actions give the same bits: again, on any number of threads, and after a checkpoint.

use crate::support;
use giraffe_physics::{HandWorlds, WorldsSettings, WorldsShare};
use giraffe_robots::{EpisodeEnd, SeedTree, StepBatch, StreamRng, WorldBatch, tasks::TASKS};
use rand::{RngExt, SeedableRng};

fn worlds(seed: u64, thread_count: usize) -> (HandWorlds, StepBatch) {
    let scene = support::scene();
    let sampler = Box::new(support::PlainSampler(scene.clone(), SeedTree::new(seed)));
    let settings = WorldsSettings { world_count: 6, thread_count, staggered: true };
    let mut worlds = HandWorlds::new(scene, TASKS[0], sampler, settings).expect("worlds");
    let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
    worlds.reset_all(&mut batch);
    (worlds, batch)
}

/// Steps with actions that depend only on the step's number; returns every observation's bits.
fn run(worlds: &mut HandWorlds, batch: &mut StepBatch, steps: std::ops::Range<u64>) -> Vec<u32> {
    let mut bits = Vec::new();
    for step in steps {
        let mut rng = StreamRng::seed_from_u64(step);
        let actions: Vec<f32> = (0..6 * 16).map(|_| rng.random_range(-1.0..=1.0)).collect();
        worlds.step(&actions, batch);
        bits.extend(batch.observations.iter().map(|value| value.to_bits()));
        bits.extend(batch.rewards.iter().map(|value| value.to_bits()));
    }
    bits
}

#[test]
fn the_same_seed_gives_the_same_bits_on_one_thread_and_on_three_and_another_seed_does_not() {
    let of = |seed, threads| {
        let (mut worlds, mut batch) = worlds(seed, threads);
        run(&mut worlds, &mut batch, 0..120)
    };
    let reference = of(1, 1);
    assert_eq!(reference, of(1, 3));
    assert_ne!(reference, of(2, 1));
}

#[test]
fn worlds_continue_from_a_checkpoint_in_the_middle_of_an_episode_bit_for_bit_on_any_number_of_threads() {
    let (mut first, mut batch) = worlds(1, 2);
    for (at, until) in [(0, 7), (7, 90), (90, 200)] {
        let saved = first.save();
        let observations = batch.observations.clone();
        let expected = run(&mut first, &mut batch, at..until);
        for threads in [1, 3] {
            let (mut second, mut batch) = worlds(1, threads);
            run(&mut second, &mut batch, 300..305);
            second.restore(&saved, &mut batch).expect("a checkpoint of these worlds");
            assert_eq!(batch.observations, observations, "the policy goes on from what it saw last");
            assert_eq!(second.save(), saved, "restoring loses nothing");
            assert_eq!(run(&mut second, &mut batch, at..until), expected, "from step {at} on {threads} threads");
        }
    }
}

#[test]
fn the_terms_of_rewards_add_up_to_the_rewards_and_depend_neither_on_threads_nor_on_a_checkpoint_before_them() {
    let (mut first, mut batch) = worlds(1, 1);
    run(&mut first, &mut batch, 0..30);
    first.take_reward_terms();
    let saved = first.save();
    let bits = run(&mut first, &mut batch, 30..90);
    let expected = first.take_reward_terms();
    let per_step = bits.len() / 60;
    let rewards =
        bits.chunks(per_step).flat_map(|step| &step[per_step - 6..]).map(|bits| f64::from(f32::from_bits(*bits)));
    let mean = rewards.sum::<f64>() / 360.0;
    let sum: f64 = expected.iter().map(|(_, value)| f64::from(*value)).sum();
    assert!((mean - sum).abs() < 1e-6 && mean.abs() > 1e-3, "{mean} {sum}");
    assert!(expected.iter().any(|(name, value)| *name == "sliding" && *value < 0.0), "{expected:?}");
    assert_eq!(expected.last().map(|(name, _)| *name), Some("diverged"));
    for threads in [1, 3] {
        let (mut second, mut batch) = worlds(1, threads);
        run(&mut second, &mut batch, 300..305);
        second.restore(&saved, &mut batch).expect("a checkpoint of these worlds");
        run(&mut second, &mut batch, 30..90);
        let bits =
            |terms: &[(&'static str, f32)]| -> Vec<_> { terms.iter().map(|(name, x)| (*name, x.to_bits())).collect() };
        assert_eq!(bits(&second.take_reward_terms()), bits(&expected), "{threads} threads");
        assert!(second.take_reward_terms().iter().all(|(_, value)| *value == 0.0), "what was taken is gone");
    }
}

#[test]
fn first_episodes_end_at_different_times_and_time_outs_show_the_observation_before_the_reset() {
    let (mut worlds, mut batch) = worlds(1, 2);
    let mut ends = Vec::new();
    for step in 0..400 {
        worlds.step(&[0.0; 6 * 16], &mut batch);
        for (world, end) in batch.ends.iter().enumerate() {
            if *end == EpisodeEnd::TimedOut {
                ends.push(step);
                let width = worlds.schema().critic_width();
                let of = |all: &[f32]| all[world * width..(world + 1) * width].to_vec();
                assert_ne!(of(&batch.observations), of(&batch.last_observations));
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(ends.len() >= 4, "{ends:?}");
    assert_eq!(worlds.take_reports().len(), ends.len().max(6));
}

#[test]
fn a_damaged_checkpoint_of_worlds_is_refused_in_words() {
    let (mut worlds, mut batch) = worlds(1, 1);
    let saved = worlds.save();
    let error = worlds.restore(&saved[..saved.len() / 2], &mut batch).expect_err("half a checkpoint");
    assert!(error.contains("saved worlds"), "{error}");
}

#[test]
fn two_processes_with_three_worlds_each_are_one_with_six() {
    let (mut whole, mut batch) = worlds(1, 1);
    let share = |rank| {
        let scene = support::scene();
        let sampler = Box::new(support::PlainSampler(scene.clone(), SeedTree::new(1)));
        let settings = WorldsSettings { world_count: 6, thread_count: 1, staggered: true };
        let share = WorldsShare { rank, size: 2 };
        let mut worlds = HandWorlds::share_of(scene, TASKS[0], sampler, settings, share).expect("worlds");
        let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
        worlds.reset_all(&mut batch);
        (worlds, batch)
    };
    let mut parts = [share(0), share(1)];
    let actions: Vec<f32> = (0..6 * 16).map(|index| (index as f32 * 0.7).sin()).collect();
    for _ in 0..60 {
        whole.step(&actions, &mut batch);
        for (part, actions) in parts.iter_mut().zip(actions.chunks(3 * 16)) {
            part.0.step(actions, &mut part.1);
        }
    }
    let [(first, one), (second, two)] = &parts;
    assert_eq!(batch.observations, [one.observations.clone(), two.observations.clone()].concat());
    let joined = HandWorlds::join_saved(&[first.save(), second.save()]).expect("saved worlds");
    assert_eq!(joined, whole.save());
    let (mut again, mut batch_again) = share(1);
    again.restore(&joined, &mut batch_again).expect("its own three of six");
    assert_eq!(batch_again.observations, two.observations);
    assert!(again.restore(&first.save(), &mut batch_again).expect_err("only three").contains("3 worlds were saved, 6"));
}

#[test]
fn a_hand_with_coupled_joints_continues_from_a_checkpoint() {
    let robot = std::sync::Arc::new(giraffe_robots::load_robot("shadow-right").expect("a built-in hand"));
    let object = giraffe_robots::find_object("cube-70mm").expect("a built-in object").clone();
    let scene = std::sync::Arc::new(giraffe_physics::SceneModel::new(robot, object, Default::default()));
    let begin = || {
        let sampler = Box::new(support::PlainSampler(scene.clone(), SeedTree::new(1)));
        let settings = WorldsSettings { world_count: 2, thread_count: 1, staggered: true };
        let mut worlds = HandWorlds::new(scene.clone(), TASKS[0], sampler, settings).expect("worlds");
        let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
        worlds.reset_all(&mut batch);
        (worlds, batch)
    };
    let (mut worlds, mut batch) = begin();
    assert!(worlds.action_width() < scene.robot().joint_count(), "fewer servos than joints");
    let actions: Vec<f32> = (0..2 * worlds.action_width()).map(|index| (index as f32).sin()).collect();
    (0..9).for_each(|_| worlds.step(&actions, &mut batch));
    let (mut again, mut batch_again) = begin();
    again.restore(&worlds.save(), &mut batch_again).expect("saved worlds");
    assert_eq!(batch.observations, batch_again.observations);
}
