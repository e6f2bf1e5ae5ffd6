//! The ways in which MuJoCo may run: integrator, step, solver.

use crate::study::engines::rollout::{Engine, MujocoOptions};

/// Integrators worth a try, if this MuJoCo has them. `euler` treats damping implicitly unless told not to.
pub(super) const INTEGRATORS: [&str; 4] = ["euler", "implicit", "implicitfast", "discrete"];

/// MuJoCo as it may run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) integrator: &'static str,
    /// Physics steps per control step.
    pub(super) substeps: u32,
    pub(super) options: MujocoOptions,
}

impl Candidate {
    pub(super) fn engine(self) -> Engine {
        let Self { integrator, substeps, options } = self;
        Engine::Mujoco { substeps, integrator, options }
    }

    /// For people.
    pub(super) fn label(self, period_secs: f32) -> String {
        let step_millis = 1e3 * self.engine().step_secs(period_secs);
        format!("MuJoCo {}, {step_millis:.3} ms{}", self.integrator, self.options.label())
    }
}

/// Iterations worth a try, by solver: MuJoCo's own limit of 100 is hardly ever reached.
const ITERATIONS: [(&str, &[u32]); 3] = [
    ("newton", &[1, 2, 3, 4, 5, 6, 7, 8, 10, 20]),
    ("cg", &[1, 2, 3, 5, 7, 10, 15, 20, 30]),
    ("pgs", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30]),
];
/// Line searches worth a try; MuJoCo's own limit is 50.
const LINE_SEARCHES: [u32; 3] = [3, 5, 10];
/// Tolerances worth a try; MuJoCo's own is 1e-8.
const TOLERANCES: [f64; 3] = [1e-6, 1e-4, 1e-2];

/// Every setting of the solver that is worth a try, the usual one first.
pub(super) fn settings() -> Vec<MujocoOptions> {
    let mut all = vec![MujocoOptions::USUAL, MujocoOptions::ELLIPTIC];
    for cone in ["pyramidal", "elliptic"] {
        for (name, counts) in ITERATIONS {
            let solver = MujocoOptions { cone: Some(cone), solver: Some(name), ..MujocoOptions::USUAL };
            let count = |count: &u32| MujocoOptions { iterations: Some(*count), ..solver };
            all.extend(counts.iter().map(count));
            all.extend(TOLERANCES.map(|tolerance| MujocoOptions { tolerance: Some(tolerance), ..solver }));
            if name != "pgs" {
                all.extend(LINE_SEARCHES.map(|count| MujocoOptions { ls_iterations: Some(count), ..solver }));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_solver_is_tried_with_both_cones_few_iterations_and_many() {
        let all = settings();
        assert_eq!(all[0], MujocoOptions::USUAL);
        for cone in ["pyramidal", "elliptic"] {
            for solver in ["newton", "cg", "pgs"] {
                let tried = |options: &&MujocoOptions| options.cone == Some(cone) && options.solver == Some(solver);
                let counts: Vec<u32> = all.iter().filter(tried).filter_map(|options| options.iterations).collect();
                assert!(counts.contains(&1) && counts.iter().any(|count| *count >= 20), "{solver}: {counts:?}");
                assert!(all.iter().filter(tried).any(|options| options.tolerance.is_some()), "{solver}");
            }
        }
        for (index, options) in all.iter().enumerate() {
            assert!(!all[..index].contains(options), "{options:?} is tried twice");
        }
    }
}
