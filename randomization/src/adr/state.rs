//! What was learned so far: how far each side reaches, the results it waits with, and what is in flight.

use super::history::{AdrHistory, AdrMove, AdrPlanned};
use super::space::Space;
use crate::error::RandomizationError;
use giraffe_robots::Better;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When sides move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Of the headline, turned so that more is better; and so is the other.
    pub grow_above: f64,
    pub shrink_below: f64,
    /// Which way the headline itself is better.
    pub better: Better,
    pub buffer_length: usize,
    pub step: f64,
}

/// Everything that changes during a run. All of it is in a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// One for each of [`Space::sides`].
    pub sides: Vec<SideState>,
    /// How often any boundary has moved: the time by which results are told to be old.
    move_count: u64,
    /// By world: the episode that runs there, and `move_count` when it was planned.
    in_flight: BTreeMap<u64, Flight>,
    pub counts: Counts,
    /// What happened since somebody asked last, if anybody asks. In no checkpoint: who asks writes it down before.
    #[serde(skip)]
    pub history: Option<AdrHistory>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Flight {
    episode: u64,
    planned_at: u64,
}

/// Finished episodes, by what became of their results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub episodes: u64,
    pub boundary: u64,
    pub stale: u64,
    pub cut_short: u64,
}

/// One boundary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SideState {
    pub reach: f64,
    /// Results at this very boundary, turned so that more is better.
    pub buffer: Vec<f64>,
    /// `move_count` when it moved last.
    moved_at: u64,
    pub grown: u64,
    pub shrunk: u64,
    pub kept: u64,
    /// Mean of the headline over the latest full buffer, in its unit.
    pub latest_mean: Option<f64>,
}

/// What a finished episode says about a side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Finished {
    pub world: u64,
    pub episode: u64,
    /// The side that it tested, if it tested one.
    pub tested: Option<usize>,
    /// The task's headline, turned so that more is better; nothing for an episode that was cut short on purpose.
    pub success: Option<f64>,
}

impl State {
    pub fn new(space: &Space, start_reach: f64) -> Self {
        let side = |max_reach: f64| SideState {
            reach: start_reach.min(max_reach),
            buffer: Vec::new(),
            moved_at: 0,
            grown: 0,
            shrunk: 0,
            kept: 0,
            latest_mean: None,
        };
        Self {
            sides: space.sides.iter().map(|spec| side(spec.max_reach)).collect(),
            move_count: 0,
            in_flight: BTreeMap::new(),
            counts: Counts::default(),
            history: None,
        }
    }

    /// Learns from episodes that ended together. The next episode of each of their worlds was planned before: its result
    /// will be held against the boundaries as they were on entry.
    pub fn learn(&mut self, space: &Space, rules: &Rules, finished: impl Iterator<Item = Finished>) {
        let planned_at = self.move_count;
        for finished in finished {
            self.counts.episodes += 1;
            if let Some(side) = finished.tested {
                self.counts.boundary += 1;
                self.count(side, finished, space, rules);
            }
            let (world, episode) = (finished.world, finished.episode + 1);
            self.in_flight.insert(world, Flight { episode, planned_at });
            if let Some(history) = &mut self.history {
                history.planned.push(AdrPlanned { world, episode, move_count: planned_at });
            }
        }
    }

    fn count(&mut self, index: usize, finished: Finished, space: &Space, rules: &Rules) {
        // Of an episode that nobody remembers being planned it is only sure that it was planned after the start.
        let flight = self.in_flight.get(&finished.world).filter(|flight| flight.episode == finished.episode);
        let planned_at = flight.map_or(0, |flight| flight.planned_at);
        let max_reach = space.sides[index].max_reach;
        let side = &mut self.sides[index];
        match finished.success {
            None => self.counts.cut_short += 1,
            Some(_) if planned_at < side.moved_at => self.counts.stale += 1,
            Some(success) => {
                side.buffer.push(success);
                if side.decide(max_reach, rules) {
                    self.move_count += 1;
                    side.moved_at = self.move_count;
                    if let Some(history) = &mut self.history {
                        history.moves.push(AdrMove { move_count: self.move_count, side: index, reach: side.reach });
                    }
                }
            }
        }
    }
}

