//! Training: the loop, what a person sees of it, and what it leaves in the folder of its run.

pub(crate) mod adr_log;
pub mod budget;
mod curve;
pub mod display;
mod earnings;
pub(crate) mod episode_log;
mod lost;
pub mod metrics;
pub mod processes;
pub mod rescue;
pub mod show;
pub mod stages;
pub mod train;
pub mod warm_start;
pub mod window;
