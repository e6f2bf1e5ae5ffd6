//! Where a cube lies that nobody moves: goals are asked for about that.

use giraffe_physics::{EpisodePlan, HandSim, PhysicsSettings, SceneModel};
use giraffe_robots::{
    Hand, ROBOTS, SeedTree, SignalFrame, SignalLayout, Stream, find_object, load_robot, tasks::TASKS,
};
use nalgebra::Vector3;
use std::sync::Arc;

/// Ways the upper side of a cube points that was put into the hand as the tasks do, after 4 s, in worlds without any chance.
fn upper_sides(scene: &Arc<SceneModel>) -> Vec<Vector3<f32>> {
    let (robot, mut upper) = (scene.robot(), Vec::new());
    for episode in 0..48 {
        let start = TASKS[0].start(robot, &mut SeedTree::new(1).stream(Stream::Start, 0, episode));
        let targets = start.joint_positions_rad.clone();
        let mut sim = HandSim::new(Arc::clone(scene), EpisodePlan::nominal(scene, start, 1));
        let mut sensed = SignalFrame::new(SignalLayout::of(robot, 0));
        (0..80).for_each(|_| drop(sim.exchange(&targets, &mut sensed).expect("a finite world")));
        let turned = sim.object_pose().palm_from_object;
        let sides = [Vector3::x(), Vector3::y(), Vector3::z()].into_iter().flat_map(|axis| [axis, -axis]);
        let highest = sides.map(|side| turned * side).max_by(|a, b| a.z.total_cmp(&b.z));
        upper.extend(highest.filter(|_| sim.object_pose().position_m.z > 0.0));
    }
    upper
}

/// A cube that leans on a finger says little of where others lie.
fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

#[test]
fn a_cube_that_lies_in_a_hand_turns_its_upper_side_where_the_description_says() {
    for entry in ROBOTS {
        let robot = Arc::new(load_robot(entry.name).expect("a built-in hand"));
        let cube = find_object("cube-70mm").expect("a built-in object").clone();
        let scene = Arc::new(SceneModel::new(Arc::clone(&robot), cube, PhysicsSettings::default()));
        let upper = upper_sides(&scene);
        assert!(upper.len() > 24, "{}: kept {} of 48", entry.name, upper.len());
        let middle = Vector3::from_fn(|axis, _| median(upper.iter().map(|side| side[axis]).collect()));
        let off_rad = middle.angle(&robot.resting_normal);
        assert!(off_rad < 0.15, "{}: {middle:?} is {off_rad} rad off {:?}", entry.name, robot.resting_normal);
    }
}
