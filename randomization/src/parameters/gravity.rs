//! Gravity as the palm feels it. The palm frame is fixed, so a tilted palm is a tilted gravity.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, Change, FirstPreset, Meaning, RandomizedParameter};
use giraffe_physics::WorldParameters;
use nalgebra::{Rotation3, UnitVector3, Vector3};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "gravity.tilt",
        unit: "rad",
        doc: "angle between the palm's vertical and gravity; towards which side is always drawn from the full circle. \
              The critic reads gravity itself, so this column only says how far",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, std::f32::consts::PI),
        usual: uniform(0.0, TEN_DEGREES_RAD),
        source: "own choice: a hand mounted by eye on a bench; UniLab Sharpa draws any direction",
        effect: raises(Observable::SlipOnPalm),
        preset: FirstPreset::Wide,
        apply: Apply::Horizontal(tilt, lean),
    },
    RandomizedParameter {
        name: "gravity.magnitude",
        unit: "x",
        doc: "strength of gravity; stands for unmodelled constant forces",
        meaning: Meaning::Multiply,
        nominal: 1.0,
        bounds: between(0.0, 2.0),
        usual: uniform(0.95, 1.05),
        source: "Dactyl 2018 table 1: +N(0, 0.4) m/s2, a deviation of 4 %",
        effect: raises(Observable::FingerSag),
        preset: FirstPreset::Wide,
        apply: Apply::World(|world, change| world.gravity_m_per_sec2.iter_mut().for_each(|axis| change.to(axis))),
    },
];

const TEN_DEGREES_RAD: f32 = 0.174_533;

/// Turns gravity so that the palm's low side lies towards `azimuth_rad`.
fn tilt(world: &mut WorldParameters, change: Change<'_>, azimuth_rad: f32) {
    let mut tilt_rad = 0.0;
    change.to(&mut tilt_rad);
    // Turning "down" about this axis moves it towards (cos azimuth, sin azimuth, 0).
    let axis = UnitVector3::new_unchecked(Vector3::new(azimuth_rad.sin(), -azimuth_rad.cos(), 0.0));
    let turned = Rotation3::from_axis_angle(&axis, tilt_rad) * Vector3::from(world.gravity_m_per_sec2);
    world.gravity_m_per_sec2 = turned.into();
}

/// How far the palm leans, rad, along the side that is low.
fn lean(world: &WorldParameters) -> [f32; 2] {
    let [x, y, z] = world.gravity_m_per_sec2;
    let across = x.hypot(y);
    if across > 0.0 { [x, y].map(|axis| across.atan2(-z) * axis / across) } else { [0.0, 0.0] }
}
