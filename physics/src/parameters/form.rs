//! What sizes make of a shape.

use super::ObjectParameters;
use giraffe_robots::GeomShape;

impl ObjectParameters {
    /// What an object of this shape really looks like: stretched, then scaled.
    pub fn formed(&self, shape: &GeomShape) -> GeomShape {
        scaled(&stretched(shape, self.stretch), self.size_scale)
    }
}

/// The shape, `scale` times as large. A scale of 1 changes no bit.
pub(crate) fn scaled(shape: &GeomShape, scale: f32) -> GeomShape {
    match *shape {
        GeomShape::Box { half_extents_m } => GeomShape::Box { half_extents_m: half_extents_m.map(|half| half * scale) },
        GeomShape::Capsule { half_length_m, radius_m } => {
            GeomShape::Capsule { half_length_m: half_length_m * scale, radius_m: radius_m * scale }
        }
        GeomShape::Sphere { radius_m } => GeomShape::Sphere { radius_m: radius_m * scale },
        GeomShape::Cylinder { half_length_m, radius_m } => {
            GeomShape::Cylinder { half_length_m: half_length_m * scale, radius_m: radius_m * scale }
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            GeomShape::Prism { side_count, half_length_m: half_length_m * scale, radius_m: radius_m * scale }
        }
    }
}

/// The shape, `stretch` times as long along z and of the same volume: `ObjectParameters::stretch` says how for each shape.
/// A stretch of 1 changes no bit.
pub(crate) fn stretched(shape: &GeomShape, stretch: f32) -> GeomShape {
    let narrow = |width_m: f32| width_m / stretch.sqrt();
    match *shape {
        GeomShape::Box { half_extents_m: [x, y, z] } => {
            GeomShape::Box { half_extents_m: [narrow(x), narrow(y), z * stretch] }
        }
        GeomShape::Sphere { radius_m } => GeomShape::Sphere { radius_m },
        GeomShape::Capsule { half_length_m, radius_m } => {
            let radius = narrow(radius_m);
            let half_length_m = (half_length_m * stretch + (radius_m * stretch - radius)).max(0.0);
            GeomShape::Capsule { half_length_m, radius_m: radius }
        }
        GeomShape::Cylinder { half_length_m, radius_m } => {
            GeomShape::Cylinder { half_length_m: half_length_m * stretch, radius_m: narrow(radius_m) }
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            GeomShape::Prism { side_count, half_length_m: half_length_m * stretch, radius_m: narrow(radius_m) }
        }
    }
}
