//! What sensors make of the truth: age, noise, resolution, bias, loss.

mod encoders;
mod tracker;

pub(crate) use encoders::Encoders;
pub(crate) use tracker::ObjectTracker;
pub use tracker::TrackedPose;
