//! Where to put an object in a hand, and how to hold the fingers, so that it stays: by trying.
//!
//! A few hundred starts (`starts`) are let settle; the quietest are tried again as the task would start them, from random
//! turns of the object and with pushes (`trials`); the best of those over whole episodes. Everything follows from the seed,
//! on any number of threads.

mod starts;
mod trials;

pub use starts::{Start, starts};
pub use trials::{Found, Merit, Search, search};
