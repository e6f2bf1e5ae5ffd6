//! Mistakes that other toolkits for robot hands were released with, and what would have caught each here.
//!
//! | mistake | where | caught by |
//! | --- | --- | --- |
//! | "scale the mass": the mass is computed and thrown away, only the inertia changes | MuJoCo Playground, LEAP hand | `an_object_made_heavier_weighs_more_and_not_only_turns_worse` |
//! | a randomization that changes nothing, in general | the same | `every_parameter_has_an_effect.rs` |
//! | fingertips named in code: those of another hand stay as they are, and nobody is told | the same | `the_fingertips_of_every_hand_change_their_size`, `fingertips_that_have_no_name_change_their_size_too` |
//! | a fraction inverted: 60 % where 40 % was meant | DeXtreme, automatic ranges | `adr.rs`: `the_share_of_tests_is_the_one_asked_for` |
//! | a chance compared with a normal instead of a uniform number | DeXtreme, delays | `a_chance_of_p_happens_with_frequency_p` |
//! | gains drawn into buffers that one way of driving joints never reads | LEAP Hand Sim, position mode | `servo_parameters_act_whatever_kind_of_servo_there_is` |
//! | learned ranges dropped when a run goes on, unless asked | IsaacGymEnvs, automatic ranges | `tests/resume.rs`: `ranges_that_grow_by_themselves_go_on_from_where_they_were`; `adr.rs`: `a_run_continued_from_a_checkpoint_is_the_run_that_was_never_stopped` |
//! | one random key used twice: force and torque always the same | MuJoCo Playground, pushes | `draws.rs`: `no_two_draws_of_an_episode_hang_together` |
//! | a standard deviation called a variance | IsaacGymEnvs, noise | `draws.rs`: `every_parameter_follows_its_range_in_every_preset_and_for_every_kind_of_range` |
//! | comment and code give different ranges | MuJoCo Playground, IsaacGymEnvs | there is no second place: `src/table.rs` prints the rows |
//! | the README tells other messages than are sent | in-hand-rotation-mjlab | `bridge/tests/bridge/protocol_text.rs` |

mod statistics;

use giraffe_physics::{EpisodePlan, HandSim, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_randomization::find_parameter;
use giraffe_robots::{
    EpisodeStart, GeomModel, GeomShape, Hand, OBJECTS, ObjectModel, ROBOTS, Region, RobotModel, Signal, SignalFrame,
    SignalLayout, load_robot,
};
use nalgebra::{Isometry3, Translation3, Vector3};
use statistics::{FALSE_ALARM, happens_with};
use std::sync::Arc;

/// Half an edge of the cube, m.
const HALF_EDGE_M: f32 = 0.035;
/// Far from the hand.
const NOWHERE: [f32; 3] = [5.0, 0.0, 0.0];

fn scene(robot: RobotModel, object: ObjectModel) -> Arc<SceneModel> {
    Arc::new(SceneModel::new(Arc::new(robot), object, PhysicsSettings::default()))
}

fn leap() -> Arc<SceneModel> {
    scene(load_robot("leap-right").expect("a built-in hand"), OBJECTS[0].clone())
}

/// A nominal world with some parameters set.
fn world(scene: &SceneModel, settings: &[(&str, f32)]) -> WorldParameters {
    let mut world = WorldParameters::nominal(scene);
    for (name, value) in settings {
        find_parameter(name).expect("a row").set(*value, &mut world);
    }
    world
}

fn sim(scene: &Arc<SceneModel>, parameters: WorldParameters, palm_from_object: Isometry3<f32>) -> HandSim {
    let joint_positions_rad = scene.robot().home_rad.clone();
    let start = EpisodeStart { joint_positions_rad, palm_from_object };
    let plan = EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed: 3 };
    HandSim::new(Arc::clone(scene), plan)
}

fn frame(scene: &SceneModel) -> SignalFrame {
    SignalFrame::new(SignalLayout::of(scene.robot(), 0))
}

fn at([x, y, z]: [f32; 3]) -> Isometry3<f32> {
    Isometry3::translation(x, y, z)
}

