//! Starting a run as another one ended: `giraffe train --from`.
//!
//! What a run started from lies in its folder, whole, before it has a configuration: a run that is killed before its first
//! checkpoint starts from the same policy again, whatever has become of the other run.

use crate::run::evaluate::TrainedPolicy;
use crate::run::folder::{RunFolder, STARTED_FROM_FILE, STARTED_FROM_POLICY_FILE};
use anyhow::{Context, Result, bail};
use giraffe_policy::{Ancestor, Policy, PpoLearner};
use giraffe_robots::{ActionSchema, RobotModel};
use std::path::Path;

/// A policy that a run is to start from.
pub struct WarmStart {
    trained: TrainedPolicy,
    policy: Policy,
    path: String,
}

impl WarmStart {
    /// The policy at `path`: the folder of a run, or a policy file.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let trained =
            TrainedPolicy::load(path, &[]).with_context(|| format!("cannot start from {}", path.display()))?;
        let Some(policy) = trained.policy.one().cloned() else {
            bail!(
                "cannot start from {0}: it is a set of skills; give one of its policies, such as {0}/NAME.bin",
                path.display()
            );
        };
        Ok(Self { trained, policy, path: path.display().to_string() })
    }

    /// What the run in this folder was to start from; nothing where it began with nothing learned.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept_in(folder: &RunFolder) -> Result<Option<Self>> {
        let file = folder.file(STARTED_FROM_FILE);
        if !file.is_file() {
            return Ok(None);
        }
        let text = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let ancestors: Vec<Ancestor> =
            serde_json::from_slice(&text).with_context(|| format!("what the run started from, {}", file.display()))?;
        let Some(first) = ancestors.into_iter().next() else { bail!("{} names no policy", file.display()) };
        Ok(Some(Self { path: first.path, ..Self::read(&folder.file(STARTED_FROM_POLICY_FILE))? }))
    }

    /// Lets `learner`, which has not begun, start as this policy, if it was made for this hand and for such actions.
    ///
    /// # Errors
    /// Says what does not fit; nothing has happened then.
    pub fn give(&self, learner: &mut PpoLearner, robot: &RobotModel, action: &ActionSchema) -> Result<()> {
        self.trained.check_fit(robot).with_context(|| format!("cannot start from {}", self.path))?;
        let own = &self.policy.manifest().context.action;
        if own != action {
            let describe = |action: &ActionSchema| {
                let ActionSchema { max_rad_per_step, tracking_band_rad, .. } = action;
                format!("of at most {max_rad_per_step} rad a step, within {tracking_band_rad} rad of the sensed angle")
            };
            bail!(
                "cannot start from {}: its actions are increments {}, those of this task {}; what it says would mean \
                 something else here; start from a policy of a task with the same actions",
                self.path,
                describe(own),
                describe(action)
            );
        }
        Ok(learner.start_from(&self.policy, &self.path)?)
    }

    /// Puts it into the folder of the run whose learner started as it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_in(&self, folder: &RunFolder, learner: &PpoLearner) -> Result<()> {
        let ancestors = serde_json::to_vec_pretty(learner.ancestors()).context("what the run starts from")?;
        // The policy first: who finds the other file finds both.
        folder.replace(STARTED_FROM_POLICY_FILE, |partial| Ok(self.policy.save(partial)?))?;
        folder.write(STARTED_FROM_FILE, &ancestors)
    }
}
