//! A world that loses its numbers ends one episode, says so, and touches no other.

use crate::support;
use giraffe_physics::{EpisodePlan, EpisodeSampler, HandWorlds, WorldsSettings};
use giraffe_robots::{EpisodeEnd, Limits, NamedLimits, Outcome, SeedTree, StepBatch, WorldBatch, tasks::TASKS};

/// The first episode of one world, if any, has a gravity that is no number. What is drawn says which world it is.
struct OneIsBroken(support::PlainSampler, Option<u64>);

impl EpisodeSampler for OneIsBroken {
    fn parameters(&self) -> Vec<NamedLimits> {
        vec![NamedLimits { name: "world".to_owned(), limits: Limits { lower: 0.0, upper: 3.0 } }]
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let mut plan = self.0.plan(world, episode);
        plan.sampled = vec![world as f32];
        if self.1 == Some(world) && episode == 0 {
            plan.parameters.gravity_m_per_sec2 = [f32::NAN; 3];
        }
        plan
    }
}

fn worlds(broken: Option<u64>) -> (HandWorlds, StepBatch) {
    let scene = support::scene();
    let sampler = OneIsBroken(support::PlainSampler(scene.clone(), SeedTree::new(3)), broken);
    let settings = WorldsSettings { world_count: 3, thread_count: 1, staggered: false };
    let mut worlds = HandWorlds::new(scene, TASKS[0], Box::new(sampler), settings).expect("worlds");
    let mut batch = StepBatch::new(3, worlds.schema().critic_width());
    worlds.reset_all(&mut batch);
    (worlds, batch)
}

#[test]
fn it_is_reported_with_what_was_drawn_for_it_and_begins_anew_while_the_others_go_on_as_ever() {
    let ((mut whole, mut expected), (mut worlds, mut batch)) = (worlds(None), worlds(Some(1)));
    let actions = vec![0.3; 3 * worlds.action_width()];
    whole.step(&actions, &mut expected);
    worlds.step(&actions, &mut batch);
    assert_eq!(batch.ends, [EpisodeEnd::Running, EpisodeEnd::Terminated, EpisodeEnd::Running]);
    let lost = worlds.take_lost();
    assert_eq!(lost.iter().map(|lost| (lost.world, lost.episode)).collect::<Vec<_>>(), [(1, 0)]);
    assert_eq!(lost[0].sampled, [1.0]);
    assert!(lost[0].how.contains("not a finite number"), "{}", lost[0].how);
    assert!(worlds.take_lost().is_empty(), "what was taken is gone");
    let reports = worlds.take_reports();
    assert_eq!(reports.iter().map(|report| report.outcome).collect::<Vec<_>>(), [Outcome::Diverged]);
    assert_eq!(worlds.sampled().collect::<Vec<_>>(), [[0.0], [1.0], [2.0]]);
    for _ in 0..20 {
        whole.step(&actions, &mut expected);
        worlds.step(&actions, &mut batch);
    }
    assert!(worlds.take_lost().is_empty(), "its second episode is whole");
    let width = worlds.schema().critic_width();
    for world in [0, 2] {
        let own = world * width..(world + 1) * width;
        assert_eq!(batch.observations[own.clone()], expected.observations[own], "world {world}");
    }
    assert!(batch.observations.iter().all(|value| value.is_finite()));
}
