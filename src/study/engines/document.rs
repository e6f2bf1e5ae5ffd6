//! The report of a comparison, for people.

use super::EnginesReport;
use super::coverage::{Comparison, Found, TOLERATED_DIFFERENCE, Verdict};
use super::episodes::STATISTICS;
use super::pictures::PICTURES;
use std::fmt::Write as _;

/// The report as Markdown.
pub fn markdown(report: &EnginesReport) -> String {
    let versions = &report.versions;
    let mut text = format!(
        "# {} with {}: rapier against MuJoCo\n\nMuJoCo {}, Python {}. rapier as training uses it: {} physics steps per \
         control step, {} solver iterations, {} sweeps.\n",
        report.robot,
        report.object,
        versions.mujoco,
        versions.python,
        report.training_physics.substep_count,
        report.training_physics.solver_iteration_count,
        report.training_physics.inner_iteration_count
    );
    if report.quick {
        text.push_str("\n**A try with a few short episodes (`--quick`): not to be quoted.**\n");
    }
    text.push_str(&summary(&report.comparisons));
    text.push_str(&joint_section(report));
    text.push_str(&rest_section(report));
    text.push_str(&slip_section(report));
    text.push_str(&squeeze_section(report));
    text.push_str(&episode_section(report));
    text
}

/// Where the engines differ and what covers it, one line each.
pub fn summary(rows: &[Comparison]) -> String {
    let mut text = "\n## Where they differ\n\n".to_owned();
    let within = rows.iter().filter(|row| matches!(row.verdict, Verdict::Agrees)).count();
    let _ = writeln!(
        text,
        "{within} of {} statistics of random episodes agree within {:.0} %. The others:\n",
        rows.len(),
        100.0 * TOLERATED_DIFFERENCE
    );
    for row in rows.iter().filter(|row| !matches!(row.verdict, Verdict::Agrees)) {
        let difference =
            row.difference.map_or_else(|| "MuJoCo has none".to_owned(), |d| format!("{:+.0} %", 100.0 * d));
        let _ = writeln!(text, "- {}, {}: {difference}; {}", row.variant, row.statistic, verdict(row));
    }
    text
}

fn verdict(row: &Comparison) -> String {
    let [low, high] = row.mujoco.bounds();
    let wanted = format!("[{low:.3}, {high:.3}]");
    match &row.verdict {
        Verdict::Agrees => "agrees".to_owned(),
        Verdict::WithinInterval => format!("{:.3} is inside MuJoCo's 95 % interval {wanted}", row.ours.value),
        Verdict::Covered(found) => format!("**covered** by {}", found_words(found, &wanted)),
        Verdict::NotConfirmed(found) => format!("**not confirmed**: {}", found_words(found, &wanted)),
        Verdict::NotCovered { parameter, value, statistic } => format!(
            "**not covered**: no parameter alone brings {:.3} into {wanted}; the nearest is `{parameter}` = {value:.3} \
             with {statistic:.3}",
            row.ours.value
        ),
    }
}

fn found_words(found: &Found, wanted: &str) -> String {
    let Found { parameter, value, statistic, held_out, held_out_wanted: [low, high] } = found;
    format!(
        "`{parameter}` = {value:.3}, found by search, gives {statistic:.3}, inside {wanted}; in other episodes {held_out:.3} for \
         [{low:.3}, {high:.3}]"
    )
}

fn joint_section(report: &EnginesReport) -> String {
    let response = &report.joint_response;
    let mut text = section(
        "Joint response",
        &format!(
            "The hand alone, nothing touches anything. Every joint jumps to a new target within 0.6 rad of home every \
             0.4 s, 160 control steps. Error: root mean square over joints and control steps against {}. The picture \
             shows `{}`.",
            response.reference, response.shown_joint
        ),
        &["", "rms, mrad", "worst joint, mrad"],
    );
    for row in &response.errors {
        let _ = writeln!(text, "| {} | {:.2} | {:.2} |", row.engine, 1e3 * row.rms_rad, 1e3 * row.worst_joint_rms_rad);
    }
    text + &pictures(&["joint_response.svg", "joint_error.svg"])
}

