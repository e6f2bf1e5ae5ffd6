//! A hand with its object from above, from the side and from a corner: as SVG, as PNG, and in a terminal.
//!
//! Shapes become flat faces (`faces`), which a camera without perspective (`camera`) puts on a page. SVG draws them from the
//! farthest to the nearest; what is made of dots (`raster`) keeps the nearest face of each.

mod camera;
mod faces;
mod file;
mod raster;
mod svg;
mod terminal;

pub use file::{Format, write};
pub use svg::svg;
pub use terminal::in_terminal;
