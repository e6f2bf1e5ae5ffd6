//! `jam`: a servo stops listening for a while.

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static JAM: Scenario =
    Scenario { name: "jam", doc: "one joint, any, holds still for 5 s and ignores its target", dose: DOSE, timeline };

/// A jam that would last longer than the episode lasts to its end.
const DOSE: DoseAxis = DoseAxis { quantity: "duration of the jam", unit: "s", usual: 5.0, most: 20.0 };
/// The jam begins no sooner than this, s, so that there is a before to compare with.
const FIRST_SECS: f32 = 3.0;

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let joint_count = outline.scene.robot().joint_count();
    let last_secs = outline.duration_secs() - DOSE.usual;
    if joint_count == 0 || last_secs < FIRST_SECS {
        return Vec::new();
    }
    let secs = rng.random_range(FIRST_SECS..=last_secs);
    let joint = rng.random_range(0..joint_count);
    outline.at(secs, Disturbance::JointJam { joint, duration_secs: dose }).into_iter().collect()
}
