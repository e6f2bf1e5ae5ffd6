//! What a hand is: bodies, joints, shapes and servos. Immutable once read; shared by every world.

use nalgebra::{Isometry3, Point3, Unit as UnitVector, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Smallest value.
    pub lower: f32,
    /// Largest value.
    pub upper: f32,
}

impl Limits {
    /// `value`, moved to the nearest end when it lies outside. What is not a number stays so.
    pub fn clamp(&self, value: f32) -> f32 {
        // Not `f32::clamp`, which panics when a limit is not a number: limits also come from sensed angles.
        if value < self.lower {
            self.lower
        } else if value > self.upper {
            self.upper
        } else {
            value
        }
    }

    /// Whether `value` lies inside.
    pub fn contains(&self, value: f32) -> bool {
        value >= self.lower && value <= self.upper
    }
}

/// A hand, as read from `robots/descriptions/<name>/`.
///
/// A run keeps it whole, in its folder: what is added here later needs a default there, or old runs cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotModel {
    /// Name of the description's folder.
    pub name: String,
    /// Rigid bodies, parents before children. Body 0 is the fixed base; its frame is the palm frame.
    pub bodies: Vec<BodyModel>,
    /// Joints in canonical order (the order of `robot.toml`), used everywhere.
    pub joints: Vec<JointModel>,
    /// Joints without a servo of their own, which follow another joint.
    pub couplings: Vec<JointCoupling>,
    /// Points whose position is compared at a handshake.
    pub fingertips: Vec<FingertipModel>,
    /// Pairs of bodies (indices, smaller first) that never collide.
    pub contact_excludes: Vec<(usize, usize)>,
    /// Control period and how targets move.
    pub control: ControlSpec,
    /// Joint angles of the resting pose, rad, canonical order.
    pub home_rad: Vec<f32>,
    /// Where an object is put at the start of an episode.
    pub palm_from_object_home: Isometry3<f32>,
    /// Where the upper side of a box points that rests in the hand: a unit vector of the palm frame. Orientations that are
    /// asked for lie about it, so that an object can lie still in them.
    #[serde(default = "straight_up")]
    pub resting_normal: Vector3<f32>,
    /// What the safety envelope of a controller enforces by default.
    pub safety: SafetySpec,
    /// The servos it is built with, where the description says so: without it no driver can tell currents from torques.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servos: Option<ServoKind>,
    /// Hash of names, order, axes, limits, zeros and link geometry: what a policy is bound to.
    pub kinematics_fingerprint: String,
    /// Hash of masses, gains, friction, shapes: a difference is worth a warning.
    pub dynamics_fingerprint: String,
}

/// The normal of a level palm, for hands that were kept before this was.
fn straight_up() -> Vector3<f32> {
    Vector3::z()
}

/// One rigid body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyModel {
    /// Name in `hand.xml`.
    pub name: String,
    /// Index of the parent body; `None` for the base.
    pub parent: Option<usize>,
    /// Pose in the parent's frame at joint angle zero.
    pub parent_from_body: Isometry3<f32>,
    /// The joint that moves this body against its parent, as an index into `RobotModel::joints`; `None` if welded.
    pub joint: Option<usize>,
    /// Mass, kg. Zero for the massless mount.
    pub mass_kg: f32,
    /// Centre of mass, in the body's frame.
    pub center_of_mass_m: Point3<f32>,
    /// Principal moments of inertia about the centre of mass, kg m2.
    pub principal_inertia_kg_m2: Vector3<f32>,
    /// Orientation of the principal axes in the body's frame.
    pub body_from_principal: UnitQuaternion<f32>,
    /// Collision shapes.
    pub geoms: Vec<GeomModel>,
}

/// One collision shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeomModel {
    /// Name in `hand.xml`.
    pub name: String,
    /// Form and size.
    pub shape: GeomShape,
    /// Pose in the body's frame.
    pub body_from_geom: Isometry3<f32>,
    /// Part of the hand it belongs to.
    pub region: Region,
    /// Sliding friction coefficient of this surface (see `physics` for how two surfaces combine).
    pub friction: f32,
}

/// Form and size of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeomShape {
    /// Box.
    Box {
        /// Half of each edge.
        half_extents_m: [f32; 3],
    },
    /// Capsule along z.
    Capsule {
        /// Half of the distance between the centres of the caps.
        half_length_m: f32,
        /// Radius.
        radius_m: f32,
    },
    /// Sphere.
    Sphere {
        /// Radius.
        radius_m: f32,
    },
    /// Cylinder along z.
    Cylinder {
        /// Half of its length.
        half_length_m: f32,
        /// Radius.
        radius_m: f32,
    },
    /// Prism along z over a regular polygon, of which one corner lies on the x axis.
    Prism {
        /// Number of sides, 3 or more.
        side_count: u32,
        /// Half of its length.
        half_length_m: f32,
        /// Distance of the corners from the axis.
        radius_m: f32,
    },
}

