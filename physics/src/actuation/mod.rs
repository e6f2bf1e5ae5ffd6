//! What happens between a command and the torque at a joint.
//!
//! ```text
//! command -> + bias, + noise -> late by delay and jitter -> servo: dead band, play, torque-speed line -> joint
//! ```

mod delay;
mod servo;

pub(crate) use delay::DelayLine;
pub(crate) use servo::Servos;
