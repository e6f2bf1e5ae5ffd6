//! Between nalgebra, which the rest of the project speaks, and rapier's own vectors.

use giraffe_robots::ObjectPose;
use nalgebra::{Isometry3, Quaternion, UnitQuaternion, Vector3};
use rapier3d::math::{Pose, Rotation, Vector};

pub(super) fn vector(v: &Vector3<f32>) -> Vector {
    Vector::new(v.x, v.y, v.z)
}

pub(super) fn rotation(q: &UnitQuaternion<f32>) -> Rotation {
    Rotation::from_xyzw(q.i, q.j, q.k, q.w)
}

pub(super) fn pose(p: &Isometry3<f32>) -> Pose {
    Pose::from_parts(vector(&p.translation.vector), rotation(&p.rotation))
}

pub(super) fn object_pose(p: &Pose) -> ObjectPose {
    let q = p.rotation;
    ObjectPose {
        position_m: Vector3::new(p.translation.x, p.translation.y, p.translation.z),
        // Not normalised again: the engine keeps it unit, and what is reported should be what the engine has.
        palm_from_object: UnitQuaternion::new_unchecked(Quaternion::new(q.w, q.x, q.y, q.z)),
    }
}
