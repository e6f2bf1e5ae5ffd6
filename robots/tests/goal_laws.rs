//! What tasks with goals promise: which goals there are, when one counts as reached, what is paid, and what it amounts to.

#![allow(clippy::float_cmp, reason = "a success is paid whole or not at all")]

use giraffe_robots::{
    OBJECTS, ObjectPose, ObservationSchema, Outcome, Referee, RobotModel, Seen, Signal, SignalFrame, SignalLayout,
    Task, TrialScene, find_task_with, load_robot, rotation_from_xyzw,
};
use nalgebra::{UnitQuaternion, Vector3};
use std::collections::BTreeMap;
use std::sync::Arc;

fn leap() -> Arc<RobotModel> {
    Arc::new(load_robot("leap-right").expect("what the test is about"))
}

fn task(name: &str, dials: &[(&str, f32)]) -> &'static dyn Task {
    let set: BTreeMap<String, f32> = dials.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    find_task_with(name, &set).expect("what the test is about")
}

fn turned(rotation: UnitQuaternion<f32>) -> ObjectPose {
    ObjectPose { position_m: Vector3::new(0.1, 0.0, 0.05), palm_from_object: rotation }
}

/// One episode with an object that is turned as the test says.
struct Played {
    referee: Referee,
    truth: SignalFrame,
    now: UnitQuaternion<f32>,
}

impl Played {
    fn new(task: &dyn Task, seed: u64) -> Self {
        let (robot, now) = (leap(), UnitQuaternion::identity());
        let scene = TrialScene::of_episode(&robot, &OBJECTS[0], seed);
        let referee = Referee::begin(task, &scene, &Seen::Pose(turned(now)), task.episode_step_count());
        let mut played = Self { referee, truth: SignalFrame::new(SignalLayout::of(&robot, 0)), now };
        played.look();
        played
    }

    fn look(&mut self) {
        let frame = &mut self.truth;
        frame.write(Signal::ObjectRotation, self.now.coords.as_slice());
        self.referee.write_goal(frame);
    }

    /// The orientation that is asked for now.
    fn goal(&self) -> UnitQuaternion<f32> {
        rotation_from_xyzw(
            self.truth
                .read(Signal::GoalRotation)
                .expect("what the test is about")
                .try_into()
                .expect("what the test is about"),
        )
        .expect("what the test is about")
    }

    fn error(&self) -> Vector3<f32> {
        Vector3::from_column_slice(self.truth.read(Signal::GoalRotationError).expect("what the test is about"))
    }

    /// Turns the object to `now` in one step. What the rewards named were, and how the episode ended.
    fn turn_to(&mut self, now: UnitQuaternion<f32>) -> (BTreeMap<&'static str, f32>, Option<Outcome>) {
        self.now = now;
        let (rewards, outcome) = self.referee.judge_and_pay(&turned(now), &self.truth);
        self.look();
        (rewards.0.into_iter().collect(), outcome)
    }

    fn measure(&self, task: &dyn Task, name: &str) -> Option<f64> {
        let at = task.measures().iter().position(|measure| measure.name == name).expect("what the test is about");
        self.referee.result().measures[at]
    }
}

const GOAL_TASKS: [&str; 4] = ["turn-goals", "reorient-faces", "reorient-face-up", "reorient"];

#[test]
fn passing_within_the_tolerance_is_a_success_and_another_goal_follows_at_once() {
    for name in GOAL_TASKS {
        let task = task(name, &[]);
        let mut played = Played::new(task, 5);
        let goal = played.goal();
        assert!(played.error().norm() > 0.4, "{name}: not reached at the start");
        let just_outside = UnitQuaternion::from_scaled_axis(played.error().normalize() * -0.41) * goal;
        let (rewards, _) = played.turn_to(just_outside);
        assert_eq!((rewards["success"], played.goal().angle_to(&goal) < 1e-2), (0.0, true), "{name}");
        let just_inside = UnitQuaternion::from_scaled_axis(played.error().normalize() * 0.02) * just_outside;
        let (rewards, _) = played.turn_to(just_inside);
        assert_eq!(rewards["success"], 2.0, "{name}: 20, scaled by a tenth");
        assert!(played.error().norm() > 0.4, "{name}: the next one is elsewhere");
        assert_eq!(played.measure(task, "consecutive_success_count"), Some(1.0));
        assert!(
            (played.measure(task, "secs_per_success").expect("what the test is about") - 0.1).abs() < 1e-6,
            "two steps"
        );
        assert_eq!(played.measure(task, "reached_share"), Some(1.0));
    }
}

