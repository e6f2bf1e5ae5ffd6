//! Everything random about an episode, as one plain value.

use crate::parameters::{JointParameters, ObjectParameters, WorldParameters};
use crate::swap::ObjectSwap;
use crate::tie::FingerTie;
use giraffe_robots::{EpisodeStart, RobotModel};
use serde::{Deserialize, Serialize};

/// Something that happens to a world at a time during an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// A push on the object at its centre of mass.
    ObjectImpulse {
        /// In the palm frame.
        newton_secs: [f32; 3],
    },
    /// The palm tilts about an axis and comes back.
    GravityTilt {
        /// How far, rad.
        radians: f32,
        /// Horizontal axis of the palm frame; need not have unit length.
        axis: [f32; 3],
        /// How long, s.
        duration_secs: f32,
    },
    /// A servo holds the angle it has and ignores its target.
    JointJam {
        /// Canonical index.
        joint: usize,
        /// How long, s.
        duration_secs: f32,
    },
    /// Joint angles freeze at their last sensed values.
    SignalLoss {
        /// How long, s.
        duration_secs: f32,
    },
    /// The policy's recurrent state is wiped (the world itself does not change).
    HiddenStateReset,
    /// The object is replaced by another.
    ObjectSwap(ObjectSwap),
    /// A rubber band around two fingers.
    FingerTie(FingerTie),
}

/// A disturbance and when it strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedDisturbance {
    /// Control steps after the start of the episode: it acts during the step with this index.
    pub step: u32,
    /// What happens.
    pub disturbance: Disturbance,
}

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
    /// Whether this hand has every finger that the plan ties.
    ///
    /// # Errors
    /// Names the finger that it does not have.
    pub fn check_fits(&self, robot: &RobotModel) -> Result<(), String> {
        self.disturbances.iter().try_for_each(|timed| match &timed.disturbance {
            Disturbance::FingerTie(tie) => tie.check_fits(robot),
            _ => Ok(()),
        })
    }

    /// Whether every number can be: finite, and where physics asks for it, above zero. For plans from outside.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self) -> Result<(), String> {
        let parameters = &self.parameters;
        parameters.joints.iter().try_for_each(check_joint)?;
        check_bodies(parameters)?;
        check_way_to_and_fro(parameters)?;
        check_meddling(parameters)?;
        self.disturbances.iter().try_for_each(|timed| match &timed.disturbance {
            Disturbance::ObjectSwap(swap) => swap.check(self.sampled.len()),
            Disturbance::FingerTie(tie) => tie.check(),
            _ => Ok(()),
        })?;
        let start = &self.start;
        let tracking = &parameters.tracking;
        let loose = parameters.gravity_m_per_sec2.iter().chain(&parameters.object.center_of_mass_m);
        let seen = tracking.position_bias_m.iter().chain(&tracking.rotation_bias_rad);
        let placed = start.joint_positions_rad.iter().chain(start.palm_from_object.translation.vector.iter());
        let turned = start.palm_from_object.rotation.coords.iter();
        if loose.chain(seen).chain(placed).chain(turned).chain(&self.sampled).any(|value| !value.is_finite()) {
            return Err("gravity, the centre of mass, a tracker's bias, the start or a sampled value is not a finite \
                        number"
                .to_owned());
        }
        let joint_count = parameters.joints.len();
        let jams = self.disturbances.iter().filter_map(|timed| match timed.disturbance {
            Disturbance::JointJam { joint, .. } => Some(joint),
            _ => None,
        });
        match jams.into_iter().find(|joint| *joint >= joint_count) {
            Some(joint) => Err(format!("a jam of joint {joint}, but there are {joint_count} joints")),
            None => Ok(()),
        }
    }
}

impl ObjectParameters {
    /// Whether there can be such an object.
    pub(crate) fn check(&self) -> Result<(), String> {
        positive("object.mass_kg", self.mass_kg)?;
        positive("object.size_scale", self.size_scale)?;
        positive("object.inertia_scale", self.inertia_scale)?;
        positive("object.stretch", self.stretch)?;
        match self.center_of_mass_m.iter().find(|axis| !axis.is_finite()) {
            Some(axis) => Err(format!("object.center_of_mass_m has {axis}, which must be a finite number")),
            None => Ok(()),
        }
    }
}

