//! Dynamics of trees of hinges on a fixed root: fingers, arms, legs.
//!
//! The same quantities as in the general formulation of [`Multibody`] (same formulas, so the same
//! results up to rounding), computed without matrices of run-time size: every link but the root
//! has exactly one degree of freedom, a rotation, so its Jacobian is one column per degree of
//! freedom, kept here as six rows of `N` lanes that the compiler turns into vector instructions.
//!
//! - Columns of degrees of freedom that do not move a link are zero and stay zero.
//! - The mass matrices have the sparsity of the tree: eliminating degrees of freedom from the
//!   leaves to the root creates no new entries (Featherstone, *Rigid Body Dynamics Algorithms*,
//!   2008, §6.5), and needs no pivoting.
//! - The inverse of the mass matrix is kept explicitly: constraints on single degrees of freedom
//!   read a column of it instead of solving a system each.

use super::multibody::Multibody;
use crate::alloc_prelude::*;
use crate::dynamics::RigidBodySet;
use crate::math::{ANG_DIM, DIM, Real, SPATIAL_DIM, Vector};
use crate::prelude::RigidBodyVelocity;
use crate::utils::AngularInertiaOps;

/// The largest number of degrees of freedom that take this path.
pub(super) const MAX_HINGES: usize = 32;

/// What is kept between steps for a tree of hinges.
#[cfg_attr(feature = "serde-serialize", derive(Serialize, Deserialize))]
#[derive(Clone, Debug, Default)]
pub(super) struct HingeTree {
    /// Whether the multibody is one. Otherwise nothing here means anything.
    pub is_active: bool,
    /// For each degree of freedom, those of the links that carry it (bit by bit), without itself.
    carriers: Vec<u32>,
    /// The inverse of the augmented mass matrix (without Coriolis terms), column by column.
    inverse: Vec<Real>,
}

/// Six rows of one lane per degree of freedom: three of translation, three of rotation.
type Rows<const N: usize> = [[Real; N]; SPATIAL_DIM];

/// `column × s` of three rows, added to `out`.
#[inline(always)]
fn add_cross<const N: usize>(out: &mut [[Real; N]], column: &[[Real; N]], s: Vector) {
    for k in 0..N {
        let (x, y, z) = (column[0][k], column[1][k], column[2][k]);
        out[0][k] += y * s.z - z * s.y;
        out[1][k] += z * s.x - x * s.z;
        out[2][k] += x * s.y - y * s.x;
    }
}

/// `column × s + s2 × (column × s3)` of three rows, added to `out`.
#[inline(always)]
fn add_crosses<const N: usize>(
    out: &mut [[Real; N]],
    column: &[[Real; N]],
    s: Vector,
    s2: Vector,
    s3: Vector,
) {
    for k in 0..N {
        let (x, y, z) = (column[0][k], column[1][k], column[2][k]);
        let (cx, cy, cz) = (y * s3.z - z * s3.y, z * s3.x - x * s3.z, x * s3.y - y * s3.x);
        out[0][k] += (y * s.z - z * s.y) + (s2.y * cz - s2.z * cy);
        out[1][k] += (z * s.x - x * s.z) + (s2.z * cx - s2.x * cz);
        out[2][k] += (x * s.y - y * s.x) + (s2.x * cy - s2.y * cx);
    }
}

impl HingeTree {
    /// `rhs` becomes the inverse of the augmented mass matrix times itself.
    #[inline]
    pub fn solve(&self, rhs: &mut [Real]) {
        match rhs.len() {
            4 => self.solve_fixed::<4>(rhs),
            n => {
                let mut out = [0.0; MAX_HINGES];
                for (column, b) in self.inverse.chunks_exact(n).zip(&*rhs) {
                    if *b != 0.0 {
                        out[..n].iter_mut().zip(column).for_each(|(out, m)| *out += m * b);
                    }
                }
                rhs.copy_from_slice(&out[..n]);
            }
        }
    }

    #[inline(always)]
    fn solve_fixed<const N: usize>(&self, rhs: &mut [Real]) {
        let rhs: &mut [Real; N] = rhs.try_into().expect("as many as there are degrees of freedom");
        let mut out = [0.0; N];
        for (column, b) in self.inverse.chunks_exact(N).zip(&*rhs) {
            for k in 0..N {
                out[k] += column[k] * b;
            }
        }
        *rhs = out;
    }

