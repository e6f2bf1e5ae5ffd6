//! What a user writes about randomization.

use crate::adr::AdrConfig;
use crate::presets::Preset;
use crate::ranges::RangeConfig;
use serde::{Deserialize, Serialize};

/// The `[randomization]` section of a configuration: a preset, and exceptions from it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomizationConfig {
    /// What varies unless `ranges` says otherwise.
    pub preset: Preset,
    /// What `preset` meant when a run began. A run writes it into its folder, so that its worlds stay what they were when
    /// the table of parameters changes. Left out by users: what the preset means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset_ranges: Option<RangeConfig>,
    /// Exceptions.
    pub ranges: RangeConfig,
    /// Whether training begins at nominal and widens the ranges by itself.
    pub adr: AdrConfig,
}

impl RandomizationConfig {
    /// The preset with the exceptions in place.
    pub fn resolved(&self) -> RangeConfig {
        let preset = self.preset_ranges.clone().unwrap_or_else(|| self.preset.ranges());
        preset.overlaid(&self.ranges)
    }

    /// The same, with the ranges of the preset written out: whatever becomes of the table of parameters, it resolves to
    /// the same ranges.
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.preset_ranges.get_or_insert_with(|| self.preset.ranges());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;

    fn parse(text: &str) -> Result<RandomizationConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for preset in Preset::ALL {
            let mut config = RandomizationConfig { preset, ranges: preset.ranges(), ..RandomizationConfig::default() };
            config.ranges.set("object.mass", Distribution::Fixed(0.7)).unwrap();
            config.ranges.set("joint.damping", Distribution::Normal { mean: 1.0, deviation: 0.1 }).unwrap();
            let text = toml::to_string(&config).unwrap();
            assert_eq!(parse(&text).unwrap(), config, "{text}");
        }
    }

    /// Lower and upper end, mean and deviation: the numbers behind a range.
    fn bits(ranges: &RangeConfig) -> Vec<(&'static str, Vec<u32>)> {
        let numbers = |distribution| match distribution {
            Distribution::Fixed(value) => vec![value],
            Distribution::Uniform { min, max } | Distribution::LogUniform { min, max } => vec![min, max],
            Distribution::Normal { mean, deviation } => vec![mean, deviation],
        };
        let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect();
        ranges.rows().map(|(row, distribution)| (row.name, bits(numbers(distribution)))).collect()
    }

    #[test]
    fn a_pinned_preset_reads_back_bit_for_bit_and_no_longer_asks_the_table() {
        for preset in Preset::ALL {
            let mut config = RandomizationConfig { preset, ..RandomizationConfig::default() };
            config.ranges.set("object.mass", Distribution::Uniform { min: 0.1 + 0.2, max: 1.7 }).unwrap();
            let pinned = config.clone().pinned();
            let text = toml::to_string_pretty(&pinned).unwrap();
            let read = parse(&text).unwrap();
            assert_eq!(read, pinned, "{text}");
            assert_eq!(bits(&read.resolved()), bits(&config.resolved()), "{text}");
            assert_eq!(read.clone().pinned(), read, "what is pinned stays");
            // Whatever the word may mean in another version of this program.
            let renamed = RandomizationConfig { preset: Preset::None, ..read };
            assert_eq!(bits(&renamed.resolved()), bits(&config.resolved()));
        }
    }

    #[test]
    fn an_exception_takes_the_place_of_the_preset() {
        let config = parse("preset = \"narrow\"\n[ranges]\n\"object.mass\" = 1.5").unwrap();
        assert_eq!(config.resolved().get("object.mass"), Some(Distribution::Fixed(1.5)));
        assert_eq!(config.resolved().len(), Preset::Narrow.ranges().len());
        assert_eq!(config.resolved().get("object.size"), Preset::Narrow.ranges().get("object.size"));
    }

    #[test]
    fn a_word_that_is_no_preset_and_a_key_that_is_none_are_named() {
        assert!(parse("preset = \"wild\"").unwrap_err().contains("narrow"));
        assert!(parse("presets = \"wide\"").unwrap_err().contains("presets"));
    }
}
