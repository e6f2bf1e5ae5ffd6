//! giraffe: train a robot hand in heavily randomized simulation, carry the policy over ZeroMQ to a real hand, and
//! measure how well it holds up.
//!
//! This package only joins the parts; each part is a crate of its own:
//!
//! | crate | one line |
//! | --- | --- |
//! | [`giraffe_robots`] | what a hand is, senses and does, and which tasks exist |
//! | [`giraffe_physics`] | one world with a hand and an object; a batch of them |
//! | [`giraffe_randomization`] | what varies between worlds and during an episode |
//! | [`giraffe_policy`] | the networks, the rollouts, PPO, checkpoints, running a policy |
//! | [`giraffe_bridge`] | safe exchange with a real hand |
//!
//! The wiring: [`train`], [`evaluate`], [`deploy`], [`serve`], [`quickstart`]; against another engine [`compare`],
//! [`mod@bench`]; of several runs [`compare_policies`], [`mod@plot`]; of one
//! episode [`mod@replay`], of one deployment [`mod@replay_log`].

#[cfg(feature = "train")]
mod adr_log;
#[cfg(feature = "train")]
pub mod bench;
pub mod check_controller;
pub mod cli;
#[cfg(feature = "train")]
pub mod compare;
#[cfg(feature = "train")]
pub mod compare_policies;
#[cfg(feature = "train")]
pub mod config;
#[cfg(feature = "train")]
pub mod deploy;
#[cfg(feature = "train")]
pub mod deploy_log;
#[cfg(feature = "train")]
pub mod describe;
#[cfg(feature = "train")]
pub mod episode;
#[cfg(feature = "train")]
mod episode_log;
#[cfg(feature = "train")]
pub mod evaluate;
pub mod keygen;
pub mod keys;
pub mod list;
#[cfg(feature = "train")]
pub mod metrics;
#[cfg(feature = "train")]
pub mod named_run;
#[cfg(feature = "train")]
pub mod plot;
#[cfg(feature = "train")]
pub mod processes;
#[cfg(feature = "train")]
pub mod progress;
#[cfg(feature = "train")]
pub mod python;
#[cfg(feature = "train")]
pub mod quickstart;
#[cfg(feature = "train")]
pub mod replay;
#[cfg(feature = "train")]
pub mod replay_log;
#[cfg(feature = "train")]
pub mod report;
#[cfg(feature = "train")]
pub mod run_folder;
pub mod serve;
#[cfg(feature = "train")]
pub mod sim_driver;
#[cfg(feature = "train")]
pub mod statistics;
pub mod stop;
#[cfg(feature = "train")]
pub mod train;
pub mod wiggle;
