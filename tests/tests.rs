//! What holds between the parts: the rules of the repository, the tables, the program as a user meets it.
//!
//! One binary with modules, since the tensor library and the engine are slow to link.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod abroad;
mod cards;
mod catalogue;
mod check_controller;
mod cli;
mod curricula;
mod dying_policies;
mod faults;
mod keys;
mod kill;
mod log_replay;
mod lost_hands;
mod metrics;
mod new_hands;
mod own_hand;
mod own_ranges;
mod quick_start;
mod recipes;
mod rehearsal;
mod replay;
mod resume;
#[cfg(feature = "mpi")]
mod several_processes;
mod several_runs;
mod shells;
mod shipped;
mod signals;
mod skills;
mod strange_hands;
mod stranger;
mod support;
mod tidy;
mod toy_task;
mod warm_starts;
mod whole_runs;
mod writers;
