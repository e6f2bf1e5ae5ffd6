//! The simulator against what is known without it: closed formulas of mechanics, each with its source, on machines so
//! simple that the formula holds. Where a law depends on how finely time is cut it is asked for twice: at fine steps,
//! with the tolerance of the formula, and at the step that policies are trained with, with what that step costs.
//!
//! By how much each law is missed: `cargo test --release -p giraffe-physics --test laws -- --nocapture`.
//!
//! One binary, since the engine is slow to link.

mod bouncing;
mod changes;
mod delay;
mod disturbances;
mod energy;
mod falling;
mod friction;
mod link;
mod lost_worlds;
mod machines;
mod meddling;
mod own_tasks;
mod pendulum;
mod resting;
mod same_bits;
mod servo_law;
#[path = "../support/mod.rs"]
mod support;
mod swaps;
mod ties;
