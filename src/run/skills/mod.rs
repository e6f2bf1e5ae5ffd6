//! A policy that is a set of skills: blind policies that each turn the object somehow, and a search over what they were
//! measured to do for the one that is to act now.
//!
//! | to learn about | read |
//! | --- | --- |
//! | the 24 ways a cube can lie, and the turns between them | [`orientations`] |
//! | what skills were measured to do | [`effects`] |
//! | the search | [`plan`] |
//! | who chooses, step by step | [`chooser`] |
//! | which tasks it can do | [`goals`] |
//! | the folder | [`set`] |

pub mod chooser;
pub mod effects;
pub mod goals;
pub mod orientations;
pub mod plan;
pub mod set;