/// What the palm bears of the cube that lies on it, N.
fn weight_newton(settings: &[(&str, f32)]) -> f32 {
    let scene = scene(nameless("weighed"), OBJECTS[0].clone());
    let mut sim = sim(&scene, world(&scene, settings), at([0.0, 0.0, 0.01 + HALF_EDGE_M]));
    let (home, mut sensed) = (scene.robot().home_rad.clone(), frame(&scene));
    for _ in 0..40 {
        sim.exchange(&home, &mut sensed).expect("a finite world");
    }
    sim.object_contact_force_newton()
}

fn read(sim: &HandSim, signal: Signal) -> Vector3<f32> {
    Vector3::from_row_slice(sim.truth().read(signal).expect("written at every step"))
}

/// What gravity and a push make of the object in free air: its speed after 0.2 s of fall, and after 0.02 N s.
fn fall_and_push(settings: &[(&str, f32)]) -> [f32; 2] {
    use giraffe_physics::Disturbance::ObjectImpulse;
    let scene = leap();
    let (home, mut sensed) = (scene.robot().home_rad.clone(), frame(&scene));
    let mut falling = sim(&scene, world(&scene, settings), at(NOWHERE));
    for _ in 0..4 {
        falling.exchange(&home, &mut sensed).expect("a finite world");
    }
    let mut pushed = sim(&scene, world(&scene, settings), at(NOWHERE));
    pushed.disturb(&ObjectImpulse { newton_secs: [0.02, 0.0, 0.0] });
    pushed.exchange(&home, &mut sensed).expect("a finite world");
    [read(&falling, Signal::ObjectLinearVelocity).norm(), read(&pushed, Signal::ObjectLinearVelocity).x]
}

#[test]
fn an_object_made_heavier_weighs_more_and_not_only_turns_worse() {
    let nominal_kg = OBJECTS[0].mass_kg;
    for factor in [0.5, 1.0, 1.5] {
        let mass_kg = factor * nominal_kg;
        let settings = [("object.mass", factor)];
        let newton = weight_newton(&settings);
        assert!((newton / (9.81 * mass_kg) - 1.0).abs() < 0.03, "x {factor}: the palm bears {newton} N");
        let [fall, push] = fall_and_push(&settings);
        assert!((fall / (9.81 * 0.2) - 1.0).abs() < 1e-3, "x {factor}: all masses fall alike, not at {fall} m/s");
        assert!((push * mass_kg / 0.02 - 1.0).abs() < 1e-3, "x {factor}: pushed to {push} m/s");
    }
}

/// Half of a shape's size along each of its own axes, m.
fn half_size_m(shape: &GeomShape) -> [f32; 3] {
    match *shape {
        GeomShape::Box { half_extents_m } => half_extents_m,
        GeomShape::Sphere { radius_m } => [radius_m; 3],
        GeomShape::Capsule { half_length_m, radius_m } => [radius_m, radius_m, half_length_m + radius_m],
        GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
            [radius_m, radius_m, half_length_m]
        }
    }
}

/// Radius of a ball that fits between fingers, m.
const BALL_M: f32 = 0.004;

/// How far that ball moves in a quarter of a second without gravity, m, let go before one face of a fingertip's shape: the
/// gap is a quarter of the half size that the shape has by its description.
fn moved_m(scene: &Arc<SceneModel>, palm_from_tip: Isometry3<f32>, tip: &GeomModel, face: usize, size: f32) -> f32 {
    let (axis, sign) = (face / 2, if face.is_multiple_of(2) { 1.0 } else { -1.0 });
    let mut away = Vector3::zeros();
    away[axis] = sign * (1.25 * half_size_m(&tip.shape)[axis] + BALL_M);
    let start = palm_from_tip * Translation3::from(away);
    let parameters = world(scene, &[("gravity.magnitude", 0.0), ("hand.tip_size", size)]);
    let mut sim = sim(scene, parameters, start);
    let (home, mut sensed) = (scene.robot().home_rad.clone(), frame(scene));
    for _ in 0..5 {
        sim.exchange(&home, &mut sensed).expect("a finite world");
    }
    (sim.object_pose().position_m - start.translation.vector).norm()
}

