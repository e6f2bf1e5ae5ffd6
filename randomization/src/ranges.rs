//! Which parameters vary, and how.

use crate::distribution::Distribution;
use crate::error::RandomizationError;
use crate::parameter::RandomizedParameter;
use crate::parameters::{PARAMETERS, find_parameter};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Which parameters vary, and how. Every entry has passed [`RandomizedParameter::check`].
///
/// In TOML a table of quoted names: `"object.mass" = { uniform = { min = 0.5, max = 1.5 } }`. A bare number fixes a
/// parameter at that value; it still has a column for the critic, so fixing a parameter does not change what a critic
/// reads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeConfig {
    ranges: BTreeMap<&'static str, Distribution>,
}

impl RangeConfig {
    /// Nothing varies.
    pub fn none() -> Self {
        Self::default()
    }

    /// Names and ranges of the table of presets, which are tested to be right.
    pub(crate) fn of(ranges: impl Iterator<Item = (&'static str, Distribution)>) -> Self {
        Self { ranges: ranges.collect() }
    }

    /// Draws `name` from `distribution`, whatever was asked for before.
    ///
    /// # Errors
    /// When there is no such parameter, or the distribution may not be used for it.
    pub fn set(&mut self, name: &str, distribution: Distribution) -> Result<(), RandomizationError> {
        let row = find_parameter(name)?;
        row.check(distribution)?;
        self.ranges.insert(row.name, distribution);
        Ok(())
    }

    /// How `name` is drawn, if it varies.
    pub fn get(&self, name: &str) -> Option<Distribution> {
        self.ranges.get(name).copied()
    }

    /// These ranges, with those of `other` in their place where both have one.
    #[must_use]
    pub fn overlaid(mut self, other: &RangeConfig) -> Self {
        self.ranges.extend(&other.ranges);
        self
    }

    /// The rows that vary and how, in the order of [`PARAMETERS`].
    pub fn rows(&self) -> impl Iterator<Item = (&'static RandomizedParameter, Distribution)> {
        PARAMETERS.iter().filter_map(|row| Some((row, self.get(row.name)?)))
    }

    /// Number of parameters that vary.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether nothing varies.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl Serialize for RangeConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ranges.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RangeConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RangesVisitor)
    }
}

struct RangesVisitor;

impl<'de> Visitor<'de> for RangesVisitor {
    type Value = RangeConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of randomized parameters and their ranges")
    }

    /// Names are looked up before values are read: an unquoted `object.mass` is a table called `object`, and the user
    /// should hear about the name.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RangeConfig, A::Error> {
        let mut config = RangeConfig::none();
        while let Some(name) = map.next_key::<String>()? {
            find_parameter(&name).map_err(A::Error::custom)?;
            let distribution = map.next_value()?;
            config.set(&name, distribution).map_err(A::Error::custom)?;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RangeConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    fn error_of(entry: &str) -> String {
        parse(entry).expect_err("it is wrong")
    }

    #[test]
    fn every_written_form_is_understood() {
        let text = r#"
            "object.mass" = { log_uniform = { min = 0.3, max = 2.5 } }
            "joint.stiffness" = { uniform = { min = 0.8, max = 1.2 } }
            "contact.friction" = 0.9
            "joint.damping" = 1
            "joint.zero_offset" = { normal = { mean = 0.0, deviation = 0.02 } }
        "#;
        let ranges = parse(text).unwrap();
        assert_eq!(ranges.len(), 5);
        assert_eq!(ranges.get("object.mass"), Some(Distribution::LogUniform { min: 0.3, max: 2.5 }));
        assert_eq!(ranges.get("joint.stiffness"), Some(Distribution::Uniform { min: 0.8, max: 1.2 }));
        assert_eq!(ranges.get("contact.friction"), Some(Distribution::Fixed(0.9)));
        assert_eq!(ranges.get("joint.damping"), Some(Distribution::Fixed(1.0)));
        let normal = Distribution::Normal { mean: 0.0, deviation: 0.02 };
        assert_eq!(ranges.get("joint.zero_offset"), Some(normal));
    }

    #[test]
    fn a_display_is_valid_toml() {
        for row in PARAMETERS {
            let ranges = parse(&format!("\"{}\" = {}", row.name, row.usual)).unwrap();
            assert_eq!(ranges.get(row.name), Some(row.usual));
        }
    }

    #[test]
    fn a_misspelled_name_gets_a_suggestion() {
        let error = error_of("\"object.mas\" = 1.0");
        assert!(error.contains("object.mas\"") && error.contains("did you mean `object.mass`?"), "{error}");
        let error = error_of("object.mass = 1.0");
        assert!(error.contains("\"object\"") && error.contains("quote them"), "{error}");
        let error = error_of("\"zzz\" = 1.0");
        assert!(!error.contains("did you mean"), "{error}");
    }

    #[test]
    fn an_unknown_kind_of_range_names_the_known_ones() {
        let error = error_of("\"object.mass\" = { gaussian = { min = 1.0, max = 1.2 } }");
        assert!(error.contains("gaussian") && error.contains("log_uniform"), "{error}");
        let error = error_of("\"object.mass\" = { uniform = { min = 1.0, max = 1.2, mean = 1.1 } }");
        assert!(error.contains("mean"), "{error}");
        let error = error_of("\"object.mass\" = \"heavy\"");
        assert!(error.contains("heavy") && error.contains("uniform"), "{error}");
    }

    #[test]
    fn a_range_outside_the_bounds_is_refused() {
        let error = error_of("\"object.mass\" = { uniform = { min = 0.5, max = 50.0 } }");
        for part in ["object.mass", "0.5 to 50 x", "allowed is 0.1 to 10 x"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(error_of("\"object.mass\" = 0.0").contains("allowed is"));
        assert!(error_of("\"object.mass\" = { normal = { mean = 20.0, deviation = 1.0 } }").contains("mean must lie"));
    }

    #[test]
    fn a_range_that_cannot_be_drawn_from_is_refused() {
        for (entry, complaint) in [
            ("{ uniform = { min = 1.5, max = 0.5 } }", "min is above max"),
            ("{ log_uniform = { min = 1.5, max = 0.5 } }", "min is above max"),
            ("{ log_uniform = { min = 0.0, max = 0.5 } }", "above zero"),
            ("{ uniform = { min = nan, max = 0.5 } }", "finite"),
            ("{ uniform = { min = 0.5, max = inf } }", "finite"),
            ("nan", "finite"),
            ("{ normal = { mean = 1.0, deviation = nan } }", "finite"),
            ("{ normal = { mean = 1.0, deviation = -0.1 } }", "zero or above"),
            ("{ normal = { mean = 1.0, deviation = 100.0 } }", "wider than"),
        ] {
            let error = error_of(&format!("\"joint.friction_loss\" = {entry}"));
            assert!(error.contains(complaint) && error.contains("joint.friction_loss"), "{entry}: {error}");
        }
    }
}
