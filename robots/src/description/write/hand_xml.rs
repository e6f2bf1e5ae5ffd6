//! `hand.xml` of a hand: every figure where it belongs, without classes, so that each can be corrected by itself.

use super::super::number::{xml_number, xml_numbers};
use super::tree::{body_names, children, file_order};
use crate::model::{BodyModel, GeomModel, GeomShape, JointModel, RobotModel};
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use std::fmt::Write;

/// The text.
pub(super) fn hand_xml(robot: &RobotModel) -> String {
    let mut writer = Writer { robot, names: body_names(robot), text: String::new(), depth: 0 };
    writer.document();
    writer.text
}

struct Writer<'r> {
    robot: &'r RobotModel,
    names: Vec<String>,
    text: String,
    depth: usize,
}

impl Writer<'_> {
    fn line(&mut self, content: std::fmt::Arguments) {
        writeln!(self.text, "{:indent$}{content}", "", indent = 2 * self.depth).expect("strings can be written to");
    }

    fn document(&mut self) {
        let name = escaped(&self.robot.name);
        // Two hyphens end a comment.
        let heading = name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        self.line(format_args!("<!--\n  {heading}, as giraffe read it. Where every figure comes from: README.md.\n"));
        self.line(format_args!(
            "  The root body is the palm frame: gravity is -z. Units: m, kg, rad, N m. What MJCF cannot say (canonical joint\n  \
             order, servo ids, fingertips, safety) is in robot.toml.\n-->"
        ));
        self.line(format_args!("<mujoco model=\"{name}\">"));
        self.depth = 1;
        self.line(format_args!("<compiler angle=\"radian\" autolimits=\"true\"/>"));
        self.line(format_args!("<option timestep=\"0.002\" integrator=\"implicitfast\"/>"));
        self.section("worldbody", |writer| writer.body(0));
        if self.robot.contact_excludes.iter().any(|pair| !self.is_parent_and_child(*pair)) {
            self.section("contact", Self::excludes);
        }
        if !self.robot.couplings.is_empty() {
            self.section("equality", Self::couplings);
        }
        self.section("actuator", Self::servos);
        self.section("keyframe", Self::home);
        self.depth = 0;
        self.line(format_args!("</mujoco>"));
    }

    fn section(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.line(format_args!("\n  <{tag}>"));
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line(format_args!("</{tag}>"));
    }

    /// A body and all that hang at it. A hand is no deeper than what was read.
    fn body(&mut self, index: usize) {
        let robot = self.robot;
        let body = &robot.bodies[index];
        let at = if body.parent.is_some() { pose(&body.parent_from_body) } else { String::new() };
        let name = escaped(&self.names[index]);
        self.line(format_args!("<body name=\"{name}\"{at}>"));
        self.depth += 1;
        self.inertial(body);
        if let Some(joint) = body.joint {
            self.joint(&robot.joints[joint]);
        }
        for geom in &body.geoms {
            self.geom(geom);
        }
        for child in children(robot, index) {
            self.body(child);
        }
        self.depth -= 1;
        self.line(format_args!("</body>"));
    }

    fn inertial(&mut self, body: &BodyModel) {
        // What never moves may have no mass.
        let Some(moments) = moments_of_a_body(body.principal_inertia_kg_m2).filter(|_| body.mass_kg > 0.0) else {
            return;
        };
        let center = xml_numbers(body.center_of_mass_m.coords.as_slice());
        let turn = rotation(&body.body_from_principal);
        let (mass, moments) = (xml_number(body.mass_kg), xml_numbers(&moments));
        self.line(format_args!("<inertial pos=\"{center}\"{turn} mass=\"{mass}\" diaginertia=\"{moments}\"/>"));
    }

    fn joint(&mut self, joint: &JointModel) {
        let anchor = match joint.anchor_m.coords == Vector3::zeros() {
            true => String::new(),
            false => format!(" pos=\"{}\"", xml_numbers(joint.anchor_m.coords.as_slice())),
        };
        let (name, axis) = (escaped(&joint.name), xml_numbers(joint.axis.as_slice()));
        let range = xml_numbers(&[joint.position_limits_rad.lower, joint.position_limits_rad.upper]);
        let [damping, armature, friction] =
            [joint.damping_newton_m_secs_per_rad, joint.armature_kg_m2, joint.friction_loss_newton_m].map(xml_number);
        self.line(format_args!(
            "<joint name=\"{name}\" type=\"hinge\"{anchor} axis=\"{axis}\" range=\"{range}\" damping=\"{damping}\" \
             armature=\"{armature}\" frictionloss=\"{friction}\"/>"
        ));
    }

    fn geom(&mut self, geom: &GeomModel) {
        let (kind, size) = match geom.shape {
            GeomShape::Box { half_extents_m } => ("box", half_extents_m.to_vec()),
            GeomShape::Sphere { radius_m } => ("sphere", vec![radius_m]),
            GeomShape::Capsule { half_length_m, radius_m } => ("capsule", vec![radius_m, half_length_m]),
            // No description has prisms; the cylinder through its corners is the nearest that one can have.
            GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
                ("cylinder", vec![radius_m, half_length_m])
            }
        };
        let (name, at) = (escaped(&geom.name), pose(&geom.body_from_geom));
        let (size, friction) = (xml_numbers(&size), xml_number(geom.friction));
        self.line(format_args!("<geom name=\"{name}\" type=\"{kind}\" size=\"{size}\"{at} friction=\"{friction}\"/>"));
    }

    fn is_parent_and_child(&self, (a, b): (usize, usize)) -> bool {
        self.robot.bodies[b].parent == Some(a) || self.robot.bodies[a].parent == Some(b)
    }

    /// Neighbours never touch anyway.
    fn excludes(&mut self) {
        for pair in &self.robot.contact_excludes {
            if !self.is_parent_and_child(*pair) {
                let [a, b] = [pair.0, pair.1].map(|body| escaped(&self.names[body]));
                self.line(format_args!("<exclude body1=\"{a}\" body2=\"{b}\"/>"));
            }
        }
    }

    fn couplings(&mut self) {
        for coupling in &self.robot.couplings {
            let [follower, leader] =
                [coupling.follower, coupling.leader].map(|joint| escaped(&self.robot.joints[joint].name));
            let [offset, ratio] = [coupling.offset_rad, coupling.ratio].map(xml_number);
            self.line(format_args!(
                "<joint joint1=\"{follower}\" joint2=\"{leader}\" polycoef=\"{offset} {ratio} 0 0 0\"/>"
            ));
        }
    }

    fn servos(&mut self) {
        for index in self.robot.actuated_joints() {
            let joint = &self.robot.joints[index];
            let (name, kp) = (escaped(&joint.name), xml_number(joint.stiffness_newton_m_per_rad));
            let torque = xml_number(joint.effort_limit_newton_m);
            self.line(format_args!(
                "<position name=\"{name}\" joint=\"{name}\" kp=\"{kp}\" forcerange=\"-{torque} {torque}\" inheritrange=\"1\"/>"
            ));
        }
    }

    fn home(&mut self) {
        let order: Vec<usize> =
            file_order(self.robot).into_iter().filter_map(|body| self.robot.bodies[body].joint).collect();
        let angles: Vec<f32> = order.into_iter().map(|joint| self.robot.home_rad[joint]).collect();
        let targets: Vec<f32> =
            self.robot.actuated_joints().into_iter().map(|joint| self.robot.home_rad[joint]).collect();
        let (angles, targets) = (xml_numbers(&angles), xml_numbers(&targets));
        self.line(format_args!("<key name=\"home\" qpos=\"{angles}\" ctrl=\"{targets}\"/>"));
    }
}

