//! The report of a comparison of policies, for people.

use super::{GroupMeasure, GroupReport, PoliciesReport, TestSetReport, picture};
use crate::run::table::cell;
use giraffe_robots::Measure;
use std::fmt::Write as _;

/// The report as Markdown.
pub fn markdown(report: &PoliciesReport) -> String {
    let run_count: usize = report.test_sets.first().map_or(0, |set| set.groups.iter().map(|g| g.runs.len()).sum());
    let mut text = format!(
        "# {run_count} policies on the same worlds: {} with {}, {}\n\nSeed {} of worlds that no training saw, {} episodes of \
         {} s for each policy on each test set, commit `{}`{}{}.\n",
        report.robot,
        report.object,
        report.task,
        report.seed,
        report.episodes,
        (1e3 * report.episode_secs).round() * 1e-3,
        report.commit,
        if report.memoryless { ", recurrent state wiped before every step" } else { "" },
        match report.settings.is_empty() {
            true => String::new(),
            false => format!(", with `{}`", report.settings.join("` `")),
        }
    );
    let headline = report.measures.first().map_or("", |measure| measure.title);
    let _ = writeln!(text, "\n![{headline} by test set]({})", picture::FILE);
    text.push_str(
        "\nMeans are over the runs of a name and the worlds, their 95 % intervals over worlds: they say how well these very \
         policies do. What another training seed would give is in the spread over runs.\n",
    );
    for set in &report.test_sets {
        let _ = writeln!(text, "\n## {}\n\n{}.\n", set.name, capitalized(&set.worlds));
        let _ = writeln!(text, "| policy | {} |", headings(report.measures).join(" | "));
        let _ = writeln!(text, "| --- |{}", " --- |".repeat(report.measures.len() + 1));
        for group in &set.groups {
            let _ = writeln!(text, "| {} | {} |", group.name, cells(report.measures, group).join(" | "));
        }
    }
    text.push_str(&runs_section(report));
    text
}

fn runs_section(report: &PoliciesReport) -> String {
    let titles: Vec<String> = report.measures.iter().map(Measure::heading).collect();
    let mut text = format!("\n## Every run\n\nMeans: {}.\n\n| policy | run |", titles.join("; "));
    for set in &report.test_sets {
        let _ = write!(text, " {} |", set.name);
    }
    let _ = writeln!(text, "\n| --- | --- |{}", " --- |".repeat(report.test_sets.len()));
    let groups = report.test_sets.first().map_or(&[][..], |set| &set.groups);
    for (which, group) in groups.iter().enumerate() {
        for (index, run) in group.runs.iter().enumerate() {
            let _ = write!(text, "| {} | `{}` |", group.name, run.run);
            for set in &report.test_sets {
                let score = &set.groups[which].runs[index].score;
                let mean = |measure: &Measure| {
                    let mean = score.measure(measure.name);
                    mean.map_or_else(|| "none".to_owned(), |mean| measure.shown(mean.value))
                };
                let means: Vec<String> = report.measures.iter().map(mean).collect();
                let _ = write!(text, " {} |", means.join("; "));
            }
            text.push('\n');
        }
    }
    text
}

/// The same numbers for a terminal.
pub fn table(report: &PoliciesReport) -> String {
    let mut text = String::new();
    for TestSetReport { name, worlds, groups } in &report.test_sets {
        let _ = writeln!(text, "{name}: {worlds}");
        let headings = headings(report.measures);
        let widths: Vec<usize> = headings.iter().map(|heading| (heading.chars().count() + 3).max(26)).collect();
        let line = |cells: &[String]| -> String {
            cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}")).collect()
        };
        let _ = writeln!(text, "  {:<20}{}", "", line(&headings));
        for group in groups {
            let _ = writeln!(text, "  {:<20}{}", group.name, line(&cells(report.measures, group)));
        }
    }
    text
}

/// The headline with its interval, how it spreads over runs, then every other measure.
fn headings(measures: &[Measure]) -> Vec<String> {
    let Some((headline, others)) = measures.split_first() else { return Vec::new() };
    let with_interval = |measure: &Measure| format!("{} [95 %]", measure.heading());
    let first = [with_interval(headline), "median of runs [lowest, highest]".to_owned()];
    first.into_iter().chain(others.iter().map(with_interval)).collect()
}

fn cells(measures: &[Measure], group: &GroupReport) -> Vec<String> {
    let mut pairs = measures.iter().zip(&group.measures);
    let Some((headline, of_group)) = pairs.next() else { return Vec::new() };
    let first = [cell(headline, of_group.estimate), spread(headline, of_group, group.runs.len())];
    first.into_iter().chain(pairs.map(|(measure, of_group)| cell(measure, of_group.estimate))).collect()
}

fn spread(measure: &Measure, of_group: &GroupMeasure, run_count: usize) -> String {
    match (run_count, of_group.median, of_group.lowest, of_group.highest) {
        (1, ..) => "one run".to_owned(),
        (_, Some(median), Some(lowest), Some(highest)) => {
            format!("{} [{}, {}]", measure.shown(median), measure.shown(lowest), measure.shown(highest))
        }
        _ => "none".to_owned(),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
