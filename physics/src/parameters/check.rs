//! Whether there can be such a world. For parameters from outside.

use super::{JointParameters, ObjectParameters, WorldParameters};

impl WorldParameters {
    /// Whether every number can be: finite, and where physics asks for it, above zero.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self) -> Result<(), String> {
        self.joints.iter().try_for_each(check_joint)?;
        check_bodies(self)?;
        check_way_to_and_fro(self)?;
        check_meddling(self)?;
        within(1e3, "gravity_m_per_sec2", &self.gravity_m_per_sec2)?;
        within(1e3, "the tracker's bias position_bias_m", &self.tracking.position_bias_m)?;
        within(1e3, "the tracker's bias rotation_bias_rad", &self.tracking.rotation_bias_rad)
    }
}

impl ObjectParameters {
    /// Whether there can be such an object.
    pub(crate) fn check(&self) -> Result<(), String> {
        positive("object.mass_kg", self.mass_kg)?;
        positive("object.size_scale", self.size_scale)?;
        positive("object.inertia_scale", self.inertia_scale)?;
        positive("object.stretch", self.stretch)?;
        within(1e3, "object.center_of_mass_m", &self.center_of_mass_m)
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
    let WorldParameters { sensing, actuation, tracking, link, .. } = parameters;
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
        ("link.burst_secs", link.burst_secs),
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
        ("link.dropout", link.dropout),
    ] {
        between_zero_and(1.0, name, value)?;
    }
    between_zero_and(1e3, "link.burst_rate_hz", link.burst_rate_hz)?;
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

/// Nothing that must be above zero is smaller or larger: far beyond what makes sense, and far from where numbers end.
const POSITIVE: [f32; 2] = [1e-9, 1e9];

fn positive(name: &str, value: f32) -> Result<(), String> {
    let [least, most] = POSITIVE;
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, which must be a number above zero ({least:e} to {most:e})"))
}

/// Whether each of these is a number between `-most` and `most`.
pub(crate) fn within(most: f32, name: &str, values: &[f32]) -> Result<(), String> {
    match values.iter().find(|value| !(-most..=most).contains(*value)) {
        Some(value) => Err(format!("{name} has {value}, which must be a number from -{most} to {most}")),
        None => Ok(()),
    }
}

pub(crate) fn finite(name: &str, values: &[f32]) -> Result<(), String> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(format!("{name} has {value}, which must be a finite number")),
        None => Ok(()),
    }
}

pub(crate) fn between_zero_and(most: f32, name: &str, value: f32) -> Result<(), String> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, which must be a number from 0 to {most}"))
}
