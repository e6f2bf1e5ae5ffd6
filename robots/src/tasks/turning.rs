//! `rotate-z`, `rotate-y`, `rotate-axis`: keep turning the object about an axis of the palm.
//!
//! A clipped rate of turn is paid (HORA: Qi et al. 2022, section 3.3). A clipped rate matters: with a larger one a policy
//! learns to fling the object.

use super::goals::{AXES, NO_AXIS, palm_from_goal_frame, weighted, weights_from, with_axes};
use super::shaping::{self, COST_SHARE, Costs, NO_DROP, RATE_WEIGHT, REWARD_SCALE, RateWindow};
use crate::action::ActionSchema;
use crate::dial::{Dial, usual_values, value_at};
use crate::frame::SignalFrame;
use crate::measure::{Better, Measure, MeasureKind};
use crate::model::RobotModel;
use crate::object::ObjectPose;
use crate::seed::{Stream, StreamRng};
use crate::signal::Signal;
use crate::task::{Aims, EpisodeStart, Task};
use crate::term::{Audience, Encoding, ObservationTerm};
use crate::trial::{Ending, RewardTerms, Trial, TrialScene, Verdict};
use crate::watch::Seen;
use nalgebra::Vector3;
use std::sync::Arc;

/// Keep turning the object about one axis.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    name: &'static str,
    doc: &'static str,
    /// What is paid for: right-handed turns about it.
    about: About,
    dials: &'static [Dial],
    settings: Settings,
}

/// About which axis.
#[derive(Debug, Clone, Copy)]
enum About {
    /// This one, palm frame, of unit length. The policy need not see the object.
    Axis([f32; 3]),
    /// One that is drawn for each episode, about the palm's resting normal, and told to the policy, which sees the object.
    Drawn,
}

/// The values of the dials.
#[derive(Debug, Clone, Copy)]
struct Settings {
    /// Rates of turn beyond this earn nothing more, rad/s.
    rate_clip_rad_per_sec: f32,
    /// Turning back costs up to this rate, rad/s.
    backward_clip_rad_per_sec: f32,
    cost_share: f32,
    /// How often an axis is drawn, in the order of [`AXES`].
    weights: [f32; AXES.len()],
}

impl Settings {
    const fn of(values: &[f32]) -> Self {
        Self {
            rate_clip_rad_per_sec: value_at(values, 0),
            backward_clip_rad_per_sec: value_at(values, 1),
            cost_share: value_at(values, 2),
            weights: weights_from(values, COMMON),
        }
    }
}

const RATE_CLIP: Dial = Dial {
    name: "rate_clip_rad_per_sec",
    doc: "turning faster than this earns nothing more",
    usual: 0.5,
    least: 0.05,
    most: 5.0,
};

const BACKWARD_CLIP: Dial = Dial {
    name: "backward_clip_rad_per_sec",
    doc: "turning back costs up to this rate",
    usual: 1.0,
    least: 0.0,
    most: 20.0,
};

/// A cube that is tipped falls over its edge, 45 degrees in 0.15 s, forward or back. Where falling forward is cut to the rate
/// of steady turning and falling back is not, every attempt costs more than it earns: with 0.5 forward, 4 back and all of the
/// costs nothing was learned in 6 million steps; with these, 0.45 rad/s after 2 million.
const TIPPING_CLIP: Dial = Dial { usual: 2.0, ..RATE_CLIP };
const TIPPING_BACKWARD_CLIP: Dial = Dial { usual: 3.0, ..BACKWARD_CLIP };
/// Tipping takes large motions far from home.
const TIPPING_COSTS: Dial = Dial { usual: 0.2, ..COST_SHARE };

/// Numbers that all of these tasks have, in the order of [`Settings`].
const COMMON: usize = 3;
const DIALS_Z: [Dial; COMMON] = [RATE_CLIP, BACKWARD_CLIP, COST_SHARE];
const DIALS_Y: [Dial; COMMON] = [TIPPING_CLIP, TIPPING_BACKWARD_CLIP, TIPPING_COSTS];
const DIALS_AXIS: [Dial; COMMON + AXES.len()] = with_axes(&DIALS_Y);

/// Turn the object about the vertical.
pub static ROTATE_Z: Turn = Turn {
    name: "rotate-z",
    doc: "turn the object about the vertical, as fast as is safe, from joint angles alone",
    about: About::Axis([0.0, 0.0, 1.0]),
    dials: &DIALS_Z,
    settings: Settings::of(&usual_values(&DIALS_Z)),
};

