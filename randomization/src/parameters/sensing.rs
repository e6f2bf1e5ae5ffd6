//! What sensors do to the truth.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, JointDraw, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "sensing.position_noise",
        unit: "rad",
        doc: "encoder noise: uniform in plus or minus this, new at every control step",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.03, 0.04),
        source: "own choice, between MuJoCo Playground LEAP's +-0.05 and HORA's 0.02 (in-hand-rotation-mjlab: +-0.01): at \
                 least the 0.03 with which the prototype of this task learned",
        effect: raises(Observable::SensedErrorAtRest),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.sensing.position_noise_rad)),
    },
    RandomizedParameter {
        name: "sensing.position_resolution",
        unit: "rad",
        doc: "smallest step of the encoders; zero for none",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.2),
        usual: uniform(0.0, 0.003),
        source: "Dynamixel XC330 and XL330: 4096 steps a turn, 0.0015 rad",
        effect: raises(Observable::SensedErrorAtRest),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.sensing.position_resolution_rad)),
    },
    RandomizedParameter {
        name: "sensing.position_delay",
        unit: "s",
        doc: "age of the joint angles when they are read",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.2),
        usual: uniform(0.0, 0.025),
        source: "in-hand-rotation-mjlab: 0 to 1 control step of 50 ms; users of a LEAP hand read it at 30 to 60 Hz",
        effect: raises(Observable::SensedErrorInMotion),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.sensing.position_delay_secs)),
    },
    RandomizedParameter {
        name: "sensing.position_bias",
        unit: "rad",
        doc: "error of each encoder that stays for the episode, each joint for itself, in what is sensed only \
              (joint.zero_offset shifts targets too)",
        meaning: Meaning::Add,
        nominal: 0.0,
        bounds: between(-0.3, 0.3),
        usual: uniform(-0.01, 0.01),
        source: "DeXtreme manual: correlated noise of 0.01; robogym: 0.1 on hand angles",
        effect: raises(Observable::SensedOffset),
        preset: FirstPreset::Wide,
        apply: Apply::Joint(|joint, change| change.to(&mut joint.position_bias_rad), JointDraw::Independent),
    },
    RandomizedParameter {
        name: "sensing.position_dropout",
        unit: "-",
        doc: "chance that a joint's reading is lost in a control step, and the last one repeated",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.9),
        usual: uniform(0.0, 0.02),
        source: "own choice: a read in fifty that fails on a busy bus; no published range for joints",
        effect: raises(Observable::SensedErrorInMotion),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.sensing.position_dropout)),
    },
];
