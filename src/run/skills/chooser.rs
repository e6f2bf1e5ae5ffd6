//! Who chooses which skill acts, step by step, from what is sensed: by a plan, or blindly for comparison.

use super::effects::{Terms, has_moved};
use super::orientations::{Lying, Orientations};
use super::plan::{Plan, Situation, to_do};
use giraffe_robots::{SeedTree, Signal, SignalFrame, rotation_from_xyzw};
use nalgebra::UnitQuaternion;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A pose older than this, s, is no reason for anything: the skill that acts goes on.
const STALE_SECS: f64 = 0.5;

/// How skills are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choosing {
    /// The one by which the goal is most likely reached in time, as was measured.
    Planner,
    /// Any, each as likely as the others: the control beside the planner.
    Random,
}

/// By what the next skill is chosen.
#[derive(Debug, Clone)]
enum By {
    Plan(Arc<Plan>),
    /// Drawn from this; the skill that acts goes on with this chance in 100 without another draw.
    Chance {
        seed: u64,
        stays_percent: u64,
    },
}

/// Chooses the skill that acts in an episode. Follows from what is sensed alone, so that a log is replayed with the same
/// choices.
#[derive(Debug, Clone)]
pub struct Chooser {
    by: By,
    orientations: Arc<Orientations>,
    skill_count: usize,
    dwell_secs: f64,
    dwell_steps: u32,
    /// Which acts, and for how many steps so far.
    acting: Option<(usize, u32)>,
    /// How the object lay when that was chosen.
    seen: Option<UnitQuaternion<f32>>,
    draws: Option<SeedTree>,
    draw_count: u64,
}

impl Chooser {
    /// By a plan.
    pub fn planned(plan: Arc<Plan>, terms: &Terms, skill_count: usize, dwell_steps: u32) -> Self {
        Self::new(By::Plan(plan), terms, skill_count, dwell_steps)
    }

    /// By chance. `stays_percent`: how often out of 100 the skill that acts goes on without a draw.
    pub fn by_chance(seed: u64, stays_percent: u64, terms: &Terms, skill_count: usize, dwell_steps: u32) -> Self {
        Self::new(By::Chance { seed, stays_percent }, terms, skill_count, dwell_steps)
    }

    fn new(by: By, terms: &Terms, skill_count: usize, dwell_steps: u32) -> Self {
        assert!(skill_count > 0 && dwell_steps > 0, "a choice among some skills, for some steps");
        Self {
            by,
            orientations: Arc::new(Orientations::new(terms.palm_from_level)),
            skill_count,
            dwell_secs: terms.dwell_secs,
            dwell_steps,
            acting: None,
            seen: None,
            draws: None,
            draw_count: 0,
        }
    }

    /// An episode begins.
    pub fn reset(&mut self) {
        (self.acting, self.seen, self.draws, self.draw_count) = (None, None, None, 0);
    }

    /// The skill that acts in this step.
    pub fn choose(&mut self, sensed: &SignalFrame) -> usize {
        if let Some((skill, steps)) = self.acting.filter(|(_, steps)| *steps < self.dwell_steps) {
            self.acting = Some((skill, steps + 1));
            return skill;
        }
        let rotation = fresh_rotation(sensed);
        let skill = match &self.by {
            By::Plan(plan) => self.planned_skill(plan, rotation, sensed),
            By::Chance { seed, stays_percent } => self.drawn_skill(*seed, *stays_percent, sensed),
        };
        self.acting = Some((skill, 1));
        self.seen = rotation.or(self.seen);
        skill
    }

    fn planned_skill(&self, plan: &Plan, rotation: Option<UnitQuaternion<f32>>, sensed: &SignalFrame) -> usize {
        let previous = self.acting.map(|(skill, _)| skill);
        let (Some(rotation), Some(goal)) = (rotation, rotation_of(Signal::GoalRotation, sensed)) else {
            return previous.unwrap_or(0);
        };
        let object: Lying = self.orientations.lying(&rotation);
        let moved = self.seen.is_some_and(|seen| {
            let turn_rad = (rotation * seen.inverse()).scaled_axis();
            has_moved(&turn_rad, self.dwell_secs)
        });
        let situation = Situation { off_rad: object.off_rad, previous, moved };
        plan.choose(to_do(&self.orientations, &object, &self.orientations.lying(&goal)), &situation)
    }

    fn drawn_skill(&mut self, seed: u64, stays_percent: u64, sensed: &SignalFrame) -> usize {
        let draws = *self.draws.get_or_insert_with(|| draws_of_episode(seed, sensed));
        let draw = |name: &str, below: u64| draws.branch(&format!("{name} {}", self.draw_count)).root() % below;
        let stays = draw("stay", 100) < stays_percent;
        let drawn = draw("skill", self.skill_count as u64) as usize;
        self.draw_count += 1;
        self.acting.map(|(skill, _)| skill).filter(|_| stays).unwrap_or(drawn)
    }
}

/// What an episode's choices are drawn from. A log knows no seed of its episodes, but all that was sensed: from this they
/// follow, so that episodes that begin otherwise choose otherwise, and the same one chooses the same again.
fn draws_of_episode(seed: u64, sensed: &SignalFrame) -> SeedTree {
    let signals = [Signal::JointPosition, Signal::ObjectRotation, Signal::GoalRotation];
    let values = signals.into_iter().filter_map(|signal| sensed.read(signal)).flatten();
    let bits: String = values.map(|value| format!("{:08x}", value.to_bits())).collect();
    SeedTree::new(seed).branch("skills").branch(&bits)
}

