//! What a policy's training started from.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A policy that the training of another one started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Where it was read from: a folder of a run, or a file.
    pub path: String,
    /// Name of the hand.
    pub robot: String,
    /// Name of the task.
    pub task: String,
    /// Name of the object.
    pub object: String,
    /// Commit of the program that trained it.
    pub commit: String,
    /// Seed of its run.
    pub seed: u64,
    /// Control steps it was trained for, without what its own ancestors were.
    pub control_steps: u64,
    /// [`crate::Policy::fingerprint`]: SHA-256 of manifest and weights.
    pub fingerprint: String,
}

impl fmt::Display for Ancestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, robot, task, object, commit, seed, control_steps, fingerprint } = self;
        let hash = fingerprint.get(..12).unwrap_or(fingerprint);
        write!(
            f,
            "{path} ({task} with {object} on {robot}, seed {seed}, {control_steps} control steps, commit {commit}, sha256 \
             {hash}...)"
        )
    }
}
