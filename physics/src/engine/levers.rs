//! Links of the hand that touch each other where no joint can part them.
//!
//! A hinge cannot give way sideways. Where two fingers that only bend lie side by side, the mass that the engine sees along
//! the normal of their contact is that of rounding errors: to part what overlaps by a tenth of a millimetre, a joint is then
//! asked for 10^5 rad/s, and friction there holds like a weld. Real fingers press and move on. So such points are left out;
//! where the lever is short, a contact may ask for no more speed than a joint has; and links slip on each other, since six
//! sweeps do not settle friction between strong servos (of 10,000 random hands 216 came apart with it, 60 without).

use super::care::joints_above;
use super::convert;
use super::hand::HandJoint;
use giraffe_robots::{JointModel, RobotModel};
use rapier3d::prelude::*;

/// A point of contact between links acts only if some joint moves one side along the normal by so much per radian, m: less
/// is within what links and bearings give way.
pub(super) const LEAST_LEVER_M: f32 = 0.005;
/// How deep such a contact counts as, at most, per lever. Contacts of 30 Hz are taken away at some 15 times their depth per
/// second, so that no joint is asked for more than 1 rad/s.
const DEPTH_PER_LEVER: f32 = 0.05;

/// A joint as it is fixed to its link.
struct Hinge {
    link: RigidBodyHandle,
    axis: Vector,
    anchor: Vector,
}

/// What moves each link.
pub(super) struct Levers {
    hinges: Vec<Hinge>,
    /// For each link that a joint moves, the joints between it and the palm.
    links: Vec<(RigidBodyHandle, Vec<usize>)>,
}

impl Levers {
    pub fn of(robot: &RobotModel, joints: &[HandJoint], set: &MultibodyJointSet) -> Self {
        let hinge = |(model, joint): (&JointModel, &HandJoint)| Hinge {
            link: joint.link_body(set),
            axis: convert::vector(&model.axis),
            anchor: convert::vector(&model.anchor_m.coords),
        };
        let hinges: Vec<Hinge> = robot.joints.iter().zip(joints).map(hinge).collect();
        let above = |(hinge, model): (&Hinge, &JointModel)| (hinge.link, joints_above(robot, model.body));
        let links = hinges.iter().zip(&robot.joints).map(above).collect();
        Self { hinges, links }
    }

    /// The palm has none.
    fn joints_of(&self, body: Option<RigidBodyHandle>) -> &[usize] {
        let found = self.links.iter().find(|(link, _)| Some(*link) == body);
        found.map_or(&[], |(_, joints)| joints)
    }
}

/// By how much the sides of a contact part along its normal per radian of the joint that parts them best, m. `sides`: the
/// joints between each side and the palm; `hinge`: where a joint's axis is now, and a point on it.
pub(super) fn lever_m(
    sides: [&[usize]; 2],
    at: Vector,
    normal: Vector,
    hinge: impl Fn(usize) -> (Vector, Vector),
) -> f32 {
    let [one, other] = sides;
    let of = |joint: &usize| {
        let (axis, anchor) = hinge(*joint);
        normal.dot(axis.cross(at - anchor)).abs()
    };
    // What moves both sides parts them by nothing.
    let own = one.iter().filter(|joint| !other.contains(joint));
    let others = other.iter().filter(|joint| !one.contains(joint));
    own.chain(others).map(of).fold(0.0, f32::max)
}

impl PhysicsHooks for Levers {
    fn modify_solver_contacts(&self, context: &mut ContactModificationContext) {
        let of_hand = |collider: ColliderHandle| context.colliders[collider].user_data != super::contact::NOT_OF_HAND;
        if !of_hand(context.collider1) || !of_hand(context.collider2) {
            return;
        }
        let sides = [context.rigid_body1, context.rigid_body2].map(|body| self.joints_of(body));
        let bodies = context.bodies;
        let Some(contact) = context.rigid_mut() else { return };
        *contact.friction = 0.0;
        let normal = *contact.normal;
        contact.solver_contacts.retain_mut(|point| {
            let lever_m = lever_m(sides, point.anchor1, normal, |joint| {
                let Hinge { link, axis, anchor } = self.hinges[joint];
                let palm_from_link = bodies[link].position();
                (palm_from_link.rotation * axis, *palm_from_link * anchor)
            });
            point.dist = point.dist.max(-DEPTH_PER_LEVER * lever_m);
            lever_m >= LEAST_LEVER_M
        });
    }
}
