//! Which joints have servos, and how strong: actuators on joints and on fixed tendons.

use super::super::follow;
use super::super::raw::{RawCoupling, RawHand, RawJoint, RawServo};
use super::super::report::Notes;
use super::super::servo::{PLACEHOLDER_TORQUE, TORQUE_AT_RAD};
use super::super::source::Source;
use super::survey::is_left_out;
use crate::description::{DescriptionError, Place};
use mjcf_rs::Model;
use mjcf_rs::extras::{Actuator, ActuatorKind};
use mjcf_rs::tendon::FixedTendon;
use mjcf_rs::types::Tristate;
use roxmltree::{Document, Node};
use std::collections::BTreeMap;

/// Ranges that differ by less than this, rad, are the same, written with a few digits.
const SAME_RAD: f64 = 2e-3;

/// Gives the joints of a hand their servos.
pub(super) fn drive(
    hand: &mut RawHand,
    source: &Source,
    document: &Document,
    model: &Model,
    notes: &mut Notes,
) -> Result<(), DescriptionError> {
    let sections = document.root_element().children().filter(|node| node.has_tag_name("actuator"));
    let read = |node: &Node| node.is_element() && !is_left_out(node.tag_name().name());
    let nodes: Vec<Node> = sections.flat_map(|node| node.children()).filter(read).collect();
    let mut driver = Driver { hand, source, document, model, notes, driven: BTreeMap::new() };
    let actuators: Vec<(Place, Node, &Actuator)> =
        nodes.iter().zip(&model.actuators).map(|(node, actuator)| (source.place_of(*node), *node, actuator)).collect();
    for (place, node, actuator) in &actuators {
        if let Some(joint) = &actuator.joint {
            driver.joint(joint, actuator, *node, place)?;
        }
    }
    for (place, node, actuator) in &actuators {
        match &actuator.tendon {
            Some(tendon) => driver.tendon(tendon, actuator, *node, place)?,
            None if actuator.joint.is_none() && actuator.kind != ActuatorKind::Other => {
                driver.notes.ignored(place, "actuators that pull no joint", &name(actuator), "not read");
            }
            None => {}
        }
    }
    driver.limit_by_joints()
}

struct Driver<'d> {
    hand: &'d mut RawHand,
    source: &'d Source,
    document: &'d Document<'d>,
    model: &'d Model,
    notes: &'d mut Notes,
    /// Name of the actuator by the joint it drives.
    driven: BTreeMap<String, String>,
}

fn name(actuator: &Actuator) -> String {
    let called = [&actuator.name, &actuator.joint, &actuator.tendon];
    called.into_iter().flatten().next().cloned().unwrap_or_default()
}

