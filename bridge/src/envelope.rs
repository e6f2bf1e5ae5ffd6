//! The safety envelope: from wanted targets to targets a motor may see. Pure.
//!
//! A backstop, not a controller: for targets inside every limit it is the identity, bit for bit.

use crate::message::JointLimits;
use crate::setting::SettingError;
use giraffe_robots::{Limits, RobotModel};

/// Bits of a clip mask.
pub const MAX_JOINT_COUNT: usize = 64;

/// Targets that went through an envelope. Drivers accept nothing else, and nobody else can make them.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeTargets {
    positions_rad: Vec<f32>,
    effort_scales: Vec<f32>,
    clipped_joints: u64,
    banded_joints: u64,
}

impl SafeTargets {
    /// Targets, rad, canonical joint order.
    pub fn positions_rad(&self) -> &[f32] {
        &self.positions_rad
    }

    /// Share of the usual effort (torque or current) limit each servo should be given, in (0, 1], canonical order.
    pub fn effort_scales(&self) -> &[f32] {
        &self.effort_scales
    }

    /// Bit *i* set: joint *i* was altered.
    pub fn clipped_joints(&self) -> u64 {
        self.clipped_joints
    }

    /// Bit *i* set: joint *i* was wanted further from its measured angle than the tracking band.
    pub fn banded_joints(&self) -> u64 {
        self.banded_joints
    }
}

/// What an envelope enforces.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvelopeSpec {
    /// Names, for messages; canonical order.
    pub names: Vec<String>,
    /// Limits of each joint.
    pub limits: Vec<JointLimits>,
    /// How far a target may lead the measured angle, rad.
    pub tracking_band_rad: f32,
    /// Control period, s.
    pub period_secs: f32,
}

impl EnvelopeSpec {
    /// What the description of `robot` asks for.
    pub fn of(robot: &RobotModel) -> Self {
        let limits = robot.joints.iter().map(|joint| JointLimits {
            lower: joint.position_limits_rad.lower,
            upper: joint.position_limits_rad.upper,
            velocity: robot.safety.target_velocity_rad_per_sec,
            acceleration: robot.safety.target_acceleration_rad_per_sec2,
        });
        Self {
            names: robot.joints.iter().map(|joint| joint.name.clone()).collect(),
            limits: limits.collect(),
            tracking_band_rad: robot.safety.tracking_band_rad,
            period_secs: robot.control.period_secs,
        }
    }

    /// Refuses what cannot be enforced.
    ///
    /// # Errors
    /// Names the joint and the limit.
    pub fn check(&self) -> Result<(), SettingError> {
        let count = self.limits.len();
        if self.names.len() != count || count == 0 || count > MAX_JOINT_COUNT {
            let found = format!("{count} (and {} names)", self.names.len());
            return Err(setting("number of joints".to_owned(), found, "1 to 64, one name each"));
        }
        for (name, limits) in self.names.iter().zip(&self.limits) {
            check_limits(name, limits)?;
        }
        positive("tracking band (rad)".to_owned(), self.tracking_band_rad)?;
        positive("control period (s)".to_owned(), self.period_secs)
    }
}

/// Refuses limits that cannot be enforced.
///
/// # Errors
/// Names the joint and the limit.
pub fn check_limits(name: &str, limits: &JointLimits) -> Result<(), SettingError> {
    // NaN compares false and is refused too.
    if !(limits.lower.is_finite() && limits.upper.is_finite() && limits.lower < limits.upper) {
        let found = format!("[{}, {}]", limits.lower, limits.upper);
        return Err(setting(format!("range of joint `{name}` (rad)"), found, "finite, lower below upper"));
    }
    positive(format!("velocity limit of joint `{name}` (rad/s)"), limits.velocity)?;
    positive(format!("acceleration limit of joint `{name}` (rad/s2)"), limits.acceleration)
}

fn positive(what: String, value: f32) -> Result<(), SettingError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(setting(what, value.to_string(), "finite and positive"))
}

fn setting(what: String, found: String, expected: &'static str) -> SettingError {
    SettingError { what, found, expected }
}

