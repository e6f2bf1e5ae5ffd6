//! `turn-goals`, `reorient-faces`, `reorient-face-up`, `reorient`: bring the object to one orientation after the other.
//!
//! Whose rules these are. Success at 0.4 rad, the next goal at once, at most 50 of them: Dactyl (OpenAI 2018, "Learning
//! dexterous in-hand manipulation", section 3 and table 1). There a goal has 400 steps of 80 ms; DeXtreme (Handa et al. 2023)
//! gives 80 s and asks for 0.1 to 0.4 rad; others give 8 s. Here it is 15 s, and a goal that was not reached in time is missed
//! and another one given, where Dactyl ends the trial: consecutive successes count until the first miss in both. MuJoCo
//! Playground (LeapCubeReorient) asks for 0.1 rad and moves the goal on at once; wuji-mjlab asks to stay within it for five
//! steps, as `hold_secs` does here.
//!
//! What is paid is coming nearer, not being near: then holding still short of a goal earns nothing, and a new goal
//! costs nothing.

use super::goals::{AXES, Goal, GoalSet, Goals, NO_AXIS, weights_from, with_axes};
use super::shaping::{self, Costs, NO_DROP, RATE_WEIGHT, REWARD_SCALE, RateWindow};
use crate::action::ActionSchema;
use crate::dial::{Dial, usual_values, value_at};
use crate::frame::SignalFrame;
use crate::measure::{Better, Measure, MeasureKind};
use crate::model::RobotModel;
use crate::object::ObjectPose;
use crate::seed::{SeedTree, Stream, StreamRng};
use crate::signal::Signal;
use crate::symmetry::Symmetry;
use crate::task::{Aims, EpisodeStart, Task};
use crate::term::{Audience, Encoding, ObservationTerm};
use crate::trial::{Ending, RewardTerms, SUCCESS_TERM, Trial, TrialScene, Verdict};
use crate::watch::{Seen, rotation_from_xyzw};
use nalgebra::UnitQuaternion;
use std::sync::Arc;

/// Bring the object to one orientation after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reorient {
    name: &'static str,
    doc: &'static str,
    set: GoalSet,
    measures: &'static [Measure],
    aims: Aims,
    dials: &'static [Dial],
    settings: Settings,
}

/// The values of the dials.
#[derive(Debug, Clone, Copy)]
struct Settings {
    tolerance_rad: f32,
    hold_secs: f32,
    secs_per_goal: f32,
    episode_secs: f32,
    success_reward: f32,
    drop_reward: f32,
    rate_clip_rad_per_sec: f32,
    backward_clip_rad_per_sec: f32,
    cost_share: f32,
    weights: [f32; AXES.len()],
}

const fn dial(name: &'static str, doc: &'static str, usual: f32, least: f32, most: f32) -> Dial {
    Dial { name, doc, usual, least, most }
}

/// In the order of [`Settings`].
const COMMON_DIALS: [Dial; 9] = [
    dial("tolerance_rad", "a goal is reached when the object is turned no further from it", 0.4, 0.05, 1.5),
    dial("hold_secs", "the object has to stay so near for so long; 0: passing counts", 0.0, 0.0, 5.0),
    dial("secs_per_goal", "a goal that was not reached for so long is missed", 15.0, 1.0, 120.0),
    dial("episode_secs", "how long an episode lasts", 60.0, 5.0, 1000.0),
    // Above zero: that a goal was reached is read off what is paid for it.
    dial("success_reward", "paid for a goal; a quarter turn earns about 39 on its way", 20.0, 0.01, 1000.0),
    dial("drop_reward", "paid for a drop", shaping::DROP_REWARD, -1000.0, 0.0),
    dial("rate_clip_rad_per_sec", "coming nearer faster than this earns nothing more", 2.0, 0.05, 5.0),
    dial("backward_clip_rad_per_sec", "falling back costs up to this rate", 3.0, 0.0, 20.0),
    Dial { usual: 0.2, ..shaping::COST_SHARE },
];
const EPISODE_DIAL: usize = 3;

/// Of a task with axes. An episode of 30 s, as goals are counted per 30 s.
const TURN_DIALS: [Dial; COMMON_DIALS.len() + AXES.len()] = {
    let mut dials = with_axes(&COMMON_DIALS);
    dials[EPISODE_DIAL].usual = 30.0;
    dials
};

impl Settings {
    const fn of(values: &[f32]) -> Self {
        Self {
            tolerance_rad: value_at(values, 0),
            hold_secs: value_at(values, 1),
            secs_per_goal: value_at(values, 2),
            episode_secs: value_at(values, EPISODE_DIAL),
            success_reward: value_at(values, 4),
            drop_reward: value_at(values, 5),
            rate_clip_rad_per_sec: value_at(values, 6),
            backward_clip_rad_per_sec: value_at(values, 7),
            cost_share: value_at(values, 8),
            weights: weights_from(values, COMMON_DIALS.len()),
        }
    }
}

