//! Everything that rapier would otherwise decide: every setting by name, none left to a default.
//!
//! Where rapier's structs have public fields they are written out whole, so that a setting that a new version adds does not
//! compile until somebody has thought about it. Bodies have private ones: a test looks at them instead.

use crate::parameters::ContactParameters;
use crate::scene::SceneModel;
use rapier3d::dynamics::SoftBodiesSettings;
use rapier3d::prelude::*;

/// Length that rapier's tolerances are scaled by: its defaults suit objects of a metre, ours measure 70 mm.
const LENGTH_UNIT_M: f32 = 0.1;
/// How far two shapes may move against each other before their contact points are found anew, in length units.
/// rapier's default (0.05, here 5 mm) is far too coarse for fingers that roll on an edge.
const CONTACT_RECYCLE_DISTANCE: f32 = 0.002;

/// How time is cut, and how contacts are found and solved.
pub(super) fn integration(scene: &SceneModel, contact: &ContactParameters) -> IntegrationParameters {
    let softness = softness(contact);
    IntegrationParameters {
        dt: scene.substep_secs(),
        contact_softness: softness,
        static_contact_softness: softness,
        length_unit: LENGTH_UNIT_M,
        num_solver_iterations: scene.settings().solver_iteration_count as usize,
        num_internal_pgs_iterations: scene.settings().inner_iteration_count as usize,
        // By default friction is solved in one sweep per step only, however many sweeps there are: it then takes a
        // dozen steps to build up, and what should stick slips for half a second.
        friction_in_bias_pass: true,
        // Sweeps without the springs of the contacts, after which what they pushed apart keeps no speed of it.
        num_internal_stabilization_iterations: 1,
        friction_model: FrictionModel::Coulomb,
        normalized_contact_recycle_distance: CONTACT_RECYCLE_DISTANCE,
        contact_recycling: true,
        // `contact` measures penetrations in the frames of the two colliders, where the manifold of a union of boxes (a
        // prism, see `shape`) has its points in that of one box, unless clusters put them together. Off, what overlaps is
        // measured wrongly without a word.
        contact_clustering: true,
        // Contacts start from the forces of the step before, all of them.
        warmstart_coefficient: 1.0,
        // Of joints between free bodies, of which there are none: fingers are multibodies.
        warmstart_joints: false,
        // 2 mm: contacts are solved from this distance on, before anything touches.
        normalized_prediction_distance: 0.02,
        // 0.3 m/s: what overlaps is pushed apart no faster.
        normalized_max_corrective_velocity: 3.0,
        // 40 m/s: nothing flies faster.
        normalized_max_linear_velocity: 400.0,
        // Continuous collision detection is off: what a hand holds moves by millimetres in a step. The two beside it belong
        // to it.
        max_ccd_substeps: 0,
        min_ccd_dt: 1.0 / 60.0 / 100.0,
        normalized_allowed_linear_error: 0.005,
        // There are no soft bodies: none of its numbers acts on anything.
        soft_bodies: SoftBodiesSettings::default(),
    }
}

/// The spring and damper of contacts, the same against the palm, which is fixed, as against links.
pub(super) fn softness(contact: &ContactParameters) -> SpringCoefficients<f32> {
    SpringCoefficients { natural_frequency: contact.frequency_hz, damping_ratio: contact.damping_ratio }
}

/// A body that a joint or nothing holds, without mass until it is given.
pub(super) fn free_body(pose: Pose, mass: MassProperties) -> RigidBodyBuilder {
    body(RigidBodyBuilder::dynamic().pose(pose).additional_mass_properties(mass))
}

/// A body that never moves.
pub(super) fn fixed_body(pose: Pose) -> RigidBodyBuilder {
    body(RigidBodyBuilder::fixed().pose(pose))
}

fn body(of_kind: RigidBodyBuilder) -> RigidBodyBuilder {
    of_kind
        .linvel(Vector::ZERO)
        .angvel(AngVector::ZERO)
        .gravity_scale(1.0)
        // What damps is in the joints and in the contacts, not in the air.
        .linear_damping(0.0)
        .angular_damping(0.0)
        .gyroscopic_forces_enabled(true)
        // Nothing turns by more than 45 degrees in a step: 31 rad/s at 25 ms.
        .allow_fast_rotation(false)
        .can_sleep(false)
        .sleeping(false)
        .ccd_enabled(false)
        .soft_ccd_prediction(0.0)
        .dominance_group(0)
        .additional_solver_iterations(0)
        .additional_pgs_iterations(0)
        .locked_axes(LockedAxes::empty())
        .enabled(true)
}

/// What meets other shapes, and how.
pub(super) struct Surface {
    pub friction: f32,
    pub restitution: f32,
    pub groups: InteractionGroups,
    /// See `contact::mark`.
    pub mark: u128,
}