    /// Writes `Jᵀ f` into the first half of `out`, and the product of the inverse mass matrix with
    /// it into the second; the product of both halves.
    #[inline]
    pub fn fill(&self, jacobian: &[Real], force: &[Real], out: &mut [Real]) -> Real {
        let ndofs = out.len() / 2;
        let (j, wj) = out.split_at_mut(ndofs);
        let force: &[Real; SPATIAL_DIM] = force.try_into().expect("force and torque");
        for (out, column) in j.iter_mut().zip(jacobian.chunks_exact(SPATIAL_DIM)) {
            *out = column.iter().zip(force).fold(0.0, |sum, (j, f)| sum + j * f);
        }
        wj.copy_from_slice(j);
        self.solve(wj);
        j.iter().zip(&*wj).fold(0.0, |sum, (j, wj)| sum + j * wj)
    }

    /// The column of the inverse augmented mass matrix for one degree of freedom.
    #[inline]
    pub fn inverse_column(&self, dof: usize, ndofs: usize) -> &[Real] {
        &self.inverse[dof * ndofs..(dof + 1) * ndofs]
    }
}

/// Mass matrices of a tree, with room for `N` degrees of freedom.
struct Matrices<const N: usize> {
    /// Without Coriolis terms.
    mass: [[Real; N]; N],
    /// With Coriolis and gyroscopic terms.
    acc_mass: [[Real; N]; N],
    /// Generalized forces.
    forces: [Real; N],
    /// The part of them that does not come from velocities.
    position_forces: [Real; N],
}

impl Multibody {
    /// Looks whether this is a tree of hinges on a fixed root.
    pub(super) fn update_hinge_tree(&mut self) {
        let ndofs = self.ndofs();
        let is_hinge = |link: &super::MultibodyLink| {
            let locked = link.joint.data.locked_axes.bits();
            locked & 0b111 == 0b111 && link.joint.ndofs() == 1 && !link.joint.kinematic
        };
        let links = &self.links.0;
        let is_active = ndofs > 0
            && ndofs <= MAX_HINGES
            && links.len() == ndofs + 1
            && links[0].joint.ndofs() == 0
            && links[1..].iter().enumerate().all(|(i, link)| link.assembly_id == i && is_hinge(link));
        let was_active = core::mem::replace(&mut self.hinges.is_active, is_active);
        if !is_active {
            return;
        }
        let mut is_other = !was_active || self.hinges.carriers.len() != ndofs;
        self.hinges.carriers.resize(ndofs, 0);
        self.hinges.inverse.resize(ndofs * ndofs, 0.0);
        for dof in 0..ndofs {
            let carriers = match links[dof + 1].parent_internal_id {
                0 => 0,
                parent => self.hinges.carriers[parent - 1] | 1 << (parent - 1),
            };
            is_other |= self.hinges.carriers[dof] != carriers;
            self.hinges.carriers[dof] = carriers;
        }
        if is_other {
            // Columns of degrees of freedom that do not move a link are never written again.
            self.body_jacobians.iter_mut().for_each(|jacobian| jacobian.fill(0.0));
        }
    }

