//! What the computer next to the motors does: serve a hand, stop it, find out how it is wired, check a controller, make
//! keys. With the keys of `crate::keys` this is all of the small program.

pub mod check_controller;
pub mod keygen;
pub mod serve;
pub mod stop;
pub mod wiggle;
