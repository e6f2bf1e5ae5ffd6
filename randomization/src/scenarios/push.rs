//! `push`: somebody flicks the object, again and again.

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use nalgebra::Vector3;
use rand::RngExt;

pub(super) static PUSH: Scenario =
    Scenario { name: "push", doc: "every 2 to 4 s a push on the object, from any side", dose: DOSE, timeline };

/// The most throws an object that nobody holds v^2 / (2 g) = 100 mm upwards: so far away an episode is lost.
const DOSE: DoseAxis =
    DoseAxis { quantity: "largest impulse per nominal mass", unit: "m/s", usual: SPEED_CHANGE_M_PER_SEC[1], most: 1.4 };

/// Change of the object's speed by one push, m/s, at nominal mass and the usual dose: for the 0.108 kg cube 0.011 to
/// 0.038 N s. On a surface of friction 0.3 such a push slides an unheld object v^2 / (2 * 0.3 * g) = 2 to 21 mm, and
/// upwards lifts it 0.5 to 6 mm; an episode is lost at 100 mm. So one push is felt and can be caught.
const SPEED_CHANGE_M_PER_SEC: [f32; 2] = [0.10, 0.35];
/// Time to take hold before the first push, s.
const FIRST_SECS: f32 = 2.0;
const GAP_SECS: [f32; 2] = [2.0, 4.0];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let mass_kg = outline.scene.object().mass_kg;
    let times = outline.times(FIRST_SECS, GAP_SECS, 0.0, rng);
    let push = |secs| {
        let speed = rng.random_range(SPEED_CHANGE_M_PER_SEC[0]..=SPEED_CHANGE_M_PER_SEC[1]) * DOSE.share(dose);
        let newton_secs = (mass_kg * speed * direction(rng)).into();
        outline.at(secs, Disturbance::ObjectImpulse { newton_secs })
    };
    times.into_iter().filter_map(push).collect()
}

/// A direction, all equally likely (Archimedes: the height on a sphere is uniform).
fn direction(rng: &mut StreamRng) -> Vector3<f32> {
    let height: f32 = rng.random_range(-1.0..=1.0);
    let azimuth = rng.random_range(-std::f32::consts::PI..=std::f32::consts::PI);
    let radius = (1.0 - height * height).sqrt();
    Vector3::new(radius * azimuth.cos(), radius * azimuth.sin(), height)
}
