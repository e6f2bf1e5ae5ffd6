//! What must hold of the link between a policy and a hand, whoever is at either end.

mod campaign;
mod core_faults;
mod envelope;
mod golden;
mod hand;
mod handshake;
mod link;
mod watchdog;
mod wire;
