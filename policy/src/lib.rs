//! The networks, the rollouts, PPO, checkpoints, and running a policy.
//!
//! ```text
//! WorldBatch ── observations, rewards, ends ──► PpoLearner::collect ──► rollout [T, W, ·]
//!      ▲                                             │                        │
//!      └────────────── actions + exploration ────────┘                        ▼
//!                                  IterationReport ◄── PpoLearner::update: actor and critic
//!
//! PpoLearner::export ──► Policy (one file, checked by its hash) ──► PolicyRunner::act, on any machine
//! ```
//!
//! | to learn about | read |
//! | --- | --- |
//! | settings, with their defaults | [`PpoConfig`] |
//! | training | [`PpoLearner`], one [`IterationReport`] per iteration |
//! | cloning a teacher | [`CloningLearner`], [`Teacher`], [`PolicyTeacher`] |
//! | what both have | [`Learner`]: [`Learner::start_from`], [`Learner::save`], [`Learner::load`], [`Learner::dump`] |
//! | a trained policy, and acting | [`Policy`] with its [`PolicyManifest`]; [`PolicyRunner`] |
//!
//! ```no_run
//! # use giraffe_policy::*; use giraffe_robots::*;
//! # fn train(worlds: &mut dyn WorldBatch) -> Result<(), PolicyError> {
//! let schema = worlds.schema().clone();
//! let mut batch = StepBatch::new(worlds.world_count(), schema.critic_width());
//! let (actions, count, config) = (worlds.action_width(), worlds.world_count(), PpoConfig::default());
//! let mut learner = PpoLearner::new(&config, &schema, actions, count, SeedTree::new(7), DeviceChoice::Cpu)?;
//! for _ in 0..100 {
//!     println!("{}", learner.iterate(worlds, &mut batch)?.mean_reward);
//! }
//! # Ok(()) }
//! ```
//!
//! Invariants: nothing outside this crate sees a type of the tensor library; all randomness comes from the
//! [`giraffe_robots::SeedTree`]; parameters do not depend on the number of threads; 2N iterations equal N, save,
//! load and N more, bit for bit; a [`PolicyRunner`] gives the same bits on every processor.
//!
//! To add a memory: a variant of [`CoreKind`], and its sequence beside `network/lstm.rs` with its gradient test.
//! To learn for something else: an [`Objective`] beside `objective/clipped.rs`, with a test of its gradient.

mod activation;
mod adam;
mod advantage;
pub mod categorical;
mod checkpoint;
mod collector;
mod compute;
mod config;
mod device;
mod error;
mod gaussian;
mod group;
mod head;
mod learner;
mod network;
mod normalizer;
mod objective;
mod pieces;
mod rollout;
mod runner;
mod scales;
mod teacher;
mod threads;
mod trainee;
mod update;

pub use advantage::{Experience, generalized_advantages};
pub use checkpoint::{Ancestor, Policy, PolicyContext, PolicyManifest};
pub use config::{CoreKind, HeadKind, LearningMemory, PpoConfig, Widths};
pub use device::DeviceChoice;
pub use error::PolicyError;
pub use gaussian::{entropy, kl, log_prob};
pub use group::{Alone, Group, Lane};
pub use head::ActionHead;
pub use learner::{CloningLearner, IterationReport, KeptLearner, Learner, PpoLearner};
pub use network::NetworkShape;
pub use normalizer::{Normalizer, RunningMoments};
pub use objective::{Clipped, Cloning, Objective};
pub use rollout::Labels;
pub use runner::PolicyRunner;
pub use teacher::{PolicyTeacher, Teacher};
