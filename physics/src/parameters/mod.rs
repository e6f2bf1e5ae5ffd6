//! Everything that may differ between two worlds, as plain numbers in SI units.
//!
//! Randomization decides these values, physics applies them. A plan can therefore be logged, replayed, compared
//! and tested without either side knowing the other.

mod between;
mod check;
mod form;
mod link;
mod meddling;

use crate::scene::SceneModel;
pub(crate) use between::Between;
pub(crate) use check::{between_zero_and, finite, within};
pub(crate) use form::{scaled, stretched};
use giraffe_robots::{EpisodeStart, Limits, Region, RobotModel};
pub use link::LinkParameters;
pub(crate) use meddling::ObjectPush;
pub use meddling::{AdversaryParameters, ForceParameters};
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
    /// What a tracker makes of the object's pose.
    #[serde(default)]
    pub tracking: TrackingParameters,
    /// Random forces on the object.
    #[serde(default)]
    pub forces: ForceParameters,
    /// A random network that meddles.
    #[serde(default)]
    pub adversary: AdversaryParameters,
    /// How evenly time passes.
    #[serde(default)]
    pub clock: ClockParameters,
    /// What the link to the controller loses.
    #[serde(default)]
    pub link: LinkParameters,
}

/// One joint and its servo, absolute values. What a servo of a real hand adds to a spring with a torque limit is zero for
/// an ideal one, and where an older plan does not say.
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
    /// Further error of the encoder, in what is sensed only: targets are not shifted, rad.
    #[serde(default)]
    pub position_bias_rad: f32,
    /// How far the servo misses each target, which nobody is told, rad.
    #[serde(default)]
    pub target_bias_rad: f32,
    /// The servo gives no torque while its error is smaller than this, and counts the rest of the error from there, rad.
    #[serde(default)]
    pub dead_band_rad: f32,
    /// Play between encoder and joint, from flank to flank, rad.
    #[serde(default)]
    pub backlash_rad: f32,
    /// Share of the torque limit that is lost at the description's velocity limit: 0 for a torque that does not depend on
    /// speed, 1 for a motor whose no-load speed is that limit, 2 for half that speed.
    #[serde(default)]
    pub torque_speed_slope: f32,
    /// Share of each target that a random network decides, 0 to 1.
    #[serde(default)]
    pub adversary_share: f32,
    /// How far the lower stop is from where the description has it, rad. See [`WorldParameters::joint_limits_rad`].
    #[serde(default)]
    pub lower_limit_shift_rad: f32,
    /// How far the upper stop is from where the description has it, rad.
    #[serde(default)]
    pub upper_limit_shift_rad: f32,
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
    /// Mass, kg. The inertia follows, for an even density, but for `inertia_scale`.
    pub mass_kg: f32,
    /// Size, times nominal.
    pub size_scale: f32,
    /// Centre of mass in the object's frame, m.
    pub center_of_mass_m: [f32; 3],
    /// Inertia, times that of an even density: above 1 for mass near the surface, below 1 for mass near the centre.
    #[serde(default = "one")]
    pub inertia_scale: f32,
    /// Length along the object's z axis, times nominal. What lies across shrinks by the square root, so that the volume
    /// stays: both sides of a box, the radius of a cylinder, a prism and a capsule. A capsule's ends stay round, so its
    /// length is at least its width; and a sphere, which has no long axis, stays as it is.
    #[serde(default = "one")]
    pub stretch: f32,
}

fn one() -> f32 {
    1.0
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

/// What sensors do to the truth. Zero for ideal ones.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SensingParameters {
    /// Encoder noise: uniform in plus or minus this, new at every control step, rad.
    pub position_noise_rad: f32,
    /// Smallest step of the encoder, rad; zero for none.
    pub position_resolution_rad: f32,
    /// Age of the joint angles when they are read, s.
    pub position_delay_secs: f32,
    /// Chance that a joint's reading is lost in a control step, and the last one repeated.
    #[serde(default)]
    pub position_dropout: f32,
}

/// What happens between a command and the servo. Zero for an ideal way.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ActuationParameters {
    /// Time from a command to its arrival at the servos, s. Any value; not rounded to steps.
    pub delay_secs: f32,
    /// Each command is later than that by a time of its own, uniform from zero to this, s.
    #[serde(default)]
    pub jitter_secs: f32,
    /// How far a command may miss, each joint for itself: uniform in plus or minus this, new with every command, rad.
    #[serde(default)]
    pub noise_rad: f32,
    /// How far a command may miss, each joint for itself, in proportion to its distance from the command before: uniform in
    /// plus or minus this share of it, new with every command.
    #[serde(default)]
    pub gain_noise: f32,
    /// Chance that a command is lost behind the controller, for all joints at once, so that the one before stays in force
    /// while the new one is reported.
    #[serde(default)]
    pub dropout: f32,
    /// Chance that a servo is dead for the whole episode, each for itself but at most two of a hand: no torque, while what
    /// is passive about the joint (damping, friction, rotor) stays.
    #[serde(default)]
    pub broken_chance: f32,
}

/// What a tracker makes of the object's pose. Zero for one that sees the truth at once.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TrackingParameters {
    /// Time between two pictures, s; zero for a new one whenever somebody asks.
    pub refresh_secs: f32,
    /// Time from a picture until its pose is known, s. Any value; not rounded to steps.
    pub delay_secs: f32,
    /// Error of the position along each axis: uniform in plus or minus this, new with every picture, m.
    pub position_noise_m: f32,
    /// Error of the orientation: turned by a rotation vector, each element uniform in plus or minus this, new with every
    /// picture, rad.
    pub rotation_noise_rad: f32,
    /// Error of every position, palm frame, m.
    pub position_bias_m: [f32; 3],
    /// Error of every orientation, a rotation vector in the palm frame, rad.
    pub rotation_bias_rad: [f32; 3],
    /// Chance that the object is not found in a picture.
    pub dropout: f32,
    /// Chance that something else is found in a picture: a pose anywhere near the start, in any orientation.
    #[serde(default)]
    pub injection: f32,
}

