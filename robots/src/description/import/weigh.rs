//! What bodies weigh, and what is done where a file cannot be believed: masses and moments that were typed in to have
//! some.

use super::inertia::{self, Mass};
use super::raw::{RawBody, RawGeom, RawMass};
use super::report::Notes;
use super::shape;
use super::tree::{Link, Tree, middle};
use crate::description::{DescriptionError, Place};
use nalgebra::{Isometry3, Matrix3, Point3};

/// Density of collision shapes where nothing is said about a mass, kg/m3.
const DENSITY: f64 = 1000.0;
/// A link that weighs nothing is given this mass, kg, as a ball of this radius, m.
const LEAST_KG: f64 = 1e-3;
const LEAST_RADIUS_M: f64 = 5e-3;
/// Less than this, kg, no link of a hand weighs.
const TOKEN_KG: f64 = 1e-5;
/// If all links weigh the same, and that is at least this, kg, nobody weighed them.
const ALIKE_KG: f64 = 0.2;
/// Given to each of those that have no shapes, kg.
const FINGER_KG: f64 = 0.02;
/// No link of a finger weighs more, kg.
const HEAVY_KG: f64 = 1.0;
/// A mass is spread over at least this part of how far its shapes reach, and at most over so many times of it.
const LEAST_SPREAD: f64 = 0.02;
const MOST_SPREAD: f64 = 2.0;
/// The same for a body without shapes, m.
const SPREAD_M: [f64; 2] = [3e-4, 0.3];

/// Refuses what no rigid body has; brings moments that are a little off to ones that could be.
pub(super) fn check(mass: Mass, place: &Place, body: &str, notes: &mut Notes) -> Result<RawMass, DescriptionError> {
    let wrong = |problem: String| Err(place.clone().error(format!("body `{body}`: {problem}")));
    if mass.kg < 0.0 || !mass.kg.is_finite() {
        return wrong(format!("mass {} kg; a mass is positive", mass.kg));
    }
    if mass.kg == 0.0 {
        return Ok(RawMass::Known(Mass::ZERO));
    }
    if mass.tensor.amax() == 0.0 {
        notes.approximated(place, "mass without inertia, of body", body, "spread as its shapes are");
        return Ok(RawMass::Heavy(mass.kg, mass.center_m));
    }
    let Some(principal) = mass.principal() else {
        return wrong("its moments of inertia are no numbers".to_owned());
    };
    let [a, b, c] = principal.moments.into();
    let rounding = 1e-3 * (a.abs() + b.abs() + c.abs());
    if a <= -rounding || b <= -rounding || c <= -rounding {
        return wrong(format!("principal moments of inertia {a:e}, {b:e}, {c:e} kg m2; moments are positive"));
    }
    if a <= 0.0 || b <= 0.0 || c <= 0.0 {
        notes.approximated(place, "moment of inertia of 0, of body", body, "its mass is spread as its shapes are");
        return Ok(RawMass::Heavy(mass.kg, mass.center_m));
    }
    let slack = [a + b - c, b + c - a, c + a - b].into_iter().fold(f64::INFINITY, f64::min);
    if slack > -rounding {
        // Rounding in the file: what is left after it is written with a few digits.
        return Ok(RawMass::Known(mass));
    }
    let what = "moments of inertia that no rigid body has, of body";
    notes.approximated(place, what, body, "their mean, about every axis");
    let tensor = Matrix3::identity() * ((a + b + c) / 3.0);
    Ok(RawMass::Known(Mass { tensor, ..mass }))
}

/// Mass of a body: the file's, or that of its shapes.
pub(super) fn body(body: &RawBody, moves: bool, notes: &mut Notes) -> Option<Mass> {
    match &body.mass {
        RawMass::Known(mass) if mass.kg <= 0.0 && moves && body.has_joint() => {
            let done = format!("that of its collision shapes at {DENSITY} kg/m3, or {} g without any", LEAST_KG * 1e3);
            notes.warned(&body.place, "mass of 0 kg, of the moving body", &body.name, done);
            Some(of_shapes(&body.geoms).unwrap_or(Mass::ZERO))
        }
        RawMass::Known(mass) if moves && is_spread_oddly(mass, &body.geoms) => {
            let what = "moments of inertia that a body of its mass and size cannot have, of body";
            notes.approximated(&body.place, what, &body.name, "its mass is spread as its shapes are");
            Some(spread(mass.kg, mass.center_m, &body.geoms))
        }
        RawMass::Known(mass) => Some(*mass),
        RawMass::Heavy(kg, center_m) => Some(spread(*kg, *center_m, &body.geoms)),
        RawMass::Unknown if !moves || body.geoms.is_empty() => None,
        RawMass::Unknown => {
            let done = format!("that of its collision shapes at {DENSITY} kg/m3");
            notes.assumed(&body.place, "unknown mass of body", &body.name, done);
            of_shapes(&body.geoms)
        }
    }
}

