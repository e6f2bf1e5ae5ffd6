//! `tie`: two fingers are tied together, as OpenAI did with its Shadow hand (2019, section 7.3).

use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, FingerTie, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

pub(super) static TIE: Scenario = Scenario {
    name: "tie",
    doc: "for 8 s a rubber band pulls the tips of two neighbouring fingers together; the thumb is left out",
    dose: DOSE,
    timeline,
};

/// Usual is a strong band, wound around several times: it draws the tips of a LEAP hand at home from 45 to 33 mm, where the
/// servos hold against it, those of an Allegro hand from 47 to 26 mm and those of a Shadow hand from 22 to 18 mm. A single
/// household band has some 50.
const DOSE: DoseAxis = DoseAxis { quantity: "stiffness of the band", unit: "N/m", usual: 300.0, most: 1000.0 };

const DURATION_SECS: f32 = 8.0;
/// With time before it to compare with.
const FIRST_SECS: f32 = 3.0;
/// About as wide as the finger of a small hand, m: the band is loose when the tips touch.
const REST_LENGTH_M: f32 = 0.01;

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let tips = outline.scene.robot().fingertips.iter().enumerate();
    let fingers: Vec<usize> = tips.filter(|(_, tip)| !tip.name.contains("thumb")).map(|(index, _)| index).collect();
    let last_secs = outline.duration_secs() - DURATION_SECS;
    if fingers.len() < 2 || last_secs < FIRST_SECS {
        return Vec::new();
    }
    let first = rng.random_range(0..fingers.len() - 1);
    let secs = rng.random_range(FIRST_SECS..=last_secs);
    let tie = FingerTie {
        fingers: [fingers[first], fingers[first + 1]],
        rest_length_m: REST_LENGTH_M,
        stiffness_newton_per_m: dose,
        duration_secs: DURATION_SECS,
    };
    outline.at(secs, Disturbance::FingerTie(tie)).into_iter().collect()
}
