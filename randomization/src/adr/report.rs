//! How automatic domain randomization stands, for logs and people.

use super::space::{Row, Side, Space};
use super::state::State;
use serde::{Deserialize, Serialize};

/// A range narrower than this part of its reference counts as this wide: the logarithm of nothing is no number. The same
/// floor as in DeXtreme's code.
pub const ENTROPY_WIDTH_FLOOR: f64 = 1e-3;

/// Entropy of the ranges in nats per dimension, as in the paper (section 5.2): the mean over dimensions of the logarithm
/// of the width. Here a width is a part of the width between the edges of the configured range (widened to hold the
/// nominal value), in the logarithm for log-uniform rows, and at least [`ENTROPY_WIDTH_FLOOR`]. So -6.9 is a nominal
/// world, 0 is as wide as the configured ranges (the `wide` preset) in the geometric mean, and 0.69 twice as wide. A
/// dimension is a row that can be widened; grouped rows count each. Zero when there are none.
pub fn entropy_nats(relative_widths: &[f64]) -> f64 {
    let sum: f64 = relative_widths.iter().map(|width| width.max(ENTROPY_WIDTH_FLOOR).ln()).sum();
    sum / relative_widths.len().max(1) as f64
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdrReport {
    /// See [`entropy_nats`].
    pub entropy_nats: f64,
    /// Finished episodes.
    pub episodes: u64,
    /// Those that tested a boundary.
    pub boundary_episodes: u64,
    /// Of these, those whose boundary had moved since they were planned: not counted.
    pub stale_episodes: u64,
    /// Of these, those cut short on purpose: not counted.
    pub cut_short_episodes: u64,
    /// One for each row that varies, in the order of the critic's columns.
    pub ranges: Vec<AdrRangeReport>,
    /// One for each boundary that is tested.
    pub sides: Vec<AdrSideReport>,
}

/// The present range of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdrRangeReport {
    /// Name of the row.
    pub name: String,
    /// Smallest value drawn, in the row's unit.
    pub lower: f32,
    /// Largest value drawn, in the row's unit.
    pub upper: f32,
    /// Width as a part of the configured range; none for a parameter that a user fixed.
    pub relative_width: Option<f64>,
}

/// One boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdrSideReport {
    /// The row, or the rows of a group with `+` between them.
    pub group: String,
    /// Which end.
    pub side: Side,
    /// 0 is nominal, 1 the edge of the configured range.
    pub reach: f64,
    /// The largest reach there can be.
    pub max_reach: f64,
    /// How often it moved out.
    pub grown: u64,
    /// How often it moved back.
    pub shrunk: u64,
    /// How often a full buffer left it where it was.
    pub kept: u64,
    /// Mean of the task's headline over the latest full buffer, in its unit.
    #[serde(alias = "latest_mean_rad_per_sec")]
    pub latest_mean: Option<f64>,
    /// Results in the buffer that is being filled.
    pub waiting: usize,
}

impl AdrReport {
    pub(super) fn new(space: &Space, state: &State) -> Self {
        let range = |row: &Row| {
            let range = row.range(|side| state.sides[side].reach);
            AdrRangeReport {
                name: row.parameter.name.to_owned(),
                lower: range.lower,
                upper: range.upper,
                relative_width: row.relative_width(range),
            }
        };
        let ranges: Vec<AdrRangeReport> = space.rows.iter().map(range).collect();
        let widths: Vec<f64> = ranges.iter().filter_map(|range| range.relative_width).collect();
        let sides = space.sides.iter().zip(&state.sides).map(|(spec, side)| AdrSideReport {
            group: spec.group.clone(),
            side: spec.side,
            reach: side.reach,
            max_reach: spec.max_reach,
            grown: side.grown,
            shrunk: side.shrunk,
            kept: side.kept,
            latest_mean: side.latest_mean,
            waiting: side.buffer.len(),
        });
        Self {
            entropy_nats: entropy_nats(&widths),
            episodes: state.counts.episodes,
            boundary_episodes: state.counts.boundary,
            stale_episodes: state.counts.stale,
            cut_short_episodes: state.counts.cut_short,
            sides: sides.collect(),
            ranges,
        }
    }

    /// The present range of a parameter.
    pub fn range(&self, name: &str) -> Option<&AdrRangeReport> {
        self.ranges.iter().find(|range| range.name == name)
    }
}