fn rest_section(report: &EnginesReport) -> String {
    let mut text = section(
        "Object at rest",
        "The hand holds its home, the object lies in it. After 5 s to settle: how far it moves and turns in 10 s, how \
         deep it lies in the hand, and what it weighs there.",
        &["", "creep, mm", "turn, mrad", "penetration, mm", "normal forces, N", "stayed"],
    );
    for row in &report.rest {
        let _ = writeln!(
            text,
            "| {} | {:.3} | {:.2} | {:.3} | {:.3} | {} |",
            row.engine,
            1e3 * row.creep_m,
            1e3 * row.turned_rad,
            1e3 * row.penetration_m,
            row.normal_force_newton,
            if row.stayed { "yes" } else { "**no**" }
        );
    }
    text + &pictures(&["rest.svg"])
}

fn slip_section(report: &EnginesReport) -> String {
    let mut text = section(
        "Slip on a slope",
        "A slab of 70 x 70 x 35 mm on a plate; gravity turns by one degree per second. The angle at which the slab \
         breaks loose (faster than 0.1 m/s, less the degree that getting there takes), and the angle at which it creeps \
         faster than 10 mm/s.",
        &["", "friction", "atan(friction), degrees", "slips at, degrees", "creeps at, degrees"],
    );
    for row in &report.slip {
        let at = |degrees: Option<f64>| degrees.map_or_else(|| "**nowhere**".to_owned(), |at| format!("{at:.2}"));
        let (slips, creeps) = (at(row.slip_degrees), at(row.creep_degrees));
        let _ =
            writeln!(text, "| {} | {} | {:.2} | {slips} | {creeps} |", row.engine, row.friction, row.theory_degrees);
    }
    text + &pictures(&["slip.svg"])
}

fn squeeze_section(report: &EnginesReport) -> String {
    let mut text = section(
        "Squeeze between two fingers",
        "A cube of 70 mm between two balls, each 0.1 m from its hinge, without gravity. Torque: the servo's law at the \
         angle where the finger stands.",
        &["", "torque, N m", "torque / lever, N", "contact force, N", "penetration, mm"],
    );
    for row in &report.squeeze {
        let _ = writeln!(
            text,
            "| {} | {:.4} | {:.3} | {:.3} | {:.3} |",
            row.engine,
            row.torque_newton_m,
            row.expected_newton,
            row.force_newton,
            1e3 * row.penetration_m
        );
    }
    text + &pictures(&["squeeze.svg"])
}

fn episode_section(report: &EnginesReport) -> String {
    let titles: Vec<String> = STATISTICS.iter().map(|(name, unit)| format!("{name}, {unit}")).collect();
    let count = report.episodes.first().map_or(0, |row| row.episodes);
    let columns: Vec<&str> = ["variant", ""].into_iter().chain(titles.iter().map(String::as_str)).collect();
    let mut text = section(
        "Random episodes",
        &format!(
            "{count} episodes of the task's length. New targets within 0.4 rad of home in every control step, the very \
             same starts, targets, pushes and tilts in both engines. Means up to the drop, if there is one, with 95 % \
             intervals over episodes.",
        ),
        &columns,
    );
    for row in &report.episodes {
        let _ = write!(text, "| {} | {} |", row.variant, row.engine);
        for (name, _) in STATISTICS {
            let (value, [lower, upper]) = (row.statistics[name].value, row.statistics[name].bounds());
            let _ = write!(text, " {value:.3} [{lower:.3}, {upper:.3}] |");
        }
        text.push('\n');
    }
    text
}

/// A title, a paragraph, and the head of a table.
fn section(title: &str, paragraph: &str, columns: &[&str]) -> String {
    let rule: Vec<&str> = columns.iter().map(|_| "---").collect();
    format!("\n## {title}\n\n{paragraph}\n\n| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "))
}

fn pictures(names: &[&str]) -> String {
    let shown = PICTURES.iter().filter(|(name, _)| names.contains(name));
    shown.map(|(name, title)| format!("\n![{title}]({name})\n")).collect()
}
