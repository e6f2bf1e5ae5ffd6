//! Reads `robot.toml`: what MJCF cannot say about a hand.

use super::error::{DescriptionError, Place};
use super::mjcf::HandFile;
use crate::model::{ControlSpec, DeviceMapping, SafetySpec, ServoKind};
use crate::names::did_you_mean;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// `robot.toml`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// In canonical order.
    pub(super) joints: Vec<Spanned<JointRow>>,
    /// Hinges that are welded where they stand in the resting pose.
    #[serde(default)]
    pub(super) locked_joints: Vec<Spanned<String>>,
    pub(super) fingertips: Vec<Spanned<FingertipRow>>,
    pub(super) regions: Spanned<Regions>,
    pub(super) control: Spanned<ControlSpec>,
    pub(super) object_home: Spanned<ObjectHome>,
    pub(super) safety: Spanned<SafetySpec>,
    /// Absent where nobody knows what it is built with.
    pub(super) servos: Option<Spanned<ServoKind>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JointRow {
    pub(super) name: String,
    /// Absent for a joint that follows another, and where the wiring is not known.
    pub(super) device: Option<DeviceMapping>,
    pub(super) velocity_limit_rad_per_sec: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FingertipRow {
    pub(super) name: String,
    pub(super) body: String,
    pub(super) point_m: [f32; 3],
}

/// Which shapes are palm and which are fingertips; all others are links.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regions {
    pub(super) palm_bodies: Vec<String>,
    pub(super) tip_geoms: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectHome {
    pub(super) position_m: [f32; 3],
    /// Of any length; absent where the palm is level.
    pub(super) resting_normal: Option<[f32; 3]>,
}

/// Reads the text of `robot.toml` and checks it against the hand; `file` is what messages call it.
pub(super) fn read_settings(file: &str, text: &str, hand: &HandFile) -> Result<Settings, DescriptionError> {
    let settings: Settings = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        Place { file: file.to_owned(), line }.error(error.message().to_owned())
    })?;
    let checker = Checker { file, text, hand };
    checker.joints(&settings)?;
    checker.locked_joints(&settings)?;
    checker.fingertips(&settings)?;
    checker.regions(&settings)?;
    checker.control(&settings)?;
    checker.safety(&settings)?;
    checker.servos(&settings)?;
    checker.object_home(&settings)?;
    Ok(settings)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

struct Checker<'t> {
    file: &'t str,
    text: &'t str,
    hand: &'t HandFile,
}