/// A collider that weighs nothing: masses are given to bodies.
///
/// The object's own friction is zero and the rule takes the larger of the two, so a hand shape's coefficient *is* the pair's.
pub(super) fn collider(shape: SharedShape, position: Pose, hooks: ActiveHooks, surface: &Surface) -> ColliderBuilder {
    ColliderBuilder {
        shape,
        position,
        mass_properties: ColliderMassProps::Density(0.0),
        friction: surface.friction,
        friction_combine_rule: CoefficientCombineRule::Max,
        restitution: surface.restitution,
        restitution_combine_rule: CoefficientCombineRule::Max,
        collision_groups: surface.groups,
        solver_groups: InteractionGroups::all(),
        // All but what is fixed against what is fixed: the palm against itself.
        active_collision_types: ActiveCollisionTypes::DYNAMIC_DYNAMIC
            | ActiveCollisionTypes::DYNAMIC_KINEMATIC
            | ActiveCollisionTypes::DYNAMIC_FIXED,
        active_hooks: hooks,
        active_events: ActiveEvents::empty(),
        contact_force_event_threshold: 0.0,
        // Shapes are as large as they look.
        contact_skin: 0.0,
        is_sensor: false,
        enabled: true,
        user_data: surface.mark,
    }
}

/// A hinge about rapier's x axis between two frames, with stops, and with a motor if it has one.
pub(super) fn hinge(frames: [Pose; 2], limits: JointLimits<f32>, motor: Option<JointMotor>) -> GenericJoint {
    let axis = JointAxis::AngX as usize;
    let mut joint = GenericJoint {
        local_frame1: frames[0],
        local_frame2: frames[1],
        locked_axes: JointAxesMask::LOCKED_REVOLUTE_AXES,
        limit_axes: JointAxesMask::ANG_X,
        motor_axes: if motor.is_some() { JointAxesMask::ANG_X } else { JointAxesMask::empty() },
        coupled_axes: JointAxesMask::empty(),
        limits: [JointLimits { min: -f32::MAX, max: f32::MAX, impulse: 0.0 }; 6],
        motors: [NO_MOTOR; 6],
        // Of stops and of dry friction: as good as rigid. Hinges themselves cannot give way in a multibody.
        softness: SpringCoefficients { natural_frequency: 1e6, damping_ratio: 1.0 },
        contacts_enabled: false,
        enabled: JointEnabled::Enabled,
        user_data: 0,
    };
    joint.limits[axis] = limits;
    if let Some(motor) = motor {
        joint.motors[axis] = motor;
    }
    joint
}

/// Of an axis that has none.
const NO_MOTOR: JointMotor = JointMotor {
    target_vel: 0.0,
    target_pos: 0.0,
    stiffness: 0.0,
    damping: 0.0,
    max_force: f32::MAX,
    impulse: 0.0,
    model: MotorModel::ForceBased,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the settings of something, as it prints itself.
    fn names(printed: &str) -> Vec<&str> {
        let lines = printed.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        lines.filter_map(|line| line.trim().split_once(':')).map(|(name, _)| name).collect()
    }

    /// A setting that rapier adds shows here, and one whose default it changes does not change ours.
    #[test]
    fn a_body_has_no_setting_that_nobody_thought_about() {
        let ours = free_body(Pose::IDENTITY, MassProperties::default());
        let looked_at = [
            "position",
            "linvel",
            "angvel",
            "gravity_scale",
            "linear_damping",
            "angular_damping",
            "body_type",
            "mprops_flags",
            "additional_mass_properties",
            "can_sleep",
            "sleeping",
            "ccd_enabled",
            "soft_ccd_prediction",
            "allow_fast_rotation",
            "dominance_group",
            "enabled",
            "user_data",
            "additional_solver_iterations",
            "additional_pgs_iterations",
            "gyroscopic_forces_enabled",
        ];
        assert_eq!(names(&format!("{ours:#?}")), looked_at);
    }

    /// They were rapier's defaults when they were written down, and what was measured was measured with them.
    #[test]
    fn what_is_written_down_is_what_was_measured() {
        let mass = MassProperties::default();
        let theirs = RigidBodyBuilder::dynamic().additional_mass_properties(mass).can_sleep(false);
        assert_eq!(free_body(Pose::IDENTITY, mass), theirs);
        assert_eq!(fixed_body(Pose::IDENTITY), RigidBodyBuilder::fixed().can_sleep(false));
        let limits = JointLimits { min: -1.0, max: 2.0, impulse: 0.0 };
        let theirs = GenericJointBuilder::new(JointAxesMask::LOCKED_REVOLUTE_AXES)
            .limits(JointAxis::AngX, [-1.0, 2.0])
            .contacts_enabled(false)
            .build();
        let ours = hinge([Pose::IDENTITY; 2], limits, None);
        assert_eq!(GenericJoint { motors: theirs.motors, ..ours }, theirs);
    }
}
