//! A replayed log in words.

use super::{Check, LogReplayReport};
use crate::run::table::score_table;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was compared, and the first difference of each channel.
pub fn text(report: &LogReplayReport) -> String {
    let LogReplayReport { log, mode, episodes, steps, .. } = report;
    let mut text = format!("{}: {mode}, {episodes} episodes, {steps} control steps\n", log.display());
    if report.reconnections > 0 {
        let _ = writeln!(text, "the hand was lost and reached again {} times", report.reconnections);
    }
    match &report.score {
        Some(score) => text += &score_table(report.measures, &[("as written down", score)]),
        None => text += "no score: no episode was whole and watched, or an older program wrote the log\n",
    }
    if let Some(cut) = &report.cut {
        let _ = writeln!(text, "the log was cut short ({cut}); what is here is everything up to its last whole chunk");
    }
    if report.dropped_records > 0 {
        let _ = writeln!(text, "{} records are missing: the writer could not keep up", report.dropped_records);
    }
    for (channel, what, check) in [
        ("/obs", "what the policy read", &report.observations),
        ("/action_raw", "what it said", &report.actions),
        ("/cmd", "what it sent", &report.targets),
    ] {
        channel_text(&mut text, channel, what, check);
    }
    let applied = &report.applied;
    counts(&mut text, "/applied", "what the envelope let through", applied.checked, applied.different);
    reasons(&mut text, &applied.unchecked);
    if applied.never_applied > 0 {
        let _ =
            writeln!(text, "  {} sent but never applied: superseded, not followed yet, or lost", applied.never_applied);
    }
    if let Some(first) = &applied.first {
        let place = first
            .joint
            .map_or_else(|| "mask of altered joints".to_owned(), |joint| format!("index {joint} ({})", first.name));
        let _ = writeln!(
            text,
            "  first: command {} in state {} (episode {}, tick {}), {place}: logged {}, computed {}",
            first.cmd_seq, first.state_seq, first.episode, first.tick, first.applied, first.expected
        );
    }
    let verdict = match (report.is_compared(), report.equal) {
        (false, _) => "NOTHING COMPARED: the log holds no control step whose answer is there, too",
        (true, true) => "equal, bit for bit",
        (true, false) => "DIFFERENT",
    };
    let _ = writeln!(text, "{verdict}");
    text
}

fn channel_text(text: &mut String, channel: &str, what: &str, check: &Check) {
    counts(text, channel, what, check.checked, check.different);
    reasons(text, &check.unchecked);
    if let Some(first) = &check.first {
        let _ = writeln!(
            text,
            "  first: episode {}, step {}, index {} ({}): logged {}, computed {}",
            first.episode, first.step, first.index, first.name, first.logged, first.replayed
        );
    }
}

fn counts(text: &mut String, channel: &str, what: &str, checked: u64, different: u64) {
    let verdict = match (checked, different) {
        (0, _) => "nothing to say".to_owned(),
        (_, 0) => "all equal".to_owned(),
        _ => format!("{different} DIFFERENT"),
    };
    let _ = writeln!(text, "{channel:<12} {what:<30} {checked:>7} compared, {verdict}");
}

fn reasons(text: &mut String, unchecked: &BTreeMap<String, u64>) {
    for (reason, count) in unchecked {
        let _ = writeln!(text, "  {count} not compared: {reason}");
    }
}