/// Part of a hand, for friction that differs by region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Fingertips.
    Tip,
    /// Finger links.
    Link,
    /// Palm and mount.
    Palm,
}

/// One hinge and its servo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointModel {
    /// Canonical name, such as `index_mcp_side`.
    pub name: String,
    /// The body this joint moves.
    pub body: usize,
    /// Axis in the moved body's frame.
    pub axis: UnitVector<Vector3<f32>>,
    /// A point on the axis, in the moved body's frame.
    pub anchor_m: Point3<f32>,
    /// Range of motion, rad.
    pub position_limits_rad: Limits,
    /// Fastest the servo turns.
    pub velocity_limit_rad_per_sec: f32,
    /// Largest torque of the servo.
    pub effort_limit_newton_m: f32,
    /// Servo stiffness. A joint that follows another has no servo: it shows the servo of the joint it follows.
    pub stiffness_newton_m_per_rad: f32,
    /// Passive damping of the joint, servo included.
    pub damping_newton_m_secs_per_rad: f32,
    /// Dry friction.
    pub friction_loss_newton_m: f32,
    /// Rotor inertia as seen at the joint.
    pub armature_kg_m2: f32,
    /// Device id, sign and zero: for drivers only. `None` where nothing is wired to the joint itself (it follows
    /// another) or the description does not say.
    pub device: Option<DeviceMapping>,
}

/// A joint that follows another one, as the last two of a finger do whose one tendon moves both.
///
/// `follower angle = ratio * leader angle + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointCoupling {
    /// The joint with the servo, as an index into `RobotModel::joints`.
    pub leader: usize,
    /// The joint that follows.
    pub follower: usize,
    /// Angle of the follower per angle of the leader.
    pub ratio: f32,
    /// Angle of the follower where the leader stands at zero, rad.
    pub offset_rad: f32,
}

impl JointCoupling {
    /// Where the follower stands when its leader stands at `leader_rad`, limits aside.
    pub fn follower_rad(&self, leader_rad: f32) -> f32 {
        self.offset_rad + self.ratio * leader_rad
    }
}

/// How a joint is wired.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceMapping {
    /// Id on the servo bus.
    pub id: u8,
    /// +1 or -1: device angle = sign * joint angle + zero.
    pub sign: f32,
    /// Device angle at joint angle zero, rad.
    pub zero_rad: f32,
}

/// A point on a fingertip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FingertipModel {
    /// Name, such as `index`.
    pub name: String,
    /// The body it is fixed to.
    pub body: usize,
    /// The point, in that body's frame.
    pub point_m: Point3<f32>,
}

/// How a hand is driven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSpec {
    /// Seconds between two commands of a policy. A target holds, as a step, until the next one arrives.
    pub period_secs: f32,
}

/// Defaults of a controller's safety envelope.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetySpec {
    /// Fastest a target may move, rad/s.
    pub target_velocity_rad_per_sec: f32,
    /// Fastest a target's velocity may change, rad/s2.
    pub target_acceleration_rad_per_sec2: f32,
    /// How far a target may lead the measured angle, rad.
    pub tracking_band_rad: f32,
    /// Seconds without an accepted command before the hand holds.
    pub hold_after_secs: f32,
    /// Seconds of holding before it relaxes.
    pub relax_after_secs: f32,
    /// Seconds of relaxing before torque is off.
    pub off_after_secs: f32,
    /// What is held: the last applied target (keeps a grasp) or the measured angle.
    pub hold: HoldAt,
    /// What the servos bear.
    #[serde(default, skip_serializing_if = "ServoLimits::is_reference")]
    pub servos: ServoLimits,
}

/// The servos a hand is built with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServoKind {
    /// Name of their model, as the servos themselves would be told apart, such as `XC330-M288`.
    pub model: String,
    /// Torque at the joint per current. The one number by which torques and stiffness of the description become currents
    /// and gains of the servos, and back.
    pub torque_constant_newton_m_per_a: f32,
}

impl ServoKind {
    /// What is wrong with it, and in which field.
    pub fn first_mistake(&self) -> Option<(&'static str, String)> {
        if self.model.trim().is_empty() {
            return Some(("model", "is empty; expected the name of the servos, such as XC330-M288".to_owned()));
        }
        let constant = self.torque_constant_newton_m_per_a;
        // NaN is above nothing.
        let fits = constant > 0.0 && constant.is_finite();
        (!fits).then(|| ("torque_constant_newton_m_per_a", format!("is {constant}; it must be a positive number")))
    }
}

