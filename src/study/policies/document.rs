//! The report of a comparison of policies, for people.

use super::{GroupReport, PoliciesReport, TestSetReport, picture};
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
    let _ = writeln!(text, "\n![rotation rate by test set]({})", picture::FILE);
    text.push_str(
        "\nRate: net rotation divided by the full length of an episode, nothing counting after a drop, rad/s. The mean is \
         over the runs of a name and the worlds, its 95 % interval over worlds: it says how well these very policies do. \
         What another training seed would give is in the spread over runs.\n",
    );
    for set in &report.test_sets {
        let _ = writeln!(text, "\n## {}\n\n{}.\n", set.name, capitalized(&set.worlds));
        text.push_str(
            "| policy | mean rate [95 %] | median of runs [lowest, highest] | episodes with a drop [95 %] |\n",
        );
        text.push_str("| --- | --- | --- | --- |\n");
        for group in &set.groups {
            let _ = writeln!(text, "| {} | {} | {} | {} |", group.name, rate(group), spread(group), drops(group));
        }
    }
    text.push_str(&runs_section(report));
    text
}

fn runs_section(report: &PoliciesReport) -> String {
    let mut text = "\n## Every run\n\nMean rate, and episodes with a drop.\n\n| policy | run |".to_owned();
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
                let dropped = 100.0 * (1.0 - score.no_drop_fraction);
                let _ = write!(text, " {:.3}, {dropped:.1} % |", score.rotation_rate_rad_per_sec);
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
        let title = ("mean rate, rad/s [95 %]", "median of runs", "episodes with a drop");
        let _ = writeln!(text, "  {:<20}{:>26}{:>26}{:>26}", "", title.0, title.1, title.2);
        for group in groups {
            let _ = writeln!(text, "  {:<20}{:>26}{:>26}{:>26}", group.name, rate(group), spread(group), drops(group));
        }
    }
    text
}

fn rate(group: &GroupReport) -> String {
    match group.ci95[0].is_finite() {
        true => format!("{:.3} [{:.3}, {:.3}]", group.rotation_rate_rad_per_sec, group.ci95[0], group.ci95[1]),
        false => format!("{:.3} [one episode]", group.rotation_rate_rad_per_sec),
    }
}

fn spread(group: &GroupReport) -> String {
    match group.runs.len() {
        1 => "one run".to_owned(),
        _ => format!(
            "{:.3} [{:.3}, {:.3}]",
            group.median_rad_per_sec, group.lowest_rad_per_sec, group.highest_rad_per_sec
        ),
    }
}

fn drops(group: &GroupReport) -> String {
    let percent = |fraction: f64| 100.0 * fraction;
    let [low, high] = group.drop_ci95.map(percent);
    format!("{:.1} % [{low:.1}, {high:.1}]", percent(group.drop_fraction))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
