//! `amnesia`: the policy forgets all it had found out about this world.

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static AMNESIA: Scenario = Scenario {
    name: "amnesia",
    doc: "after 10 s the policy's recurrent state is wiped; how fast it recovers says how fast it adapts",
    dose: DOSE,
    timeline,
};

/// A part of a wipe is a chance of one.
const DOSE: DoseAxis =
    DoseAxis { quantity: "mean number of wipes", unit: "-", usual: 1.0, most: WIPE_SECS.len() as f32 };

/// The first wipe, the second, ...: each in the middle of the longest time that those before leave of 20 s.
const WIPE_SECS: [f32; 7] = [10.0, 15.0, 5.0, 17.5, 12.5, 7.5, 2.5];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    // In double precision the sum is exact, so that a whole number is never rounded up to the next.
    let count = (f64::from(dose) + f64::from(rng.random::<f32>())).floor() as usize;
    WIPE_SECS.iter().take(count).filter_map(|secs| outline.at(*secs, Disturbance::HiddenStateReset)).collect()
}