/// Gives masses to links whose own nobody weighed.
pub(super) fn links(tree: &mut Tree, notes: &mut Notes) {
    let carriers = tree.carriers();
    let fingers: Vec<usize> = (0..tree.links.len()).filter(|link| !tree.is_palm(&carriers, *link)).collect();
    let first_kg = fingers.first().map_or(0.0, |link| tree.links[*link].mass.kg);
    let alike = |link: &usize| (tree.links[*link].mass.kg - first_kg).abs() <= 1e-9 * first_kg;
    if fingers.len() > 2 && first_kg >= ALIKE_KG && fingers.iter().all(alike) {
        for index in &fingers {
            let link = &mut tree.links[*index];
            let done =
                format!("nobody weighed them: that of their shapes at {DENSITY} kg/m3, or {} g", FINGER_KG * 1e3);
            notes.warned(
                &link.place,
                format!("mass of {first_kg} kg, alike for every link of the fingers"),
                &link.name,
                done,
            );
            link.mass = of_shapes(&link.geoms).unwrap_or_else(|| ball(FINGER_KG, link.mass.center_m));
        }
    }
    for link in tree.links.iter_mut().filter(|link| link.moves && link.mass.kg < TOKEN_KG) {
        replace_token(link, notes);
    }
    for link in fingers.iter().map(|index| &tree.links[*index]).filter(|link| link.mass.kg > HEAVY_KG) {
        let what = format!("links of fingers heavier than {HEAVY_KG} kg");
        notes.warned(&link.place, what, &link.name, "read as it is; masses are in kg");
    }
}

fn replace_token(link: &mut Link, notes: &mut Notes) {
    let center_m = middle(&link.geoms).unwrap_or_else(Point3::origin);
    if link.mass.kg <= 0.0 {
        notes.assumed(&link.place, "moving bodies without mass", &link.name, format!("{} g", LEAST_KG * 1e3));
    } else {
        let what = format!("moving bodies lighter than {} mg", TOKEN_KG * 1e6);
        notes.assumed(&link.place, what, &link.name, format!("{} g", LEAST_KG * 1e3));
    }
    let tensor = Matrix3::identity() * (0.4 * LEAST_KG * LEAST_RADIUS_M * LEAST_RADIUS_M);
    link.mass = Mass { kg: LEAST_KG, center_m, tensor };
}

/// Whether moments are too large or too small for how far the shapes reach.
fn is_spread_oddly(mass: &Mass, geoms: &[RawGeom]) -> bool {
    let Some(principal) = mass.principal().filter(|_| mass.kg > 0.0) else { return false };
    let gyration_m = (principal.moments.max() / mass.kg).sqrt();
    let from_center = |geom: &RawGeom| {
        let middle: Point3<f64> = geom.body_from_geom.translation.vector.into();
        (middle - mass.center_m).norm() + shape::half_extents(&geom.shape).norm()
    };
    let reach_m = geoms.iter().map(from_center).fold(0.0, f64::max);
    let [least_m, most_m] = if geoms.is_empty() { SPREAD_M } else { [LEAST_SPREAD * reach_m, MOST_SPREAD * reach_m] };
    gyration_m < least_m || gyration_m > most_m
}

/// A mass about its centre, spread as the shapes are.
fn spread(kg: f64, center_m: Point3<f64>, geoms: &[RawGeom]) -> Mass {
    match of_shapes(geoms).filter(|whole| whole.kg > 0.0) {
        Some(whole) => Mass { center_m, ..whole.scaled(kg / whole.kg) },
        None => ball(kg, center_m),
    }
}

/// A ball of this mass, as dense as water.
fn ball(kg: f64, center_m: Point3<f64>) -> Mass {
    let radius_m = (3.0 * kg / (4.0 * std::f64::consts::PI * DENSITY)).cbrt();
    Mass { kg, center_m, tensor: Matrix3::identity() * (0.4 * kg * radius_m * radius_m) }
}

fn of_shapes(geoms: &[RawGeom]) -> Option<Mass> {
    let of_geom = |geom: &RawGeom| {
        let at: &Isometry3<f64> = &geom.body_from_geom;
        Mass::of_shape(&geom.shape, DENSITY * inertia::volume(&geom.shape), at)
    };
    geoms.iter().map(of_geom).reduce(|sum, next| sum.and(&next))
}
