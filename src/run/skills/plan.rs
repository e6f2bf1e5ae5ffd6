//! Which skill is to act now: searched among everything that was measured to follow from each.
//!
//! A Markov chain: the state is the turn that is still to be done, how far off the object lies, which skill has just acted and
//! whether the object moved meanwhile (one that does not is at a dead end, and needs another skill). Where it goes from there
//! within a dwell is what was counted. Its value is how likely the goal is reached before a clock rings whose mean time is the
//! horizon; the skill with the best value acts. Found by sweeping over all states until nothing changes.

use super::effects::{Dwell, Terms, has_moved};
use super::orientations::{Lying, Orientations, WAY_COUNT, Way};
use nalgebra::Vector3;
use std::collections::BTreeMap;

/// Off by more than this about an axis, rad, is another cell: quarter turns are cut into three.
const CELL_EDGE_RAD: f32 = 0.26;
/// Cells about three axes.
const CELL_COUNT: usize = 27;
/// Of a state that was met fewer times in the measurement it is asked what follows from states like it.
const ENOUGH_DWELLS: usize = 6;
/// No value moves by more than this in the last sweep.
const SETTLED: f64 = 1e-4;
/// At the longest horizon, 120 dwells, values settle within some 1,500 sweeps.
const MOST_SWEEPS: usize = 5000;

/// What is known of the object besides the turn that is still to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// How it is turned out of the nearest way to lie flat, rotation vector in the level frame, rad.
    pub off_rad: Vector3<f32>,
    /// The skill that has just acted; none at the start.
    pub previous: Option<usize>,
    /// Whether the object turned meanwhile.
    pub moved: bool,
}

/// What to do in every state.
#[derive(Debug, Clone)]
pub struct Plan {
    skill_count: usize,
    /// By turn to be done and situation.
    best: Vec<u8>,
    values: Vec<f64>,
}

/// What may follow from a situation if a skill acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    /// Turns passed, one bit each.
    passed: u32,
    turn: Way,
    /// Nothing if the object was lost.
    after: Option<usize>,
}

/// How often each was counted, as shares.
type Outcomes = Vec<(Outcome, f64)>;

impl Plan {
    /// Searches. `dwells`: at least one for each skill.
    pub fn search(dwells: &[Dwell], terms: &Terms, skill_count: usize, horizon_secs: f64) -> Self {
        let orientations = Orientations::new(terms.palm_from_level);
        let chain = Chain::count(dwells, terms, &orientations, skill_count);
        let goes_on = 1.0 - (terms.dwell_secs / horizon_secs).min(1.0);
        let states = WAY_COUNT * chain.situation_count();
        let mut plan = Self { skill_count, best: vec![0; states], values: vec![0.0; states] };
        for _ in 0..MOST_SWEEPS {
            if plan.sweep(&chain, &orientations, goes_on) < SETTLED * (1.0 - goes_on) {
                break;
            }
        }
        plan
    }

    /// One sweep over all states, in place; returns by how much a value moved at most.
    fn sweep(&mut self, chain: &Chain, orientations: &Orientations, goes_on: f64) -> f64 {
        let mut most = 0.0_f64;
        let situation_count = chain.situation_count();
        for to_do in (0..WAY_COUNT).filter_map(Way::numbered) {
            // What is still to be done after each turn.
            let left: Vec<Way> = (0..WAY_COUNT)
                .filter_map(Way::numbered)
                .map(|turn| orientations.product(to_do, orientations.inverse(turn)))
                .collect();
            for situation in 0..situation_count {
                let value_of = |skill: usize| -> f64 {
                    let worth = |(outcome, share): &(Outcome, f64)| match outcome.after {
                        _ if outcome.passed >> to_do.number() & 1 == 1 => *share,
                        Some(after) => {
                            let state = left[outcome.turn.number()].number() * situation_count + after;
                            share * goes_on * self.values[state]
                        }
                        None => 0.0,
                    };
                    chain.outcomes(situation, skill).iter().map(worth).sum()
                };
                // Of equals the first: going on with the same skill where it is as good.
                let previous = chain.previous(situation);
                let order = previous.into_iter().chain((0..self.skill_count).filter(|skill| Some(*skill) != previous));
                let mut best = (f64::NEG_INFINITY, 0);
                for skill in order {
                    let value = value_of(skill);
                    if value > best.0 {
                        best = (value, skill);
                    }
                }
                let state = to_do.number() * situation_count + situation;
                most = most.max((best.0 - self.values[state]).abs());
                (self.values[state], self.best[state]) = (best.0, best.1 as u8);
            }
        }
        most
    }

    /// The skill that is to act, if this turn is still to be done.
    pub fn choose(&self, to_do: Way, situation: &Situation) -> usize {
        usize::from(self.best[self.state(to_do, situation)])
    }