#[test]
fn coming_nearer_is_paid_and_being_near_is_not() {
    let task = task("reorient", &[]);
    let mut played = Played::new(task, 1);
    let (goal, first) = (played.goal(), played.error());
    let away = |rad: f32| UnitQuaternion::from_scaled_axis(-first.normalize() * rad) * goal;
    let start_rad = first.norm();
    // 0.02 rad a step are 0.4 rad/s; 1.25 times that, scaled by a tenth, once the window of eight steps is full.
    let mut paid = 0.0;
    for step in 1..=20 {
        paid = played.turn_to(away(start_rad - 0.02 * step as f32)).0["progress"];
    }
    assert!((paid - 0.05).abs() < 1e-3, "{paid}");
    // Standing still, half a radian from the goal, for a while.
    let near = away(0.5);
    for _ in 0..10 {
        paid = played.turn_to(near).0["progress"];
    }
    assert!(paid.abs() < 1e-6, "{paid}");
    // A new goal, far away, costs nothing.
    let (rewards, _) = played.turn_to(away(0.39));
    assert_eq!(rewards["success"], 2.0);
    let still = played.turn_to(away(0.39)).0["progress"];
    assert!(still > 0.0, "what was gained counts on, the jump of the goal does not: {still}");
}

#[test]
fn a_goal_that_takes_too_long_is_missed_and_ends_the_row_but_not_the_episode() {
    let task = task("reorient-faces", &[("secs_per_goal", 1.0), ("episode_secs", 30.0)]);
    let mut played = Played::new(task, 2);
    let goal = played.goal();
    played.turn_to(goal);
    let second = played.goal();
    let still = played.now;
    for step in 1..20 {
        assert_eq!(played.turn_to(still).1, None);
        assert!(played.goal().angle_to(&second) < 1e-2, "step {step}");
    }
    played.turn_to(still);
    assert_eq!(played.measure(task, "reached_share"), Some(0.5));
    let third = played.goal();
    played.turn_to(third);
    assert_eq!(played.measure(task, "consecutive_success_count"), Some(1.0), "until the first miss");
    assert!((played.measure(task, "reached_share").expect("what the test is about") - 2.0 / 3.0).abs() < 1e-9);
    assert!((played.measure(task, "goals_per_30_secs").expect("what the test is about") - 2.0).abs() < 1e-6);
}

#[test]
fn a_drop_misses_the_goal_and_ends_the_episode() {
    let task = task("turn-goals", &[]);
    let mut played = Played::new(task, 2);
    let goal = played.goal();
    played.turn_to(goal);
    let fallen = ObjectPose { position_m: Vector3::new(0.1, 0.0, -0.2), palm_from_object: goal };
    let (rewards, outcome) = played.referee.judge_and_pay(&fallen, &played.truth);
    assert_eq!(outcome, Some(Outcome::Failed));
    assert!(rewards.0.contains(&("drop", -2.0)) && rewards.0.contains(&("success", 0.0)), "{rewards:?}");
    assert_eq!(played.measure(task, "reached_share"), Some(0.5));
    assert_eq!(played.measure(task, "no_drop_fraction"), Some(0.0));
}

#[test]
fn fifty_goals_are_all_there_is_to_do() {
    let task = task("reorient", &[]);
    let mut played = Played::new(task, 3);
    for count in 1..=50 {
        let goal = played.goal();
        let outcome = played.turn_to(goal).1;
        assert_eq!(outcome, (count == 50).then_some(Outcome::Done), "goal {count}");
    }
    assert_eq!(played.measure(task, "consecutive_success_count"), Some(50.0));
}

#[test]
fn where_it_has_to_be_held_passing_is_not_enough() {
    let task = task("reorient", &[("hold_secs", 0.5)]);
    let mut played = Played::new(task, 3);
    let (goal, start) = (played.goal(), played.now);
    for _ in 0..9 {
        assert_eq!(played.turn_to(goal).0["success"], 0.0);
    }
    played.turn_to(start);
    for _ in 0..9 {
        assert_eq!(played.turn_to(goal).0["success"], 0.0, "from the beginning");
    }
    assert_eq!(played.turn_to(goal).0["success"], 2.0);
}

