//! Writes `robot.toml`: what [`settings`](super::settings) reads.

use super::number::toml_number;
use crate::model::{ControlSpec, DeviceMapping, HoldAt, SafetySpec, ServoKind, ServoLimits};
use std::fmt::Write;

/// `robot.toml`, to be written.
pub(super) struct Written {
    /// In canonical order.
    pub(super) joints: Vec<WrittenJoint>,
    pub(super) fingertips: Vec<WrittenTip>,
    pub(super) palm_bodies: Vec<String>,
    pub(super) tip_geoms: Vec<String>,
    pub(super) control: ControlSpec,
    pub(super) object_home_m: [f32; 3],
    pub(super) resting_normal: [f32; 3],
    pub(super) safety: SafetySpec,
    pub(super) servos: Option<ServoKind>,
}

pub(super) struct WrittenJoint {
    pub(super) name: String,
    pub(super) device: Option<DeviceMapping>,
    pub(super) velocity_limit_rad_per_sec: f32,
}

pub(super) struct WrittenTip {
    pub(super) name: String,
    pub(super) body: String,
    pub(super) point_m: [f32; 3],
}

impl Written {
    /// The text, one row per joint and fingertip.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "# Joints in canonical order: the order of actions, observations and logs. `device` says how a servo is wired:\n\
             # device = { id = 0, sign = 1, zero_rad = 0.0 }, where device angle = sign * joint angle + zero_rad.\n\
             joints = [\n",
        );
        for joint in &self.joints {
            let device = joint.device.map(|device| device_row(&device)).unwrap_or_default();
            let (name, speed) = (quoted(&joint.name), toml_number(joint.velocity_limit_rad_per_sec));
            line(&mut text, format_args!("    {{ name = {name}, {device}velocity_limit_rad_per_sec = {speed} }},"));
        }
        text += "]\n\n# A point on each fingertip, in the frame of its body.\nfingertips = [\n";
        for tip in &self.fingertips {
            let (name, body, point) = (quoted(&tip.name), quoted(&tip.body), point(tip.point_m));
            line(&mut text, format_args!("    {{ name = {name}, body = {body}, point_m = {point} }},"));
        }
        text +=
            "]\n\n# Parts of the hand whose friction may differ. Every geom that is named in neither list is a link.\n";
        text += "[regions]\n";
        line(&mut text, format_args!("palm_bodies = {}", names(&self.palm_bodies)));
        line(&mut text, format_args!("tip_geoms = {}", names(&self.tip_geoms)));
        line(&mut text, format_args!("\n[control]\nperiod_secs = {}", toml_number(self.control.period_secs)));
        text += "\n# Where an object's centre is put at the start of an episode, palm frame.\n[object_home]\n";
        line(&mut text, format_args!("position_m = {}", point(self.object_home_m)));
        // A level palm says nothing.
        if self.resting_normal[2] < 1.0 {
            text += "# Where the upper side of a cube points that lies in the hand.\n";
            line(&mut text, format_args!("resting_normal = {}", point(self.resting_normal)));
        }
        text += "\n# The envelope a controller enforces by default.\n[safety]\n";
        text += &safety(&self.safety);
        if let Some(ServoKind { model, torque_constant_newton_m_per_a }) = &self.servos {
            text += "\n# The servos it is built with.\n[servos]\n";
            line(&mut text, format_args!("model = {}", quoted(model)));
            text += &rows(&[("torque_constant_newton_m_per_a", *torque_constant_newton_m_per_a)]);
        }
        text
    }
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

fn quoted(name: &str) -> String {
    toml::Value::String(name.to_owned()).to_string()
}

fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

fn point(point_m: [f32; 3]) -> String {
    format!("[{}]", point_m.map(toml_number).join(", "))
}

fn device_row(device: &DeviceMapping) -> String {
    let (id, sign, zero) = (device.id, toml_number(device.sign), toml_number(device.zero_rad));
    format!("device = {{ id = {id}, sign = {sign}, zero_rad = {zero} }}, ")
}

fn safety(safety: &SafetySpec) -> String {
    let SafetySpec {
        target_velocity_rad_per_sec,
        target_acceleration_rad_per_sec2,
        tracking_band_rad,
        hold_after_secs,
        relax_after_secs,
        off_after_secs,
        hold,
        servos,
    } = safety;
    let hold = match hold {
        HoldAt::LastTarget => "last_target",
        HoldAt::Measured => "measured",
    };
    let mut text = rows(&[
        ("target_velocity_rad_per_sec", *target_velocity_rad_per_sec),
        ("target_acceleration_rad_per_sec2", *target_acceleration_rad_per_sec2),
        ("tracking_band_rad", *tracking_band_rad),
        ("hold_after_secs", *hold_after_secs),
        ("relax_after_secs", *relax_after_secs),
        ("off_after_secs", *off_after_secs),
    ]);
    line(&mut text, format_args!("hold = \"{hold}\""));
    if *servos != ServoLimits::REFERENCE {
        text += "\n# What the servos bear.\n[safety.servos]\n";
        text += &servo_rows(servos);
    }
    text
}

fn servo_rows(servos: &ServoLimits) -> String {
    let ServoLimits {
        continuous_current_a,
        peak_current_a,
        peak_secs,
        derate_from_celsius,
        hold_from_celsius,
        release_from_celsius,
        least_effort,
        supply_v,
    } = servos;
    let mut text = rows(&[
        ("continuous_current_a", *continuous_current_a),
        ("peak_current_a", *peak_current_a),
        ("peak_secs", *peak_secs),
        ("derate_from_celsius", *derate_from_celsius),
        ("hold_from_celsius", *hold_from_celsius),
        ("release_from_celsius", *release_from_celsius),
        ("least_effort", *least_effort),
    ]);
    let (lower, upper) = (toml_number(supply_v.lower), toml_number(supply_v.upper));
    line(&mut text, format_args!("supply_v = {{ lower = {lower}, upper = {upper} }}"));
    text
}

fn rows(rows: &[(&str, f32)]) -> String {
    rows.iter().map(|(name, value)| format!("{name} = {}\n", toml_number(*value))).collect()
}
