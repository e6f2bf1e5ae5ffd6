//! `jam`: a servo stops listening for a while.

use crate::scenario::{EpisodeOutline, Scenario};
use giraffe_physics::{Disturbance, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static JAM: Scenario =
    Scenario { name: "jam", doc: "one joint, any, holds still for 5 s and ignores its target", timeline };

const DURATION_SECS: f32 = 5.0;
/// The jam begins no sooner than this, s, so that there is a before to compare with.
const FIRST_SECS: f32 = 3.0;

fn timeline(outline: &EpisodeOutline<'_>, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let joint_count = outline.scene.robot().joint_count();
    let last_secs = outline.duration_secs() - DURATION_SECS;
    if joint_count == 0 || last_secs < FIRST_SECS {
        return Vec::new();
    }
    let secs = rng.random_range(FIRST_SECS..=last_secs);
    let joint = rng.random_range(0..joint_count);
    outline.at(secs, Disturbance::JointJam { joint, duration_secs: DURATION_SECS }).into_iter().collect()
}
