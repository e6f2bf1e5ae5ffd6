//! Runs by the names that reports and pictures give them.

use crate::run::shipped::PolicySource;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `NAME=FOLDER`, or a folder alone, which is then its own name. Several runs may share a name: they differ in their seed
/// only, and are summed up together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRun {
    /// What reports call it.
    pub name: String,
    /// Its folder, its policy file, or the name of a shipped policy.
    pub path: PathBuf,
}

impl NamedRun {
    /// The last part of its path: reports are read on other machines. The whole name of a shipped policy.
    pub fn folder(&self) -> String {
        last_part(&self.path)
    }
}

fn last_part(path: &Path) -> String {
    // Of a shipped policy the hand is in the name, too.
    if let Ok(PolicySource::Shipped(shipped)) = PolicySource::find(path) {
        return shipped.name.to_owned();
    }
    path.file_name().map_or_else(|| path.to_string_lossy().into_owned(), |name| name.to_string_lossy().into_owned())
}

impl FromStr for NamedRun {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('=') {
            // A folder may have an equals sign in its name.
            Some((name, path)) if !Path::new(text).exists() => {
                if name.trim().is_empty() || path.trim().is_empty() {
                    bail!("{text}: expected NAME=FOLDER, for example wide=runs/wide-1");
                }
                Ok(Self { name: name.trim().to_owned(), path: PathBuf::from(path) })
            }
            _ if text.trim().is_empty() => bail!("an empty name of a run: expected NAME=FOLDER or FOLDER"),
            _ => Ok(Self { name: last_part(Path::new(text)), path: PathBuf::from(text) }),
        }
    }
}

/// The different names, in the order in which they come first.
pub fn names(runs: &[NamedRun]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.name.as_str()) {
            names.push(&run.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_name_that_it_is_given_or_that_of_its_folder() {
        let run: NamedRun = "wide=runs/wide-1".parse().expect("a name and a folder");
        assert_eq!((run.name.as_str(), run.folder().as_str()), ("wide", "wide-1"));
        let run: NamedRun = "runs/wide-1/".parse().expect("a folder");
        assert_eq!((run.name.as_str(), run.path.as_path()), ("wide-1", Path::new("runs/wide-1/")));
        for (said, name) in [("leap-right/rotate-z", "leap-right/rotate-z"), ("old=leap-right/rotate-z", "old")] {
            let run: NamedRun = said.parse().expect("a shipped policy");
            assert_eq!((run.name.as_str(), run.folder().as_str()), (name, "leap-right/rotate-z"));
        }
        for wrong in ["", "=runs/1", "wide=", " = "] {
            let error = wrong.parse::<NamedRun>().expect_err(wrong).to_string();
            assert!(error.contains("NAME=FOLDER"), "{error}");
        }
    }
}
