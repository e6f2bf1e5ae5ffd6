//! One row per MJCF or URDF file: what was read of it. `cargo run -p giraffe-robots --example survey FILE...`

use giraffe_robots::{ImportAction, RobotModel, load_robot_with_report};

fn range(values: impl Iterator<Item = f32>) -> String {
    let (low, high) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    format!("{low:.2e}..{high:.2e}")
}

fn row(robot: &RobotModel) -> String {
    let open: Vec<f32> = robot.joints.iter().map(|joint| joint.position_limits_rad.clamp(0.0)).collect();
    let tips_m = robot.fingertip_positions(&open);
    let highest = tips_m.iter().map(|tip| tip.z).fold(f32::NEG_INFINITY, f32::max);
    let farthest = tips_m.iter().map(|tip| tip.x).fold(f32::NEG_INFINITY, f32::max);
    let pairs = robot.bodies.len() * (robot.bodies.len() - 1) / 2;
    format!(
        "{:>2} joints {:>2} follow {:>2} bodies {:>3} shapes {} tips, {:.3} kg, moving {} kg, {} N m, {} N m/rad, damping {} s, tips open x {farthest:.3} z {highest:.3}, {} of {pairs} pairs excluded",
        robot.joint_count(),
        robot.couplings.len(),
        robot.bodies.len(),
        robot.bodies.iter().map(|body| body.geoms.len()).sum::<usize>(),
        robot.fingertips.len(),
        robot.bodies.iter().map(|body| body.mass_kg).sum::<f32>(),
        range(robot.bodies.iter().filter(|body| body.joint.is_some()).map(|body| body.mass_kg)),
        range(robot.joints.iter().map(|joint| joint.effort_limit_newton_m)),
        range(robot.joints.iter().map(|joint| joint.stiffness_newton_m_per_rad)),
        range(robot.joints.iter().map(|j| j.damping_newton_m_secs_per_rad / j.stiffness_newton_m_per_rad)),
        robot.contact_excludes.len(),
    )
}

/// Where each finger points and closes to, as the hand lies.
fn fingers(robot: &RobotModel) {
    let limits = |joint: usize| robot.joints[joint].position_limits_rad;
    let open: Vec<f32> = (0..robot.joint_count()).map(|joint| limits(joint).clamp(0.0)).collect();
    let closed = |joint: usize| {
        let (lower, upper) = (limits(joint).lower, limits(joint).upper);
        let closes = (upper + lower).abs() > 0.2 * (upper - lower);
        limits(joint).clamp(open[joint] + if closes { 0.3 * (upper + lower).signum() } else { 0.0 })
    };
    let closed: Vec<f32> = (0..robot.joint_count()).map(closed).collect();
    let bodies = robot.forward_kinematics(&open);
    for (tip, (at, closed)) in
        robot.fingertips.iter().zip(robot.fingertip_positions(&open).iter().zip(robot.fingertip_positions(&closed)))
    {
        let mut first = tip.body;
        while let Some(parent) = robot.bodies[first].parent.filter(|parent| robot.bodies[*parent].joint.is_some()) {
            first = parent;
        }
        let base = bodies[first].translation.vector;
        let (along, closing) = ((at.coords - base).normalize(), (closed - at).normalize());
        println!(
            "  {:<28} base {:+.3} {:+.3} {:+.3}  along {:+.2} {:+.2} {:+.2}  closes {:+.2} {:+.2} {:+.2}",
            tip.name, base.x, base.y, base.z, along.x, along.y, along.z, closing.x, closing.y, closing.z
        );
    }
}

fn main() {
    for path in std::env::args().skip(1) {
        match load_robot_with_report(&path) {
            Err(error) => println!("REFUSED {path}: {error}"),
            Ok((robot, report)) => {
                let [w, a, b, c] =
                    [ImportAction::Warned, ImportAction::Approximated, ImportAction::Assumed, ImportAction::Ignored]
                        .map(|action| report.count(action));
                println!("READ {path}\n  {}; warned {w}, approximated {a}, assumed {b}, ignored {c}", row(&robot));
                fingers(&robot);
                for warning in report.warnings() {
                    println!("  {warning}");
                }
            }
        }
    }
}
