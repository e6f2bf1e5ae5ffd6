//! What holds in a world now: what its plan says, and what has happened since.

use super::change::Changing;
use crate::disturbance::tilted_gravity;
use crate::parameters::WorldParameters;
use crate::plan::EpisodePlan;
use crate::scene::SceneModel;
use giraffe_robots::GeomShape;
use nalgebra::Vector3;

/// What holds now.
pub(super) struct Now {
    /// Of the world, as asked for: which servos are dead is another question (`with_dead_servos`).
    pub parameters: WorldParameters,
    tilt: Option<Tilt>,
    /// Of the object that is in the hand, before its parameters stretch and scale it.
    pub object_shape: GeomShape,
    /// Of that object, times what the parameters say.
    pub friction_scale: f32,
    /// `EpisodePlan::sampled`, as true now.
    pub sampled: Vec<f32>,
    /// The change that is under way.
    pub changing: Option<Box<Changing>>,
}

/// A palm that is tilted.
#[derive(Clone, Copy)]
struct Tilt {
    until: u32,
    axis: [f32; 3],
    radians: f32,
    /// Gravity as it is felt.
    gravity_m_per_sec2: [f32; 3],
}

impl Now {
    pub fn new(scene: &SceneModel, plan: &EpisodePlan) -> Self {
        Self {
            parameters: plan.parameters.clone(),
            tilt: None,
            object_shape: scene.object().shape,
            friction_scale: 1.0,
            sampled: plan.sampled.clone(),
            changing: None,
        }
    }

    /// Gravity as the palm feels it, palm frame.
    pub fn gravity_m_per_sec2(&self) -> [f32; 3] {
        self.tilt.map_or(self.parameters.gravity_m_per_sec2, |tilt| tilt.gravity_m_per_sec2)
    }

    /// Against gravity, palm frame, unit length.
    pub fn up(&self) -> [f32; 3] {
        let gravity = Vector3::from(self.gravity_m_per_sec2());
        (-gravity.try_normalize(1e-6).unwrap_or(-Vector3::z())).into()
    }

    /// Tilts the palm until a control step.
    pub fn tilt(&mut self, until: u32, axis: [f32; 3], radians: f32) {
        let gravity_m_per_sec2 = tilted_gravity(self.parameters.gravity_m_per_sec2, axis, radians);
        self.tilt = Some(Tilt { until, axis, radians, gravity_m_per_sec2 });
    }

    /// Turns a gravity that has changed as the palm is turned.
    pub fn turn_tilt(&mut self) {
        if let Some(tilt) = self.tilt {
            self.tilt(tilt.until, tilt.axis, tilt.radians);
        }
    }

    /// Levels the palm again if the time of its tilt is over at this control step.
    pub fn level(&mut self, step: u32) {
        self.tilt = self.tilt.filter(|tilt| step < tilt.until);
    }

    /// Sets sampled values: index and value each.
    pub fn set_sampled(&mut self, sampled: &[(u32, f32)]) {
        for &(column, value) in sampled {
            if let Some(own) = self.sampled.get_mut(column as usize) {
                *own = value;
            }
        }
    }
}
