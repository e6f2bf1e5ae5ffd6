//! What can go wrong with learning and with policies.

use std::path::PathBuf;
use thiserror::Error;

/// Why a policy could not be trained, stored or run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A setting that cannot be.
    #[error("ppo.{field} is {found}; it must be {expected}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is possible.
        expected: String,
    },
    /// The device cannot compute.
    #[error("cannot compute on {device}: {reason}")]
    Device {
        /// As the user named it.
        device: String,
        /// What is missing and what to do.
        reason: String,
    },
    /// Two things that must fit do not.
    #[error("{what} does not fit: expected {expected}, found {found}")]
    Mismatch {
        /// What.
        what: String,
        /// What was needed.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A policy that a learner cannot start as.
    #[error("cannot start from {path}: {reason}")]
    Start {
        /// Where the policy came from.
        path: String,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// A number that is none.
    #[error("iteration {iteration}: {what} is not a finite number; {advice}")]
    NotFinite {
        /// Which number.
        what: String,
        /// In which iteration.
        iteration: u64,
        /// What it means and what to do.
        advice: &'static str,
    },
    /// A file could not be read or written.
    #[error("{attempted} {path}: {reason}")]
    File {
        /// "reading" or "writing".
        attempted: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file that is not what was written.
    #[error("{path} is damaged or no policy of giraffe: {reason}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// The tensor library failed.
    #[error("{attempted}: {reason}")]
    Tensors {
        /// What was being done.
        attempted: &'static str,
        /// What it said.
        reason: String,
    },
}
