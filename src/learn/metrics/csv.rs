//! The metrics as a table: names in the first line, an iteration in every other.

use super::lines::{append, text};
use crate::run::folder::RunFolder;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write as _;

const FILE: &str = "metrics.csv";

/// Writes `metrics.csv`. Names and numbers need no quotes.
#[derive(Debug)]
pub struct CsvLog {
    folder: RunFolder,
    names: Vec<String>,
    file: File,
}

impl CsvLog {
    /// Opens it for appending, without the rows that came after `iteration` and without what is no row.
    pub fn open(folder: &RunFolder, iteration: u64) -> Result<Self> {
        let text = text(folder, FILE)?;
        let mut lines = text.lines();
        let names: Vec<String> = lines.next().unwrap_or("").split(',').map(str::to_owned).collect();
        let Some(at) = names.iter().position(|name| name == "iteration") else {
            return Self::begin(folder, Vec::new(), &[]);
        };
        // A row ends with a line end: one that was cut short is not kept even if its last number looks whole.
        let whole = if text.ends_with('\n') { usize::MAX } else { text.lines().count().saturating_sub(2) };
        let rows: Vec<Vec<&str>> = lines
            .take(whole)
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|row| row.len() == names.len() && row[at].parse().is_ok_and(|row: u64| row <= iteration))
            .collect();
        Self::begin(folder, names, &rows)
    }

    fn begin(folder: &RunFolder, names: Vec<String>, rows: &[Vec<&str>]) -> Result<Self> {
        let head = (!names.is_empty()).then(|| names.join(",") + "\n");
        let rows = rows.iter().map(|row| row.join(",") + "\n");
        folder.write(FILE, head.into_iter().chain(rows).collect::<String>().as_bytes())?;
        Ok(Self { folder: folder.clone(), names, file: append(folder, FILE)? })
    }

    /// Writes a row.
    pub fn write(&mut self, fields: &[(&str, &str)]) -> Result<()> {
        if !self.names.iter().eq(fields.iter().map(|(name, _)| name)) {
            self.widen(fields)?;
        }
        let value = |name: &String| fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        let row: Vec<&str> = self.names.iter().map(value).collect();
        self.file.write_all((row.join(",") + "\n").as_bytes()).context("writing metrics")
    }

    /// Adds columns that there were not before, empty in the rows so far: a run continued by a later giraffe has more.
    fn widen(&mut self, fields: &[(&str, &str)]) -> Result<()> {
        let mut names = self.names.clone();
        names.extend(fields.iter().map(|(name, _)| (*name).to_owned()).filter(|name| !self.names.contains(name)));
        if names.len() == self.names.len() {
            return Ok(());
        }
        let text = text(&self.folder, FILE)?;
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').chain(std::iter::repeat("")).take(names.len()).collect())
            .collect();
        *self = Self::begin(&self.folder, names, &rows)?;
        Ok(())
    }

    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().context("writing metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(&home.path().join("run")).expect("a run");
        (home, folder)
    }

    fn table(folder: &RunFolder) -> String {
        std::fs::read_to_string(folder.file(FILE)).expect("read")
    }

    #[test]
    fn a_table_goes_on_after_the_checkpoint_with_its_first_line_as_it_was() {
        let (_home, folder) = run();
        let mut log = CsvLog::open(&folder, 0).expect("a new table");
        for iteration in ["1", "2", "3"] {
            log.write(&[("iteration", iteration), ("loss", "0.5"), ("rate", "")]).expect("written");
        }
        folder.write(FILE, (table(&folder) + "2,0.1,7").as_bytes()).expect("killed in the middle of a row");
        let mut log = CsvLog::open(&folder, 2).expect("opened again");
        log.write(&[("iteration", "3"), ("loss", "0.25"), ("rate", "9")]).expect("written");
        assert_eq!(table(&folder), "iteration,loss,rate\n1,0.5,\n2,0.5,\n3,0.25,9\n");
    }

    #[test]
    fn a_new_column_is_empty_in_earlier_rows_and_an_old_one_stays_in_its_place() {
        let (_home, folder) = run();
        let mut log = CsvLog::open(&folder, 0).expect("a new table");
        log.write(&[("iteration", "1"), ("loss", "0.5")]).expect("written");
        let mut log = CsvLog::open(&folder, 1).expect("opened again");
        log.write(&[("iteration", "2"), ("new", "7"), ("loss", "0.25")]).expect("written");
        log.write(&[("iteration", "3")]).expect("written");
        assert_eq!(table(&folder), "iteration,loss,new\n1,0.5,\n2,0.25,7\n3,,\n");
    }
}
