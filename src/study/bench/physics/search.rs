//! MuJoCo at its best: the fastest of its integrators, steps and solvers among those that are exact enough.

use super::candidate::{Candidate, settings};
use super::exactness::{Demand, Exactness};
use crate::study::engines::rollout::MujocoOptions;
use anyhow::Result;

/// Physics steps per control step that are tried at most: the reference has so many.
const MOST_SUBSTEPS: u32 = 100;
/// Every setting is also tried with up to so many more physics steps: fewer iterations may do there.
const STEPS_BEYOND: u32 = 2;
/// A setting is not tried with more physics steps where it promises less than this part of the rate that is of interest:
/// trials are short, and promises rough.
const HOPELESS: f64 = 0.85;
/// How many of the fastest that are exact in everything are looked for: what is slower is not looked at.
const LOOKED_FOR: usize = 4;
/// How many of the fastest with one integrator are tried with the others, by what they fulfil.
const HANDED_ON: [(Demand, usize); 3] = [(Demand::Everything, LOOKED_FOR), (Demand::Motion, 2), (Demand::Joints, 2)];
/// How many of the fastest, by what they fulfil, are timed again before it is decided who takes part in the rounds.
const TIMED_AGAIN: usize = 4;
/// How many of the fastest take part.
const IN_ROUNDS: usize = 2;

/// Who measures a candidate.
pub(super) trait Judge {
    /// Control steps per second, in a short trial.
    fn rate(&mut self, candidate: Candidate) -> Result<f64>;
    /// Joint error of the hand alone, rad.
    fn joint_rms_rad(&mut self, candidate: Candidate) -> Result<f64>;
    /// Errors, until one is found that is beyond the limit where that is demanded.
    fn exactness(&mut self, candidate: Candidate, limit: &Exactness, demand: Demand) -> Result<Exactness>;
}

/// What was measured of a candidate.
#[derive(Debug, Clone, Copy)]
struct Tried {
    candidate: Candidate,
    rate: f64,
    exactness: Exactness,
}

/// What was tried so far.
struct Search<'s> {
    judge: &'s mut dyn Judge,
    ours: &'s Exactness,
    /// Those whose joints are exact enough.
    tried: Vec<Tried>,
}

