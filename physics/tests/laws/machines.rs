//! The simplest machines that show a law: a plate with an object on it, and a chain of links on hinges.

use crate::support;
use giraffe_physics::{EpisodePlan, HandSim, PhysicsSettings, SceneModel};
use giraffe_robots::{
    BodyModel, FingertipModel, GeomModel, GeomShape, Hand, JointModel, Limits, OBJECTS, ObjectModel, Region,
    RobotModel, Signal, SignalFrame, load_robot,
};
use nalgebra::{Isometry3, Point3, UnitQuaternion, UnitVector3, Vector3};
use std::sync::Arc;

pub const GRAVITY: f32 = 9.81;

/// How time is cut.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds between two readings.
    pub period_secs: f32,
    pub settings: PhysicsSettings,
}

impl Clock {
    /// Physics steps of 0.5 ms, in one part each.
    pub const FINE: Self = Self::new(0.005, 10);

    /// Equal physics steps of one part each.
    pub const fn new(period_secs: f32, substep_count: u32) -> Self {
        let settings = PhysicsSettings { substep_count, solver_iteration_count: 1, inner_iteration_count: 16 };
        Self { period_secs, settings }
    }

    /// As policies are trained.
    pub fn training() -> Self {
        Self { period_secs: 0.05, settings: PhysicsSettings::default() }
    }

    /// The same physics steps, each followed by a reading.
    pub fn read_at_every_step(self) -> Self {
        Self { period_secs: self.step_secs(), settings: PhysicsSettings { substep_count: 1, ..self.settings } }
    }

    /// Seconds of one physics step, after which contacts are found anew.
    pub fn step_secs(self) -> f32 {
        self.period_secs / self.settings.substep_count as f32
    }

    /// Seconds over which forces count as even: what integration errors grow with.
    pub fn part_secs(self) -> f32 {
        self.step_secs() / self.settings.solver_iteration_count as f32
    }

    pub fn scene(self, mut robot: RobotModel, object: ObjectModel) -> Arc<SceneModel> {
        robot.control.period_secs = self.period_secs;
        Arc::new(SceneModel::new(Arc::new(robot), object, self.settings))
    }
}

/// A world and what is read from it.
pub struct Machine {
    pub scene: Arc<SceneModel>,
    pub sim: HandSim,
    pub sensed: SignalFrame,
}

impl Machine {
    pub fn new(scene: Arc<SceneModel>, plan: EpisodePlan) -> Self {
        Self { sim: HandSim::new(Arc::clone(&scene), plan), sensed: support::frame(&scene), scene }
    }

    /// One control step towards these targets.
    pub fn step(&mut self, targets_rad: &[f32]) {
        self.sim.exchange(targets_rad, &mut self.sensed).expect("a finite world");
    }

    /// As many control steps as these seconds hold, towards `target_rad` with every joint.
    pub fn hold(&mut self, target_rad: f32, secs: f32) {
        let targets = vec![target_rad; self.scene.robot().joint_count()];
        for _ in 0..(secs / self.scene.robot().control.period_secs).round() as usize {
            self.step(&targets);
        }
    }

    pub fn secs(&self) -> f32 {
        self.sim.step_count() as f32 * self.scene.robot().control.period_secs
    }

    pub fn truth(&self, signal: Signal) -> Vec<f32> {
        self.sim.truth().read(signal).expect("written at every step").to_vec()
    }

    /// Angle of the first joint, rad.
    pub fn angle(&self) -> f32 {
        self.truth(Signal::JointPosition)[0]
    }

    /// Sensed angle of the first joint, rad.
    pub fn sensed_angle(&self) -> f32 {
        self.sensed.read(Signal::JointPosition).expect("sensed at every step")[0]
    }

    /// Speed of the first joint, rad/s.
    pub fn speed(&self) -> f32 {
        self.truth(Signal::JointVelocity)[0]
    }

    pub fn object_m(&self) -> Vector3<f32> {
        self.sim.object_pose().position_m
    }

    pub fn object_velocity(&self) -> Vector3<f32> {
        Vector3::from_row_slice(&self.truth(Signal::ObjectLinearVelocity))
    }

    pub fn object_spin(&self) -> Vector3<f32> {
        Vector3::from_row_slice(&self.truth(Signal::ObjectAngularVelocity))
    }
}

