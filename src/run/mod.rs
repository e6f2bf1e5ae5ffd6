//! What builds a run and judges it, for everyone who trains, flies or studies one: no command line, no sockets.

pub mod config;
pub mod episode;
pub mod evaluate;
pub mod folder;
pub mod score;
pub mod statistics;
pub mod table;

/// The commit this program was built from, where whoever built it said so.
pub const COMMIT: &str = match option_env!("GIRAFFE_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