    /// Poses and body Jacobians of a tree of hinges, except for its root's.
    pub(super) fn update_hinge_kinematics(&mut self, bodies: &RigidBodySet) {
        let ndofs = self.ndofs();
        for i in 0..self.links.len() {
            if self.body_jacobians[i].ncols() != ndofs {
                self.body_jacobians[i] = crate::math::Jacobian::zeros(ndofs);
            }
        }
        for i in 1..self.links.len() {
            let (link, parent) = self.links.get_mut_with_parent(i);
            let parent_id = parent.internal_id;
            let data = &link.joint.data;
            // The rotation of `MultibodyJoint::body_to_parent`; both frames have their origin on
            // the hinge.
            let (frame1, frame2) = (&data.local_frame1, &data.local_frame2);
            let turned = link.joint.joint_rot * frame2.rotation.inverse();
            let parent_from_hinge = frame1.rotation * turned;
            link.local_to_parent.rotation = parent_from_hinge;
            link.local_to_parent.translation =
                frame1.translation - parent_from_hinge * frame2.translation;
            let rotation = parent.local_to_world.rotation * parent_from_hinge;
            let anchor = parent.local_to_world * frame1.translation;
            link.local_to_world.rotation = rotation;
            link.local_to_world.translation = anchor - rotation * frame2.translation;
            let (parent_rb, rb) = (&bodies[parent.rigid_body], &bodies[link.rigid_body]);
            assert!(
                rb.is_dynamic(),
                "A rigid-body that is not at the root of a multibody must be dynamic."
            );
            let parent_com = parent.local_to_world * parent_rb.mprops.local_mprops.local_com;
            link.shift02 = anchor - parent_com;
            link.shift23 =
                link.local_to_world * rb.mprops.local_mprops.local_com - anchor;

            let shift = link.shift02 + link.shift23;
            let axis = (data.locked_axes.bits() >> DIM).trailing_ones() as usize;
            // The axis of a hinge is the same in both frames.
            let axis = rotation * (frame2.rotation * Vector::AXES[axis]);
            let own_shift: Vector = link.shift23;
            let mut carriers = self.hinges.carriers[i - 1];
            let (parents, children) = self.body_jacobians.split_at_mut(i);
            let (from, to) = (parents[parent_id].as_slice(), children[0].as_mut_slice());
            while carriers != 0 {
                let k = SPATIAL_DIM * carriers.trailing_zeros() as usize;
                carriers &= carriers - 1;
                let from: &[Real; SPATIAL_DIM] =
                    from[k..k + SPATIAL_DIM].try_into().expect("six rows");
                let w = Vector::new(from[3], from[4], from[5]);
                let v = Vector::new(from[0], from[1], from[2]) + w.cross(shift);
                to[k..k + SPATIAL_DIM].copy_from_slice(&[v.x, v.y, v.z, w.x, w.y, w.z]);
            }
            let own = SPATIAL_DIM * (i - 1);
            let v = axis.cross(own_shift);
            to[own..own + SPATIAL_DIM].copy_from_slice(&[v.x, v.y, v.z, axis.x, axis.y, axis.z]);
        }
    }

    /// Cuts velocities of a tree of hinges to what lets no joint pass a limit within `dt`. The rows of
    /// the limits ask for the same, but what is solved after them may leave some.
    pub(crate) fn stop_at_limits(&self, dt: Real, velocities: &mut [Real]) {
        if !self.hinges.is_active {
            return;
        }
        for (link, velocity) in self.links[1..].iter().zip(velocities) {
            let data = &link.joint.data;
            let axis = DIM + (data.locked_axes.bits() >> DIM).trailing_ones() as usize;
            let (limits, at) = (&data.limits[axis], link.joint.coords[axis]);
            if data.limit_axes.bits() & (1 << axis) != 0 && at >= limits.min && at <= limits.max {
                *velocity = velocity.max((limits.min - at) / dt).min((limits.max - at) / dt);
            }
        }
    }

    /// Mass matrices, their inverse, and accelerations of a tree of hinges.
    pub(super) fn update_hinge_dynamics(&mut self, dt: Real, bodies: &RigidBodySet) {
        match self.ndofs() {
            0..=4 => self.update_hinge_dynamics_of::<4>(dt, bodies),
            5..=8 => self.update_hinge_dynamics_of::<8>(dt, bodies),
            9..=16 => self.update_hinge_dynamics_of::<16>(dt, bodies),
            17..=24 => self.update_hinge_dynamics_of::<24>(dt, bodies),
            _ => self.update_hinge_dynamics_of::<MAX_HINGES>(dt, bodies),
        }
    }

