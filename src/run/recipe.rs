//! Recipes: what makes a policy, whole, in one file. A stage is a run; each begins with the policy of the one before.
//!
//! ```toml
//! robot = "leap-right"
//! object = "cube-70mm"
//! task = "rotate-z"
//!
//! [[stages]]
//! seed = 1
//! steps = 6_930_432
//! settings.ppo.core_width = 64
//! ```
//!
//! A stage may have another `task`: what it learns there the next one begins with. The last has that of the recipe.
//!
//! Settings are those of a configuration, and only what differs from the defaults. A shipped recipe writes down the ranges that
//! its presets mean, and is held against the configuration of its policy's run by a test: a default that changes must not
//! change what a recipe makes.

use super::config::RunConfig;
use anyhow::{Context, Result, bail, ensure};
use giraffe_randomization::AdrConfig;
use giraffe_robots::did_you_mean;
use toml::{Table, Value};

const KEYS: [&str; 4] = ["robot", "object", "task", "stages"];
const STAGE_KEYS: [&str; 4] = ["seed", "steps", "settings", "task"];
/// Settings that a recipe says once, in a place of their own.
const NO_SETTINGS: [&str; 4] = ["robot", "object", "task", "seed"];

/// What makes a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// As it was asked for.
    pub name: String,
    /// For which hand, as in a configuration.
    pub robot: String,
    /// What it holds.
    pub object: String,
    /// What it is to do in the end.
    pub task: String,
    /// What is done, one after the other.
    pub stages: Vec<Stage>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Control steps, in all worlds together.
    pub steps: u64,
    /// Everything else that decides the run.
    pub config: RunConfig,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// When it cannot be understood: says what, and what is expected.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::read(name, text).with_context(|| format!("the recipe {name}"))
    }

    fn read(name: &str, text: &str) -> Result<Self> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            anyhow::anyhow!("{}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        check_keys(&table, &KEYS, "")?;
        let word = |key: &str| match table.get(key) {
            Some(Value::String(word)) => Ok(word.clone()),
            Some(other) => bail!("{key} = {other}: expected a name in quotes"),
            None => bail!("it does not say which {key}: expected {key} = \"...\""),
        };
        let (robot, object, task) = (word("robot")?, word("object")?, word("task")?);
        let stages = match table.get("stages") {
            Some(Value::Array(stages)) if !stages.is_empty() => stages,
            None | Some(Value::Array(_)) => {
                bail!("it has no stages: expected at least one [[stages]] with seed, steps and settings")
            }
            Some(_) => bail!("stages is no list: expected [[stages]], each with seed, steps and settings"),
        };
        let whose = [("robot", &robot), ("object", &object), ("task", &task)];
        let read = |(index, stage)| read_stage(stage, &whose).with_context(|| format!("stage {}", index + 1));
        let stages: Vec<Stage> = stages.iter().enumerate().map(read).collect::<Result<_>>()?;
        let last = stages.last().map_or(&task, |stage| &stage.config.task);
        ensure!(*last == task, "its last stage has the task {last}: expected that of the recipe, {task}");
        Ok(Self { name: name.to_owned(), robot, object, task, stages })
    }

    /// Refuses another hand or object than the recipe is for.
    ///
    /// # Errors
    /// Says which it is for, and what to do.
    pub fn check_scene(&self, robot: Option<&str>, object: Option<&str>) -> Result<()> {
        for (flag, said, own) in [("robot", robot, &self.robot), ("object", object, &self.object)] {
            if let Some(said) = said.filter(|said| said != own) {
                bail!(
                    "the recipe {} is for {own}, and --{flag} says {said}; leave it out, or choose a recipe for {said} \
                     (`giraffe list policies`), or copy this one into a file of your own and change its {flag} there",
                    self.name
                );
            }
        }
        Ok(())
    }

    /// The same from another seed, in all of its stages: another policy. From its own, that of its first stage, it is what it is:
    /// so that the first stage of a run tells which seed the recipe was begun with.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        if self.stages.first().is_none_or(|stage| stage.config.seed != seed) {
            self.stages.iter_mut().for_each(|stage| stage.config.seed = seed);
        }
        self
    }

    /// Control steps of all stages.
    pub fn steps(&self) -> u64 {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The first `steps` of it: stages at its end are cut short, or have no steps left.
    ///
    /// # Errors
    /// When it has fewer.
    pub fn first(mut self, steps: u64) -> Result<Self> {
        let all = self.steps();
        ensure!(
            (1..=all).contains(&steps),
            "--steps {steps}: the recipe {} has {all} control steps; expected 1 to {all}, or no --steps for all of them",
            self.name
        );
        let mut left = steps;
        for stage in &mut self.stages {
            stage.steps = stage.steps.min(left);
            left -= stage.steps;
        }
        Ok(self)
    }
}

