//! `blackout`: the sensors go silent, again and again.

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static BLACKOUT: Scenario =
    Scenario { name: "blackout", doc: "every 2 to 4 s the joint angles freeze for 0.3 to 0.5 s", dose: DOSE, timeline };

/// The most lasts as long as the shortest time from one to the next.
const DOSE: DoseAxis = DoseAxis { quantity: "longest freeze", unit: "s", usual: DURATION_SECS[1], most: GAP_SECS[0] };
/// At the usual dose.
const DURATION_SECS: [f32; 2] = [0.3, 0.5];
const FIRST_SECS: f32 = 1.0;
const GAP_SECS: [f32; 2] = [2.0, 4.0];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let times = outline.times(FIRST_SECS, GAP_SECS, DURATION_SECS[1], rng);
    let blackout = |secs| {
        let duration_secs = rng.random_range(DURATION_SECS[0]..=DURATION_SECS[1]) * DOSE.share(dose);
        outline.at(secs, Disturbance::SignalLoss { duration_secs })
    };
    times.into_iter().filter_map(blackout).collect()
}