/// Why wanted targets were not even looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Unusable {
    /// Not one target per joint.
    Count {
        /// How many there were.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A target is not a finite number.
    NotFinite {
        /// The joint.
        joint: String,
    },
    /// A measured angle is not a finite number.
    NotMeasured {
        /// The joint.
        joint: String,
    },
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count { found, expected } => write!(f, "{found} targets for {expected} joints"),
            Self::NotFinite { joint } => write!(f, "target of joint `{joint}` is not a finite number"),
            Self::NotMeasured { joint } => write!(f, "measured angle of joint `{joint}` is not a finite number"),
        }
    }
}

/// How much of what is allowed is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Fastest a target moves, rad/s, whatever the limits would allow.
    pub most_rad_per_sec: f32,
    /// Share of the usual effort.
    pub effort_scale: f32,
}

impl Pace {
    /// Farthest a target moves in this time, s: any way where there is no fastest, also in no time.
    fn most_rad(&self, secs: f32) -> f32 {
        if self.most_rad_per_sec > f32::MAX { f32::INFINITY } else { (self.most_rad_per_sec * secs).max(0.0) }
    }
}

impl Default for Pace {
    /// All of it.
    fn default() -> Self {
        Self { most_rad_per_sec: f32::INFINITY, effort_scale: 1.0 }
    }
}

/// Limits targets. Holds the targets last let through.
#[derive(Debug, Clone)]
pub struct SafetyEnvelope {
    spec: EnvelopeSpec,
    /// Targets last let through, rad. Always inside the position limits.
    held_rad: Vec<f32>,
    /// Their last step, rad per control period.
    step_rad: Vec<f32>,
    /// Travel left, rad: refills at the velocity limit, never above one period's worth.
    allowance_rad: Vec<f32>,
    /// Share of the usual effort each servo bears now, in (0, 1].
    derating: Vec<f32>,
}

/// A servo is never given less than this share of its usual effort while torque is on.
const LEAST_EFFORT: f32 = 0.01;

impl SafetyEnvelope {
    /// An envelope around a hand that stands at `positions_rad` (see [`SafetyEnvelope::start_at`]).
    ///
    /// # Errors
    /// When a limit is NaN, infinite, empty, zero or negative; names the joint.
    pub fn new(spec: EnvelopeSpec, positions_rad: &[f32]) -> Result<Self, SettingError> {
        spec.check()?;
        let count = spec.limits.len();
        if positions_rad.len() != count {
            return Err(setting("number of start angles".to_owned(), positions_rad.len().to_string(), "one per joint"));
        }
        let zeros = vec![0.0; count];
        let mut envelope = Self {
            spec,
            held_rad: zeros.clone(),
            step_rad: zeros.clone(),
            allowance_rad: zeros,
            derating: vec![1.0; count],
        };
        envelope.start_at(positions_rad);
        Ok(envelope)
    }

    /// What is enforced.
    pub fn spec(&self) -> &EnvelopeSpec {
        &self.spec
    }

    /// Replaces the limits and keeps the targets in force, moved inside the new limits.
    ///
    /// # Errors
    /// As [`SafetyEnvelope::new`]; the old limits then stay.
    pub fn relimit(&mut self, limits: Vec<JointLimits>) -> Result<(), SettingError> {
        let spec = EnvelopeSpec { limits, ..self.spec.clone() };
        spec.check()?;
        self.spec = spec;
        let held = std::mem::take(&mut self.held_rad);
        self.held_rad = vec![0.0; held.len()];
        self.start_at(&held);
        Ok(())
    }

    /// Makes `positions_rad` the targets in force, at rest, with a full travel allowance. Each is moved inside the
    /// position limits; one that is not finite becomes the middle of the range.
    ///
    /// # Panics
    /// When the number of angles is wrong: a mistake in this program.
    pub fn start_at(&mut self, positions_rad: &[f32]) {
        assert_eq!(positions_rad.len(), self.held_rad.len(), "one angle per joint");
        for (joint, limits) in self.spec.limits.iter().enumerate() {
            let range = Limits { lower: limits.lower, upper: limits.upper };
            let wanted = positions_rad[joint];
            let wanted = if wanted.is_finite() { wanted } else { 0.5 * limits.lower + 0.5 * limits.upper };
            self.held_rad[joint] = range.clamp(wanted);
            self.step_rad[joint] = 0.0;
            self.allowance_rad[joint] = limits.velocity * self.spec.period_secs;
        }
    }