/// Moments that are those of a rigid body as they are written: of a flat or thin one the largest is the sum of the other
/// two, and rounding must not put it above.
fn moments_of_a_body(moments: Vector3<f32>) -> Option<[f32; 3]> {
    let mut moments: [f32; 3] = moments.into();
    if moments.iter().any(|moment| !moment.is_finite() || *moment <= 0.0) {
        return None;
    }
    let largest = (0..3).max_by(|a, b| moments[*a].total_cmp(&moments[*b]))?;
    let read = |moment: f32| xml_number(moment).parse::<f64>().unwrap_or_default();
    let others = read(moments[(largest + 1) % 3]) + read(moments[(largest + 2) % 3]);
    moments[largest] = moments[largest].min(others as f32);
    while read(moments[largest]) > others {
        moments[largest] = moments[largest].next_down();
    }
    Some(moments)
}

fn pose(pose: &Isometry3<f32>) -> String {
    let position = pose.translation.vector;
    let at = match position == Vector3::zeros() {
        true => String::new(),
        false => format!(" pos=\"{}\"", xml_numbers(position.as_slice())),
    };
    at + &rotation(&pose.rotation)
}

fn rotation(turn: &UnitQuaternion<f32>) -> String {
    if *turn == UnitQuaternion::identity() {
        return String::new();
    }
    let numbers = [turn.w, turn.i, turn.j, turn.k];
    let short = xml_numbers(&numbers);
    let mut written = short.split(' ').filter_map(|word| word.parse::<f64>().ok());
    let text = match is_read_as([0; 4].map(|_| written.next().unwrap_or_default()), numbers) {
        true => short,
        false => lasting(numbers).map(|number| format!("{number}")).join(" "),
    };
    format!(" quat=\"{text}\"")
}

