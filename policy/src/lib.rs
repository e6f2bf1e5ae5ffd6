//! The networks, the rollouts, PPO, checkpoints, and running a policy
mod activation;
mod advantage;
mod config;
mod device;
mod error;
mod gaussian;
mod network;
mod normalizer;

pub use advantage::{Experience, generalized_advantages};
pub use config::{CoreKind, PpoConfig};
pub use device::DeviceChoice;
pub use error::PolicyError;
pub use gaussian::{entropy, kl, log_prob};
pub use network::NetworkShape;
pub use normalizer::{Normalizer, RunningMoments};
