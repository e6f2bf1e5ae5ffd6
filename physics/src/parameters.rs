//! Everything that may differ between two worlds, as plain numbers in SI units.
//!
//! Randomization decides these values, physics applies them. A plan can therefore be logged, replayed, compared
//! and tested without either side knowing the other.

use crate::scene::SceneModel;
use giraffe_robots::{EpisodeStart, Region};
use serde::{Deserialize, Serialize};

/// The physics of one world for one episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorldParameters {
    /// One per joint, canonical order.
    pub joints: Vec<JointParameters>,
    /// The hand's links and tips.
    pub hand: HandParameters,
    /// The object.
    pub object: ObjectParameters,
    /// How surfaces meet.
    pub contact: ContactParameters,
    /// Gravity in the palm frame: a tilted palm is a tilted gravity.
    pub gravity_m_per_sec2: [f32; 3],
    /// What sensors do to the truth.
    pub sensing: SensingParameters,
    /// What happens between a command and the servo.
    pub actuation: ActuationParameters,
}

/// One joint and its servo, absolute values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JointParameters {
    /// Servo stiffness, N m/rad.
    pub stiffness_newton_m_per_rad: f32,
    /// Passive damping, N m s/rad.
    pub damping_newton_m_secs_per_rad: f32,
    /// Dry friction, N m.
    pub friction_loss_newton_m: f32,
    /// Rotor inertia at the joint, kg m2.
    pub armature_kg_m2: f32,
    /// Torque limit, N m.
    pub effort_limit_newton_m: f32,
    /// How far the encoder's zero is off: reported angle = true angle + this, and targets are shifted alike, rad.
    pub zero_offset_rad: f32,
}

/// The hand's links.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HandParameters {
    /// Mass and inertia of every link, times nominal.
    pub link_mass_scale: f32,
    /// Size of the fingertips' shapes, times nominal.
    pub tip_size_scale: f32,
}

/// The object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ObjectParameters {
    /// Mass, kg. The inertia follows, for an even density.
    pub mass_kg: f32,
    /// Size, times nominal.
    pub size_scale: f32,
    /// Centre of mass in the object's frame, m.
    pub center_of_mass_m: [f32; 3],
}

/// How surfaces meet.
///
/// Friction is that of the *pair* object-region: the engine's combine rule is set so that these are the numbers
/// that act. Contact is a spring and damper at the contact's own mass, as rapier has it: frequency and damping ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ContactParameters {
    /// Sliding friction between object and fingertips.
    pub tip_friction: f32,
    /// Sliding friction between object and finger links.
    pub link_friction: f32,
    /// Sliding friction between object and palm.
    pub palm_friction: f32,
    /// Restitution between object and hand, 0 to 1.
    pub restitution: f32,
    /// Natural frequency of the contact spring, Hz.
    pub frequency_hz: f32,
    /// Damping ratio of the contact spring.
    pub damping_ratio: f32,
}

impl ContactParameters {
    /// Friction of the object against one region of the hand.
    pub fn friction(&self, region: Region) -> f32 {
        match region {
            Region::Tip => self.tip_friction,
            Region::Link => self.link_friction,
            Region::Palm => self.palm_friction,
        }
    }
}

/// What sensors do to the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SensingParameters {
    /// Encoder noise: uniform in plus or minus this, new at every control step, rad.
    pub position_noise_rad: f32,
    /// Smallest step of the encoder, rad; zero for none.
    pub position_resolution_rad: f32,
    /// Age of the joint angles when they are read, s.
    pub position_delay_secs: f32,
}

/// What happens between a command and the servo.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ActuationParameters {
    /// Time from a command to its arrival at the servos, s. Any value; not rounded to steps.
    pub delay_secs: f32,
}

