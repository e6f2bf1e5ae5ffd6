//! Small hands to vary: three fingers of two hinges each on a palm, as MJCF and as URDF.

use giraffe_robots::RobotModel;

/// A finger of two links along x that closes toward +z, its hinges called `NAME1` and `NAME2`, as MJCF.
pub fn finger(name: &str, at: &str) -> String {
    let link = |which: &str, joint: &str, at: &str, inside: &str| {
        format!(
            "<body name=\"{name}{which}\" pos=\"{at}\">\
             <inertial pos=\"0.02 0 0\" mass=\"0.02\" diaginertia=\"1e-5 1e-5 1e-5\"/>\
             <joint name=\"{name}{joint}\" axis=\"0 -1 0\" range=\"-0.2 1.5\"/>\
             <geom type=\"box\" size=\"0.02 0.008 0.008\" pos=\"0.02 0 0\"/>{inside}</body>\n"
        )
    };
    link("a", "1", at, &link("b", "2", "0.045 0 0", ""))
}

/// Three of them.
pub fn fingers() -> String {
    [("i", "0.04 0.03 0"), ("j", "0.04 0 0"), ("k", "0.04 -0.03 0")].map(|(name, at)| finger(name, at)).concat()
}

/// The servos of three fingers.
pub fn servos() -> String {
    let servo = |joint: &str| format!("<position joint=\"{joint}\" kp=\"2\" kv=\"0.1\" forcerange=\"-0.5 0.5\"/>\n");
    ["i1", "i2", "j1", "j2", "k1", "k2"].map(servo).concat()
}

pub const PALM_SHAPE: &str = "<geom type=\"box\" size=\"0.05 0.045 0.01\" pos=\"-0.02 0 0\"/>";

/// A file with this in its world, radians, and these servos.
pub fn mjcf(world: &str, servos: &str) -> String {
    format!(
        "<mujoco model=\"m\"><compiler angle=\"radian\"/>\n<worldbody>\n{world}</worldbody>\n\
         <actuator>\n{servos}</actuator>\n</mujoco>\n"
    )
}

/// A palm with three fingers; `turn` are attributes of the palm.
pub fn palm(turn: &str) -> String {
    let inertial = "<inertial pos=\"0 0 0\" mass=\"0.3\" diaginertia=\"1e-3 1e-3 1e-3\"/>";
    format!("<body name=\"palm\" {turn}>{inertial}{PALM_SHAPE}\n{}</body>\n", fingers())
}

/// A whole hand as MJCF.
pub fn hand(turn: &str) -> String {
    mjcf(&palm(turn), &servos())
}

fn mass(kg: &str, moment: &str) -> String {
    format!(
        "<inertial><origin xyz=\"0.02 0 0\"/><mass value=\"{kg}\"/>\
         <inertia ixx=\"{moment}\" iyy=\"{moment}\" izz=\"{moment}\" ixy=\"0\" ixz=\"0\" iyz=\"0\"/></inertial>"
    )
}

/// A link of a finger as URDF: a box along x.
pub fn urdf_link(name: &str) -> String {
    let shape =
        "<collision><origin xyz=\"0.02 0 0\"/><geometry><box size=\"0.04 0.016 0.016\"/></geometry></collision>";
    format!("<link name=\"{name}\">{}{shape}</link>\n", mass("0.02", "1e-5"))
}

pub const LIMIT: &str = "<limit lower=\"-0.2\" upper=\"1.5\" effort=\"0.5\" velocity=\"5\"/>";

pub fn urdf_joint(name: &str, parent: &str, child: &str, at: &str, limit: &str) -> String {
    format!(
        "<joint name=\"{name}\" type=\"revolute\"><parent link=\"{parent}\"/><child link=\"{child}\"/>\
         <origin xyz=\"{at}\"/><axis xyz=\"0 -1 0\"/>{limit}</joint>\n"
    )
}

/// A whole hand as URDF, without the end of the file; fingers along x that close toward +z.
pub fn urdf_open(limit: &str) -> String {
    let shape = "<collision><origin xyz=\"-0.02 0 0\"/><geometry><box size=\"0.1 0.09 0.02\"/></geometry></collision>";
    let mut text = format!("<robot name=\"m\">\n<link name=\"palm\">{}{shape}</link>\n", mass("0.3", "1e-3"));
    for (name, at) in [("i", "0.04 0.03 0"), ("j", "0.04 0 0"), ("k", "0.04 -0.03 0")] {
        let [near, far] = ["a", "b"].map(|which| format!("{name}{which}"));
        text += &urdf_link(&near);
        text += &urdf_link(&far);
        text += &urdf_joint(&format!("{name}1"), "palm", &near, at, limit);
        text += &urdf_joint(&format!("{name}2"), &near, &far, "0.045 0 0", limit);
    }
    text
}

/// A whole hand as URDF.
pub fn urdf() -> String {
    urdf_open(LIMIT) + "</robot>\n"
}

/// How far, degrees, fingers that close in the hand's own way close from straight up.
pub fn closes_from_up_degrees(robot: &RobotModel) -> f32 {
    let open: Vec<f32> = vec![0.0; robot.joint_count()];
    let closed: Vec<f32> =
        robot.joints.iter().map(|joint| if joint.name.ends_with(['1', '2']) { 0.3 } else { 0.0 }).collect();
    let (open, closed) = (robot.fingertip_positions(&open), robot.fingertip_positions(&closed));
    let moved: nalgebra::Vector3<f32> = open.iter().zip(&closed).map(|(a, b)| b - a).sum();
    // Fingers come back a little as they close.
    let across = nalgebra::Vector3::new(0.0, moved.y, moved.z);
    if moved.z > 0.0 && moved.z > 2.0 * moved.x.abs() { (across.normalize().z).acos().to_degrees() } else { 180.0 }
}
