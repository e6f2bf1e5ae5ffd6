//! `swap`: somebody takes the object and puts another in its place.

use crate::parameters::find_parameter;
use crate::scenario::{EpisodeOutline, Scenario};
use giraffe_physics::{Disturbance, ObjectParameters, ObjectSwap, TimedDisturbance, WorldParameters};
use giraffe_robots::{OBJECTS, StreamRng};
use rand::RngExt;

pub(super) static SWAP: Scenario = Scenario {
    name: "swap",
    doc: "after 5 to 10 s another object of the catalogue, of 0.5 to 1.5 times its mass, takes the place of the first",
    timeline,
};

/// With time before it to get to know the first object, and time after it to get to know the second.
const WHEN_SECS: [f32; 2] = [5.0, 10.0];
/// Times what the catalogue says: the ranges of Dactyl 2018, table 1.
const MASS: [f32; 2] = [0.5, 1.5];
const SIZE: [f32; 2] = [0.95, 1.05];
const FRICTION: [f32; 2] = [0.7, 1.3];

fn timeline(outline: &EpisodeOutline<'_>, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let mut between = |[least, most]: [f32; 2]| rng.random_range(least..=most);
    let (secs, mass, size_scale, friction_scale) =
        (between(WHEN_SECS), between(MASS), between(SIZE), between(FRICTION));
    let object = &OBJECTS[rng.random_range(0..OBJECTS.len())];
    let nominal = WorldParameters::nominal(outline.scene).object;
    let parameters = ObjectParameters { mass_kg: mass * object.mass_kg, size_scale, ..nominal };
    let swap = ObjectSwap { object: Some(object.name.to_owned()), parameters, friction_scale, sampled: Vec::new() };
    outline.at(secs, Disturbance::ObjectSwap(swap)).into_iter().collect()
}

/// Lets the columns of the critic follow a swap. `columns` are the rows that vary and what was drawn for them, `nominal` is
/// the object of the scene. A size is times that of the new shape; a row of the object that a swap does not know is nominal.
pub(crate) fn tell_columns(swap: &mut ObjectSwap, columns: &[(&str, f32)], nominal: &ObjectParameters) {
    let new = swap.parameters;
    let changed = |name: &str, drawn: f32| match name {
        "object.mass" => Some(new.mass_kg / nominal.mass_kg),
        "object.size" => Some(new.size_scale),
        "object.center_of_mass_x" => Some(new.center_of_mass_m[0]),
        "object.center_of_mass_y" => Some(new.center_of_mass_m[1]),
        "object.center_of_mass_z" => Some(new.center_of_mass_m[2]),
        "contact.friction" => Some(drawn * swap.friction_scale),
        _ if name.starts_with("object.") => find_parameter(name).ok().map(|row| row.nominal),
        _ => None,
    };
    let of = |(column, &(name, drawn)): (usize, &(&str, f32))| Some((column as u32, changed(name, drawn)?));
    swap.sampled = columns.iter().enumerate().filter_map(of).collect();
}
