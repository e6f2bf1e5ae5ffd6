//! An episode in words and numbers.

use super::{LevelThen, ReplayReport, Step};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::Measure;
use std::fmt::Write as _;

/// Everything that was planned and what came of it, for people.
pub fn text(report: &ReplayReport) -> String {
    let ReplayReport { run, kind, seed, world, episode, scenario, .. } = report;
    let mut text = format!("{run}, {kind}, seed {seed}, world {world}, episode {episode}, scenario {scenario}\n");
    if let Some(ranges) = &report.ranges {
        let tested = ranges.tested.as_ref().map_or_else(
            || "no boundary is tested".to_owned(),
            |(group, side)| format!("the {} boundary of {group} is tested", format!("{side:?}").to_lowercase()),
        );
        let _ = writeln!(text, "ranges after {} moves; {tested}", ranges.move_count);
    }
    if let Some(LevelThen { scalar, level, value }) = &report.curriculum {
        let _ = writeln!(text, "level {level} of the curriculum: {scalar} = {value}");
    }
    let _ = writeln!(text, "\n{} parameters", report.parameters.len());
    for parameter in &report.parameters {
        let value = format!("{} {}", rounded(parameter.value), parameter.unit);
        let _ = writeln!(text, "  {:<32}{value:<22} nominal {}", parameter.name, rounded(parameter.nominal));
    }
    let _ = writeln!(text, "\n{} events", report.plan.disturbances.len());
    for timed in &report.plan.disturbances {
        let _ = writeln!(text, "  {:>7.2} s  {}", f64::from(timed.step) * report.period_secs, event(timed));
    }
    if let Some(outcome) = &report.outcome {
        text.push('\n');
        for (measure, (_, value)) in report.measures.iter().zip(&outcome.measures) {
            let value = value.map_or_else(|| "none".to_owned(), |value| measure.shown(value));
            let _ = writeln!(text, "{}: {value}", measure.heading());
        }
        let (ended, secs, steps) = (outcome.outcome.name(), outcome.secs, outcome.step_count);
        let _ = writeln!(text, "{ended} after {secs:.2} s, {steps} control steps");
    }
    text
}

/// As in the plan's JSON: its name and its numbers.
fn event(timed: &TimedDisturbance) -> String {
    if let Disturbance::Change(change) = &timed.disturbance {
        // All of a world's physics would be some seven thousand letters; `plan.json` has them.
        let count = change.sampled.len();
        return format!("change of {count} sampled values, over {} s", change.over_secs);
    }
    let value = serde_json::to_value(&timed.disturbance).unwrap_or_default();
    match &value {
        serde_json::Value::Object(one) => {
            one.iter().map(|(name, numbers)| format!("{name} {numbers}")).collect::<Vec<_>>().join(", ")
        }
        serde_json::Value::String(name) => name.clone(),
        other => other.to_string(),
    }
}

/// Five digits, no tail of zeros.
fn rounded(value: f32) -> String {
    let digits = format!("{value:.4e}");
    digits.parse::<f32>().map_or(digits, |value| (value + 0.0).to_string())
}

/// One line per control step. Rotations are quaternions, angles rad, lengths m in the palm frame.
/// Measures are those so far, goals those that were pursued.
pub fn csv(steps: &[Step], measures: &[Measure], joints: &[&str]) -> String {
    let mut text = "step,secs".to_owned();
    measures.iter().for_each(|measure| {
        let _ = write!(text, ",{}", measure.name);
    });
    text.push_str(",x_m,y_m,z_m,qx,qy,qz,qw");
    let goals = steps.first().map_or(&[][..], |step| &step.goals);
    for (signal, values) in goals {
        for element in 0..values.len() {
            let _ = write!(text, ",{}_{element}", signal.name());
        }
    }
    for (kind, joint) in ["target", "sensed"].iter().flat_map(|kind| joints.iter().map(move |joint| (kind, joint))) {
        let _ = write!(text, ",{kind}_{}_rad", joint.replace([',', '"'], "_"));
    }
    text.push('\n');
    for (index, step) in steps.iter().enumerate() {
        let _ = write!(text, "{},{:.6}", index + 1, step.secs);
        for measure in &step.measures {
            let _ = write!(text, ",{}", measure.map_or_else(String::new, |value| value.to_string()));
        }
        let pose = step.pose.position_m.iter().chain(step.pose.palm_from_object.coords.iter());
        let goals = step.goals.iter().flat_map(|(_, values)| values);
        for number in pose.chain(goals).chain(&step.targets_rad).chain(&step.sensed_rad) {
            let _ = write!(text, ",{number}");
        }
        text.push('\n');
    }
    text
}
