//! MuJoCo at its best: the fastest of its integrators, steps and solvers among those that are exact enough.
//!
//! One short trial of each setting of [`settings`], with one integrator, then what came near the fastest with the others.
//! From the fastest with every solver the search goes on, one thing changed at a time, until nothing gets faster: so limits
//! that help together are found, if one of them is the fastest by itself. What was lucky in a short trial is found out
//! in long ones, in turns; who was passed over for somebody's luck is then looked at after all.

use super::candidate::{Candidate, SOLVERS, settings};
use super::exactness::{Demand, Exactness};
use crate::study::bench::spread::Spread;
use crate::study::engines::rollout::MujocoOptions;
use anyhow::Result;

/// Physics steps per control step that are tried at most: the reference has so many.
const MOST_SUBSTEPS: u32 = 100;
/// Every setting is also tried with up to so many more physics steps: fewer iterations may do there.
const STEPS_BEYOND: u32 = 2;
/// Trials are short, and one may be off by more than ten per cent: who has this part of the best rate may still be the fastest.
const MARGIN: f64 = 0.85;
/// Of those that had long trials, who has this part of the best rate is timed again beside new ones.
const CLOSE: f64 = 0.95;
/// What is faster by less than this is not worth another change: it cannot be told from luck.
const GAIN: f64 = 1.01;
/// How many long trials each has at a time. The one in the middle counts: what it is held against may be disturbed, too.
const LONG_TRIALS: usize = 3;
/// How many of the fastest take part in the rounds, of those that are exact in everything, and of those that are so in motion
/// alone.
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
    /// Errors, until one is found that shows that it is less exact in motion.
    fn exactness(&mut self, candidate: Candidate, limit: &Exactness) -> Result<Exactness>;
}

/// What was measured of a candidate.
#[derive(Debug, Clone, Copy)]
struct Tried {
    candidate: Candidate,
    rate: f64,
    /// Whether its rate is that of long trials.
    has_long: bool,
    exactness: Exactness,
}

/// What was tried so far.
struct Search<'s> {
    judge: &'s mut dyn Judge,
    ours: &'s Exactness,
    /// The usual solver at the largest step that is exact enough in joints, by integrator.
    usual: Vec<Candidate>,
    /// The rate of all in their short trial.
    timed: Vec<(Candidate, f64)>,
    /// Those of them whose errors were looked at.
    judged: Vec<Candidate>,
    /// Those of them whose joints are exact enough.
    tried: Vec<Tried>,
}