    /// Continues where another envelope stands: its last command, applied after at least one control period, moved the
    /// targets from `before_rad` to `held_rad`.
    ///
    /// # Panics
    /// When a number of angles is wrong: a mistake in this program.
    #[cfg(feature = "log")]
    pub(crate) fn resume(&mut self, before_rad: &[f32], held_rad: &[f32]) {
        self.start_at(held_rad);
        assert_eq!(before_rad.len(), held_rad.len(), "one angle per joint");
        for (joint, (before, held)) in before_rad.iter().zip(held_rad).enumerate() {
            self.step_rad[joint] = held - before;
            self.allowance_rad[joint] = (self.allowance_rad[joint] - (held - before).abs()).max(0.0);
        }
    }

    /// Targets in force, rad.
    pub fn held_rad(&self) -> &[f32] {
        &self.held_rad
    }

    /// Gives each servo at most this share of its usual effort from now on. What is not a number, or missing, counts
    /// as nothing.
    pub fn derate(&mut self, effort_scales: &[f32]) {
        for (joint, derating) in self.derating.iter_mut().enumerate() {
            let wanted = effort_scales.get(joint).copied().filter(|scale| scale.is_finite()).unwrap_or(0.0);
            *derating = wanted.clamp(LEAST_EFFORT, 1.0);
        }
    }

    /// The targets in force once more, between two commands.
    pub fn again(&self) -> SafeTargets {
        self.with_effort(1.0)
    }

    fn with_effort(&self, effort_scale: f32) -> SafeTargets {
        let scaled = self.derating.iter().map(|derating| (derating * effort_scale).clamp(LEAST_EFFORT, 1.0));
        SafeTargets {
            positions_rad: self.held_rad.clone(),
            effort_scales: scaled.collect(),
            clipped_joints: 0,
            banded_joints: 0,
        }
    }

    /// The targets in force, at rest, with `effort_scale` of the usual effort.
    pub fn hold(&mut self, effort_scale: f32) -> SafeTargets {
        self.step_rad.fill(0.0);
        self.with_effort(effort_scale)
    }

    /// Lets wanted targets through as far as they are safe. Order: finite, one per joint, position, velocity,
    /// acceleration, tracking band (as far as position and velocity let it).
    ///
    /// `measured_rad`: the angles now. `elapsed_secs`: time since the last call; refills the travel allowance.
    ///
    /// # Errors
    /// When there is not one finite target and angle per joint; nothing is changed then.
    pub fn filter(
        &mut self,
        wanted_rad: &[f32],
        measured_rad: &[f32],
        elapsed_secs: f32,
    ) -> Result<SafeTargets, Unusable> {
        self.filter_with(wanted_rad, measured_rad, elapsed_secs, Pace::default())
    }

    /// [`SafetyEnvelope::filter`], slower and with less effort.
    ///
    /// # Errors
    /// As [`SafetyEnvelope::filter`].
    pub fn filter_with(
        &mut self,
        wanted_rad: &[f32],
        measured_rad: &[f32],
        elapsed_secs: f32,
        pace: Pace,
    ) -> Result<SafeTargets, Unusable> {
        self.check_usable(wanted_rad, measured_rad)?;
        let elapsed_secs = if elapsed_secs.is_finite() { elapsed_secs.max(0.0) } else { 0.0 };
        let (mut clipped_joints, mut banded_joints) = (0, 0);
        for joint in 0..self.held_rad.len() {
            let most = pace.most_rad(elapsed_secs.min(self.spec.period_secs));
            let (safe, banded) = self.filter_joint(joint, wanted_rad[joint], measured_rad[joint], elapsed_secs, most);
            if safe.to_bits() != wanted_rad[joint].to_bits() {
                clipped_joints |= 1 << joint;
            }
            if banded {
                banded_joints |= 1 << joint;
            }
        }
        Ok(SafeTargets { clipped_joints, banded_joints, ..self.with_effort(pace.effort_scale) })
    }

