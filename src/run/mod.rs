//! What builds a run and judges it, for everyone who trains, flies or studies one: no command line, no sockets.

pub mod config;
pub mod episode;
pub mod evaluate;
pub mod folder;
pub mod statistics;
pub mod table;
