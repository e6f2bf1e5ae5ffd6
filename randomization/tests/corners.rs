//! The simulator stays a simulator at the ends of what may be asked of it: at each single bound of every parameter, at
//! the corners of the usual ranges, and at 10,000 random corners of the physical bounds (every parameter at one of its
//! two ends). Fingers flail, the object falls among them, and then it must hold that
//!
//! - every number is finite;
//! - the object is no faster than free fall, an adversary's push and fingers that hit it make it;
//! - joints are no faster than their servos, their weight and an object that hits them make them;
//! - where fingers have come to rest, no shape has gone into another as far as its middle.

use giraffe_physics::{
    EpisodePlan, HandSim, JointParameters, ObjectParameters, PhysicsSettings, SceneModel, WorldParameters,
};
use giraffe_randomization::{PARAMETERS, RandomizedParameter};
use giraffe_robots::{
    EpisodeStart, GeomShape, Hand, Limits, OBJECTS, Region, RobotModel, Signal, SignalFrame, SignalLayout, StreamRng,
    load_robot, tasks::TASKS,
};
use nalgebra::{Isometry3, Point3, Vector3};
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// Control steps with random targets, and then with targets that stay.
const FLAIL_STEPS: u32 = 12;
const REST_STEPS: u32 = 8;
/// Targets are this far from home at most, rad: a policy's first, random actions.
const SPREAD_RAD: f32 = 0.4;
/// Half an edge of the object, m.
const HALF_EDGE_M: f32 = 0.035;

/// Farther from its first joint no point of a finger is, m.
const REACH_M: f32 = 0.2;
/// What the object may have on top, m/s: from fingers that were faster between two readings (a servo with ten times the
/// torque and a tenth of the damping turns at up to 110 rad/s), and from the correction of overlaps.
const UNSEEN_M_PER_SEC: f32 = 5.0;
/// And a joint, rad/s: fingertips of twice the size start inside each other and are pushed apart.
const UNSEEN_RAD_PER_SEC: f32 = 30.0;
/// Torque of a finger's own weight about a joint: 0.13 kg, 5 times as heavy, at 0.07 m, in twice gravity, N m.
const WEIGHT_NEWTON_M: f32 = 0.9;
/// Closer to a joint's axis an object does not hit, m.
const ARM_M: f32 = 0.01;

/// One box in the palm frame.
struct Solid {
    name: String,
    palm_from_box: Isometry3<f32>,
    half_m: Vector3<f32>,
}

impl Solid {
    /// How deep a point lies under the surface, m; negative outside.
    fn depth_of(&self, point_m: Vector3<f32>) -> f32 {
        let local = self.palm_from_box.inverse_transform_point(&Point3::from(point_m));
        (self.half_m - local.coords.abs()).min()
    }

    fn middle(&self) -> Vector3<f32> {
        self.palm_from_box.translation.vector
    }

    /// Middle, corners, and the middles of edges and faces.
    fn points(&self) -> impl Iterator<Item = Vector3<f32>> + '_ {
        (0..27_i8).map(|index| {
            let digit = |divisor: i8| f32::from(index / divisor % 3 - 1);
            let local = Vector3::new(digit(1), digit(3), digit(9)).component_mul(&self.half_m);
            (self.palm_from_box * Point3::from(local)).coords
        })
    }

    fn touches(&self, other: &Self) -> bool {
        self.points().any(|point| other.depth_of(point) > 0.0) || other.points().any(|point| self.depth_of(point) > 0.0)
    }
}

fn object_solid(palm_from_box: Isometry3<f32>, object: &ObjectParameters) -> Solid {
    let half_across_m = HALF_EDGE_M * object.size_scale / object.stretch.sqrt();
    let half_m = Vector3::new(half_across_m, half_across_m, HALF_EDGE_M * object.size_scale * object.stretch);
    Solid { name: "object".to_owned(), palm_from_box, half_m }
}

/// The hand's shapes, by the description alone: the engine is not asked.
fn hand_solids(robot: &RobotModel, angles_rad: &[f32], tip_scale: f32) -> Vec<Solid> {
    let mut solids = Vec::new();
    for (body, palm_from_body) in robot.bodies.iter().zip(robot.forward_kinematics(angles_rad)) {
        for geom in &body.geoms {
            let GeomShape::Box { half_extents_m } = geom.shape else { panic!("{} is not a box", geom.name) };
            let scale = if geom.region == Region::Tip { tip_scale } else { 1.0 };
            solids.push(Solid {
                name: geom.name.clone(),
                palm_from_box: palm_from_body * geom.body_from_geom,
                half_m: Vector3::from(half_extents_m) * scale,
            });
        }
    }
    solids
}