const GOALS_PER_30_SECS: Measure = Measure {
    name: "goals_per_30_secs",
    title: "goals reached per 30 s",
    unit: "",
    kind: MeasureKind::Mean,
    better: Better::Higher,
};
/// Until the first goal that was missed, or the drop.
const CONSECUTIVE: Measure = Measure {
    name: "consecutive_success_count",
    title: "consecutive successes",
    unit: "",
    kind: MeasureKind::Count,
    better: Better::Higher,
};
/// Of those that were reached or missed in an episode; a drop misses the goal that was pursued.
const REACHED_SHARE: Measure = Measure {
    name: "reached_share",
    title: "share of goals reached",
    unit: "",
    kind: MeasureKind::Mean,
    better: Better::Higher,
};
const SECS_PER_SUCCESS: Measure = Measure {
    name: "secs_per_success",
    title: "time per success",
    unit: "s",
    kind: MeasureKind::Mean,
    better: Better::Lower,
};
/// Of goals reached, those near which the object stayed for [`HELD_SECS`], although there was another goal by then.
const HELD_SHARE: Measure = Measure {
    name: "held_share",
    title: "share of reached goals held for 0.5 s",
    unit: "",
    kind: MeasureKind::Mean,
    better: Better::Higher,
};
/// See [`HELD_SHARE`].
const HELD_SECS: f32 = 0.5;

/// In the order of [`Reorienting::results`], but for the headline, which is the first or the second.
static TURN_MEASURES: [Measure; 6] =
    [GOALS_PER_30_SECS, CONSECUTIVE, REACHED_SHARE, SECS_PER_SUCCESS, HELD_SHARE, NO_DROP];
static MEASURES: [Measure; 6] = [CONSECUTIVE, GOALS_PER_30_SECS, REACHED_SHARE, SECS_PER_SUCCESS, HELD_SHARE, NO_DROP];

/// After so many goals all is done.
const MOST_GOALS: u32 = 50;

/// Quarter turns about given axes.
pub static TURN_GOALS: Reorient = Reorient {
    name: "turn-goals",
    doc: "turn the object by a quarter about the axes that are drawn, one after the other, seeing its pose",
    set: GoalSet::QuarterTurns,
    measures: &TURN_MEASURES,
    aims: Aims { poor: 1.0, good: 5.0 },
    dials: &TURN_DIALS,
    settings: Settings::of(&usual_values(&TURN_DIALS)),
};

/// Any orientation in which it lies in the hand: 24 of a cube.
pub static REORIENT_FACES: Reorient = Reorient {
    name: "reorient-faces",
    doc: "bring the object to any orientation in which it can lie in the hand (24 of a cube), seeing its pose",
    set: GoalSet::Faces,
    measures: &MEASURES,
    aims: Aims { poor: 1.0, good: 5.0 },
    dials: &COMMON_DIALS,
    settings: Settings::of(&usual_values(&COMMON_DIALS)),
};

/// A named side up.
pub static REORIENT_FACE_UP: Reorient = Reorient {
    name: "reorient-face-up",
    doc: "bring the side of the object up that is named, turned anyhow about the palm's normal, seeing its pose",
    set: GoalSet::FaceUp,
    ..REORIENT_FACES
};

/// Any orientation at all.
pub static REORIENT: Reorient = Reorient {
    name: "reorient",
    doc: "bring the object to any orientation at all (uniform over rotations), seeing its pose",
    set: GoalSet::Uniform,
    ..REORIENT_FACES
};

impl Task for Reorient {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn episode_step_count(&self) -> u32 {
        // At the control period of every hand here; another one lasts as many steps.
        (self.settings.episode_secs / 0.05).round() as u32
    }