/// Largest torque of the servos as a share of the description's, in the worlds that policies are usually trained in.
pub const USUAL_TORQUE_SHARE: Limits = Limits { lower: 0.8, upper: 1.2 };
/// Stiffness of the servos as a share of the description's, in the worlds that policies are usually trained in.
pub const USUAL_STIFFNESS_SHARE: Limits = Limits { lower: 0.5, upper: 1.5 };

/// What a servo bears before a controller spares or releases it. Matters only where servos say how they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServoLimits {
    /// Current a servo bears for ever, A.
    pub continuous_current_a: f32,
    /// Current a cool servo bears for `peak_secs`, A.
    pub peak_current_a: f32,
    /// How long a cool servo bears `peak_current_a`, s.
    pub peak_secs: f32,
    /// From here on effort shrinks with temperature, degrees Celsius.
    pub derate_from_celsius: f32,
    /// The hand is held from here on, with `least_effort`, degrees Celsius.
    pub hold_from_celsius: f32,
    /// Torque is taken off from here on, degrees Celsius.
    pub release_from_celsius: f32,
    /// Share of the usual effort at `hold_from_celsius`.
    pub least_effort: f32,
    /// Supply voltage, V.
    pub supply_v: Limits,
}

impl ServoLimits {
    /// Those of the small servos of the LEAP hand (XL330, XC330), whose own protection trips at 70 degrees Celsius
    /// and outside 3.5 to 7 V. 0.35 A is what its makers advise to begin with.
    pub const REFERENCE: Self = Self {
        continuous_current_a: 0.35,
        peak_current_a: 0.7,
        peak_secs: 5.0,
        derate_from_celsius: 55.0,
        hold_from_celsius: 65.0,
        release_from_celsius: 68.0,
        least_effort: 0.2,
        supply_v: Limits { lower: 3.7, upper: 6.5 },
    };

    fn is_reference(&self) -> bool {
        *self == Self::REFERENCE
    }

    /// The first limit that cannot be kept: its name, and what is wrong with it.
    pub fn first_mistake(&self) -> Option<(&'static str, String)> {
        let rising = |name, from: f32, value: f32| {
            // NaN is above nothing.
            let fits = value.is_finite() && value > from;
            (!fits).then(|| (name, format!("is {value}; it must be a number above {from}")))
        };
        let effort = self.least_effort > 0.0 && self.least_effort <= 1.0;
        rising("continuous_current_a", 0.0, self.continuous_current_a)
            .or_else(|| rising("peak_current_a", self.continuous_current_a, self.peak_current_a))
            .or_else(|| rising("peak_secs", 0.0, self.peak_secs))
            .or_else(|| rising("derate_from_celsius", 0.0, self.derate_from_celsius))
            .or_else(|| rising("hold_from_celsius", self.derate_from_celsius, self.hold_from_celsius))
            .or_else(|| rising("release_from_celsius", self.hold_from_celsius, self.release_from_celsius))
            .or_else(|| {
                let problem = format!("is {}; it must be above 0 and at most 1", self.least_effort);
                (!effort).then_some(("least_effort", problem))
            })
            .or_else(|| rising("supply_v.lower", 0.0, self.supply_v.lower))
            .or_else(|| rising("supply_v.upper", self.supply_v.lower, self.supply_v.upper))
    }
}

impl Default for ServoLimits {
    fn default() -> Self {
        Self::REFERENCE
    }
}

/// Where a hand holds when commands stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldAt {
    /// The last applied target: keeps a grasp.
    LastTarget,
    /// The last measured angle: lets the grasp go slack.
    Measured,
}

impl RobotModel {
    /// Number of joints.
    pub fn joint_count(&self) -> usize {
        self.joints.len()
    }