/// One link of a chain. Its hinge is at its origin, its centre of mass on its x axis, the next hinge at its end.
pub const LINK_MASS_KG: f32 = 0.1;
pub const LINK_CENTER_M: f32 = 0.1;
pub const LINK_LENGTH_M: f32 = 0.2;
/// About every axis through the centre of mass.
pub const LINK_INERTIA_KG_M2: f32 = 1e-4;
/// About the hinge (parallel axis theorem).
pub const HINGE_INERTIA_KG_M2: f32 = LINK_INERTIA_KG_M2 + LINK_MASS_KG * LINK_CENTER_M * LINK_CENTER_M;

/// A weightless chain of equal links, stretched along x, each turning about y: a positive angle lowers it. The servos
/// are strong springs, nothing damps, nothing rubs, rotors have no inertia, the object is far away. `change` makes of
/// it what a law asks for.
pub fn chain(link_count: usize, clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
    let links: Vec<(BodyModel, JointModel)> = (0..link_count).map(|index| link(index, Vector3::y_axis())).collect();
    build(Vec::new(), links, OBJECTS[0].clone(), clock, |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0; 3];
        plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
        change(plan);
    })
}

/// A chain of one link.
pub fn hinge(clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
    chain(1, clock, change)
}

/// Distance of the hinges of a [`pair`].
pub const PAIR_APART_M: f32 = 0.1;

/// Two weightless links side by side, stretched along x, each turning about z on a hinge of its own; their ends are
/// fingertips. A positive angle moves a tip towards +y, and the second link is the one there.
pub fn pair(clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
    let links = [0, 1].map(|index: usize| {
        let (mut body, joint) = link(index, Vector3::z_axis());
        body.parent = Some(0);
        body.parent_from_body = Isometry3::translation(0.0, PAIR_APART_M * index as f32, 0.0);
        (body, joint)
    });
    let tip =
        |body| FingertipModel { name: format!("tip_{body}"), body, point_m: Point3::new(LINK_LENGTH_M, 0.0, 0.0) };
    build_with_tips(Vec::new(), links.to_vec(), vec![tip(1), tip(2)], OBJECTS[0].clone(), clock, |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0; 3];
        plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
        change(plan);
    })
}

/// A servo without torque.
pub fn limp(plan: &mut EpisodePlan) {
    plan.parameters.joints.iter_mut().for_each(|joint| joint.effort_limit_newton_m = 0.0);
}

/// What a plate is.
#[derive(Clone)]
pub struct Plate {
    pub object: ObjectModel,
    pub region: Region,
    /// Whether the plate is a link on a hinge (held by a rotor that nothing moves) and not a part of the base: the
    /// engine treats contacts of the two differently.
    pub on_hinge: bool,
}

impl Default for Plate {
    fn default() -> Self {
        Self { object: OBJECTS[0].clone(), region: Region::Palm, on_hinge: false }
    }
}

impl Plate {
    /// A level plate of 10 m x 10 m, its top at height zero, with the object resting on it: touching, still.
    pub fn build(&self, clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
        let top = GeomModel {
            name: "plate".to_owned(),
            shape: GeomShape::Box { half_extents_m: [5.0, 5.0, 0.05] },
            body_from_geom: Isometry3::translation(0.0, 0.0, -0.05),
            region: self.region,
            friction: 0.5,
        };
        let (mut body, joint) = link(0, Vector3::y_axis());
        let mut base = Vec::new();
        if self.on_hinge {
            body.geoms = vec![top];
        } else {
            body.parent_from_body.translation.vector.x = 20.0;
            base = vec![top];
        }
        let bottom_m = half_height_m(&self.object.shape);
        build(base, vec![(body, joint)], self.object.clone(), clock, |plan| {
            plan.start.palm_from_object = Isometry3::translation(0.0, 0.0, bottom_m);
            plan.parameters.joints[0].armature_kg_m2 = 1e3;
            change(plan);
        })
    }
}

/// Arm of the force with which a [`press`] presses.
pub const PRESS_ARM_M: f32 = 0.2;

