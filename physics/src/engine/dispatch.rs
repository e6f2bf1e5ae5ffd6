//! How contacts between two shapes are found: rapier's own way, except for cylinders and capsules (see `round`).

use super::round;
use rapier3d::geometry::{ContactData, ContactManifold, ContactManifoldData};
use rapier3d::math::{Pose, Real, Vector};
use rapier3d::parry::query::details::NormalConstraints;
use rapier3d::parry::query::{
    ClosestPoints, Contact, ContactManifoldsWorkspace, DefaultQueryDispatcher, NonlinearRigidMotion,
    PersistentQueryDispatcher, QueryDispatcher, ShapeCastHit, ShapeCastOptions, ShapeDistance, ShapeIntersection,
    Unsupported,
};
use rapier3d::parry::shape::{Shape, ShapeType};

/// rapier's dispatcher, with other contacts for cylinders and capsules.
pub(super) struct Dispatcher {
    /// How often a shape of this world has become another. Points are kept while two shapes hardly move against each other,
    /// also where one of them was given another size (rapier 0.36: a shape that shrinks leaves the object hanging on points
    /// of the one before). So what was found before the last such change is found anew.
    pub revision: u32,
}

impl Dispatcher {
    fn forget_other_shapes(&self, manifolds: &mut [ContactManifold]) {
        for manifold in manifolds.iter_mut().filter(|manifold| manifold.data.user_data != self.revision) {
            manifold.mark_shapes_deformed();
        }
    }

    fn sign(&self, manifolds: &mut [ContactManifold]) {
        manifolds.iter_mut().for_each(|manifold| manifold.data.user_data = self.revision);
    }
}

/// Whether this pair is `round`'s. Balls, and two capsules, have formulas of their own in rapier.
fn is_rounds(g1: &dyn Shape, g2: &dyn Shape) -> bool {
    let types = (g1.shape_type(), g2.shape_type());
    let has_formula =
        matches!(types, (ShapeType::Ball, _) | (_, ShapeType::Ball) | (ShapeType::Capsule, ShapeType::Capsule));
    (round::is_round(g1) || round::is_round(g2)) && !has_formula
}

impl PersistentQueryDispatcher<ContactManifoldData, ContactData> for Dispatcher {
    fn contact_manifolds(
        &self,
        pos12: &Pose,
        g1: &dyn Shape,
        g2: &dyn Shape,
        prediction: Real,
        manifolds: &mut Vec<ContactManifold>,
        workspace: &mut Option<ContactManifoldsWorkspace>,
    ) -> Result<(), Unsupported> {
        if manifolds.capacity() == 0 {
            // Most pairs have one for as long as they live; a vector that grows by itself begins with room for four.
            manifolds.reserve_exact(1);
        }
        if is_rounds(g1, g2) {
            if manifolds.is_empty() {
                manifolds.push(ContactManifold::new());
            }
            if round::contacts(pos12, g1, g2, prediction, &mut manifolds[0]).is_some() {
                return Ok(());
            }
        }
        if self.revision == 0 {
            return DefaultQueryDispatcher.contact_manifolds(pos12, g1, g2, prediction, manifolds, workspace);
        }
        self.forget_other_shapes(manifolds);
        let found = DefaultQueryDispatcher.contact_manifolds(pos12, g1, g2, prediction, manifolds, workspace);
        self.sign(manifolds);
        found
    }

    fn contact_manifold_convex_convex(
        &self,
        pos12: &Pose,
        g1: &dyn Shape,
        g2: &dyn Shape,
        constraints1: Option<&dyn NormalConstraints>,
        constraints2: Option<&dyn NormalConstraints>,
        prediction: Real,
        manifold: &mut ContactManifold,
    ) -> Result<(), Unsupported> {
        if is_rounds(g1, g2) && round::contacts(pos12, g1, g2, prediction, manifold).is_some() {
            return Ok(());
        }
        let rapiers = DefaultQueryDispatcher;
        rapiers.contact_manifold_convex_convex(pos12, g1, g2, constraints1, constraints2, prediction, manifold)
    }
}

/// Other questions than that for contacts: rapier's answers.
impl QueryDispatcher for Dispatcher {
    fn intersection_test(
        &self,
        pos12: &Pose,
        g1: &dyn Shape,
        g2: &dyn Shape,
    ) -> Result<ShapeIntersection, Unsupported> {
        DefaultQueryDispatcher.intersection_test(pos12, g1, g2)
    }

    fn distance(&self, pos12: &Pose, g1: &dyn Shape, g2: &dyn Shape) -> Result<ShapeDistance, Unsupported> {
        DefaultQueryDispatcher.distance(pos12, g1, g2)
    }

    fn contact(
        &self,
        pos12: &Pose,
        g1: &dyn Shape,
        g2: &dyn Shape,
        prediction: Real,
    ) -> Result<Option<Contact>, Unsupported> {
        DefaultQueryDispatcher.contact(pos12, g1, g2, prediction)
    }

    fn closest_points(
        &self,
        pos12: &Pose,
        g1: &dyn Shape,
        g2: &dyn Shape,
        max_dist: Real,
    ) -> Result<ClosestPoints, Unsupported> {
        DefaultQueryDispatcher.closest_points(pos12, g1, g2, max_dist)
    }

    fn cast_shapes(
        &self,
        pos12: &Pose,
        local_vel12: Vector,
        g1: &dyn Shape,
        g2: &dyn Shape,
        options: ShapeCastOptions,
    ) -> Result<Option<ShapeCastHit>, Unsupported> {
        DefaultQueryDispatcher.cast_shapes(pos12, local_vel12, g1, g2, options)
    }

    fn cast_shapes_nonlinear(
        &self,
        motion1: &NonlinearRigidMotion,
        g1: &dyn Shape,
        motion2: &NonlinearRigidMotion,
        g2: &dyn Shape,
        start_time: Real,
        end_time: Real,
        stop_at_penetration: bool,
    ) -> Result<Option<ShapeCastHit>, Unsupported> {
        let rapiers = DefaultQueryDispatcher;
        rapiers.cast_shapes_nonlinear(motion1, g1, motion2, g2, start_time, end_time, stop_at_penetration)
    }
}
