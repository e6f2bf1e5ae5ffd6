//! The search among engines that are made up.

use super::*;
use std::collections::HashMap;

/// Ours, in units of its own errors.
const OURS: Exactness = Exactness {
    joint_rms_rad: 1.0,
    slip_rms_degrees: 1.0,
    grip_object_m: 1.0,
    grip_force_newton: 1.0,
    dropped: Some(0),
};

type Number = Box<dyn Fn(Candidate) -> f64>;
/// What a trial gives over what it should, by the candidate, the length, and how many such trials it has had.
type Luck = Box<dyn Fn(Candidate, Trial, usize) -> f64>;

/// Engines that are as fast and as exact as formulas say, and what was asked of them.
struct Formulas {
    rate: Number,
    luck: Luck,
    joints: Number,
    object: Number,
    force: Number,
    trials: Vec<(Candidate, Trial)>,
    judged: Vec<(Candidate, Demand)>,
}

impl Judge for Formulas {
    fn rate(&mut self, candidate: Candidate, trial: Trial) -> Result<f64> {
        let before = self.trials.iter().filter(|asked| **asked == (candidate, trial)).count();
        self.trials.push((candidate, trial));
        Ok((self.rate)(candidate) * (self.luck)(candidate, trial, before))
    }

    fn joint_rms_rad(&mut self, candidate: Candidate) -> Result<f64> {
        Ok((self.joints)(candidate))
    }

    fn exactness(&mut self, candidate: Candidate, _limit: &Exactness, demand: Demand) -> Result<Exactness> {
        self.judged.push((candidate, demand));
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
        luck: Box::new(|_, _, _| 1.0),
        joints: Box::new(|of| 6.5 / f64::from(of.substeps)),
        object: Box::new(|_| 0.0),
        force: Box::new(|_| 0.0),
        trials: Vec::new(),
        judged: Vec::new(),
    }
}

/// Only three settings of Newton's solver are fast, by their iterations; two take part in the rounds.
fn three(rates: [(u32, f64); 3]) -> Formulas {
    let is_of_them = |of: Candidate| (of.options.cone, of.options.solver) == (Some("pyramidal"), Some("newton"));
    let plain = move |of: Candidate| {
        let only_iterations = MujocoOptions { iterations: of.options.iterations, ..MujocoOptions::USUAL };
        let options = MujocoOptions { cone: None, solver: None, ..of.options };
        is_of_them(of) && of.substeps == 7 && options == only_iterations
    };
    let rate = move |of: Candidate| {
        let rate = rates.iter().find(|(count, _)| plain(of) && of.options.iterations == Some(*count));
        rate.map_or(0.1, |(_, rate)| *rate)
    };
    Formulas { rate: Box::new(rate), ..formulas() }
}

fn iterations(of: Candidate) -> u32 {
    of.options.iterations.unwrap_or(50)
}

