//! Files with one JSON object per line, each of an iteration.

use crate::run::folder::RunFolder;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;

/// What every line has.
#[derive(Deserialize)]
struct At {
    iteration: u64,
}

/// Opens a file of a run for appending, without the lines that came after `iteration`, the one being continued from, and
/// without what is no line, as a run leaves it that was killed in the middle of one.
///
/// # Errors
/// When it cannot be read or written.
pub fn reopen(folder: &RunFolder, name: &str, iteration: u64) -> Result<File> {
    let before = |line: &&str| serde_json::from_str(line).is_ok_and(|at: At| at.iteration <= iteration);
    let kept: String = text(folder, name)?.lines().filter(before).flat_map(|line| [line, "\n"]).collect();
    folder.write(name, kept.as_bytes())?;
    append(folder, name)
}

/// What stands in a file of a run; nothing if there is none yet.
pub(super) fn text(folder: &RunFolder, name: &str) -> Result<String> {
    let path = folder.file(name);
    match std::fs::read(&path) {
        // A line that was cut inside a letter is no line.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// A file of a run, to add to.
pub(super) fn append(folder: &RunFolder, name: &str) -> Result<File> {
    let path = folder.file(name);
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn lines_after_the_checkpoint_and_half_lines_are_left_out() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(&home.path().join("run")).expect("a run");
        drop(reopen(&folder, "log.jsonl", 0).expect("a file that is not there yet"));
        let written = "{\"iteration\":1,\"x\":1}\n{\"iteration\":2}\n{\"iteration\":3}\n{\"iteration\":2,\"y";
        folder.write("log.jsonl", written.as_bytes()).expect("written");
        let mut file = reopen(&folder, "log.jsonl", 2).expect("opened");
        file.write_all(b"{\"iteration\":3,\"again\":true}\n").expect("appended");
        let text = std::fs::read_to_string(folder.file("log.jsonl")).expect("read");
        assert_eq!(text, "{\"iteration\":1,\"x\":1}\n{\"iteration\":2}\n{\"iteration\":3,\"again\":true}\n");
    }
}
