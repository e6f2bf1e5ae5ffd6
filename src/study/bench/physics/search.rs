//! MuJoCo at its best: the fastest of its integrators, steps and solvers among those that are exact enough.
//!
//! One short trial of each setting of [`settings`], with one integrator, then what came near the fastest with the others.
//! From the fastest with every solver the search goes on, one thing changed at a time, until nothing gets faster: so limits
//! that help together are found, if one of them is the fastest by itself. What was lucky in a short trial is found out
//! in long ones, in turns.

use super::candidate::{Candidate, SOLVERS, settings};
use super::exactness::{Demand, Exactness};
use crate::study::engines::rollout::MujocoOptions;
use anyhow::Result;

/// Physics steps per control step that are tried at most: the reference has so many.
const MOST_SUBSTEPS: u32 = 100;
/// Every setting is also tried with up to so many more physics steps: fewer iterations may do there.
const STEPS_BEYOND: u32 = 2;
/// Trials are short, and one is off by several per cent: who has this part of the best rate may still be the fastest.
const MARGIN: f64 = 0.85;
/// Of those that had long trials, who has this part of the best rate is timed again beside new ones.
const CLOSE: f64 = 0.95;
/// What is faster by less than this is not worth another change: it cannot be told from luck.
const GAIN: f64 = 1.01;
/// How many long trials each has at a time. The best counts, since others on the machine only disturb.
const LONG_TRIALS: usize = 3;
/// How many of the fastest take part in the rounds.
const IN_ROUNDS: usize = 2;

/// How long a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// To see who is worth more.
    Short,
    /// To tell those apart that are close together.
    Long,
}

/// Who measures a candidate.
pub(super) trait Judge {
    /// How fast it is, in one trial: in any unit, but in the same one however fast the machine is at the moment.
    fn rate(&mut self, candidate: Candidate, trial: Trial) -> Result<f64>;
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
    /// The usual solver at the largest step that is exact enough in joints, by integrator.
    usual: Vec<Candidate>,
    /// All that had a trial.
    seen: Vec<Candidate>,
    /// Those of them that had long ones.
    timed_long: Vec<Candidate>,
    /// Those whose joints are exact enough.
    tried: Vec<Tried>,
}