impl WorldParameters {
    /// The description's own values: no noise, no delay.
    pub fn nominal(scene: &SceneModel) -> Self {
        let robot = scene.robot();
        let object = scene.object();
        let joints = robot
            .joints
            .iter()
            .map(|joint| JointParameters {
                stiffness_newton_m_per_rad: joint.stiffness_newton_m_per_rad,
                damping_newton_m_secs_per_rad: joint.damping_newton_m_secs_per_rad,
                friction_loss_newton_m: joint.friction_loss_newton_m,
                armature_kg_m2: joint.armature_kg_m2,
                effort_limit_newton_m: joint.effort_limit_newton_m,
                zero_offset_rad: 0.0,
            })
            .collect();
        let friction = |region| scene.region_friction(region).max(object.friction);
        Self {
            joints,
            hand: HandParameters { link_mass_scale: 1.0, tip_size_scale: 1.0 },
            object: ObjectParameters { mass_kg: object.mass_kg, size_scale: 1.0, center_of_mass_m: [0.0; 3] },
            contact: ContactParameters {
                tip_friction: friction(Region::Tip),
                link_friction: friction(Region::Link),
                palm_friction: friction(Region::Palm),
                restitution: 0.0,
                frequency_hz: NOMINAL_CONTACT_FREQUENCY_HZ,
                damping_ratio: NOMINAL_CONTACT_DAMPING_RATIO,
            },
            gravity_m_per_sec2: [0.0, 0.0, -GRAVITY_M_PER_SEC2],
            sensing: SensingParameters {
                position_noise_rad: 0.0,
                position_resolution_rad: 0.0,
                position_delay_secs: 0.0,
            },
            actuation: ActuationParameters { delay_secs: 0.0 },
        }
    }
}

/// Standard gravity, rounded as MuJoCo has it.
pub const GRAVITY_M_PER_SEC2: f32 = 9.81;
/// rapier's own default for contacts between moving bodies.
const NOMINAL_CONTACT_FREQUENCY_HZ: f32 = 30.0;
/// Lower than rapier's default of 10, which is made for tall piles and lets a held object creep.
const NOMINAL_CONTACT_DAMPING_RATIO: f32 = 5.0;

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
    /// Whether every number can be: finite, and where physics asks for it, above zero. For plans from outside.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self) -> Result<(), String> {
        let parameters = &self.parameters;
        let positive = |name: &str, value: f32| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(format!("{name} is {value}, which must be a number above zero")),
        };
        let at_least_zero = |name: &str, value: f32, most: f32| match (0.0..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}, which must be a number from 0 to {most}")),
        };
        for joint in &parameters.joints {
            positive("a joint's stiffness", joint.stiffness_newton_m_per_rad)?;
            positive("a joint's torque limit", joint.effort_limit_newton_m)?;
            at_least_zero("a joint's damping", joint.damping_newton_m_secs_per_rad, 1e3)?;
            at_least_zero("a joint's friction loss", joint.friction_loss_newton_m, 1e3)?;
            at_least_zero("a joint's armature", joint.armature_kg_m2, 1e3)?;
            at_least_zero("a joint's zero offset, taken absolutely,", joint.zero_offset_rad.abs(), 1e3)?;
        }
        positive("hand.link_mass_scale", parameters.hand.link_mass_scale)?;
        positive("hand.tip_size_scale", parameters.hand.tip_size_scale)?;
        positive("object.mass_kg", parameters.object.mass_kg)?;
        positive("object.size_scale", parameters.object.size_scale)?;
        positive("contact.frequency_hz", parameters.contact.frequency_hz)?;
        at_least_zero("contact.damping_ratio", parameters.contact.damping_ratio, 1e6)?;
        at_least_zero("contact.restitution", parameters.contact.restitution, 1.0)?;
        at_least_zero("contact.tip_friction", parameters.contact.tip_friction, 1e3)?;
        at_least_zero("contact.link_friction", parameters.contact.link_friction, 1e3)?;
        at_least_zero("contact.palm_friction", parameters.contact.palm_friction, 1e3)?;
        at_least_zero("sensing.position_noise_rad", parameters.sensing.position_noise_rad, 10.0)?;
        at_least_zero("sensing.position_resolution_rad", parameters.sensing.position_resolution_rad, 10.0)?;
        at_least_zero("sensing.position_delay_secs", parameters.sensing.position_delay_secs, 10.0)?;
        at_least_zero("actuation.delay_secs", parameters.actuation.delay_secs, 10.0)?;
        let start = &self.start;
        let loose = parameters.gravity_m_per_sec2.iter().chain(&parameters.object.center_of_mass_m);
        let placed = start.joint_positions_rad.iter().chain(start.palm_from_object.translation.vector.iter());
        let turned = start.palm_from_object.rotation.coords.iter();
        if loose.chain(placed).chain(turned).chain(&self.sampled).any(|value| !value.is_finite()) {
            return Err("gravity, the centre of mass, the start or a sampled value is not a finite number".to_owned());
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