/// Tip the object over, face after face, about the axis across the palm.
pub static ROTATE_Y: Turn = Turn {
    name: "rotate-y",
    doc: "tip the object over, face after face, about the axis across the palm, from joint angles alone",
    about: About::Axis([0.0, 1.0, 0.0]),
    dials: &DIALS_Y,
    settings: Settings::of(&usual_values(&DIALS_Y)),
};

/// Turn the object about an axis that is told.
pub static ROTATE_AXIS: Turn = Turn {
    name: "rotate-axis",
    doc: "turn the object about the axis that is told, one for each episode, seeing its pose",
    about: About::Drawn,
    dials: &DIALS_AXIS,
    settings: Settings::of(&usual_values(&DIALS_AXIS)),
};

/// Control steps of an episode: 20 s at 20 Hz.
const EPISODE_STEPS: u32 = 400;

/// What is reported of an episode.
const MEASURES: &[Measure] = &[
    // Net rotation about the axis over the full length of the episode; nothing counts after a drop.
    Measure {
        name: "rotation_rate_rad_per_sec",
        title: "rotation rate",
        unit: "rad/s",
        kind: MeasureKind::Mean,
        better: Better::Higher,
    },
    NO_DROP,
];

impl Turn {
    /// The axis of this episode, palm frame.
    fn axis(&self, scene: &TrialScene<'_>) -> Vector3<f32> {
        match self.about {
            About::Axis(axis) => axis.into(),
            About::Drawn => {
                let mut rng = scene.seeds.stream(Stream::Start, 0, 0);
                let drawn = weighted(&self.settings.weights, &mut rng);
                palm_from_goal_frame(scene.robot) * AXES[drawn].axis()
            }
        }
    }
}

impl Task for Turn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn episode_step_count(&self) -> u32 {
        EPISODE_STEPS
    }

    fn dials(&self) -> &'static [Dial] {
        self.dials
    }

    fn with_dials(&self, values: &[f32]) -> Result<Box<dyn Task>, &'static str> {
        let settings = Settings::of(values);
        if matches!(self.about, About::Drawn) && settings.weights.iter().all(|weight| *weight == 0.0) {
            return Err(NO_AXIS);
        }
        Ok(Box::new(Self { settings, ..*self }))
    }

    fn observation(&self, _robot: &RobotModel) -> Vec<ObservationTerm> {
        let mut terms = shaping::joint_terms();
        if matches!(self.about, About::Drawn) {
            terms.extend(shaping::pose_terms());
            terms.push(ObservationTerm::fresh(Signal::GoalAxis, Encoding::Raw, 1, Audience::ActorAndCritic));
        }
        terms.extend(shaping::true_terms());
        terms
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        shaping::increments(robot)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        shaping::start(robot, rng)
    }

    fn measures(&self) -> &'static [Measure] {
        MEASURES
    }

    fn aims(&self) -> Aims {
        // A policy that turns the cube steadily reaches the upper one, after 1.2 to 2 million steps in five runs with fixed
        // wide ranges; one that rocks it does not.
        Aims { poor: 0.1, good: 0.2 }
    }

    fn failure_reward(&self) -> f32 {
        REWARD_SCALE * shaping::DROP_REWARD
    }

    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial> {
        Box::new(Turning {
            task: *self,
            axis: self.axis(scene),
            costs: Costs::new(Arc::clone(scene.robot), self.settings.cost_share),
            way: seen.pose().map(|pose| (*pose, *pose)),
            rotation_rad: 0.0,
            window: RateWindow::default(),
            dropped: false,
        })
    }
}

/// An episode: the object's way so far.
#[derive(Debug, Clone)]
struct Turning {
    task: Turn,
    /// Palm frame, of unit length.
    axis: Vector3<f32>,
    costs: Costs,
    /// Where the object was when it was first seen, and when it was last seen.
    way: Option<(ObjectPose, ObjectPose)>,
    /// Net rotation about the axis before any drop, rad.
    rotation_rad: f64,
    window: RateWindow,
    dropped: bool,
}

impl Turning {
    fn follow(&mut self, pose: &ObjectPose) {
        let (start, previous) = *self.way.get_or_insert((*pose, *pose));
        self.dropped |= shaping::has_fallen(&start, pose);
        if self.dropped {
            return;
        }
        let turned_rad = twist_rad(&self.axis, &previous, pose);
        self.rotation_rad += f64::from(turned_rad);
        self.window.push(turned_rad);
        self.way = Some((start, *pose));
    }
}

impl Trial for Turning {
    fn note_start(&mut self, truth: &SignalFrame) {
        self.costs.note_start(truth);
    }

    fn advance(&mut self, seen: &Seen) -> Verdict {
        // What turned while nobody looked is counted when it is seen again.
        if let Seen::Pose(pose) = seen {
            self.follow(pose);
        }
        if self.dropped { Verdict::Failed } else { Verdict::Running }
    }

