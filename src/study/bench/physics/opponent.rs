//! Bare `mj_step` in Python: how fast and how exact it is.

use super::candidate::Candidate;
use super::exactness::{Demand, Exactness, Yardstick};
use super::search::{Judge, Trial};
use crate::study::bench::spread::{Spread, go_on};
use crate::study::engines::episodes::{random_targets, variant};
use crate::study::engines::grip::DROP_M;
use crate::study::engines::lab::Lab;
use crate::study::engines::rollout::{MujocoOptions, Setup, written_start};
use crate::study::engines::worker::Worker;
use anyhow::Result;
use giraffe_robots::{SeedTree, TASKS};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;

/// Starts of episodes, and control steps of random targets, that a measurement goes round.
const STARTS: usize = 32;
const TARGET_STEPS: usize = 2000;
/// A long trial is so many times as long as a short one.
const LONG: f64 = 3.0;
/// From the start that a round begins with to that of the next: four rounds begin at four quarters of the starts.
const STARTS_PER_ROUND: usize = 8;

/// MuJoCo as it ran.
#[derive(Debug, Serialize)]
pub struct OpponentResult {
    /// Integrator.
    pub integrator: &'static str,
    /// Physics step, s.
    pub step_secs: f64,
    /// Physics steps per control step.
    pub substeps: u32,
    /// Its other options; `null` is as the hand's file has it, or as MuJoCo usually has it.
    pub options: MujocoOptions,
    /// All of this for people.
    pub label: String,
    /// Its errors.
    pub exactness: Exactness,
    /// In what it is no less exact than ours.
    pub no_less_exact_in: Vec<Demand>,
    /// Its rate.
    pub control_steps_per_sec: Spread,
    /// Our rate over its, round by round.
    pub ratio: Spread,
    /// How often it dropped the object, or lost its numbers, per 1000 control steps.
    pub drops_per_1000_steps: f64,
}

/// What the worker is asked for when it is timed, but for how long and by which clock.
pub(super) struct Track(Value);

#[derive(Deserialize)]
struct Block {
    control_steps: u64,
    secs: f64,
    drops: u64,
}

impl Track {
    /// Starts and targets, as the engines are compared with.
    pub(super) fn new(lab: &mut Lab, setup: &Setup) -> Result<Self> {
        let task = TASKS[0];
        let starts = variant(lab, setup, task, "none", STARTS, 0)?;
        let starts: Vec<Value> = starts.rollouts.iter().map(|rollout| written_start(&rollout.plan)).collect();
        let targets = random_targets(setup, &SeedTree::new(1).branch("speed"), 0, TARGET_STEPS);
        Ok(Self(json!({
            "do": "bench", "starts": starts, "targets_rad": targets, "episode_steps": task.episode_step_count(),
            "drop_m": DROP_M,
        })))
    }

    /// A short trial, by the processor's clock: it is to rank settings, and what else runs on the machine changes from one
    /// moment to the next.
    fn trial(&mut self, worker: &mut Worker, setup: &Setup, of: Candidate, secs: f64) -> Result<Block> {
        self.ask(0, secs, "processor");
        self.time(worker, setup, of)
    }

    /// From which start on, for how long, and by which clock.
    fn ask(&mut self, first: usize, secs: f64, clock: &str) {
        self.0["first"] = first.into();
        self.0["secs"] = secs.into();
        self.0["clock"] = clock.into();
    }

    fn time(&self, worker: &mut Worker, setup: &Setup, of: Candidate) -> Result<Block> {
        worker.ask::<Value>(&setup.load(of.substeps, of.integrator, &of.options))?;
        worker.ask(&self.0)
    }
}

/// What every trial is held against: it runs right before, so that a machine that gets slower or faster in the course of the
/// search is so for both.
const BESIDE: Candidate = Candidate { integrator: "euler", substeps: 10, options: MujocoOptions::USUAL };

/// Judges candidates by running them.
pub(super) struct Trials<'t, 'l> {
    pub(super) lab: &'t mut Lab<'l>,
    pub(super) setup: &'t Setup,
    pub(super) track: &'t mut Track,
    pub(super) yardstick: &'t Yardstick,
    /// Seconds of a short trial of speed.
    pub(super) secs: f64,
    pub(super) stop: &'t AtomicBool,
}

