//! `giraffe bench`: how fast things are, as ratios within one run.

pub mod learner;
pub mod link;
pub mod physics;
pub mod spread;
