//! What must hold of the link between a policy and a hand, whoever is at either end.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may panic, and exact bits are what is tested")]

mod campaign;
mod controller;
mod core_faults;
mod envelope;
mod golden;
mod hand;
mod handshake;
mod link;
mod over_sockets;
mod protocol_text;
mod proxy;
#[cfg(feature = "dynamixel")]
mod servos;
mod watchdog;
mod wire;
