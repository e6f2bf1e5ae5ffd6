//! A scene and plans for the law tests.

#![allow(dead_code, reason = "each test file uses its own part")]

use giraffe_physics::{EpisodePlan, EpisodeSampler, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_robots::{
    EpisodeStart, Hand, NamedLimits, OBJECTS, SeedTree, SignalFrame, SignalLayout, Stream, load_robot, tasks::TASKS,
};
use std::sync::Arc;

/// The LEAP hand with the 70 mm cube.
pub fn scene_with(settings: PhysicsSettings) -> Arc<SceneModel> {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), settings))
}

pub fn scene() -> Arc<SceneModel> {
    scene_with(PhysicsSettings::default())
}

/// Hand at home, cube at its home, nothing random.
pub fn plan(scene: &SceneModel) -> EpisodePlan {
    EpisodePlan {
        parameters: WorldParameters::nominal(scene),
        start: EpisodeStart {
            joint_positions_rad: scene.robot().home_rad.clone(),
            palm_from_object: scene.robot().palm_from_object_home,
        },
        disturbances: Vec::new(),
        sampled: Vec::new(),
        noise_seed: 7,
    }
}

/// An empty frame for what `scene`'s hand senses.
pub fn frame(scene: &SceneModel) -> SignalFrame {
    SignalFrame::new(SignalLayout::of(scene.robot(), 0))
}

/// Holds `targets` for a number of control steps.
pub fn hold(hand: &mut dyn Hand, sensed: &mut SignalFrame, targets: &[f32], steps: usize) {
    for _ in 0..steps {
        hand.exchange(targets, sensed).expect("a finite world");
    }
}

/// Nominal physics with the task's random starts and some noise and delay.
pub struct PlainSampler(pub Arc<SceneModel>, pub SeedTree);

impl EpisodeSampler for PlainSampler {
    fn parameters(&self) -> Vec<NamedLimits> {
        Vec::new()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let mut plan = plan(&self.0);
        plan.start = TASKS[0].start(self.0.robot(), &mut self.1.stream(Stream::Start, world, episode));
        plan.parameters.sensing.position_noise_rad = 0.03;
        plan.parameters.actuation.delay_secs = 0.04;
        plan.noise_seed = world * 1000 + episode;
        plan
    }
}
