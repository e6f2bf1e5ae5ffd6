//! What can be wrong with a description, said so that it can be put right.

use crate::names::UnknownName;
use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// Why a hand could not be read.
#[derive(Debug, Error)]
pub enum DescriptionError {
    /// Neither a built-in robot nor a path.
    #[error(
        "{0}. A hand of your own is given as the path of a folder with hand.xml and robot.toml, or of an MJCF or URDF file"
    )]
    UnknownRobot(UnknownName),
    /// A file that cannot be read.
    #[error("cannot read {}: {cause}. A hand is a folder with hand.xml and robot.toml, or an MJCF or URDF file", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A file too large to be a description.
    #[error("{} is larger than {limit_bytes} bytes; no description of primitive shapes is", .path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Largest size that is read.
        limit_bytes: u64,
    },
    /// A file that says something that cannot be.
    #[error("{place}: {problem}")]
    Invalid {
        /// File and line.
        place: Place,
        /// What was found, and what to do about it.
        problem: String,
    },
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, such as `leap-right/hand.xml`.
    pub file: String,
    /// Line, from 1, where it is known.
    pub line: Option<usize>,
}

impl Place {
    /// The error of something at this place.
    pub(super) fn error(self, problem: impl Into<String>) -> DescriptionError {
        DescriptionError::Invalid { place: self, problem: problem.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

// Its own words are in the message already: as a source they would be printed twice.
impl From<UnknownName> for DescriptionError {
    fn from(unknown: UnknownName) -> Self {
        Self::UnknownRobot(unknown)
    }
}
