//! Where a palm faces, and how a hand is laid so that it faces up.
//!
//! The palm faces where its fingers close to. Where fingers close against one another, as those of a gripper do, it faces
//! where they point. Joints that carry the whole hand, a wrist or a forearm, have no part in this.

use super::raw::{Placement, RawHand, RawJoint};
use super::report::Notes;
use super::tree::{Tip, Tree};
use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

/// How far the joints of a finger are closed to see where it closes to, rad.
const CLOSING_RAD: f64 = 0.3;
/// Sums of directions shorter than this say nothing.
const LEAST_SUM: f64 = 0.3;
/// Fingers close together if the sum of their directions is at least this part of what it can be; else they close
/// against one another.
const TOGETHER_SHARE: f64 = 0.5;
/// A finger closes as the others do if its direction is no farther from theirs than 45 degrees.
const AGREES_COSINE: f64 = 0.7;
/// So many that agree are the fingers; the rest are thumbs.
const LEAST_FINGERS: usize = 3;
/// Three bases are no row if their triangle's height is at least about this part of its longest side.
const LEAST_WIDTH: f64 = 0.2;
/// Fingers stand around a palm if they point and close, both together, no farther than 35 degrees from its normal.
const AROUND_COSINE: f64 = 0.82;
/// A palm that faces farther from straight up than this, degrees, is worth a warning.
const WARN_DEGREES: f64 = 30.0;

/// Where a palm faces.
pub(super) struct Facing {
    /// Where the fingers point, at a right angle to `normal`, if they point to one side.
    along: Option<Vector3<f64>>,
    normal: Vector3<f64>,
}

impl Facing {
    /// Degrees between the palm's normal and straight up.
    fn tilt_degrees(&self) -> f64 {
        self.normal.z.clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// The turn that lets the palm face up and the fingers point along x.
    fn upright(&self) -> UnitQuaternion<f64> {
        let z = self.normal;
        match self.along {
            Some(x) => {
                let axes = Matrix3::from_rows(&[x.transpose(), z.cross(&x).transpose(), z.transpose()]);
                UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes))
            }
            None => UnitQuaternion::rotation_between(&z, &Vector3::z())
                .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI)),
        }
    }
}

/// Where the palm faces with open fingers and a straight wrist.
pub(super) fn facing(tree: &Tree, tips: &[Tip]) -> Option<Facing> {
    let carriers = tree.carriers();
    let carries = |joint: &RawJoint| {
        carriers.iter().any(|link| tree.links[*link].joint.as_ref().is_some_and(|own| own.name == joint.name))
    };
    let open = RawJoint::open_rad;
    let closed = |joint: &RawJoint| {
        let [lower, upper] = joint.limits_rad;
        // A joint that turns as far to both sides spreads the fingers; it does not close them.
        let closes = (upper + lower).abs() > 0.2 * (upper - lower) && !carries(joint);
        let toward = if upper + lower > 0.0 { CLOSING_RAD } else { -CLOSING_RAD };
        (open(joint) + if closes { toward } else { 0.0 }).clamp(lower, upper)
    };
    let (opened, closed) = (tree.poses(open), tree.poses(closed));
    let finger = |tip: &Tip| {
        let at = opened[tip.link] * tip.point_m;
        let base = opened[tree.first_of_finger(&carriers, tip.link)].translation.vector;
        Finger {
            base,
            along: (at.coords - base).try_normalize(1e-6).unwrap_or_default(),
            closing: (closed[tip.link] * tip.point_m - at).try_normalize(1e-6),
        }
    };
    facing_of(&tips.iter().map(finger).collect::<Vec<_>>())
}

/// Where a finger points and where its tip goes as it closes, in lengths of one.
struct Finger {
    base: Vector3<f64>,
    along: Vector3<f64>,
    closing: Option<Vector3<f64>>,
}

fn facing_of(fingers: &[Finger]) -> Option<Facing> {
    let along: Vector3<f64> = fingers.iter().map(|finger| finger.along).sum();
    let closing: Vector3<f64> = fingers.iter().filter_map(|finger| finger.closing).sum();
    let closers = fingers.iter().filter(|finger| finger.closing.is_some()).count();
    if closers == 0 {
        return None;
    }
    if let Some(normal) = around_a_palm(fingers, &(along + closing)) {
        return Some(Facing { along: None, normal });
    }
    let together = |sum: &Vector3<f64>| sum.norm() >= LEAST_SUM.max(TOGETHER_SHARE * closers as f64);
    let Some(x) = along.try_normalize(LEAST_SUM) else {
        let normal = closing.try_normalize(LEAST_SUM)?;
        return Some(Facing { along: None, normal });
    };
    let across = closing - x * closing.dot(&x);
    match across.try_normalize(LEAST_SUM).filter(|_| together(&across)) {
        Some(normal) => Some(without_thumb(fingers, &normal).unwrap_or(Facing { along: Some(x), normal })),
        // Those of a gripper point away from its palm.
        None => Some(Facing { along: None, normal: x }),
    }
}

