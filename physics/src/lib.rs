//! One simulated hand, and many of them in parallel.

mod parameters;
mod sampler;
mod scene;

pub use parameters::{
    ActuationParameters, ContactParameters, Disturbance, EpisodePlan, GRAVITY_M_PER_SEC2, HandParameters,
    JointParameters, ObjectParameters, SensingParameters, TimedDisturbance, WorldParameters,
};
pub use sampler::EpisodeSampler;
pub use scene::{PhysicsSettings, SceneModel};