    fn check_usable(&self, wanted_rad: &[f32], measured_rad: &[f32]) -> Result<(), Unusable> {
        let expected = self.held_rad.len();
        for found in [wanted_rad.len(), measured_rad.len()] {
            if found != expected {
                return Err(Unusable::Count { found, expected });
            }
        }
        let named = |index: usize| self.spec.names[index].clone();
        if let Some(index) = wanted_rad.iter().position(|value| !value.is_finite()) {
            return Err(Unusable::NotFinite { joint: named(index) });
        }
        if let Some(index) = measured_rad.iter().position(|value| !value.is_finite()) {
            return Err(Unusable::NotMeasured { joint: named(index) });
        }
        Ok(())
    }

    /// One joint: its target, and whether the tracking band altered it. Every interval clamped to contains the held
    /// target, so none is ever empty.
    fn filter_joint(
        &mut self,
        joint: usize,
        wanted_rad: f32,
        measured_rad: f32,
        elapsed_secs: f32,
        most_rad: f32,
    ) -> (f32, bool) {
        let limits = self.spec.limits[joint];
        let period = self.spec.period_secs;
        let band = self.spec.tracking_band_rad;
        let held = self.held_rad[joint];
        let allowance =
            (self.allowance_rad[joint] + limits.velocity * elapsed_secs).min(limits.velocity * period).max(0.0);
        // Position and velocity: where the target may be at all.
        let way = allowance.min(most_rad);
        let reach = Limits { lower: limits.lower.max(held - way), upper: limits.upper.min(held + way) };
        // Acceleration: steps grow by at most this much; braking is always allowed.
        let growth = limits.acceleration * period * period;
        let step = self.step_rad[joint];
        let pace = Limits { lower: held + (step - growth).min(0.0), upper: held + (step + growth).max(0.0) };
        let near = Limits { lower: measured_rad - band, upper: measured_rad + band };
        let paced = reach.clamp(pace.clamp(wanted_rad));
        let banded = near.clamp(paced);
        let safe = reach.clamp(banded);
        self.step_rad[joint] = safe - held;
        self.allowance_rad[joint] = (allowance - (safe - held).abs()).max(0.0);
        self.held_rad[joint] = safe;
        (safe, banded.to_bits() != paced.to_bits())
    }

    /// Moves the targets in force toward the measured angles at `speed_rad_per_sec`, with little effort.
    /// An angle that is not finite leaves its joint where it is.
    pub fn relax(
        &mut self,
        measured_rad: &[f32],
        speed_rad_per_sec: f32,
        elapsed_secs: f32,
        effort_scale: f32,
    ) -> SafeTargets {
        for (joint, limits) in self.spec.limits.iter().enumerate() {
            let most =
                (speed_rad_per_sec.min(limits.velocity) * elapsed_secs.clamp(0.0, self.spec.period_secs)).max(0.0);
            let held = self.held_rad[joint];
            let wanted = measured_rad.get(joint).copied().filter(|angle| angle.is_finite()).unwrap_or(held);
            let near = Limits { lower: held - most, upper: held + most };
            self.held_rad[joint] = Limits { lower: limits.lower, upper: limits.upper }.clamp(near.clamp(wanted));
        }
        self.hold(effort_scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Infinity times nothing is no number.
    #[test]
    fn without_a_fastest_any_way_is_allowed_in_any_time_and_a_pace_that_is_no_number_allows_none() {
        let at = |most_rad_per_sec| Pace { most_rad_per_sec, effort_scale: 1.0 };
        for secs in [0.0, 0.05] {
            assert!(Pace::default().most_rad(secs) > f32::MAX, "in {secs} s: {}", Pace::default().most_rad(secs));
            for none in [f32::NAN, -1.0, f32::NEG_INFINITY] {
                assert!(at(none).most_rad(secs).abs() <= 0.0, "{none} rad/s in {secs} s");
            }
        }
        assert!((at(0.4).most_rad(0.05) - 0.02).abs() < 1e-6);
    }
}
