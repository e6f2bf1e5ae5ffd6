//! `slip`: the object becomes slippery, as when it gets wet.

use super::{between, changed};
use crate::edit::Edit;
use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::TimedDisturbance;
use giraffe_robots::StreamRng;

pub(super) static SLIP: Scenario = Scenario {
    name: "slip",
    doc: "after 5 to 10 s the object's friction against tips, links and palm falls to one half, at once and for good",
    dose: DOSE,
    timeline,
};

/// The most leaves a fifth: with less, a row drawn low would be at the end of what the table allows.
const DOSE: DoseAxis = DoseAxis { quantity: "share of the friction that is lost", unit: "-", usual: 0.5, most: 0.8 };

/// With time before it to compare with, and time after it to find another grip.
const WHEN_SECS: [f32; 2] = [5.0, 10.0];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let secs = between(WHEN_SECS, rng);
    changed(outline, secs, &[("contact.friction", Edit::Times(1.0 - dose))], 0.0, rng)
}
