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

/// The friction cones.
const CONES: [&str; 2] = ["pyramidal", "elliptic"];
/// The solvers, and iterations worth a try: MuJoCo's own limit of 100 is hardly ever reached.
pub(super) const SOLVERS: [(&str, &[u32]); 3] = [
    ("newton", &[1, 2, 3, 4, 5, 6, 7, 8, 10, 20]),
    ("cg", &[1, 2, 3, 5, 7, 10, 15, 20, 30]),
    ("pgs", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30]),
];
/// Line searches worth a try; MuJoCo's own limit is 50.
const LINE_SEARCHES: [u32; 3] = [3, 5, 10];
/// Tolerances worth a try; MuJoCo's own is 1e-8.
const TOLERANCES: [f64; 3] = [1e-6, 1e-4, 1e-2];

impl Candidate {
    pub(super) fn engine(self) -> Engine {
        let Self { integrator, substeps, options } = self;
        Engine::Mujoco { substeps, integrator, options }
    }

    /// Its solver; MuJoCo's own is Newton's.
    pub(super) fn solver(self) -> &'static str {
        self.options.solver.unwrap_or(SOLVERS[0].0)
    }

    /// The same with one option changed to each of its values.
    pub(super) fn with_other_options(self) -> Vec<Self> {
        let (cone, solver) = (self.options.cone.unwrap_or(CONES[0]), self.solver());
        let now = MujocoOptions { cone: Some(cone), solver: Some(solver), ..self.options };
        let mut all = CONES.map(|cone| MujocoOptions { cone: Some(cone), ..now }).to_vec();
        for (name, counts) in SOLVERS {
            let ls_iterations = now.ls_iterations.filter(|_| searches_lines(name));
            all.push(MujocoOptions { solver: Some(name), ls_iterations, ..now });
            if name == solver {
                all.extend(or_none(counts).map(|iterations| MujocoOptions { iterations, ..now }));
            }
        }
        all.extend(or_none(&TOLERANCES).map(|tolerance| MujocoOptions { tolerance, ..now }));
        if searches_lines(solver) {
            all.extend(or_none(&LINE_SEARCHES).map(|ls_iterations| MujocoOptions { ls_iterations, ..now }));
        }
        // Without any limit it is the usual one by another name, or slower than with one.
        all.retain(|of| of.iterations.is_some() || of.tolerance.is_some() || of.ls_iterations.is_some());
        all.into_iter().map(|options| Self { options, ..self }).collect()
    }
}

fn or_none<T: Copy>(values: &[T]) -> impl Iterator<Item = Option<T>> {
    values.iter().copied().map(Some).chain(std::iter::once(None))
}

/// Whether a solver has line searches to be limited.
fn searches_lines(solver: &str) -> bool {
    solver != "pgs"
}

/// Settings of the solver that are worth a try, the usual one first: in each, one limit. (Several at once are tried near the
/// fastest of these.)
pub(super) fn settings() -> Vec<MujocoOptions> {
    let mut all = vec![MujocoOptions::USUAL, MujocoOptions::ELLIPTIC];
    for cone in CONES {
        for (name, counts) in SOLVERS {
            let solver = MujocoOptions { cone: Some(cone), solver: Some(name), ..MujocoOptions::USUAL };
            let count = |count: &u32| MujocoOptions { iterations: Some(*count), ..solver };
            all.extend(counts.iter().map(count));
            all.extend(TOLERANCES.map(|tolerance| MujocoOptions { tolerance: Some(tolerance), ..solver }));
            if searches_lines(name) {
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

    #[test]
    fn from_each_setting_every_other_value_of_each_option_is_one_change_away() {
        let options = MujocoOptions {
            cone: Some("pyramidal"),
            solver: Some("newton"),
            iterations: Some(3),
            ls_iterations: Some(5),
            tolerance: Some(1e-4),
        };
        let of = Candidate { integrator: "euler", substeps: 7, options };
        let near = of.with_other_options();
        for changed in [
            MujocoOptions { cone: Some("elliptic"), ..options },
            MujocoOptions { solver: Some("cg"), ..options },
            MujocoOptions { solver: Some("pgs"), ls_iterations: None, ..options },
            MujocoOptions { iterations: Some(20), ..options },
            MujocoOptions { iterations: None, ..options },
            MujocoOptions { ls_iterations: Some(10), ..options },
            MujocoOptions { tolerance: None, ..options },
        ] {
            assert!(near.contains(&Candidate { options: changed, ..of }), "{changed:?} of {near:?}");
        }
        let differences = |to: &MujocoOptions| {
            let same = [to.cone == options.cone, to.solver == options.solver, to.iterations == options.iterations];
            let limits = [to.ls_iterations == options.ls_iterations, to.tolerance == options.tolerance];
            same.iter().chain(&limits).filter(|same| !**same).count()
        };
        for to in near.iter().map(|near| near.options) {
            let most = if to.solver == Some("pgs") { 2 } else { 1 };
            assert!(differences(&to) <= most, "{to:?}");
        }
        // Nothing by two names: without a limit there is only the usual one.
        let usual = Candidate { options: MujocoOptions::USUAL, ..of }.with_other_options();
        assert!(usual.iter().all(|of| of.options.label().matches(", ").count() == 3), "{usual:?}");
    }
}
