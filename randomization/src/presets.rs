//! Ranges by one word.

use crate::distribution::Distribution;
use crate::error::RandomizationError;
use crate::parameter::{FirstPreset, RandomizedParameter};
use crate::parameters::PARAMETERS;
use crate::published::{DACTYL, DEXTREME, PLAYGROUND, Published};
use crate::ranges::RangeConfig;
use crate::table::{TableFormat, range_text, write_table};
use giraffe_robots::did_you_mean;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Write as _;

/// Ranges by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Nothing varies: the description's own values.
    None,
    /// What varies in `wide`, a quarter as far from nominal: to see whether something learns at all.
    Narrow,
    /// The usual ranges of the parameters that published policies of this program were trained with.
    #[default]
    Wide,
    /// Every parameter of the table in its usual range.
    Full,
    /// The ranges of [`crate::DACTYL`].
    Dactyl,
    /// The ranges of [`crate::DEXTREME`].
    Dextreme,
    /// The ranges of [`crate::PLAYGROUND`].
    Playground,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 7] = [
        Preset::None,
        Preset::Narrow,
        Preset::Wide,
        Preset::Full,
        Preset::Dactyl,
        Preset::Dextreme,
        Preset::Playground,
    ];

    /// Name, as in `randomization.preset`.
    pub fn name(self) -> &'static str {
        match self {
            Preset::None => "none",
            Preset::Narrow => "narrow",
            Preset::Wide => "wide",
            Preset::Full => "full",
            Preset::Dactyl => "dactyl",
            Preset::Dextreme => "dextreme",
            Preset::Playground => "playground",
        }
    }

    /// One sentence.
    pub fn doc(self) -> &'static str {
        match self {
            Preset::None => "nothing varies: the description's own values",
            Preset::Narrow => {
                "what varies in wide, a quarter as far from nominal: to see whether something learns at all"
            }
            Preset::Wide => "the usual ranges of the parameters that published policies of this program learned with",
            Preset::Full => "every parameter in its usual range",
            Preset::Dactyl | Preset::Dextreme | Preset::Playground => self.published().map_or("", |it| it.doc),
        }
    }

    /// Where the ranges were published, if they were.
    pub fn published(self) -> Option<&'static Published> {
        match self {
            Preset::None | Preset::Narrow | Preset::Wide | Preset::Full => None,
            Preset::Dactyl => Some(&DACTYL),
            Preset::Dextreme => Some(&DEXTREME),
            Preset::Playground => Some(&PLAYGROUND),
        }
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// When there is none; the message suggests the name that is most alike.
    pub fn find(name: &str) -> Result<Self, RandomizationError> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| RandomizationError::UnknownPreset {
            name: name.to_owned(),
            suggestion: did_you_mean(name, Self::ALL.into_iter().map(Self::name)),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }

    /// The ranges it stands for.
    pub fn ranges(self) -> RangeConfig {
        let of_wide = || PARAMETERS.iter().filter(|row| row.preset == FirstPreset::Wide);
        let narrow = |row: &RandomizedParameter| row.usual.contracted(row.nominal, NARROW_FRACTION);
        match self {
            Preset::None => RangeConfig::none(),
            Preset::Narrow => RangeConfig::of(of_wide().map(|row| (row.name, narrow(row)))),
            Preset::Wide => RangeConfig::of(of_wide().map(|row| (row.name, row.usual))),
            Preset::Full => RangeConfig::of(PARAMETERS.iter().map(|row| (row.name, row.usual))),
            Preset::Dactyl | Preset::Dextreme | Preset::Playground => {
                let ranges = self.published().map_or(&[][..], |it| it.ranges);
                RangeConfig::of(ranges.iter().map(|entry| (entry.parameter, entry.range)))
            }
        }
    }
}

const NARROW_FRACTION: f32 = 0.25;

impl<'de> Deserialize<'de> for Preset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::find(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A preset as plain data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PresetRow {
    /// See [`Preset::name`].
    pub name: &'static str,
    /// See [`Preset::doc`].
    pub doc: &'static str,
    /// What varies, in the order of the table of parameters.
    pub ranges: Vec<PresetRange>,
    /// What was published and has no counterpart here, in words.
    pub unmapped: &'static [&'static str],
}

/// One range of a preset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PresetRange {
    /// Name of the parameter.
    pub parameter: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// How it is drawn.
    pub range: Distribution,
    /// What was published, and where; nothing for the presets of this program.
    pub published: Option<&'static str>,
}

/// Every preset as plain data.
pub fn preset_rows() -> Vec<PresetRow> {
    let row = |preset: Preset| {
        let published = preset.published();
        let source = |name: &str| published?.ranges.iter().find(|entry| entry.parameter == name);
        let ranges = preset.ranges();
        let range = |(row, range): (&RandomizedParameter, Distribution)| PresetRange {
            parameter: row.name,
            unit: row.unit,
            range,
            published: source(row.name).map(|entry| entry.published),
        };
        PresetRow {
            name: preset.name(),
            doc: preset.doc(),
            ranges: ranges.rows().map(range).collect(),
            unmapped: published.map_or(&[], |it| it.unmapped),
        }
    };
    Preset::ALL.into_iter().map(row).collect()
}

