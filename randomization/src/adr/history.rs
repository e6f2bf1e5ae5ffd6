//! What a run must write down so that each of its episodes can be planned again.

use serde::{Deserialize, Serialize};

/// What happened since somebody asked last, in a curriculum or where ranges grow: see [`Recorded`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdrHistory {
    /// Boundaries that moved, in order.
    pub moves: Vec<AdrMove>,
    /// Episodes that were planned, but for the first of each world: that one is planned before any boundary moves.
    pub planned: Vec<AdrPlanned>,
}

/// What draws episodes from something that moves, and remembers how it moved for whoever writes it down.
pub trait Recorded: std::fmt::Debug + Send {
    /// From now on, everything is remembered until [`Recorded::take_history`] fetches it.
    fn record(&self);

    /// What happened since the last time; nothing when nobody asked to [`Recorded::record`] it.
    fn take_history(&self) -> AdrHistory;
}

/// A boundary moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdrMove {
    /// How many moves there were with this one: 1 for the first of a run.
    pub move_count: u64,
    /// Index into [`crate::AdrReport::sides`]; 0 in a curriculum.
    pub side: usize,
    /// Where it moved to; in a curriculum the level.
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
