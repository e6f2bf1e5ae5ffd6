//! `giraffe plot`: what several runs learned, and how far their ranges grew.

use super::ranges;
use crate::learn::adr_log::{self, AdrLine};
use crate::run::config::RunConfig;
use crate::run::folder::CONFIG_FILE;
use crate::run::statistics::median;
use crate::study::chart::{Line, LineChart, picture};
use crate::study::named_run::{NamedRun, names};
use anyhow::{Context, Result, bail};
use giraffe_robots::{Measure, Task, find_task};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was drawn.
#[derive(Debug, Clone, Serialize)]
pub struct PlotReport {
    /// The pictures.
    pub pictures: Vec<PathBuf>,
    /// The runs, in the order they were given.
    pub runs: Vec<PlottedRun>,
}

/// How one run stands at its end.
#[derive(Debug, Clone, Serialize)]
pub struct PlottedRun {
    /// Name in the pictures.
    pub name: String,
    /// Its folder.
    pub run: String,
    /// Control steps done in all worlds together.
    pub control_steps: u64,
    /// Its task.
    pub task: String,
    /// The task's measures over the last training episodes, in the ranges of then; null where there was none.
    pub measures: BTreeMap<&'static str, Option<f64>>,
    /// Entropy of the ranges, nats per dimension, where they grow by themselves.
    pub entropy_nats: Option<f64>,
}

/// One line of a run's metrics, as far as pictures need it.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    control_steps: u64,
    #[serde(flatten)]
    columns: Map<String, Value>,
}

impl Row {
    fn column(&self, name: &str) -> Option<f64> {
        self.columns.get(name).and_then(Value::as_f64)
    }
}

#[derive(Clone)]
struct Run<'r> {
    named: &'r NamedRun,
    task: &'static dyn Task,
    rows: Vec<Row>,
    adr: Vec<AdrLine>,
}

/// Draws `learning.svg`, where there was a curriculum `curriculum.svg`, and where ranges grew by themselves `entropy.svg` and
/// `ranges.svg`, into `out`.
///
/// # Errors
/// When a run has nothing to draw, or a picture cannot be written.
pub fn plot(runs: &[NamedRun], out: &Path) -> Result<PlotReport> {
    let read: Vec<Run> = runs.iter().map(read).collect::<Result<_>>()?;
    std::fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    let names = names(runs);
    let mut pictures = Vec::new();
    let mut chart = |file: &str, chart: LineChart| -> Result<()> {
        let path = out.join(file);
        picture(&path, (900, 500), |area| chart.draw(area))?;
        pictures.push(path);
        Ok(())
    };
    let headline = common_headline(&read)?;
    let curve = |run: &Run| {
        let shown = |row: &Row| Some(point(row.control_steps, headline.shown_scale() * row.column(headline.name)?));
        run.rows.iter().filter_map(shown).collect()
    };
    let y = format!("in training: {}", headline.heading());
    chart("learning.svg", LineChart { x: X, y: &y, holds: &[0.0], lines: lines(&read, &names, curve) })?;
    let level = "curriculum_level";
    let rising: Vec<Run> =
        read.iter().filter(|run| run.rows.iter().any(|row| row.column(level).is_some())).map(Run::clone).collect();
    if !rising.is_empty() {
        let levels = |run: &Run| {
            let shown = |row: &Row| Some(point(row.control_steps, row.column(level)?));
            run.rows.iter().filter_map(shown).collect()
        };
        let y = "level of the curriculum";
        chart("curriculum.svg", LineChart { x: X, y, holds: &[0.0, 1.0], lines: lines(&rising, &names, levels) })?;
    }
    let growing: Vec<Run> = read.iter().filter(|run| !run.adr.is_empty()).map(Run::clone).collect();
    if !growing.is_empty() {
        let entropy =
            |run: &Run| run.adr.iter().map(|line| point(line.control_steps, line.report.entropy_nats)).collect();
        let y = "entropy of the ranges, nats per dimension";
        // From a nominal world to one as wide as configured.
        let holds = [giraffe_randomization::ENTROPY_WIDTH_FLOOR.ln(), 0.0];
        chart("entropy.svg", LineChart { x: X, y, holds: &holds, lines: lines(&growing, &names, entropy) })?;
        let last: Vec<(&NamedRun, &AdrLine)> =
            growing.iter().filter_map(|run| Some((run.named, run.adr.last()?))).collect();
        let path = out.join("ranges.svg");
        ranges::draw(&last, &names, &path)?;
        pictures.push(path);
    }
    Ok(PlotReport { pictures, runs: read.iter().map(Run::summary).collect() })
}

const X: &str = "control steps, millions";

