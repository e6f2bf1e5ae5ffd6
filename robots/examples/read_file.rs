//! Reads MJCF or URDF files and prints what was not understood: `cargo run -p giraffe-robots --example read_file FILE...`

use giraffe_robots::{ImportAction, load_robot_with_report};

fn main() {
    for path in std::env::args().skip(1) {
        println!("== {path}");
        match load_robot_with_report(&path) {
            Err(error) => println!("refused: {error}"),
            Ok((robot, report)) => {
                let [a, b, c] = [ImportAction::Approximated, ImportAction::Assumed, ImportAction::Ignored]
                    .map(|action| report.count(action));
                println!(
                    "{} joints, {} servos, {} bodies, {} shapes, {} fingertips; approximated {a}, assumed {b}, ignored {c}",
                    robot.joint_count(),
                    robot.actuated_joints().len(),
                    robot.bodies.len(),
                    robot.bodies.iter().map(|body| body.geoms.len()).sum::<usize>(),
                    robot.fingertips.len(),
                );
                print!("{report}");
                let object = robot.palm_from_object_home.translation.vector;
                println!("object at {:.3} {:.3} {:.3}", object.x, object.y, object.z);
                let (pose_rad, _) = robot.test_vector();
                for (joint, angle) in robot.joints.iter().zip(&pose_rad) {
                    println!("pose {} {angle}", joint.name);
                }
                for (body, at) in robot.bodies.iter().zip(robot.forward_kinematics(&pose_rad)) {
                    let center = at * body.center_of_mass_m;
                    println!("body {} {} {} {} {}", body.name, body.mass_kg, center.x, center.y, center.z);
                }
                for (tip, at) in robot.fingertips.iter().zip(robot.fingertip_positions(&robot.home_rad)) {
                    println!("tip {:<24} {:.3} {:.3} {:.3}", tip.name, at.x, at.y, at.z);
                }
            }
        }
    }
}
