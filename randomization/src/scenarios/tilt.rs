//! `tilt`: the arm that carries the hand leans over and comes back.

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static TILT: Scenario = Scenario {
    name: "tilt",
    doc: "the palm tilts by 15 to 20 degrees about any horizontal axis for 2 to 4 s, then rests 2 to 3 s",
    dose: DOSE,
    timeline,
};

/// The most turns the palm upside down.
const DOSE: DoseAxis =
    DoseAxis { quantity: "largest tilt", unit: "rad", usual: TWENTY_DEGREES_RAD, most: std::f32::consts::PI };
const TWENTY_DEGREES_RAD: f32 = 0.349_066;
/// At the usual dose.
const TILT_DEGREES: [f32; 2] = [15.0, 20.0];
const DURATION_SECS: [f32; 2] = [2.0, 4.0];
const REST_SECS: [f32; 2] = [2.0, 3.0];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let mut tilts = Vec::new();
    let mut now = rng.random_range(REST_SECS[0]..=REST_SECS[1]);
    loop {
        let duration_secs = rng.random_range(DURATION_SECS[0]..=DURATION_SECS[1]);
        if now + duration_secs > outline.duration_secs() {
            return tilts;
        }
        let azimuth = rng.random_range(-std::f32::consts::PI..=std::f32::consts::PI);
        let radians = rng.random_range(TILT_DEGREES[0]..=TILT_DEGREES[1]).to_radians() * DOSE.share(dose);
        let axis = [azimuth.cos(), azimuth.sin(), 0.0];
        tilts.extend(outline.at(now, Disturbance::GravityTilt { radians, axis, duration_secs }));
        now += duration_secs + rng.random_range(REST_SECS[0]..=REST_SECS[1]);
    }
}
