//! A LEAP hand on a bench, and the short experiments that stand behind each [`Observable`].
//!
//! The LEAP palm slopes by 20 degrees toward the fingertips when its mount is level. Places and heights are given in
//! the *plate* frame: same origin as the palm frame, but with x down the slope and z along the palm's normal, so that
//! palm and stretched fingers are level tables in it.

use giraffe_physics::{
    Disturbance, EpisodePlan, HandSim, PhysicsSettings, SceneModel, TimedDisturbance, WorldChange, WorldParameters,
};
use giraffe_randomization::Observable;
use giraffe_robots::{EpisodeStart, Hand, Limits, OBJECTS, Signal, SignalFrame, SignalLayout, load_robot};
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion, Vector3};
use std::sync::Arc;

/// Rotation of the palm body in `hand.xml`: the tangent of half the slope.
const HALF_SLOPE_TANGENT: f32 = 0.175;
/// Half an edge of the cube, m.
const HALF_EDGE_M: f32 = 0.035;

/// Where the cube lies flat, plate frame, m: the height is that of its underside.
const ON_PALM: [f32; 3] = [0.070, 0.015, 0.0199];
/// Across the links of index and middle finger, clear of the tips.
const ON_LINKS: [f32; 3] = [0.190, -0.016, 0.0144];
/// Across the tips of index and middle finger; they stand 3 mm higher than the links.
const ON_TIPS: [f32; 3] = [0.245, -0.016, 0.0174];
/// Half a centimetre inside the front edge of the fingertips.
const AT_FRONT_EDGE: [f32; 3] = [0.265, -0.016, 0.0174];
/// A centimetre beyond it.
const BEYOND_FRONT_EDGE: [f32; 3] = [0.28, -0.016, 0.0174];
/// Half a centimetre inside the side edge of the palm.
const AT_SIDE_EDGE: [f32; 3] = [0.070, 0.058, 0.0199];
/// Far from the hand: the cube falls freely.
const NOWHERE: [f32; 3] = [5.0, 0.0, 0.0];

/// The angles of home are round numbers, which a coarse encoder may hit; this far off they are not.
const OFF_GRID_RAD: f32 = 0.05;

/// How long a world is nominal before it changes, in control steps. No longer: what touches and weighs nothing drifts off.
const STEPS_BEFORE: u32 = 2;

/// A scene to experiment in.
pub struct Bench {
    pub scene: Arc<SceneModel>,
    /// Control steps before an experiment begins.
    steps_before: u32,
    palm_from_plate: UnitQuaternion<f32>,
}

/// What is recorded at the end of every control step.
struct Record {
    true_rad: Vec<f32>,
    sensed_rad: Vec<f32>,
    /// What the hand says that it was told.
    reported_rad: Vec<f32>,
    /// From the true to the tracked place, palm frame.
    tracked_apart_m: f32,
    /// Angle between the true and the tracked orientation.
    tracked_apart_rad: f32,
    /// Plate frame.
    object_m: Vector3<f32>,
    /// Plate frame, from the start.
    object_turn: UnitQuaternion<f32>,
    object_speed: f32,
    /// Palm frame.
    object_m_per_sec: Vector3<f32>,
    object_spin: f32,
}

/// One short episode.
struct Trial {
    parameters: WorldParameters,
    joints_rad: Vec<f32>,
    /// Underside of the cube, plate frame.
    cube_m: [f32; 3],
    push_newton_secs: [f32; 3],
}

