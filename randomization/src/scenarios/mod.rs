//! The scenarios. To add one: a file here and its line in [`SCENARIOS`].

mod amnesia;
mod blackout;
mod jam;
mod lossy_link;
mod push;
mod resample;
mod slip;
mod swap;
mod tie;
mod tilt;
mod weaken;

use crate::edit::Edit;
use crate::error::RandomizationError;
use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::{StreamRng, did_you_mean};
use rand::RngExt;

/// Nothing happens.
pub static NONE: Scenario = Scenario {
    name: "none",
    doc: "nothing happens",
    dose: DoseAxis { quantity: "amount of nothing", unit: "-", usual: 0.0, most: 0.0 },
    timeline: |_, _, _| Vec::new(),
};

/// Every scenario, by name.
pub static SCENARIOS: &[&Scenario] = &[
    &NONE,
    &push::PUSH,
    &tilt::TILT,
    &jam::JAM,
    &blackout::BLACKOUT,
    &amnesia::AMNESIA,
    &swap::SWAP,
    &tie::TIE,
    &weaken::WEAKEN,
    &slip::SLIP,
    &resample::RESAMPLE,
    &lossy_link::LOSSY_LINK,
];

/// The scenario of this name.
///
/// # Errors
/// When there is none; the message suggests the name that is most alike.
pub fn find_scenario(name: &str) -> Result<&'static Scenario, RandomizationError> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.copied().ok_or_else(|| RandomizationError::UnknownScenario {
        name: name.to_owned(),
        suggestion: did_you_mean(name, SCENARIOS.iter().map(|scenario| scenario.name)),
    })
}

// Shorthand for the scenarios.

/// A number drawn uniformly.
fn between([least, most]: [f32; 2], rng: &mut StreamRng) -> f32 {
    rng.random_range(least..=most)
}

/// Edits of rows of the table that begin at a time, and stay.
fn changed(
    outline: &EpisodeOutline<'_>,
    secs: f32,
    edits: &[(&str, Edit)],
    over_secs: f32,
    rng: &mut StreamRng,
) -> Vec<TimedDisturbance> {
    let change = outline.change(edits, over_secs, rng).expect("rows of the table, and edits that its doses allow");
    outline.at(secs, Disturbance::Change(Box::new(change))).into_iter().collect()
}

#[cfg(test)]
mod tests;
