//! Pictures of runs: the one that training leaves, and those of `giraffe plot`, of several runs together.

pub mod chart;
mod curve;
mod ranges;
mod runs;

pub use curve::learning_curve;
pub use runs::{PlotReport, PlottedRun, plot};
