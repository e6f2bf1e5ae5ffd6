//! What varies between worlds and during an episode.
//!
//! ```text
//! PARAMETERS ── RangeConfig ──► FixedRanges ──► EpisodePlan ──► physics
//!  (table)      (a user's file)      ▲          parameters, start, disturbances, noise seed
//! SCENARIOS ─────────────────────────┘
//! ```
//!
//! | to learn about | read |
//! | --- | --- |
//! | what can vary | [`PARAMETERS`], rows of [`RandomizedParameter`] |
//! | how it varies | [`Distribution`], [`RangeConfig`], [`Preset`], those published by others: [`Published`] |
//! | who draws an episode | [`FixedRanges`], or [`AdrRanges`], which widens the ranges where a policy succeeds, or [`CurriculumRanges`], in which one number gets harder |
//! | what happens during an episode | [`SCENARIOS`], rows of [`Scenario`], and how much of it: [`DoseAxis`] |
//! | how a row changes in the middle of an episode | [`Edit`], [`EpisodeOutline::change`] |
//!
//! Invariants: this crate writes only `WorldParameters` and `Disturbance`s and knows no engine; a plan is a pure
//! function of (seed, world, episode); every row draws from a generator of its own, so switching one on or off
//! leaves the others' values as they were; nothing ever leaves a row's physical bounds.
//!
//! To add a parameter: one row in the file of `parameters/` it belongs to. Config key, validation, sampling,
//! critic column, log column, documentation and the test that it has an effect follow from the row. To add a
//! scenario: one file in `scenarios/` and its line in [`SCENARIOS`].

mod adr;
mod config;
mod curriculum;
mod distribution;
mod edit;
mod effect;
mod error;
mod fixed_ranges;
mod judged;
mod outline;
mod parameter;
mod parameters;
mod presets;
mod published;
mod ranges;
mod scenario;
mod scenarios;
mod table;

#[cfg(test)]
mod test_scene;

pub use adr::{
    AdrConfig, AdrHistory, AdrMonitor, AdrMove, AdrPlanned, AdrRangeReport, AdrRanges, AdrReport, AdrSideReport,
    ENTROPY_WIDTH_FLOOR, Recorded, Side, entropy_nats,
};
pub use config::RandomizationConfig;
pub use curriculum::{CurriculumConfig, CurriculumMonitor, CurriculumRanges, CurriculumReport, Subject};
pub use distribution::Distribution;
pub use edit::Edit;
pub use effect::{Direction, Effect, Observable, ObservableDefinition};
pub use error::RandomizationError;
pub use fixed_ranges::FixedRanges;
pub use outline::EpisodeOutline;
pub use parameter::{Apply, Change, FirstPreset, JointDraw, Meaning, RandomizedParameter};
pub use parameters::{PARAMETERS, find_parameter};
pub use presets::{Preset, PresetRange, PresetRow, preset_rows, preset_table};
pub use published::{DACTYL, DEXTREME, PLAYGROUND, Published, PublishedRange};
pub use ranges::RangeConfig;
pub use scenario::{DoseAxis, DosedScenario, Scenario, Timeline};
pub use scenarios::{NONE, SCENARIOS, find_scenario};
pub use table::{
    ParameterRow, ScenarioRow, TableFormat, parameter_rows, parameter_table, scenario_rows, scenario_table,
};