impl Checker<'_> {
    fn error<T>(&self, at: &Spanned<T>, problem: impl Into<String>) -> DescriptionError {
        let line = Some(line_of(self.text, at.span().start));
        Place { file: self.file.to_owned(), line }.error(problem)
    }

    fn no_such<'n, T>(
        &self,
        at: &Spanned<T>,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> DescriptionError {
        let meant = did_you_mean(name, known);
        self.error(at, format!("hand.xml has no {kind} `{name}`{meant}"))
    }

    fn positive<T>(&self, at: &Spanned<T>, what: &str, value: f32) -> Result<(), DescriptionError> {
        if value.is_finite() && value > 0.0 {
            return Ok(());
        }
        Err(self.error(at, format!("`{what}` is {value}; it must be a positive number")))
    }

    fn finite<T>(&self, at: &Spanned<T>, what: &str, values: &[f32]) -> Result<(), DescriptionError> {
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(self.error(at, format!("`{what}` holds {value}; it must be finite"))),
            None => Ok(()),
        }
    }

    fn object_home(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let (at, home) = (&settings.object_home, settings.object_home.get_ref());
        self.finite(at, "position_m", &home.position_m)?;
        let Some(normal) = &home.resting_normal else { return Ok(()) };
        self.finite(at, "resting_normal", normal)?;
        if normal.iter().map(|part| part * part).sum::<f32>() < 1e-6 {
            return Err(self.error(at, format!("`resting_normal` is {normal:?}, which points nowhere")));
        }
        Ok(())
    }

    fn joints(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for row in &settings.joints {
            let JointRow { name, device, velocity_limit_rad_per_sec } = row.get_ref();
            if !self.hand.hinges.iter().any(|hinge| hinge.name == *name) {
                return Err(self.no_such(row, "joint", name, self.hand.hinges.iter().map(|h| h.name.as_str())));
            }
            if !names.insert(name.as_str()) {
                return Err(self.error(row, format!("joint `{name}` is listed twice")));
            }
            if let Some(device) = device {
                if !ids.insert(device.id) {
                    return Err(self.error(row, format!("device id {} is used twice", device.id)));
                }
                self.device(row, device)?;
            }
            self.positive(row, "velocity_limit_rad_per_sec", *velocity_limit_rad_per_sec)?;
        }
        match self.hand.hinges.iter().find(|hinge| !names.contains(hinge.name.as_str())) {
            Some(hinge) => {
                let place = Place { file: self.file.to_owned(), line: None };
                Err(place.error(format!("`joints` lacks `{}`, a joint of hand.xml", hinge.name)))
            }
            None => Ok(()),
        }
    }

    fn device(&self, row: &Spanned<JointRow>, device: &DeviceMapping) -> Result<(), DescriptionError> {
        if (device.sign.abs() - 1.0).abs() > f32::EPSILON {
            return Err(self.error(row, format!("`sign` is {}; it must be 1 or -1", device.sign)));
        }
        self.finite(row, "zero_rad", &[device.zero_rad])
    }

    fn locked_joints(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let hinges = &self.hand.hinges;
        for (index, row) in settings.locked_joints.iter().enumerate() {
            let name = row.get_ref();
            let Some(hinge) = hinges.iter().position(|hinge| hinge.name == *name) else {
                return Err(self.no_such(row, "joint", name, hinges.iter().map(|hinge| hinge.name.as_str())));
            };
            if settings.locked_joints[..index].iter().any(|other| other.get_ref() == name) {
                return Err(self.error(row, format!("joint `{name}` is locked twice")));
            }
            if self.hand.couplings.iter().any(|coupling| [coupling.leader, coupling.follower].contains(&hinge)) {
                return Err(self.error(row, format!("joint `{name}` is part of a coupling and cannot be locked")));
            }
        }
        if settings.locked_joints.len() == hinges.len() {
            return Err(self.error(&settings.locked_joints[0], "every joint is locked; a hand has at least one"));
        }
        Ok(())
    }

    fn fingertips(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let mut names = BTreeSet::new();
        for row in &settings.fingertips {
            let FingertipRow { name, body, point_m } = row.get_ref();
            if !names.insert(name.as_str()) {
                return Err(self.error(row, format!("fingertip `{name}` is listed twice")));
            }
            let bodies = || self.hand.bodies.iter().map(|body| body.name.as_str());
            if !bodies().any(|known| known == body) {
                return Err(self.no_such(row, "body", body, bodies()));
            }
            self.finite(row, "point_m", point_m)?;
        }
        Ok(())
    }

    fn regions(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let regions = settings.regions.get_ref();
        let bodies = || self.hand.bodies.iter().map(|body| body.name.as_str());
        let geoms = || self.hand.bodies.iter().flat_map(|body| &body.geoms).map(|geom| geom.name.as_str());
        if let Some(name) = regions.palm_bodies.iter().find(|name| !bodies().any(|known| known == name.as_str())) {
            return Err(self.no_such(&settings.regions, "body", name, bodies()));
        }
        match regions.tip_geoms.iter().find(|name| !geoms().any(|known| known == name.as_str())) {
            Some(name) => Err(self.no_such(&settings.regions, "geom", name, geoms())),
            None => Ok(()),
        }
    }

    fn control(&self, settings: &Settings) -> Result<(), DescriptionError> {
        self.positive(&settings.control, "period_secs", settings.control.get_ref().period_secs)
    }

    fn safety(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let (at, safety) = (&settings.safety, settings.safety.get_ref());
        self.positive(at, "target_velocity_rad_per_sec", safety.target_velocity_rad_per_sec)?;
        self.positive(at, "target_acceleration_rad_per_sec2", safety.target_acceleration_rad_per_sec2)?;
        self.positive(at, "tracking_band_rad", safety.tracking_band_rad)?;
        self.positive(at, "hold_after_secs", safety.hold_after_secs)?;
        self.positive(at, "relax_after_secs", safety.relax_after_secs)?;
        self.positive(at, "off_after_secs", safety.off_after_secs)?;
        if safety.hold_after_secs < settings.control.get_ref().period_secs {
            let problem =
                "`hold_after_secs` is shorter than `control.period_secs`: the hand would hold between commands";
            return Err(self.error(at, problem));
        }
        match safety.servos.first_mistake() {
            Some((name, problem)) => Err(self.error(at, format!("`servos.{name}` {problem}"))),
            None => Ok(()),
        }
    }

    fn servos(&self, settings: &Settings) -> Result<(), DescriptionError> {
        let Some(at) = &settings.servos else { return Ok(()) };
        match at.get_ref().first_mistake() {
            Some((name, problem)) => Err(self.error(at, format!("`servos.{name}` {problem}"))),
            None => Ok(()),
        }
    }
}