    /// How likely the goal is reached in time, by what was measured.
    pub fn chance(&self, to_do: Way, situation: &Situation) -> f64 {
        self.values[self.state(to_do, situation)]
    }

    fn state(&self, to_do: Way, situation: &Situation) -> usize {
        to_do.number() * (self.values.len() / WAY_COUNT) + number_of(situation, self.skill_count)
    }
}

/// What follows from what.
struct Chain {
    skill_count: usize,
    /// By situation and skill.
    outcomes: Vec<usize>,
    /// The distributions there are: many rare situations share one.
    distributions: Vec<Outcomes>,
}

impl Chain {
    fn count(dwells: &[Dwell], terms: &Terms, orientations: &Orientations, skill_count: usize) -> Self {
        // Exactly so, or in the same cell whatever happened before, or anywhere.
        let mut groups: BTreeMap<(usize, Option<usize>, Option<usize>), Vec<Outcome>> = BTreeMap::new();
        for dwell in dwells {
            let before = Situation { off_rad: dwell.off_rad, previous: dwell.previous, moved: dwell.moved };
            let moved = has_moved(&dwell.whole_turn_rad(orientations), terms.dwell_secs);
            let after = Situation { off_rad: dwell.off_after_rad, previous: Some(dwell.skill), moved };
            let outcome = Outcome {
                passed: dwell.passed.iter().fold(0, |bits, way| bits | 1 << way.number()),
                turn: dwell.turn,
                after: dwell.kept.then(|| number_of(&after, skill_count)),
            };
            let (cell, exact) = (cell_of(&dwell.off_rad), number_of(&before, skill_count));
            for key in [(Some(cell), Some(exact)), (Some(cell), None), (None, None)] {
                groups.entry((dwell.skill, key.0, key.1)).or_default().push(outcome);
            }
        }
        let mut chain = Self { skill_count, outcomes: Vec::new(), distributions: Vec::new() };
        let mut places: BTreeMap<(usize, Option<usize>, Option<usize>), usize> = BTreeMap::new();
        for situation in 0..chain.situation_count() {
            let cell = situation / (2 * (skill_count + 1));
            for skill in 0..skill_count {
                let keys = [(skill, Some(cell), Some(situation)), (skill, Some(cell), None)];
                let often = |key: &&(usize, Option<usize>, Option<usize>)| {
                    groups.get(key).is_some_and(|group| group.len() >= ENOUGH_DWELLS)
                };
                let key = *keys.iter().find(often).unwrap_or(&(skill, None, None));
                let place = *places.entry(key).or_insert_with(|| {
                    chain.distributions.push(shares(groups.get(&key).map_or(&[], Vec::as_slice)));
                    chain.distributions.len() - 1
                });
                chain.outcomes.push(place);
            }
        }
        chain
    }

    fn situation_count(&self) -> usize {
        CELL_COUNT * (self.skill_count + 1) * 2
    }

    fn outcomes(&self, situation: usize, skill: usize) -> &[(Outcome, f64)] {
        &self.distributions[self.outcomes[situation * self.skill_count + skill]]
    }

    /// The skill that had acted before.
    fn previous(&self, situation: usize) -> Option<usize> {
        Some(situation / 2 % (self.skill_count + 1)).filter(|skill| *skill < self.skill_count)
    }
}

fn shares(outcomes: &[Outcome]) -> Outcomes {
    let mut counts: BTreeMap<Outcome, u32> = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(*outcome).or_default() += 1;
    }
    counts.into_iter().map(|(outcome, count)| (outcome, f64::from(count) / outcomes.len() as f64)).collect()
}

fn cell_of(off_rad: &Vector3<f32>) -> usize {
    off_rad.iter().fold(0, |cell, angle_rad| {
        3 * cell + usize::from(*angle_rad > -CELL_EDGE_RAD) + usize::from(*angle_rad > CELL_EDGE_RAD)
    })
}

fn number_of(situation: &Situation, skill_count: usize) -> usize {
    let previous = situation.previous.unwrap_or(skill_count);
    (cell_of(&situation.off_rad) * (skill_count + 1) + previous) * 2 + usize::from(situation.moved)
}

