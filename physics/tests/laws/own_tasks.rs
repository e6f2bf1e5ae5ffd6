//! A world lives by the task of its plan, and says in which step a goal was reached.

use crate::support;
use giraffe_physics::{EpisodePlan, EpisodeSampler, HandWorlds, WorldsSettings};
use giraffe_robots::{NamedLimits, SeedTree, StepBatch, Task, WorldBatch, find_task_with};
use std::collections::BTreeMap;

/// Plans whose task may be another than that of all.
struct Own(support::PlainSampler, Option<&'static dyn Task>);

impl EpisodeSampler for Own {
    fn parameters(&self) -> Vec<NamedLimits> {
        self.0.parameters()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        self.0.plan(world, episode)
    }

    fn task(&self, _plan: &EpisodePlan) -> Option<&'static dyn Task> {
        self.1
    }
}

/// Goals that change every second, reached within so much.
fn reorient(tolerance_rad: f32) -> &'static dyn Task {
    let dials = [("tolerance_rad", tolerance_rad), ("secs_per_goal", 1.0), ("episode_secs", 5.0)];
    let dials: BTreeMap<String, f32> = dials.map(|(name, value)| (name.to_owned(), value)).into();
    find_task_with("reorient", &dials).expect("numbers it can have")
}

const WORLDS: usize = 48;

fn worlds(own: Option<&'static dyn Task>) -> (HandWorlds, StepBatch) {
    let scene = support::scene();
    let sampler = Own(support::PlainSampler(scene.clone(), SeedTree::new(3)), own);
    let settings = WorldsSettings { world_count: WORLDS, thread_count: 1, staggered: false };
    let mut worlds = HandWorlds::new(scene, reorient(0.05), Box::new(sampler), settings).expect("worlds");
    let mut batch = StepBatch::new(WORLDS, worlds.schema().critic_width());
    worlds.reset_all(&mut batch);
    (worlds, batch)
}

/// Steps of 5 s: whether a goal was reached, world by world, and whether that was paid.
fn lived((worlds, batch): &mut (HandWorlds, StepBatch)) -> Vec<(Vec<bool>, Vec<f32>)> {
    let width = WORLDS * worlds.action_width();
    let step = |step: usize| {
        // Fingers close and open, each in a rhythm of its own.
        let actions: Vec<f32> =
            (0..width).map(|joint| if ((step + 3 * joint) / 12).is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
        worlds.step(&actions, batch);
        (batch.successes.clone(), batch.rewards.clone())
    };
    (0..100).map(step).collect()
}

#[test]
fn a_plan_with_a_task_of_its_own_is_judged_by_it_and_the_same_after_it_was_saved() {
    let count = |steps: &[(Vec<bool>, Vec<f32>)]| steps.iter().flat_map(|step| &step.0).filter(|own| **own).count();
    let (shared, own) = (lived(&mut worlds(None)), lived(&mut worlds(Some(reorient(1.5)))));
    assert!(count(&own) > 4 * (count(&shared) + 1), "{} within 1.5 rad, {} within 0.05", count(&own), count(&shared));
    for (successes, rewards) in &own {
        // A goal pays 2, a fall costs as much, and whatever else happens in a step less than 0.5.
        let paid: Vec<bool> = rewards.iter().map(|reward| *reward > 1.5).collect();
        assert_eq!(&paid, successes);
    }

    let mut halfway = worlds(Some(reorient(1.5)));
    let actions = vec![0.5; WORLDS * halfway.0.action_width()];
    (0..40).for_each(|_| halfway.0.step(&actions, &mut halfway.1));
    let saved = halfway.0.save();
    let mut again = worlds(Some(reorient(1.5)));
    again.0.restore(&saved, &mut again.1).expect("its own words");
    assert_eq!(lived(&mut again), lived(&mut halfway));
}
