//! A hand before anything is learned with it: what it is, what it looks like, whether it holds its object, and a folder of
//! its own for a hand that somebody else described.

pub mod adopt;
pub mod describe;
pub mod facts;
pub mod hold;
pub mod picture;
mod reach;
pub mod search;
mod solid;
pub mod stance;
