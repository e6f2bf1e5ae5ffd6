//! What there is: robots, tasks, objects, parameters, presets, scenarios, drivers, policies.

use super::serve::drivers;
#[cfg(feature = "train")]
use crate::run::shipped::{POLICIES, Shipped};
use crate::say;
use anyhow::Result;
use clap::{Args, ValueEnum};
#[cfg(feature = "train")]
use giraffe_randomization::{
    SCENARIOS, TableFormat, parameter_rows, parameter_table, preset_rows, preset_table, scenario_rows, scenario_table,
};
#[cfg(feature = "train")]
use giraffe_robots::find_task;
use giraffe_robots::{Dial, OBJECTS, ROBOTS, Task, tasks::TASKS};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

/// A kind of thing there are several of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Hands, for `--set robot=NAME`.
    Robots,
    /// Tasks, for `--set task=NAME`.
    Tasks,
    /// Objects, for `--set object=NAME`.
    Objects,
    /// What can vary between worlds, for `--set randomization.ranges.NAME=...`.
    #[cfg(feature = "train")]
    Parameters,
    /// Ranges of these by one word, for `--set randomization.preset=NAME`.
    #[cfg(feature = "train")]
    Presets,
    /// What can happen during an episode, for `evaluate --scenario NAME`.
    #[cfg(feature = "train")]
    Scenarios,
    /// What a controller can drive, for `serve --driver NAME`.
    Drivers,
    /// Policies that come with giraffe, for `evaluate NAME`, `deploy NAME`, `train --recipe NAME`.
    #[cfg(feature = "train")]
    Policies,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Which kind; all without it.
    pub kind: Option<Kind>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown.
    #[arg(long)]
    pub markdown: bool,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// Prints the list.
