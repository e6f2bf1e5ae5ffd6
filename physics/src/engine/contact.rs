//! What the object touches, in numbers.

use super::sets::Sets;
use giraffe_robots::Region;
use rapier3d::geometry::NEW_CONTACT_BIT;
use rapier3d::prelude::*;

/// Contact between the object and one region of the hand, or all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ContactTotals {
    /// Points that carried a force in the last physics step. Shapes that are merely near do not count.
    pub point_count: u32,
    /// Shapes of the hand with at least one such point.
    pub shape_count: u32,
    /// Sum of the normal forces at these points, averaged over the last physics step, N.
    pub normal_force_newton: f32,
    /// How deep the shapes overlap now at the deepest of these points, along its normal, m. Zero where none overlap.
    pub deepest_penetration_m: f32,
}

impl ContactTotals {
    fn and(self, other: Self) -> Self {
        Self {
            point_count: self.point_count + other.point_count,
            shape_count: self.shape_count + other.shape_count,
            normal_force_newton: self.normal_force_newton + other.normal_force_newton,
            deepest_penetration_m: self.deepest_penetration_m.max(other.deepest_penetration_m),
        }
    }
}

/// Contact between object and hand in the last physics step, by region of the hand.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ContactSummary {
    /// With the fingertips.
    pub tip: ContactTotals,
    /// With the finger links.
    pub link: ContactTotals,
    /// With palm and mount.
    pub palm: ContactTotals,
}

impl ContactSummary {
    /// All regions together.
    pub fn total(&self) -> ContactTotals {
        self.tip.and(self.link).and(self.palm)
    }

    fn of_region(&mut self, mark: u128) -> Option<&mut ContactTotals> {
        match mark {
            TIP => Some(&mut self.tip),
            LINK => Some(&mut self.link),
            PALM => Some(&mut self.palm),
            _ => None,
        }
    }
}

/// What the object's colliders carry.
pub(super) const NOT_OF_HAND: u128 = 0;
const TIP: u128 = 1;
const LINK: u128 = 2;
const PALM: u128 = 3;

/// What a collider of a region carries as its user data.
pub(super) fn mark(region: Region) -> u128 {
    match region {
        Region::Tip => TIP,
        Region::Link => LINK,
        Region::Palm => PALM,
    }
}

pub(super) fn summarize(physics: &Sets, object: RigidBodyHandle) -> ContactSummary {
    let mut summary = ContactSummary::default();
    // An object of several shapes may touch one of the hand's with more than one of them.
    let mut counted: Vec<ColliderHandle> = Vec::new();
    for &handle in physics.bodies[object].colliders() {
        for pair in physics.narrow_phase.contact_pairs_with(handle) {
            let other = if pair.collider1 == handle { pair.collider2 } else { pair.collider1 };
            if let Some(totals) = summary.of_region(physics.colliders[other].user_data) {
                let mut pair = of_pair(physics, pair);
                if pair.point_count > 0 && !counted.contains(&other) {
                    pair.shape_count = 1;
                    counted.push(other);
                }
                *totals = totals.and(pair);
            }
        }
    }
    summary
}

fn of_pair(physics: &Sets, pair: &ContactPair) -> ContactTotals {
    let dt = physics.integration_parameters.dt;
    let (at1, at2) = (physics.colliders[pair.collider1].position(), physics.colliders[pair.collider2].position());
    let mut totals = ContactTotals::default();
    for manifold in pair.solver_manifolds() {
        let normal = at1.rotation * manifold.local_n1;
        // The solver looks at four points of a manifold at most; what others carry is from an earlier step.
        let solved =
            manifold.data.solver_contacts.iter().map(|contact| (contact.contact_id[0] & !NEW_CONTACT_BIT) as usize);
        for point in solved.filter_map(|index| manifold.points.get(index)).filter(|point| point.data.impulse > 0.0) {
            // Not the stored distance: that is from before the bodies moved, or older where points were recycled.
            let apart_m = (*at2 * point.local_p2 - *at1 * point.local_p1).dot(normal);
            totals = totals.and(ContactTotals {
                point_count: 1,
                shape_count: 0,
                normal_force_newton: point.data.impulse / dt,
                deepest_penetration_m: (-apart_m).max(0.0),
            });
        }
    }
    totals
}