fn fresh_rotation(sensed: &SignalFrame) -> Option<UnitQuaternion<f32>> {
    let stamp = sensed.stamp(Signal::ObjectRotation)?;
    (sensed.now().secs_since(stamp) <= STALE_SECS).then(|| rotation_of(Signal::ObjectRotation, sensed))?
}

fn rotation_of(signal: Signal, sensed: &SignalFrame) -> Option<UnitQuaternion<f32>> {
    rotation_from_xyzw(sensed.read(signal)?.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::effects::Dwell;
    use super::super::orientations::Way;
    use super::*;
    use giraffe_robots::{Nanos, SignalLayout};
    use nalgebra::Vector3;
    use std::f32::consts::FRAC_PI_2;

    const DWELL_STEPS: u32 = 10;

    fn terms() -> Terms {
        Terms { dwell_secs: 0.5, tolerance_rad: 0.4, palm_from_level: UnitQuaternion::identity() }
    }

    /// What is sensed of an object turned by `object_rad` about z that shall be turned by `goal_rad`.
    fn frame(object_rad: f32, goal_rad: f32) -> SignalFrame {
        let mut frame = SignalFrame::new(SignalLayout { joint_count: 1, action_count: 1, ..SignalLayout::default() });
        frame.begin(Nanos::from_secs(10.0));
        frame.write(Signal::JointPosition, &[0.25]);
        for (signal, angle_rad) in [(Signal::ObjectRotation, object_rad), (Signal::GoalRotation, goal_rad)] {
            let rotation = UnitQuaternion::from_scaled_axis(Vector3::z() * angle_rad);
            frame.write(signal, rotation.coords.as_slice());
        }
        frame
    }

    /// The first skill turns by a quarter about +z, the second back.
    fn to_and_fro() -> Chooser {
        let orientations = Orientations::new(UnitQuaternion::identity());
        let quarter = orientations.lying(&UnitQuaternion::from_scaled_axis(Vector3::z() * FRAC_PI_2)).way;
        let dwell = |skill: usize, turn: Way| Dwell {
            skill,
            previous: None,
            moved: false,
            off_rad: Vector3::zeros(),
            turn,
            off_after_rad: Vector3::zeros(),
            passed: vec![turn],
            kept: true,
        };
        let dwells = [dwell(0, quarter), dwell(1, orientations.inverse(quarter))];
        let plan = Plan::search(&dwells, &terms(), 2, 15.0);
        Chooser::planned(Arc::new(plan), &terms(), 2, DWELL_STEPS)
    }

    #[test]
    fn a_skill_acts_for_its_dwell_whatever_is_seen_and_then_the_one_that_leads_to_the_goal() {
        let mut chooser = to_and_fro();
        assert_eq!(chooser.choose(&frame(0.0, FRAC_PI_2)), 0);
        for _ in 1..DWELL_STEPS {
            assert_eq!(chooser.choose(&frame(0.0, -FRAC_PI_2)), 0);
        }
        assert_eq!(chooser.choose(&frame(0.0, -FRAC_PI_2)), 1);
        chooser.reset();
        assert_eq!(chooser.choose(&frame(0.0, FRAC_PI_2)), 0, "an episode begins with a choice");
    }

    #[test]
    fn who_sees_nothing_goes_on_with_what_was_begun() {
        let mut chooser = to_and_fro();
        let mut blind = frame(0.0, -FRAC_PI_2);
        assert_eq!(chooser.choose(&blind), 1);
        let mut stale = frame(0.0, FRAC_PI_2);
        stale.begin(Nanos::from_secs(10.6));
        blind.clear();
        for unseen in [blind, stale] {
            for _ in 0..DWELL_STEPS {
                assert_eq!(chooser.choose(&unseen), 1);
            }
        }
        assert_eq!(to_and_fro().choose(&frame(0.0, FRAC_PI_2)), 0, "seen in time it would be the other");
    }

    #[test]
    fn choices_by_chance_are_even_and_the_same_again_for_whoever_senses_the_same() {
        let choices = |seed: u64, stays_percent: u64, object_rad: f32| -> Vec<usize> {
            let mut chooser = Chooser::by_chance(seed, stays_percent, &terms(), 3, 1);
            // What is sensed later is the same: the first look decides.
            (0..300).map(|step| chooser.choose(&frame(if step == 0 { object_rad } else { 1.0 }, 0.0))).collect()
        };
        let base = choices(1, 0, 0.1);
        assert_eq!(base, choices(1, 0, 0.1));
        assert_ne!(base, choices(2, 0, 0.1));
        assert_ne!(base, choices(1, 0, 0.2));
        for skill in 0..3 {
            let count = base.iter().filter(|chosen| **chosen == skill).count();
            // Three deviations of 300 draws with chance 1/3.
            assert!((76..=124).contains(&count), "{count} of 300");
        }
        let switches = |choices: &[usize]| choices.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(switches(&choices(1, 70, 0.1)) * 2 < switches(&base));
    }
}