    fn update_hinge_dynamics_of<const N: usize>(&mut self, dt: Real, bodies: &RigidBodySet) {
        let n = self.ndofs();
        let mut m = Matrices::<N> {
            mass: [[0.0; N]; N],
            acc_mass: [[0.0; N]; N],
            forces: [0.0; N],
            position_forces: [0.0; N],
        };
        self.add_hinge_links(dt, bodies, &mut m);
        self.add_hinge_joints(dt, &mut m);
        for (column, row) in m.mass[..n].iter().enumerate() {
            self.augmented_mass.as_mut_slice()[column * n..(column + 1) * n]
                .copy_from_slice(&row[..n]);
        }
        self.invert_hinge_mass::<N>(&m.mass);
        let carriers = &self.hinges.carriers;
        let mut accelerations = m.forces;
        solve_tree(carriers, m.acc_mass, &mut accelerations);
        if dt * self.velocities.amax() >= 1.0e-3 && self.gains_energy(dt, &m, &accelerations) {
            // The implicit solve injected energy: fall back to the plain mass matrix. See
            // `Multibody::free_velocity_energy_guard`.
            accelerations = m.forces;
            self.hinges.solve(&mut accelerations[..n]);
            if !accelerations.iter().all(|x| x.is_finite()) {
                accelerations = [0.0; N];
            }
        }
        self.accelerations.as_mut_slice().copy_from_slice(&accelerations[..n]);
    }

    /// What the links contribute: inertia, Coriolis and gyroscopic terms, external forces.
    fn add_hinge_links<const N: usize>(
        &mut self,
        dt: Real,
        bodies: &RigidBodySet,
        m: &mut Matrices<N>,
    ) {
        let n = self.ndofs();
        // Coriolis terms of the links so far: translation, then rotation.
        let mut coriolis = [[[0.0; N]; SPATIAL_DIM]; N];
        let mut spins = [Vector::ZERO; N];
        self.workspace.accs[0] = RigidBodyVelocity::zero();
        for i in 1..=n {
            let link = &self.links[i];
            let rb = &bodies[link.rigid_body];
            let parent_id = link.parent_internal_id;
            let w = rb.vels.angvel;
            let parent_w = if parent_id == 0 { Vector::ZERO } else { spins[parent_id - 1] };
            spins[i - 1] = w;
            let joint_w = link.joint_velocity.angvel;
            let (s02, s23) = (link.shift02, link.shift23);
            let jacobian = rows_of::<N>(self.body_jacobians[i].as_slice());

            // The same recursion as in `Multibody::update_mass_matrix`, where the joint has no
            // linear velocity and the root does not move.
            let mut c: Rows<N> = [[0.0; N]; SPATIAL_DIM];
            if parent_id != 0 {
                c = coriolis[parent_id - 1];
                let (cv, cw) = c.split_at_mut(DIM);
                add_cross(cv, cw, s02);
                let parent_j = rows_of::<N>(self.body_jacobians[parent_id].as_slice());
                add_crosses(cv, &parent_j[DIM..], w.cross(s02), parent_w, s02);
                for k in 0..N {
                    let (x, y, z) = (parent_j[3][k], parent_j[4][k], parent_j[5][k]);
                    cw[0][k] -= joint_w.y * z - joint_w.z * y;
                    cw[1][k] -= joint_w.z * x - joint_w.x * z;
                    cw[2][k] -= joint_w.x * y - joint_w.y * x;
                }
            }
            let own = Vector::new(jacobian[3][i - 1], jacobian[4][i - 1], jacobian[5][i - 1]);
            let own = parent_w.cross(own);
            c[3][i - 1] += own.x;
            c[4][i - 1] += own.y;
            c[5][i - 1] += own.z;
            {
                let (cv, cw) = c.split_at_mut(DIM);
                add_cross(cv, cw, s23);
                add_crosses(cv, &jacobian[DIM..], w.cross(s23), w, s23);
            }
            coriolis[i - 1] = c;

            let mass = rb.mprops.effective_mass();
            let inertia = rb.mprops.effective_angular_inertia();
            add_hinge_inertia(m, self.hinges.carriers[i - 1] | 1 << (i - 1), &jacobian, &c, mass, inertia, w, dt);

            let parent_acc = self.workspace.accs[parent_id];
            let mut acc = parent_acc;
            acc.angvel += parent_w.cross(joint_w);
            acc.linvel += parent_w.cross(parent_w.cross(s02)) + parent_acc.angvel.cross(s02);
            acc.linvel += w.cross(w.cross(s23)) + acc.angvel.cross(s23);
            self.workspace.accs[i] = acc;
            let gyroscopic = w.cross(inertia.transform_vector(w));
            let force = rb.forces.force - mass * acc.linvel;
            let torque = rb.forces.torque - gyroscopic - inertia.transform_vector(acc.angvel);
            add_generalized(&mut m.forces, &jacobian, force, torque);
            add_generalized(&mut m.position_forces, &jacobian, rb.forces.force, rb.forces.torque);
        }
    }

