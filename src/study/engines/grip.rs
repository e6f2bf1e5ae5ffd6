//! In the hand: how far an engine takes the object within a second and how hard it holds it, against MuJoCo at 0.5 ms; and
//! how often it drops the object later, when episodes cannot be compared one by one any more.

use super::FINE_MUJOCO;
use super::episodes::variant;
use super::lab::Lab;
use super::rollout::{Engine, Rollout, Setup, Trace, written_start};
use anyhow::Result;
use giraffe_robots::Task;
use serde::Deserialize;
use serde_json::{Value, json};

/// Episodes of a second.
const EPISODES: usize = 32;
/// Control steps of each. Later the same targets lead to other contacts, whoever reckons.
const STEPS: usize = 20;
/// Episodes of full length.
const LONG_EPISODES: usize = 16;
/// Farther than this from its start an object is dropped, as the first task has it; farther from where it should be, or lost,
/// it counts as this far away, m.
pub const DROP_M: f64 = 0.1;

/// Episodes that begin at random and have random targets, and what MuJoCo at 0.5 ms makes of them.
pub struct Grips {
    setup: Setup,
    rollouts: Vec<Rollout>,
    reference: Vec<Trace>,
}

/// How far one engine at one step is from the reference.
#[derive(Debug)]
pub struct GripError {
    /// Distance of the object from where the reference has it, mean over control steps and episodes, m; at most 0.1 m each.
    pub object_m: f64,
    /// Sum of the normal forces on it less that of the reference, root of the mean square over those control steps that
    /// both engines reached, N.
    pub force_newton: f64,
}

impl Grips {
    /// Runs the reference.
    ///
    /// # Errors
    /// When MuJoCo fails, or the object does not fit into the hand.
    pub fn new(lab: &mut Lab, setup: &Setup, task: &'static dyn Task) -> Result<Self> {
        let rollouts = variant(lab, setup, task, "none", EPISODES, STEPS)?.rollouts;
        let reference = lab.run(setup, &FINE_MUJOCO, &rollouts)?;
        Ok(Self { setup: setup.clone(), rollouts, reference })
    }

    /// How far an engine is from the reference.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn error(&self, lab: &mut Lab, engine: &Engine) -> Result<GripError> {
        let traces = lab.run(&self.setup, engine, &self.rollouts)?;
        Ok(GripError::between(&traces, &self.reference))
    }
}

/// Episodes of full length that begin at random and have random targets.
pub struct Holds {
    setup: Setup,
    rollouts: Vec<Rollout>,
    /// The same for the worker.
    question: Value,
}

#[derive(Deserialize)]
struct Held {
    dropped: usize,
}

impl Holds {
    /// Draws the episodes.
    ///
    /// # Errors
    /// When MuJoCo fails, or the object does not fit into the hand.
    pub fn new(lab: &mut Lab, setup: &Setup, task: &'static dyn Task) -> Result<Self> {
        let steps = task.episode_step_count() as usize;
        let rollouts = variant(lab, setup, task, "none", LONG_EPISODES, steps)?.rollouts;
        let starts: Vec<Value> = rollouts.iter().map(|rollout| written_start(&rollout.plan)).collect();
        let targets: Vec<_> = rollouts.iter().map(|rollout| &rollout.targets_rad).collect();
        let question = json!({ "do": "hold", "starts": starts, "targets_rad": targets, "drop_m": DROP_M });
        Ok(Self { setup: setup.clone(), rollouts, question })
    }

    /// In how many of the 16 episodes an engine has the object farther than 0.1 m from where it began.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn dropped(&self, lab: &mut Lab, engine: &Engine) -> Result<usize> {
        let Engine::Mujoco { substeps, integrator, options } = engine else {
            return self.dropped_of_traces(lab, engine);
        };
        // What every control step ends with is of no interest: asking for it would take longer than the steps.
        lab.worker().ask::<Value>(&self.setup.load(*substeps, integrator, options))?;
        Ok(lab.worker().ask::<Held>(&self.question)?.dropped)
    }

    fn dropped_of_traces(&self, lab: &mut Lab, engine: &Engine) -> Result<usize> {
        let traces = lab.run(&self.setup, engine, &self.rollouts)?;
        Ok(traces.iter().zip(&self.rollouts).filter(|(trace, rollout)| is_dropped(trace, rollout)).count())
    }
}

fn is_dropped(trace: &Trace, rollout: &Rollout) -> bool {
    let start = rollout.plan.start.palm_from_object.translation.vector;
    let is_near = |away_m: f32| f64::from(away_m) < DROP_M;
    let stays = trace.object.iter().all(|sample| is_near((sample.pose.position_m - start).norm()));
    !stays || trace.object.len() < rollout.targets_rad.len()
}

