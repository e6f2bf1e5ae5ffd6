//! The scenarios. To add one: a file here and its line in [`SCENARIOS`].

mod amnesia;
mod blackout;
mod jam;
mod push;
mod swap;
mod tie;
mod tilt;

use crate::error::RandomizationError;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_robots::did_you_mean;

/// Nothing happens.
pub static NONE: Scenario = Scenario {
    name: "none",
    doc: "nothing happens",
    dose: DoseAxis { quantity: "amount of nothing", unit: "-", usual: 0.0, most: 0.0 },
    timeline: |_, _, _| Vec::new(),
};

/// Every scenario, by name.
pub static SCENARIOS: &[&Scenario] =
    &[&NONE, &push::PUSH, &tilt::TILT, &jam::JAM, &blackout::BLACKOUT, &amnesia::AMNESIA, &swap::SWAP, &tie::TIE];

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

#[cfg(test)]
mod tests;
