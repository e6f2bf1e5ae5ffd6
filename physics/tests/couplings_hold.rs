//! Joints that follow others do so, whatever pulls at them; with one chain per finger and with all on a moving wrist.

use giraffe_physics::{EpisodePlan, HandSim, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_robots::{
    EpisodeStart, Hand, JointCoupling, RobotModel, SeedTree, Signal, SignalFrame, SignalLayout, Stream, find_object,
    load_robot,
};
use rand::RngExt;
use std::sync::Arc;

struct Run {
    /// Largest distance of a follower from where its leader puts it, rad.
    worst_rad: f32,
    /// Sum over all steps of how far leaders moved, rad.
    travel_rad: f32,
    /// Steps in which the object was touched by fingers.
    touched: usize,
}

/// Random targets about home, 10 s, with an object in the palm.
fn thrash(robot: RobotModel, settings: PhysicsSettings, object: &str) -> Run {
    let robot = Arc::new(robot);
    let object = find_object(object).expect("in the list").clone();
    let scene = Arc::new(SceneModel::new(Arc::clone(&robot), object, settings));
    let plan = EpisodePlan {
        parameters: WorldParameters::nominal(&scene),
        start: EpisodeStart {
            joint_positions_rad: robot.home_rad.clone(),
            palm_from_object: robot.palm_from_object_home,
        },
        disturbances: Vec::new(),
        sampled: Vec::new(),
        noise_seed: 7,
    };
    let mut sim = HandSim::new(scene, plan);
    let mut sensed = SignalFrame::new(SignalLayout::of(&robot, 0));
    let mut rng = SeedTree::new(3).stream(Stream::Start, 0, 0);
    let mut run = Run { worst_rad: 0.0, travel_rad: 0.0, touched: 0 };
    let mut before = robot.home_rad.clone();
    for _ in 0..200 {
        let mut targets: Vec<f32> = robot
            .joints
            .iter()
            .zip(&robot.home_rad)
            .map(|(joint, home)| joint.position_limits_rad.clamp(home + rng.random_range(-0.4..=0.4)))
            .collect();
        robot.couple(&mut targets);
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        let at = sim.truth().read(Signal::JointPosition).expect("written");
        for coupling in &robot.couplings {
            let due = coupling.follower_rad(at[coupling.leader]);
            let limits = robot.joints[coupling.follower].position_limits_rad;
            if limits.contains(due) {
                run.worst_rad = run.worst_rad.max((at[coupling.follower] - due).abs());
            }
            run.travel_rad += (at[coupling.leader] - before[coupling.leader]).abs();
        }
        before = at.to_vec();
        let contacts = sim.object_contacts();
        run.touched += usize::from(contacts.tip.point_count + contacts.link.point_count > 0);
    }
    run
}

fn coarse() -> PhysicsSettings {
    PhysicsSettings { substep_count: 2, solver_iteration_count: 1, inner_iteration_count: 8 }
}

#[test]
fn distal_joints_of_the_shadow_hand_follow_with_the_wrist_locked_and_free() {
    for name in ["shadow-right", "shadow-right-wrist"] {
        for settings in [PhysicsSettings::default(), coarse()] {
            let run = thrash(load_robot(name).expect("a built-in hand"), settings, "cube-57mm");
            assert!(run.travel_rad > 10.0 && run.touched > 5, "{name}: {} rad, {}", run.travel_rad, run.touched);
            assert!(run.worst_rad < 0.01, "{name} {settings:?}: off by {} rad", run.worst_rad);
        }
    }
}

#[test]
fn a_joint_may_follow_one_of_another_finger_in_any_ratio_and_from_any_offset() {
    let joint = |robot: &RobotModel, name| robot.joints.iter().position(|joint| joint.name == name).expect(name);
    for (ratio, offset_rad) in [(1.0, 0.0), (-0.5, 0.9), (0.7, 0.2)] {
        let mut robot = load_robot("leap-right").expect("a built-in hand");
        let (leader, follower) = (joint(&robot, "index_pip"), joint(&robot, "ring_pip"));
        robot.couplings = vec![JointCoupling { leader, follower, ratio, offset_rad }];
        let run = thrash(robot, PhysicsSettings::default(), "cube-70mm");
        assert!(run.travel_rad > 2.0, "{} rad", run.travel_rad);
        assert!(run.worst_rad < 0.01, "{ratio} q + {offset_rad}: off by {} rad", run.worst_rad);
    }
}