impl Bench {
    /// Worlds have their parameters from the start.
    pub fn new() -> Self {
        let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
        let scene = Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()));
        let slope = 2.0 * HALF_SLOPE_TANGENT.atan();
        let palm_from_plate = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), slope);
        Self { scene, steps_before: 0, palm_from_plate }
    }

    /// Worlds begin nominal, but without gravity, so that everything stays where it is put. In the middle of the episode
    /// they get the parameters of the experiment, and with that it begins.
    pub fn mid_episode() -> Self {
        Self { steps_before: STEPS_BEFORE, ..Self::new() }
    }

    pub fn nominal(&self) -> WorldParameters {
        WorldParameters::nominal(&self.scene)
    }

    /// The outcome of the experiment behind `observable` in a world with these parameters.
    pub fn measure(&self, observable: Observable, parameters: WorldParameters) -> f32 {
        match observable {
            Observable::KickSpeed => self.kick_speed(parameters),
            Observable::RestHeight => self.rest_height(ON_PALM, parameters),
            Observable::HeightOnTips => self.rest_height(ON_TIPS, parameters),
            Observable::TurnAboutX => self.topple(AT_SIDE_EDGE, parameters).x,
            Observable::TurnAboutY => self.topple(AT_FRONT_EDGE, parameters).y,
            Observable::LeanOnSlope => self.lean(parameters),
            Observable::SlipOnPalm => self.slip_forward(parameters),
            Observable::SlipOnLinks => self.slip_sideways(ON_LINKS, parameters),
            Observable::SlipOnTips => self.slip_sideways(ON_TIPS, parameters),
            Observable::Rebound => self.rebound(parameters),
            Observable::Dent => self.dent(parameters),
            Observable::FingerSag => self.error_after(0.0, 60..80, parameters),
            Observable::StepLag => self.error_after(0.3, 0..4, parameters),
            Observable::StepResidual => self.error_after(0.05, 60..80, parameters),
            Observable::TrueAngle => self.true_angle(parameters),
            Observable::SensedErrorAtRest => self.sensed_error(OFF_GRID_RAD, 20..40, parameters),
            Observable::SensedErrorInMotion => self.sensed_error(0.5, 0..8, parameters),
            Observable::SensedOffset => self.sensed_offset(parameters),
            Observable::Tremble => self.tremble(parameters),
            Observable::FollowingError => self.following_error(parameters),
            Observable::TrackedPlaceError => mean(self.at_rest(parameters).iter().map(|record| record.tracked_apart_m)),
            Observable::TrackedTurnError => {
                mean(self.at_rest(parameters).iter().map(|record| record.tracked_apart_rad))
            }
            Observable::Overbalance => self.topple(BEYOND_FRONT_EDGE, parameters).norm(),
            Observable::BottomOfRange => self.end_of_range(-1.5, parameters),
            Observable::TopOfRange => self.end_of_range(1.5, parameters),
            Observable::JumpSpread => self.jump_spread(parameters),
            Observable::UnevenFall => self.uneven_fall(parameters),
            Observable::UnheardTargets => self.unheard_targets(parameters),
            Observable::UnheardInBursts => self.unheard_in_bursts(parameters),
            Observable::TrackedLag => self.tracked_lag(parameters),
            Observable::Drift => mean(self.weightless(160, parameters).iter().map(|record| record.object_speed)),
            Observable::Jostle => self.jostle(parameters),
            Observable::RandomSpin => last(&self.weightless(20, parameters)).object_spin,
        }
    }

    fn flat(&self) -> Vec<f32> {
        vec![0.0; self.scene.robot().joint_count()]
    }

    fn home_plus(&self, step_rad: f32) -> Vec<f32> {
        self.scene.robot().home_rad.iter().map(|home| home + step_rad).collect()
    }

    /// Tilts the whole hand until the palm's plate is level.
    fn levelled(&self, mut parameters: WorldParameters) -> WorldParameters {
        let gravity = Vector3::from(parameters.gravity_m_per_sec2);
        parameters.gravity_m_per_sec2 = (self.palm_from_plate * gravity).into();
        parameters
    }

    /// Tilts the whole hand from level until the ring finger's side is low.
    fn tilted_sideways(&self, degrees: f32, parameters: WorldParameters) -> WorldParameters {
        let mut parameters = self.levelled(parameters);
        let tilt = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), degrees.to_radians());
        let gravity = self.palm_from_plate.inverse() * Vector3::from(parameters.gravity_m_per_sec2);
        parameters.gravity_m_per_sec2 = (self.palm_from_plate * (tilt * gravity)).into();
        parameters
    }

    /// The cube at a place above stretched fingers.
    fn let_go(&self, cube_m: [f32; 3], parameters: WorldParameters) -> Trial {
        Trial { parameters, joints_rad: self.flat(), cube_m, push_newton_secs: [0.0; 3] }
    }

    fn run(&self, trial: Trial, targets_rad: &[f32], step_count: u32) -> Vec<Record> {
        self.run_along(trial, |_| targets_rad.to_vec(), step_count)
    }

    /// `targets_rad` are those of each control step.
    fn run_along(&self, trial: Trial, targets_rad: impl Fn(u32) -> Vec<f32>, step_count: u32) -> Vec<Record> {
        let Trial { parameters, joints_rad, cube_m: [x, y, z], push_newton_secs } = trial;
        let place = self.palm_from_plate * Vector3::new(x, y, z + HALF_EDGE_M);
        let newton_secs = (self.palm_from_plate * Vector3::from(push_newton_secs)).into();
        let before = self.steps_before;
        let push = Disturbance::ObjectImpulse { newton_secs };
        let mut disturbances = vec![TimedDisturbance { step: before + 1, disturbance: push }];
        let mut at_first = parameters.clone();
        if before > 0 {
            at_first = WorldParameters { gravity_m_per_sec2: [0.0; 3], ..self.nominal() };
            let change = Box::new(WorldChange { parameters, over_secs: 0.0, sampled: Vec::new() });
            disturbances.insert(0, TimedDisturbance { step: before, disturbance: Disturbance::Change(change) });
        }
        let plan = EpisodePlan {
            parameters: at_first,
            start: EpisodeStart {
                joint_positions_rad: joints_rad.clone(),
                palm_from_object: Isometry3::from_parts(Translation3::from(place), self.palm_from_plate),
            },
            disturbances,
            sampled: Vec::new(),
            noise_seed: 1,
        };
        let mut sim = HandSim::new(Arc::clone(&self.scene), plan);
        let layout = SignalLayout::of(self.scene.robot(), 0);
        let mut sensed = SignalFrame::new(layout);
        (0..before).for_each(|_| {
            sim.exchange(&joints_rad, &mut sensed).expect("a finite world");
        });
        let step = |step| {
            sim.exchange(&targets_rad(step), &mut sensed).expect("a finite world");
            self.record(&sim, &sensed)
        };
        (0..step_count).map(step).collect()
    }

    fn record(&self, sim: &HandSim, sensed: &SignalFrame) -> Record {
        let read = |frame: &SignalFrame, signal| frame.read(signal).expect("written at every step").to_vec();
        let pose = sim.object_pose();
        let plate_from_palm = self.palm_from_plate.inverse();
        let tracked_m = Vector3::from_row_slice(&read(sensed, Signal::ObjectPosition));
        let [i, j, k, w] = read(sensed, Signal::ObjectRotation)[..] else { panic!("a quaternion") };
        let tracked = UnitQuaternion::from_quaternion(Quaternion::new(w, i, j, k));
        let object_m_per_sec = Vector3::from_row_slice(&read(sim.truth(), Signal::ObjectLinearVelocity));
        Record {
            tracked_apart_m: (tracked_m - pose.position_m).norm(),
            tracked_apart_rad: tracked.angle_to(&pose.palm_from_object),
            true_rad: read(sim.truth(), Signal::JointPosition),
            sensed_rad: read(sensed, Signal::JointPosition),
            reported_rad: read(sensed, Signal::JointTarget),
            object_m: plate_from_palm * pose.position_m,
            object_turn: plate_from_palm * pose.palm_from_object,
            object_speed: object_m_per_sec.norm(),
            object_m_per_sec,
            object_spin: Vector3::from_row_slice(&read(sim.truth(), Signal::ObjectAngularVelocity)).norm(),
        }
    }

    /// A push of 0.05 N s on a weightless cube.
    fn kick_speed(&self, mut parameters: WorldParameters) -> f32 {
        parameters.gravity_m_per_sec2 = [0.0; 3];
        let push_newton_secs = [0.05, 0.0, 0.0];
        let trial = Trial { parameters, joints_rad: self.flat(), cube_m: NOWHERE, push_newton_secs };
        last(&self.run(trial, &self.flat(), 2)).object_speed
    }

    /// The cube comes down from 4 cm on a level, rough hand.
    fn rest_height(&self, [x, y, z]: [f32; 3], parameters: WorldParameters) -> f32 {
        let trial = self.let_go([x, y, z + 0.04], rough(self.levelled(parameters)));
        last(&self.run(trial, &self.flat(), 40)).object_m.z
    }

    /// The cube is let go at an edge of the level, rough hand: how it has turned after 0.2 s.
    fn topple(&self, cube_m: [f32; 3], parameters: WorldParameters) -> Vector3<f32> {
        let parameters = rough(self.levelled(parameters));
        last(&self.run(self.let_go(cube_m, parameters), &self.flat(), 4)).object_turn.scaled_axis()
    }

    /// The cube is let go on the rough palm, tilted sideways by 40 degrees: how far it leans after 0.4 s. It would fall
    /// at 45 degrees, if its centre of mass were in the middle.
    fn lean(&self, parameters: WorldParameters) -> f32 {
        let parameters = rough(self.tilted_sideways(40.0, parameters));
        last(&self.run(self.let_go(ON_PALM, parameters), &self.flat(), 8)).object_turn.angle()
    }

    /// The cube is let go on the hand as it is mounted, sloping by 20 degrees: how far it went after 0.3 s.
    fn slip_forward(&self, parameters: WorldParameters) -> f32 {
        let start = Vector3::from(ON_PALM) + Vector3::z() * HALF_EDGE_M;
        (last(&self.run(self.let_go(ON_PALM, parameters), &self.flat(), 6)).object_m - start).norm()
    }

    /// The cube is let go on stretched fingers, tilted sideways by 20 degrees: how far it went after 0.3 s.
    fn slip_sideways(&self, cube_m: [f32; 3], parameters: WorldParameters) -> f32 {
        let parameters = self.tilted_sideways(20.0, parameters);
        last(&self.run(self.let_go(cube_m, parameters), &self.flat(), 6)).object_m.y - cube_m[1]
    }

    /// The cube falls 5 cm on the level palm, where it arrives after 0.1 s: how high it comes up again.
    fn rebound(&self, parameters: WorldParameters) -> f32 {
        self.fall(0.05, parameters)[2..].iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The cube falls 20 cm on the level, rough palm, where it arrives after 0.2 s: how deep it lies 0.05 s later.
    fn dent(&self, parameters: WorldParameters) -> f32 {
        -self.fall(0.2, rough(parameters))[4]
    }

    /// Heights of the cube above a mere touch, m, at the end of every control step of a fall.
    fn fall(&self, drop_m: f32, parameters: WorldParameters) -> Vec<f32> {
        let [x, y, z] = ON_PALM;
        let trial = self.let_go([x, y, z + drop_m], self.levelled(parameters));
        self.run(trial, &self.flat(), 10).iter().map(|record| record.object_m.z - z - HALF_EDGE_M).collect()
    }

    /// An empty hand at home whose targets jump by `step_rad` at once.
    fn empty(&self, step_rad: f32, step_count: u32, parameters: WorldParameters) -> Vec<Record> {
        self.run(self.alone(parameters), &self.home_plus(step_rad), step_count)
    }

    /// An empty hand at home.
    fn alone(&self, parameters: WorldParameters) -> Trial {
        let joints_rad = self.scene.robot().home_rad.clone();
        Trial { parameters, joints_rad, cube_m: NOWHERE, push_newton_secs: [0.0; 3] }
    }

    /// Mean distance between targets and true angles over these control steps after a jump of the targets.
    fn error_after(&self, step_rad: f32, steps: std::ops::Range<usize>, parameters: WorldParameters) -> f32 {
        let targets = self.home_plus(step_rad);
        let records = self.empty(step_rad, steps.end as u32, parameters);
        mean(records[steps].iter().flat_map(|record| distances(&targets, &record.true_rad)))
    }

    fn sensed_offset(&self, parameters: WorldParameters) -> f32 {
        let records = self.empty(OFF_GRID_RAD, 40, parameters);
        let offset = |record: &Record| mean(record.sensed_rad.iter().zip(&record.true_rad).map(|(s, t)| s - t));
        mean(records[20..].iter().map(offset))
    }

    fn tremble(&self, parameters: WorldParameters) -> f32 {
        let records = self.empty(0.0, 80, parameters);
        mean(records[40..].windows(2).flat_map(|pair| distances(&pair[0].true_rad, &pair[1].true_rad)))
    }

    /// Targets jump by 0.3 rad and back, 0.4 s each way: by how much the angles one control step after each jump but the
    /// first differ from their mean.
    fn jump_spread(&self, parameters: WorldParameters) -> f32 {
        let targets = |step: u32| self.home_plus(if step % 16 < 8 { 0.3 } else { 0.0 });
        let records = self.run_along(self.alone(parameters), targets, 17 + 16 * 5);
        let jumped: Vec<&Record> = records.iter().skip(16).step_by(16).collect();
        let spread = |joint: usize| {
            let middle = mean(jumped.iter().map(|record| record.true_rad[joint]));
            mean(jumped.iter().map(|record| (record.true_rad[joint] - middle).abs()))
        };
        mean((0..jumped[0].true_rad.len()).map(spread))
    }

    /// Every target is so far beyond the limit of its joint, on this side.
    fn end_of_range(&self, beyond_rad: f32, parameters: WorldParameters) -> f32 {
        let limits = self.scene.robot().joints.iter().map(|joint| joint.position_limits_rad);
        let end = |limits: Limits| if beyond_rad > 0.0 { limits.upper } else { limits.lower };
        let targets: Vec<f32> = limits.map(|limits| end(limits) + beyond_rad).collect();
        mean(last(&self.run(self.alone(parameters), &targets, 80)).true_rad.iter().copied())
    }

    /// The cube falls past the hand for 2 s.
    fn uneven_fall(&self, parameters: WorldParameters) -> f32 {
        let records = self.run(self.let_go(NOWHERE, parameters), &self.flat(), 40);
        let gains = records.windows(2).map(|pair| pair[1].object_speed - pair[0].object_speed);
        let (least, most) = gains.fold((f32::MAX, f32::MIN), |(least, most), gain| (gain.min(least), gain.max(most)));
        most - least
    }

    /// Targets that go to and fro, 0.4 s each way.
    fn to_and_fro(&self, step: u32) -> Vec<f32> {
        self.home_plus(0.05 * (8.0 - (step as f32 % 16.0 - 8.0).abs()))
    }

    /// For 16 s.
    fn unheard_targets(&self, parameters: WorldParameters) -> f32 {
        let records = self.run_along(self.alone(parameters), |step| self.to_and_fro(step), 320);
        mean(
            records
                .iter()
                .zip(0..)
                .flat_map(|(record, step)| distances(&self.to_and_fro(step), &record.reported_rad).collect::<Vec<_>>()),
        )
    }

    fn unheard_in_bursts(&self, mut parameters: WorldParameters) -> f32 {
        parameters.link.burst_rate_hz = 2.0;
        self.unheard_targets(parameters)
    }

    fn following_error(&self, parameters: WorldParameters) -> f32 {
        let targets = |step: u32| self.to_and_fro(step);
        let records = self.run_along(self.alone(parameters), targets, 48);
        mean(records.iter().zip(0..).flat_map(|(record, step)| {
            let targets = targets(step);
            distances(&targets, &record.true_rad).collect::<Vec<_>>()
        }))
    }

    /// The cube lies on the level, rough palm.
    fn at_rest(&self, parameters: WorldParameters) -> Vec<Record> {
        let parameters = rough(self.levelled(parameters));
        self.run(self.let_go(ON_PALM, parameters), &self.flat(), 60).split_off(20)
    }

    /// The cube falls past the hand for 0.3 s.
    fn tracked_lag(&self, parameters: WorldParameters) -> f32 {
        let records = self.run(self.let_go(NOWHERE, parameters), &self.flat(), 6);
        mean(records.iter().map(|record| record.tracked_apart_m))
    }

    /// An object that nothing touches.
    fn weightless(&self, step_count: u32, mut parameters: WorldParameters) -> Vec<Record> {
        parameters.gravity_m_per_sec2 = [0.0; 3];
        self.empty(0.0, step_count, parameters)
    }

    /// Mean change of an object's velocity over a control step, in 8 s with random forces.
    fn jostle(&self, mut parameters: WorldParameters) -> f32 {
        parameters.forces.acceleration_m_per_sec2 = 5.0;
        let records = self.weightless(160, parameters);
        mean(records.windows(2).map(|pair| (pair[1].object_m_per_sec - pair[0].object_m_per_sec).norm()))
    }

    fn true_angle(&self, parameters: WorldParameters) -> f32 {
        let records = self.empty(0.0, 80, parameters);
        mean(last(&records).true_rad.iter().copied())
    }

    /// Root mean square distance between sensed and true angles over these control steps after a jump of the targets.
    fn sensed_error(&self, step_rad: f32, steps: std::ops::Range<usize>, parameters: WorldParameters) -> f32 {
        let records = self.empty(step_rad, steps.end as u32, parameters);
        let errors = records[steps].iter().flat_map(|record| distances(&record.sensed_rad, &record.true_rad));
        mean(errors.map(|error| error * error)).sqrt()
    }
}

/// So rough that nothing slides.
fn rough(mut parameters: WorldParameters) -> WorldParameters {
    parameters.contact.tip_friction = 2.0;
    parameters.contact.link_friction = 2.0;
    parameters.contact.palm_friction = 2.0;
    parameters
}

fn last(records: &[Record]) -> &Record {
    &records[records.len() - 1]
}

fn distances<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    a.iter().zip(b).map(|(a, b)| (a - b).abs())
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / count as f32
}
