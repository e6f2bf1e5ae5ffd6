//! Where the time of training goes: physics, inference, update. Libraries never read the clock, so the program measures
//! them from outside.

use crate::stopwatch::Stopwatch;
use giraffe_policy::{IterationReport, PolicyError, PpoLearner};
use giraffe_robots::{EpisodeReport, ObservationSchema, StepBatch, WorldBatch};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::AddAssign;

/// Wall-clock seconds of one iteration or of many.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Split {
    /// Stepping the worlds, resets included.
    pub physics_seconds: f64,
    /// The rest of collecting: the actor, its noise, normalisation, keeping records.
    pub inference_seconds: f64,
    /// Learning from what was collected, the critic's judgement included.
    pub update_seconds: f64,
}

/// How fast the parts of training are: control steps (in all worlds together) per second of each part alone.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Of all three together, one after the other.
    pub steps_per_sec: f64,
    /// Of physics.
    pub physics_steps_per_sec: f64,
    /// Of inference.
    pub inference_steps_per_sec: f64,
    /// Of the update, all its epochs.
    pub update_steps_per_sec: f64,
    /// Samples learned from per second of the update: steps times epochs.
    pub learner_samples_per_sec: f64,
}

/// Where the time of a session of training went.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct SpeedReport {
    /// Control steps of this session.
    pub session_steps: u64,
    /// Its seconds, with those for checkpoints and metrics.
    pub session_seconds: f64,
    /// Where they went.
    #[serde(flatten)]
    pub split: Split,
    /// Share of physics in these three, 0 to 1.
    pub physics_share: f64,
    /// Share of inference.
    pub inference_share: f64,
    /// Share of the update.
    pub update_share: f64,
    /// How fast they were.
    #[serde(flatten)]
    pub rates: Rates,
}

impl AddAssign for Split {
    fn add_assign(&mut self, other: Self) {
        self.physics_seconds += other.physics_seconds;
        self.inference_seconds += other.inference_seconds;
        self.update_seconds += other.update_seconds;
    }
}

impl Split {
    /// All three together.
    pub fn seconds(&self) -> f64 {
        self.physics_seconds + self.inference_seconds + self.update_seconds
    }

    /// Shares of physics, inference and update, 0 to 1.
    pub fn shares(&self) -> [f64; 3] {
        let whole = self.seconds().max(f64::MIN_POSITIVE);
        [self.physics_seconds, self.inference_seconds, self.update_seconds].map(|seconds| seconds / whole)
    }

    /// Rates of `step_count` control steps, each learned from `epoch_count` times. 0 where no time was spent.
    pub fn rates(&self, step_count: u64, epoch_count: usize) -> Rates {
        let per = |seconds: f64| if seconds > 0.0 { step_count as f64 / seconds } else { 0.0 };
        Rates {
            steps_per_sec: per(self.seconds()),
            physics_steps_per_sec: per(self.physics_seconds),
            inference_steps_per_sec: per(self.inference_seconds),
            update_steps_per_sec: per(self.update_seconds),
            learner_samples_per_sec: per(self.update_seconds) * epoch_count as f64,
        }
    }
}

impl SpeedReport {
    /// Of a session.
    pub fn new(split: Split, session_steps: u64, session_seconds: f64, epoch_count: usize) -> Self {
        let [physics_share, inference_share, update_share] = split.shares();
        let rates = split.rates(session_steps, epoch_count);
        Self { session_steps, session_seconds, split, physics_share, inference_share, update_share, rates }
    }
}

impl fmt::Display for SpeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rates { physics_steps_per_sec, inference_steps_per_sec, update_steps_per_sec, .. } = self.rates;
        let overall = self.session_steps as f64 / self.session_seconds.max(f64::MIN_POSITIVE);
        write!(f, "{overall:.0} control steps/s:")?;
        for (index, (name, share, rate)) in [
            ("physics", self.physics_share, physics_steps_per_sec),
            ("inference", self.inference_share, inference_steps_per_sec),
            ("update", self.update_share, update_steps_per_sec),
        ]
        .into_iter()
        .enumerate()
        {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma} {name} {:.0} % ({rate:.0}/s)", 100.0 * share)?;
        }
        write!(f, "; {:.0} samples/s learned from", self.rates.learner_samples_per_sec)
    }
}

/// One iteration of learning, and where its time went.
///
/// # Errors
/// As [`PpoLearner::collect`] and [`PpoLearner::update`].
pub fn timed_iteration(
    learner: &mut PpoLearner,
    worlds: &mut dyn WorldBatch,
    batch: &mut StepBatch,
) -> Result<(IterationReport, Split), PolicyError> {
    let mut timed = TimedWorlds { worlds, seconds: 0.0 };
    let begun = Stopwatch::start();
    learner.collect(&mut timed, batch)?;
    let (collecting, collected) = (begun.elapsed(), Stopwatch::start());
    let physics_seconds = timed.seconds;
    let report = learner.update()?;
    let split = Split {
        physics_seconds,
        inference_seconds: (collecting.as_secs_f64() - physics_seconds).max(0.0),
        update_seconds: collected.elapsed().as_secs_f64(),
    };
    Ok((report, split))
}

