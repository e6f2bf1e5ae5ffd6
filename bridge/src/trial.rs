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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use giraffe_robots::{Nanos, SignalLayout, load_robot};
    use std::collections::BTreeMap;

    fn episode(trial: BTreeMap<&str, &str>) -> Vec<u8> {
        rmp_serde::to_vec_named(&BTreeMap::from([("trial", trial)])).unwrap()
    }

    #[test]
    fn what_is_not_understood_of_a_trial_is_refused_and_other_episodes_are_left_alone() {
        let robot = load_robot("leap-right").unwrap();
        for none in [&[][..], &[0xc1], &[0x80], b"\x81\xa4seed\x07", b"\x81\xa5trial\xc0", &[0x93, 1, 2, 3]] {
            assert!(Trial::read(none, &robot, 1).unwrap().is_none(), "{none:02x?}");
        }
        let name = robot.joints[0].name.as_str();
        let wrong = [
            BTreeMap::from([("joint", "nobody")]),
            BTreeMap::from([("joint", name), ("jam", "yes")]),
            BTreeMap::from([("joint", name), ("explode", "")]),
            BTreeMap::new(),
        ];
        for trial in wrong {
            let error = Trial::read(&episode(trial.clone()), &robot, 1).expect_err("not understood").to_string();
            assert!(error.contains("trial"), "{trial:?}: {error}");
        }
        assert!(Trial::read(b"\x81\xa5trial\x05", &robot, 1).is_err());
        assert_eq!(Trial::read(&episode(BTreeMap::from([("joint", name)])), &robot, 7).unwrap().unwrap().sid(), 7);
    }

    #[test]
    fn a_jammed_joint_is_sensed_where_it_stood_and_the_others_where_they_are() {
        let robot = load_robot("leap-right").unwrap();
        let (name, count) = (robot.joints[2].name.clone(), robot.joint_count());
        let mut trial = Trial { sid: 1, name, joint: 2, jam: true, at_rad: None, bent_rad: None, grip: 2 };
        let mut frame = SignalFrame::new(SignalLayout::of(&robot, 0));
        for step in 0..3u8 {
            frame.begin(Nanos(i64::from(step)));
            frame.write(Signal::JointPosition, &vec![f32::from(step); count]);
            frame.write(Signal::JointVelocity, &vec![1.0; count]);
            trial.alter(&mut frame);
            let q = frame.read(Signal::JointPosition).unwrap();
            assert_eq!((q[2].to_bits(), q[3].to_bits()), (0.0_f32.to_bits(), f32::from(step).to_bits()));
        }
        assert_eq!((0..4).filter(|_| trial.grip().is_some()).count(), 2, "so many releases are not confirmed");
    }
}
