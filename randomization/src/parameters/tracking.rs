//! What a tracker makes of the object's pose. Nothing here touches a policy that does not read the pose.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, Change, FirstPreset, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "tracking.refresh",
        unit: "s",
        doc: "time between two poses of the object; zero for a new one at every control step",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.0, 0.1),
        source: "DeXtreme's automatic ranges: 1 to 6 control steps of 33 ms; MuJoCo Playground LEAP: a camera at 15 Hz",
        effect: raises(Observable::TrackedLag),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.refresh_secs)),
    },
    RandomizedParameter {
        name: "tracking.delay",
        unit: "s",
        doc: "time until the pose of a picture is known",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.3),
        usual: uniform(0.0, 0.1),
        source: "own choice: up to two control steps; robogym's group for vision: 3 steps of 80 ms; DeXtreme manual: one \
                 step of 33 ms with a chance of 0.3",
        effect: raises(Observable::TrackedLag),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.delay_secs)),
    },
    RandomizedParameter {
        name: "tracking.dropout",
        unit: "-",
        doc: "chance that the object is not found in a picture, so that the last pose stays",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.9),
        usual: uniform(0.0, 0.1),
        source: "own choice: fingers hide the object now and then; robogym: 0.02 per second, for 1 s each",
        effect: raises(Observable::TrackedLag),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.dropout)),
    },
    RandomizedParameter {
        name: "tracking.position_noise",
        unit: "m",
        doc: "error of the position along each axis: uniform in plus or minus this, new with every picture",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.05),
        usual: uniform(0.0, 0.005),
        source: "MuJoCo Playground LEAP: +-0.02 m; Dactyl 2018: a deviation of 1 mm",
        effect: raises(Observable::TrackedPlaceError),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.position_noise_m)),
    },
    RandomizedParameter {
        name: "tracking.rotation_noise",
        unit: "rad",
        doc: "error of the orientation: a rotation vector, each element uniform in plus or minus this, new with every \
              picture",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.0, 0.1),
        source: "Dactyl 2018 and MuJoCo Playground LEAP: a deviation of 0.1 rad",
        effect: raises(Observable::TrackedTurnError),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.rotation_noise_rad)),
    },
    RandomizedParameter {
        name: "tracking.position_bias",
        unit: "m",
        doc: "error of every position of the episode, in a direction that is always drawn from all of space",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.05),
        usual: uniform(0.0, 0.005),
        source: "Dactyl 2018: correlated noise with a deviation of 5 mm",
        effect: raises(Observable::TrackedPlaceError),
        preset: FirstPreset::Wide,
        apply: Apply::Direction(
            |world, change, along| world.tracking.position_bias_m = scaled(change, along),
            |world| world.tracking.position_bias_m,
        ),
    },
    RandomizedParameter {
        name: "tracking.rotation_bias",
        unit: "rad",
        doc: "turn of every orientation of the episode, about an axis that is always drawn from all of space",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.0, 0.1),
        source: "Dactyl 2018: correlated noise with a deviation of 0.1 rad",
        effect: raises(Observable::TrackedTurnError),
        preset: FirstPreset::Wide,
        apply: Apply::Direction(
            |world, change, along| world.tracking.rotation_bias_rad = scaled(change, along),
            |world| world.tracking.rotation_bias_rad,
        ),
    },
    RandomizedParameter {
        name: "tracking.injection",
        unit: "-",
        doc: "chance that something else is taken for the object in a picture: a position within 5 cm of the start along each \
              axis, in any orientation",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.9),
        usual: uniform(0.0, 0.3),
        source: "DeXtreme, random pose injection: 0 to 0.3, drawn per episode; MuJoCo Playground LEAP: 0.1",
        effect: raises(Observable::TrackedTurnError),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.tracking.injection)),
    },
];

fn scaled(change: Change<'_>, along: [f32; 3]) -> [f32; 3] {
    let mut size = 0.0;
    change.to(&mut size);
    along.map(|axis| size * axis)
}