impl SideState {
    /// Grows, shrinks or keeps the range when the buffer is full. Whether the boundary moved.
    fn decide(&mut self, max_reach: f64, rules: &Rules) -> bool {
        if self.buffer.len() < rules.buffer_length {
            return false;
        }
        let mean = self.buffer.iter().sum::<f64>() / self.buffer.len() as f64;
        self.buffer.clear();
        self.latest_mean = Some(rules.better.oriented(mean));
        if mean >= rules.grow_above && self.reach < max_reach {
            self.reach = (self.reach + rules.step).min(max_reach);
            self.grown += 1;
            true
        } else if mean <= rules.shrink_below && self.reach > 0.0 {
            self.reach = (self.reach - rules.step).max(0.0);
            self.shrunk += 1;
            true
        } else {
            self.kept += 1;
            false
        }
    }
}

/// A state and what it is a state of.
#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    seed: u64,
    sides: Vec<SavedSide>,
    rows: Vec<SavedRow>,
    state: State,
}

/// Enough of a row to see that a reach still means the same values.
#[derive(PartialEq, Serialize, Deserialize)]
struct SavedRow {
    name: String,
    nominal: f32,
    edges: [f32; 2],
    bounds: [f32; 2],
    logarithmic: bool,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct SavedSide {
    group: String,
    side: super::space::Side,
}

const FORMAT: u32 = 1;

fn saved_rows(space: &Space) -> Vec<SavedRow> {
    let row = |row: &super::space::Row| SavedRow {
        name: row.parameter.name.to_owned(),
        nominal: row.parameter.nominal,
        edges: [row.edges.lower, row.edges.upper],
        bounds: [row.parameter.bounds.lower, row.parameter.bounds.upper],
        logarithmic: row.logarithmic,
    };
    space.rows.iter().map(row).collect()
}

fn saved_sides(space: &Space) -> Vec<SavedSide> {
    space.sides.iter().map(|spec| SavedSide { group: spec.group.clone(), side: spec.side }).collect()
}

/// The state, to be read back by [`restore`] in a space that is the same.
pub(super) fn save(state: &State, space: &Space, seed: u64) -> Vec<u8> {
    let (sides, rows) = (saved_sides(space), saved_rows(space));
    let saved = Saved { format: FORMAT, seed, sides, rows, state: state.clone() };
    rmp_serde::to_vec(&saved).expect("plain numbers can always be written")
}

/// # Errors
/// When the bytes are no such state, or one of another table of parameters, of other groups or of another seed.
pub(super) fn restore(bytes: &[u8], space: &Space, seed: u64) -> Result<State, RandomizationError> {
    let unreadable = |problem: String| RandomizationError::UnreadableAdrState { problem };
    let saved: Saved = rmp_serde::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if saved.format != FORMAT {
        return Err(unreadable(format!("format {}, expected {FORMAT}", saved.format)));
    }
    let other = |difference: String| RandomizationError::AdrStateOfAnotherTable { difference };
    let rows = saved_rows(space);
    if saved.rows != rows {
        return Err(other(difference(&saved.rows, &rows)));
    }
    if saved.sides != saved_sides(space) || saved.state.sides.len() != space.sides.len() {
        return Err(other("its parameters are grouped otherwise".to_owned()));
    }
    if saved.seed != seed {
        return Err(other(format!("its seed is {}, here it is {seed}", saved.seed)));
    }
    let mut state = saved.state;
    for (side, spec) in state.sides.iter_mut().zip(&space.sides) {
        if !side.reach.is_finite() || side.buffer.iter().any(|rate| !rate.is_finite()) {
            return Err(unreadable(format!("a number of \"{}\" is not finite", spec.group)));
        }
        // A smaller `max_reach` than before is obeyed at once.
        side.reach = side.reach.clamp(0.0, spec.max_reach);
    }
    Ok(state)
}

fn difference(saved: &[SavedRow], here: &[SavedRow]) -> String {
    let names = |rows: &[SavedRow], without: &[SavedRow]| -> Vec<String> {
        let missing = rows.iter().filter(|row| without.iter().all(|other| other.name != row.name));
        missing.map(|row| row.name.clone()).collect()
    };
    let (gone, new) = (names(saved, here), names(here, saved));
    let listed = |names: &[String], end: &str| (!names.is_empty()).then(|| format!("{} {end}", names.join(", ")));
    let parts: Vec<String> =
        [listed(&gone, "no longer vary"), listed(&new, "did not vary then")].into_iter().flatten().collect();
    if !parts.is_empty() {
        return parts.join("; ");
    }
    let changed = saved.iter().zip(here).find(|(saved, here)| saved != here);
    changed.map_or_else(
        || "its parameters are in another order".to_owned(),
        |(saved, _)| format!("nominal value, range or bounds of {} have changed", saved.name),
    )
}
