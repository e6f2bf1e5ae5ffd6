//! What must hold of the link between a policy and a hand, whoever is at either end.

mod campaign;
mod core_faults;
mod envelope;
mod hand;
mod handshake;
mod watchdog;
mod wire;
