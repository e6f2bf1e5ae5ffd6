//! What can be wrong with what a user asks for.

use crate::distribution::Distribution;
use giraffe_robots::Limits;
use thiserror::Error;

/// Why randomization cannot be as asked.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RandomizationError {
    /// No such parameter.
    #[error(
        "no randomized parameter is called \"{name}\"{suggestion}; `giraffe list parameters` shows all of them \
         (names contain dots, so quote them in TOML)"
    )]
    UnknownParameter {
        /// What was asked for.
        name: String,
        /// As [`giraffe_robots::did_you_mean`] has it.
        suggestion: String,
    },
    /// No such scenario.
    #[error("no scenario is called \"{name}\"{suggestion}; `giraffe list scenarios` shows all of them")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// As [`giraffe_robots::did_you_mean`] has it.
        suggestion: String,
    },
    /// A dose that a scenario does not have.
    #[error(
        "dose of scenario \"{scenario}\": found {found}, expected 0 to {most} (the {quantity}; {usual} is usual, and 0 \
         disturbs nothing)"
    )]
    DoseOutside {
        /// The scenario.
        scenario: &'static str,
        /// What there can be more or less of in it.
        quantity: &'static str,
        /// What was asked for, with its unit, as below.
        found: String,
        /// The usual dose.
        usual: String,
        /// The largest dose.
        most: String,
    },
    /// A change in the middle of an episode that cannot be.
    #[error("changing \"{name}\" in the middle of an episode: found {found}, expected {expected}")]
    InvalidEdit {
        /// The parameter.
        name: &'static str,
        /// What was found.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// No such preset.
    #[error("no preset is called \"{name}\"{suggestion}; there are {known}, and `giraffe list presets` shows them")]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// As [`giraffe_robots::did_you_mean`] has it.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// A distribution that cannot be drawn from.
    #[error("range of \"{name}\": found {found}, but {problem}")]
    InvalidRange {
        /// The parameter.
        name: String,
        /// What was found.
        found: Distribution,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// A distribution that reaches beyond what is physically sensible.
    #[error(
        "range of \"{name}\": found {found}, which reaches from {} to {} {unit}; allowed is {} to {} {unit}",
        reach.lower, reach.upper, bounds.lower, bounds.upper
    )]
    OutsideBounds {
        /// The parameter.
        name: String,
        /// What was found.
        found: Distribution,
        /// The values it can take.
        reach: Limits,
        /// The values it may take.
        bounds: Limits,
        /// Unit of all of them.
        unit: &'static str,
    },
    /// A setting of automatic domain randomization that cannot be.
    #[error("randomization.adr.{setting}: found {found}, expected {expected}")]
    InvalidAdr {
        /// Which one.
        setting: &'static str,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A curriculum that cannot be.
    #[error("curriculum.{setting}: found {found}, expected {expected}")]
    InvalidCurriculum {
        /// Which setting.
        setting: &'static str,
        /// What was found.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Automatic domain randomization of nothing.
    #[error(
        "automatic domain randomization widens the ranges in the configuration step by step, but there all are empty or \
         fixed; set randomization.preset to \"wide\", or a range in randomization.ranges"
    )]
    NothingToWiden,
    /// Bytes that are no state of automatic domain randomization.
    #[error(
        "reading the saved ranges of automatic domain randomization failed: {problem}; was the run begun with \
         randomization.adr.enabled = true?"
    )]
    UnreadableAdrState {
        /// What is wrong with them.
        problem: String,
    },
    /// Ranges that were learned for other parameters.
    #[error(
        "the saved ranges of automatic domain randomization belong to another table of parameters: {difference}; go on \
         with the program and configuration that saved them, or begin a new run"
    )]
    AdrStateOfAnotherTable {
        /// What differs.
        difference: String,
    },
}
