//! Everything random about an episode, as one plain value.

use crate::disturbance::TimedDisturbance;
use crate::parameters::{WorldParameters, finite, within};
use crate::scene::SceneModel;
use giraffe_robots::{EpisodeStart, RobotModel};
use serde::{Deserialize, Serialize};

/// Everything random about an episode, as one plain value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodePlan {
    /// Physics.
    pub parameters: WorldParameters,
    /// Where hand and object start.
    pub start: EpisodeStart,
    /// What happens when, in order of time.
    pub disturbances: Vec<TimedDisturbance>,
    /// The sampled values, one per column of `Signal::WorldParameters`; empty where nothing is sampled.
    pub sampled: Vec<f32>,
    /// Seed of per-step noise in this episode.
    pub noise_seed: u64,
}

impl EpisodePlan {
    /// A world as described, from a start, in which nothing is random and nothing happens.
    pub fn nominal(scene: &SceneModel, start: EpisodeStart, noise_seed: u64) -> Self {
        let parameters = WorldParameters::nominal(scene);
        Self { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed }
    }

    /// The same from the hand's home, with the object at its own.
    pub fn at_home(scene: &SceneModel) -> Self {
        let robot = scene.robot();
        let start =
            EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
        Self::nominal(scene, start, 0)
    }

    /// Whether it is one of this hand: as many joints, and every finger that the plan ties.
    ///
    /// # Errors
    /// Names what the hand does not have.
    pub fn check_fits(&self, robot: &RobotModel) -> Result<(), String> {
        let (planned, expected) = (self.parameters.joints.len(), robot.joint_count());
        if planned != expected {
            return Err(format!("the plan is for {planned} joints, but {} has {expected}", robot.name));
        }
        self.disturbances.iter().try_for_each(|timed| timed.disturbance.check_fits(robot))
    }

    /// Whether every number can be: finite, and where physics asks for it, above zero. For plans from outside.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self) -> Result<(), String> {
        self.parameters.check()?;
        let (joint_count, column_count) = (self.parameters.joints.len(), self.sampled.len());
        self.check_start(joint_count)?;
        finite("sampled", &self.sampled)?;
        self.disturbances.iter().try_for_each(|timed| timed.disturbance.check(joint_count, column_count))
    }

    fn check_start(&self, joint_count: usize) -> Result<(), String> {
        let start = &self.start;
        let angle_count = start.joint_positions_rad.len();
        if angle_count != joint_count {
            return Err(format!(
                "start.joint_positions_rad has {angle_count} angles, but there are {joint_count} joints"
            ));
        }
        within(LARGEST_START, "start.joint_positions_rad", &start.joint_positions_rad)?;
        within(
            LARGEST_START,
            "start.palm_from_object, its place,",
            start.palm_from_object.translation.vector.as_slice(),
        )?;
        let turn = start.palm_from_object.rotation.coords;
        finite("start.palm_from_object, its rotation,", turn.as_slice())?;
        if (turn.norm() - 1.0).abs() <= UNIT_TOLERANCE {
            return Ok(());
        }
        Err(format!("start.palm_from_object turns by a quaternion of length {}, which must be 1", turn.norm()))
    }
}