/// Who takes part in the rounds: the two fastest of all, the fastest with each integrator, the two fastest that are as exact as
/// ours in motion alone, and the fastest that is so in joints alone.
pub(super) fn best(judge: &mut dyn Judge, integrators: &[&'static str], ours: &Exactness) -> Result<Vec<Candidate>> {
    let (usual, timed, judged, tried) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut search = Search { judge, ours, usual, timed, judged, tried };
    search.find_usual(integrators)?;
    let usual = search.usual.clone();
    let Some((leader, others)) = usual.split_first() else { return Ok(Vec::new()) };
    search.every_setting(*leader)?;
    search.until_exact(*leader)?;
    search.time_again()?;
    let near = search.near_the_best(MARGIN);
    for other in others {
        let like = near.iter().filter_map(|of| search.with_integrator(*of, other.integrator));
        search.attempt(&like.collect::<Vec<_>>())?;
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
                found.push((usual, self.short_rate(usual)?));
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
        let mut all: Vec<_> = settings().into_iter().map(|options| at(0, options)).collect();
        self.attempt(&all)?;
        for more in 1..=STEPS_BEYOND {
            let shrunk = f64::from(usual.substeps + more - 1) / f64::from(usual.substeps + more);
            let bound = MARGIN * self.best_rate(Demand::Everything);
            let mut promising = Vec::new();
            for of in all {
                if self.short_rate(of)? * shrunk >= bound {
                    promising.push(at(more, of.options));
                }
            }
            self.attempt(&promising)?;
            all = promising;
        }
        Ok(())
    }

    /// The usual solver with more and more physics steps, if nothing else with this integrator is exact enough.
    fn until_exact(&mut self, usual: Candidate) -> Result<()> {
        for substeps in usual.substeps..=MOST_SUBSTEPS {
            if self.best_rate_with(usual.integrator).is_some() {
                break;
            }
            self.attempt(&[Candidate { substeps, ..usual }])?;
        }
        Ok(())
    }

    /// From the fastest on, one change after the other, until nothing gets faster.
    fn refine(&mut self) -> Result<()> {
        self.time_again()?;
        loop {
            let before = Demand::ALL.map(|demand| self.best_rate(demand));
            self.attempt(&self.around())?;
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

    /// Times those that are new, and then looks how exact they are, as far as they are of interest.
    fn attempt(&mut self, candidates: &[Candidate]) -> Result<()> {
        for candidate in candidates {
            self.short_rate(*candidate)?;
        }
        self.judge_promising()?;
        Ok(())
    }

    /// The rate of a candidate in its short trial.
    fn short_rate(&mut self, candidate: Candidate) -> Result<f64> {
        if let Some((_, rate)) = self.timed.iter().find(|(timed, _)| *timed == candidate) {
            return Ok(*rate);
        }
        let rate = self.judge.rate(candidate, Trial::Short)?;
        self.timed.push((candidate, rate));
        Ok(rate)
    }

    /// Looks how exact those are, the fastest first, that may be the fastest of all or with their integrator. Whether there were
    /// any that nobody had looked at.
    fn judge_promising(&mut self) -> Result<bool> {
        let mut timed = self.timed.clone();
        timed.retain(|(candidate, _)| !self.judged.contains(candidate));
        timed.sort_by(|a, b| b.1.total_cmp(&a.1));
        let before = self.judged.len();
        for (candidate, rate) in timed {
            let is_fast = rate >= MARGIN * self.best_rate(Demand::Everything);
            if is_fast || self.best_rate_with(candidate.integrator).is_none_or(|best| rate > best) {
                self.judged.push(candidate);
                let exactness = self.judge.exactness(candidate, self.ours)?;
                if exactness.is_no_worse(self.ours, Demand::Joints) {
                    self.tried.push(Tried { candidate, rate, has_long: false, exactness });
                }
            }
        }
        Ok(self.judged.len() > before)
    }

    /// The best rate with an integrator, of those that are exact enough in everything.
    fn best_rate_with(&self, integrator: &str) -> Option<f64> {
        let exact = self.ranked(Demand::Everything);
        exact.iter().find(|tried| tried.candidate.integrator == integrator).map(|tried| tried.rate)
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

    /// Long trials, in turns, of all that may be the fastest, and of the fastest with each integrator, until each had some. They
    /// replace what was known: who was lucky in a short one is so no longer, and keeps nobody out.
    fn time_again(&mut self) -> Result<()> {
        loop {
            let mut again = self.near_the_best(MARGIN);
            self.fastest_by_integrator().into_iter().for_each(|candidate| add(&mut again, candidate));
            again.retain(|candidate| self.tried.iter().any(|tried| tried.candidate == *candidate && !tried.has_long));
            if !again.is_empty() {
                self.near_the_best(CLOSE).into_iter().for_each(|candidate| add(&mut again, candidate));
                self.time_in_turns(&again)?;
            } else if !self.judge_promising()? {
                return Ok(());
            }
        }
    }

    fn time_in_turns(&mut self, all: &[Candidate]) -> Result<()> {
        let mut rates = vec![Vec::new(); all.len()];
        for _ in 0..LONG_TRIALS {
            for (candidate, rates) in all.iter().zip(&mut rates) {
                rates.push(self.judge.rate(*candidate, Trial::Long)?);
            }
        }
        for tried in &mut self.tried {
            if let Some(at) = all.iter().position(|candidate| *candidate == tried.candidate) {
                (tried.rate, tried.has_long) = (Spread::of(&rates[at]).median, true);
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
        let in_motion = self.ranked(Demand::Motion);
        let alone = in_motion.iter().filter(|tried| !tried.exactness.is_no_worse(self.ours, Demand::Everything));
        alone.take(IN_ROUNDS).for_each(|tried| add(&mut chosen, tried.candidate));
        self.ranked(Demand::Joints).first().into_iter().for_each(|tried| add(&mut chosen, tried.candidate));
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