    fn dials(&self) -> &'static [Dial] {
        self.dials
    }

    fn with_dials(&self, values: &[f32]) -> Result<Box<dyn Task>, &'static str> {
        let settings = Settings::of(values);
        if self.set == GoalSet::QuarterTurns && settings.weights.iter().all(|weight| *weight == 0.0) {
            return Err(NO_AXIS);
        }
        if settings.hold_secs >= settings.secs_per_goal {
            return Err("hold_secs is not shorter than secs_per_goal, so no goal could be reached");
        }
        Ok(Box::new(Self { settings, ..*self }))
    }

    fn observation(&self, _robot: &RobotModel) -> Vec<ObservationTerm> {
        let mut terms = shaping::joint_terms();
        terms.extend(shaping::pose_terms());
        let error = Encoding::Divide(std::f32::consts::FRAC_PI_2);
        terms.push(shaping::seen_term(Signal::GoalRotationError, error));
        terms.extend(shaping::true_terms());
        terms.push(ObservationTerm::fresh(Signal::GoalRotationError, error, 1, Audience::CriticOnly));
        terms
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        shaping::increments(robot)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        shaping::start(robot, rng)
    }

    fn measures(&self) -> &'static [Measure] {
        self.measures
    }

    fn aims(&self) -> Aims {
        self.aims
    }

    fn failure_reward(&self) -> f32 {
        REWARD_SCALE * self.settings.drop_reward
    }

    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial> {
        let alike = Symmetry::of(&scene.object.shape).rotations();
        let Settings { weights, tolerance_rad, .. } = self.settings;
        let mut trial = Reorienting {
            task: *self,
            goals: Goals::new(self.set, weights, scene.robot, alike, tolerance_rad),
            seeds: scene.seeds,
            costs: Costs::new(Arc::clone(scene.robot), self.settings.cost_share),
            way: None,
            pursuit: None,
            window: RateWindow::default(),
            tally: Tally::default(),
            dropped: false,
        };
        if let Some(pose) = seen.pose() {
            trial.way = Some((*pose, *pose));
            trial.aim();
        }
        Box::new(trial)
    }
}

/// The goal that is pursued.
#[derive(Debug, Clone)]
struct Pursuit {
    goal: Goal,
    step_count: u32,
    /// Control steps in a row that the object was within the tolerance.
    near_steps: u32,
    /// Of the latest pose, rad.
    away_rad: f32,
    reached: bool,
}

/// What came of the goals so far.
#[derive(Debug, Clone, Default)]
struct Tally {
    goal_count: u64,
    reached: u32,
    missed: u32,
    /// Reached before the first was missed.
    consecutive: u32,
    /// Until goals were reached, in all.
    steps_to_success: u32,
    held: u32,
    left: u32,
    /// The goal reached last, and how many steps more the object has to stay near it to have held it.
    watched: Option<(Goal, u32)>,
}

/// An episode: one goal after the other.
#[derive(Debug, Clone)]
struct Reorienting {
    task: Reorient,
    goals: Goals,
    seeds: SeedTree,
    costs: Costs,
    /// Where the object was when it was first seen, and when it was last seen.
    way: Option<(ObjectPose, ObjectPose)>,
    /// None until the object is seen.
    pursuit: Option<Pursuit>,
    window: RateWindow,
    tally: Tally,
    dropped: bool,
}

impl Reorienting {
    fn steps(&self, secs: f32) -> u32 {
        (secs / self.costs.robot().control.period_secs).round() as u32
    }

    fn follow(&mut self, pose: &ObjectPose) {
        let (start, _) = *self.way.get_or_insert((*pose, *pose));
        self.dropped |= shaping::has_fallen(&start, pose);
        if self.dropped {
            return;
        }
        self.way = Some((start, *pose));
        self.watch(pose);
        let Settings { tolerance_rad, hold_secs, .. } = self.task.settings;
        let steps_to_hold = self.steps(hold_secs).max(1);
        let Some(pursuit) = &mut self.pursuit else { return };
        let away_rad = self.goals.error(&pursuit.goal, &pose.palm_from_object).norm();
        // Measured against the goal in force.
        self.window.push(pursuit.away_rad - away_rad);
        pursuit.away_rad = away_rad;
        pursuit.near_steps = if away_rad <= tolerance_rad { pursuit.near_steps + 1 } else { 0 };
        pursuit.reached = pursuit.near_steps >= steps_to_hold;
    }

    /// Whether the object stays near the goal reached last.
    fn watch(&mut self, pose: &ObjectPose) {
        let Some((goal, left)) = self.tally.watched else { return };
        if self.goals.error(&goal, &pose.palm_from_object).norm() > self.task.settings.tolerance_rad {
            (self.tally.watched, self.tally.left) = (None, self.tally.left + 1);
        } else if left <= 1 {
            (self.tally.watched, self.tally.held) = (None, self.tally.held + 1);
        } else {
            self.tally.watched = Some((goal, left - 1));
        }
    }

    fn count_success(&mut self) {
        let watched = self.steps(HELD_SECS);
        let Some(pursuit) = &self.pursuit else { return };
        let tally = &mut self.tally;
        tally.reached += 1;
        tally.consecutive += u32::from(tally.missed == 0);
        tally.steps_to_success += pursuit.step_count;
        // One goal after the other within half a second: the one before was left.
        tally.left += u32::from(tally.watched.is_some());
        tally.watched = Some((pursuit.goal, watched));
    }

    fn is_late(&self, pursuit: &Pursuit) -> bool {
        pursuit.step_count >= self.steps(self.task.settings.secs_per_goal)
    }

