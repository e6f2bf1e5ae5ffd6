//! A policy on a hand behind ZeroMQ, real or simulated, and the log of it.

pub mod deploy;
pub mod log;
pub mod sim_driver;