    fn rewards(&mut self, verdict: Verdict, truth: &SignalFrame) -> RewardTerms {
        let Settings { rate_clip_rad_per_sec, backward_clip_rad_per_sec, .. } = self.task.settings;
        let rate = self.window.rate_rad_per_sec(self.costs.robot().control.period_secs);
        let dropped = if verdict == Verdict::Failed { 1.0 } else { 0.0 };
        let paid = RATE_WEIGHT * rate.clamp(-backward_clip_rad_per_sec, rate_clip_rad_per_sec);
        let mut terms = vec![("rotation", REWARD_SCALE * paid)];
        let pose = self.way.map(|(_, pose)| pose);
        terms.extend(self.costs.of_step(pose.as_ref(), truth));
        terms.push(("drop", REWARD_SCALE * (shaping::DROP_REWARD * dropped)));
        RewardTerms(terms)
    }

    fn write_goal(&self, frame: &mut SignalFrame) {
        if matches!(self.task.about, About::Drawn) {
            frame.write(Signal::GoalAxis, self.axis.as_slice());
        }
    }

    fn results(&self, ending: &Ending) -> Vec<Option<f64>> {
        let kept = if ending.outcome.is_sound() { 1.0 } else { 0.0 };
        vec![Some(self.rotation_rad / ending.intended_secs), Some(kept)]
    }
}