impl GripError {
    fn between(traces: &[Trace], reference: &[Trace]) -> Self {
        let (mut away_m, mut squares, mut steps, mut both) = (0.0, 0.0, 0usize, 0usize);
        for (trace, reference) in traces.iter().zip(reference) {
            for (step, there) in reference.object.iter().enumerate() {
                steps += 1;
                let Some(here) = trace.object.get(step) else {
                    away_m += DROP_M;
                    continue;
                };
                let distance_m = f64::from((here.pose.position_m - there.pose.position_m).norm());
                away_m += if distance_m < DROP_M { distance_m } else { DROP_M };
                squares += (here.normal_force_newton - there.normal_force_newton).powi(2);
                both += 1;
            }
        }
        Self { object_m: away_m / steps.max(1) as f64, force_newton: (squares / both.max(1) as f64).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rollout::ObjectSample;
    use super::*;
    use crate::run::config::RunConfig;
    use crate::study::engines::rollout::MujocoOptions;
    use crate::study::engines::setup;
    use giraffe_robots::{ObjectPose, Outcome, Referee, Seen, TASKS, TrialScene};
    use nalgebra::{UnitQuaternion, Vector3};
    use std::sync::atomic::AtomicBool;

    fn trace(places: &[(f32, f64)]) -> Trace {
        let sample = |&(x, normal_force_newton): &(f32, f64)| ObjectSample {
            pose: ObjectPose { position_m: Vector3::new(x, 0.0, 0.0), palm_from_object: UnitQuaternion::identity() },
            speed_m_per_sec: 0.0,
            contact_points: 1,
            normal_force_newton,
            penetration_m: 0.0,
            touching_regions: 1,
            touching_shapes: 1,
        };
        Trace { object: places.iter().map(sample).collect(), ..Trace::default() }
    }

    #[test]
    fn an_object_that_is_lost_is_a_tenth_of_a_metre_away_from_then_on() {
        let reference = [trace(&[(0.0, 2.0), (0.0, 2.0), (0.0, 2.0), (0.0, 2.0)])];
        let near = GripError::between(&[trace(&[(0.0, 2.0), (0.01, 5.0), (0.02, 2.0), (0.01, 6.0)])], &reference);
        // (0 + 10 + 20 + 10) / 4 mm, and sqrt((9 + 16) / 4) N.
        assert!((near.object_m - 0.01).abs() < 1e-6 && (near.force_newton - 2.5).abs() < 1e-9, "{near:?}");
        for lost in [&[(0.0, 2.0), (0.01, 2.0)][..], &[(0.0, 2.0), (0.01, 2.0), (7.0, 2.0), (f32::NAN, 2.0)]] {
            let lost = GripError::between(&[trace(lost)], &reference);
            assert!((lost.object_m - 0.0525).abs() < 1e-6 && lost.force_newton < 1e-9, "{lost:?}");
        }
    }

    #[test]
    fn an_object_is_dropped_once_it_was_far_from_its_start_or_is_lost() {
        let (setup, _) = setup(&RunConfig::default()).expect("the usual hand");
        let plan = setup.plan();
        let from = plan.start.palm_from_object.translation.vector;
        let rollout = Rollout { plan, targets_rad: vec![setup.robot.home_rad.clone(); 3] };
        let dropped = |away_m: &[f32]| {
            let mut trace = trace(&away_m.iter().map(|away_m| (*away_m, 0.0)).collect::<Vec<_>>());
            trace.object.iter_mut().for_each(|sample| sample.pose.position_m += from);
            is_dropped(&trace, &rollout)
        };
        assert!(!dropped(&[0.0, 0.099, 0.05]));
        for (away_m, why) in [
            (&[0.0, 0.0, 0.101][..], "it is far away"),
            (&[0.0, 0.101, 0.0], "it was far away"),
            (&[0.0, f32::NAN, 0.0], "nobody knows where it was"),
            (&[0.0, 0.0], "its numbers ended"),
        ] {
            assert!(dropped(away_m), "{why}");
        }
    }

    #[test]
    fn what_is_dropped_here_is_dropped_for_the_task() {
        let (setup, _) = setup(&RunConfig::default()).expect("the usual hand");
        let start = setup.plan().start.palm_from_object;
        let at = |away_m: f64| ObjectPose {
            position_m: start.translation.vector + Vector3::new(away_m as f32, 0.0, 0.0),
            palm_from_object: start.rotation,
        };
        let outcome = |away_m: f64| {
            let scene = TrialScene::of_episode(&setup.robot, &setup.object, 1);
            let mut referee = Referee::begin(TASKS[0], &scene, &Seen::Pose(at(0.0)), 10);
            referee.judge(&Seen::Pose(at(away_m)))
        };
        assert_eq!((outcome(DROP_M - 1e-4), outcome(DROP_M + 1e-4)), (None, Some(Outcome::Failed)));
    }

    /// The worker counts drops by itself, and must count what traces show.
    #[test]
    fn both_engines_hold_the_cube_and_a_solver_with_one_iteration_drops_it_every_time() {
        let stop = AtomicBool::new(false);
        let Some(mut lab) = Lab::if_any(&stop) else { return };
        let (setup, task) = setup(&RunConfig::default()).expect("the usual hand");
        let holds = Holds::new(&mut lab, &setup, task).expect("MuJoCo runs");
        let hasty = MujocoOptions { iterations: Some(1), ..MujocoOptions::USUAL };
        let mujoco = |options| Engine::Mujoco { substeps: 7, integrator: "implicitfast", options };
        let dropped = |lab: &mut Lab, engine: &Engine| holds.dropped(lab, engine).expect("engines run");
        assert_eq!(dropped(&mut lab, &setup.training_step()), 0);
        assert_eq!(dropped(&mut lab, &mujoco(hasty)), LONG_EPISODES);
        for engine in [mujoco(MujocoOptions::USUAL), mujoco(hasty)] {
            let counted = dropped(&mut lab, &engine);
            assert_eq!(holds.dropped_of_traces(&mut lab, &engine).expect("MuJoCo runs"), counted, "{engine:?}");
        }
    }
}