fn search(judge: &mut Formulas, integrators: &[&'static str]) -> Vec<Candidate> {
    best(judge, integrators, &OURS).expect("formulas do not fail")
}

fn found(mut judge: Formulas, integrators: &[&'static str]) -> Vec<Candidate> {
    search(&mut judge, integrators)
}

fn counts(chosen: &[Candidate]) -> Vec<u32> {
    chosen.iter().map(|of| iterations(*of)).collect()
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
    // Two that are exact in everything, one in motion, one in joints.
    assert_eq!(counts(&chosen), [8, 8, 2, 1], "{chosen:?}");
}

#[test]
fn fewer_iterations_in_more_steps_are_found() {
    let object: Number = Box::new(|of| if iterations(of) < if of.substeps == 7 { 10 } else { 2 } { 1.1 } else { 0.9 });
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
fn an_integrator_that_needs_more_steps_in_contact_gets_them_and_one_without_joints_is_left_out() {
    let object = |of: Candidate| if of.integrator == "implicit" { 11.5 / f64::from(of.substeps) } else { 0.0 };
    let joints = |of: Candidate| if of.integrator == "discrete" { 2.0 } else { 6.5 / f64::from(of.substeps) };
    // Slower than anything with the first, so that only its own exactness is a reason to look for it.
    let rate = |of: Candidate| if of.integrator == "euler" { 1e3 } else { 1.0 } / f64::from(of.substeps);
    let judge = Formulas { rate: Box::new(rate), joints: Box::new(joints), object: Box::new(object), ..formulas() };
    let chosen = found(judge, &["implicit", "discrete", "euler"]);
    let steps: Vec<_> = chosen.iter().map(|of| (of.integrator, of.substeps)).collect();
    assert_eq!(steps, [("euler", 7), ("euler", 7), ("implicit", 12)], "{chosen:?}");
}

#[test]
fn if_contact_is_less_exact_at_the_largest_step_a_smaller_one_is_the_opponent() {
    let object: Number = Box::new(|of| 12.5 / f64::from(of.substeps));
    let chosen = found(Formulas { object, ..formulas() }, &["euler"]);
    let steps: Vec<u32> = chosen.iter().map(|of| of.substeps).collect();
    assert_eq!(steps, [13, 13, 7], "{chosen:?}");
    // Also there the fewest iterations are found.
    assert_eq!(counts(&chosen), [1, 1, 1], "{chosen:?}");
}

#[test]
fn who_was_lucky_in_the_short_trial_is_not_the_opponent_and_who_was_unlucky_is() {
    let mut judge = three([(3, 1.0), (5, 0.97), (7, 0.95)]);
    judge.luck = Box::new(|of, trial, _| match (trial, iterations(of)) {
        (Trial::Short, 3) => 0.9,
        (Trial::Short, 7) => 1.1,
        _ => 1.0,
    });
    let chosen = search(&mut judge, &["euler"]);
    assert_eq!(counts(&chosen), [3, 5], "{chosen:?}");
}

#[test]
fn of_long_trials_the_best_counts_and_they_are_in_turns() {
    let mut judge = three([(3, 1.0), (5, 0.97), (7, 0.9)]);
    // Disturbed twice of three times.
    judge.luck = Box::new(|of, trial, before| match (trial, iterations(of)) {
        (Trial::Long, 3) if before % LONG_TRIALS != 1 => 0.5,
        _ => 1.0,
    });
    let chosen = search(&mut judge, &["euler"]);
    assert_eq!(counts(&chosen), [3, 5], "{chosen:?}");
    let long: Vec<u32> =
        judge.trials.iter().filter(|(_, trial)| *trial == Trial::Long).map(|(of, _)| iterations(*of)).collect();
    assert_eq!(long, [3, 5, 7].repeat(LONG_TRIALS));
}

#[test]
fn of_equals_those_that_were_tried_first_take_part() {
    let chosen = found(three([(3, 1.0), (5, 1.0), (7, 1.0)]), &["euler"]);
    assert_eq!(counts(&chosen), [3, 5], "{chosen:?}");
}

#[test]
fn limits_that_help_only_together_are_found() {
    // Ten of the line search save a little, the tolerance something only then, iterations only with both.
    let rate = |of: Candidate| {
        let MujocoOptions { solver, iterations, ls_iterations, tolerance, .. } = of.options;
        match (solver, ls_iterations, tolerance, iterations) {
            (Some("cg"), Some(10), Some(1e-4), Some(15)) => 1.3,
            (Some("cg"), Some(10), Some(1e-4), None) => 1.2,
            (Some("cg"), Some(10), None, None) => 1.1,
            (Some("pgs"), None, None, Some(8)) => 1.15,
            _ => 1.0,
        }
    };
    let chosen = found(Formulas { rate: Box::new(rate), ..formulas() }, &["euler"]);
    let best = chosen[0].options;
    assert_eq!((best.solver, best.ls_iterations), (Some("cg"), Some(10)), "{best:?}");
    assert_eq!((best.tolerance, best.iterations), (Some(1e-4), Some(15)), "{best:?}");
}

#[test]
fn how_exact_somebody_is_matters_only_as_far_as_it_may_win_and_the_fastest_is_asked_first() {
    let force: Number = Box::new(|of| if iterations(of) == 3 { 1.1 } else { 0.9 });
    let mut judge = three([(3, 1.0), (5, 0.98), (7, 0.8)]);
    judge.force = force;
    search(&mut judge, &["euler"]);
    // The last is too slow for anything, and so is all else.
    let asked: Vec<_> = judge.judged.iter().map(|(of, demand)| (iterations(*of), *demand)).collect();
    assert_eq!(asked, [(3, Demand::Joints), (5, Demand::Joints)]);
    // Too slow for joints alone, but not for everything.
    let mut judge = three([(3, 1.0), (5, 0.8), (7, 0.7)]);
    judge.object = Box::new(|of| if iterations(of) == 3 { 1.1 } else { 0.9 });
    search(&mut judge, &["euler"]);
    let asked: Vec<_> = judge.judged.iter().map(|(of, demand)| (iterations(*of), *demand)).collect();
    assert_eq!(asked, [(3, Demand::Joints), (5, Demand::Motion), (7, Demand::Motion)]);
}

#[test]
fn nothing_has_two_short_trials() {
    let mut judge = formulas();
    // Nothing but the usual solver is exact, and only in more steps.
    judge.object = Box::new(|of| if of.options == MujocoOptions::USUAL { 9.5 / f64::from(of.substeps) } else { 2.0 });
    let chosen = search(&mut judge, &["euler", "implicit"]);
    assert_eq!(chosen[0], Candidate { integrator: "euler", substeps: 10, options: MujocoOptions::USUAL });
    let mut times = HashMap::new();
    for (of, _) in judge.trials.iter().filter(|(_, trial)| *trial == Trial::Short) {
        *times.entry(format!("{of:?}")).or_insert(0) += 1;
    }
    // But for the ones by which integrators are ranked.
    let ranked_by = |of: &str| of.contains("substeps: 7, options: MujocoOptions { cone: None, solver: None");
    times.retain(|of, count| *count > if ranked_by(of) { 2 } else { 1 });
    assert!(times.is_empty(), "{times:?}");
}

#[test]
fn where_nothing_but_luck_tells_settings_apart_the_search_ends() {
    let mut judge = formulas();
    judge.rate = Box::new(|_| 1.0);
    // Four per cent up or down, anyhow.
    judge.luck = Box::new(|of, trial, before| {
        let text = format!("{of:?} {trial:?} {before}");
        let mixed = text.bytes().fold(7u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        0.96 + 0.08 * (mixed >> 40) as f64 / f64::from(1 << 24)
    });
    let chosen = search(&mut judge, &["euler", "implicit"]);
    assert!(chosen.len() >= 2, "{chosen:?}");
    let count = |length| judge.trials.iter().filter(|(_, trial)| *trial == length).count();
    // Every setting at three steps with both integrators, and little more: not all that can be combined.
    assert!(count(Trial::Short) < 500, "{} short trials", count(Trial::Short));
    assert!(count(Trial::Long) < 3 * LONG_TRIALS * count(Trial::Short), "{} long trials", count(Trial::Long));
}