/// Nothing starts farther off, in rad and in m. Far beyond what makes sense, and far from where numbers end.
const LARGEST_START: f32 = 1e3;
/// How far a quaternion may be from unit length: numbers that came through text are.
const UNIT_TOLERANCE: f32 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disturbance::{Disturbance, FingerTie, ObjectSwap};
    use crate::parameters::{
        ActuationParameters, ContactParameters, HandParameters, JointParameters, ObjectParameters,
    };
    use crate::parameters::{SensingParameters, TrackingParameters};
    use crate::scene::{PhysicsSettings, SceneModel};
    use giraffe_robots::{OBJECTS, load_robot};
    use std::sync::Arc;

    fn plan() -> EpisodePlan {
        let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
        let start =
            EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
        let scene = SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default());
        let parameters = WorldParameters::nominal(&scene);
        EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: vec![0.5], noise_seed: 3 }
    }

    /// A plan as it was written before servos had flaws and objects trackers.
    #[derive(Serialize)]
    struct OldPlan {
        parameters: OldParameters,
        start: EpisodeStart,
        disturbances: Vec<TimedDisturbance>,
        sampled: Vec<f32>,
        noise_seed: u64,
    }

    #[derive(Serialize)]
    struct OldParameters {
        joints: Vec<OldJoint>,
        hand: HandParameters,
        object: OldObject,
        contact: ContactParameters,
        gravity_m_per_sec2: [f32; 3],
        sensing: OldSensing,
        actuation: OldActuation,
    }

    #[derive(Serialize)]
    struct OldObject {
        mass_kg: f32,
        size_scale: f32,
        center_of_mass_m: [f32; 3],
    }

    #[derive(Serialize)]
    struct OldJoint {
        stiffness_newton_m_per_rad: f32,
        damping_newton_m_secs_per_rad: f32,
        friction_loss_newton_m: f32,
        armature_kg_m2: f32,
        effort_limit_newton_m: f32,
        zero_offset_rad: f32,
    }

    #[derive(Serialize)]
    struct OldSensing {
        position_noise_rad: f32,
        position_resolution_rad: f32,
        position_delay_secs: f32,
    }

    #[derive(Serialize)]
    struct OldActuation {
        delay_secs: f32,
    }

    fn old(plan: &EpisodePlan) -> OldPlan {
        let joint = |joint: &JointParameters| OldJoint {
            stiffness_newton_m_per_rad: joint.stiffness_newton_m_per_rad,
            damping_newton_m_secs_per_rad: joint.damping_newton_m_secs_per_rad,
            friction_loss_newton_m: joint.friction_loss_newton_m,
            armature_kg_m2: joint.armature_kg_m2,
            effort_limit_newton_m: joint.effort_limit_newton_m,
            zero_offset_rad: joint.zero_offset_rad,
        };
        let WorldParameters { joints, hand, object, contact, gravity_m_per_sec2, sensing, actuation, .. } =
            plan.parameters.clone();
        let ObjectParameters { mass_kg, size_scale, center_of_mass_m, .. } = object;
        let SensingParameters { position_noise_rad, position_resolution_rad, position_delay_secs, .. } = sensing;
        OldPlan {
            parameters: OldParameters {
                joints: joints.iter().map(joint).collect(),
                hand,
                object: OldObject { mass_kg, size_scale, center_of_mass_m },
                contact,
                gravity_m_per_sec2,
                sensing: OldSensing { position_noise_rad, position_resolution_rad, position_delay_secs },
                actuation: OldActuation { delay_secs: actuation.delay_secs },
            },
            start: plan.start.clone(),
            disturbances: plan.disturbances.clone(),
            sampled: plan.sampled.clone(),
            noise_seed: plan.noise_seed,
        }
    }

    #[test]
    fn a_plan_from_before_servos_had_flaws_is_one_of_ideal_servos() {
        let now = plan();
        let then = old(&now);
        let short = rmp_serde::to_vec(&then).expect("plain numbers");
        let named = rmp_serde::to_vec_named(&then).expect("plain numbers");
        for bytes in [short, named] {
            let read: EpisodePlan = rmp_serde::from_slice(&bytes).expect("an old plan");
            assert_eq!(read, now);
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(plan().check(), Ok(()));
        type Spoil = fn(&mut WorldParameters);
        let spoiled: [(&str, Spoil); 28] = [
            ("stiffness", |world| world.joints[3].stiffness_newton_m_per_rad = 0.0),
            ("position bias", |world| world.joints[3].position_bias_rad = f32::NAN),
            ("target bias", |world| world.joints[3].target_bias_rad = f32::INFINITY),
            ("dead band", |world| world.joints[3].dead_band_rad = -0.1),
            ("backlash", |world| world.joints[3].backlash_rad = f32::NAN),
            ("torque-speed slope", |world| world.joints[3].torque_speed_slope = -1.0),
            ("sensing.position_dropout", |world| world.sensing.position_dropout = 1.5),
            ("actuation.jitter_secs", |world| {
                world.actuation = ActuationParameters { jitter_secs: 1e9, ..ActuationParameters::default() };
            }),
            ("tracking.refresh_secs", |world| {
                world.tracking = TrackingParameters { refresh_secs: f32::NAN, ..TrackingParameters::default() };
            }),
            ("tracking.dropout", |world| world.tracking.dropout = -0.1),
            ("forces.rate_hz", |world| world.forces.rate_hz = -1.0),
            ("forces.half_life_secs", |world| world.forces.half_life_secs = 0.0),
            ("forces.acceleration_m_per_sec2", |world| world.forces.acceleration_m_per_sec2 = f32::NAN),
            ("adversary.push_m_per_sec2", |world| world.adversary.push_m_per_sec2 = f32::INFINITY),
            ("adversary share", |world| world.joints[3].adversary_share = 1.5),
            ("lower limit", |world| world.joints[3].lower_limit_shift_rad = f32::NAN),
            ("upper limit", |world| world.joints[3].upper_limit_shift_rad = f32::INFINITY),
            ("object.inertia_scale", |world| world.object.inertia_scale = 0.0),
            ("object.stretch", |world| world.object.stretch = -1.0),
            ("actuation.gain_noise", |world| world.actuation.gain_noise = 1.5),
            ("actuation.dropout", |world| world.actuation.dropout = -0.1),
            ("actuation.broken_chance", |world| world.actuation.broken_chance = f32::NAN),
            ("tracking.injection", |world| world.tracking.injection = 2.0),
            ("clock.step_jitter", |world| world.clock.step_jitter = 1.0),
            ("link.dropout", |world| world.link.dropout = 1.1),
            ("link.burst_rate_hz", |world| world.link.burst_rate_hz = f32::NAN),
            ("link.burst_secs", |world| world.link.burst_secs = 1e9),
            ("tracker's bias", |world| world.tracking.rotation_bias_rad[1] = f32::NAN),
        ];
        for (name, spoil) in spoiled {
            let mut plan = plan();
            spoil(&mut plan.parameters);
            let problem = plan.check().expect_err(name);
            assert!(problem.contains(name), "{name} is not in: {problem}");
        }
    }

    #[test]
    fn a_swap_or_a_tie_that_cannot_be_is_named() {
        let swap = |change: fn(&mut ObjectSwap)| {
            let parameters = plan().parameters.object;
            let mut swap = ObjectSwap { object: None, parameters, friction_scale: 1.0, sampled: vec![(0, 0.7)] };
            change(&mut swap);
            Disturbance::ObjectSwap(swap)
        };
        let tie = |change: fn(&mut FingerTie)| {
            let mut tie =
                FingerTie { fingers: [0, 1], rest_length_m: 0.02, stiffness_newton_per_m: 50.0, duration_secs: 5.0 };
            change(&mut tie);
            Disturbance::FingerTie(tie)
        };
        let with = |disturbance| {
            let disturbances = vec![TimedDisturbance { step: 3, disturbance }];
            EpisodePlan { disturbances, ..plan() }
        };
        let robot = load_robot("leap-right").expect("the built-in hand");
        for sound in [swap(|_| ()), swap(|swap| swap.object = Some("sphere".to_owned())), tie(|_| ())] {
            assert_eq!((with(sound.clone()).check(), with(sound).check_fits(&robot)), (Ok(()), Ok(())));
        }
        for (part, disturbance) in [
            ("sphere", swap(|swap| swap.object = Some("spere".to_owned()))),
            ("object.mass_kg", swap(|swap| swap.parameters.mass_kg = 0.0)),
            ("object.size_scale", swap(|swap| swap.parameters.size_scale = f32::NAN)),
            ("object.center_of_mass_m", swap(|swap| swap.parameters.center_of_mass_m[1] = f32::INFINITY)),
            ("friction_scale", swap(|swap| swap.friction_scale = 0.0)),
            ("sampled value 1", swap(|swap| swap.sampled = vec![(1, 0.5)])),
            ("sampled value 0 to NaN", swap(|swap| swap.sampled = vec![(0, f32::NAN)])),
            ("to itself", tie(|tie| tie.fingers = [2, 2])),
            ("rest_length_m", tie(|tie| tie.rest_length_m = -0.1)),
            ("stiffness_newton_per_m", tie(|tie| tie.stiffness_newton_per_m = f32::NAN)),
            ("duration_secs", tie(|tie| tie.duration_secs = f32::INFINITY)),
        ] {
            let problem = with(disturbance).check().expect_err(part);
            assert!(problem.contains(part), "{part} is not in: {problem}");
        }
        let problem = EpisodePlan { sampled: vec![0.1, f32::NAN], ..plan() }.check().expect_err("a sampled value");
        assert!(problem.contains("sampled has NaN"), "{problem}");
        let problem = with(tie(|tie| tie.fingers = [0, 4])).check_fits(&robot).expect_err("LEAP has four fingers");
        assert!(problem.contains("fingertip 4") && problem.contains("has 4"), "{problem}");
    }
    #[test]
    fn a_start_that_cannot_be_is_named() {
        type Spoil = fn(&mut EpisodeStart);
        let spoiled: [(&str, Spoil); 4] = [
            ("15 angles", |start| start.joint_positions_rad.truncate(15)),
            ("start.joint_positions_rad has NaN", |start| start.joint_positions_rad[2] = f32::NAN),
            ("its place, has inf", |start| start.palm_from_object.translation.vector.x = f32::INFINITY),
            ("length 2", |start| {
                let twice = start.palm_from_object.rotation.into_inner() * 2.0;
                start.palm_from_object.rotation = nalgebra::UnitQuaternion::new_unchecked(twice);
            }),
        ];
        for (part, spoil) in spoiled {
            let mut plan = plan();
            spoil(&mut plan.start);
            let problem = plan.check().expect_err(part);
            assert!(problem.contains(part), "{part} is not in: {problem}");
        }
        let other = load_robot("shadow-right").expect("a built-in hand");
        let problem = plan().check_fits(&other).expect_err("another hand");
        assert!(problem.contains("for 16 joints") && problem.contains("has 22"), "{problem}");
    }
}