/// Asserts that every fingertip of a hand reaches what it did not reach when it is half as large again. Only fingertips
/// change their size, so nothing else can be what the ball meets.
fn assert_every_fingertip_grows(robot: RobotModel) {
    let name = robot.name.clone();
    let ball = GeomShape::Sphere { radius_m: BALL_M };
    let scene = scene(robot, ObjectModel { shape: ball, ..OBJECTS[0].clone() });
    let robot = scene.robot();
    let mut tips = 0;
    for (body, palm_from_body) in robot.bodies.iter().zip(robot.forward_kinematics(&robot.home_rad)) {
        for tip in body.geoms.iter().filter(|geom| geom.region == Region::Tip) {
            let palm_from_tip = palm_from_body * tip.body_from_geom;
            let grows = |face| {
                moved_m(&scene, palm_from_tip, tip, face, 1.0) < 1e-5
                    && moved_m(&scene, palm_from_tip, tip, face, 1.5) > 5e-4
            };
            assert!((0..6).any(grows), "{name}: hand.tip_size does nothing to `{}` of {}", tip.name, body.name);
            tips += 1;
        }
    }
    assert!(tips >= robot.fingertips.len().max(1), "{name}: {tips} of {} fingertips", robot.fingertips.len());
}

#[test]
fn the_fingertips_of_every_hand_change_their_size() {
    for entry in ROBOTS {
        assert_every_fingertip_grows(load_robot(entry.name).expect("a built-in hand"));
    }
}

/// Somebody else's hand: no shape has a name, and no link is called anything with "tip".
const NAMELESS: &str = r#"<mujoco model="nameless">
  <worldbody>
    <body name="base">
      <inertial pos="0 0 0" mass="0.3" diaginertia="1e-3 1e-3 1e-3"/>
      <geom type="box" size="0.04 0.04 0.01"/>
      <body name="left1" pos="0.06 0.04 0">
        <inertial pos="0.02 0 0" mass="0.05" diaginertia="5e-6 2e-5 2e-5"/>
        <joint name="l1" type="hinge" axis="0 -1 0" range="-0.5 1.5" damping="0.1" armature="0.001"/>
        <geom type="capsule" fromto="0 0 0 0.04 0 0" size="0.008"/>
        <body name="left2" pos="0.06 0 0">
          <inertial pos="0.02 0 0" mass="0.02" diaginertia="2e-6 4e-6 4e-6"/>
          <joint name="l2" type="hinge" axis="0 -1 0" range="-0.5 1.5" damping="0.1" armature="0.001"/>
          <geom type="box" size="0.02 0.01 0.01" pos="0.02 0 0"/>
        </body>
      </body>
      <body name="right1" pos="0.06 -0.04 0">
        <inertial pos="0.02 0 0" mass="0.05" diaginertia="5e-6 2e-5 2e-5"/>
        <joint name="r1" type="hinge" axis="0 -1 0" range="-0.5 1.5" damping="0.1" armature="0.001"/>
        <geom type="capsule" fromto="0 0 0 0.04 0 0" size="0.008"/>
        <body name="right2" pos="0.06 0 0">
          <inertial pos="0.02 0 0" mass="0.02" diaginertia="2e-6 4e-6 4e-6"/>
          <joint name="r2" type="hinge" axis="0 -1 0" range="-0.5 1.5" damping="0.1" armature="0.001"/>
          <geom type="sphere" size="0.012" pos="0.03 0 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position joint="l1" kp="2" forcerange="-0.5 0.5"/><position joint="l2" kp="2" forcerange="-0.5 0.5"/>
    <position joint="r1" kp="2" forcerange="-0.5 0.5"/><position joint="r2" kp="2" forcerange="-0.5 0.5"/>
  </actuator>
</mujoco>
"#;

