//! A simulated hand where motors would be: what `giraffe serve --driver sim` puts behind the bridge.
//!
//! It is a [`HandSim`] with parameters that the policy is never told. Only this kind of driver grants rehearsals: an
//! episode can be asked for, either by its seed (hidden parameters are drawn here) or with a complete plan (to be
//! compared, bit by bit, with the same plan in the policy's own process).

use crate::run::COMMIT;
use crate::run::config::Parts;
use giraffe_bridge::{DriverError, HandDriver, Rehearsal, SafeTargets, TrackedObject};
use giraffe_physics::{EpisodePlan, EpisodeSampler, HandSim, TrackedPose};
use giraffe_randomization::{FixedRanges, NONE, RandomizationConfig};
use giraffe_robots::{Hand, Nanos, Purpose, SeedTree, Signal, SignalFrame, SignalLayout};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The driver that lives here, because it needs the simulator: name and one sentence.
pub const SIM_DRIVER: (&str, &str) = ("sim", "a simulated hand and object, with parameters the policy is never told");

/// The hand of a configuration, simulated, with hidden parameters drawn from `seed`.
///
/// # Errors
/// When the simulated hand cannot be read.
pub fn open_sim(
    parts: Parts,
    randomization: &RandomizationConfig,
    seed: u64,
) -> Result<Box<dyn HandDriver>, DriverError> {
    let hidden = parts.sampler(randomization, &NONE, SeedTree::for_purpose(Purpose::Hidden, seed));
    Ok(Box::new(SimDriver::new(parts, hidden)?))
}

/// What `reset` carries: one msgpack map. Unknown keys are ignored by whoever does not know them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRequest {
    /// Which episode. A controller derives everything random from it.
    pub seed: u64,
    /// Its number in the deployment, from 0, as the policy's side calls it: for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The plan, complete. Only giraffe's own simulated controller uses it; others have their own hidden physics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<EpisodePlan>,
    /// What decides an episode beside its plan, where the plan comes from: refused if it is otherwise here. Left out where
    /// that does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

/// What decides an episode beside its plan: names and values, in the order in which they are compared.
pub fn deciding_settings(parts: &Parts) -> Vec<(String, String)> {
    let (robot, scene) = (parts.scene.robot(), &parts.scene);
    let mut settings = vec![
        ("the hand's kinematics".to_owned(), robot.kinematics_fingerprint.clone()),
        ("the hand's dynamics".to_owned(), robot.dynamics_fingerprint.clone()),
        ("object".to_owned(), scene.object().name.to_owned()),
    ];
    // As they are called in a configuration, whatever there is.
    if let Ok(toml::Value::Table(physics)) = toml::Value::try_from(scene.settings()) {
        settings.extend(physics.into_iter().map(|(name, value)| (format!("physics.{name}"), value.to_string())));
    }
    settings.push(("the program's commit".to_owned(), COMMIT.to_owned()));
    settings
}

/// The first setting that is another one here, in words.
fn first_difference(here: &[(String, String)], there: &[(String, String)]) -> Option<String> {
    let differs = |(name, value): &&(String, String)| here.iter().any(|(own, at)| own == name && at != value);
    let (name, value) = there.iter().find(differs)?;
    let own = here.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value);
    Some(format!("{name} is {own} in the controller and {value} in the process it is compared with"))
}

/// A simulated hand behind the bridge.
pub struct SimDriver {
    parts: Parts,
    hidden: FixedRanges,
    sim: HandSim,
    sensed: SignalFrame,
    targets: Vec<f32>,
}

impl SimDriver {
    /// A hand whose parameters are drawn from `hidden`.
    ///
    /// # Errors
    /// When the simulated hand cannot be read.
    pub fn new(parts: Parts, hidden: FixedRanges) -> Result<Self, DriverError> {
        let sim = HandSim::new(Arc::clone(&parts.scene), hidden.plan(0, 0));
        let sensed = SignalFrame::new(SignalLayout::of(parts.scene.robot(), 0));
        let mut driver = Self { parts, hidden, sim, sensed, targets: Vec::new() };
        driver.begin()?;
        Ok(driver)
    }

    fn begin(&mut self) -> Result<(), DriverError> {
        self.sensed.clear();
        self.sim
            .observe(&mut self.sensed)
            .map_err(|error| DriverError::new("reading the simulated hand", error.to_string()))?;
        self.targets = self.sensed.read(Signal::JointTarget).unwrap_or(&[]).to_vec();
        Ok(())
    }

    fn start(&mut self, plan: EpisodePlan) -> Result<(), DriverError> {
        let attempted = "starting the episode";
        let joint_count = self.parts.scene.robot().joint_count();
        let planned = plan.parameters.joints.len();
        if planned != joint_count || plan.start.joint_positions_rad.len() != joint_count {
            let reason = format!("the plan is for {planned} joints, this hand has {joint_count}");
            return Err(DriverError::new(attempted, reason));
        }
        let fits = plan.check().and_then(|()| plan.check_fits(self.parts.scene.robot()));
        fits.map_err(|reason| DriverError::new(attempted, reason))?;
        self.sim = HandSim::new(Arc::clone(&self.parts.scene), plan);
        self.begin()
    }
}

impl HandDriver for SimDriver {
    fn loop_period_secs(&self) -> f32 {
        self.parts.scene.robot().control.period_secs
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        // The world's own time, to the nanosecond: what is reckoned from it comes out as in a process without a link.
        frame.begin(self.sensed.now());
        for signal in [Signal::JointPosition, Signal::JointVelocity] {
            let values = self
                .sensed
                .read(signal)
                .ok_or_else(|| DriverError::new("reading the simulated hand", format!("no {}", signal.name())))?;
            frame.write(signal, values);
        }
        Ok(())
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.targets.copy_from_slice(targets.positions_rad());
        Ok(())
    }