    /// What the joints contribute: damping, armature, springs.
    fn add_hinge_joints<const N: usize>(&self, dt: Real, m: &mut Matrices<N>) {
        for dof in 0..self.ndofs() {
            let joint = &self.links[dof + 1].joint;
            let axis = DIM + (joint.data.locked_axes.bits() >> DIM).trailing_ones() as usize;
            let velocity = self.velocities[dof];
            m.forces[dof] -= self.damping[dof] * velocity;
            let mut diagonal = self.damping[dof] * dt + self.armature[dof];
            let k = joint.spring_stiffness[axis];
            if k != 0.0 {
                let force = -k * (joint.coords[axis] - joint.spring_ref[axis]);
                m.forces[dof] += force - k * dt * velocity;
                m.position_forces[dof] += force;
                diagonal += k * dt * dt;
            }
            m.mass[dof][dof] += diagonal;
            m.acc_mass[dof][dof] += diagonal;
        }
    }

    /// `L D Lᵀ` from the leaves to the root, then one solve per unit vector.
    fn invert_hinge_mass<const N: usize>(&mut self, mass: &[[Real; N]; N]) {
        let n = self.ndofs();
        let carriers = &self.hinges.carriers;
        let mut l = *mass;
        let mut inv_d = [0.0; N];
        for k in (0..n).rev() {
            inv_d[k] = 1.0 / l[k][k];
            let row = l[k];
            let mut above = carriers[k];
            while above != 0 {
                let i = above.trailing_zeros() as usize;
                above &= above - 1;
                let factor = row[i] * inv_d[k];
                l[k][i] = factor;
                // Entries beyond the diagonal are written, and never read.
                for j in 0..N {
                    l[i][j] -= factor * row[j];
                }
            }
        }
        for unit in 0..n {
            let mut x = [0.0; N];
            x[unit] = 1.0;
            // Upwards: only the unit itself and what carries it.
            let mut up = carriers[unit] | 1 << unit;
            while up != 0 {
                let k = 31 - up.leading_zeros() as usize;
                up &= !(1 << k);
                let mut above = carriers[k];
                while above != 0 {
                    let i = above.trailing_zeros() as usize;
                    above &= above - 1;
                    x[i] -= l[k][i] * x[k];
                }
            }
            for k in 0..n {
                let mut sum = x[k] * inv_d[k];
                let mut above = carriers[k];
                while above != 0 {
                    let i = above.trailing_zeros() as usize;
                    above &= above - 1;
                    sum -= l[k][i] * x[i];
                }
                x[k] = sum;
            }
            self.hinges.inverse[unit * n..(unit + 1) * n].copy_from_slice(&x[..n]);
        }
    }

    /// Whether these accelerations add more energy than the forces' work, or are no numbers: the
    /// same test as `Multibody::free_velocity_energy_guard`.
    fn gains_energy<const N: usize>(&self, dt: Real, m: &Matrices<N>, a: &[Real; N]) -> bool {
        let mut v = [0.0; N];
        v[..self.ndofs()].copy_from_slice(self.velocities.as_slice());
        let (m_a, m_v) = (multiply(&m.mass, a), multiply(&m.mass, &v));
        let energy_delta = dt * dot(&v, &m_a) + 0.5 * dt * dt * dot(a, &m_a);
        let work = dt * dot(&v, &m.forces) + 0.5 * dt * dt * dot(a, &m.position_forces);
        let margin = 1.0e-2 * 0.5 * dot(&v, &m_v) + 1.0e-8;
        let excess = energy_delta - work - margin;
        !(excess <= 0.0) || !a.iter().all(|x| x.is_finite())
    }
}

#[inline(always)]
fn rows_of<const N: usize>(columns: &[Real]) -> Rows<N> {
    let mut rows = [[0.0; N]; SPATIAL_DIM];
    for (k, column) in columns.chunks_exact(SPATIAL_DIM).enumerate().take(N) {
        for (row, value) in rows.iter_mut().zip(column) {
            row[k] = *value;
        }
    }
    rows
}

