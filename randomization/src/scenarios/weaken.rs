//! `weaken`: the servos lose torque, as hot ones do whose current is brought down.

use super::{between, changed};
use crate::edit::Edit;
use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::TimedDisturbance;
use giraffe_robots::StreamRng;

pub(super) static WEAKEN: Scenario = Scenario {
    name: "weaken",
    doc: "after 5 to 10 s every servo loses half of its largest torque, over one second, and does not get it back",
    dose: DOSE,
    timeline,
};

/// The most leaves a fifth: with less, a row drawn low would be at the end of what the table allows.
const DOSE: DoseAxis =
    DoseAxis { quantity: "share of the torque limit that is lost", unit: "-", usual: 0.5, most: 0.8 };

/// With time before it to compare with, and time after it to find another grip.
const WHEN_SECS: [f32; 2] = [5.0, 10.0];
/// A motor warms up slowly; current limits are brought down in steps of less.
const OVER_SECS: f32 = 1.0;

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let secs = between(WHEN_SECS, rng);
    changed(outline, secs, &[("joint.torque_limit", Edit::Times(1.0 - dose))], OVER_SECS, rng)
}
