//! What every joint was told, did and was at, over time.

use crate::study::chart::{Line, LineChart, picture};
use anyhow::{Context, Result};
use giraffe_bridge::log::{Logged, LoggedDeployment};
use std::path::{Path, PathBuf};

const WIDTH: u32 = 1200;
const ROW_HEIGHT: u32 = 190;
const COLUMNS: usize = 2;
const NS: f64 = 1e-9;

/// Curves of one joint.
#[derive(Default)]
struct Curves {
    sent: Vec<(f64, f64)>,
    applied: Vec<(f64, f64)>,
    measured: Vec<(f64, f64)>,
}

/// Draws `joints.svg`: one chart per joint, in the order of the wire.
///
/// # Errors
/// When it cannot be written.
pub(super) fn draw(log: &LoggedDeployment, joints: &[String], out: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    let path = out.join("joints.svg");
    let curves = curves(log, joints.len());
    let rows = joints.len().div_ceil(COLUMNS).max(1);
    picture(&path, (WIDTH, ROW_HEIGHT * rows as u32), |area| {
        for ((index, part), curves) in area.split_evenly((rows, COLUMNS)).iter().enumerate().zip(curves) {
            let named = |name: &str, color, points| {
                // One legend is enough.
                let name = (index == 0).then(|| name.to_owned());
                Line { name, color, pale: false, points }
            };
            let lines = vec![
                named("target sent", 4, curves.sent),
                named("target applied", 1, curves.applied),
                named("measured", 0, curves.measured),
            ];
            let y = format!("{}, rad", joints[index]);
            LineChart { x: "time, s", y: &y, holds: &[], lines }.draw(part)?;
        }
        Ok(())
    })?;
    Ok(vec![path])
}

fn curves(log: &LoggedDeployment, joint_count: usize) -> Vec<Curves> {
    let mut curves: Vec<Curves> = std::iter::repeat_with(Curves::default).take(joint_count).collect();
    let start_ns = log.entries.first().map_or(0, |entry| entry.log_time_ns);
    for entry in &log.entries {
        let secs = entry.log_time_ns.saturating_sub(start_ns) as f64 * NS;
        match &entry.logged {
            Logged::Command { message, .. } => {
                for (curves, q) in curves.iter_mut().zip(&message.body.q) {
                    curves.sent.push((secs, f64::from(*q)));
                }
            }
            Logged::State(state) => {
                let numbers = state.body.q_target.iter().zip(&state.body.q);
                for (curves, (target, q)) in curves.iter_mut().zip(numbers) {
                    curves.applied.push((secs, f64::from(*target)));
                    curves.measured.push((secs, f64::from(*q)));
                }
            }
            _ => {}
        }
    }
    curves
}
