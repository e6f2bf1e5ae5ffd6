//! What a simulated controller has go wrong because it was asked to, so that its safety can be asked for: PROTOCOL.md
//! section 8. Nobody can bend a simulated finger from outside.

use crate::driver::DriverError;
use giraffe_robots::{RobotModel, Signal, SignalFrame};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// As asked for, in the map of an episode.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    joint: String,
    #[serde(default)]
    jam: bool,
    #[serde(default)]
    beyond: f32,
    #[serde(default)]
    grip: u32,
}

/// An episode of which nothing else is read here.
#[derive(Deserialize)]
struct WithTrial {
    trial: Asked,
}

/// Whether a trial is asked for at all.
#[derive(Deserialize)]
struct Whether {
    #[serde(default)]
    trial: Option<IgnoredAny>,
}

/// What goes wrong until the next episode, or the end of the session.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    sid: u64,
    name: String,
    joint: usize,
    jam: bool,
    /// Where the joint is jammed, once it was sensed.
    at_rad: Option<f32>,
    /// Where the joint is found if it is bent out of its range.
    bent_rad: Option<f32>,
    /// So many more releases are not confirmed.
    grip: u32,
}

impl Trial {
    /// The trial that an episode of session `sid` asks for, if it asks for one.
    ///
    /// # Errors
    /// When it is not understood; says why.
    pub(crate) fn read(episode: &[u8], robot: &RobotModel, sid: u64) -> Result<Option<Self>, DriverError> {
        let wrong = |reason: String| DriverError::new("reading the trial of the episode", reason);
        let asked = rmp_serde::from_slice::<Whether>(episode).ok().and_then(|whether| whether.trial);
        if asked.is_none() {
            return Ok(None);
        }
        let read = rmp_serde::from_slice::<WithTrial>(episode);
        let Asked { joint: name, jam, beyond, grip } = read.map_err(|error| wrong(error.to_string()))?.trial;
        let joint = robot.joints.iter().position(|joint| joint.name == name);
        let joint = joint.ok_or_else(|| wrong(format!("there is no joint `{name}`")))?;
        if !(beyond.is_finite() && beyond >= 0.0) {
            return Err(wrong(format!("`beyond` is {beyond}, expected rad beyond the range, 0 or more")));
        }
        let upper_rad = robot.joints[joint].position_limits_rad.upper;
        let bent_rad = (beyond > 0.0).then_some(upper_rad + beyond);
        Ok(Some(Self { sid, name, joint, jam, at_rad: None, bent_rad, grip }))
    }

    /// The session that asked for it.
    pub(crate) fn sid(&self) -> u64 {
        self.sid
    }

    /// Alters what was sensed.
    pub(crate) fn alter(&mut self, frame: &mut SignalFrame) {
        let place = self.joint;
        let Some(mut q) = frame.read(Signal::JointPosition).map(<[f32]>::to_vec) else { return };
        let Some(mut dq) = frame.read(Signal::JointVelocity).map(<[f32]>::to_vec) else { return };
        let stays = if self.jam { Some(*self.at_rad.get_or_insert(q[place])) } else { self.bent_rad };
        let Some(at_rad) = stays else { return };
        (q[place], dq[place]) = (at_rad, 0.0);
        let now = frame.now();
        for (signal, values) in [(Signal::JointPosition, q), (Signal::JointVelocity, dq)] {
            let stamp = frame.stamp(signal).unwrap_or(now);
            frame.write_at(signal, &values, stamp);
        }
    }

    /// The words of a servo that does not confirm a release, as often as was asked for.
    pub(crate) fn grip(&mut self) -> Option<DriverError> {
        self.grip = self.grip.checked_sub(1)?;
        let reason = format!("not confirmed by the servo of joint `{}` (a trial that was asked for)", self.name);
        Some(DriverError::new("taking torque off", reason))
    }
}
