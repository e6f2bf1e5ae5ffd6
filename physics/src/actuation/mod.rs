//! What happens between a command and the torque at a joint.
//!
//! ```text
//! command -> lost on the link, or reported as the target -> + bias, + noise -> lost, or late by delay and jitter
//!         -> servo: dead band, play, torque-speed line -> joint
//! ```

mod broken;
mod delay;
mod link;
mod servo;

pub(crate) use broken::with_dead_servos;
pub(crate) use delay::DelayLine;
pub(crate) use link::LossyLink;
pub(crate) use servo::Servos;