impl Judge for Trials<'_, '_> {
    fn rate(&mut self, candidate: Candidate, trial: Trial) -> Result<f64> {
        go_on(self.stop)?;
        let secs = if trial == Trial::Long { LONG * self.secs } else { self.secs };
        let mut rate = |of| -> Result<f64> {
            let block = self.track.trial(self.lab.worker(), self.setup, of, secs)?;
            Ok(block.control_steps as f64 / block.secs)
        };
        let beside = rate(BESIDE)?;
        Ok(rate(candidate)? / beside)
    }

    fn joint_rms_rad(&mut self, candidate: Candidate) -> Result<f64> {
        self.yardstick.joint_rms_rad(self.lab, &candidate.engine())
    }

    fn exactness(&mut self, candidate: Candidate, limit: &Exactness, demand: Demand) -> Result<Exactness> {
        self.yardstick.exactness(self.lab, &candidate.engine(), Some((limit, demand)))
    }
}

/// MuJoCo in the rounds.
pub(super) struct Opponent {
    candidate: Candidate,
    exactness: Exactness,
    rates: Vec<f64>,
    steps: u64,
    drops: u64,
}

impl Opponent {
    /// With every error measured.
    pub(super) fn new(lab: &mut Lab, yardstick: &Yardstick, candidate: Candidate) -> Result<Self> {
        let exactness = yardstick.exactness(lab, &candidate.engine(), None)?;
        Ok(Self { candidate, exactness, rates: Vec::new(), steps: 0, drops: 0 })
    }

    /// One round: control steps within `mj_step`.
    pub(super) fn measure(&mut self, track: &mut Track, worker: &mut Worker, setup: &Setup, secs: f64) -> Result<()> {
        self.ask(track, secs);
        let block = track.time(worker, setup, self.candidate)?;
        self.note(&block);
        Ok(())
    }

    /// The question of a round, by the same clock as ours.
    fn ask(&self, track: &mut Track, secs: f64) {
        track.ask(self.first(), secs, "wall");
    }

    /// The start that the next round begins with: the same for all, however fast they are and whatever they dropped.
    fn first(&self) -> usize {
        STARTS_PER_ROUND * self.rates.len()
    }

    fn note(&mut self, block: &Block) {
        self.steps += block.control_steps;
        self.drops += block.drops;
        self.rates.push(block.control_steps as f64 / block.secs);
    }

    /// What the rounds amount to, beside ours.
    pub(super) fn result(&self, setup: &Setup, ours: &Exactness, our_rates: &[f64]) -> OpponentResult {
        let (Candidate { integrator, substeps, options }, period_secs) =
            (self.candidate, setup.robot.control.period_secs);
        let demands = Demand::ALL.into_iter();
        OpponentResult {
            integrator,
            step_secs: self.candidate.engine().step_secs(period_secs),
            substeps,
            options,
            label: self.candidate.engine().label(period_secs),
            exactness: self.exactness,
            no_less_exact_in: demands.filter(|demand| self.exactness.is_no_worse(ours, *demand)).collect(),
            control_steps_per_sec: Spread::of(&self.rates),
            ratio: Spread::of_ratios(our_rates, &self.rates),
            drops_per_1000_steps: 1e3 * self.drops as f64 / self.steps.max(1) as f64,
        }
    }
}

/// The one that is fastest beside us of those that are no less exact in what is demanded; such come first.
pub(super) fn fastest(opponents: &[OpponentResult], demand: Demand) -> Option<&OpponentResult> {
    opponents.iter().find(|opponent| opponent.no_less_exact_in.contains(&demand))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_begins_at_the_same_start_for_all_and_rounds_go_through_all_starts() {
        let exactness = Exactness {
            joint_rms_rad: 0.0,
            slip_rms_degrees: 0.0,
            grip_object_m: 0.0,
            grip_force_newton: 0.0,
            dropped: Some(0),
        };
        let candidate = Candidate { integrator: "euler", substeps: 7, options: MujocoOptions::USUAL };
        let firsts = |control_steps, drops| {
            let mut opponent = Opponent { candidate, exactness, rates: Vec::new(), steps: 0, drops: 0 };
            let mut track = Track(json!({}));
            let mut asked = Vec::new();
            for _ in 0..5 {
                opponent.ask(&mut track, 1.0);
                asked.push(track.0["first"].as_u64().expect("a number") % STARTS as u64);
                opponent.note(&Block { control_steps, secs: 1.0, drops });
            }
            asked
        };
        assert_eq!(firsts(8000, 0), [0, 8, 16, 24, 0]);
        assert_eq!(firsts(5001, 1433), firsts(8000, 0));
    }
}