fn check_joint(joint: &JointParameters) -> Result<(), String> {
    positive("a joint's stiffness", joint.stiffness_newton_m_per_rad)?;
    positive("a joint's torque limit", joint.effort_limit_newton_m)?;
    for (name, value) in [
        ("a joint's damping", joint.damping_newton_m_secs_per_rad),
        ("a joint's friction loss", joint.friction_loss_newton_m),
        ("a joint's armature", joint.armature_kg_m2),
        ("a joint's zero offset, taken absolutely,", joint.zero_offset_rad.abs()),
        ("a joint's position bias, taken absolutely,", joint.position_bias_rad.abs()),
        ("a joint's target bias, taken absolutely,", joint.target_bias_rad.abs()),
        ("a joint's dead band", joint.dead_band_rad),
        ("a joint's backlash", joint.backlash_rad),
        ("a joint's shift of its lower limit, taken absolutely,", joint.lower_limit_shift_rad.abs()),
        ("a joint's shift of its upper limit, taken absolutely,", joint.upper_limit_shift_rad.abs()),
        ("a joint's torque-speed slope", joint.torque_speed_slope),
    ] {
        between_zero_and(1e3, name, value)?;
    }
    Ok(())
}

/// Hand, object and how they meet.
fn check_bodies(parameters: &WorldParameters) -> Result<(), String> {
    positive("hand.link_mass_scale", parameters.hand.link_mass_scale)?;
    positive("hand.tip_size_scale", parameters.hand.tip_size_scale)?;
    parameters.object.check()?;
    positive("contact.frequency_hz", parameters.contact.frequency_hz)?;
    between_zero_and(1e6, "contact.damping_ratio", parameters.contact.damping_ratio)?;
    between_zero_and(1.0, "contact.restitution", parameters.contact.restitution)?;
    between_zero_and(1e3, "contact.tip_friction", parameters.contact.tip_friction)?;
    between_zero_and(1e3, "contact.link_friction", parameters.contact.link_friction)?;
    between_zero_and(1e3, "contact.palm_friction", parameters.contact.palm_friction)
}

/// What happens to commands and to measurements.
fn check_way_to_and_fro(parameters: &WorldParameters) -> Result<(), String> {
    let WorldParameters { sensing, actuation, tracking, .. } = parameters;
    for (name, value) in [
        ("sensing.position_noise_rad", sensing.position_noise_rad),
        ("sensing.position_resolution_rad", sensing.position_resolution_rad),
        ("sensing.position_delay_secs", sensing.position_delay_secs),
        ("actuation.delay_secs", actuation.delay_secs),
        ("actuation.jitter_secs", actuation.jitter_secs),
        ("actuation.noise_rad", actuation.noise_rad),
        ("tracking.refresh_secs", tracking.refresh_secs),
        ("tracking.delay_secs", tracking.delay_secs),
        ("tracking.position_noise_m", tracking.position_noise_m),
        ("tracking.rotation_noise_rad", tracking.rotation_noise_rad),
    ] {
        between_zero_and(10.0, name, value)?;
    }
    between_zero_and(1.0, "sensing.position_dropout", sensing.position_dropout)?;
    for (name, value) in [
        ("tracking.dropout", tracking.dropout),
        ("tracking.injection", tracking.injection),
        ("actuation.gain_noise", actuation.gain_noise),
        ("actuation.dropout", actuation.dropout),
        ("actuation.broken_chance", actuation.broken_chance),
    ] {
        between_zero_and(1.0, name, value)?;
    }
    let jitter = parameters.clock.step_jitter;
    if (0.0..1.0).contains(&jitter) {
        return Ok(());
    }
    Err(format!("clock.step_jitter is {jitter}, which must be a number from 0 to below 1: time does not stand still"))
}

/// What acts on hand and object without anybody asking.
fn check_meddling(parameters: &WorldParameters) -> Result<(), String> {
    let WorldParameters { forces, adversary, joints, .. } = parameters;
    positive("forces.half_life_secs", forces.half_life_secs)?;
    for (name, value) in [
        ("forces.rate_hz", forces.rate_hz),
        ("forces.acceleration_m_per_sec2", forces.acceleration_m_per_sec2),
        ("forces.angular_acceleration_rad_per_sec2", forces.angular_acceleration_rad_per_sec2),
        ("adversary.push_m_per_sec2", adversary.push_m_per_sec2),
    ] {
        between_zero_and(1e3, name, value)?;
    }
    joints.iter().try_for_each(|joint| between_zero_and(1.0, "a joint's adversary share", joint.adversary_share))
}

fn positive(name: &str, value: f32) -> Result<(), String> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(format!("{name} is {value}, which must be a number above zero"))
}

fn between_zero_and(most: f32, name: &str, value: f32) -> Result<(), String> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, which must be a number from 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{ActuationParameters, ContactParameters, HandParameters, ObjectParameters};
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
        let spoiled: [(&str, Spoil); 25] = [
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
        let problem = with(tie(|tie| tie.fingers = [0, 4])).check_fits(&robot).expect_err("LEAP has four fingers");
        assert!(problem.contains("fingertip 4") && problem.contains("has 4"), "{problem}");
    }
}