/// Whether a quaternion that is written so is read as this one: it is brought to length one before it is rounded.
fn is_read_as(written: [f64; 4], wanted: [f32; 4]) -> bool {
    let length = written.iter().map(|number| number * number).sum::<f64>().sqrt();
    let same = |(number, wanted): (&f64, f32)| ((number / length) as f32 + 0.0).to_bits() == (wanted + 0.0).to_bits();
    written.iter().zip(wanted).all(same)
}

/// A quaternion of length one that is rounded to this one: of numbers that are rounded already the length is not quite
/// one, and to bring it there would change their last bits.
fn lasting(numbers: [f32; 4]) -> [f64; 4] {
    let mut found = numbers.map(f64::from);
    for _ in 0..100 {
        if is_read_as(found, numbers) {
            break;
        }
        let length = found.iter().map(|number| number * number).sum::<f64>().sqrt();
        for (number, wanted) in found.iter_mut().zip(numbers) {
            // What is rounded to the number reaches half way to its neighbours.
            let [below, above] = [wanted.next_down(), wanted.next_up()].map(|next| f64::from(next - wanted) * 0.49);
            *number = (*number / length).clamp(f64::from(wanted) + below, f64::from(wanted) + above);
        }
    }
    found
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_read_as_it_was_to_the_last_bit() {
        for step in 1..800_u32 {
            let step = f64::from(step);
            let turn = UnitQuaternion::from_euler_angles(0.013 * step, (0.7 * step).sin(), 3.1 * step).cast::<f32>();
            let text = rotation(&turn);
            let words = text.trim_start_matches(" quat=\"").trim_end_matches('"').split(' ');
            let mut numbers = words.map(|word| word.parse::<f64>().expect("a number"));
            let written = [0; 4].map(|_| numbers.next().expect("four numbers"));
            assert!(is_read_as(written, [turn.w, turn.i, turn.j, turn.k]), "{text}");
        }
    }

    #[test]
    fn moments_of_a_thin_rod_are_written_so_that_they_can_be() {
        for (a, b) in [(0.1, 0.2), (1e-7, 3.3e-7), (1.1e-5, 1.1e-5), (7e-9, 1e-6)] {
            let written = moments_of_a_body(Vector3::new(a, (a + b) * 1.000_001, b)).expect("they are positive");
            let [x, y, z] = written.map(|moment| xml_number(moment).parse::<f64>().expect("a number"));
            assert!(x + z >= y && (y / f64::from(a + b) - 1.0).abs() < 1e-5, "{written:?}");
        }
        assert!(moments_of_a_body(Vector3::zeros()).is_none());
    }
}
