//! A hand as somebody else's file says it, before it is made into one of giraffe's: bodies may be welded, carry
//! several joints, or have no mass.

use super::inertia::Mass;
use crate::description::Place;
use crate::model::GeomShape;
use nalgebra::{Isometry3, Point3, Unit, UnitQuaternion, Vector3};
use std::collections::BTreeMap;

/// What a file says about a hand. SI units; angles in rad.
pub(super) struct RawHand {
    /// The file as a whole, for what has no line.
    pub(super) file: Place,
    /// One tree, parents before children. The first one is the root, which never moves.
    pub(super) bodies: Vec<RawBody>,
    pub(super) couplings: Vec<RawCoupling>,
    /// Pairs of bodies that never touch.
    pub(super) excludes: Vec<(usize, usize)>,
    /// Angles of the resting pose by joint, where the file has one.
    pub(super) home_rad: Option<BTreeMap<String, f64>>,
    /// How the root stands.
    pub(super) placement: Placement,
}

/// How a hand's root stands in the palm frame.
pub(super) enum Placement {
    /// As the file places it: gravity points along -z.
    Said(UnitQuaternion<f64>),
    /// As drawn, in a file whose up is z, but without a word on how the hand is turned.
    Drawn,
    /// The file does not say where up is.
    Unknown,
}

pub(super) struct RawBody {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) parent: Option<usize>,
    pub(super) parent_from_body: Isometry3<f64>,
    /// In the order in which they turn the body; none for a welded body.
    pub(super) joints: Vec<RawJoint>,
    pub(super) mass: RawMass,
    pub(super) geoms: Vec<RawGeom>,
    /// Whether it had joints that slide or are free, which are fixed here.
    pub(super) floats: bool,
}

/// What is known about a body's mass.
#[derive(Clone)]
pub(super) enum RawMass {
    /// Given by the file, or by shapes of known density.
    Known(Mass),
    /// Its mass, and where its centre is. How it is spread is not known.
    Heavy(f64, Point3<f64>),
    /// Nothing was said.
    Unknown,
}

#[derive(Clone)]
pub(super) struct RawJoint {
    pub(super) name: String,
    pub(super) place: Place,
    /// In the frame of the moved body.
    pub(super) axis: Unit<Vector3<f64>>,
    pub(super) anchor_m: Point3<f64>,
    pub(super) limits_rad: [f64; 2],
    /// The angle at which the bodies stand as their poses say.
    pub(super) reference_rad: f64,
    pub(super) damping: f64,
    pub(super) friction_loss: f64,
    pub(super) armature: f64,
    pub(super) velocity_limit: Option<f64>,
    pub(super) servo: RawServo,
}

/// What is known about a joint's servo.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RawServo {
    pub(super) stiffness: Option<f64>,
    /// Largest torque, N m; infinite where the file says that there is none.
    pub(super) effort: Option<f64>,
    /// Damping of the servo, on top of the joint's own.
    pub(super) damping: f64,
    /// Whether its torque was assumed.
    pub(super) guessed: bool,
}

#[derive(Clone)]
pub(super) struct RawGeom {
    pub(super) name: String,
    pub(super) shape: GeomShape,
    pub(super) body_from_geom: Isometry3<f64>,
    pub(super) friction: f64,
    /// MuJoCo's collision bits: two shapes touch if one's `contype` meets the other's `conaffinity`.
    pub(super) collision_bits: (u32, u32),
}

/// `follower = ratio * leader + offset`.
pub(super) struct RawCoupling {
    pub(super) place: Place,
    pub(super) leader: String,
    pub(super) follower: String,
    pub(super) ratio: f64,
    pub(super) offset_rad: f64,
}

impl RawServo {
    /// Whether the file says anything about it.
    pub(super) fn is_driven(&self) -> bool {
        self.stiffness.is_some() || self.effort.is_some()
    }
}

impl RawJoint {
    /// Whether it is held at one angle.
    pub(super) fn is_locked(&self) -> bool {
        self.limits_rad[1] - self.limits_rad[0] <= 0.0
    }

    /// The angle of an open hand, rad: zero, or as near to it as the joint comes.
    pub(super) fn open_rad(&self) -> f64 {
        0.0_f64.clamp(self.limits_rad[0], self.limits_rad[1])
    }

    /// The motion of the joint, in the moved body's frame.
    pub(super) fn motion(&self, angle_rad: f64) -> Isometry3<f64> {
        let turn = UnitQuaternion::from_axis_angle(&self.axis, angle_rad);
        let shift = self.anchor_m.coords - turn * self.anchor_m.coords;
        Isometry3::from_parts(shift.into(), turn)
    }
}

impl RawBody {
    /// Whether a joint moves this body itself.
    pub(super) fn has_joint(&self) -> bool {
        !self.joints.is_empty()
    }
}

/// For each body, whether it moves: by itself, or on a body that moves.
pub(super) fn moving(bodies: &[RawBody], moves_itself: impl Fn(&RawBody) -> bool) -> Vec<bool> {
    let mut moves: Vec<bool> = Vec::with_capacity(bodies.len());
    for body in bodies {
        moves.push(moves_itself(body) || body.parent.is_some_and(|parent| moves[parent]));
    }
    moves
}