/// Mass of a link in the degrees of freedom that move it.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn add_hinge_inertia<const N: usize>(
    m: &mut Matrices<N>,
    mut moved_by: u32,
    j: &Rows<N>,
    c: &Rows<N>,
    mass: Vector,
    inertia: crate::math::AngularInertia,
    w: Vector,
    dt: Real,
) {
    let i = inertia.into_matrix();
    // Derivative of gyroscopic forces: [w]× I − [I w]×.
    let iw = inertia.transform_vector(w);
    let gyro = |axis: Vector| {
        let i_axis = i * axis;
        w.cross(i_axis) - iw.cross(axis)
    };
    let (gx, gy, gz) = (gyro(Vector::X), gyro(Vector::Y), gyro(Vector::Z));
    let (ix, iy, iz) = (i * Vector::X, i * Vector::Y, i * Vector::Z);
    // Momentum per velocity, and what Coriolis and gyroscopic terms add to it.
    let mut p: Rows<N> = [[0.0; N]; SPATIAL_DIM];
    let mut q: Rows<N> = [[0.0; N]; SPATIAL_DIM];
    for k in 0..N {
        for r in 0..DIM {
            p[r][k] = mass[r] * j[r][k];
            q[r][k] = p[r][k] + mass[r] * dt * c[r][k];
            let (x, y, z) = (j[3][k], j[4][k], j[5][k]);
            p[3 + r][k] = ix[r] * x + iy[r] * y + iz[r] * z;
            let turned = gx[r] * x + gy[r] * y + gz[r] * z;
            let swept = ix[r] * c[3][k] + iy[r] * c[4][k] + iz[r] * c[5][k];
            q[3 + r][k] = p[3 + r][k] + dt * (turned + swept);
        }
    }
    while moved_by != 0 {
        let row = moved_by.trailing_zeros() as usize;
        moved_by &= moved_by - 1;
        let (mut mass, mut acc_mass) = (m.mass[row], m.acc_mass[row]);
        for r in 0..DIM + ANG_DIM {
            let f = j[r][row];
            for k in 0..N {
                mass[k] += f * p[r][k];
                acc_mass[k] += f * q[r][k];
            }
        }
        (m.mass[row], m.acc_mass[row]) = (mass, acc_mass);
    }
}

#[inline(always)]
fn add_generalized<const N: usize>(out: &mut [Real; N], j: &Rows<N>, force: Vector, torque: Vector) {
    for k in 0..N {
        out[k] += j[0][k] * force.x
            + j[1][k] * force.y
            + j[2][k] * force.z
            + j[3][k] * torque.x
            + j[4][k] * torque.y
            + j[5][k] * torque.z;
    }
}

/// Solves `m x = b` in place, where `m` has the sparsity of a tree: from the leaves to the root.
#[inline(always)]
fn solve_tree<const N: usize>(carriers: &[u32], mut m: [[Real; N]; N], b: &mut [Real; N]) {
    let n = carriers.len();
    for k in (0..n).rev() {
        let inv = 1.0 / m[k][k];
        let row = m[k];
        let mut above = carriers[k];
        while above != 0 {
            let i = above.trailing_zeros() as usize;
            above &= above - 1;
            let factor = m[i][k] * inv;
            for j in 0..N {
                m[i][j] -= factor * row[j];
            }
            b[i] -= factor * b[k];
        }
    }
    for k in 0..n {
        let mut sum = b[k];
        let mut above = carriers[k];
        while above != 0 {
            let i = above.trailing_zeros() as usize;
            above &= above - 1;
            sum -= m[k][i] * b[i];
        }
        b[k] = sum / m[k][k];
    }
}

#[inline(always)]
fn multiply<const N: usize>(m: &[[Real; N]; N], x: &[Real; N]) -> [Real; N] {
    let mut out = [0.0; N];
    for (row, x) in m.iter().zip(x) {
        for k in 0..N {
            out[k] += row[k] * x;
        }
    }
    out
}

#[inline(always)]
fn dot<const N: usize>(a: &[Real; N], b: &[Real; N]) -> Real {
    let mut sum = 0.0;
    for k in 0..N {
        sum += a[k] * b[k];
    }
    sum
}
