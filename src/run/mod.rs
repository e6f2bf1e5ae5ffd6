//! What builds a run and judges it, for everyone who trains, flies or studies one: no command line, no sockets.

pub mod behavior;
pub mod config;
pub mod dosed;
pub mod episode;
pub mod evaluate;
pub mod folder;
pub mod hand;
pub mod lock;
pub mod memory;
pub mod score;
pub mod setting;
pub mod skills;
pub mod statistics;
pub mod table;

/// The commit this program is built from: see `build.rs`.
pub const COMMIT: &str = env!("GIRAFFE_COMMIT");
