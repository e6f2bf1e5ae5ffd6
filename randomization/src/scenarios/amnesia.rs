//! `amnesia`: the policy forgets all it had found out about this world.

use crate::scenario::Scenario;
use giraffe_physics::Disturbance;

pub(super) static AMNESIA: Scenario = Scenario {
    name: "amnesia",
    doc: "after 10 s the policy's recurrent state is wiped; how fast it recovers says how fast it adapts",
    timeline: |outline, _| outline.at(WIPE_SECS, Disturbance::HiddenStateReset).into_iter().collect(),
};

const WIPE_SECS: f32 = 10.0;
