//! What happens between a command and the servo.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, JointDraw, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "actuation.delay",
        unit: "s",
        doc: "time from a command to its arrival at the servos",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.2),
        usual: uniform(0.0, 0.075),
        source: "in-hand-rotation-mjlab: 0.5 to 1.5 control steps of 50 ms; Dactyl 2018: one step of 80 ms, or none",
        effect: raises(Observable::StepLag),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.actuation.delay_secs)),
    },
    RandomizedParameter {
        name: "actuation.jitter",
        unit: "s",
        doc: "each command is later than actuation.delay by a time of its own, uniform from zero to this",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.1),
        usual: uniform(0.0, 0.01),
        source: "own choice: a loop on a desktop computer; robogym draws up to one step of 80 ms per actuator",
        effect: raises(Observable::FollowingError),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.actuation.jitter_secs)),
    },
    RandomizedParameter {
        name: "actuation.noise",
        unit: "rad",
        doc: "how far each joint misses each command: uniform in plus or minus this, new at every control step",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.0, 0.005),
        source: "own choice: three steps of a 12-bit encoder; Dactyl 2018: 5 % of the range of actions, DeXtreme manual \
                 0.05, which here would be most of the largest increment",
        effect: raises(Observable::Tremble),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.actuation.noise_rad)),
    },
    RandomizedParameter {
        name: "actuation.bias",
        unit: "rad",
        doc: "how far each joint misses every command of the episode, each joint for itself, unseen by the encoders",
        meaning: Meaning::Add,
        nominal: 0.0,
        bounds: between(-0.3, 0.3),
        usual: uniform(-0.01, 0.01),
        source: "Dactyl 2018: 1.5 % of the range of actions; DeXtreme manual: 0.02",
        effect: raises(Observable::TrueAngle),
        preset: FirstPreset::Wide,
        apply: Apply::Joint(|joint, change| change.to(&mut joint.target_bias_rad), JointDraw::Independent),
    },
    RandomizedParameter {
        name: "actuation.gain_noise",
        unit: "-",
        doc: "how far each joint misses each command, as a share of the way from the command before: uniform in plus or minus \
              this, new at every control step",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 1.0),
        usual: uniform(0.0, 0.05),
        source: "robogym: a deviation of 3 %; Dactyl 2018: 1.5 %",
        effect: raises(Observable::JumpSpread),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.actuation.gain_noise)),
    },
    RandomizedParameter {
        name: "actuation.dropout",
        unit: "-",
        doc: "chance that a command is lost behind the controller, for all joints at once, so that the one before stays in \
              force while the new one is reported",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.9),
        usual: uniform(0.0, 0.02),
        source: "own choice: as sensing.position_dropout, on the same bus; no published range",
        effect: raises(Observable::FollowingError),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.actuation.dropout)),
    },
];