fn read_stage(stage: &Value, whose: &[(&str, &String)]) -> Result<Stage> {
    let Value::Table(stage) = stage else { bail!("{stage}: expected a table with seed, steps and settings") };
    check_keys(stage, &STAGE_KEYS, "")?;
    let number = |key: &str| match stage.get(key) {
        Some(Value::Integer(number)) => {
            u64::try_from(*number).with_context(|| format!("{key} = {number}: expected 0 or more"))
        }
        Some(other) => bail!("{key} = {other}: expected a whole number"),
        None => bail!("it does not say {key}: expected {key} = a whole number"),
    };
    let steps = number("steps")?;
    ensure!(steps > 0, "steps = 0: expected at least 1 control step");
    // In the range of what TOML can write.
    let seed = i64::try_from(number("seed")?).context("seed")?;
    let mut settings = match stage.get("settings") {
        Some(Value::Table(settings)) => settings.clone(),
        Some(other) => {
            bail!("settings = {other}: expected settings as in a configuration, settings.ppo.core_width = 64")
        }
        None => Table::new(),
    };
    if let Some(key) = NO_SETTINGS.iter().find(|key| settings.contains_key(**key)) {
        let place = if ["seed", "task"].contains(key) { "in the stage itself" } else { "once, above all stages" };
        bail!("settings.{key}: a recipe says its {key} {place}");
    }
    settings.extend(whose.iter().map(|(key, word)| ((*key).to_owned(), Value::String((*word).clone()))));
    match stage.get("task") {
        None => {}
        Some(task @ Value::String(_)) => drop(settings.insert("task".to_owned(), task.clone())),
        Some(other) => bail!("task = {other}: expected a name in quotes"),
    }
    settings.insert("seed".to_owned(), Value::Integer(seed));
    Ok(Stage { steps, config: RunConfig::of_table(settings, &[])? })
}

fn check_keys(table: &Table, known: &[&str], prefix: &str) -> Result<()> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => bail!(
            "unknown key {prefix}{key}{} (expected: {}; settings of a run stand in settings)",
            did_you_mean(key, known.iter().copied()),
            known.join(", ")
        ),
    }
}

/// A configuration without what decides nothing: threads, when checkpoints are written, and how ranges would grow that do not.
pub fn decisive(config: &RunConfig) -> RunConfig {
    let defaults = RunConfig::default();
    let mut config = RunConfig { own_hand: None, checkpoint_secs: defaults.checkpoint_secs, ..config.clone() };
    config.worlds.thread_count = defaults.worlds.thread_count;
    config.ppo.thread_count = defaults.ppo.thread_count;
    config.randomization = config.randomization.pinned();
    if !config.randomization.adr.enabled {
        config.randomization.adr = AdrConfig::default();
    }
    config
}

/// The first setting in which two runs differ so that they learn something else, as `key: one, other`.
///
/// # Errors
/// When a configuration cannot be written down.
pub fn first_difference(one: &RunConfig, other: &RunConfig) -> Result<Option<String>> {
    let written = |config| Value::try_from(decisive(config)).context("writing down a configuration");
    Ok(difference("", Some(&written(one)?), Some(&written(other)?)))
}

fn difference(key: &str, one: Option<&Value>, other: Option<&Value>) -> Option<String> {
    if let (Some(Value::Table(one)), Some(Value::Table(other))) = (one, other) {
        let inner = |name: &String| if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort();
        return names.into_iter().find_map(|name| difference(&inner(name), one.get(name), other.get(name)));
    }
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    (one != other).then(|| format!("{key}: {}, {}", shown(one), shown(other)))
}
