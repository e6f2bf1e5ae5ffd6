//! A policy on a hand behind ZeroMQ, real or simulated, and the log of it.

mod bridged_hand;
pub mod controller;
pub mod deploy;
mod flight;
pub mod log;
pub mod options;
pub mod report;
pub mod sim_driver;
pub mod stillness;
mod twin;
