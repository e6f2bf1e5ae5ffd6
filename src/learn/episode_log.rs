//! Under which ranges, or at which level of a curriculum, each training episode was planned: `episodes.jsonl` in the folder of
//! a run in which something moves. With the seed it is enough to plan any episode again.
//!
//! One line per iteration in which something happened. `moves` are boundaries that moved: how many moves there were with
//! this one, which boundary (in the order of `sides` in `adr.jsonl`), and the reach it moved to, in letters, since it must
//! be read back to the last bit; in a curriculum always boundary 0, and the level. `planned` are episodes: world, episode, and how many moves there had been. The first
//! episode of each world is not listed: it is planned before anything moves.

use crate::learn::metrics::lines::reopen;
use crate::run::folder::RunFolder;
use anyhow::{Context, Result, bail, ensure};
use giraffe_randomization::Recorded;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// File in a run's folder.
const FILE: &str = "episodes.jsonl";

/// One line of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    iteration: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moves: Vec<(u64, usize, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    planned: Vec<(u64, u64, u64)>,
}

/// Writes the file.
#[derive(Debug)]
pub struct EpisodeLog {
    monitor: Box<dyn Recorded>,
    file: File,
}

impl EpisodeLog {
    /// Opens the file for appending, without the lines that came after `iteration`, the one being continued from.
    pub fn open(monitor: Box<dyn Recorded>, folder: &RunFolder, iteration: u64) -> Result<Self> {
        monitor.record();
        Ok(Self { monitor, file: reopen(folder, FILE, iteration)? })
    }

    /// Writes down what happened since the last time.
    pub fn log(&mut self, iteration: u64) -> Result<()> {
        let history = self.monitor.take_history();
        if history.moves.is_empty() && history.planned.is_empty() {
            return Ok(());
        }
        let moves = history.moves.iter().map(|at| (at.move_count, at.side, at.reach.to_string())).collect();
        let planned = history.planned.iter().map(|at| (at.world, at.episode, at.move_count)).collect();
        let mut line = serde_json::to_vec(&Line { iteration, moves, planned }).context("a line about episodes")?;
        line.push(b'\n');
        self.file.write_all(&line).context("writing about episodes")
    }

    /// Everything is on the disk afterwards.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().context("writing about episodes")
    }
}

/// How far every boundary reached when an episode was planned, and how often any had moved by then. `start` is where
/// boundaries start.
///
/// # Errors
/// When the run did not write it down, or did not plan that episode yet.
pub fn reaches_at(run: &Path, start: Vec<f64>, world: u64, episode: u64) -> Result<(Vec<f64>, u64)> {
    if episode == 0 {
        return Ok((start, 0));
    }
    let path = run.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "in this run something moved (ranges, or a curriculum), and where it was when an episode was planned is in {}; reading it",
            path.display()
        )
    })?;
    // The last line of a run that goes on may be half written.
    let lines: Vec<Line> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_world = || lines.iter().flat_map(|line| &line.planned).filter(|planned| planned.0 == world);
    let Some((.., move_count)) = of_world().find(|planned| planned.1 == episode) else {
        let latest = of_world().map(|planned| planned.1).max().unwrap_or(0);
        bail!("world {world} of this run has not come to episode {episode}: the latest one it began is {latest}");
    };
    let mut reaches = start;
    let moves = lines.iter().flat_map(|line| &line.moves).take_while(|moved| moved.0 <= *move_count);
    let mut next = 1;
    for (count, side, reach) in moves {
        ensure!(
            *count == next,
            "{} lacks move {next} of the ranges: the run was begun by a program that did not write them down",
            path.display()
        );
        let reach = reach.parse().with_context(|| format!("{}: the reach {reach}", path.display()))?;
        *reaches.get_mut(*side).with_context(|| format!("{}: there is no side {side}", path.display()))? = reach;
        next += 1;
    }
    ensure!(next == move_count + 1, "{} lacks move {next} of the ranges", path.display());
    Ok((reaches, *move_count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(text: &str, world: u64, episode: u64) -> Result<(Vec<f64>, u64)> {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(home.path().join(FILE), text).expect("written");
        reaches_at(home.path(), vec![0.0; 3], world, episode)
    }

    #[test]
    fn an_episode_has_the_reaches_of_the_moves_before_it_was_planned() {
        let text = "{\"iteration\":2,\"planned\":[[0,1,0]]}\n\
                    {\"iteration\":5,\"moves\":[[1,2,\"0.2\"],[2,0,\"0.30000000000000004\"]],\"planned\":[[1,1,0],[0,2,1]]}\n\
                    {\"iteration\":9,\"moves\":[[3,2,\"0.1\"]],\"planned\":[[1,2,3]]}\n{\"iteration\":10,\"mov";
        assert_eq!(reaches(text, 0, 0).expect("the first"), (vec![0.0; 3], 0));
        assert_eq!(reaches(text, 1, 1).expect("before any move"), (vec![0.0; 3], 0));
        assert_eq!(reaches(text, 0, 2).expect("after one"), (vec![0.0, 0.0, 0.2], 1));
        assert_eq!(reaches(text, 1, 2).expect("after all"), (vec![0.1 + 0.2, 0.0, 0.1], 3));
        let error = reaches(text, 1, 7).expect_err("not yet").to_string();
        assert!(error.contains("has not come to episode 7") && error.ends_with("is 2"), "{error}");
        let lacking = "{\"iteration\":5,\"moves\":[[8,2,\"0.2\"]],\"planned\":[[0,2,8]]}\n";
        assert!(reaches(lacking, 0, 2).expect_err("no beginning").to_string().contains("lacks move 1"));
        let lacking = "{\"iteration\":5,\"planned\":[[0,2,8]]}\n";
        assert!(reaches(lacking, 0, 2).expect_err("no moves").to_string().contains("lacks move 1"));
    }
}
