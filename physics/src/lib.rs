//! One simulated hand, and many of them in parallel.
//!
//! ```text
//! SceneModel (hand + object, shared)      EpisodePlan (everything random, plain numbers)
//!         \                                /
//!          HandSim: one world = link + delay line + servos + engine + encoders + tracker     implements robots::Hand
//!               |
//!          HandWorlds: many worlds + task + encoder + decoder      implements robots::WorldBatch
//! ```
//!
//! Invariants: rapier is named only under `engine/`; the same plan and the same actions give the same bits, whatever
//! the number of threads; everything about motors, friction and contact is set explicitly, never left to a default.
//!
//! To add a physical effect: a field in [`WorldParameters`], the line that uses it and the one that changes it in a world that
//! lives, a row in `randomization`.

mod actuation;
mod adversary;
mod clock;
mod disturbance;
mod engine;
mod forces;
mod hand_sim;
mod noise;
mod parameters;
mod plan;
mod sampler;
mod scene;
mod sensing;
mod view;
mod worlds;

pub use disturbance::{Disturbance, FingerTie, ObjectSwap, TimedDisturbance, WorldChange, tilted_gravity};
pub use engine::{ContactSummary, ContactTotals, is_stepping};
pub use hand_sim::HandSim;
pub use parameters::{
    ActuationParameters, AdversaryParameters, ClockParameters, ContactParameters, ForceParameters, GRAVITY_M_PER_SEC2,
    HandParameters, JointParameters, LEAST_RANGE_RAD, LinkParameters, ObjectParameters, SensingParameters,
    TrackingParameters, WorldParameters,
};
pub use plan::EpisodePlan;
pub use sampler::EpisodeSampler;
pub use scene::{PhysicsSettings, SceneModel};
pub use sensing::TrackedPose;
pub use view::{LinkShapes, PlacedShape, ScenePoses, SceneShapes, SceneView};
pub use worlds::{HandWorlds, LostEpisode, WorldsError, WorldsSettings, WorldsShare};
