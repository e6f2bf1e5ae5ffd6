//! Bare `mj_step` in Python, with one integrator at one step.

use super::{OpponentResult, mujoco_engine};
use crate::study::bench::spread::Spread;
use crate::study::engines::episodes::{random_targets, variant};
use crate::study::engines::joints::joint_response;
use crate::study::engines::lab::Lab;
use crate::study::engines::rollout::{Setup, written_start};
use crate::study::engines::worker::Worker;
use anyhow::Result;
use giraffe_robots::{SeedTree, TASKS};
use serde::Deserialize;
use serde_json::{Value, json};

/// Integrators worth a try, if this MuJoCo has them. `euler` treats damping implicitly unless told not to.
const INTEGRATORS: [&str; 4] = ["euler", "implicit", "implicitfast", "discrete"];
/// Physics steps per control step, the largest step first.
const SUBSTEPS: [u32; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 50, 100];
/// Starts of episodes, and control steps of random targets, that a measurement goes round.
const STARTS: usize = 32;
const TARGET_STEPS: usize = 2000;
/// As the task has it.
const DROP_M: f32 = 0.1;

/// MuJoCo with one integrator.
pub(super) struct Opponent {
    integrator: &'static str,
    substeps: u32,
    step_secs: f64,
    joint_error_rms_rad: f64,
    /// What the worker is asked for, but for the seconds.
    question: Value,
    steps: u64,
    drops: u64,
}

#[derive(Deserialize)]
struct Block {
    control_steps: u64,
    secs: f64,
    drops: u64,
}

/// One opponent per integrator, at its largest step whose joint error is no greater than `error_rad`.
pub(super) fn at_equal_error(lab: &mut Lab, setup: &Setup, error_rad: f64) -> Result<Vec<Opponent>> {
    let known = lab.versions().integrators.clone();
    let question = question(lab, setup)?;
    let mut opponents = Vec::new();
    for integrator in INTEGRATORS.into_iter().filter(|name| known.iter().any(|known| known == name)) {
        for substeps in SUBSTEPS {
            let engine = mujoco_engine(integrator, substeps);
            let found = joint_response(lab, setup, std::slice::from_ref(&engine))?.errors[0].rms_rad;
            if found <= error_rad {
                opponents.push(Opponent {
                    integrator,
                    substeps,
                    step_secs: engine.step_secs(setup.robot.control.period_secs),
                    joint_error_rms_rad: found,
                    question: question.clone(),
                    steps: 0,
                    drops: 0,
                });
                break;
            }
        }
    }
    Ok(opponents)
}

fn question(lab: &mut Lab, setup: &Setup) -> Result<Value> {
    let task = TASKS[0];
    let starts = variant(lab, setup, task, "none", STARTS, 0)?;
    let starts: Vec<Value> = starts.rollouts.iter().map(|rollout| written_start(&rollout.plan)).collect();
    let targets = random_targets(setup, &SeedTree::new(1).branch("speed"), 0, TARGET_STEPS);
    Ok(json!({
        "do": "bench", "starts": starts, "targets_rad": targets, "episode_steps": task.episode_step_count(),
        "drop_m": DROP_M, "first": 0,
    }))
}

impl Opponent {
    /// Control steps per second within `mj_step`.
    pub(super) fn rate(&mut self, worker: &mut Worker, setup: &Setup, secs: f64) -> Result<f64> {
        worker.ask::<Value>(&setup.load(self.substeps, self.integrator, None))?;
        self.question["secs"] = json!(secs);
        self.question["first"] = json!(self.drops + self.steps);
        let block: Block = worker.ask(&self.question)?;
        self.steps += block.control_steps;
        self.drops += block.drops;
        Ok(block.control_steps as f64 / block.secs)
    }

    pub(super) fn result(&self, ours: &[f64], rates: &[f64]) -> OpponentResult {
        OpponentResult {
            integrator: self.integrator,
            step_secs: self.step_secs,
            joint_error_rms_rad: self.joint_error_rms_rad,
            control_steps_per_sec: Spread::of(rates),
            ratio: Spread::of_ratios(ours, rates),
            drops_per_1000_steps: 1e3 * self.drops as f64 / self.steps.max(1) as f64,
        }
    }
}
