//! The policy's own envelope, for controllers that have none.

use crate::envelope::{EnvelopeSpec, SafetyEnvelope};
use crate::message::{JointLimits, NO_ENVELOPE, Welcome};
use crate::setting::SettingError;
use giraffe_robots::{Nanos, RobotModel};

/// Keeps commands to the limits before they are sent, in the order of the wire.
pub(super) struct LocalEnvelope {
    envelope: SafetyEnvelope,
    last: Option<Nanos>,
    started: bool,
}

impl LocalEnvelope {
    /// What a controller's welcome makes necessary: nothing, unless it says that it has no envelope itself. The limits
    /// are those of the welcome and of our own description, whichever is narrower.
    ///
    /// # Errors
    /// When that leaves no room for a joint.
    pub(super) fn for_terms(welcome: &Welcome, robot: &RobotModel) -> Result<Option<Self>, SettingError> {
        if !welcome.grants.iter().any(|grant| grant == NO_ENVELOPE) {
            return Ok(None);
        }
        let own = EnvelopeSpec::of(robot);
        let of = |name: &String| {
            let joint = own.names.iter().position(|known| known == name)?;
            Some(own.limits[joint].and(*welcome.limits.get(name)?))
        };
        let limits: Option<Vec<JointLimits>> = welcome.joints.iter().map(of).collect();
        let limits = limits.ok_or_else(|| SettingError {
            what: "limits in the welcome".to_owned(),
            found: format!("{} joints", welcome.limits.len()),
            expected: "one entry per joint",
        })?;
        let middle: Vec<f32> = limits.iter().map(|limits| 0.5 * (limits.lower + limits.upper)).collect();
        let spec = EnvelopeSpec { names: welcome.joints.clone(), limits, ..own };
        Ok(Some(Self { envelope: SafetyEnvelope::new(spec, &middle)?, last: None, started: false }))
    }

    /// What is enforced.
    pub(super) fn spec(&self) -> &EnvelopeSpec {
        self.envelope.spec()
    }

    /// The hand begins anew: at the next command it starts from the targets then in force.
    pub(super) fn forget(&mut self) {
        (self.last, self.started) = (None, false);
    }

    /// The targets to send in place of `wanted_rad`. `lockstep`: each command is one control period.
    pub(super) fn filter(
        &mut self,
        wanted_rad: &[f32],
        in_force_rad: &[f32],
        measured_rad: &[f32],
        lockstep: bool,
        now: Nanos,
    ) -> Option<Vec<f32>> {
        if !self.started && in_force_rad.len() == wanted_rad.len() {
            self.envelope.start_at(in_force_rad);
            self.started = true;
        }
        let elapsed_secs = match self.last.replace(now) {
            Some(last) if !lockstep => now.secs_since(last) as f32,
            _ => self.envelope.spec().period_secs,
        };
        // Both were checked when they came in; what cannot be judged is not sent.
        let safe = self.envelope.filter(wanted_rad, measured_rad, elapsed_secs).ok()?;
        Some(safe.positions_rad().to_vec())
    }
}