/// The table of presets, and below it the ranges of each that was published by others.
pub fn preset_table(format: TableFormat) -> String {
    let rows = preset_rows();
    let cells = |row: &PresetRow| vec![row.name.to_owned(), row.ranges.len().to_string(), row.doc.to_owned()];
    let mut text =
        write_table(&["name", "parameters", "what varies"], &rows.iter().map(cells).collect::<Vec<_>>(), format);
    for row in rows.iter().filter(|row| row.ranges.iter().any(|range| range.published.is_some())) {
        let heading = if format == TableFormat::Markdown { "### " } else { "" };
        let _ = writeln!(text, "\n{heading}{}\n", row.name);
        let cells = |range: &PresetRange| {
            let drawn = format!("{} {}", range_text(range.range), range.unit);
            vec![range.parameter.to_owned(), drawn, range.published.unwrap_or_default().to_owned()]
        };
        let ranges: Vec<_> = row.ranges.iter().map(cells).collect();
        text.push_str(&write_table(&["name", "range here", "as published"], &ranges, format));
        text.push_str("\nPublished, and without a counterpart here:\n\n");
        row.unmapped.iter().for_each(|what| _ = writeln!(text, "- {what}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::find_parameter;

    #[test]
    fn presets_can_be_drawn_from() {
        for preset in Preset::ALL {
            for (row, distribution) in preset.ranges().rows() {
                row.check(distribution).unwrap_or_else(|error| panic!("{preset:?}: {error}"));
            }
        }
        assert!(Preset::None.ranges().is_empty());
        assert_eq!(Preset::Full.ranges().len(), PARAMETERS.len());
        assert_eq!(Preset::Narrow.ranges().len(), Preset::Wide.ranges().len());
    }

    #[test]
    fn wide_means_what_it_meant_when_policies_were_trained_with_it() {
        let wide = Preset::Wide.ranges();
        assert_eq!(wide.len(), 41, "a parameter that is new belongs to full only");
        for (row, distribution) in wide.rows() {
            assert_eq!(distribution, row.usual);
            assert_eq!(Preset::Full.ranges().get(row.name), Some(row.usual));
        }
    }

    #[test]
    fn the_narrow_ranges_reach_a_quarter_as_far_from_nominal_as_the_wide_ones() {
        let narrow = Preset::Narrow.ranges();
        for (row, outer) in Preset::Wide.ranges().rows() {
            let inner = narrow.get(row.name).unwrap();
            let reach = |value: f32| match outer {
                Distribution::LogUniform { .. } => (value / row.nominal).ln(),
                _ => value - row.nominal,
            };
            let (inner, outer) = (inner.support(row.bounds), outer.support(row.bounds));
            for (near, far) in [(inner.lower, outer.lower), (inner.upper, outer.upper)] {
                assert!((reach(near) - 0.25 * reach(far)).abs() < 1e-5, "{}: {near} and {far}", row.name);
            }
        }
    }

    #[test]
    fn names_are_written_as_they_are_read_and_a_misspelled_one_gets_a_suggestion() {
        for preset in Preset::ALL {
            assert_eq!(Preset::find(preset.name()).unwrap(), preset);
            assert_eq!(toml::Value::try_from(preset).unwrap(), toml::Value::String(preset.name().to_owned()));
        }
        for (name, meant) in
            [("wied", "wide"), ("dextrem", "dextreme"), ("Dactyl", "dactyl"), ("playgroud", "playground")]
        {
            let error = Preset::find(name).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{meant}`?")) && error.contains(name), "{error}");
        }
        let error = Preset::find("zzz").unwrap_err().to_string();
        assert!(
            !error.contains("did you mean") && error.contains("narrow") && error.contains("list presets"),
            "{error}"
        );
    }

    #[test]
    fn published_ranges_name_parameters_of_the_table_once_and_say_what_is_left_out() {
        for published in Preset::ALL.into_iter().filter_map(Preset::published) {
            let mut names: Vec<&str> = published.ranges.iter().map(|entry| entry.parameter).collect();
            assert!(names.iter().all(|name| find_parameter(name).is_ok()), "{names:?}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), published.ranges.len());
            assert!(published.ranges.iter().all(|entry| !entry.published.is_empty()) && !published.unmapped.is_empty());
        }
    }

    #[test]
    fn every_preset_has_its_line_and_every_published_range_its_own() {
        for format in [TableFormat::Text, TableFormat::Markdown] {
            let text = preset_table(format);
            for row in preset_rows() {
                assert!(text.lines().any(|line| line.contains(row.name) && line.contains(row.doc)), "{}", row.name);
                assert!(row.unmapped.iter().all(|what| text.contains(what)), "{}", row.name);
                for range in row.ranges.iter().filter(|range| range.published.is_some()) {
                    let drawn = range_text(range.range);
                    let mut lines = text.lines();
                    assert!(lines.any(|line| line.contains(range.parameter) && line.contains(&drawn)), "{range:?}");
                }
            }
        }
    }
}
