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
    RandomizedParameter {
        name: "object.inertia",
        unit: "x",
        doc: "inertia of the object, its mass apart: above 1 for mass near the surface, as of a box that is hollow, 5/3 for \
              a thin-walled cube; below 1 for mass near the centre",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.1, 3.0),
        usual: uniform(0.5, 1.5),
        source: "robogym: x0.5 to 1.5; MuJoCo Playground LEAP: x0.8 to 1.2",
        effect: lowers(Observable::Overbalance),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.object.inertia_scale)),
    },
    RandomizedParameter {
        name: "object.stretch",
        unit: "x",
        doc: "length of the object along its z axis; what lies across shrinks by the square root, so that the volume \
              stays: both sides of a box, the radius of a cylinder, a prism or a capsule (whose ends stay round); a sphere \
              stays as it is",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.5, 2.0),
        usual: uniform(0.95, 1.05),
        source: "own choice: as object.size; no published range, but HORA trains on cylinders of several proportions",
        effect: raises(Observable::RestHeight),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.object.stretch)),
    },
];