    /// Whether every part that is named by its place is there: for what was read from a file that is no description.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check_places(&self) -> Result<(), String> {
        let (bodies, joints) = (self.bodies.len(), self.joints.len());
        let within = |what: &str, place: usize, count: usize| match place < count {
            true => Ok(()),
            false => Err(format!("{what} names number {place} of {count}")),
        };
        within("the hand, which begins with its palm,", 0, bodies)?;
        if self.home_rad.len() != joints {
            return Err(format!("{} resting angles for {joints} joints", self.home_rad.len()));
        }
        for (index, body) in self.bodies.iter().enumerate() {
            // Parents come before children.
            body.parent
                .map_or(Ok(()), |parent| within(&format!("the parent of body `{}`", body.name), parent, index))?;
            body.joint.map_or(Ok(()), |joint| within(&format!("the joint of body `{}`", body.name), joint, joints))?;
        }
        for joint in &self.joints {
            within(&format!("the body of joint `{}`", joint.name), joint.body, bodies)?;
        }
        for tip in &self.fingertips {
            within(&format!("the body of fingertip `{}`", tip.name), tip.body, bodies)?;
        }
        let coupled = self.couplings.iter().flat_map(|coupling| [coupling.leader, coupling.follower]);
        coupled.into_iter().try_for_each(|joint| within("a joint that follows another", joint, joints))?;
        let apart = self.contact_excludes.iter().flat_map(|(one, other)| [*one, *other]);
        apart.into_iter().try_for_each(|body| within("a pair that never collides", body, bodies))
    }

    /// The joints with a servo of their own, as indices: all that follow no other.
    pub fn actuated_joints(&self) -> Vec<usize> {
        (0..self.joints.len()).filter(|joint| self.couplings.iter().all(|c| c.follower != *joint)).collect()
    }

    /// Puts every joint that follows another where its leader puts it, rad, canonical order, within its limits.
    ///
    /// # Panics
    /// When `positions_rad` has the wrong length: a mistake in this program.
    pub fn couple(&self, positions_rad: &mut [f32]) {
        assert_eq!(positions_rad.len(), self.joints.len(), "one angle per joint");
        for coupling in &self.couplings {
            let follower_rad = coupling.follower_rad(positions_rad[coupling.leader]);
            positions_rad[coupling.follower] = self.joints[coupling.follower].position_limits_rad.clamp(follower_rad);
        }
    }

    /// Pose of every body in the palm frame, for joint angles in canonical order.
    ///
    /// # Panics
    /// When `positions_rad` has the wrong length: a mistake in this program.
    pub fn forward_kinematics(&self, positions_rad: &[f32]) -> Vec<Isometry3<f32>> {
        assert_eq!(positions_rad.len(), self.joints.len(), "one angle per joint");
        let mut palm_from_body: Vec<Isometry3<f32>> = Vec::with_capacity(self.bodies.len());
        for body in &self.bodies {
            let local = match body.joint {
                Some(joint) => body.parent_from_body * self.joints[joint].rotation(positions_rad[joint]),
                None => body.parent_from_body,
            };
            let pose = match body.parent {
                Some(parent) => palm_from_body[parent] * local,
                None => local,
            };
            palm_from_body.push(pose);
        }
        palm_from_body
    }

    /// Position of each fingertip in the palm frame, for joint angles in canonical order.
    pub fn fingertip_positions(&self, positions_rad: &[f32]) -> Vec<Point3<f32>> {
        let palm_from_body = self.forward_kinematics(positions_rad);
        self.fingertips.iter().map(|tip| palm_from_body[tip.body] * tip.point_m).collect()
    }

    /// A pose (rad, canonical order) and the fingertip positions it must give in the palm frame.
    ///
    /// Two programs that agree on these numbers agree on order, zeros, signs and units. The pose is inside the
    /// limits and no two joints stand alike: joint i stands at 0.2 + 0.6 frac((i + 1) / golden ratio) of its range.
    pub fn test_vector(&self) -> (Vec<f32>, Vec<Point3<f32>>) {
        const INVERSE_GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
        let stand = |(index, joint): (usize, &JointModel)| {
            let fraction = 0.2 + 0.6 * (INVERSE_GOLDEN_RATIO * (index + 1) as f64).fract();
            let Limits { lower, upper } = joint.position_limits_rad;
            (f64::from(lower) + fraction * f64::from(upper - lower)) as f32
        };
        let pose_rad: Vec<f32> = self.joints.iter().enumerate().map(stand).collect();
        let fingertips_m = self.fingertip_positions(&pose_rad);
        (pose_rad, fingertips_m)
    }
}

impl JointModel {
    /// The motion of the joint at `angle_rad`, in the moved body's frame.
    pub fn rotation(&self, angle_rad: f32) -> Isometry3<f32> {
        rotation_about(&self.axis, self.anchor_m, angle_rad)
    }
}

/// A turn about an axis through a point.
pub(crate) fn rotation_about(axis: &UnitVector<Vector3<f32>>, anchor_m: Point3<f32>, angle_rad: f32) -> Isometry3<f32> {
    let turn = UnitQuaternion::from_axis_angle(axis, angle_rad);
    let shift = anchor_m.coords - turn * anchor_m.coords;
    Isometry3::from_parts(shift.into(), turn)
}
