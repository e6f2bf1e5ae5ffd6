//! The tables of parameters and scenarios, for people and for programs.

use crate::distribution::Distribution;
use crate::effect::Effect;
use crate::parameter::{Apply, FirstPreset, JointDraw, Meaning, RandomizedParameter};
use crate::parameters::PARAMETERS;
use crate::scenario::{DoseAxis, Scenario};
use crate::scenarios::SCENARIOS;
use giraffe_robots::Limits;
use serde::Serialize;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Aligned columns for a terminal.
    Text,
    /// A Markdown table.
    Markdown,
}

/// A row of [`PARAMETERS`] as plain data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterRow {
    /// See [`RandomizedParameter::name`].
    pub name: &'static str,
    /// See [`RandomizedParameter::unit`].
    pub unit: &'static str,
    /// See [`RandomizedParameter::meaning`].
    pub meaning: Meaning,
    /// See [`RandomizedParameter::nominal`].
    pub nominal: f32,
    /// See [`RandomizedParameter::bounds`].
    pub bounds: Limits,
    /// See [`RandomizedParameter::usual`].
    pub usual: Distribution,
    /// How joints draw, for a joint parameter.
    pub joints: Option<JointDraw>,
    /// See [`RandomizedParameter::effect`].
    pub effect: Effect,
    /// See [`RandomizedParameter::preset`].
    pub preset: FirstPreset,
    /// See [`RandomizedParameter::source`].
    pub source: &'static str,
    /// See [`RandomizedParameter::doc`].
    pub doc: &'static str,
}

impl From<&RandomizedParameter> for ParameterRow {
    fn from(row: &RandomizedParameter) -> Self {
        let joints = match row.apply {
            Apply::Joint(_, draw) => Some(draw),
            Apply::World(_) | Apply::Horizontal(..) | Apply::Direction(..) => None,
        };
        let RandomizedParameter { name, unit, meaning, nominal, bounds, usual, effect, preset, source, doc, apply: _ } =
            *row;
        Self { name, unit, meaning, nominal, bounds, usual, joints, effect, preset, source, doc }
    }
}

/// A row of [`SCENARIOS`] as plain data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioRow {
    /// Name.
    pub name: &'static str,
    /// One sentence, of what happens at the usual dose.
    pub doc: &'static str,
    /// See [`crate::Scenario::dose`].
    pub dose: DoseAxis,
}

/// Every parameter as plain data.
pub fn parameter_rows() -> Vec<ParameterRow> {
    PARAMETERS.iter().map(ParameterRow::from).collect()
}

/// Every scenario as plain data.
pub fn scenario_rows() -> Vec<ScenarioRow> {
    let row = |scenario: &&Scenario| ScenarioRow { name: scenario.name, doc: scenario.doc, dose: scenario.dose };
    SCENARIOS.iter().map(row).collect()
}

/// The table of parameters.
pub fn parameter_table(format: TableFormat) -> String {
    let header = [
        "name",
        "unit",
        "meaning",
        "nominal",
        "bounds",
        "usual range",
        "varies in",
        "what it is",
        "more of it",
        "source of the range",
    ];
    let rows = parameter_rows().into_iter().map(|row| {
        vec![
            row.name.to_owned(),
            row.unit.to_owned(),
            meaning(row.meaning).to_owned(),
            row.nominal.to_string(),
            format!("{} to {}", row.bounds.lower, row.bounds.upper),
            range_text(row.usual),
            presets(row.preset).to_owned(),
            row.doc.to_owned(),
            row.effect.to_string(),
            row.source.to_owned(),
        ]
    });
    write_table(&header, &rows.collect::<Vec<_>>(), format)
}

/// The table of scenarios.
pub fn scenario_table(format: TableFormat) -> String {
    let rows = scenario_rows().into_iter().map(|ScenarioRow { name, doc, dose }| {
        let DoseAxis { quantity, unit, usual, most } = dose;
        let cells = [name, doc, quantity, unit].map(str::to_owned);
        cells.into_iter().chain([usual, most].map(|dose| dose.to_string())).collect()
    });
    let header = ["name", "what happens at the usual dose", "what the dose is", "unit", "usual", "most"];
    write_table(&header, &rows.collect::<Vec<Vec<String>>>(), format)
}

fn meaning(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Replace => "replaces",
        Meaning::Multiply => "multiplies",
        Meaning::Add => "is added",
    }
}

fn presets(first: FirstPreset) -> &'static str {
    match first {
        FirstPreset::Wide => "narrow, wide, full",
        FirstPreset::Full => "full",
    }
}

/// A range in words.
pub(crate) fn range_text(distribution: Distribution) -> String {
    match distribution {
        Distribution::Fixed(value) => value.to_string(),
        Distribution::Uniform { min, max } => format!("{min} to {max}"),
        Distribution::LogUniform { min, max } => format!("{min} to {max}, log"),
        Distribution::Normal { mean, deviation } => format!("normal, {mean} +- {deviation}"),
    }
}

pub(crate) fn write_table(header: &[&str], rows: &[Vec<String>], format: TableFormat) -> String {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let width = |column: usize| {
        let lengths = rows.iter().chain([&header]).map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = String::new();
    for row in [&header, &rule].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = match format {
            TableFormat::Text => cells.collect::<Vec<_>>().join("  "),
            TableFormat::Markdown => format!("| {} |", cells.collect::<Vec<_>>().join(" | ")),
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_and_scenario_has_its_line() {
        for format in [TableFormat::Text, TableFormat::Markdown] {
            let (parameters, scenarios) = (parameter_table(format), scenario_table(format));
            assert_eq!(parameters.lines().count(), PARAMETERS.len() + 2);
            assert_eq!(scenarios.lines().count(), SCENARIOS.len() + 2);
            for row in PARAMETERS {
                let line = parameters.lines().find(|line| line.contains(row.name)).expect(row.name);
                assert!(line.contains(row.doc) && line.contains(row.source), "{line}");
            }
            for row in scenario_rows() {
                let line = scenarios.lines().find(|line| line.contains(row.doc)).expect(row.name);
                let numbers = [row.dose.usual, row.dose.most].map(|dose| dose.to_string());
                assert!(
                    line.contains(row.dose.quantity) && numbers.iter().all(|number| line.contains(number)),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn markdown_rows_have_as_many_cells_as_the_header() {
        let cells = |line: &str| line.matches('|').count();
        let table = parameter_table(TableFormat::Markdown);
        let header = cells(table.lines().next().unwrap());
        assert!(table.lines().all(|line| cells(line) == header), "{table}");
    }

    #[test]
    fn rows_are_plain_data_for_programs() {
        #[derive(Serialize)]
        struct Tables {
            parameters: Vec<ParameterRow>,
            scenarios: Vec<ScenarioRow>,
        }
        let text = toml::to_string(&Tables { parameters: parameter_rows(), scenarios: scenario_rows() }).unwrap();
        for part in [
            "name = \"object.mass\"",
            "meaning = \"multiply\"",
            "direction = \"lowers\"",
            "name = \"jam\"",
            "most = 20.0",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
