//! What training writes down about itself, one row per iteration, in three forms: `metrics.jsonl` (a JSON object a line),
//! `metrics.csv` (the same columns) and `tensorboard/` (the same numbers, for TensorBoard; a step there is a control step).
//!
//! A run that goes on from a checkpoint goes on in all three: rows that came after the checkpoint are removed.

pub mod crash;
mod csv;
pub mod health;
pub mod lines;
pub mod row;
mod tensorboard;
pub mod timing;

use crate::run::folder::{RunFolder, RunProgress};
use anyhow::{Context, Result};
use csv::CsvLog;
use row::MetricsRow;
use std::fs::File;
use std::io::Write as _;
use tensorboard::EventLog;

/// Every iteration of a run, a line each.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// Writes all three.
#[derive(Debug)]
pub struct MetricsLog {
    lines: File,
    csv: CsvLog,
    events: EventLog,
}

impl MetricsLog {
    /// Opens them for appending, without what came after `progress`, the checkpoint being continued from.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn open(folder: &RunFolder, progress: &RunProgress) -> Result<Self> {
        Ok(Self {
            lines: lines::reopen(folder, METRICS_FILE, progress.iteration)?,
            csv: CsvLog::open(folder, progress.iteration)?,
            events: EventLog::open(folder, progress)?,
        })
    }

    /// Writes a row, whole or not at all in each of them as far as anybody but the disk is concerned.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, row: &MetricsRow) -> Result<()> {
        let line = row.line()?;
        let fields = row::fields(&line);
        self.lines.write_all(format!("{line}\n").as_bytes()).context("writing metrics")?;
        self.csv.write(&fields)?;
        let measures: Vec<&str> = row.measures.0.iter().map(|(name, _)| name.as_str()).collect();
        self.events.write(row.report.control_steps, &fields, &measures)
    }

    /// Everything is on the disk afterwards: what a checkpoint builds on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.lines.sync_data().context("writing metrics")?;
        self.csv.sync()?;
        self.events.sync()
    }
}
