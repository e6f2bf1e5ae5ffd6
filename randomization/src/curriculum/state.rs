//! What was learned so far: the level, the results it waits with, and what is in flight.

use super::config::Rules;
use crate::adr::{AdrHistory, AdrMove, AdrPlanned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that changes during a run. All of it is in a checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// 0 is the easiest.
    pub level: usize,
    /// Results at this level, turned so that more is better.
    pub buffer: Vec<f64>,
    /// How often the level has changed: the time by which results are told to be old.
    pub move_count: u64,
    /// By world: the episode that runs there, and `move_count` when it was planned.
    in_flight: BTreeMap<u64, (u64, u64)>,
    pub promoted: u64,
    pub demoted: u64,
    /// What happened since somebody asked last, if anybody asks. In no checkpoint: who asks writes it down before.
    #[serde(skip)]
    pub history: Option<AdrHistory>,
}

/// What a finished episode says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Finished {
    pub world: u64,
    pub episode: u64,
    /// The measure, turned so that more is better; nothing for an episode that says nothing.
    pub success: Option<f64>,
}

impl State {
    /// Learns from episodes that ended together. The next episode of each of their worlds was planned before, at the level
    /// on entry.
    pub fn learn(&mut self, rules: &Rules, hardest: usize, finished: impl Iterator<Item = Finished>) {
        let planned_at = self.move_count;
        for Finished { world, episode, success } in finished {
            // Of an episode that nobody remembers being planned it is only sure that it was planned after the start.
            let flight = self.in_flight.get(&world).filter(|(running, _)| *running == episode);
            let is_old = flight.map_or(0, |(_, planned_at)| *planned_at) < self.move_count;
            if let Some(success) = success.filter(|_| !is_old) {
                self.buffer.push(success);
                self.decide(rules, hardest);
            }
            self.in_flight.insert(world, (episode + 1, planned_at));
            if let Some(history) = &mut self.history {
                history.planned.push(AdrPlanned { world, episode: episode + 1, move_count: planned_at });
            }
        }
    }

    fn decide(&mut self, rules: &Rules, hardest: usize) {
        if self.buffer.len() < rules.episode_count {
            return;
        }
        let mean = self.buffer.iter().sum::<f64>() / self.buffer.len() as f64;
        self.buffer.clear();
        if mean >= rules.promote_above && self.level < hardest {
            (self.level, self.promoted) = (self.level + 1, self.promoted + 1);
        } else if mean <= rules.demote_below && self.level > 0 {
            (self.level, self.demoted) = (self.level - 1, self.demoted + 1);
        } else {
            return;
        }
        self.move_count += 1;
        if let Some(history) = &mut self.history {
            history.moves.push(AdrMove { move_count: self.move_count, side: 0, reach: self.level as f64 });
        }
    }
}

/// A state and what it is a state of.
#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    scalar: String,
    values: Vec<f32>,
    seed: u64,
    state: State,
}

const FORMAT: u32 = 1;

/// The state, to be read back by [`restore`] in a curriculum that is the same.
pub(super) fn save(state: &State, scalar: &str, values: &[f32], seed: u64) -> Vec<u8> {
    let saved =
        Saved { format: FORMAT, scalar: scalar.to_owned(), values: values.to_vec(), seed, state: state.clone() };
    rmp_serde::to_vec(&saved).expect("plain numbers can always be written")
}

/// # Errors
/// When the bytes are no such state, or one of another curriculum or seed.
pub(super) fn restore(bytes: &[u8], scalar: &str, values: &[f32], seed: u64) -> Result<State, String> {
    let refuse = |what: String| Err(format!("the saved state of the curriculum cannot be gone on with: {what}"));
    let saved: Saved = match rmp_serde::from_slice(bytes) {
        Ok(saved) => saved,
        Err(error) => return refuse(format!("{error}; was the run begun with this curriculum?")),
    };
    let Saved { format, scalar: of, values: were, seed: then, state } = saved;
    let same_values = were.iter().map(|value| value.to_bits()).eq(values.iter().map(|value| value.to_bits()));
    if (format, of.as_str(), then) != (FORMAT, scalar, seed) || !same_values || state.level >= values.len() {
        return refuse(format!(
            "it is of {of} in {} levels and seed {then}, here is {scalar} in {} levels and seed {seed}; go on with the \
             configuration that saved it, or begin a new run",
            were.len(),
            values.len()
        ));
    }
    Ok(state)
}
