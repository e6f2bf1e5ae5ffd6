//! What all worlds share: the hand, the object, and how finely time is cut. Immutable.

use giraffe_robots::{ObjectModel, Region, RobotModel};
use std::sync::{Arc, OnceLock};

/// A hand and an object, parsed once and shared by all worlds.
#[derive(Debug, Clone)]
pub struct SceneModel {
    robot: Arc<RobotModel>,
    object: ObjectModel,
    settings: PhysicsSettings,
    /// Found when the first world is built.
    care: OnceLock<Care>,
}

/// What about a hand asks the engine for care: see `engine/care.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Care {
    /// Some servo could fling its link farther in a physics step than a contact or a stop can answer.
    pub brisk: bool,
    /// Links meet where no joint can part them.
    pub crowded: bool,
}

impl Care {
    /// Whether contacts between links are looked at one by one.
    pub fn of_links(self) -> bool {
        self.brisk || self.crowded
    }
}

/// How finely time is cut.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhysicsSettings {
    /// Physics steps per control step: how often contacts are found.
    pub substep_count: u32,
    /// Solver iterations per physics step: each integrates its part of it.
    pub solver_iteration_count: u32,
    /// Sweeps over all contacts, friction included, and joints within one solver iteration.
    pub inner_iteration_count: u32,
}

impl Default for PhysicsSettings {
    /// Contacts are found every 25 ms, motion is integrated in parts of 12.5 ms. Finer steps of either kind change
    /// little (docs/results). With fewer than six sweeps a cube of 57 mm that rests on finger edges trembles.
    fn default() -> Self {
        Self { substep_count: 2, solver_iteration_count: 2, inner_iteration_count: 6 }
    }
}

impl SceneModel {
    /// A scene of one hand and one object.
    pub fn new(robot: Arc<RobotModel>, object: ObjectModel, settings: PhysicsSettings) -> Self {
        Self { robot, object, settings, care: OnceLock::new() }
    }

    /// The hand.
    pub fn robot(&self) -> &Arc<RobotModel> {
        &self.robot
    }

    /// The object, at nominal size and mass.
    pub fn object(&self) -> &ObjectModel {
        &self.object
    }

    /// How finely time is cut.
    pub fn settings(&self) -> PhysicsSettings {
        self.settings
    }

    /// What about the hand asks the engine for care: found once.
    pub(crate) fn care(&self, find: impl FnOnce() -> Care) -> Care {
        *self.care.get_or_init(find)
    }

    /// Seconds of one physics step.
    pub fn substep_secs(&self) -> f32 {
        self.robot.control.period_secs / self.settings.substep_count as f32
    }

    /// The largest surface friction the description gives to a region of the hand.
    pub fn region_friction(&self, region: Region) -> f32 {
        let geoms = self.robot.bodies.iter().flat_map(|body| &body.geoms);
        geoms.filter(|geom| geom.region == region).map(|geom| geom.friction).fold(0.0, f32::max)
    }
}