    fn choose(&mut self, reached: Option<Goal>) {
        let Some((_, pose)) = &self.way else { return };
        let mut rng = self.seeds.stream(Stream::Start, 0, self.tally.goal_count);
        let goal = self.goals.next(&pose.palm_from_object, reached.as_ref(), &mut rng);
        let away_rad = self.goals.error(&goal, &pose.palm_from_object).norm();
        self.tally.goal_count += 1;
        self.pursuit = Some(Pursuit { goal, step_count: 0, near_steps: 0, away_rad, reached: false });
    }
}

impl Trial for Reorienting {
    fn note_start(&mut self, truth: &SignalFrame) {
        self.costs.note_start(truth);
    }

    fn advance(&mut self, seen: &Seen) -> Verdict {
        if let Some(pursuit) = &mut self.pursuit {
            pursuit.step_count += 1;
        }
        // What happened while nobody looked is counted when it is seen again.
        if let Seen::Pose(pose) = seen {
            self.follow(pose);
        }
        if self.dropped {
            self.tally.missed += 1;
            return Verdict::Failed;
        }
        match &self.pursuit {
            Some(pursuit) if pursuit.reached => self.count_success(),
            Some(pursuit) if self.is_late(pursuit) => self.tally.missed += 1,
            _ => {}
        }
        if self.tally.reached >= MOST_GOALS { Verdict::Done } else { Verdict::Running }
    }

    fn rewards(&mut self, verdict: Verdict, truth: &SignalFrame) -> RewardTerms {
        let Settings { rate_clip_rad_per_sec, backward_clip_rad_per_sec, success_reward, drop_reward, .. } =
            self.task.settings;
        let rate = self.window.rate_rad_per_sec(self.costs.robot().control.period_secs);
        let reached = self.pursuit.as_ref().is_some_and(|pursuit| pursuit.reached) && verdict != Verdict::Failed;
        let progress = RATE_WEIGHT * rate.clamp(-backward_clip_rad_per_sec, rate_clip_rad_per_sec);
        let mut terms = vec![("progress", REWARD_SCALE * progress)];
        let pose = self.way.map(|(_, pose)| pose);
        terms.extend(self.costs.of_step(pose.as_ref(), truth));
        terms.push((SUCCESS_TERM, REWARD_SCALE * if reached { success_reward } else { 0.0 }));
        terms.push(("drop", REWARD_SCALE * if verdict == Verdict::Failed { drop_reward } else { 0.0 }));
        RewardTerms(terms)
    }

    fn aim(&mut self) {
        match self.pursuit.clone() {
            None => self.choose(None),
            Some(pursuit) if pursuit.reached => self.choose(Some(pursuit.goal)),
            Some(pursuit) if self.is_late(&pursuit) => self.choose(None),
            Some(_) => {}
        }
    }

    fn write_goal(&self, frame: &mut SignalFrame) {
        let Some(pursuit) = &self.pursuit else { return };
        let rotation = frame.read(Signal::ObjectRotation).and_then(|values| values.try_into().ok());
        let now = rotation.and_then(rotation_from_xyzw).zip(frame.stamp(Signal::ObjectRotation));
        // A side that shall be up asks for the nearest orientation: without a pose, for that of the last one.
        let last = self.way.map_or_else(UnitQuaternion::identity, |(_, pose)| pose.palm_from_object);
        let reference = now.map_or(last, |(now, _)| now);
        let goal = self.goals.orientation(&pursuit.goal, &reference);
        frame.write(Signal::GoalRotation, goal.coords.as_slice());
        // As old as the pose that it comes from.
        if let Some((now, stamp)) = now {
            frame.write_at(Signal::GoalRotationError, self.goals.error(&pursuit.goal, &now).as_slice(), stamp);
        }
    }

    fn results(&self, ending: &Ending) -> Vec<Option<f64>> {
        let Tally { reached, missed, consecutive, steps_to_success, held, left, .. } = self.tally;
        let period_secs = f64::from(self.costs.robot().control.period_secs);
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        let per_30_secs = Some(f64::from(reached) / ending.intended_secs * 30.0);
        let consecutive = Some(f64::from(consecutive));
        let (headline, second) = match self.task.set {
            GoalSet::QuarterTurns => (per_30_secs, consecutive),
            GoalSet::Faces | GoalSet::FaceUp | GoalSet::Uniform => (consecutive, per_30_secs),
        };
        let kept = if ending.outcome.is_sound() { 1.0 } else { 0.0 };
        vec![
            headline,
            second,
            share(reached, reached + missed),
            share(steps_to_success, reached).map(|steps| steps * period_secs),
            share(held, held + left),
            Some(kept),
        ]
    }
}