/// Who takes part in the rounds: the two fastest of all, the fastest with each integrator, and the fastest that is as
/// exact as ours in motion alone and in joints alone.
pub(super) fn best(judge: &mut dyn Judge, integrators: &[&'static str], ours: &Exactness) -> Result<Vec<Candidate>> {
    let mut search = Search { judge, ours, tried: Vec::new() };
    let mut firsts = Vec::new();
    for &integrator in integrators {
        if let Some(usual) = search.largest_step(integrator)? {
            firsts.push((usual, search.judge.rate(usual)?));
        }
    }
    firsts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(((leader, _), others)) = firsts.split_first() else { return Ok(Vec::new()) };
    search.every_setting(*leader)?;
    search.until_exact(*leader)?;
    let handed_on = search.handed_on();
    for (usual, _) in others {
        let like = |like: &Candidate| Candidate {
            substeps: usual.substeps + like.substeps - leader.substeps,
            options: like.options,
            ..*usual
        };
        search.attempt(handed_on.iter().map(like))?;
        search.until_exact(*usual)?;
    }
    search.time_again()?;
    Ok(search.chosen(integrators))
}

impl Search<'_> {
    /// The usual solver with the fewest physics steps whose joint error is no greater than ours. Every number is tried,
    /// from one up, so that none is passed over.
    fn largest_step(&mut self, integrator: &'static str) -> Result<Option<Candidate>> {
        for substeps in 1..=MOST_SUBSTEPS {
            let candidate = Candidate { integrator, substeps, options: MujocoOptions::USUAL };
            if self.judge.joint_rms_rad(candidate)? <= self.ours.joint_rms_rad {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// Every setting of the solver, at the largest step and at slightly smaller ones.
    fn every_setting(&mut self, usual: Candidate) -> Result<()> {
        let mut waiting: Vec<(MujocoOptions, f64)> =
            settings().into_iter().map(|options| (options, f64::INFINITY)).collect();
        for more in 0..=STEPS_BEYOND {
            let substeps = usual.substeps + more;
            let bound = self.bound();
            let shrunk = f64::from(substeps - 1) / f64::from(substeps);
            let promising = waiting.iter().filter(|(_, before)| more == 0 || before * shrunk >= HOPELESS * bound);
            let timed =
                self.attempt(promising.map(|(options, _)| Candidate { substeps, options: *options, ..usual }))?;
            waiting = timed.iter().map(|(candidate, rate)| (candidate.options, *rate)).collect();
        }
        Ok(())
    }

    /// The usual solver with more and more physics steps, if nothing else with this integrator is exact enough.
    fn until_exact(&mut self, usual: Candidate) -> Result<()> {
        for substeps in usual.substeps..=MOST_SUBSTEPS {
            if self.has_exact(usual.integrator) {
                break;
            }
            self.attempt(std::iter::once(Candidate { substeps, ..usual }))?;
        }
        Ok(())
    }

    /// Times some, and then looks how exact they are, the fastest first, as far as they are of interest. Returns their
    /// rates.
    fn attempt(&mut self, candidates: impl Iterator<Item = Candidate>) -> Result<Vec<(Candidate, f64)>> {
        let mut timed = Vec::new();
        for candidate in candidates {
            timed.push((candidate, self.judge.rate(candidate)?));
        }
        timed.sort_by(|a, b| b.1.total_cmp(&a.1));
        for &(candidate, rate) in &timed {
            if let Some(demand) = self.demand(candidate, rate) {
                let exactness = self.judge.exactness(candidate, self.ours, demand)?;
                if exactness.is_no_worse(self.ours, Demand::Joints) {
                    self.tried.push(Tried { candidate, rate, exactness });
                }
            }
        }
        Ok(timed)
    }

    /// The least that a candidate of such a rate must fulfil to be of interest; nothing if it is too slow for anything.
    fn demand(&self, candidate: Candidate, rate: f64) -> Option<Demand> {
        let is_wanted = |demand: Demand| demand == Demand::Everything && !self.has_exact(candidate.integrator);
        let is_fast = |demand, count: usize| self.ranked(demand).get(count - 1).is_none_or(|tried| rate > tried.rate);
        let weakest_first = HANDED_ON.into_iter().rev();
        let mut wanted = weakest_first.filter(|(demand, count)| is_fast(*demand, *count) || is_wanted(*demand));
        wanted.next().map(|(demand, _)| demand)
    }

    /// Whether there is one that is exact enough in everything with an integrator.
    fn has_exact(&self, integrator: &str) -> bool {
        self.ranked(Demand::Everything).iter().any(|tried| tried.candidate.integrator == integrator)
    }

    /// Those that fulfil a demand, the fastest first.
    fn ranked(&self, demand: Demand) -> Vec<Tried> {
        let fulfils = |tried: &&Tried| tried.exactness.is_no_worse(self.ours, demand);
        let mut found: Vec<Tried> = self.tried.iter().filter(fulfils).copied().collect();
        found.sort_by(|a, b| b.rate.total_cmp(&a.rate));
        found
    }

    /// What is slower than this is of no interest any more.
    fn bound(&self) -> f64 {
        self.ranked(Demand::Everything).get(LOOKED_FOR - 1).map_or(0.0, |tried| tried.rate)
    }

    fn handed_on(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (demand, count) in HANDED_ON {
            let fastest = self.ranked(demand).into_iter().take(count).map(|tried| tried.candidate);
            fastest.for_each(|candidate| add(&mut found, candidate));
        }
        found
    }

    /// A short trial says little: the fastest get more of them. The best counts, since others only disturb.
    fn time_again(&mut self) -> Result<()> {
        let mut again = Vec::new();
        for (demand, _) in HANDED_ON {
            let fastest = self.ranked(demand).into_iter().take(TIMED_AGAIN).map(|tried| tried.candidate);
            fastest.for_each(|candidate| add(&mut again, candidate));
        }
        for candidate in again.iter().chain(&again) {
            let rate = self.judge.rate(*candidate)?;
            let same = self.tried.iter_mut().filter(|tried| tried.candidate == *candidate);
            same.for_each(|tried| tried.rate = tried.rate.max(rate));
        }
        Ok(())
    }

    fn chosen(&self, integrators: &[&str]) -> Vec<Candidate> {
        let exact = self.ranked(Demand::Everything);
        let mut chosen: Vec<Candidate> = exact.iter().take(IN_ROUNDS).map(|tried| tried.candidate).collect();
        let fastest = |integrator: &&str| exact.iter().find(|tried| tried.candidate.integrator == *integrator);
        integrators.iter().filter_map(fastest).for_each(|tried| add(&mut chosen, tried.candidate));
        for demand in [Demand::Motion, Demand::Joints] {
            self.ranked(demand).first().into_iter().for_each(|tried| add(&mut chosen, tried.candidate));
        }
        chosen
    }
}

fn add(found: &mut Vec<Candidate>, candidate: Candidate) {
    if !found.contains(&candidate) {
        found.push(candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ours, in units of its own errors.
    const OURS: Exactness = Exactness {
        joint_rms_rad: 1.0,
        slip_rms_degrees: 1.0,
        grip_object_m: 1.0,
        grip_force_newton: 1.0,
        dropped: Some(0),
    };

    type Number = Box<dyn Fn(Candidate) -> f64>;

    /// Engines that are as fast and as exact as formulas say.
    struct Formulas {
        rate: Number,
        joints: Number,
        object: Number,
        force: Number,
    }

    impl Judge for Formulas {
        fn rate(&mut self, candidate: Candidate) -> Result<f64> {
            Ok((self.rate)(candidate))
        }

        fn joint_rms_rad(&mut self, candidate: Candidate) -> Result<f64> {
            Ok((self.joints)(candidate))
        }

        fn exactness(&mut self, candidate: Candidate, _limit: &Exactness, _demand: Demand) -> Result<Exactness> {
            Ok(Exactness {
                joint_rms_rad: (self.joints)(candidate),
                slip_rms_degrees: 0.0,
                grip_object_m: (self.object)(candidate),
                grip_force_newton: (self.force)(candidate),
                dropped: Some(0),
            })
        }
    }

    /// Seven steps are enough, each costs as much as its iterations, and contact is exact whatever they are.
    fn formulas() -> Formulas {
        Formulas {
            rate: Box::new(|of| 1.0 / (f64::from(of.substeps) * (1.0 + f64::from(iterations(of))))),
            joints: Box::new(|of| 6.5 / f64::from(of.substeps)),
            object: Box::new(|_| 0.0),
            force: Box::new(|_| 0.0),
        }
    }

    fn iterations(of: Candidate) -> u32 {
        of.options.iterations.unwrap_or(50)
    }

    fn found(mut judge: Formulas, integrators: &[&'static str]) -> Vec<Candidate> {
        best(&mut judge, integrators, &OURS).expect("formulas do not fail")
    }

    #[test]
    fn no_number_of_steps_is_passed_over() {
        for first in 1..=40 {
            // As it happens, this one and no other below 50.
            let is_exact = move |of: Candidate| of.substeps == first || of.substeps >= 50;
            let joints: Number = Box::new(move |of| if is_exact(of) { 0.5 } else { 2.0 });
            let chosen = found(Formulas { joints, ..formulas() }, &["euler"]);
            assert!(!chosen.is_empty() && chosen.iter().all(|of| of.substeps == first), "{first}: {chosen:?}");
        }
    }

    #[test]
    fn who_is_faster_by_being_less_exact_is_not_the_opponent_but_is_shown() {
        let object: Number = Box::new(|of| if iterations(of) < 2 { 1.1 } else { 0.9 });
        let force: Number = Box::new(|of| if iterations(of) < 8 { 1.1 } else { 0.9 });
        let chosen = found(Formulas { object, force, ..formulas() }, &["euler"]);
        let counts: Vec<u32> = chosen.iter().map(|of| iterations(*of)).collect();
        // Two that are exact in everything, one in motion, one in joints.
        assert_eq!(counts, [8, 8, 2, 1], "{chosen:?}");
    }

    #[test]
    fn fewer_iterations_in_more_steps_are_found() {
        let object: Number =
            Box::new(|of| if iterations(of) < if of.substeps == 7 { 10 } else { 2 } { 1.1 } else { 0.9 });
        let chosen = found(Formulas { object, ..formulas() }, &["euler"]);
        assert_eq!((chosen[0].substeps, iterations(chosen[0])), (8, 2), "{chosen:?}");
    }

    #[test]
    fn every_integrator_has_its_best_setting_measured() {
        let rate = |of: Candidate| if of.integrator == "euler" { 3.0 } else { 1.0 } / f64::from(iterations(of));
        let joints = |of: Candidate| if of.integrator == "euler" { 6.5 } else { 4.5 } / f64::from(of.substeps);
        let chosen =
            found(Formulas { rate: Box::new(rate), joints: Box::new(joints), ..formulas() }, &["euler", "discrete"]);
        let best_of = |integrator: &str| chosen.iter().find(|of| of.integrator == integrator).copied();
        for (integrator, substeps) in [("euler", 7), ("discrete", 5)] {
            let best = best_of(integrator).unwrap_or_else(|| panic!("{integrator} has no row: {chosen:?}"));
            assert_eq!((best.substeps, iterations(best)), (substeps, 1), "{chosen:?}");
        }
    }

    #[test]
    fn if_contact_is_less_exact_at_the_largest_step_a_smaller_one_is_the_opponent() {
        let object: Number = Box::new(|of| 12.5 / f64::from(of.substeps));
        let chosen = found(Formulas { object, ..formulas() }, &["euler"]);
        let exact: Vec<u32> = chosen.iter().map(|of| of.substeps).collect();
        assert_eq!(exact, [13, 7], "{chosen:?}");
    }
}