impl Driver<'_> {
    fn find(&mut self, joint: &str) -> Option<&mut RawJoint> {
        self.hand.bodies.iter_mut().flat_map(|body| &mut body.joints).find(|own| own.name == joint)
    }

    fn joint(&mut self, joint: &str, actuator: &Actuator, node: Node, place: &Place) -> Result<(), DescriptionError> {
        let is_elsewhere = || {
            let all = self.model.bodies.iter().flat_map(|entry| &entry.body.joints);
            all.filter_map(|joint| joint.name.as_deref()).any(|name| name == joint)
        };
        if self.find(joint).is_none() {
            if is_elsewhere() {
                self.notes.ignored(
                    place,
                    "actuators of joints that are no hinges of the hand",
                    &name(actuator),
                    "not read",
                );
                return Ok(());
            }
            let tag = node.tag_name().name();
            return Err(place.clone().error(format!("<{tag}> names the joint `{joint}`, which is not there")));
        }
        let Some(servo) = self.servo(actuator, node, place)? else { return Ok(()) };
        if let Some(other) = self.driven.get(joint) {
            let what = format!("second actuator of joint `{joint}`");
            self.notes.ignored(place, what, &name(actuator), format!("`{other}` drives it"));
            return Ok(());
        }
        // The torque at the joint is gear times that of the actuator, whose angle is gear times that of the joint.
        self.install(joint, servo, actuator.gear[0], actuator, place)
    }

    fn install(
        &mut self,
        joint: &str,
        servo: RawServo,
        gear: f64,
        actuator: &Actuator,
        place: &Place,
    ) -> Result<(), DescriptionError> {
        if gear == 0.0 || !gear.is_finite() {
            return Err(place.clone().error(format!("`{}`: gear {gear} moves nothing", name(actuator))));
        }
        self.driven.insert(joint.to_owned(), name(actuator));
        let scaled = RawServo {
            stiffness: servo.stiffness.map(|stiffness| stiffness * gear * gear),
            effort: servo.effort.map(|effort| effort * gear.abs()),
            damping: servo.damping * gear * gear,
            guessed: servo.guessed,
        };
        if let Some(joint) = self.find(joint) {
            joint.servo = scaled;
        }
        self.limit_by_control(joint, actuator, gear, place);
        Ok(())
    }

    /// Keeps a joint to the angles that its servo can be told. `length_per_rad` is how far the actuator goes per angle of the
    /// joint; how far per number it is told, its gains say.
    fn limit_by_control(&mut self, joint: &str, actuator: &Actuator, length_per_rad: f64, place: &Place) {
        let range = limited(actuator.ctrl_range, actuator.ctrl_limited, self.model);
        let (Some(range), Some([gain, shift, spring])) = (range, setpoint(actuator)) else { return };
        let called = name(actuator);
        let ends = range.map(|control| (gain * control + shift) / spring / length_per_rad);
        let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let Some(own) = self.find(joint) else { return };
        let [lower, upper] = own.limits_rad;
        let narrower = (least > lower + SAME_RAD, most < upper - SAME_RAD);
        let wider = least < lower - SAME_RAD || most > upper + SAME_RAD;
        let kept = [if narrower.0 { least } else { lower }, if narrower.1 { most } else { upper }];
        if !least.is_finite() || !most.is_finite() || kept[1] - kept[0] <= SAME_RAD {
            if upper > lower {
                let done = format!("joint `{joint}` keeps its own, {lower:.3} to {upper:.3} rad");
                let what = format!("`ctrlrange` of {least:.3} to {most:.3} rad, of the actuator");
                self.notes.warned(place, what, &called, done);
            }
            return;
        }
        if narrower.0 || narrower.1 {
            own.limits_rad = kept;
            let done = "the joint's range is narrowed to what its servo can be told";
            self.notes.approximated(
                place,
                "`ctrlrange` narrower than the range of the joint, of the actuator",
                &called,
                done,
            );
        }
        if wider {
            let done = "what is beyond the range of the joint is left out";
            self.notes.approximated(
                place,
                "`ctrlrange` wider than the range of the joint, of the actuator",
                &called,
                done,
            );
        }
    }

    /// The servo an actuator is, in its own units; `None` if it is none.
    fn servo(&mut self, actuator: &Actuator, node: Node, place: &Place) -> Result<Option<RawServo>, DescriptionError> {
        let called = name(actuator);
        let is_servo = actuator.kind == ActuatorKind::General && actuator.bias_type.as_deref() == Some("affine");
        let bias = |index: usize| actuator.biasprm.get(index).copied().unwrap_or(0.0);
        let (stiffness, damping) = match actuator.kind {
            ActuatorKind::Position | ActuatorKind::IntVelocity => {
                (Some(actuator.kp.unwrap_or(1.0)), actuator.kv.unwrap_or(0.0))
            }
            ActuatorKind::General if is_servo && bias(1) < 0.0 => (Some(-bias(1)), -bias(2)),
            ActuatorKind::Motor | ActuatorKind::General => (None, 0.0),
            ActuatorKind::Velocity | ActuatorKind::Damper | ActuatorKind::Other => {
                let tag = node.tag_name().name();
                self.notes.ignored(place, format!("<{tag}> actuators"), &called, "servos hold an angle");
                return Ok(None);
            }
        };
        let damping = if damping < 0.0 && is_servo {
            let what = format!("`biasprm` that drives instead of damping ({}), of actuator", bias(2));
            self.notes.warned(place, what, &called, "read with the other sign");
            -damping
        } else {
            damping
        };
        if stiffness.is_some_and(|stiffness| stiffness <= 0.0) || damping < 0.0 {
            let problem = format!("`{called}`: stiffness {stiffness:?} and damping {damping}; they are positive");
            return Err(place.clone().error(problem));
        }
        if actuator.kind == ActuatorKind::IntVelocity {
            self.notes.approximated(place, "<intvelocity> actuators", &called, "read as <position>");
        }
        if damping > 0.0 {
            let what = "damping of servos (`kv`)";
            self.notes.approximated(place, what, "", "added to the joint's, beyond the torque limit");
        }
        let effort = self.effort(actuator, stiffness.is_none(), place)?;
        if stiffness.is_none() {
            let done = format!("a servo that reaches its torque limit {TORQUE_AT_RAD} rad from its target");
            self.notes.assumed(place, "torque actuators", &called, done);
        }
        let stiffness = stiffness.or(effort.filter(|effort| effort.is_finite()).map(|effort| effort / TORQUE_AT_RAD));
        Ok(Some(RawServo { stiffness, effort, damping, guessed: false }))
    }

    /// Torque limit of an actuator; infinite if there is none.
    fn effort(&mut self, actuator: &Actuator, is_motor: bool, place: &Place) -> Result<Option<f64>, DescriptionError> {
        let force = limited(actuator.force_range, actuator.force_limited, self.model);
        // What a motor is told is its torque.
        let control = limited(actuator.ctrl_range, actuator.ctrl_limited, self.model).filter(|_| is_motor);
        match force.or(control) {
            Some([lower, upper]) if lower == 0.0 && upper == 0.0 => {
                self.notes.ignored(place, "torque limits of 0 to 0, of", &name(actuator), "taken for a placeholder");
                Ok(if is_motor { None } else { Some(f64::INFINITY) })
            }
            Some(range) => {
                let torque = self.torque(range, &name(actuator), place)?;
                if torque <= PLACEHOLDER_TORQUE {
                    return Ok(Some(torque));
                }
                let what = format!("torque limit above {PLACEHOLDER_TORQUE} N m, of");
                self.notes.ignored(place, what, &name(actuator), "taken for a placeholder");
                Ok(if is_motor { None } else { Some(f64::INFINITY) })
            }
            None if is_motor => Ok(None),
            None => Ok(Some(f64::INFINITY)),
        }
    }

    fn torque(&mut self, [lower, upper]: [f64; 2], called: &str, place: &Place) -> Result<f64, DescriptionError> {
        if lower > 0.0 || upper < 0.0 || lower >= upper {
            let problem = format!("`{called}`: torque from {lower} to {upper} N m; a servo pushes and pulls");
            return Err(place.clone().error(problem));
        }
        if lower == 0.0 || upper == 0.0 {
            let done = "a servo pushes and pulls: as large in both directions";
            self.notes.approximated(place, "torque limits of one direction only, of", called, done);
            return Ok(upper.max(-lower));
        }
        if (lower + upper).abs() > 1e-6 * upper {
            self.notes.approximated(place, "torque limits that differ by direction", called, "the smaller for both");
        }
        Ok(upper.min(-lower))
    }

    fn tendon(&mut self, tendon: &str, actuator: &Actuator, node: Node, place: &Place) -> Result<(), DescriptionError> {
        let called = name(actuator);
        let Some(fixed) = self.model.tendons.iter().find(|own| own.name.as_deref() == Some(tendon)) else {
            self.notes.ignored(place, "actuators of tendons that run over sites", &called, "not read");
            return Ok(());
        };
        let missing = fixed.joints.iter().find(|term| self.find(&term.joint).is_none());
        if let Some(term) = missing {
            let what = "actuators of tendons over joints that are no hinges of the hand";
            self.notes.ignored(place, what, &called, format!("not read (`{}`)", term.joint));
            return Ok(());
        }
        if let Some(term) = fixed.joints.iter().find(|term| self.driven.contains_key(&term.joint)) {
            let done = format!("joint `{}` has a servo of its own", term.joint);
            self.notes.ignored(place, "actuators of tendons", &called, done);
            return Ok(());
        }
        let Some((leader, gear)) = self.couple(fixed, place) else {
            self.notes.ignored(place, "actuators of tendons that pull nothing", &called, "not read");
            return Ok(());
        };
        let Some(servo) = self.servo(actuator, node, place)? else { return Ok(()) };
        self.install(&leader, servo, gear * actuator.gear[0], actuator, place)
    }

    /// Makes the joints of a tendon follow the first of them; how far the tendon moves per angle of the leader.
    fn couple(&mut self, tendon: &FixedTendon, place: &Place) -> Option<(String, f64)> {
        let first = tendon.joints.iter().find(|term| term.coef != 0.0)?;
        let (leader, ratio) = follow::leader_of(&self.hand.couplings, &first.joint);
        let unit = first.coef / ratio;
        let mut length = 0.0;
        for term in tendon.joints.iter().filter(|term| term.coef != 0.0) {
            let (top, ratio) = follow::leader_of(&self.hand.couplings, &term.joint);
            if top == leader {
                length += term.coef * ratio;
                continue;
            }
            let done = format!("turns with `{leader}`, in proportion to how the tendon pulls");
            self.notes.approximated(place, "joint on a tendon that moves several", &term.joint, done);
            let ratio = term.coef / unit;
            let offset_rad = 0.0;
            let (leader, follower) = (leader.clone(), top);
            self.hand.couplings.push(RawCoupling { place: place.clone(), leader, follower, ratio, offset_rad });
            length += term.coef * ratio;
        }
        (length.abs() > 1e-9).then_some((leader, length))
    }

    /// `actuatorfrcrange` of joints, which limits whatever drives them.
    fn limit_by_joints(&mut self) -> Result<(), DescriptionError> {
        let nodes = self.document.descendants().filter(|node| node.has_tag_name("joint"));
        let in_tree = |node: &Node| node.ancestors().any(|above| above.has_tag_name("worldbody"));
        for node in nodes.filter(in_tree) {
            let (Some(joint), Some(range)) =
                (node.attribute("name"), inherited(self.document, node, "actuatorfrcrange"))
            else {
                continue;
            };
            let unlimited = inherited(self.document, node, "actuatorfrclimited");
            let counts = match unlimited {
                Some("true") => true,
                Some("false") => false,
                _ => self.model.compiler.autolimits,
            };
            if !counts {
                self.notes.ignored(
                    &self.source.place_of(node),
                    "`actuatorfrcrange` that is switched off, of joint",
                    joint,
                    "no limit",
                );
                continue;
            }
            let numbers: Vec<f64> = range.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
            let &[lower, upper] = &numbers[..] else { continue };
            let place = self.source.place_of(node);
            if self.find(joint).is_none() {
                continue;
            }
            let torque = self.torque([lower, upper], joint, &place)?;
            if let Some(joint) = self.find(joint) {
                joint.servo.effort = Some(joint.servo.effort.map_or(torque, |effort| effort.min(torque)));
            }
        }
        Ok(())
    }
}

