//! The card of a shipped policy: what made it, how it does at home and away from home, and what it cannot do.

use super::score::Measured;
use super::statistics::Estimate;
use super::table::cell;
use anyhow::{Context, Result, bail, ensure};
use giraffe_robots::{Measure, MeasureKind};
use serde::{Deserialize, Serialize};

/// What stands in `card.toml`. Numbers are filled in by `docs/measure.py card`, the rest is written by who ships the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What it does, in a sentence.
    pub summary: String,
    /// How it was made, as it was typed then.
    pub command: String,
    /// Commit of the program that made it.
    pub commit: String,
    /// Seeds of its stages.
    pub seeds: Vec<u64>,
    /// Control steps of all stages.
    pub steps: u64,
    /// Hours that they took.
    pub hours: f64,
    /// On which machine.
    pub machine: String,
    /// What it cannot do, or does badly.
    pub known_failures: Vec<String>,
    /// What `curve.csv` is of.
    pub curve: Curve,
    /// How it does.
    pub measured: Places,
}

/// Where `curve.csv` comes from: the recipe's learning, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Commit of the program that wrote it.
    pub commit: String,
    /// How multiply-adds were computed: on another kind of processor other bits come out.
    pub arithmetic: String,
    /// Why it is not what the policy itself learned by, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// Where a shipped policy is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// In randomized worlds, preset `wide`.
    pub home_wide: Measurement,
    /// In nominal worlds.
    pub home_nominal: Measurement,
    /// In `wide` with steps five times finer.
    pub finer: Measurement,
    /// In MuJoCo behind `ZeroMQ`, the public model as it is.
    pub mujoco_nominal: Measurement,
    /// The same with parameters that nobody tells.
    pub mujoco_hidden: Measurement,
}

/// One of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Commit of the program that measured.
    pub commit: String,
    /// When, YYYY-MM-DD.
    pub date: String,
    /// How.
    pub commands: Vec<String>,
    /// Number of episodes.
    pub episodes: usize,
    /// Every measure of the task with its 95 % interval.
    pub measures: Measured,
}

impl Card {
    /// Reads a card.
    ///
    /// # Errors
    /// When it is none, or something that has to be said is empty.
    pub fn parse(text: &str) -> Result<Self> {
        let card: Self = toml::from_str(text).context("reading a card")?;
        let said = [&card.summary, &card.command, &card.commit, &card.machine, &card.curve.arithmetic];
        ensure!(said.iter().all(|text| !text.trim().is_empty()), "a card with an empty field: {card:?}");
        ensure!(!card.seeds.is_empty() && card.steps > 0 && card.hours > 0.0, "no seeds, steps or hours: {card:?}");
        ensure!(!card.known_failures.is_empty(), "a card without known failures: every policy has some");
        Ok(card)
    }

    /// Every place with its name.
    pub fn places(&self) -> [(&'static str, &Measurement); 5] {
        let Places { home_wide, home_nominal, finer, mujoco_nominal, mujoco_hidden } = &self.measured;
        [
            ("home_wide", home_wide),
            ("home_nominal", home_nominal),
            ("finer", finer),
            ("mujoco_nominal", mujoco_nominal),
            ("mujoco_hidden", mujoco_hidden),
        ]
    }

    /// Whether every place has a number with an interval for the headline of `measures` and for each fraction. (Of a mean, such as
    /// the time that a success takes, there may be none.)
    ///
    /// # Errors
    /// Names the first that is missing or lies outside its interval, and the first that is no measure of the task.
    pub fn check(&self, measures: &[Measure]) -> Result<()> {
        for (place, row) in self.places() {
            ensure!(row.episodes > 1 && !row.commands.is_empty(), "measured.{place}: no episodes or no commands");
            let headline = measures.first().map(|measure| measure.name);
            for measure in measures {
                let name = measure.name;
                match row.measure(name) {
                    Some(Estimate { value, ci95: Some([low, high]) }) => {
                        // Wilson's ends come out a rounding beside 0 and 1.
                        let is_inside = low <= value + 1e-9 && value <= high + 1e-9;
                        ensure!(is_inside, "measured.{place}: {name} {value} is not in [{low}, {high}]");
                    }
                    None if Some(name) != headline && measure.kind != MeasureKind::Fraction => {}
                    _ => bail!("measured.{place}: no {name} with an interval; run `python3 docs/measure.py card NAME`"),
                }
            }
            let stranger = row.measures.0.iter().find(|(name, _)| !measures.iter().any(|known| known.name == name));
            ensure!(stranger.is_none(), "measured.{place}: {stranger:?} is no measure of the task");
        }
        Ok(())
    }

    /// The summary, and how it does in randomized worlds, for a list.
    pub fn line(&self, measures: &[Measure]) -> String {
        let row = &self.measured.home_wide;
        let shown = |measure: &Measure| {
            Some(format!("{} {}", measure.heading(), cell(measure, Some(row.measure(measure.name)?))))
        };
        let numbers: Vec<String> = measures.iter().filter_map(shown).collect();
        format!("{}; in `wide`: {}", self.summary, numbers.join("; "))
    }
}

impl Measurement {
    /// One measure by name.
    pub fn measure(&self, name: &str) -> Option<Estimate> {
        self.measures.0.iter().find(|(known, _)| known == name).and_then(|(_, estimate)| *estimate)
    }
}
