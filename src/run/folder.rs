//! A run's folder: its configuration, hand, metrics, checkpoints and policy. One process at a time writes into it.
//!
//! A checkpoint is a folder that appears by renaming, after every byte is on the disk, with the hash of every file
//! inside. A damaged one is recognised, and the one before it is used instead.

use super::lock::{FolderLock, LOCK_FILE};
use anyhow::{Context, Result, bail};
use giraffe_robots::put_in_place;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a run is, in its folder: see [`super::config::RunConfig`].
pub const CONFIG_FILE: &str = "config.toml";
/// The policy, in the folder of its run.
pub const POLICY_FILE: &str = "policy.bin";
/// Which policy a run started from, and what that one had started from, in its folder.
pub const STARTED_FROM_FILE: &str = "started_from.json";
/// That policy itself.
pub const STARTED_FROM_POLICY_FILE: &str = "started_from.bin";

/// How many checkpoints are kept.
const KEPT_CHECKPOINTS: usize = 2;
const SUMS: &str = "sums.json";
const PROGRESS: &str = "progress.json";
/// What the name of an unfinished checkpoint begins with.
const PARTIAL: &str = ".partial-";

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// Nothing for those who only read. Kept by all clones.
    _lock: Option<Arc<FolderLock>>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Rollouts and updates done.
    pub iteration: u64,
    /// Control steps done in all worlds together.
    pub control_steps: u64,
    /// Wall-clock seconds spent training.
    pub train_seconds: f64,
}

