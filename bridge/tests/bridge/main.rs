//! What must hold of the link between a policy and a hand, whoever is at either end.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may panic, and exact bits are what is tested")]

mod campaign;
mod controller;
mod core_faults;
mod envelope;
mod golden;
mod hand;
mod handshake;
mod keys;
mod link;
mod over_sockets;
mod protocol_text;
mod proxy;
mod raw;
mod security;
mod watchdog;
mod wire;