/// Worlds that count the seconds spent in them.
struct TimedWorlds<'w> {
    worlds: &'w mut dyn WorldBatch,
    seconds: f64,
}

impl TimedWorlds<'_> {
    fn timed(&mut self, act: impl FnOnce(&mut dyn WorldBatch)) {
        let begun = Stopwatch::start();
        act(self.worlds);
        self.seconds += begun.elapsed().as_secs_f64();
    }
}

impl WorldBatch for TimedWorlds<'_> {
    fn schema(&self) -> &ObservationSchema {
        self.worlds.schema()
    }

    fn action_width(&self) -> usize {
        self.worlds.action_width()
    }

    fn world_count(&self) -> usize {
        self.worlds.world_count()
    }

    fn reset_all(&mut self, out: &mut StepBatch) {
        self.timed(|worlds| worlds.reset_all(out));
    }

    fn step(&mut self, actions: &[f32], out: &mut StepBatch) {
        self.timed(|worlds| worlds.step(actions, out));
    }

    fn save(&self) -> Vec<u8> {
        self.worlds.save()
    }

    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String> {
        self.worlds.restore(saved, out)
    }

    fn take_reports(&mut self) -> Vec<EpisodeReport> {
        self.worlds.take_reports()
    }

    fn take_reward_terms(&mut self) -> Vec<(&'static str, f32)> {
        self.worlds.take_reward_terms()
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the expected numbers are exact")]
mod tests {
    use super::*;
    use giraffe_policy::{DeviceChoice, PpoConfig};
    use giraffe_robots::SeedTree;
    use std::time::{Duration, Instant};

    /// Worlds whose step takes five milliseconds.
    struct SlowWorlds(ObservationSchema);

    impl WorldBatch for SlowWorlds {
        fn schema(&self) -> &ObservationSchema {
            &self.0
        }
        fn action_width(&self) -> usize {
            1
        }
        fn world_count(&self) -> usize {
            2
        }
        fn reset_all(&mut self, _: &mut StepBatch) {}
        fn step(&mut self, _: &[f32], _: &mut StepBatch) {
            std::thread::sleep(Duration::from_millis(5));
        }
        fn save(&self) -> Vec<u8> {
            Vec::new()
        }
        fn restore(&mut self, _: &[u8], _: &mut StepBatch) -> Result<(), String> {
            Ok(())
        }
        fn take_reports(&mut self) -> Vec<EpisodeReport> {
            Vec::new()
        }
    }

    #[test]
    fn what_the_worlds_take_counts_as_physics_and_nothing_else_does() {
        let mut worlds = SlowWorlds(ObservationSchema::plain(2, 1));
        let config =
            PpoConfig { horizon_steps: 8, minibatch_count: 1, encoder_width: 4, core_width: 4, ..PpoConfig::default() };
        let mut batch = StepBatch::new(2, 3);
        let seeds = SeedTree::new(1);
        let mut learner = PpoLearner::new(&config, &worlds.0, 1, 2, seeds, DeviceChoice::Cpu).expect("a learner");
        #[allow(clippy::disallowed_methods, reason = "a test may read the clock")]
        let begun = Instant::now();
        let (report, split) = timed_iteration(&mut learner, &mut worlds, &mut batch).expect("an iteration");
        let whole = begun.elapsed().as_secs_f64();
        assert_eq!(report.control_steps, 16);
        assert!(split.physics_seconds >= 0.04 && split.update_seconds > 0.0 && split.inference_seconds > 0.0);
        assert!(split.seconds() <= whole, "{split:?} is more than {whole}");
        assert!(split.seconds() > 0.9 * whole, "{split:?} leaves out much of {whole}");
    }

    #[test]
    fn shares_and_rates_are_those_of_the_seconds() {
        let split = Split { physics_seconds: 6.0, inference_seconds: 1.0, update_seconds: 3.0 };
        let report = SpeedReport::new(split, 1200, 12.0, 4);
        assert_eq!(split.shares(), [0.6, 0.1, 0.3]);
        assert_eq!((report.rates.steps_per_sec, report.rates.learner_samples_per_sec), (120.0, 1600.0));
        let text = "100 control steps/s: physics 60 % (200/s), inference 10 % (1200/s), update 30 % (400/s); \
                    1600 samples/s learned from";
        assert_eq!(report.to_string(), text);
        assert_eq!(Split::default().rates(0, 4), Rates::default());
        assert_eq!(Split::default().shares(), [0.0; 3]);
    }
}
