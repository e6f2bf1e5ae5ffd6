//! `lossy-link`: commands get lost on their way to the hand, as over a bad radio link.

use super::{between, changed};
use crate::edit::Edit;
use crate::outline::EpisodeOutline;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::TimedDisturbance;
use giraffe_robots::StreamRng;

pub(super) static LOSSY_LINK: Scenario = Scenario {
    name: "lossy-link",
    doc: "after 2 to 4 s the link to the hand loses a fifth of the commands more than before, to the end; the hand goes on \
          towards what it was told last, and says so",
    dose: DOSE,
    timeline,
};

/// The most leaves a tenth of them where the link loses some already: that is where the table ends.
const DOSE: DoseAxis =
    DoseAxis { quantity: "share of the commands that is lost more", unit: "-", usual: 0.2, most: 0.8 };

/// With time before it to compare with.
const WHEN_SECS: [f32; 2] = [2.0, 4.0];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let secs = between(WHEN_SECS, rng);
    changed(outline, secs, &[("link.dropout", Edit::Plus(dose))], 0.0, rng)
}
