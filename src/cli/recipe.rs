//! `giraffe train --recipe`: what can be typed beside it, and what is done.

use super::meeting::tell_hand_of;
use super::scene::SceneArguments;
use crate::learn::display::Display;
use crate::learn::processes::Processes;
use crate::learn::stages::{RecipeRun, as_begun};
use crate::learn::train::TrainReport;
use crate::run::shipped::find_recipe;
use crate::say;
use anyhow::{Result, ensure};
use giraffe_policy::DeviceChoice;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What was typed.
pub struct RecipeAsked<'a> {
    /// Name or path of the recipe.
    pub recipe: &'a Path,
    /// The hand and object, where somebody named them beside the recipe.
    pub scene: &'a SceneArguments,
    /// Another seed than the recipe's.
    pub seed: Option<u64>,
    /// So many steps of it.
    pub steps: Option<u64>,
    /// The folder to go on in.
    pub resume: Option<&'a Path>,
    /// The folder to begin in.
    pub out: Option<&'a Path>,
    /// What learns.
    pub device: DeviceChoice,
}

/// Trains by a recipe: what came of it, and what to type to go on.
///
/// # Errors
/// When there is no such recipe, it is for something else than was asked for, or training fails.
pub fn train_recipe(
    asked: &RecipeAsked<'_>,
    processes: &Processes,
    free_folder: impl Fn(&str) -> PathBuf,
    stop: &AtomicBool,
) -> Result<(TrainReport, String)> {
    let mut recipe = find_recipe(asked.recipe)?;
    recipe.check_scene(asked.scene.robot.as_deref(), asked.scene.object.as_deref())?;
    if let Some(seed) = asked.seed {
        recipe = recipe.with_seed(seed);
    }
    if let Some(folder) = asked.resume {
        recipe = as_begun(recipe, folder)?;
    }
    if let Some(steps) = asked.steps {
        recipe = recipe.first(steps)?;
    }
    ensure!(
        asked.out.or(asked.resume).is_some() || processes.count() == 1,
        "several processes need to know the folder of the run: give it with --out"
    );
    let out = asked.resume.or(asked.out).map_or_else(|| free_folder(&folder_name(asked)), Path::to_owned);
    let run = RecipeRun { recipe: &recipe, out: &out, device: asked.device, processes: processes.clone() };
    run.check(asked.resume.is_some())?;
    if processes.is_first() && asked.resume.is_none() {
        if let Some(stage) = recipe.stages.first() {
            tell_hand_of(&stage.config, stop);
        }
        if asked.seed.is_some() {
            say::note("another seed than the recipe says makes another policy than the shipped one");
        }
    }
    let mut display = Display::new(!processes.is_first());
    let report = run.run(&mut display, stop)?;
    display.finish();
    Ok((report, run.how_to_go_on()))
}

/// What a folder is called that nobody named: after the recipe, and the seed where that is another.
fn folder_name(asked: &RecipeAsked<'_>) -> String {
    let name = asked.recipe.with_extension("");
    let parts: Vec<String> = match asked.recipe.exists() {
        true => name.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect(),
        false => name.iter().map(|part| part.to_string_lossy().into_owned()).collect(),
    };
    let seed = asked.seed.map(|seed| format!("-{seed}")).unwrap_or_default();
    parts.join("-") + &seed
}
