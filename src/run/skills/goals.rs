//! Which tasks a plan can be made for: those whose goals are orientations of a cube.

use anyhow::{Result, bail, ensure};
use giraffe_robots::{
    Folding, ObjectModel, ObjectPose, Referee, RobotModel, Seen, Signal, SignalFrame, SignalLayout, Symmetry, Task,
    TrialScene, all_tasks, rotation_from_xyzw,
};
use nalgebra::UnitQuaternion;
use std::sync::Arc;

/// So many episodes are asked for their first goal.
const ASKED_EPISODES: u64 = 16;
/// Goals are ways to lie flat in one frame if they agree on it within this, rad.
const AGREE_RAD: f32 = 0.02;

/// Refuses what no plan is made for.
///
/// # Errors
/// When the object is no cube, or the goals of the task are no orientations: says which task has such goals.
pub fn check_goals(task: &dyn Task, robot: &Arc<RobotModel>, object: &ObjectModel) -> Result<()> {
    ensure!(
        Symmetry::of(&object.shape) == Symmetry::Cube,
        "skills are planned over the 24 orientations of a cube, and {} is none",
        object.name
    );
    if first_goal(task, robot, object, 0).is_none() {
        let has_goals = |task: &&'static dyn Task| first_goal(*task, robot, object, 0).is_some();
        let names: Vec<&str> = all_tasks().into_iter().filter(has_goals).map(Task::name).collect();
        bail!(
            "the task {} tells no orientation that the object shall have, so there is nothing to plan for; tasks that do: {}",
            task.name(),
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
    }
    Ok(())
}

/// The frame about whose axes goals are ways to lie flat: of the 24 that would do the one nearest to the palm's.
///
/// # Errors
/// As [`check_goals`]; and when goals lie otherwise.
pub fn level_frame(task: &dyn Task, robot: &Arc<RobotModel>, object: &ObjectModel) -> Result<UnitQuaternion<f32>> {
    check_goals(task, robot, object)?;
    let folding = Folding::new(Symmetry::Cube);
    let goals: Vec<UnitQuaternion<f32>> = (0..ASKED_EPISODES)
        .filter_map(|seed| first_goal(task, robot, object, seed))
        .map(|goal| folding.fold(&goal, &UnitQuaternion::identity()))
        .collect();
    let Some(first) = goals.first() else { bail!("the task {} tells no goal", task.name()) };
    // One that is as near to the palm's frame in two ways may fold to either.
    let differs = |goal: &&UnitQuaternion<f32>| folding.fold(goal, first).angle_to(first) > AGREE_RAD;
    if goals.iter().any(|goal| differs(&goal)) {
        bail!(
            "the goals of {} are any orientations: what skills do is measured on a task whose goals lie flat, such as \
             reorient-faces; planned it can be for this one, too",
            task.name()
        );
    }
    Ok(*first)
}

/// The orientation that an episode asks for first, if it asks for one.
fn first_goal(
    task: &dyn Task,
    robot: &Arc<RobotModel>,
    object: &ObjectModel,
    noise_seed: u64,
) -> Option<UnitQuaternion<f32>> {
    let scene = TrialScene::of_episode(robot, object, noise_seed);
    let home = robot.palm_from_object_home;
    let seen = Seen::Pose(ObjectPose { position_m: home.translation.vector, palm_from_object: home.rotation });
    let mut frame = SignalFrame::new(SignalLayout::of(robot, 0));
    Referee::begin(task, &scene, &seen, task.episode_step_count()).write_goal(&mut frame);
    rotation_from_xyzw(frame.read(Signal::GoalRotation)?.try_into().ok()?)
}
