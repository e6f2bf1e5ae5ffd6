//! The objects a hand is given.

use crate::model::GeomShape;
use crate::names::UnknownName;
use nalgebra::{UnitQuaternion, Vector3};

/// A rigid object of one shape and even density.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectModel {
    /// Name, as in `--object`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Form and size.
    pub shape: GeomShape,
    /// Mass, kg.
    pub mass_kg: f32,
    /// Sliding friction coefficient of the surface.
    pub friction: f32,
}

/// Every object, by name.
pub static OBJECTS: &[ObjectModel] = &[ObjectModel {
    name: "cube-70mm",
    doc: "the 70 mm, 108 g cube of the public LEAP tasks (MuJoCo Playground, leap_cube.xml)",
    shape: GeomShape::Box { half_extents_m: [0.035; 3] },
    mass_kg: 0.108,
    friction: 0.3,
}];

/// The object called `name`.
///
/// # Errors
/// When there is none; the message suggests the nearest name.
pub fn find_object(name: &str) -> Result<&'static ObjectModel, UnknownName> {
    let found = OBJECTS.iter().find(|object| object.name == name);
    found.ok_or_else(|| UnknownName::new("object", name, OBJECTS.iter().map(|object| object.name)))
}

/// Position and orientation of an object in the palm frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectPose {
    /// Position, m.
    pub position_m: Vector3<f32>,
    /// Orientation.
    pub palm_from_object: UnitQuaternion<f32>,
}
