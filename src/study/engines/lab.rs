//! Runs episodes in either engine, on all cores.

use super::rollout::{Engine, MujocoOptions, Rollout, Setup, Trace, in_mujoco, in_rapier, written_start};
use super::worker::{Versions, Worker};
use anyhow::{Result, anyhow, bail};
use giraffe_physics::EpisodePlan;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// Both engines, ready to run.
pub struct Lab<'a> {
    workers: Vec<Worker>,
    stop: &'a AtomicBool,
}

impl<'a> Lab<'a> {
    /// Starts `count` Python processes.
    ///
    /// # Errors
    /// When Python or MuJoCo is missing.
    pub fn open(python: &str, count: usize, stop: &'a AtomicBool) -> Result<Self> {
        let workers = (0..count.max(1)).map(|_| Worker::start(python)).collect::<Result<_>>()?;
        Ok(Self { workers, stop })
    }

    /// For tests: with the Python that the environment names, if that has MuJoCo; it is said where it has not.
    #[cfg(test)]
    pub fn if_any(stop: &'a AtomicBool) -> Option<Self> {
        let not_tried = |error| crate::say::note(format_args!("not tried without MuJoCo: {error:#}"));
        Self::open(&crate::study::python::program(None), 1, stop).map_err(not_tried).ok()
    }

    /// What runs on MuJoCo's side.
    pub fn versions(&self) -> &Versions {
        self.workers[0].versions()
    }

    /// The first process, for measurements of time.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.workers[0]
    }

    fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            bail!("stopped");
        }
        Ok(())
    }

    /// Runs every rollout in one engine; the traces come in the same order.
    ///
    /// # Errors
    /// When an engine fails, or somebody asks to stop.
    pub fn run(&mut self, setup: &Setup, engine: &Engine, rollouts: &[Rollout]) -> Result<Vec<Trace>> {
        self.check_stop()?;
        let stop = self.stop;
        let go_on = || if stop.load(Ordering::Relaxed) { Err(anyhow!("stopped")) } else { Ok(()) };
        match engine {
            Engine::Rapier(settings) => {
                let scene = setup.scene(*settings);
                let run = |rollout| go_on().and_then(|()| in_rapier(setup, &scene, rollout));
                rollouts.par_iter().map(run).collect()
            }
            Engine::Mujoco { substeps, integrator, options } => {
                let load = setup.load(*substeps, integrator, options);
                let run = |worker: &mut Worker, rollout: &Rollout| {
                    go_on()?;
                    in_mujoco(worker, setup, rollout)
                };
                self.spread(&load, rollouts, &run)
            }
        }
    }

    /// How deep the object stands inside the hand at the start of each plan, as MuJoCo sees it, m.
    ///
    /// # Errors
    /// When MuJoCo fails.
    pub fn overlaps(&mut self, setup: &Setup, plans: &[EpisodePlan]) -> Result<Vec<f64>> {
        let starts: Vec<Value> = plans.iter().map(written_start).collect();
        let worker = self.worker();
        let Value::Object(_) = worker.ask(&setup.load(1, "implicitfast", &MujocoOptions::USUAL))? else {
            bail!("MuJoCo did not load the scene");
        };
        worker.ask(&json!({ "do": "overlap", "starts": starts }))
    }

    /// Deals rollouts out to the processes, one after the other in turns.
    fn spread(
        &mut self,
        load: &Value,
        rollouts: &[Rollout],
        run: &(dyn Fn(&mut Worker, &Rollout) -> Result<Trace> + Sync),
    ) -> Result<Vec<Trace>> {
        let count = self.workers.len().min(rollouts.len()).max(1);
        let shares: Vec<Result<Vec<Trace>>> = std::thread::scope(|scope| {
            let handles: Vec<_> = self.workers[..count]
                .iter_mut()
                .enumerate()
                .map(|(first, worker)| {
                    scope.spawn(move || {
                        worker.ask::<Value>(load)?;
                        rollouts.iter().skip(first).step_by(count).map(|rollout| run(worker, rollout)).collect()
                    })
                })
                .collect();
            let joined = |handle: std::thread::ScopedJoinHandle<'_, Result<Vec<Trace>>>| {
                handle.join().unwrap_or_else(|_| Err(anyhow!("a thread that asks MuJoCo broke down")))
            };
            handles.into_iter().map(joined).collect()
        });
        let mut shares: Vec<_> = shares.into_iter().map(|share| share.map(Vec::into_iter)).collect::<Result<_>>()?;
        Ok((0..rollouts.len()).filter_map(|index| shares[index % count].next()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::RunConfig;
    use crate::study::engines::{joints, setup};

    #[test]
    fn the_model_has_every_option_that_is_asked_for() {
        let stop = AtomicBool::new(false);
        let Some(mut lab) = Lab::if_any(&stop) else { return };
        let (setup, _) = setup(&RunConfig::default()).expect("the usual hand");
        for integrator in lab.versions().integrators.clone() {
            for cone in ["pyramidal", "elliptic"] {
                for solver in ["newton", "cg", "pgs"] {
                    let options = MujocoOptions {
                        cone: Some(cone),
                        solver: Some(solver),
                        iterations: Some(7),
                        ls_iterations: Some(9),
                        tolerance: Some(1e-5),
                    };
                    let mut found: Value = lab.worker().ask(&setup.load(5, &integrator, &options)).expect("it loads");
                    let found = found.as_object_mut().expect("options have names");
                    assert_eq!(found.remove("integrator"), Some(json!(integrator)));
                    let step_secs = found.remove("timestep").and_then(|secs| secs.as_f64()).expect("a number");
                    assert!((step_secs - 0.01).abs() < 1e-8, "{step_secs}");
                    assert_eq!(json!(found), json!(options));
                }
            }
        }
    }

    #[test]
    fn mujoco_runs_with_the_solver_it_is_told_and_refuses_one_it_has_not() {
        let stop = AtomicBool::new(false);
        let Some(mut lab) = Lab::if_any(&stop) else { return };
        let (setup, _) = setup(&RunConfig::default()).expect("the usual hand");
        let (alone, script) = (setup.hand_alone(), joints::script(&setup.hand_alone()));
        let mut end = |options| {
            let engine = Engine::Mujoco { substeps: 4, integrator: "euler", options };
            let traces = lab.run(&alone, &engine, std::slice::from_ref(&script))?;
            Ok::<_, anyhow::Error>(traces[0].joints_rad.last().cloned())
        };
        let usual = end(MujocoOptions::USUAL).expect("MuJoCo runs");
        let same = MujocoOptions { solver: Some("newton"), iterations: Some(100), ..MujocoOptions::USUAL };
        assert_eq!(end(same).expect("MuJoCo runs"), usual);
        let few = |solver| MujocoOptions { solver: Some(solver), iterations: Some(1), ..MujocoOptions::USUAL };
        let hasty = MujocoOptions { ls_iterations: Some(1), ..MujocoOptions::USUAL };
        let sloppy = MujocoOptions { tolerance: Some(1.0), ..MujocoOptions::USUAL };
        for other in [few("cg"), few("newton"), hasty, sloppy] {
            assert_ne!(end(other).expect("MuJoCo runs"), usual, "{other:?}");
        }
        let refused = end(few("simplex")).expect_err("there is no such solver").to_string();
        assert!(refused.contains("has no solver simplex"), "{refused}");
    }
}