impl RunFolder {
    /// A new folder, for this process alone to write into.
    ///
    /// # Errors
    /// When there is something in it already, somebody else writes into it, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Self::check_empty(path)?;
        fs::create_dir_all(path).with_context(|| format!("making the folder {}", path.display()))?;
        let lock = FolderLock::take(path)?;
        // Somebody may have come in between.
        Self::check_empty(path)?;
        fs::create_dir_all(path.join("checkpoints"))
            .with_context(|| format!("making the folder {}", path.display()))?;
        // Of somebody who was killed here: another run starts from something else.
        for name in [STARTED_FROM_FILE, STARTED_FROM_POLICY_FILE] {
            let _ = fs::remove_file(path.join(name));
        }
        Ok(Self { path: path.to_owned(), _lock: Some(Arc::new(lock)) })
    }

    fn check_empty(path: &Path) -> Result<()> {
        let holds_something = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
            // What a run leaves that was killed before it had so much as a configuration.
            let is_nothing = name == LOCK_FILE
                || (name == STARTED_FROM_FILE || name == STARTED_FROM_POLICY_FILE) && !path.join(CONFIG_FILE).exists()
                || name.starts_with('.') && name.ends_with(".partial")
                || name == "checkpoints"
                    && fs::read_dir(path.join(&name)).is_ok_and(|mut inside| inside.next().is_none());
            !is_nothing
        };
        if fs::read_dir(path).is_ok_and(|mut entries| entries.any(holds_something)) {
            bail!(
                "{} is not empty; choose another folder with --out, or go on with `giraffe train --resume {}`",
                path.display(),
                path.display()
            );
        }
        Ok(())
    }

    /// The folder of an earlier run, to read.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG_FILE).is_file() {
            bail!("{} is not the folder of a run: it holds no {CONFIG_FILE}", path.display());
        }
        Ok(Self { path: path.to_owned(), _lock: None })
    }

    /// The folder of an earlier run, for this process alone to write into.
    ///
    /// # Errors
    /// When it is none, or somebody else writes into it.
    pub fn open_to_write(path: &Path) -> Result<Self> {
        let folder = Self::open(path)?;
        Ok(Self { _lock: Some(Arc::new(FolderLock::take(path)?)), ..folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file so that it is either the old or the new one, never half: `write` is given a path beside it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn replace(&self, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.put(name, true, write)
    }

    /// [`RunFolder::replace`] without waiting for the disk: see [`RunFolder::hand_over_checkpoint`].
    ///
    /// # Errors
    /// As [`RunFolder::replace`].
    pub fn hand_over(&self, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.put(name, false, write)
    }

    fn put(&self, name: &str, waits: bool, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let path = self.file(name);
        // Beside the folders of the run: a reader of one of those never meets half a file.
        let partial = self.file(&format!(".{}.partial", name.replace('/', "-")));
        let attempt = || -> Result<()> {
            write(&partial)?;
            let put = if waits { put_in_place(&partial, &path) } else { fs::rename(&partial, &path) };
            Ok(put?)
        };
        attempt().with_context(|| format!("writing {}", path.display()))
    }

    /// [`RunFolder::replace`] with bytes at hand.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.replace(name, |partial| Ok(fs::write(partial, bytes)?))
    }

    /// Whether there is a whole checkpoint of this iteration.
    pub fn is_saved(&self, iteration: u64) -> bool {
        check(&self.path.join("checkpoints").join(format!("{iteration:08}"))).is_ok()
    }

    /// Writes a checkpoint: `fill` puts the learner's and the worlds' files into the folder it is given.
    ///
    /// # Errors
    /// When the disk refuses. The checkpoints before stay as they were.
    pub fn save_checkpoint(&self, progress: RunProgress, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.write_checkpoint(progress, true, fill)
    }

    /// The same for somebody who has no time to wait for a disk: the system writes it after this process has ended. If the
    /// machine fails before that, the checkpoint before it is used.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn hand_over_checkpoint(&self, progress: RunProgress, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.write_checkpoint(progress, false, fill)
    }

    fn write_checkpoint(
        &self,
        progress: RunProgress,
        waits: bool,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let checkpoints = self.path.join("checkpoints");
        let partial = checkpoints.join(format!("{PARTIAL}{:08}", progress.iteration));
        let complete = checkpoints.join(format!("{:08}", progress.iteration));
        // A run that goes on from its last checkpoint and has nothing left to do: it is never removed to be written anew.
        if check(&complete).is_ok() {
            return Ok(());
        }
        let attempt = || -> Result<()> {
            let _ = fs::remove_dir_all(&partial);
            fs::create_dir_all(&partial)?;
            fill(&partial)?;
            fs::write(partial.join(PROGRESS), serde_json::to_vec_pretty(&progress)?)?;
            fs::write(partial.join(SUMS), serde_json::to_vec_pretty(&sums(&partial)?)?)?;
            for file in if waits { files(&partial)? } else { Vec::new() } {
                File::open(file)?.sync_all()?;
            }
            let _ = fs::remove_dir_all(&complete);
            let put = if waits { put_in_place(&partial, &complete) } else { fs::rename(&partial, &complete) };
            Ok(put?)
        };
        attempt().with_context(|| format!("writing the checkpoint {}", complete.display()))?;
        let mut all = self.checkpoints()?;
        all.reverse();
        for old in all.into_iter().skip(KEPT_CHECKPOINTS) {
            let _ = fs::remove_dir_all(old);
        }
        Ok(())
    }

    /// Whether no checkpoint was ever completed: the run was killed as soon as it began.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_fresh(&self) -> Result<bool> {
        Ok(self.checkpoints()?.is_empty())
    }

    /// The newest checkpoint whose files are whole, and how far it had come. Damaged ones are passed over with a
    /// warning.
    ///
    /// # Errors
    /// When there is none.
    pub fn newest_checkpoint(&self) -> Result<(PathBuf, RunProgress)> {
        let mut damage = Vec::new();
        for path in self.checkpoints()?.into_iter().rev() {
            match check(&path) {
                Ok(progress) => return Ok((path, progress)),
                Err(error) => {
                    tracing::warn!("the checkpoint {} is damaged ({error:#}); using the one before", path.display());
                    damage.push(format!("{error:#}"));
                }
            }
        }
        if damage.is_empty() {
            bail!(
                "{} holds no checkpoint: nothing to continue from; remove it and start the run again",
                self.path.display()
            );
        }
        bail!("every checkpoint in {} is damaged: {}", self.path.display(), damage.join("; "));
    }

    /// Removes what a run left that was killed while it wrote a checkpoint.
    pub fn remove_half_checkpoints(&self) {
        let entries = fs::read_dir(self.path.join("checkpoints")).into_iter().flatten().flatten();
        let is_half = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL));
        entries.map(|entry| entry.path()).filter(is_half).for_each(|path| drop(fs::remove_dir_all(path)));
    }

    /// Complete checkpoints, oldest first.
    fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        let folder = self.path.join("checkpoints");
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        paths.sort();
        Ok(paths)
    }
}