#[test]
fn whether_a_goal_that_was_passed_was_held_is_told_although_the_next_one_is_there() {
    let task = task("reorient", &[]);
    for (stays, share) in [(true, 1.0), (false, 0.0)] {
        let mut played = Played::new(task, 3);
        let goal = played.goal();
        played.turn_to(goal);
        assert_eq!(played.measure(task, "held_share"), None, "nothing to say yet");
        let elsewhere = UnitQuaternion::from_scaled_axis(Vector3::x() * 0.5) * goal;
        for _ in 0..10 {
            played.turn_to(if stays { goal } else { elsewhere });
        }
        assert_eq!(played.measure(task, "held_share"), Some(share));
    }
}

#[test]
fn the_same_episode_asks_for_the_same_goals_and_another_for_others() {
    let goals = |seed: u64| {
        let mut played = Played::new(task("reorient", &[]), seed);
        (0..5)
            .map(|_| {
                let goal = played.goal();
                played.turn_to(goal);
                goal.coords
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(goals(7), goals(7));
    assert_ne!(goals(7), goals(8));
}

#[test]
fn a_goal_waits_for_an_object_that_nobody_has_seen_yet() {
    let task = task("turn-goals", &[]);
    let robot = leap();
    let scene = TrialScene::of_episode(&robot, &OBJECTS[0], 1);
    let mut referee = Referee::begin(task, &scene, &Seen::Never, 600);
    let mut frame = SignalFrame::new(SignalLayout::of(&robot, 0));
    referee.judge(&Seen::Never);
    referee.write_goal(&mut frame);
    assert!(frame.read(Signal::GoalRotation).is_none(), "a quarter turn from what?");
    referee.judge(&Seen::Pose(turned(UnitQuaternion::identity())));
    referee.write_goal(&mut frame);
    assert!(frame.read(Signal::GoalRotation).is_some());
    assert!(frame.read(Signal::GoalRotationError).is_none(), "this frame holds no pose");
}

#[test]
fn the_error_is_as_old_as_the_pose_it_comes_from() {
    let mut played = Played::new(task("reorient", &[]), 1);
    let seen_at = played.truth.stamp(Signal::ObjectRotation).expect("what the test is about");
    let later = giraffe_robots::Nanos(seen_at.0 + 200_000_000);
    played.truth.begin(later);
    played.referee.write_goal(&mut played.truth);
    assert_eq!(played.truth.stamp(Signal::GoalRotationError), Some(seen_at));
    assert_eq!(played.truth.stamp(Signal::GoalRotation), Some(later));
}

#[test]
fn an_axis_is_told_and_drawn_as_often_as_its_weight_says() {
    let robot = leap();
    let only_down = [("plus_y_weight", 0.0), ("plus_z_weight", 0.0), ("minus_z_weight", 1.0)];
    for (dials, kinds) in [(&only_down[..], 1), (&[][..], 2)] {
        let task = task("rotate-axis", dials);
        let mut seen = Vec::new();
        for seed in 0..40 {
            let scene = TrialScene::of_episode(&robot, &OBJECTS[0], seed);
            let pose = Seen::Pose(turned(UnitQuaternion::identity()));
            let referee = Referee::begin(task, &scene, &pose, 400);
            let mut frame = SignalFrame::new(SignalLayout::of(&robot, 0));
            referee.write_goal(&mut frame);
            let axis = Vector3::from_column_slice(frame.read(Signal::GoalAxis).expect("what the test is about"));
            if !seen.iter().any(|known: &Vector3<f32>| (known - axis).norm() < 1e-3) {
                seen.push(axis);
            }
        }
        assert_eq!(seen.len(), kinds, "{seen:?}");
        if kinds == 1 {
            assert!((seen[0] + robot.resting_normal).norm() < 1e-3, "about the palm's own normal: {seen:?}");
        }
    }
}

#[test]
fn tasks_with_goals_read_the_object_as_a_tracker_sees_it_and_blind_ones_do_not() {
    let robot = leap();
    for task in giraffe_robots::TASKS {
        let schema =
            ObservationSchema::new(task.observation(&robot), &robot, Vec::new()).expect("what the test is about");
        let names = schema.column_names();
        let sees = names[..schema.actor_width()].iter().any(|name| name.contains("object"));
        assert_eq!(sees, !["rotate-z", "rotate-y"].contains(&task.name()), "{}", task.name());
    }
}
