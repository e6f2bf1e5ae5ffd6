//! What acts on hand and object without anybody asking.

use crate::adversary::Adversary;
use crate::engine::World;
use crate::forces::RandomForces;
use crate::parameters::{ObjectPush, WorldParameters};
use crate::scene::SceneModel;

/// Random forces on the object, and an adversary with its share of the targets. Each is there only where it acts.
pub(super) struct Meddling {
    forces: Option<RandomForces>,
    adversary: Option<Adversary>,
    /// Whether the object has been pushed, and goes on being pushed until something else is said.
    pushing: bool,
}

impl Meddling {
    pub fn new(scene: &SceneModel, parameters: &WorldParameters, noise_seed: u64) -> Self {
        let robot = scene.robot();
        Self {
            forces: RandomForces::new(parameters.forces, robot.control.period_secs, noise_seed),
            adversary: Adversary::new(robot, parameters, noise_seed),
            pushing: false,
        }
    }

    /// Other meddling from now on.
    pub fn apply(&mut self, scene: &SceneModel, parameters: &WorldParameters, noise_seed: u64) {
        let robot = scene.robot();
        let period_secs = robot.control.period_secs;
        match &mut self.forces {
            Some(forces) => forces.apply(parameters.forces, period_secs),
            None => self.forces = RandomForces::new(parameters.forces, period_secs, noise_seed),
        }
        match &mut self.adversary {
            Some(adversary) => adversary.apply(parameters),
            None => self.adversary = Adversary::new(robot, parameters, noise_seed),
        }
    }

    /// Pushes the object during the next control step, and takes its share of the targets.
    pub fn act(&mut self, positions_rad: &[f32], true_targets_rad: &mut [f32], world: &mut World) {
        let forces = self.forces.as_mut().filter(|forces| forces.act());
        let adversary = self.adversary.as_mut().filter(|adversary| adversary.acts());
        let acts = forces.is_some() || adversary.is_some();
        if !acts && !self.pushing {
            return;
        }
        let mut push = forces.map_or_else(ObjectPush::default, RandomForces::next);
        if let Some(adversary) = adversary {
            let own = adversary.act(positions_rad, true_targets_rad, &world.object().pose);
            push.m_per_sec2.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        world.set_object_push(&push);
        self.pushing = acts;
    }
}