/// A range, unless it does not count.
fn limited(range: Option<[f64; 2]>, limited: Tristate, model: &Model) -> Option<[f64; 2]> {
    match limited {
        Tristate::False => None,
        Tristate::True => range,
        Tristate::Auto => range.filter(|_| model.compiler.autolimits),
    }
}

/// How far an actuator that holds a length goes for what it is told: `(gain * told + shift) / spring`. `None` if it holds
/// none.
fn setpoint(actuator: &Actuator) -> Option<[f64; 3]> {
    let number = |list: &[f64], index: usize| list.get(index).copied().unwrap_or(0.0);
    match actuator.kind {
        ActuatorKind::Position => Some([1.0, 0.0, 1.0]),
        ActuatorKind::General
            if actuator.bias_type.as_deref() == Some("affine") && number(&actuator.biasprm, 1) < 0.0 =>
        {
            let gain = actuator.gainprm.first().copied().unwrap_or(1.0);
            (gain > 0.0).then(|| [gain, number(&actuator.biasprm, 0), -number(&actuator.biasprm, 1)])
        }
        _ => None,
    }
}

/// An attribute of a joint, by itself or by its class.
fn inherited<'d>(document: &'d Document<'d>, node: Node<'d, 'd>, attribute: &str) -> Option<&'d str> {
    if let Some(own) = node.attribute(attribute) {
        return Some(own);
    }
    let of_body = || node.ancestors().skip(1).find_map(|above| above.attribute("childclass"));
    let class = node.attribute("class").or_else(of_body).unwrap_or("main");
    let is_root = |node: &Node| node.parent_element().is_some_and(|up| up.has_tag_name("mujoco"));
    let declares = |node: &Node| {
        let own = node.attribute("class");
        node.has_tag_name("default") && (own == Some(class) || (class == "main" && own.is_none() && is_root(node)))
    };
    // From the class up to the one that holds it.
    let declared = document.descendants().find(declares).into_iter().flat_map(|node| node.ancestors());
    let in_root = document.root_element().children().filter(|node| node.has_tag_name("default"));
    let joints = |node: Node<'d, 'd>| node.children().find(|child| child.has_tag_name("joint"));
    declared.chain(in_root).filter_map(joints).find_map(|joint| joint.attribute(attribute))
}
