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
///
/// Those without a source of their own are as dense as the 70 mm cube (315 kg/m3) and have its surface, so that they
/// differ from it in form alone.
pub static OBJECTS: &[ObjectModel] = &[
    ObjectModel {
        name: "cube-70mm",
        doc: "the 70 mm, 108 g cube of the public LEAP tasks (MuJoCo Playground, leap_cube.xml)",
        shape: GeomShape::Box { half_extents_m: [0.035; 3] },
        mass_kg: 0.108,
        friction: 0.3,
    },
    ObjectModel {
        name: "cube-65mm",
        doc: "the 65 mm cube, 400 kg/m3, that DeXtreme (Handa et al. 2022) and Isaac Gym give the Allegro hand",
        shape: GeomShape::Box { half_extents_m: [0.0325; 3] },
        mass_kg: 0.110,
        friction: 0.3,
    },
    ObjectModel {
        name: "cube-57mm",
        doc: "a 57 mm cube, 421 kg/m3, as OpenAI's Shadow hand turned (2019; robogym, dactyl/locked)",
        shape: GeomShape::Box { half_extents_m: [0.0285; 3] },
        mass_kg: 0.078,
        friction: 0.3,
    },
    ObjectModel {
        name: "cuboid",
        doc: "a 50 x 60 x 90 mm box, as dense as cube-70mm",
        shape: GeomShape::Box { half_extents_m: [0.025, 0.03, 0.045] },
        mass_kg: 0.085,
        friction: 0.3,
    },
    ObjectModel {
        name: "sphere",
        doc: "a ball of 70 mm, as dense as cube-70mm: about the size and mass of a tennis ball",
        shape: GeomShape::Sphere { radius_m: 0.035 },
        mass_kg: 0.057,
        friction: 0.3,
    },
    ObjectModel {
        name: "cylinder",
        doc: "an upright can, 70 mm wide and 80 mm high, as dense as cube-70mm",
        shape: GeomShape::Cylinder { half_length_m: 0.04, radius_m: 0.035 },
        mass_kg: 0.097,
        friction: 0.3,
    },
    ObjectModel {
        name: "octagonal-prism",
        doc: "an upright eight-sided prism, 65 mm across its flats and 70 mm high, as dense as cube-70mm",
        // 32.5 mm / cos(pi / 8) from the axis to a corner.
        shape: GeomShape::Prism { side_count: 8, half_length_m: 0.035, radius_m: 0.035_178 },
        mass_kg: 0.077,
        friction: 0.3,
    },
];

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
