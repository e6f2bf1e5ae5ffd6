//! What `<equality>` ties together: joints that follow others, and loops, which are left open.

use super::super::raw::{RawBody, RawCoupling};
use super::Reader;
use crate::description::{DescriptionError, Place};
use mjcf_rs::equality::Equality;

impl Reader<'_> {
    /// Joints that follow others. Joints that are held at an angle are welded there.
    pub(super) fn equalities(&mut self, bodies: &mut [RawBody]) -> Result<Vec<RawCoupling>, DescriptionError> {
        let sections = self.document.root_element().children().filter(|node| node.has_tag_name("equality"));
        let read = ["connect", "weld", "joint", "tendon"];
        let nodes =
            sections.flat_map(|section| section.children()).filter(|node| read.contains(&node.tag_name().name()));
        let mut couplings = Vec::new();
        for (node, equality) in nodes.zip(&self.model.equality) {
            let place = self.place(node);
            let has = |name: &str| bodies.iter().any(|body| body.name == name);
            if node.attribute("site1").is_some() {
                let sites = ["site1", "site2"].map(|site| node.attribute(site).unwrap_or_default());
                self.open_loop(&place, "constraint between sites that closes a loop:", &sites.join(" to "));
                continue;
            }
            match equality {
                Equality::Joint(joint) if joint.common.active => {
                    self.joint_equality(joint, &place, bodies, &mut couplings)?;
                }
                Equality::Connect(connect) if connect.common.active => {
                    self.loop_of(&place, "connect", &[Some(&connect.body1), connect.body2.as_ref()], has);
                }
                Equality::Weld(weld) if weld.common.active => {
                    self.loop_of(&place, "weld", &[Some(&weld.body1), weld.body2.as_ref()], has);
                }
                Equality::Tendon(_) => self.notes.ignored(&place, "<tendon> in <equality>", "", "not read"),
                _ => self.notes.ignored(&place, "constraints that are not active", "", "not read"),
            }
        }
        Ok(couplings)
    }

    fn loop_of(&mut self, place: &Place, tag: &str, names: &[Option<&String>], has: impl Fn(&str) -> bool) {
        let own: Vec<&str> = names.iter().flatten().map(|name| name.as_str()).filter(|name| has(name)).collect();
        match own[..] {
            [a, b] => self.open_loop(place, &format!("<{tag}> that closes a loop:"), &format!("{a} to {b}")),
            _ => self.notes.ignored(place, format!("<{tag}> to something beside the hand"), "", "the palm is fixed"),
        }
    }

    /// A hand is a tree: what closes a loop is left out.
    fn open_loop(&mut self, place: &Place, what: &str, name: &str) {
        let done = "the loop is left open, and its joints move by servos of their own. A hand is a tree: write the linkage as \
                    joints that follow one another (<joint> in <equality>) instead";
        self.notes.warned(place, what, name, done);
    }

    fn joint_equality(
        &mut self,
        equality: &mjcf_rs::equality::EqualityJoint,
        place: &Place,
        bodies: &mut [RawBody],
        couplings: &mut Vec<RawCoupling>,
    ) -> Result<(), DescriptionError> {
        // MuJoCo: joint1 - ref1 = a0 + a1 (joint2 - ref2) + ...
        let [a0, a1, curved @ ..] = equality.polycoef;
        let follower = equality.joint1.clone();
        let joint = |name: &str| bodies.iter().flat_map(|body| &body.joints).find(|joint| joint.name == name);
        let Some(first) = joint(&follower) else {
            self.notes.ignored(
                place,
                "<joint> in <equality>, of a joint that is no hinge of the hand",
                &follower,
                "not read",
            );
            return Ok(());
        };
        let first_ref = first.reference_rad;
        let Some(leader) = equality.joint2.clone() else {
            hold(bodies, &follower, a0 + first_ref);
            self.notes.approximated(place, "joint held by <equality>", &follower, "welded at that angle");
            return Ok(());
        };
        let Some(second) = joint(&leader) else {
            return Err(place.clone().error(format!("`joint2` names `{leader}`, which is no hinge of the hand")));
        };
        if curved.iter().any(|coefficient| *coefficient != 0.0) {
            self.notes.approximated(place, "curved coupling of joint", &follower, "its linear part only");
        }
        let offset_rad = first_ref + a0 - a1 * second.reference_rad;
        couplings.push(RawCoupling { place: place.clone(), leader, follower, ratio: a1, offset_rad });
        Ok(())
    }
}

fn hold(bodies: &mut [RawBody], name: &str, angle_rad: f64) {
    let mut joints = bodies.iter_mut().flat_map(|body| &mut body.joints);
    if let Some(joint) = joints.find(|joint| joint.name == name) {
        joint.limits_rad = [angle_rad, angle_rad];
    }
}
