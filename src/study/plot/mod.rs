//! `giraffe plot`: pictures of several runs together.

mod ranges;
mod runs;

pub use runs::{PlotReport, PlottedRun, plot};
