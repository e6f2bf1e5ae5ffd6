//! The worlds that policies are compared in.

use crate::run::dosed::{dosed_name, find_dosed};
use anyhow::{Context as _, Result, bail};
use giraffe_randomization::{DosedScenario, NONE, Preset, RandomizationConfig, SCENARIOS};
use giraffe_robots::nearest_name;

/// Ranges, and what happens during an episode.
#[derive(Clone)]
pub struct TestSet {
    /// Its name, as it was asked for.
    pub name: String,
    /// What its worlds are drawn from.
    pub randomization: RandomizationConfig,
    /// What happens.
    pub scenario: DosedScenario,
}

impl TestSet {
    /// The test set called `name`: a preset (`none` for nominal worlds, `wide`, ...), a scenario (in worlds from the ranges
    /// of `configured`), or both as `PRESET+SCENARIO`. Exceptions from the preset in `configured` hold in all of them.
    ///
    /// # Errors
    /// When there is neither.
    pub fn find(name: &str, configured: &RandomizationConfig) -> Result<Self> {
        let with = |preset: Preset, scenario| Self {
            name: name.to_owned(),
            randomization: RandomizationConfig { preset, preset_ranges: None, ..configured.clone() },
            scenario,
        };
        if let Some((ranges, scenario)) = name.split_once('+') {
            let preset = Preset::find(ranges).ok().with_context(|| unknown(ranges))?;
            return Ok(with(preset, find_dosed(scenario)?));
        }
        if let Ok(preset) = Preset::find(name) {
            return Ok(with(preset, (&NONE).into()));
        }
        let scenario = name.split_once('=').map_or(name, |(scenario, _)| scenario);
        if SCENARIOS.iter().any(|known| known.name == scenario) {
            return Ok(with(configured.preset, find_dosed(name)?));
        }
        bail!("{}", unknown(scenario))
    }

    /// What its worlds are, in words.
    pub fn worlds(&self) -> String {
        let RandomizationConfig { preset, ranges, .. } = &self.randomization;
        let mut text = match preset {
            Preset::None => "nominal physics".to_owned(),
            preset => format!("physics from the preset `{}`", preset.name()),
        };
        if !ranges.is_empty() {
            let names: Vec<&str> = ranges.rows().map(|(row, _)| row.name).collect();
            text += &format!(", but {} as set", names.join(", "));
        }
        if self.scenario.scenario().name != NONE.name {
            text += &format!("; `{}`: {}", dosed_name(&self.scenario), self.scenario.scenario().doc);
        }
        text
    }
}

fn unknown(name: &str) -> String {
    let presets = Preset::ALL.map(Preset::name);
    // `none` is both; the preset is meant.
    let scenarios = SCENARIOS.iter().map(|scenario| scenario.name).filter(|name| *name != NONE.name);
    let known = presets.into_iter().chain(scenarios);
    let suggestion =
        nearest_name(name, known.clone()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let known: Vec<&str> = known.collect();
    format!(
        "no test set is called {name}{suggestion}; expected a preset, a scenario or PRESET+SCENARIO of these: {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_set_is_a_preset_a_scenario_or_both() {
        let configured = RandomizationConfig { preset: Preset::Narrow, ..RandomizationConfig::default() };
        let found = |name: &str| {
            let set = TestSet::find(name, &configured).expect(name);
            (set.randomization.preset, dosed_name(&set.scenario))
        };
        for (name, preset, scenario) in [
            ("none", Preset::None, "none"),
            ("wide", Preset::Wide, "none"),
            ("push", Preset::Narrow, "push"),
            ("push=0.125", Preset::Narrow, "push=0.125"),
            ("wide+tilt", Preset::Wide, "tilt"),
            ("wide+tilt=0", Preset::Wide, "tilt=0"),
        ] {
            assert_eq!(found(name), (preset, scenario.to_owned()));
        }
        for (wrong, part) in [("wied", "wide"), ("pusch", "push"), ("wiide+push", "wide"), ("wide+pusch", "push")] {
            let error = TestSet::find(wrong, &configured).err().expect(wrong).to_string();
            assert!(error.contains("did you mean") && error.contains(part), "{error}");
        }
    }
}
