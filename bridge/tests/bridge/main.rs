//! What must hold of the link between a policy and a hand, whoever is at either end.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may panic, and exact bits are what is tested")]

mod breakages;
mod campaign;
mod client;
mod conformance;
mod controller;
mod core_faults;
mod counters;
mod envelope;
mod golden;
mod hand;
mod handshake;
mod health;
mod homing;
mod in_vain;
mod judge;
mod keys;
mod link;
mod log;
mod log_envelope;
mod log_goals;
mod lossy_link;
#[path = "../../../tests/support/needs.rs"]
mod needs;
mod object;
mod over_sockets;
mod protocol_text;
mod proxy;
mod python;
mod raw;
mod release;
mod saboteur;
mod schema;
mod security;
#[cfg(feature = "dynamixel")]
mod servos;
mod soak;
mod test_poses;
mod tracking;
mod watchdog;
mod wire;