/// The normal of the plane through the bases of three fingers that stand around a palm, as those of a gripper do, on the
/// side where they point and close to.
fn around_a_palm(fingers: &[Finger], toward: &Vector3<f64>) -> Option<Vector3<f64>> {
    let [a, b, c] = fingers else { return None };
    let (u, v) = (b.base - a.base, c.base - a.base);
    let cross = u.cross(&v);
    // Bases in a row, as those of fingers beside one another, lie in no plane.
    let is_wide = cross.norm() > LEAST_WIDTH * u.norm_squared().max(v.norm_squared()).max((v - u).norm_squared());
    let normal = cross.try_normalize(1e-12).filter(|_| is_wide)?;
    let normal = if normal.dot(toward) < 0.0 { -normal } else { normal };
    (normal.dot(toward) >= AROUND_COSINE * toward.norm()).then_some(normal)
}

/// The same without the fingers that close to another side: a thumb would tilt the palm by its share.
fn without_thumb(fingers: &[Finger], normal: &Vector3<f64>) -> Option<Facing> {
    let agrees = |finger: &&Finger| finger.closing.is_some_and(|closing| closing.dot(normal) >= AGREES_COSINE);
    let agreeing: Vec<&Finger> = fingers.iter().filter(agrees).collect();
    if agreeing.len() < LEAST_FINGERS || agreeing.len() == fingers.len() {
        return None;
    }
    let x = agreeing.iter().map(|finger| finger.along).sum::<Vector3<f64>>().try_normalize(LEAST_SUM)?;
    let closing: Vector3<f64> = agreeing.iter().filter_map(|finger| finger.closing).sum();
    let normal = (closing - x * closing.dot(&x)).try_normalize(LEAST_SUM)?;
    Some(Facing { along: Some(x), normal })
}

/// Turns a hand of which the file does not say how it stands, and says how every hand stands.
pub(super) fn stand(hand: &RawHand, tree: &mut Tree, tips: &[Tip], notes: &mut Notes) {
    const WHAT: &str = "how the hand stands";
    let how = match hand.placement {
        Placement::Unknown => {
            "put a link `world` above the first one, with a fixed joint whose rpy is not zero, to decide"
        }
        Placement::Said(_) | Placement::Drawn => "a `quat` of one body that holds the whole hand decides",
    };
    let Some(facing) = facing(tree, tips) else {
        let done = format!("where its palm faces cannot be told from how its fingers close; z is up; {how}");
        notes.warned(&hand.file, WHAT, "", done);
        return;
    };
    let tilt = facing.tilt_degrees();
    let tilted = tilt > WARN_DEGREES;
    let angle = format!("the palm's normal stands {tilt:.0} degrees from vertical");
    match &hand.placement {
        Placement::Said(_) if tilted => {
            let done = format!(
                "as the file places it, tilted: {angle}. What lies on the palm falls off: turn the first body, so that the palm faces up"
            );
            notes.warned(&hand.file, WHAT, "", done);
        }
        Placement::Said(_) => notes.assumed(&hand.file, WHAT, "", format!("as the file places it: {angle}")),
        Placement::Drawn if !tilted => {
            notes.assumed(&hand.file, WHAT, "", format!("as the file draws it: {angle}; {how}"));
        }
        Placement::Drawn => {
            tree.turn(&facing.upright());
            let done = format!(
                "the file gives its first body no rotation, and as drawn it is tilted: {angle}. It was laid on its back, palm up; {how}, \
                 `1 0 0 0` leaves it as drawn"
            );
            notes.warned(&hand.file, WHAT, "", done);
        }
        Placement::Unknown => {
            let turn = facing.upright();
            tree.turn(&turn);
            let (roll, pitch, yaw) = turn.euler_angles();
            let fingers =
                if facing.along.is_some() { "fingers point along x and close toward +z" } else { "its palm faces up" };
            let done = format!(
                "turned by rpy {roll:.2} {pitch:.2} {yaw:.2}, so that {fingers} (as drawn, {angle}; now 0 degrees); {how}"
            );
            notes.assumed(&hand.file, WHAT, "", done);
        }
    }
}
