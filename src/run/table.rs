//! Tables of scores.

use super::score::Score;
use super::statistics::Estimate;
use giraffe_robots::Measure;
use std::fmt::Write as _;

/// One line per score, one column per measure, with 95 % intervals.
pub fn score_table(measures: &[Measure], rows: &[(&str, &Score)]) -> String {
    let headings: Vec<String> = measures.iter().map(Measure::heading).collect();
    let widths: Vec<usize> = headings.iter().map(|heading| (heading.chars().count() + 3).max(26)).collect();
    let mut text = format!("{:<22}", "");
    for (heading, width) in headings.iter().zip(&widths) {
        let _ = write!(text, "{heading:>width$}");
    }
    let _ = writeln!(text, "{:>10}", "episodes");
    for (name, score) in rows {
        let _ = write!(text, "{name:<22}");
        for (measure, width) in measures.iter().zip(&widths) {
            let _ = write!(text, "{:>width$}", cell(measure, score.measure(measure.name)));
        }
        let unusual = score.unusual_ends().map_or_else(String::new, |ends| format!("  ({ends})"));
        let _ = writeln!(text, "{:>10}{unusual}", score.episodes);
    }
    text
}

/// A mean with its interval, in the measure's own digits.
pub fn cell(measure: &Measure, estimate: Option<Estimate>) -> String {
    match estimate {
        None => "none".to_owned(),
        Some(Estimate { value, ci95: None }) => format!("{} [one]", measure.shown(value)),
        Some(Estimate { value, ci95: Some([low, high]) }) => {
            format!("{} [{}, {}]", measure.shown(value), measure.shown(low), measure.shown(high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{Better, MeasureKind, Outcome, TrialResult};

    #[test]
    fn nobody_is_told_zero_where_there_was_no_episode() {
        let measures = [
            Measure { name: "rate_hz", title: "rate", unit: "Hz", kind: MeasureKind::Mean, better: Better::Higher },
            Measure {
                name: "kept_fraction",
                title: "kept",
                unit: "",
                kind: MeasureKind::Fraction,
                better: Better::Higher,
            },
        ];
        let of = |outcome, rate| TrialResult { outcome, measures: vec![Some(rate), Some(1.0)], step_count: 1 };
        let (none, one) = (Score::of(&measures, []), Score::of(&measures, &[of(Outcome::TimeUp, 0.25)]));
        let table = score_table(&measures, &[("nothing", &none), ("something", &one)]);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["rate,", "Hz", "kept,", "%", "episodes"]);
        assert_eq!(lines[1], ["nothing", "none", "none", "0"]);
        assert_eq!(lines[2], ["something", "0.250", "[one]", "100.0", "[20.7,", "100.0]", "1"]);
    }
}
