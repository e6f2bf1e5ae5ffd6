//! The object in the hand.

use super::{between, lowers, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, Meaning, RandomizedParameter};

const COM_SOURCE: &str = "MuJoCo Playground LEAP domain_randomize: +-5 mm; HORA, UniLab: +-10 mm";

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "object.mass",
        unit: "x",
        doc: "mass of the object; its inertia follows, for an even density",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.1, 10.0),
        usual: uniform(0.5, 1.5),
        source: "Dactyl 2018 table 1 and Isaac Lab Shadow: x0.5 to 1.5",
        effect: lowers(Observable::KickSpeed),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.object.mass_kg)),
    },
    RandomizedParameter {
        name: "object.size",
        unit: "x",
        doc: "size of the object in every direction; its mass stays",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.5, 2.0),
        usual: uniform(0.95, 1.05),
        source: "Dactyl 2018 table 1, robogym, DeXtreme: x0.95 to 1.05",
        effect: raises(Observable::RestHeight),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.object.size_scale)),
    },
    RandomizedParameter {
        name: "object.center_of_mass_x",
        unit: "m",
        doc: "centre of mass along the object's x axis",
        meaning: Meaning::Add,
        nominal: 0.0,
        bounds: between(-0.03, 0.03),
        usual: uniform(-0.005, 0.005),
        source: COM_SOURCE,
        effect: raises(Observable::TurnAboutY),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.object.center_of_mass_m[0])),
    },
    RandomizedParameter {
        name: "object.center_of_mass_y",
        unit: "m",
        doc: "centre of mass along the object's y axis",
        meaning: Meaning::Add,
        nominal: 0.0,
        bounds: between(-0.03, 0.03),
        usual: uniform(-0.005, 0.005),
        source: COM_SOURCE,
        effect: lowers(Observable::TurnAboutX),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.object.center_of_mass_m[1])),
    },
    RandomizedParameter {
        name: "object.center_of_mass_z",
        unit: "m",
        doc: "centre of mass along the object's z axis",
        meaning: Meaning::Add,
        nominal: 0.0,
        bounds: between(-0.03, 0.03),
        usual: uniform(-0.005, 0.005),
        source: COM_SOURCE,
        effect: raises(Observable::LeanOnSlope),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| change.to(&mut world.object.center_of_mass_m[2])),
    },
];
