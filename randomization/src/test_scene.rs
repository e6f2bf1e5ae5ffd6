//! A finger with two joints and a cube, for the tests of this crate.

use giraffe_physics::{PhysicsSettings, SceneModel, WorldParameters};
use giraffe_robots::{
    BodyModel, ControlSpec, FingertipModel, GeomModel, GeomShape, HoldAt, JointModel, Limits, OBJECTS, Region,
    RobotModel, SafetySpec, ServoLimits, Task,
};
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};
use std::sync::Arc;

/// A task with episodes of 20 s at 20 Hz.
pub fn task() -> &'static dyn Task {
    giraffe_robots::tasks::TASKS[0]
}

pub fn nominal() -> WorldParameters {
    WorldParameters::nominal(&scene())
}

pub fn scene() -> Arc<SceneModel> {
    let robot = RobotModel {
        name: "finger".to_owned(),
        bodies: vec![
            body("palm", None, Region::Palm),
            body("link", Some(0), Region::Link),
            body("tip", Some(1), Region::Tip),
        ],
        joints: vec![joint("root", 1), joint("end", 2)],
        couplings: Vec::new(),
        fingertips: vec![fingertip("index", 1), fingertip("middle", 2)],
        contact_excludes: Vec::new(),
        control: ControlSpec { period_secs: 0.05 },
        home_rad: vec![0.3, 0.4],
        palm_from_object_home: Isometry3::translation(0.1, 0.0, 0.05),
        resting_normal: Vector3::z(),
        safety: SafetySpec {
            target_velocity_rad_per_sec: 4.0,
            target_acceleration_rad_per_sec2: 40.0,
            tracking_band_rad: 0.5,
            hold_after_secs: 0.2,
            relax_after_secs: 5.0,
            off_after_secs: 2.0,
            hold: HoldAt::LastTarget,
            servos: ServoLimits::REFERENCE,
        },
        servos: None,
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
    };
    Arc::new(SceneModel::new(Arc::new(robot), OBJECTS[0].clone(), PhysicsSettings::default()))
}

fn body(name: &str, parent: Option<usize>, region: Region) -> BodyModel {
    BodyModel {
        name: name.to_owned(),
        parent,
        parent_from_body: Isometry3::translation(0.05, 0.0, 0.0),
        joint: parent,
        mass_kg: 0.03,
        center_of_mass_m: Point3::origin(),
        principal_inertia_kg_m2: Vector3::repeat(1e-5),
        body_from_principal: UnitQuaternion::identity(),
        geoms: vec![GeomModel {
            name: format!("{name}_box"),
            shape: GeomShape::Box { half_extents_m: [0.02, 0.01, 0.01] },
            body_from_geom: Isometry3::identity(),
            region,
            friction: 0.2 + 0.2 * parent.map_or(0.0, |parent| 1.0 + parent as f32),
        }],
    }
}

fn fingertip(name: &str, body: usize) -> FingertipModel {
    FingertipModel { name: name.to_owned(), body, point_m: Point3::origin() }
}

fn joint(name: &str, body: usize) -> JointModel {
    JointModel {
        name: name.to_owned(),
        body,
        axis: Vector3::y_axis(),
        anchor_m: Point3::origin(),
        position_limits_rad: Limits { lower: -0.5, upper: 2.0 },
        velocity_limit_rad_per_sec: 8.0,
        effort_limit_newton_m: 0.5,
        stiffness_newton_m_per_rad: 3.0,
        damping_newton_m_secs_per_rad: 0.2,
        friction_loss_newton_m: 0.02,
        armature_kg_m2: 0.001,
        device: None,
    }
}