    fn release(&mut self) -> Result<(), DriverError> {
        // A hand without torque is played by one whose targets follow its angles.
        if let Some(positions) = self.sensed.read(Signal::JointPosition) {
            self.targets.copy_from_slice(positions);
        }
        Ok(())
    }

    fn object(&mut self) -> Option<TrackedObject> {
        let name = self.parts.scene.object().name.to_owned();
        let TrackedPose { pose, age_secs } = self.sim.tracked_object();
        let seen = Some((pose, Nanos::from_secs(age_secs)));
        Some(TrackedObject { name, pose: self.sim.object_pose(), valid: true, truth: true, seen })
    }

    fn has_object(&self) -> bool {
        true
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        Some(self)
    }
}

impl Rehearsal for SimDriver {
    fn reset(&mut self, episode: &[u8]) -> Result<Vec<f32>, DriverError> {
        let request: EpisodeRequest = rmp_serde::from_slice(episode).map_err(|error| {
            DriverError::new("reading the episode", format!("expected a map with `seed` and perhaps `plan`: {error}"))
        })?;
        if let Some(difference) = first_difference(&deciding_settings(&self.parts), &request.settings) {
            return Err(DriverError::new("starting the episode", difference));
        }
        tracing::debug!(index = request.index, seed = request.seed, "an episode begins");
        let plan = request.plan.unwrap_or_else(|| self.hidden.plan(request.seed, 0));
        self.start(plan)?;
        Ok(self.targets.clone())
    }

    fn loses_command(&mut self) -> bool {
        self.sim.loses_next_command()
    }

    /// The controller is behind the link, whose losses it was spared to hear of: its targets all come.
    fn advance(&mut self, _secs: f32) -> Result<(), DriverError> {
        self.sim
            .follow(&self.targets, &mut self.sensed)
            .map_err(|error| DriverError::new("simulating", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::RunConfig;
    use giraffe_physics::{Disturbance, TimedDisturbance};

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_first_setting_that_differs_is_named_and_one_that_is_unknown_here_does_not_count() {
        let here = pairs(&[("object", "sphere"), ("physics.a", "1"), ("physics.b", "2")]);
        assert_eq!(first_difference(&here, &here), None);
        assert_eq!(first_difference(&here, &pairs(&[("physics.c", "9")])), None);
        let said = first_difference(&here, &pairs(&[("object", "sphere"), ("physics.b", "3"), ("physics.a", "3")]));
        let expected = "physics.b is 2 in the controller and 3 in the process it is compared with";
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused_at_reset_and_the_hand_goes_on() {
        let config = RunConfig::default();
        let parts = config.parts().expect("the default run");
        let plan = EpisodePlan::at_home(&parts.scene);
        let sampler = parts.sampler(&config.randomization, &NONE, SeedTree::for_purpose(Purpose::Hidden, 1));
        let mut driver = SimDriver::new(parts, sampler).expect("a simulated hand");
        let mut reset = |change: &dyn Fn(&mut EpisodePlan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            let request = EpisodeRequest { seed: 1, index: None, plan: Some(plan), settings: Vec::new() };
            let started = driver.reset(&rmp_serde::to_vec_named(&request).expect("plain numbers"));
            driver.advance(0.05).expect("whatever was asked for, the hand is there");
            started.map_err(|error| error.to_string())
        };
        let happens = |disturbance: Disturbance| {
            move |plan: &mut EpisodePlan| {
                plan.disturbances = vec![TimedDisturbance { step: 0, disturbance: disturbance.clone() }];
            }
        };
        let jam = |duration_secs| happens(Disturbance::JointJam { joint: 3, duration_secs });
        assert!(reset(&jam(5.0)).is_ok());
        let tilt = Disturbance::GravityTilt { radians: 1e20, axis: [0.0, 1.0, 0.0], duration_secs: 1.0 };
        for (said, started) in [
            ("a jam's duration_secs is 1000000000000", reset(&jam(1e12))),
            ("a jam's duration_secs is NaN", reset(&jam(f32::NAN))),
            ("jam of joint 99", reset(&happens(Disturbance::JointJam { joint: 99, duration_secs: 1.0 }))),
            ("a signal loss's duration_secs is -1", reset(&happens(Disturbance::SignalLoss { duration_secs: -1.0 }))),
            ("a tilt's radians has 1", reset(&happens(tilt))),
            (
                "an impulse's newton_secs has inf",
                reset(&happens(Disturbance::ObjectImpulse { newton_secs: [f32::INFINITY; 3] })),
            ),
            ("link.dropout is 2", reset(&|plan| plan.parameters.link.dropout = 2.0)),
            ("start.palm_from_object", reset(&|plan| plan.start.palm_from_object.translation.x = 1e30)),
            ("for 3 joints", reset(&|plan| plan.parameters.joints.truncate(3))),
        ] {
            let problem = started.expect_err(said);
            assert!(problem.contains(said) && problem.contains("starting the episode"), "{said} is not in: {problem}");
        }
        assert!(reset(&|_| ()).is_ok());
    }

    #[test]
    fn an_older_request_without_settings_is_read_as_before() {
        #[derive(Serialize)]
        struct Older {
            seed: u64,
        }
        let bytes = rmp_serde::to_vec_named(&Older { seed: 3 }).expect("written");
        let read: EpisodeRequest = rmp_serde::from_slice(&bytes).expect("read");
        assert_eq!(read, EpisodeRequest { seed: 3, index: None, plan: None, settings: Vec::new() });
        // And nothing is added to one that does not ask for it.
        assert_eq!(rmp_serde::to_vec_named(&read).expect("written"), bytes);
    }
}
