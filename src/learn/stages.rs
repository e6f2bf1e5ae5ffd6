//! A recipe, stage by stage. Each is a run in a folder of its own and begins with the policy of the one before. A recipe of one
//! stage is a run like any other.

use super::budget::Budget;
use super::display::Display;
use super::processes::Processes;
use super::train::{TrainReport, Training};
use super::warm_start::WarmStart;
use crate::run::config::RunConfig;
use crate::run::folder::CONFIG_FILE;
use crate::run::recipe::{Recipe, Stage, first_difference};
use anyhow::{Context, Result, bail, ensure};
use giraffe_policy::{DeviceChoice, HeadKind, PpoConfig};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A recipe on its way.
pub struct RecipeRun<'r> {
    /// What is done.
    pub recipe: &'r Recipe,
    /// The folder of the run; of several stages, that of their folders `stage-1`, `stage-2`, ...
    pub out: &'r Path,
    /// What learns.
    pub device: DeviceChoice,
    /// Who learns together.
    pub processes: Processes,
}

impl RecipeRun<'_> {
    /// Refuses what cannot be before anything is learned: a stage whose hand, object or task does not exist, and a folder that is
    /// in use, or, to go on, one that is not that of this recipe.
    ///
    /// # Errors
    /// Says what to do.
    pub fn check(&self, goes_on: bool) -> Result<()> {
        let name = &self.recipe.name;
        for (index, pair) in self.recipe.stages.windows(2).enumerate() {
            let differs = other_network(&pair[0].config.ppo, &pair[1].config.ppo);
            ensure!(
                differs.is_empty(),
                "the recipe {name}, stage {}: its network is another than that of stage {}, with whose policy it begins ({}); \
                 expected the same settings.ppo there",
                index + 2,
                index + 1,
                differs.join(", ")
            );
        }
        for (index, stage) in self.recipe.stages.iter().enumerate() {
            stage.config.parts().with_context(|| format!("the recipe {name}, stage {}", index + 1))?;
            let folder = self.folder(index);
            if !goes_on {
                // What else a folder may hold is looked at where a run is made of it.
                ensure!(
                    !is_begun(&folder) && (self.recipe.stages.len() == 1 || !folder.exists()),
                    "{} is there already; choose another folder with --out, or go on with `{}`",
                    folder.display(),
                    self.how_to_go_on()
                );
            } else if is_begun(&folder) {
                let found = RunConfig::read(Some(&folder.join(CONFIG_FILE)), &[])?;
                if let Some(differs) = first_difference(&found, &stage.config)? {
                    bail!(
                        "{} is not a run of the recipe {name} (there and in the recipe, {differs}); go on with `giraffe train \
                         --resume {}`, or begin anew with another --out",
                        folder.display(),
                        folder.display()
                    );
                }
            } else if index == 0 {
                bail!("{} holds no run: begin one with `giraffe train --recipe {name} --out DIR`", folder.display());
            }
        }
        Ok(())
    }

    /// Trains what is left of it, or until `stop` is set: what the last run amounted to.
    ///
    /// # Errors
    /// When a stage cannot be begun or gone on with, or learning breaks down.
    pub fn run(&self, display: &mut Display, stop: &AtomicBool) -> Result<TrainReport> {
        let stages: Vec<&Stage> = self.recipe.stages.iter().filter(|stage| stage.steps > 0).collect();
        let mut latest = None;
        for (index, stage) in stages.iter().enumerate() {
            if stages.get(index + 1).is_some() && is_begun(&self.folder(index + 1)) {
                continue;
            }
            if self.recipe.stages.len() > 1 {
                display.say(&format!("stage {} of {}", index + 1, self.recipe.stages.len()));
            }
            let report = self.stage(index, stage)?.run(Budget::Steps(stage.steps), display, stop)?;
            let stopped = report.stopped;
            latest = Some(report);
            // The policy of this stage is there before anybody begins with it.
            self.processes.gather(&[]);
            if stopped {
                break;
            }
        }
        latest.context("a recipe without stages")
    }

    /// The run of a stage: gone on with where it is begun.
    fn stage(&self, index: usize, stage: &Stage) -> Result<Training> {
        let (folder, processes) = (self.folder(index), self.processes.clone());
        // All look before anybody makes it.
        let begun = is_begun(&folder);
        self.processes.gather(&[]);
        if begun {
            return Training::resume(&folder, self.device, processes);
        }
        let from = (index > 0).then(|| WarmStart::read(&self.folder(index - 1))).transpose()?;
        Training::begin_from(stage.config.clone(), &folder, self.device, processes, from.as_ref())
    }

    fn folder(&self, index: usize) -> PathBuf {
        stage_folder(self.recipe, self.out, index)
    }

    /// What to type after a stop.
    pub fn how_to_go_on(&self) -> String {
        format!("giraffe train --recipe {} --resume {}", self.recipe.name, self.out.display())
    }
}

/// Where the run of a stage is.
fn stage_folder(recipe: &Recipe, out: &Path, index: usize) -> PathBuf {
    match recipe.stages.len() {
        1 => out.to_owned(),
        _ => out.join(format!("stage-{}", index + 1)),
    }
}

/// The recipe as it was begun in a folder: from the seed that was given then.
///
/// # Errors
/// When a configuration there cannot be read.
pub fn as_begun(recipe: Recipe, out: &Path) -> Result<Recipe> {
    let folder = stage_folder(&recipe, out, 0);
    if !is_begun(&folder) {
        return Ok(recipe);
    }
    Ok(recipe.with_seed(RunConfig::read(Some(&folder.join(CONFIG_FILE)), &[])?.seed))
}

/// In which settings a policy has another network, so that a run cannot begin with it.
fn other_network(one: &PpoConfig, next: &PpoConfig) -> Vec<&'static str> {
    let rows = [
        (one.encoder_width == next.encoder_width, "ppo.encoder_width"),
        (one.core == next.core, "ppo.core"),
        (one.core_width == next.core_width, "ppo.core_width"),
        (one.core_layers == next.core_layers, "ppo.core_layers"),
        (one.head == next.head, "ppo.head"),
        // Who acts by a Gaussian has no bins.
        (one.head == HeadKind::Gaussian || one.bin_count == next.bin_count, "ppo.bin_count"),
        (one.memoryless == next.memoryless, "ppo.memoryless"),
        (one.observation_clip.to_bits() == next.observation_clip.to_bits(), "ppo.observation_clip"),
    ];
    rows.into_iter().filter(|(same, _)| !same).map(|(_, name)| name).collect()
}

fn is_begun(folder: &Path) -> bool {
    folder.join(CONFIG_FILE).is_file()
}