/// A random start of the task, lifted until the object is clear of the hand: sizes beyond the usual do not fit in it.
fn clear_start(robot: &RobotModel, parameters: &WorldParameters, rng: &mut StreamRng) -> EpisodeStart {
    let mut start = TASKS[0].start(robot, rng);
    let angles_rad = parameters.start_positions_rad(robot, &start);
    let hand = hand_solids(robot, &angles_rad, parameters.hand.tip_size_scale);
    while hand.iter().any(|solid| solid.touches(&object_solid(start.palm_from_object, &parameters.object))) {
        start.palm_from_object.translation.z += 0.005;
    }
    start
}

/// What one world came to.
struct Outcome {
    /// What cannot be, or nothing.
    complaint: Option<String>,
    /// How far the middle of one shape ended inside another, m, and which; zero for not at all.
    inside_m: f32,
    which: String,
}

/// Speeds of one world so far.
#[derive(Default)]
struct Fastest {
    object: f32,
    joint: f32,
}

impl Fastest {
    /// Takes note of the speeds after `step + 1` control steps; says which of them cannot be.
    fn watch(&mut self, sim: &HandSim, period_secs: f32) -> Option<String> {
        let read = |signal| Vector3::from_row_slice(sim.truth().read(signal).expect("written at every step")).norm();
        let joints = sim.truth().read(Signal::JointVelocity).expect("written at every step");
        self.joint = joints.iter().fold(self.joint, |fastest, speed| fastest.max(speed.abs()));
        let object = read(Signal::ObjectLinearVelocity);
        self.object = self.object.max(object);
        let parameters = &sim.plan().parameters;
        // An adversary pushes along each axis, and steps may all be long ones.
        let push = Vector3::repeat(parameters.adversary.push_m_per_sec2).norm();
        let secs = sim.step_count() as f32 * period_secs * (1.0 + parameters.clock.step_jitter);
        let fall = (Vector3::from(parameters.gravity_m_per_sec2).norm() + push) * secs;
        // An elastic hit by something heavy gives twice its speed.
        let object_limit = fall + 2.0 * REACH_M * self.joint + UNSEEN_M_PER_SEC;
        let steady = |joint: &JointParameters| {
            (joint.effort_limit_newton_m + WEIGHT_NEWTON_M) / joint.damping_newton_m_secs_per_rad
        };
        let servo = parameters.joints.iter().map(steady).fold(0.0, f32::max);
        let joint_limit = servo + UNSEEN_RAD_PER_SEC + 2.0 * self.object / ARM_M;
        if object > object_limit {
            return Some(format!("the object moves at {object} m/s, and {object_limit} m/s is the most"));
        }
        (self.joint > joint_limit).then(|| format!("a joint at {} rad/s, {joint_limit} rad/s is the most", self.joint))
    }
}

/// Flails and rests in a world with these parameters.
fn run(scene: &Arc<SceneModel>, parameters: WorldParameters, seed: u64) -> Outcome {
    let robot = scene.robot();
    let mut rng = StreamRng::seed_from_u64(seed);
    let start = clear_start(robot, &parameters, &mut rng);
    let plan = EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed: seed };
    let mut sim = HandSim::new(Arc::clone(scene), plan);
    let mut sensed = SignalFrame::new(SignalLayout::of(robot, 0));
    let mut targets = robot.home_rad.clone();
    let mut fastest = Fastest::default();
    let mut outcome = Outcome { complaint: None, inside_m: 0.0, which: String::new() };
    for step in 0..FLAIL_STEPS + REST_STEPS {
        if step < FLAIL_STEPS {
            for (target, (joint, home)) in targets.iter_mut().zip(robot.joints.iter().zip(&robot.home_rad)) {
                *target = joint.position_limits_rad.clamp(home + rng.random_range(-SPREAD_RAD..=SPREAD_RAD));
            }
        }
        let went = sim.exchange(&targets, &mut sensed).map_err(|error| error.to_string());
        let complaint = went.err().or_else(|| fastest.watch(&sim, robot.control.period_secs));
        if let Some(complaint) = complaint {
            outcome.complaint = Some(format!("step {step}: {complaint}"));
            return outcome;
        }
    }
    let pose = sim.object_pose();
    let palm_from_box = Isometry3::from_parts(pose.position_m.into(), pose.palm_from_object);
    let object = object_solid(palm_from_box, &sim.plan().parameters.object);
    let angles = sim.truth().read(Signal::JointPosition).expect("written at every step");
    for solid in hand_solids(robot, angles, sim.plan().parameters.hand.tip_size_scale) {
        let inside = object.depth_of(solid.middle()).max(solid.depth_of(object.middle()));
        if inside > outcome.inside_m {
            (outcome.inside_m, outcome.which) = (inside, solid.name);
        }
    }
    outcome
}

fn scene() -> Arc<SceneModel> {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
}

