//! How the object's surface meets the hand's.

use super::{between, log_uniform, lowers, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, Meaning, RandomizedParameter};

const REGION_SOURCE: &str = "Dactyl 2018 table 1: x0.7 to 1.3 for all; here it is what is left between regions \
                             after contact.friction";

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "contact.friction",
        unit: "x",
        doc: "sliding friction of the object against every region of the hand alike",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.1, 4.0),
        usual: uniform(0.5, 1.5),
        source: "Dactyl 2018 table 1: x0.7 to 1.3; in-hand-rotation-mjlab: 0.6 to 1.4; DeXtreme manual: x0.2 to 1.2",
        effect: lowers(Observable::SlipOnPalm),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| {
            change.to(&mut world.contact.tip_friction);
            change.to(&mut world.contact.link_friction);
            change.to(&mut world.contact.palm_friction);
        }),
    },
    RandomizedParameter {
        name: "contact.tip_friction",
        unit: "x",
        doc: "sliding friction of the object against the fingertips, on top of contact.friction",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.5, 2.0),
        usual: uniform(0.8, 1.25),
        source: REGION_SOURCE,
        effect: lowers(Observable::SlipOnTips),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.tip_friction)),
    },
    RandomizedParameter {
        name: "contact.link_friction",
        unit: "x",
        doc: "sliding friction of the object against the finger links, on top of contact.friction",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.5, 2.0),
        usual: uniform(0.8, 1.25),
        source: REGION_SOURCE,
        effect: lowers(Observable::SlipOnLinks),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.link_friction)),
    },
    RandomizedParameter {
        name: "contact.palm_friction",
        unit: "x",
        doc: "sliding friction of the object against the palm, on top of contact.friction",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.5, 2.0),
        usual: uniform(0.8, 1.25),
        source: REGION_SOURCE,
        effect: lowers(Observable::SlipOnPalm),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.palm_friction)),
    },
    RandomizedParameter {
        name: "contact.restitution",
        unit: "-",
        doc: "restitution between object and hand: 0 stays, 1 rebounds at full speed",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 1.0),
        usual: uniform(0.0, 0.3),
        source: "DeXtreme manual: 0 to 0.4",
        effect: raises(Observable::Rebound),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.restitution)),
    },
    RandomizedParameter {
        name: "contact.frequency",
        unit: "Hz",
        doc: "natural frequency of the contact spring: low is a soft surface",
        meaning: Meaning::Replace,
        nominal: 30.0,
        bounds: between(10.0, 200.0),
        usual: log_uniform(15.0, 60.0),
        source: "own choice: half and twice the engine's default; no published range, engines differ more than this",
        effect: lowers(Observable::Dent),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.frequency_hz)),
    },
    RandomizedParameter {
        name: "contact.damping_ratio",
        unit: "-",
        doc: "damping ratio of the contact spring: high is slow to give and slow to come back",
        meaning: Meaning::Replace,
        nominal: 5.0,
        bounds: between(0.5, 20.0),
        usual: log_uniform(2.5, 10.0),
        source: "own choice: half and twice the nominal one; no published range, engines differ more than this",
        effect: raises(Observable::Dent),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.contact.damping_ratio)),
    },
];
