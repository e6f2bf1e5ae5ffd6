//! Prints the forward-kinematics test vector of every built-in hand, as `check_mujoco.py` reads it:
//! `<robot> joint <name> <rad>` and `<robot> fingertip <name> <body> <point in body> <position in palm frame>`.

use giraffe_robots::{DescriptionError, ROBOTS, load_robot};

fn main() -> Result<(), DescriptionError> {
    for entry in ROBOTS {
        let robot = load_robot(entry.name)?;
        let (pose_rad, fingertips_m) = robot.test_vector();
        for (joint, angle_rad) in robot.joints.iter().zip(pose_rad) {
            println!("{} joint {} {angle_rad}", robot.name, joint.name);
        }
        for (tip, at) in robot.fingertips.iter().zip(fingertips_m) {
            let (body, point) = (&robot.bodies[tip.body].name, tip.point_m);
            println!(
                "{} fingertip {} {body} {} {} {} {} {} {}",
                robot.name, tip.name, point.x, point.y, point.z, at.x, at.y, at.z
            );
        }
    }
    Ok(())
}
