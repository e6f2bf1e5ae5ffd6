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

mod adr_log;
pub mod bench;
pub mod cli;
pub mod compare;
pub mod compare_policies;
pub mod config;
pub mod deploy;
pub mod deploy_log;
pub mod describe;
pub mod episode;
mod episode_log;
pub mod evaluate;
pub mod list;
pub mod metrics;
pub mod named_run;
pub mod plot;
pub mod processes;
pub mod progress;
pub mod python;
pub mod quickstart;
pub mod replay;
pub mod replay_log;
pub mod report;
pub mod run_folder;
pub mod serve;
pub mod sim_driver;
pub mod statistics;
pub mod train;