/// How evenly time passes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ClockParameters {
    /// Each control step takes longer or shorter than the control period: uniform in plus or minus this share of it, so
    /// that the mean stays. As where a loop on a busy computer runs late and catches up: nobody is told, and time stamps,
    /// sensed velocities, delays and durations of disturbances count in steps of the nominal length.
    pub step_jitter: f32,
}

impl WorldParameters {
    /// The description's own values: ideal servos and sensors, no noise, no delay.
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
                position_bias_rad: 0.0,
                target_bias_rad: 0.0,
                dead_band_rad: 0.0,
                backlash_rad: 0.0,
                torque_speed_slope: 0.0,
                adversary_share: 0.0,
                lower_limit_shift_rad: 0.0,
                upper_limit_shift_rad: 0.0,
            })
            .collect();
        let friction = |region| scene.region_friction(region).max(object.friction);
        Self {
            joints,
            hand: HandParameters { link_mass_scale: 1.0, tip_size_scale: 1.0 },
            object: ObjectParameters {
                mass_kg: object.mass_kg,
                size_scale: 1.0,
                center_of_mass_m: [0.0; 3],
                inertia_scale: 1.0,
                stretch: 1.0,
            },
            contact: ContactParameters {
                tip_friction: friction(Region::Tip),
                link_friction: friction(Region::Link),
                palm_friction: friction(Region::Palm),
                restitution: 0.0,
                frequency_hz: NOMINAL_CONTACT_FREQUENCY_HZ,
                damping_ratio: NOMINAL_CONTACT_DAMPING_RATIO,
            },
            gravity_m_per_sec2: [0.0, 0.0, -GRAVITY_M_PER_SEC2],
            sensing: SensingParameters::default(),
            actuation: ActuationParameters::default(),
            tracking: TrackingParameters::default(),
            forces: ForceParameters::default(),
            adversary: AdversaryParameters::default(),
            clock: ClockParameters::default(),
            link: LinkParameters::default(),
        }
    }

    /// Where the stops of a joint are in this world, rad. They never come closer to each other than [`LEAST_RANGE_RAD`]
    /// (or than the description has them, where that is less): shifts that ask for it leave so much, around the middle of
    /// what they ask for. A joint that follows another has the description's stops: its leader's bound it too.
    pub fn joint_limits_rad(&self, robot: &RobotModel, joint: usize) -> Limits {
        let nominal = robot.joints[joint].position_limits_rad;
        let JointParameters { lower_limit_shift_rad, upper_limit_shift_rad, .. } = self.joints[joint];
        let follows = robot.couplings.iter().any(|coupling| coupling.follower == joint);
        if follows || !(lower_limit_shift_rad.abs() > 0.0 || upper_limit_shift_rad.abs() > 0.0) {
            return nominal;
        }
        let (lower, upper) = (nominal.lower + lower_limit_shift_rad, nominal.upper + upper_limit_shift_rad);
        let least = LEAST_RANGE_RAD.min(nominal.upper - nominal.lower);
        if upper - lower >= least {
            return Limits { lower, upper };
        }
        let middle = 0.5 * (lower + upper);
        Limits { lower: middle - 0.5 * least, upper: middle + 0.5 * least }
    }

    /// The joint angles that an episode really starts at, rad: those of `start`, brought inside stops that were shifted,
    /// with followers where their leaders put them.
    pub fn start_positions_rad(&self, robot: &RobotModel, start: &EpisodeStart) -> Vec<f32> {
        let mut positions_rad = start.joint_positions_rad.clone();
        for (joint, (position_rad, own)) in positions_rad.iter_mut().zip(&self.joints).enumerate() {
            if own.lower_limit_shift_rad.abs() > 0.0 || own.upper_limit_shift_rad.abs() > 0.0 {
                *position_rad = self.joint_limits_rad(robot, joint).clamp(*position_rad);
            }
        }
        robot.couple(&mut positions_rad);
        positions_rad
    }
}

/// Shifted stops leave a joint at least so much room, rad: 3 degrees either way.
pub const LEAST_RANGE_RAD: f32 = 0.1;

/// Standard gravity, rounded as MuJoCo has it.
pub const GRAVITY_M_PER_SEC2: f32 = 9.81;
/// rapier's own default for contacts between moving bodies.
const NOMINAL_CONTACT_FREQUENCY_HZ: f32 = 30.0;
/// Lower than rapier's default of 10, which is made for tall piles and lets a held object creep.
const NOMINAL_CONTACT_DAMPING_RATIO: f32 = 5.0;

#[cfg(test)]
impl Default for JointParameters {
    /// Zeros, for tests to fill in.
    fn default() -> Self {
        Self {
            stiffness_newton_m_per_rad: 0.0,
            damping_newton_m_secs_per_rad: 0.0,
            friction_loss_newton_m: 0.0,
            armature_kg_m2: 0.0,
            effort_limit_newton_m: 0.0,
            zero_offset_rad: 0.0,
            position_bias_rad: 0.0,
            target_bias_rad: 0.0,
            dead_band_rad: 0.0,
            backlash_rad: 0.0,
            torque_speed_slope: 0.0,
            adversary_share: 0.0,
            lower_limit_shift_rad: 0.0,
            upper_limit_shift_rad: 0.0,
        }
    }
}