fn point(control_steps: u64, value: f64) -> (f64, f64) {
    (control_steps as f64 * 1e-6, value)
}

fn read(named: &NamedRun) -> Result<Run<'_>> {
    let path = named.path.join(crate::learn::metrics::METRICS_FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is not the folder of a run: reading {}", named.path.display(), path.display()))?;
    // A run that is going on may be writing its last line.
    let rows: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if rows.len() < 2 {
        bail!("{} has {} lines of metrics: expected at least two to draw a curve", path.display(), rows.len());
    }
    let config = RunConfig::read(Some(&named.path.join(CONFIG_FILE)), &[])?;
    let task = find_task(&config.task).with_context(|| format!("the task of {}", named.path.display()))?;
    Ok(Run { named, task, rows, adr: adr_log::read(&named.path)? })
}

/// What all runs are drawn by.
fn common_headline(runs: &[Run]) -> Result<&'static Measure> {
    let headline = |run: &Run<'_>| &run.task.measures()[0];
    let Some(first) = runs.first() else { bail!("no runs: give at least one as NAME=RUN") };
    match runs.iter().find(|run| headline(run) != headline(first)) {
        None => Ok(headline(first)),
        Some(other) => bail!(
            "{} learned {}, measured by {}; {} learned {}, measured by {}: one picture shows one of them",
            first.named.path.display(),
            first.task.name(),
            headline(first).name,
            other.named.path.display(),
            other.task.name(),
            headline(other).name
        ),
    }
}

impl Run<'_> {
    fn summary(&self) -> PlottedRun {
        let last = self.rows.last();
        PlottedRun {
            name: self.named.name.clone(),
            run: self.named.folder(),
            control_steps: last.map_or(0, |row| row.control_steps),
            task: self.task.name().to_owned(),
            measures: self.task.measures().iter().map(|m| (m.name, last.and_then(|row| row.column(m.name)))).collect(),
            entropy_nats: self.adr.last().map(|line| line.report.entropy_nats),
        }
    }
}

/// One line per run; where several share a name, theirs are pale and their median is drawn over them.
fn lines(runs: &[Run], names: &[&str], points: impl Fn(&Run) -> Vec<(f64, f64)>) -> Vec<Line> {
    let (mut pale, mut strong) = (Vec::new(), Vec::new());
    for (color, name) in names.iter().enumerate() {
        let mut curves: Vec<Vec<(f64, f64)>> = runs.iter().filter(|run| run.named.name == *name).map(&points).collect();
        let label = |count: usize| match count {
            1 => Some((*name).to_owned()),
            count => Some(format!("{name}, median of {count}")),
        };
        match curves.len() {
            0 => {}
            1 => strong.push(Line { name: label(1), color, pale: false, points: curves.remove(0) }),
            count => {
                strong.push(Line { name: label(count), color, pale: false, points: median_curve(&curves) });
                pale.extend(curves.into_iter().map(|points| Line { name: None, color, pale: true, points }));
            }
        }
    }
    pale.extend(strong);
    pale
}

/// The median over curves, at evenly spaced places that all of them have.
fn median_curve(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    const PLACES: usize = 200;
    let begins = curves.iter().filter_map(|curve| curve.first()).map(|point| point.0);
    let ends = curves.iter().filter_map(|curve| curve.last()).map(|point| point.0);
    let (begin, end) = (begins.fold(0.0, f64::max), ends.fold(f64::INFINITY, f64::min));
    let places = (0..=PLACES).map(|place| begin + (end - begin) * place as f64 / PLACES as f64);
    places
        .map(|x| {
            let values: Vec<f64> = curves.iter().map(|curve| at(curve, x)).collect();
            (x, median(&values).unwrap_or(f64::NAN))
        })
        .collect()
}

/// The value of a curve at `x`, on the straight line between the points next to it.
fn at(curve: &[(f64, f64)], x: f64) -> f64 {
    let after = curve.partition_point(|point| point.0 < x);
    match (after.checked_sub(1).and_then(|before| curve.get(before)), curve.get(after)) {
        (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (Some(only), None) | (None, Some(only)) => only.1,
        (None, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_three_curves_is_the_one_in_the_middle_as_far_as_all_reach() {
        let curve = |slope: f64, end: u32| -> Vec<(f64, f64)> {
            (0..=end).map(|x| (f64::from(x), slope * f64::from(x))).collect()
        };
        let middle = median_curve(&[curve(1.0, 8), curve(5.0, 10), curve(2.0, 9)]);
        assert!((middle.last().expect("points").0 - 8.0).abs() < 1e-12);
        assert!(middle.iter().all(|(x, y)| (y - 2.0 * x).abs() < 1e-9), "{middle:?}");
    }
}
