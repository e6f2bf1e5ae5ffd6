//! An episode as curves over time: the task's headline so far, how high the object lies, and every joint.

use super::{ReplayOutcome, ReplayReport};
use crate::study::chart::{Line, LineChart, picture};
use anyhow::Result;
use giraffe_robots::Measure;
use std::path::Path;

const MILLIMETERS: f64 = 1e3;
const SIZE: (u32, u32) = (900, 900);

/// Three charts above one another. Pale vertical lines are the plan's events.
///
/// # Errors
/// When it cannot be written.
pub fn draw(report: &ReplayReport, outcome: &ReplayOutcome, path: &Path) -> Result<()> {
    let curve = |value: &dyn Fn(&super::Step) -> f64| -> Vec<(f64, f64)> {
        outcome.steps.iter().map(|step| (step.secs, value(step))).collect()
    };
    let line = |color: usize, points| Line { name: None, color, pale: false, points };
    let headline = report.measures.first();
    let so_far = outcome.steps.iter().filter_map(|step| {
        let value = step.measures.first().copied().flatten()?;
        Some((step.secs, headline.map_or(1.0, Measure::shown_scale) * value))
    });
    let so_far: Vec<(f64, f64)> = so_far.collect();
    let heading = headline.map_or_else(String::new, |measure| format!("so far: {}", measure.heading()));
    let height = curve(&|step| MILLIMETERS * f64::from(step.pose.position_m.z));
    let joint_count = outcome.steps.first().map_or(0, |step| step.sensed_rad.len());
    let joints = (0..joint_count).map(|joint| line(joint, curve(&|step| f64::from(step.sensed_rad[joint]))));
    let charts = [
        (heading.as_str(), vec![line(0, so_far)]),
        ("height above the palm's origin, mm", vec![line(1, height)]),
        ("joint angles as sensed, rad", joints.collect()),
    ];
    picture(path, SIZE, |area| {
        for (part, (y, curves)) in area.split_evenly((charts.len(), 1)).iter().zip(charts) {
            let mut lines = events(report, outcome, &curves);
            lines.extend(curves);
            LineChart { x: "time, s", y, holds: &[], lines }.draw(part)?;
        }
        Ok(())
    })
}

/// A line from the lowest to the highest point of a chart at every event that was lived through.
fn events(report: &ReplayReport, outcome: &ReplayOutcome, curves: &[Line]) -> Vec<Line> {
    const GREY: usize = 6;
    let values = || curves.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let times = report.plan.disturbances.iter().map(|timed| f64::from(timed.step) * report.period_secs);
    let lived = times.filter(|secs| *secs <= outcome.secs);
    lived.map(|secs| Line { name: None, color: GREY, pale: true, points: vec![(secs, low), (secs, high)] }).collect()
}
