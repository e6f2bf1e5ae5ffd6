//! Which run is meant: hand, object and every other setting.

use super::scene::SceneArguments;
use crate::run::config::RunConfig;
use crate::say;
use anyhow::Result;
use clap::Args;
use giraffe_robots::{ImportReport, ROBOTS};
use std::path::{Path, PathBuf};

impl SceneArguments {
    /// Settings with what was asked for by flags behind them, so that flags win. Paths become absolute: a run is gone on
    /// with from any folder.
    pub fn over(&self, settings: &[String]) -> Vec<String> {
        let quoted = |key: &str, value: &str| format!("{key}={}", toml::Value::String(value.to_owned()));
        let mut all = settings.to_vec();
        all.extend(self.robot.as_deref().map(|robot| quoted("robot", &absolute(robot))));
        all.extend(self.object.as_deref().map(|object| quoted("object", object)));
        all
    }
}

/// A hand's name as it is, a path from the root of the file system.
fn absolute(robot: &str) -> String {
    let path = Path::new(robot);
    if ROBOTS.iter().any(|entry| entry.name == robot) || !path.exists() {
        return robot.to_owned();
    }
    std::path::absolute(path).map_or_else(|_| robot.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// What a run is.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// A TOML file with settings; see `config.toml` in any run's folder for all of them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which hand, and what it holds.
    #[command(flatten)]
    pub scene: SceneArguments,
    /// One setting, such as `ppo.core_width=64`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

impl ConfigArguments {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown or a value cannot be.
    pub fn read(&self) -> Result<RunConfig> {
        RunConfig::read(self.config.as_deref(), &self.scene.over(&self.settings))
    }
}

/// What engines are compared on, or speed is measured of.
#[derive(Debug, Args)]
pub struct ComparedArguments {
    /// A hand: a name from `giraffe list robots`, or the path of a folder or MJCF file.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// An object: a name from `giraffe list objects`.
    #[arg(long, default_value = "cube-70mm")]
    pub object: String,
    /// Another setting, such as `physics.substep_count=4`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

impl ComparedArguments {
    /// The configuration that is asked for.
    ///
    /// # Errors
    /// When a key is unknown or a value cannot be.
    pub fn config(&self) -> Result<RunConfig> {
        let config = RunConfig::read(None, &self.settings)?;
        Ok(RunConfig { robot: self.robot.clone(), object: self.object.clone(), ..config })
    }
}

/// Says what was not understood of somebody else's hand, and what was assumed.
pub(super) fn tell_import(report: &ImportReport) {
    if !report.is_empty() {
        say::note_part(format_args!(
            "this hand is not in giraffe's own form; what is read differently, assumed or ignored:\n{report}"
        ));
    }
}
