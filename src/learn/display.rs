//! What a person sees while training runs.

use super::show::{Show, Standing};
use crate::say;
use giraffe_robots::MeasureKind;
use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between lines where there is no terminal to redraw.
const LINE_SECS: f64 = 10.0;

/// A progress line: redrawn on a terminal, a line now and then elsewhere, nothing at all when quiet.
pub struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
    last_line_secs: f64,
}

impl Display {
    /// A display on standard error.
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && say::is_seen_on_a_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {percent:>3} % {msg}");
            ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet, last_line_secs: f64::NEG_INFINITY }
    }

    /// Says something between progress lines.
    pub fn say(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| say::note(text)),
            None => say::note(text),
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
        let progress = standing.progress;
        if self.bar.is_none() && progress.train_seconds - self.last_line_secs < LINE_SECS {
            return;
        }
        self.last_line_secs = progress.train_seconds;
        let (share, text) = line(standing);
        match &self.bar {
            Some(bar) => {
                bar.set_position((share * 1000.0) as u64);
                bar.set_message(text);
            }
            None => say::note(format_args!("{:>3.0} % {text}", 100.0 * share)),
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

/// How far a run has come, and how it stands in words.
fn line(standing: &Standing<'_>) -> (f64, String) {
    let known = standing.session_secs > 0.0;
    let rate = if known { standing.session_steps as f64 / standing.session_secs } else { f64::NAN };
    let (share, left_secs) = standing.budget.spent_share(standing.progress, rate);
    let rate = if rate.is_finite() { format!("{rate:.0} steps/s ") } else { String::new() };
    let [physics, inference, update] = standing.split.shares().map(|share| 100.0 * share);
    // A zero has no sign.
    let nats = |nats: f64| format!(" | ranges {nats:+.2} nats").replace("-0.00", "+0.00");
    let ranges = standing.entropy_nats.map_or_else(String::new, nats);
    let text = format!(
        "{:.2} M steps, {rate}(physics {physics:.0}, inference {inference:.0}, update {update:.0} %) | {}{} | {} left",
        standing.progress.control_steps as f64 * 1e-6,
        in_words(standing),
        ranges,
        left_secs.map_or_else(|| "unknown time".to_owned(), duration)
    );
    (share, text)
}

/// Every measure of the latest episodes, the headline first; how they ended, where that is unusual.
fn in_words(standing: &Standing<'_>) -> String {
    let Standing { measures, score, ended, world_count, .. } = *standing;
    let unusual = ended.unusual_ends();
    if score.episodes == 0 {
        // Those that fail are over first: what they say is not what the others will say.
        let early = match ended.episodes {
            0 => "no episode finished yet".to_owned(),
            over => format!("too early to tell: {over} episodes ended early, those of {world_count} worlds go on"),
        };
        return std::iter::once(early).chain(unusual).collect::<Vec<_>>().join(", ");
    }
    let known = measures.iter().filter_map(|measure| Some((measure, score.measure(measure.name)?)));
    let said = known.map(|(measure, estimate)| {
        let unit = if measure.kind == MeasureKind::Fraction { "%" } else { measure.unit };
        format!("{} {} {unit}", measure.title, measure.shown(estimate.value)).trim_end().to_owned()
    });
    said.chain(unusual).collect::<Vec<_>>().join(", ")
}

fn duration(secs: f64) -> String {
    let secs = secs.clamp(0.0, 1e7) as u64;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {:02} s", secs / 60, secs % 60),
        _ => format!("{} h {:02} min", secs / 3600, secs % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::budget::Budget;
    use crate::learn::metrics::timing::Split;
    use crate::run::folder::RunProgress;
    use crate::run::score::Score;
    use giraffe_robots::{Better, Measure, Outcome, TrialResult};

    static MEASURES: [Measure; 2] = [
        Measure { name: "rate_hz", title: "rate", unit: "Hz", kind: MeasureKind::Mean, better: Better::Higher },
        Measure { name: "kept_fraction", title: "kept", unit: "", kind: MeasureKind::Fraction, better: Better::Higher },
    ];

    fn results(outcome: Outcome, count: usize, rate_hz: f64) -> Vec<TrialResult> {
        let kept = f64::from(u8::from(outcome == Outcome::TimeUp));
        vec![TrialResult { outcome, measures: vec![Some(rate_hz), Some(kept)], step_count: 7 }; count]
    }

    fn said(control_steps: u64, session_secs: f64, known: &[TrialResult], ended: &[TrialResult]) -> String {
        let progress = RunProgress { control_steps, ..RunProgress::default() };
        let standing = Standing {
            budget: Budget::Steps(1000),
            progress: &progress,
            session_steps: control_steps,
            session_secs,
            measures: &MEASURES,
            score: &Score::of(&MEASURES, known),
            ended: &Score::of(&MEASURES, ended),
            world_count: 128,
            entropy_nats: Some(-0.001),
            split: Split::default(),
        };
        line(&standing).1
    }

    #[test]
    fn a_young_run_does_not_say_that_everything_is_dropped_while_most_episodes_go_on() {
        let text = said(500, 2.0, &[], &results(Outcome::Failed, 9, 0.0));
        assert!(text.contains("too early to tell: 9 episodes ended early, those of 128 worlds go on"), "{text}");
        assert!(text.contains("250 steps/s") && text.contains("| 2 s left") && !text.contains("kept"), "{text}");
        let known = [results(Outcome::Failed, 1, -0.0001), results(Outcome::TimeUp, 3, -0.0001)].concat();
        let text = said(500, 2.0, &known, &known);
        assert!(text.contains("rate 0.000 Hz, kept 75.0 %"), "{text}");
        assert!(text.contains("ranges +0.00 nats"), "a zero has no sign: {text}");
    }

    #[test]
    fn what_is_lost_is_told_at_once_and_nothing_that_is_unknown_is_told() {
        let text = said(500, 0.0, &[], &results(Outcome::Diverged, 2, 0.0));
        assert!(
            text.contains("2 diverged") && text.contains("unknown time left") && !text.contains("steps/s"),
            "{text}"
        );
        let text = said(1000, 0.0, &[], &[]);
        assert!(text.contains("no episode finished yet") && text.ends_with("| 0 s left"), "{text}");
    }
}
