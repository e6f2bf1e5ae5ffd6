//! What a person sees while training runs.

use super::show::{Show, Standing};
use crate::run::folder::RunProgress;
use crate::run::score::Score;
use giraffe_robots::{Measure, MeasureKind};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;

/// Seconds between lines where there is no terminal to redraw.
const LINE_SECS: f64 = 10.0;

/// A progress line: redrawn on a terminal, a line now and then elsewhere, nothing at all when quiet.
pub struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
    last_line_secs: f64,
    first: Option<RunProgress>,
}

impl Display {
    /// A display on standard error.
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3} % {msg}");
            ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet, last_line_secs: f64::NEG_INFINITY, first: None }
    }

    /// Says something between progress lines.
    pub fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Ends the line.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

impl Show for Display {
    fn show(&mut self, standing: &Standing<'_>) {
        if self.quiet {
            return;
        }
        let Standing { budget, progress, measures, score, entropy_nats, split } = *standing;
        let first = *self.first.get_or_insert(*progress);
        if self.bar.is_none() && progress.train_seconds - self.last_line_secs < LINE_SECS {
            return;
        }
        self.last_line_secs = progress.train_seconds;
        let secs = progress.train_seconds - first.train_seconds;
        let rate = if secs > 0.0 { (progress.control_steps - first.control_steps) as f64 / secs } else { 0.0 };
        let (share, left_secs) = budget.spent_share(progress, rate);
        let seen = in_words(measures, score);
        let ranges = entropy_nats.map_or_else(String::new, |nats| format!(" | ranges {nats:+.2} nats"));
        let [physics, inference, update] = split.shares().map(|share| 100.0 * share);
        let text = format!(
            "{:.2} M steps, {rate:.0} steps/s (physics {physics:.0}, inference {inference:.0}, update {update:.0} %) | \
             {seen}{ranges} | {} left",
            progress.control_steps as f64 * 1e-6,
            duration(left_secs)
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
                bar.set_message(text);
            }
            None => eprintln!("{:>3.0} % {text}", 100.0 * share.clamp(0.0, 1.0)),
        }
    }

    /// Between progress lines.
    fn warn(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tracing::warn!("{text}")),
            None => tracing::warn!("{text}"),
        }
    }
}

/// Every measure of the latest episodes, the headline first.
fn in_words(measures: &[Measure], score: &Score) -> String {
    if score.episodes == 0 {
        return "no episode finished yet".to_owned();
    }
    let known = measures.iter().filter_map(|measure| Some((measure, score.measure(measure.name)?)));
    let said = known.map(|(measure, estimate)| {
        let unit = if measure.kind == MeasureKind::Fraction { "%" } else { measure.unit };
        format!("{} {} {unit}", measure.title, measure.shown(estimate.value)).trim_end().to_owned()
    });
    let unusual = score.unusual_ends();
    said.chain(unusual).collect::<Vec<_>>().join(", ")
}

fn duration(secs: f64) -> String {
    if !secs.is_finite() {
        return "unknown time".to_owned();
    }
    let secs = secs.clamp(0.0, 1e7) as u64;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
    }
}
