//! Prints what `check_mujoco.py` compares with MuJoCo, for every built-in hand:
//!
//! ```text
//! <robot> folder <name of the folder>
//! <robot> body <name> <kg>, where the file gives a mass
//! <robot> coupling <follower> <leader> <ratio> <offset in rad>
//! <robot> joint <name> <rad>
//! <robot> fingertip <name> <body> <point in body> <position in palm frame>
//! ```

use giraffe_robots::{DescriptionError, ROBOTS, load_robot};

fn main() -> Result<(), DescriptionError> {
    for entry in ROBOTS {
        let robot = load_robot(entry.name)?;
        let name = &robot.name;
        println!("{name} folder {}", entry.folder);
        for body in robot.bodies.iter().filter(|body| body.mass_kg > 0.0) {
            println!("{name} body {} {}", body.name, body.mass_kg);
        }
        for coupling in &robot.couplings {
            let (follower, leader) = (&robot.joints[coupling.follower].name, &robot.joints[coupling.leader].name);
            println!("{name} coupling {follower} {leader} {} {}", coupling.ratio, coupling.offset_rad);
        }
        let (pose_rad, fingertips_m) = robot.test_vector();
        for (joint, angle_rad) in robot.joints.iter().zip(pose_rad) {
            println!("{name} joint {} {angle_rad}", joint.name);
        }
        for (tip, at) in robot.fingertips.iter().zip(fingertips_m) {
            let (body, point) = (&robot.bodies[tip.body].name, tip.point_m);
            println!(
                "{name} fingertip {} {body} {} {} {} {} {} {}",
                tip.name, point.x, point.y, point.z, at.x, at.y, at.z
            );
        }
    }
    Ok(())
}