/// The turn that leads an object to a goal.
pub fn to_do(orientations: &Orientations, object: &Lying, goal: &Lying) -> Way {
    orientations.turn_between(object.way, goal.way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::UnitQuaternion;
    use std::f32::consts::FRAC_PI_2;

    const TERMS: fn() -> Terms =
        || Terms { dwell_secs: 0.5, tolerance_rad: 0.4, palm_from_level: UnitQuaternion::identity() };

    fn level() -> Orientations {
        Orientations::new(UnitQuaternion::identity())
    }

    fn quarter(axis: Vector3<f32>) -> Way {
        level().lying(&UnitQuaternion::from_scaled_axis(axis * FRAC_PI_2)).way
    }

    /// A skill that does this in every situation there is.
    fn always(skill: usize, turn: Way, kept: bool) -> Vec<Dwell> {
        let passed = vec![turn];
        let before = [None, Some(0), Some(1)];
        let dwell = |previous| Dwell {
            skill,
            previous,
            moved: turn != Way::LEVEL,
            off_rad: Vector3::zeros(),
            turn,
            off_after_rad: Vector3::zeros(),
            passed: passed.clone(),
            kept,
        };
        before.into_iter().cycle().take(30).map(dwell).collect()
    }

    fn start() -> Situation {
        Situation { off_rad: Vector3::zeros(), previous: None, moved: false }
    }

    /// Does what the plan says until the turn is done; the skills used.
    fn follow(plan: &Plan, to_do: Way, turns: &[Way]) -> Vec<usize> {
        let (mut left, mut situation, mut used) = (to_do, start(), Vec::new());
        while left != Way::LEVEL && used.len() < 10 {
            let skill = plan.choose(left, &situation);
            left = level().product(left, level().inverse(turns[skill]));
            situation = Situation { previous: Some(skill), moved: true, ..start() };
            used.push(skill);
        }
        used
    }

    #[test]
    fn two_skills_that_make_quarter_turns_lead_to_every_way_by_the_shortest_way() {
        let turns = [quarter(Vector3::z()), quarter(Vector3::y())];
        let dwells: Vec<Dwell> = (0..2).flat_map(|skill| always(skill, turns[skill], true)).collect();
        let plan = Plan::search(&dwells, &TERMS(), 2, 15.0);
        // Breadth first, by hand: how many quarter turns about +z and +y each way is away.
        let mut distance = [usize::MAX; WAY_COUNT];
        let mut edge = vec![Way::LEVEL];
        distance[0] = 0;
        for steps in 1.. {
            let mut next = Vec::new();
            for way in &edge {
                for turn in turns {
                    let reached = level().product(turn, *way);
                    if distance[reached.number()] == usize::MAX {
                        distance[reached.number()] = steps;
                        next.push(reached);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            edge = next;
        }
        for to_do in (1..WAY_COUNT).filter_map(Way::numbered) {
            let used = follow(&plan, to_do, &turns);
            assert_eq!(used.len(), distance[to_do.number()], "{to_do:?}: {used:?}");
            let expected = (1.0_f64 - 0.5 / 15.0).powi(used.len() as i32 - 1);
            let chance = plan.chance(to_do, &start());
            assert!((chance - expected).abs() < 1e-2, "{to_do:?}: {chance} is not {expected}");
        }
    }

    #[test]
    fn a_skill_that_drops_the_object_is_avoided_where_a_longer_way_keeps_it() {
        let back = level().inverse(quarter(Vector3::z()));
        let dwells = [always(0, quarter(Vector3::z()), true), always(1, Way::LEVEL, false)].concat();
        let plan = Plan::search(&dwells, &TERMS(), 2, 15.0);
        assert_eq!(follow(&plan, back, &[quarter(Vector3::z()), Way::LEVEL]), [0, 0, 0]);
    }

    #[test]
    fn a_skill_that_has_come_to_a_dead_end_gives_way_to_another() {
        // The first skill turns the object, but not one that it has just failed to move.
        let turn = quarter(Vector3::z());
        let mut dwells: Vec<Dwell> = always(0, turn, true);
        for dwell in &mut dwells {
            if dwell.previous == Some(0) {
                (dwell.moved, dwell.turn, dwell.passed) = (false, Way::LEVEL, vec![Way::LEVEL]);
            }
        }
        dwells.extend(always(1, level().inverse(turn), true));
        let plan = Plan::search(&dwells, &TERMS(), 2, 15.0);
        let stuck = Situation { previous: Some(0), ..start() };
        assert_eq!(plan.choose(turn, &start()), 0);
        assert_eq!(plan.choose(turn, &stuck), 1, "going on would change nothing");
    }

    #[test]
    fn what_was_hardly_ever_met_is_judged_by_what_is_like_it() {
        let (turn, back) = (quarter(Vector3::z()), level().inverse(quarter(Vector3::z())));
        let mut dwells = [always(0, turn, true), always(1, back, true)].concat();
        // Once, from a place that was met once, the second skill did what the first does.
        dwells.push(Dwell { off_rad: Vector3::new(0.0, 0.0, 0.5), turn, passed: vec![turn], ..dwells[30].clone() });
        let plan = Plan::search(&dwells, &TERMS(), 2, 15.0);
        let rare = Situation { off_rad: Vector3::new(0.0, 0.0, 0.5), ..start() };
        assert_eq!(plan.choose(back, &rare), 1);
    }
}