/// That hand, read as a user's is: from a file, which each test has for itself.
fn nameless(file: &str) -> RobotModel {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{file}.xml"));
    std::fs::write(&path, NAMELESS).expect("a folder for tests");
    load_robot(&path.to_string_lossy()).expect("a hand")
}

#[test]
fn fingertips_that_have_no_name_change_their_size_too() {
    let robot = nameless("nameless");
    assert_eq!(robot.fingertips.len(), 2);
    assert_every_fingertip_grows(robot);
}

const CHANCES: [f32; 4] = [0.05, 0.3, 0.5, 0.9];
const STEPS: usize = 2000;

#[test]
fn a_chance_of_p_happens_with_frequency_p() {
    let scene = leap();
    let home = scene.robot().home_rad.clone();
    for chance in CHANCES {
        // Noise makes every reading differ from the one before, unless that is repeated.
        let settings = [
            ("sensing.position_dropout", chance),
            ("sensing.position_noise", 0.01),
            ("tracking.dropout", chance),
            ("tracking.position_noise", 0.01),
        ];
        let mut sim = sim(&scene, world(&scene, &settings), at(NOWHERE));
        let mut sensed = frame(&scene);
        let mut lost = [0; 2];
        let mut before: Option<[Vec<f32>; 2]> = None;
        for _ in 0..=STEPS {
            sim.exchange(&home, &mut sensed).expect("a finite world");
            let read = |signal| sensed.read(signal).expect("written at every step").to_vec();
            let now = [read(Signal::JointPosition), read(Signal::ObjectPosition)];
            if let Some(before) = before.replace(now.clone()) {
                for (lost, (now, before)) in lost.iter_mut().zip(now.iter().zip(&before)) {
                    *lost += usize::from(now[0].to_bits() == before[0].to_bits());
                }
            }
        }
        for (what, count) in ["a joint's reading", "the object"].into_iter().zip(lost) {
            let likely = happens_with(chance.into(), count, STEPS);
            assert!(likely > FALSE_ALARM / 8.0, "{what} was lost {count} of {STEPS} times, said was {chance}");
        }
    }
}

/// Angles of all joints over a second in which targets jump by 0.3 rad and, half-way, back.
fn jump(scene: &Arc<SceneModel>, parameters: WorldParameters) -> Vec<f32> {
    let home = &scene.robot().home_rad;
    let mut sim = sim(scene, parameters, at(NOWHERE));
    let mut sensed = frame(scene);
    let mut angles = Vec::new();
    for step in 0..20 {
        let offset = if step < 10 { 0.3 } else { 0.0 };
        let targets: Vec<f32> = home.iter().map(|angle| angle + offset).collect();
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        angles.extend_from_slice(sim.truth().read(Signal::JointPosition).expect("written at every step"));
    }
    angles
}

#[test]
fn servo_parameters_act_whatever_kind_of_servo_there_is() {
    let scene = leap();
    // An ideal servo is a spring of the engine; what gears and motors add is another way of driving the same joint.
    let kinds: [(&str, &[(&str, f32)]); 4] = [
        ("ideal", &[]),
        ("with a dead band", &[("joint.dead_band", 0.005)]),
        ("with play", &[("joint.backlash", 0.006)]),
        ("with a torque that falls", &[("joint.torque_speed_slope", 1.0)]),
    ];
    for (kind, settings) in kinds {
        let before = jump(&scene, world(&scene, settings));
        for (name, value) in [
            ("joint.stiffness", 0.5),
            ("joint.damping", 2.0),
            ("joint.friction_loss", 3.0),
            ("joint.armature", 3.0),
            ("joint.torque_limit", 0.3),
            ("joint.zero_offset", 0.05),
            ("actuation.delay", 0.05),
            ("actuation.jitter", 0.05),
            ("actuation.noise", 0.05),
            ("actuation.bias", 0.05),
        ] {
            let after = jump(&scene, world(&scene, &[settings, &[(name, value)]].concat()));
            let farthest = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // More than ten steps of a 12-bit encoder would be hard to overlook on a bench; two are surely there.
            assert!(farthest > 0.003, "{name} moves a servo {kind} by {farthest} rad");
        }
    }
}