/// Who takes part in the rounds, the fastest first: the two fastest of all, the fastest with each integrator, and the
/// fastest that is as exact as ours in motion alone and in joints alone.
pub(super) fn best(judge: &mut dyn Judge, integrators: &[&'static str], ours: &Exactness) -> Result<Vec<Candidate>> {
    let (usual, seen, timed_long, tried) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut search = Search { judge, ours, usual, seen, timed_long, tried };
    search.find_usual(integrators)?;
    let usual = search.usual.clone();
    let Some((leader, others)) = usual.split_first() else { return Ok(Vec::new()) };
    search.every_setting(*leader)?;
    search.until_exact(*leader)?;
    let near = search.near_the_best(MARGIN);
    for other in others {
        let like = near.iter().filter_map(|of| search.with_integrator(*of, other.integrator));
        search.attempt(like.collect())?;
        search.until_exact(*other)?;
    }
    search.refine()?;
    Ok(search.chosen())
}

impl Search<'_> {
    /// The largest step with each integrator; the fastest first.
    fn find_usual(&mut self, integrators: &[&'static str]) -> Result<()> {
        let mut found = Vec::new();
        for &integrator in integrators {
            if let Some(usual) = self.largest_step(integrator)? {
                found.push((usual, self.judge.rate(usual, Trial::Short)?));
            }
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        self.usual = found.into_iter().map(|(usual, _)| usual).collect();
        Ok(())
    }

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
        let at = |more: u32, options| Candidate { substeps: usual.substeps + more, options, ..usual };
        let mut timed = self.attempt(settings().into_iter().map(|options| at(0, options)).collect())?;
        for more in 1..=STEPS_BEYOND {
            let shrunk = f64::from(usual.substeps + more - 1) / f64::from(usual.substeps + more);
            let bound = MARGIN * self.best_rate(Demand::Everything);
            let promising = timed.iter().filter(|(_, before)| before * shrunk >= bound);
            timed = self.attempt(promising.map(|(of, _)| at(more, of.options)).collect())?;
        }
        Ok(())
    }

    /// The usual solver with more and more physics steps, if nothing else with this integrator is exact enough.
    fn until_exact(&mut self, usual: Candidate) -> Result<()> {
        for substeps in usual.substeps..=MOST_SUBSTEPS {
            if self.has_exact(usual.integrator) {
                break;
            }
            self.attempt(vec![Candidate { substeps, ..usual }])?;
        }
        Ok(())
    }

    /// From the fastest on, one change after the other, until nothing gets faster.
    fn refine(&mut self) -> Result<()> {
        self.time_again()?;
        loop {
            let before = Demand::ALL.map(|demand| self.best_rate(demand));
            self.attempt(self.around())?;
            self.time_again()?;
            let is_faster = |(demand, before): (Demand, f64)| self.best_rate(demand) > GAIN * before;
            if !Demand::ALL.into_iter().zip(before).any(is_faster) {
                return Ok(());
            }
        }
    }

    /// What is near the fastest.
    fn around(&self) -> Vec<Candidate> {
        self.centres().into_iter().flat_map(|centre| self.neighbours(centre)).collect()
    }

    /// Where the search goes on from: the fastest exact one with each solver, if it is near the best, and the fastest that
    /// is exact in less.
    fn centres(&self) -> Vec<Candidate> {
        let exact = self.near(Demand::Everything, MARGIN);
        let with = |solver: &str| exact.iter().find(|of| of.candidate.solver() == solver);
        let mut centres: Vec<Candidate> =
            SOLVERS.into_iter().filter_map(|(solver, _)| with(solver)).map(|of| of.candidate).collect();
        for demand in Demand::ALL {
            self.ranked(demand).first().into_iter().for_each(|of| add(&mut centres, of.candidate));
        }
        centres
    }

    /// One thing changed: a limit of the solver, the cone, the integrator, or one physics step more or less.
    fn neighbours(&self, of: Candidate) -> Vec<Candidate> {
        let mut near = of.with_other_options();
        near.extend(self.usual.iter().filter_map(|usual| self.with_integrator(of, usual.integrator)));
        let steps = [of.substeps.saturating_sub(1).max(1), (of.substeps + 1).min(MOST_SUBSTEPS)];
        near.extend(steps.map(|substeps| Candidate { substeps, ..of }));
        near
    }

    /// The same with another integrator, as far above the largest step of that one as it is above that of its own.
    fn with_integrator(&self, of: Candidate, integrator: &str) -> Option<Candidate> {
        let usual = |name: &str| self.usual.iter().find(|usual| usual.integrator == name);
        let (from, to) = (usual(of.integrator)?, usual(integrator)?);
        let substeps = (to.substeps + of.substeps).checked_sub(from.substeps)?.clamp(1, MOST_SUBSTEPS);
        Some(Candidate { integrator: to.integrator, substeps, ..of })
    }

    /// Times those that are new, and then looks how exact they are, the fastest first, as far as they are of interest.
    /// Returns their rates.
    fn attempt(&mut self, candidates: Vec<Candidate>) -> Result<Vec<(Candidate, f64)>> {
        let mut timed = Vec::new();
        for candidate in candidates {
            if !self.seen.contains(&candidate) {
                self.seen.push(candidate);
                timed.push((candidate, self.judge.rate(candidate, Trial::Short)?));
            }
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
        let is_fast = |demand| rate >= MARGIN * self.best_rate(demand);
        let mut weakest_first = Demand::ALL.into_iter().rev();
        weakest_first.find(|demand| is_fast(*demand) || is_wanted(*demand))
    }

    /// Whether there is one that is exact enough in everything with an integrator.
    fn has_exact(&self, integrator: &str) -> bool {
        self.ranked(Demand::Everything).iter().any(|tried| tried.candidate.integrator == integrator)
    }

    /// Those that fulfil a demand, the fastest first; of equals the one that was tried first.
    fn ranked(&self, demand: Demand) -> Vec<Tried> {
        let fulfils = |tried: &&Tried| tried.exactness.is_no_worse(self.ours, demand);
        let mut found: Vec<Tried> = self.tried.iter().filter(fulfils).copied().collect();
        found.sort_by(|a, b| b.rate.total_cmp(&a.rate));
        found
    }

    fn best_rate(&self, demand: Demand) -> f64 {
        self.ranked(demand).first().map_or(0.0, |tried| tried.rate)
    }

    /// Those that fulfil a demand and have such a part of the best rate.
    fn near(&self, demand: Demand, part: f64) -> Vec<Tried> {
        let bound = part * self.best_rate(demand);
        self.ranked(demand).into_iter().filter(|tried| tried.rate >= bound).collect()
    }

    /// Those that fulfil any demand and have such a part of the best rate.
    fn near_the_best(&self, part: f64) -> Vec<Candidate> {
        let mut found = Vec::new();
        for demand in Demand::ALL {
            self.near(demand, part).iter().for_each(|tried| add(&mut found, tried.candidate));
        }
        found
    }

    /// Long trials, in turns, of all that may be the fastest, and of the fastest with each integrator. They replace what
    /// was known: who was lucky in a short one is so no longer. Nothing to do if all of them had some.
    fn time_again(&mut self) -> Result<()> {
        loop {
            let mut again = self.near_the_best(MARGIN);
            self.fastest_by_integrator().into_iter().for_each(|candidate| add(&mut again, candidate));
            again.retain(|candidate| !self.timed_long.contains(candidate));
            if again.is_empty() {
                return Ok(());
            }
            self.timed_long.extend(&again);
            self.near_the_best(CLOSE).into_iter().for_each(|candidate| add(&mut again, candidate));
            self.time_in_turns(&again)?;
        }
    }

    fn time_in_turns(&mut self, all: &[Candidate]) -> Result<()> {
        let mut rates = vec![0.0f64; all.len()];
        for _ in 0..LONG_TRIALS {
            for (candidate, rate) in all.iter().zip(&mut rates) {
                *rate = rate.max(self.judge.rate(*candidate, Trial::Long)?);
            }
        }
        for tried in &mut self.tried {
            if let Some(at) = all.iter().position(|candidate| *candidate == tried.candidate) {
                tried.rate = rates[at];
            }
        }
        Ok(())
    }

    fn fastest_by_integrator(&self) -> Vec<Candidate> {
        let exact = self.ranked(Demand::Everything);
        let fastest = |usual: &Candidate| exact.iter().find(|tried| tried.candidate.integrator == usual.integrator);
        self.usual.iter().filter_map(fastest).map(|tried| tried.candidate).collect()
    }

    fn chosen(&self) -> Vec<Candidate> {
        let exact = self.ranked(Demand::Everything);
        let mut chosen: Vec<Candidate> = exact.iter().take(IN_ROUNDS).map(|tried| tried.candidate).collect();
        self.fastest_by_integrator().into_iter().for_each(|candidate| add(&mut chosen, candidate));
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
mod tests;
