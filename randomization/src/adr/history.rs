//! What a run must write down so that each of its episodes can be planned again.

use serde::{Deserialize, Serialize};

/// What happened since somebody asked last. See [`crate::AdrMonitor::record`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdrHistory {
    /// Boundaries that moved, in order.
    pub moves: Vec<AdrMove>,
    /// Episodes that were planned, but for the first of each world: that one is planned before any boundary moves.
    pub planned: Vec<AdrPlanned>,
}

/// A boundary moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdrMove {
    /// How many moves there were with this one: 1 for the first of a run.
    pub move_count: u64,
    /// Index into [`crate::AdrReport::sides`].
    pub side: usize,
    /// Where it moved to.
    pub reach: f64,
}

/// An episode was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdrPlanned {
    /// Where.
    pub world: u64,
    /// Which.
    pub episode: u64,
    /// How many moves there had been.
    pub move_count: u64,
}
