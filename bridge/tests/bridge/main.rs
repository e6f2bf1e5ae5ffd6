//! What must hold of the link between a policy and a hand, whoever is at either end.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may panic, and exact bits are what is tested")]

mod campaign;
mod core_faults;
mod envelope;
mod golden;
mod hand;
mod handshake;
mod link;
#[cfg(feature = "log")]
mod log;
#[cfg(feature = "log")]
mod log_envelope;
mod protocol_text;
mod watchdog;
mod wire;