///
/// # Errors
/// When it cannot be printed.
pub fn run(arguments: &ListArguments) -> Result<ExitCode> {
    let style = match (arguments.json, arguments.markdown) {
        (true, _) => Style::Json,
        (_, true) => Style::Markdown,
        _ => Style::Text,
    };
    say::result(&list(arguments.kind, style)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The list of one kind, or of all.
///
/// # Errors
/// When a card of a shipped policy is none: a mistake of who shipped it.
pub fn list(kind: Option<Kind>, style: Style) -> Result<String> {
    let kinds = kind.map_or_else(|| Kind::value_variants().to_vec(), |kind| vec![kind]);
    if style == Style::Json {
        let row = |kind: &Kind| Ok((title(*kind), rows_json(*kind)?));
        let all: serde_json::Map<String, Value> = kinds.iter().map(row).collect::<Result<_>>()?;
        return Ok(format!("{:#}\n", Value::Object(all)));
    }
    let mut text = String::new();
    for kind in kinds {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = match style {
            Style::Markdown => writeln!(text, "## {}\n", title(kind)),
            _ => writeln!(text, "{}", title(kind)),
        };
        text.push_str(&rows_text(kind, style)?);
    }
    Ok(text)
}

fn title(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn named(kind: Kind) -> Result<Vec<(&'static str, String)>> {
    let rows: Vec<(&'static str, &'static str)> = match kind {
        Kind::Robots => ROBOTS.iter().map(|row| (row.name, row.doc)).collect(),
        Kind::Tasks => TASKS.iter().map(|row| (row.name(), row.doc())).collect(),
        Kind::Objects => OBJECTS.iter().map(|row| (row.name, row.doc)).collect(),
        #[cfg(feature = "train")]
        Kind::Scenarios => SCENARIOS.iter().map(|row| (row.name, row.doc)).collect(),
        Kind::Drivers => drivers(),
        #[cfg(feature = "train")]
        Kind::Parameters => parameter_rows().iter().map(|row| (row.name, row.doc)).collect(),
        #[cfg(feature = "train")]
        Kind::Presets => preset_rows().iter().map(|row| (row.name, row.doc)).collect(),
        #[cfg(feature = "train")]
        Kind::Policies => return POLICIES.iter().map(policy_line).collect(),
    };
    Ok(rows.into_iter().map(|(name, doc)| (name, doc.to_owned())).collect())
}

/// A shipped policy in a line: what it does, and how well.
#[cfg(feature = "train")]
fn policy_line(shipped: &Shipped) -> Result<(&'static str, String)> {
    let task = find_task(&shipped.recipe()?.task)?;
    Ok((shipped.name, shipped.card()?.line(task.measures())))
}

/// Everything on the cards of shipped policies.
#[cfg(feature = "train")]
fn policy_rows() -> Result<Value> {
    let row = |shipped: &Shipped| {
        let recipe = shipped.recipe()?;
        let scene =
            json!({ "name": shipped.name, "robot": recipe.robot, "object": recipe.object, "task": recipe.task });
        let (Value::Object(mut row), Value::Object(card)) = (scene, json!(shipped.card()?)) else {
            return Ok(Value::Null);
        };
        row.extend(card);
        Ok(Value::Object(row))
    };
    POLICIES.iter().map(row).collect()
}

fn rows_json(kind: Kind) -> Result<Value> {
    Ok(match kind {
        #[cfg(feature = "train")]
        Kind::Parameters => json!(parameter_rows()),
        #[cfg(feature = "train")]
        Kind::Presets => json!(preset_rows()),
        #[cfg(feature = "train")]
        Kind::Scenarios => json!(scenario_rows()),
        #[cfg(feature = "train")]
        Kind::Policies => policy_rows()?,
        Kind::Tasks => TASKS.iter().map(|row| task_json(*row)).collect(),
        _ => named(kind)?.into_iter().map(|(name, doc)| json!({ "name": name, "doc": doc })).collect(),
    })
}

fn rows_text(kind: Kind, style: Style) -> Result<String> {
    #[cfg(feature = "train")]
    let format = if style == Style::Markdown { TableFormat::Markdown } else { TableFormat::Text };
    #[cfg(feature = "train")]
    match kind {
        Kind::Parameters => return Ok(parameter_table(format)),
        Kind::Presets => return Ok(preset_table(format)),
        Kind::Scenarios => return Ok(scenario_table(format)),
        _ => {}
    }
    let mut text = String::new();
    if style == Style::Markdown {
        text.push_str("| name | |\n| --- | --- |\n");
    }
    for (name, doc) in named(kind)? {
        let _ = match style {
            Style::Markdown => writeln!(text, "| `{name}` | {doc} |"),
            _ => writeln!(text, "  {name:<22}{doc}"),
        };
    }
    if kind == Kind::Tasks {
        text.push_str(&dials_text(style));
    }
    Ok(text)
}

fn task_json(task: &dyn Task) -> Value {
    let dials = task.dials().iter().map(|dial| {
        json!({ "name": dial.name, "doc": dial.doc, "usual": dial.usual, "least": dial.least, "most": dial.most })
    });
    let measures = task.measures().iter().map(|measure| json!({ "name": measure.name, "unit": measure.unit }));
    json!({
        "name": task.name(),
        "doc": task.doc(),
        "measures": measures.collect::<Vec<_>>(),
        "dials": dials.collect::<Vec<_>>(),
    })
}

/// The numbers of tasks that may be set, each once, with what it usually is in which task.
fn dials_text(style: Style) -> String {
    let mut rows: Vec<(&Dial, Vec<String>)> = Vec::new();
    for task in TASKS {
        for dial in task.dials() {
            let usual = format!("{} {}", task.name(), dial.usual);
            match rows.iter_mut().find(|(known, _)| known.name == dial.name) {
                Some((_, usuals)) => usuals.push(usual),
                None => rows.push((dial, vec![usual])),
            }
        }
    }
    let mut text = String::from("\nNumbers of tasks, for --set dials.NAME=VALUE\n");
    if style == Style::Markdown {
        text = String::from(
            "\nNumbers of tasks, for `--set dials.NAME=VALUE`:\n\n| name | | from | to | usual |\n| --- | --- | --- | --- | --- |\n",
        );
    }
    for (Dial { name, doc, least, most, .. }, usuals) in rows {
        let usuals = usuals.join(", ");
        let _ = match style {
            Style::Markdown => writeln!(text, "| `{name}` | {doc} | {least} | {most} | {usuals} |"),
            _ => writeln!(text, "  {name:<27}{doc}; {least} to {most}; usually: {usuals}"),
        };
    }
    text
}