/// Checks every file of a checkpoint against its hash.
fn check(path: &Path) -> Result<RunProgress> {
    let read = |name: &str| fs::read(path.join(name)).with_context(|| format!("{name} cannot be read"));
    let expected: BTreeMap<String, String> = serde_json::from_slice(&read(SUMS)?).context("sums.json")?;
    let mut found = sums(path)?;
    found.remove(SUMS);
    for (name, sum) in &expected {
        match found.get(name) {
            None => bail!("{name} is missing"),
            Some(other) if other != sum => bail!("{name} has changed since it was written"),
            Some(_) => {}
        }
    }
    serde_json::from_slice(&read(PROGRESS)?).context("progress.json")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            paths.extend(files(&path)?);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A hash as it is written down.
pub(super) fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for path in files(folder)? {
        let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
        sums.insert(name, sha256_hex(fs::read(&path)?));
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with_checkpoints(iterations: &[u64]) -> (tempfile::TempDir, RunFolder) {
        let home = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::create(&home.path().join("run")).expect("a new folder");
        for &iteration in iterations {
            let progress = RunProgress { iteration, ..RunProgress::default() };
            run.save_checkpoint(progress, |dir| Ok(fs::write(dir.join("weights.bin"), iteration.to_le_bytes())?))
                .expect("saved");
        }
        (home, run)
    }

    #[test]
    fn the_newest_whole_checkpoint_is_used_and_old_ones_are_removed() {
        let (_home, run) = run_with_checkpoints(&[1, 2, 3]);
        let (path, progress) = run.newest_checkpoint().expect("a checkpoint");
        assert_eq!(progress.iteration, 3);
        assert_eq!(fs::read(path.join("weights.bin")).expect("weights"), 3_u64.to_le_bytes());
        assert_eq!(run.checkpoints().expect("listed").len(), KEPT_CHECKPOINTS);
    }

    #[test]
    fn a_damaged_checkpoint_is_passed_over_and_two_damaged_ones_are_an_error() {
        let (_home, run) = run_with_checkpoints(&[1, 2]);
        fs::write(run.path().join("checkpoints/00000002/weights.bin"), b"rubbish").expect("damaged");
        assert_eq!(run.newest_checkpoint().expect("the older one").1.iteration, 1);
        fs::remove_file(run.path().join("checkpoints/00000001/weights.bin")).expect("damaged");
        let error = format!("{:#}", run.newest_checkpoint().expect_err("none left"));
        assert!(error.contains("weights.bin is missing") && error.contains("has changed"), "{error}");
    }

    #[test]
    fn a_checkpoint_that_was_cut_short_is_not_seen() {
        let (_home, run) = run_with_checkpoints(&[1]);
        let failed =
            run.save_checkpoint(RunProgress { iteration: 2, ..RunProgress::default() }, |_| bail!("disk full"));
        assert!(format!("{:#}", failed.expect_err("full")).contains("disk full"));
        assert_eq!(run.newest_checkpoint().expect("the older one").1.iteration, 1);
        assert_eq!(fs::read_dir(run.path().join("checkpoints")).expect("listed").count(), 2);
        run.remove_half_checkpoints();
        assert_eq!(fs::read_dir(run.path().join("checkpoints")).expect("listed").count(), 1);
    }

    #[test]
    fn a_whole_checkpoint_is_not_written_again_and_a_damaged_one_is() {
        let (_home, run) = run_with_checkpoints(&[1, 2]);
        let progress = RunProgress { iteration: 2, ..RunProgress::default() };
        run.save_checkpoint(progress, |_| bail!("written again")).expect("nothing to do");
        let weights = run.path().join("checkpoints/00000002/weights.bin");
        fs::write(&weights, b"rubbish").expect("damaged");
        run.save_checkpoint(progress, |dir| Ok(fs::write(dir.join("weights.bin"), b"anew")?)).expect("saved");
        assert_eq!(fs::read(&weights).expect("weights"), b"anew");
        assert_eq!(run.newest_checkpoint().expect("the newer one").1.iteration, 2);
    }

    #[test]
    fn a_run_killed_before_it_had_a_configuration_can_be_begun_again_in_its_folder() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = home.path().join("run");
        let run = RunFolder::create(&path).expect("a new folder");
        fs::write(path.join(".config.toml.partial"), b"half").expect("half a file");
        run.write(STARTED_FROM_POLICY_FILE, b"what it was to start from").expect("written");
        run.write(STARTED_FROM_FILE, b"[]").expect("written");
        assert!(run.is_fresh().expect("read"));
        drop(run);
        drop(RunFolder::create(&path).expect("nothing is there yet"));
        assert!(!path.join(STARTED_FROM_FILE).exists(), "another run starts from something else, or from nothing");
        fs::write(path.join("notes.txt"), b"mine").expect("somebody's file");
        assert!(RunFolder::create(&path).is_err());
    }

    #[test]
    fn a_folder_in_use_is_not_written_into() {
        let (_home, run) = run_with_checkpoints(&[1]);
        let error = RunFolder::create(run.path()).expect_err("in use").to_string();
        assert!(error.contains("--resume"), "{error}");
    }

    #[test]
    fn two_never_write_into_one_folder_and_anybody_may_read_it() {
        let (_home, run) = run_with_checkpoints(&[1]);
        run.write(CONFIG_FILE, b"seed = 1").expect("written");
        let reader = RunFolder::open(run.path()).expect("anybody may read");
        let error = RunFolder::open_to_write(run.path()).expect_err("somebody writes").to_string();
        assert!(error.contains("is writing into"), "{error}");
        let other = run.clone();
        drop(run);
        assert!(RunFolder::open_to_write(reader.path()).is_err(), "a clone writes, too");
        drop(other);
        RunFolder::open_to_write(reader.path()).expect("nobody writes any more");
    }
}
