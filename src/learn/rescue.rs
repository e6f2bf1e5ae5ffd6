//! What a run has finished and not saved yet: kept in memory in such a form that neither an end in the middle of an
//! iteration nor a fault in a thread loses it.

use super::metrics::health::Health;
use super::window::Window;
use crate::run::folder::{POLICY_FILE, RunFolder, RunProgress};
use crate::stopping::Unsaved;
use crate::stopwatch::Stopwatch;
use anyhow::{Context, Error, Result};
use giraffe_policy::{KeptLearner, Policy};
use std::any::Any;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The worlds, in a checkpoint.
pub const WORLDS_FILE: &str = "worlds.msgpack";
/// Not JSON, whose readers may round the last digit of a number.
pub const WINDOW_FILE: &str = "window.msgpack";
/// What was seen going wrong, in a checkpoint.
pub const HEALTH_FILE: &str = "health.json";

/// Iterations that take longer are not waited for when somebody says stop: [`crate::stopping::GRACE`] is about twice that.
const LONG: Duration = Duration::from_millis(600);
/// What a fault loses at most, where iterations are short.
const LOSE_AT_MOST: Duration = Duration::from_secs(4);

/// A run as it stands between two iterations.
pub struct Finished {
    folder: RunFolder,
    progress: RunProgress,
    learner: KeptLearner,
    worlds: Vec<u8>,
    window: Vec<u8>,
    health: Vec<u8>,
}

impl Finished {
    /// With the latest episodes, and what was seen going wrong.
    ///
    /// # Errors
    /// Never, as these are.
    pub fn new(
        (folder, progress): (RunFolder, RunProgress),
        (learner, worlds): (KeptLearner, Vec<u8>),
        window: &Window,
        health: &Health,
    ) -> Result<Self> {
        let window = rmp_serde::to_vec(window).context("the latest episodes")?;
        let health = serde_json::to_vec(health).context("what was seen going wrong")?;
        Ok(Self { folder, progress, learner, worlds, window, health })
    }

    /// Writes the checkpoint.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> Result<()> {
        self.folder.save_checkpoint(self.progress, |dir| self.fill(dir))
    }

    fn fill(&self, dir: &Path) -> Result<()> {
        self.learner.save(dir)?;
        std::fs::write(dir.join(WORLDS_FILE), &self.worlds)?;
        std::fs::write(dir.join(WINDOW_FILE), &self.window)?;
        Ok(std::fs::write(dir.join(HEALTH_FILE), &self.health)?)
    }

    /// Writes everything that a run leaves when it is stopped, without waiting for the disk, and says so.
    fn leave(&self, policy: &Policy) -> Result<String> {
        self.folder.hand_over_checkpoint(self.progress, |dir| self.fill(dir))?;
        self.folder.hand_over(POLICY_FILE, |partial| Ok(policy.save(partial)?))?;
        let (iteration, run) = (self.progress.iteration, self.folder.path().display());
        Ok(format!(
            "iteration {iteration} is saved, what came after it is not; go on with: giraffe train --resume {run}"
        ))
    }
}

/// Decides what of a run is kept at hand, iteration after iteration.
pub struct Guard {
    unsaved: Unsaved,
    folder: RunFolder,
    /// Since somebody could write what was finished.
    kept: Stopwatch,
    /// Several processes end together or not at all.
    is_alone: bool,
}

impl Guard {
    /// Of a run that is just as it was saved.
    pub fn new(folder: &RunFolder, is_alone: bool) -> Self {
        let (mut unsaved, folder) = (Unsaved::nothing(), folder.clone());
        if !is_alone {
            unsaved.hold();
        }
        let mut guard = Self { unsaved, folder, kept: Stopwatch::start(), is_alone };
        guard.saved();
        guard
    }

    /// Everything is on the disk.
    pub fn saved(&mut self) {
        if self.is_alone {
            let folder = self.folder.clone();
            self.unsaved.keep(Box::new(move || Ok(as_saved(&folder))));
            self.kept = Stopwatch::start();
        }
    }

    /// Another iteration was finished, which took so long: it is kept if it would take too long to wait for the next one, or
    /// much would be lost.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn finished(&mut self, took: Duration, keep: impl FnOnce() -> Result<(Finished, Policy)>) -> Result<()> {
        if self.is_alone && (took > LONG || self.kept.elapsed() > LOSE_AT_MOST) {
            let (finished, policy) = keep()?;
            self.unsaved.keep(Box::new(move || finished.leave(&policy)));
            self.kept = Stopwatch::start();
        } else {
            self.unsaved.hold();
        }
        Ok(())
    }

    /// What to say of a thread that panicked in iteration `iteration`, after writing what can be written.
    pub fn fault(&mut self, panic: &(dyn Any + Send), iteration: u64) -> Error {
        let what = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let left = match self.unsaved.rescue() {
            Some(Ok(said)) => said,
            Some(Err(error)) => format!("what was finished could not be saved: {error:#}; the checkpoints are whole"),
            None => as_saved(&self.folder),
        };
        Error::new(Fault(format!(
            "a fault of this program, not of yours, in iteration {iteration}: {}; {left}. If it comes again, report it with the \
             lines above",
            what.unwrap_or("a thread panicked")
        )))
    }
}

/// Where a run goes on from that has nothing but its checkpoints.
fn as_saved(folder: &RunFolder) -> String {
    match folder.newest_checkpoint() {
        Ok((_, saved)) => format!(
            "the checkpoint of iteration {} is whole; go on with: giraffe train --resume {}",
            saved.iteration,
            folder.path().display()
        ),
        Err(error) => format!("{error:#}"),
    }
}

/// A mistake in this program, in words.
#[derive(Debug)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}
