//! What a task wanted, in a log, and what came of it.

use crate::log::{goal, numbers, start, summary, written};
use giraffe_bridge::log::{DeploymentLog, Event, EventKind, Goal, Record, exact, read, read_bytes};
use giraffe_robots::{Nanos, Signal, SignalFrame, SignalLayout};

const LAYOUT: SignalLayout =
    SignalLayout { joint_count: 2, action_count: 2, parameter_count: 0, fingertip_count: 0, object_joint_count: 0 };

#[test]
fn each_step_of_a_log_has_the_goal_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let log = read_bytes(&written(folder.path(), 3));
    assert_eq!(log.unreadable, 0);
    let episode = &log.episodes()[0];
    assert_eq!(episode.summary, Some(summary()));
    for (step, logged) in episode.steps.iter().enumerate() {
        let (found, expected) = (logged.goal.as_ref().unwrap(), goal(step as u64));
        // As text: NaN is not equal to itself, and a zero has a sign.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
}

#[test]
fn a_goal_from_a_log_puts_into_a_frame_what_was_in_the_frame_it_was_taken_from() {
    let mut then = SignalFrame::new(LAYOUT);
    then.begin(Nanos(7_000_000_001));
    then.write_at(Signal::ObjectPosition, &[0.1, -0.0, 1e-42], Nanos(6_950_000_000));
    then.write(Signal::Gravity, &[0.1, 0.2, -9.81]);
    then.write(Signal::JointPosition, &[1.0, 2.0]);
    let told = Goal::of(&then, &[Signal::ObjectPosition, Signal::Gravity, Signal::ObjectRotation]);
    assert_eq!(told.values.len(), 2, "what was never written is not in it: {told:?}");
    assert_eq!(told.age_ns.values().copied().collect::<Vec<_>>(), [50_000_001], "only what is older has an age");

    let folder = tempfile::tempdir().unwrap();
    let log = DeploymentLog::create(start(folder.path(), 64)).unwrap();
    log.handle().record(Record::Event(Event::new(EventKind::EpisodeStart, "")));
    log.handle().record(Record::Goal(told));
    log.handle().record(Record::Observation(numbers(0, &[0.5])));
    let path = log.finish().unwrap().path;
    let goal = read(&path).unwrap().episodes()[0].steps[0].goal.clone().unwrap();

    let mut now = SignalFrame::new(LAYOUT);
    now.begin(then.now());
    now.write(Signal::JointPosition, &[1.0, 2.0]);
    goal.write(&mut now).unwrap();
    assert_eq!(now, then);
    assert!(now.read(Signal::ObjectPosition).unwrap()[1].is_sign_negative());
}

#[test]
fn a_goal_that_does_not_fit_the_hand_is_refused_and_changes_nothing() {
    let frame = SignalFrame::new(LAYOUT);
    for (change, name) in [("object_pose", "object_pose"), ("joint_position", "joint_position")] {
        let mut wrong = goal(1);
        wrong.values.insert(change.to_owned(), vec![0.0; 9]);
        let mut same = frame.clone();
        let refused = wrong.write(&mut same).unwrap_err();
        assert!(refused.contains(name), "{refused}");
        assert_eq!(same, frame);
    }
}

#[test]
fn a_goal_is_not_left_to_a_step_that_had_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = DeploymentLog::create(start(folder.path(), 64)).unwrap();
    log.handle().record(Record::Event(Event::new(EventKind::EpisodeStart, "")));
    // The observation of step 1 is missing, as where the queue was full.
    log.handle().record(Record::Goal(goal(1)));
    log.handle().record(Record::Observation(numbers(2, &[0.5])));
    let path = log.finish().unwrap().path;
    assert_eq!(read(&path).unwrap().episodes()[0].steps[0].goal, None);
}

/// As every log has it that was written before there were goals and summaries.
const EARLIER_EVENT: &str = r#"{"kind":"episode_end","text":"","number":7}"#;

#[test]
fn logs_of_before_there_were_goals_and_summaries_are_read_as_they_were() {
    let event: Event = serde_json::from_str(EARLIER_EVENT).unwrap();
    assert_eq!(event, Event::new(EventKind::EpisodeEnd, "").numbered(7));
    assert_eq!(exact(&event).unwrap(), EARLIER_EVENT.as_bytes(), "and without a summary they are written as before");
    let folder = tempfile::tempdir().unwrap();
    let log = DeploymentLog::create(start(folder.path(), 64)).unwrap();
    log.handle().record(Record::Event(Event::new(EventKind::EpisodeStart, "")));
    log.handle().record(Record::Observation(numbers(0, &[0.5])));
    log.handle().record(Record::Event(event));
    let path = log.finish().unwrap().path;
    let log = read(&path).unwrap();
    let episode = &log.episodes()[0];
    assert_eq!((log.unreadable, episode.steps[0].goal.as_ref(), episode.summary.as_ref()), (0, None, None));
}