/// A weightless sphere between a plate of the base and a link above, whose servo presses down.
pub fn press(clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
    let slab = |region, half_extents_m, [x, z]: [f32; 2]| GeomModel {
        name: format!("{region:?}"),
        shape: GeomShape::Box { half_extents_m },
        body_from_geom: Isometry3::translation(x, 0.0, z),
        region,
        friction: 0.5,
    };
    let (mut body, joint) = link(0, Vector3::y_axis());
    body.parent_from_body.translation.vector.z = 0.07;
    body.geoms = vec![slab(Region::Link, [0.15, 0.05, 0.005], [0.15, 0.005])];
    let base = vec![slab(Region::Palm, [1.0, 1.0, 0.05], [0.0, -0.05])];
    build(base, vec![(body, joint)], sphere(), clock, |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0; 3];
        plan.start.palm_from_object = Isometry3::translation(PRESS_ARM_M, 0.0, 0.035);
        change(plan);
    })
}

/// From the centre of an upright object down to the plate that it stands on.
pub fn half_height_m(shape: &GeomShape) -> f32 {
    match *shape {
        GeomShape::Box { half_extents_m } => half_extents_m[2],
        GeomShape::Sphere { radius_m } => radius_m,
        GeomShape::Capsule { half_length_m, radius_m } => half_length_m + radius_m,
        GeomShape::Cylinder { half_length_m, .. } | GeomShape::Prism { half_length_m, .. } => half_length_m,
    }
}

pub fn sphere() -> ObjectModel {
    ObjectModel { shape: GeomShape::Sphere { radius_m: 0.035 }, ..OBJECTS[0].clone() }
}

fn link(index: usize, axis: UnitVector3<f32>) -> (BodyModel, JointModel) {
    let offset_m = if index == 0 { 0.0 } else { LINK_LENGTH_M };
    let body = BodyModel {
        name: format!("link_{index}"),
        parent: Some(index),
        parent_from_body: Isometry3::translation(offset_m, 0.0, 0.0),
        joint: Some(index),
        mass_kg: LINK_MASS_KG,
        center_of_mass_m: Point3::new(LINK_CENTER_M, 0.0, 0.0),
        principal_inertia_kg_m2: Vector3::repeat(LINK_INERTIA_KG_M2),
        body_from_principal: UnitQuaternion::identity(),
        geoms: Vec::new(),
    };
    let joint = JointModel {
        name: format!("hinge_{index}"),
        body: index + 1,
        axis,
        anchor_m: Point3::origin(),
        position_limits_rad: Limits { lower: -30.0, upper: 30.0 },
        effort_limit_newton_m: 100.0,
        stiffness_newton_m_per_rad: 3.0,
        damping_newton_m_secs_per_rad: 0.0,
        friction_loss_newton_m: 0.0,
        armature_kg_m2: 0.0,
        ..template().joints[0].clone()
    };
    (body, joint)
}

/// Whatever the laws do not ask for comes from a hand that exists.
fn template() -> RobotModel {
    load_robot("leap-right").expect("the built-in hand")
}

fn build(
    base_geoms: Vec<GeomModel>,
    links: Vec<(BodyModel, JointModel)>,
    object: ObjectModel,
    clock: Clock,
    change: impl Fn(&mut EpisodePlan),
) -> Machine {
    build_with_tips(base_geoms, links, Vec::new(), object, clock, change)
}

fn build_with_tips(
    base_geoms: Vec<GeomModel>,
    links: Vec<(BodyModel, JointModel)>,
    fingertips: Vec<FingertipModel>,
    object: ObjectModel,
    clock: Clock,
    change: impl Fn(&mut EpisodePlan),
) -> Machine {
    let mut robot = template();
    let base = BodyModel { geoms: base_geoms, ..robot.bodies[0].clone() };
    let (bodies, joints): (Vec<BodyModel>, Vec<JointModel>) = links.into_iter().unzip();
    robot.bodies = std::iter::once(base).chain(bodies).collect();
    robot.home_rad = vec![0.0; joints.len()];
    robot.joints = joints;
    robot.couplings.clear();
    robot.fingertips = fingertips;
    robot.contact_excludes.clear();
    let scene = clock.scene(robot, object);
    let mut plan = support::plan(&scene);
    change(&mut plan);
    Machine::new(scene, plan)
}
