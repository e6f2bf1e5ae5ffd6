//! A policy on a hand behind ZeroMQ, real or simulated, and the log of it.

pub mod controller;
pub mod deploy;
pub mod log;
pub mod options;
pub mod sim_driver;
