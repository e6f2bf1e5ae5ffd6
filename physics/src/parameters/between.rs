//! Numbers on the straight line from one world to another.

use super::{
    ActuationParameters, AdversaryParameters, ClockParameters, ContactParameters, ForceParameters, HandParameters,
    JointParameters, LinkParameters, ObjectParameters, SensingParameters, TrackingParameters, WorldParameters,
};

/// What can be changed bit by bit.
pub(crate) trait Between {
    /// A part of the way, 0 to 1, from one to the other: at 1 the other to the bit, and where both are alike what they are.
    fn between(from: &Self, to: &Self, part: f32) -> Self;
}

impl Between for f32 {
    fn between(from: &Self, to: &Self, part: f32) -> Self {
        if part >= 1.0 { *to } else { from + (to - from) * part }
    }
}

impl Between for [f32; 3] {
    fn between(from: &Self, to: &Self, part: f32) -> Self {
        std::array::from_fn(|axis| f32::between(&from[axis], &to[axis], part))
    }
}

impl Between for Vec<JointParameters> {
    fn between(from: &Self, to: &Self, part: f32) -> Self {
        from.iter().zip(to).map(|(from, to)| Between::between(from, to, part)).collect()
    }
}

/// Field by field. A field that is missing here does not compile.
macro_rules! field_by_field {
    ($($parameters:ident { $($field:ident),+ $(,)? })+) => {
        $(impl Between for $parameters {
            fn between(from: &Self, to: &Self, part: f32) -> Self {
                Self { $($field: Between::between(&from.$field, &to.$field, part)),+ }
            }
        })+
    };
}

field_by_field! {
    WorldParameters {
        joints, hand, object, contact, gravity_m_per_sec2, sensing, actuation, tracking, forces, adversary, clock,
        link,
    }
    JointParameters {
        stiffness_newton_m_per_rad,
        damping_newton_m_secs_per_rad,
        friction_loss_newton_m,
        armature_kg_m2,
        effort_limit_newton_m,
        zero_offset_rad,
        position_bias_rad,
        target_bias_rad,
        dead_band_rad,
        backlash_rad,
        torque_speed_slope,
        adversary_share,
        lower_limit_shift_rad,
        upper_limit_shift_rad,
    }
    HandParameters { link_mass_scale, tip_size_scale }
    ObjectParameters { mass_kg, size_scale, center_of_mass_m, inertia_scale, stretch }
    ContactParameters { tip_friction, link_friction, palm_friction, restitution, frequency_hz, damping_ratio }
    SensingParameters { position_noise_rad, position_resolution_rad, position_delay_secs, position_dropout }
    ActuationParameters { delay_secs, jitter_secs, noise_rad, gain_noise, dropout, broken_chance }
    TrackingParameters {
        refresh_secs,
        delay_secs,
        position_noise_m,
        rotation_noise_rad,
        position_bias_m,
        rotation_bias_rad,
        dropout,
        injection,
    }
    ForceParameters { rate_hz, half_life_secs, acceleration_m_per_sec2, angular_acceleration_rad_per_sec2 }
    AdversaryParameters { push_m_per_sec2 }
    ClockParameters { step_jitter }
    LinkParameters { dropout, burst_rate_hz, burst_secs }
}