/// For each parameter, whether corner number `corner` has it at its upper end.
fn at_upper_end(corner: u64) -> Vec<bool> {
    let mut rng = StreamRng::seed_from_u64(corner);
    PARAMETERS.iter().map(|_| rng.random_bool(0.5)).collect()
}

/// Outcomes at the corners with these numbers, of the box that `ends` gives each parameter, on two threads.
fn outcomes(corner_count: u64, ends: fn(&RandomizedParameter) -> Limits) -> Vec<(u64, Outcome)> {
    let scene = scene();
    let at = |corner: u64| {
        let mut parameters = WorldParameters::nominal(&scene);
        for (row, upper) in PARAMETERS.iter().zip(at_upper_end(corner)) {
            let Limits { lower, upper: end } = ends(row);
            row.set(if upper { end } else { lower }, &mut parameters);
        }
        (corner, run(&scene, parameters, corner))
    };
    let half = |first: u64| (first..corner_count).step_by(2).map(at).collect::<Vec<_>>();
    std::thread::scope(|threads| {
        let other = threads.spawn(|| half(1));
        let mut all = half(0);
        all.extend(other.join().expect("the other half"));
        all
    })
}

/// A corner in words, for whoever has to find out why.
fn describe(corner: u64) -> String {
    let name = |(row, upper): (&RandomizedParameter, bool)| format!("{}{}", row.name, if upper { "+" } else { "-" });
    PARAMETERS.iter().zip(at_upper_end(corner)).map(name).collect::<Vec<_>>().join(" ")
}

fn complaints(outcomes: &[(u64, Outcome)]) -> Vec<String> {
    let say = |(corner, outcome): &(u64, Outcome)| {
        outcome.complaint.as_ref().map(|what| format!("corner {corner}, {what}: {}", describe(*corner)))
    };
    outcomes.iter().filter_map(say).collect()
}

#[test]
fn each_single_bound_is_stable() {
    let scene = scene();
    for row in PARAMETERS {
        for bound in [row.bounds.lower, row.bounds.upper] {
            for seed in 0..10 {
                let mut parameters = WorldParameters::nominal(&scene);
                row.set(bound, &mut parameters);
                let Outcome { complaint, inside_m, which } = run(&scene, parameters, seed);
                assert_eq!(complaint, None, "{} = {bound}, seed {seed}", row.name);
                assert!(inside_m <= 0.0, "{} = {bound}, seed {seed}: {inside_m} m into {which}", row.name);
            }
        }
    }
}

#[test]
fn the_corners_of_the_usual_ranges_are_stable() {
    let outcomes = outcomes(2_000, RandomizedParameter::column_limits);
    let complaints = complaints(&outcomes);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for (corner, Outcome { inside_m, which, .. }) in &outcomes {
        assert!(*inside_m <= 0.0, "corner {corner}: {inside_m} m into {which}: {}", describe(*corner));
    }
}

/// Some corners of the physical bounds are so soft that an object sinks in: in twice gravity by 20 mm into contacts of
/// 5 Hz (g / (2 pi f)^2), past the middle of a 35 mm cube; or a finger of 0.2 N m into a cube of 11 g. Others are so rough
/// (friction times 4 times 4) that what fell in wedges. So a few may, but not beyond half of a fingertip of twice the
/// size.
const SUNK_AT_MOST: f32 = 0.012;
const SUNK_BY_AT_MOST_M: f32 = 0.032;

/// As many as the test is called after, or as many as `GIRAFFE_CORNERS` says.
#[expect(clippy::disallowed_methods, reason = "a test, not a library, reads its environment")]
fn corner_count() -> u64 {
    std::env::var("GIRAFFE_CORNERS").map_or(10_000, |count| count.parse().expect("GIRAFFE_CORNERS is a whole number"))
}

#[test]
fn ten_thousand_corners_of_the_physical_bounds_are_stable() {
    let outcomes = outcomes(corner_count(), |row| row.bounds);
    let complaints = complaints(&outcomes);
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        outcomes.len(),
        complaints[..complaints.len().min(5)].join("\n")
    );
    let sunk: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.inside_m > 0.0).collect();
    println!("{} corners of {} end with a middle inside", sunk.len(), outcomes.len());
    let deepest = sunk.iter().map(|(_, outcome)| outcome.inside_m).fold(0.0, f32::max);
    println!("by at most {deepest} m");
    assert!((sunk.len() as f32) < SUNK_AT_MOST * outcomes.len() as f32, "{} of {}", sunk.len(), outcomes.len());
    for (corner, Outcome { inside_m, which, .. }) in sunk {
        assert!(*inside_m < SUNK_BY_AT_MOST_M, "corner {corner}: {inside_m} m into {which}: {}", describe(*corner));
    }
}
