//! What acts on hand and object without anybody asking.

use serde::{Deserialize, Serialize};

/// How the object is pushed about: a force and a torque that are drawn anew at random times and fade in between.
///
/// Each component is normal, in the palm frame. Both are given per mass and inertia, so that light objects are not thrown
/// and heavy ones not left alone. This is the law of OpenAI's Dactyl (2018, appendix C.2), DeXtreme (2022) and HORA
/// (2022), with times in seconds instead of control steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForceParameters {
    /// How often force and torque are drawn anew, Hz.
    pub rate_hz: f32,
    /// Time in which both fade to one half, s.
    pub half_life_secs: f32,
    /// Standard deviation of the force along each axis, N per kg of the object.
    pub acceleration_m_per_sec2: f32,
    /// Standard deviation of the torque about each axis, N m per kg m2 of the object's inertia.
    pub angular_acceleration_rad_per_sec2: f32,
}

impl Default for ForceParameters {
    /// No force. Once a second, and with the fading of Dactyl (0.99 in 80 ms), if there were one.
    fn default() -> Self {
        Self {
            rate_hz: 1.0,
            half_life_secs: DACTYL_HALF_LIFE_SECS,
            acceleration_m_per_sec2: 0.0,
            angular_acceleration_rad_per_sec2: 0.0,
        }
    }
}

/// A decay by 0.99 in 80 ms: 0.08 s ln(0.5) / ln(0.99).
const DACTYL_HALF_LIFE_SECS: f32 = 5.517;

/// What an adversary may do to the object; what it may do to each joint is `JointParameters::adversary_share`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct AdversaryParameters {
    /// Largest push along each axis, N per kg of the object.
    pub push_m_per_sec2: f32,
}

/// What pushes the object from outside, palm frame: force per mass, and torque per inertia, at the centre of mass.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ObjectPush {
    pub m_per_sec2: [f32; 3],
    pub rad_per_sec2: [f32; 3],
}