/// How far the object turned about a unit vector of the palm frame between two poses, rad in (-pi, pi]: the twist of the
/// swing-twist decomposition of the relative rotation. Unlike a difference of Euler angles it stays defined when
/// the object tumbles.
fn twist_rad(axis: &Vector3<f32>, from: &ObjectPose, to: &ObjectPose) -> f32 {
    let step = to.palm_from_object * from.palm_from_object.inverse();
    let along = step.i * axis.x + step.j * axis.y + step.k * axis.z;
    let angle = 2.0 * along.atan2(step.w);
    if angle > std::f32::consts::PI {
        angle - std::f32::consts::TAU
    } else if angle <= -std::f32::consts::PI {
        angle + std::f32::consts::TAU
    } else {
        angle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::OBJECTS;
    use crate::referee::Referee;
    use crate::trial::{Outcome, TrialResult};
    use nalgebra::{Unit, UnitQuaternion};

    fn pose(x: f32, z: f32, yaw_rad: f32) -> ObjectPose {
        ObjectPose {
            position_m: Vector3::new(x, 0.0, z),
            palm_from_object: UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad),
        }
    }

    fn seen(x: f32, z: f32, yaw_rad: f32) -> Seen {
        Seen::Pose(pose(x, z, yaw_rad))
    }

    fn leap() -> Arc<RobotModel> {
        Arc::new(crate::load_robot("leap-right").expect("the built-in hand"))
    }

    fn begin(start: Seen) -> Referee {
        Referee::begin(&ROTATE_Z, &TrialScene::of_episode(&leap(), &OBJECTS[0], 1), &start, 400)
    }

    /// Net rotation, rad: the rate over the 20 s that an episode is meant to last.
    fn rotation_rad(result: &TrialResult) -> f64 {
        result.headline().expect("a rate") * 20.0
    }

    #[test]
    fn rotation_adds_up_over_many_turns_and_back() {
        let mut referee = begin(seen(0.1, 0.05, 3.0));
        for step in 1..=100 {
            assert_eq!(referee.judge(&seen(0.1, 0.05, 3.0 + 0.2 * step as f32)), None);
        }
        assert!((rotation_rad(&referee.result()) - 20.0).abs() < 1e-3, "{:?}", referee.result());
        for step in (0..100).rev() {
            referee.judge(&seen(0.1, 0.05, 3.0 + 0.2 * step as f32));
        }
        assert!(rotation_rad(&referee.result()).abs() < 1e-3, "{:?}", referee.result());
    }

    #[test]
    fn only_turns_about_the_axis_count_and_only_in_one_sense() {
        let about = |axis: [f32; 3], angle_rad: f32| ObjectPose {
            position_m: Vector3::new(0.1, 0.0, 0.05),
            palm_from_object: UnitQuaternion::from_axis_angle(&Unit::new_unchecked(axis.into()), angle_rad),
        };
        let turned_rad = |task: &Turn, axis: [f32; 3]| {
            let scene = (leap(), 400);
            let scene_of = TrialScene::of_episode(&scene.0, &OBJECTS[0], 1);
            let mut referee = Referee::begin(task, &scene_of, &Seen::Pose(about(axis, 0.0)), scene.1);
            for step in 1..=50 {
                assert_eq!(referee.judge(&Seen::Pose(about(axis, 0.1 * step as f32))), None);
            }
            rotation_rad(&referee.result())
        };
        for (task, own, other) in
            [(&ROTATE_Y, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), (&ROTATE_Z, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])]
        {
            assert!((turned_rad(task, own) - 5.0).abs() < 1e-3, "{}", task.name);
            assert!((turned_rad(task, own.map(|part| -part)) + 5.0).abs() < 1e-3, "{}", task.name);
            assert!(turned_rad(task, other).abs() < 1e-3, "{}", task.name);
        }
    }

    #[test]
    fn nothing_counts_after_a_drop() {
        let mut referee = begin(seen(0.1, 0.05, 0.0));
        assert_eq!(referee.judge(&seen(0.1, 0.05, 0.3)), None);
        assert_eq!(referee.judge(&seen(0.21, 0.05, 0.6)), Some(Outcome::Failed));
        let result = referee.result();
        assert!((rotation_rad(&result) - 0.3).abs() < 1e-6);
        assert_eq!((result.outcome, result.measures[1], result.step_count), (Outcome::Failed, Some(0.0), 2));
    }

    #[test]
    fn below_the_palm_is_a_drop_even_when_near() {
        let mut referee = begin(seen(0.1, 0.03, 0.0));
        assert_eq!(referee.judge(&seen(0.1, -0.04, 0.0)), Some(Outcome::Failed));
    }

    #[test]
    fn what_turned_while_nobody_looked_counts_when_it_is_seen_again() {
        let mut referee = begin(seen(0.1, 0.05, 0.0));
        assert_eq!(referee.judge(&Seen::Lost { secs: 0.5 }), None);
        assert_eq!(referee.judge(&seen(0.1, 0.05, 0.4)), None);
        assert!((rotation_rad(&referee.result()) - 0.4).abs() < 1e-6);
    }

    #[test]
    fn an_object_out_of_sight_for_more_than_a_second_of_the_episode_ends_it_and_is_no_success() {
        for start in [seen(0.1, 0.05, 0.0), Seen::Lost { secs: 30.0 }] {
            let mut referee = begin(start);
            // 20 steps of 50 ms are one second, give or take the rounding of a period.
            for step in 1..20 {
                assert_eq!(referee.judge(&Seen::Lost { secs: 30.0 }), None, "{start:?}, step {step}");
            }
            let ended = (20..=21).find_map(|_| referee.judge(&Seen::Lost { secs: 30.0 }));
            assert_eq!(ended, Some(Outcome::Unseen), "{start:?}");
            assert_eq!(referee.result().measures[1], Some(0.0));
        }
        let mut nobody = begin(Seen::Never);
        for _ in 0..400 {
            nobody.judge(&Seen::Never);
        }
        assert!(nobody.result().outcome == Outcome::TimeUp && !nobody.result().is_watched());
    }

    #[test]
    fn an_episode_that_lasts_to_its_end_kept_the_object_and_one_that_is_lost_did_not() {
        let mut referee = begin(seen(0.1, 0.05, 0.0));
        (1..400).for_each(|_| assert_eq!(referee.judge(&seen(0.1, 0.05, 0.0)), None));
        assert_eq!(referee.judge(&seen(0.1, 0.05, 0.0)), Some(Outcome::TimeUp));
        assert_eq!(referee.result().measures, [Some(0.0), Some(1.0)]);
        for outcome in [Outcome::Unseen, Outcome::Diverged, Outcome::Unreadable] {
            let mut referee = begin(seen(0.1, 0.05, 0.0));
            referee.lose(outcome, true);
            assert_eq!(referee.result().measures, [Some(0.0), Some(0.0)], "{outcome:?}");
        }
    }

    #[test]
    fn turning_slowly_and_snapping_back_is_not_paid() {
        let truth = SignalFrame::new(crate::SignalLayout::of(&leap(), 0));
        let paid = |yaws_rad: &[f32]| -> f32 {
            let mut referee = begin(seen(0.1, 0.05, 0.0));
            let step = |yaw_rad: &f32| referee.judge_and_pay(&pose(0.1, 0.05, *yaw_rad), &truth).0.total();
            yaws_rad.iter().map(step).sum()
        };
        // 0.4 rad/s forward for seven steps, then all the way back in one, at 2.8 rad/s.
        let rocking: Vec<f32> = (1..=80).map(|step| 0.02 * (step % 8) as f32).collect();
        let turning: Vec<f32> = (1..=80).map(|step| 0.02 * step as f32).collect();
        assert!(paid(&turning) > 3.0, "{}", paid(&turning));
        let after_the_first_swing = paid(&rocking) - paid(&rocking[..8]);
        assert!(after_the_first_swing < 1e-3, "{after_the_first_swing}");
    }
}
