//! `resample`: in the middle of an episode hand and object behave like others.

use super::{between, changed};
use crate::edit::Edit;
use crate::outline::EpisodeOutline;
use crate::parameters::PARAMETERS;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::TimedDisturbance;
use giraffe_robots::StreamRng;

pub(super) static RESAMPLE: Scenario = Scenario {
    name: "resample",
    doc: "after 5 to 10 s everything about object, contact, links, joints and servos is drawn anew from its usual range, at once",
    dose: DOSE,
    timeline,
};

const DOSE: DoseAxis = DoseAxis { quantity: "way from the old values to the new", unit: "-", usual: 1.0, most: 1.0 };

/// With time before it to get to know the first world, and time after it to get to know the second.
const WHEN_SECS: [f32; 2] = [5.0, 10.0];
/// What a policy has to find out about a world. Sensors, the way of commands and what nobody explains stay as they are.
const DYNAMICS: [&str; 4] = ["object.", "contact.", "hand.", "joint."];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let secs = between(WHEN_SECS, rng);
    let rows = PARAMETERS.iter().filter(|row| DYNAMICS.iter().any(|group| row.name.starts_with(group)));
    let edits: Vec<_> = rows.map(|row| (row.name, Edit::Anew { share: dose })).collect();
    changed(outline, secs, &edits, 0.0, rng)
}
