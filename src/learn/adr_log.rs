//! What automatic domain randomization came to, in the folder of a run.

use crate::learn::episode_log::EpisodeLog;
use crate::learn::metrics::lines::reopen;
use crate::run::folder::{RunFolder, RunProgress};
use anyhow::{Context, Result, bail};
use giraffe_randomization::{AdrMonitor, AdrReport};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// File in a run's folder.
const FILE: &str = "adr.jsonl";
/// Iterations between lines: ranges move slowly, and a line is long.
const EVERY: u64 = 10;

/// Writes `adr.jsonl` and `episodes.jsonl`.
#[derive(Debug)]
pub struct AdrLog {
    monitor: AdrMonitor,
    file: File,
    episodes: EpisodeLog,
}

/// One line of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AdrLine {
    /// Rollouts and updates done.
    pub iteration: u64,
    /// Control steps done in all worlds together.
    pub control_steps: u64,
    /// Wall-clock seconds of training.
    pub train_seconds: f64,
    /// How the ranges stand.
    #[serde(flatten)]
    pub report: AdrReport,
}

/// Every line of a run; none where ranges do not grow by themselves.
///
/// # Errors
/// When there is a file that cannot be read, or none of its lines can be.
pub fn read(run: &Path) -> Result<Vec<AdrLine>> {
    let path = run.join(FILE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let lines: Vec<Result<AdrLine, _>> = text.lines().map(serde_json::from_str).collect();
    let first_problem = lines.iter().find_map(|line| line.as_ref().err().map(ToString::to_string));
    // The last line of a run that goes on may be half written.
    let lines: Vec<AdrLine> = lines.into_iter().flatten().collect();
    match first_problem {
        Some(problem) if lines.is_empty() => bail!("{}: {problem}", path.display()),
        _ => Ok(lines),
    }
}

impl AdrLog {
    /// Opens the file for appending, without the lines that came after `iteration`, the one being continued from.
    pub fn open(monitor: AdrMonitor, folder: &RunFolder, iteration: u64) -> Result<Self> {
        let file = reopen(folder, FILE, iteration)?;
        let episodes = EpisodeLog::open(Box::new(monitor.clone()), folder, iteration)?;
        Ok(Self { monitor, file, episodes })
    }

    /// Entropy of the ranges now, nats per dimension.
    pub fn entropy_nats(&self) -> f64 {
        self.monitor.report().entropy_nats
    }

    /// Everything is on the disk afterwards: what a checkpoint builds on.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().context("writing about the ranges")?;
        self.episodes.sync()
    }

    /// Writes down what was planned, and how ranges stand now and then.
    pub fn log(&mut self, progress: &RunProgress) -> Result<()> {
        let RunProgress { iteration, control_steps, train_seconds } = *progress;
        self.episodes.log(iteration)?;
        if !iteration.is_multiple_of(EVERY) {
            return Ok(());
        }
        let line = AdrLine { iteration, control_steps, train_seconds, report: self.monitor.report() };
        let mut line = serde_json::to_vec(&line).context("a line about the ranges")?;
        line.push(b'\n');
        self.file.write_all(&line).context("writing about the ranges")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::{Moving, RunConfig};
    use std::os::fd::OwnedFd;

    /// A pipe cannot be brought to a disk, and says so to whoever tries.
    #[test]
    fn a_checkpoint_waits_for_what_is_said_of_ranges_and_of_episodes() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(home.path().join("run").as_path()).expect("a run");
        let mut config = RunConfig::default();
        config.randomization.adr.enabled = true;
        let parts = config.parts().expect("the default run");
        let (_, moving) = parts.training_sampler(&config).expect("ranges that grow");
        let Some(Moving::Ranges(monitor)) = moving else { panic!("ranges that grow") };
        let log = || AdrLog::open(monitor.clone(), &folder, 0).expect("a log");
        log().sync().expect("two files on a disk");
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        let broken = AdrLog { file: File::from(OwnedFd::from(writer)), ..log() };
        let said = format!("{:#}", broken.sync().expect_err("adr.jsonl is not on a disk"));
        assert!(said.contains("ranges"), "{said}");
    }
}
