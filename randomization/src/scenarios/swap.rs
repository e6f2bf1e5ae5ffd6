//! `swap`: somebody takes the object and puts another in its place.

use crate::edit::part_way;
use crate::outline::EpisodeOutline;
use crate::parameters::find_parameter;
use crate::scenario::{DoseAxis, Scenario};
use giraffe_physics::{Disturbance, ObjectParameters, ObjectSwap, TimedDisturbance, WorldParameters};
use giraffe_robots::{OBJECTS, StreamRng};
use rand::RngExt;

pub(super) static SWAP: Scenario = Scenario {
    name: "swap",
    doc: "after 5 to 10 s another object of the catalogue, of 0.5 to 1.5 times its mass, takes the place of the first",
    dose: DOSE,
    timeline,
};

/// Mass, size, centre of mass, inertia, stretch and friction go this part of the way. A shape has no way between: it is the
/// new one in this part of the episodes.
const DOSE: DoseAxis = DoseAxis { quantity: "way from the old object to the new", unit: "-", usual: 1.0, most: 1.0 };

/// With time before it to get to know the first object, and time after it to get to know the second.
const WHEN_SECS: [f32; 2] = [5.0, 10.0];
/// Times what the catalogue says: the ranges of Dactyl 2018, table 1.
const MASS: [f32; 2] = [0.5, 1.5];
const SIZE: [f32; 2] = [0.95, 1.05];
const FRICTION: [f32; 2] = [0.7, 1.3];

fn timeline(outline: &EpisodeOutline<'_>, dose: f32, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
    let mut between = |[least, most]: [f32; 2]| rng.random_range(least..=most);
    let (secs, mass, size_scale, friction) = (between(WHEN_SECS), between(MASS), between(SIZE), between(FRICTION));
    let object = &OBJECTS[rng.random_range(0..OBJECTS.len())];
    let new_shape = rng.random::<f32>() < dose;
    let nominal = WorldParameters::nominal(outline.scene);
    let new = ObjectParameters { mass_kg: mass * object.mass_kg, size_scale, ..nominal.object };
    let mut world = outline.parameters.clone();
    world.object = on_the_way(&world.object, &new, dose);
    let friction_scale = part_way(1.0, friction, dose);
    let swap = ObjectSwap {
        object: new_shape.then(|| object.name.to_owned()),
        parameters: world.object,
        friction_scale,
        sampled: columns(outline, &world, &nominal, friction_scale),
    };
    outline.at(secs, Disturbance::ObjectSwap(swap)).into_iter().collect()
}

fn on_the_way(from: &ObjectParameters, to: &ObjectParameters, dose: f32) -> ObjectParameters {
    let [x, y, z] = [0, 1, 2].map(|axis| part_way(from.center_of_mass_m[axis], to.center_of_mass_m[axis], dose));
    ObjectParameters {
        mass_kg: part_way(from.mass_kg, to.mass_kg, dose),
        size_scale: part_way(from.size_scale, to.size_scale, dose),
        center_of_mass_m: [x, y, z],
        inertia_scale: part_way(from.inertia_scale, to.inertia_scale, dose),
        stretch: part_way(from.stretch, to.stretch, dose),
    }
}

/// What the columns of the critic say after a swap that leads to `world`. A size is times that of the new shape.
fn columns(
    outline: &EpisodeOutline<'_>,
    world: &WorldParameters,
    nominal: &WorldParameters,
    friction_scale: f32,
) -> Vec<(u32, f32)> {
    let changed = |name: &str, drawn: f32| match name {
        "contact.friction" => Some(drawn * friction_scale),
        _ if name.starts_with("object.") => find_parameter(name).ok().map(|row| row.value_in(world, nominal)),
        _ => None,
    };
    let of = |(column, &(name, drawn)): (usize, &(&str, f32))| Some((column as u32, changed(name, drawn)?));
    outline.columns.iter().enumerate().filter_map(of).collect()
}
