//! Which bodies of a file are the hand.
//!
//! Most files hold one tree with a palm at its root. A file that was made from a URDF holds none: MuJoCo makes what never
//! moves part of the world, and the fingers are trees of their own that hang there. Scenes hold floors, tables, doors and
//! things to grasp as well.

use super::super::report::Notes;
use super::super::source::Source;
use super::{BodyNodes, isometry};
use crate::description::DescriptionError;
use mjcf_rs::Model;
use mjcf_rs::body::{Geom, GeomType, JointType};
use nalgebra::Vector3;
use roxmltree::{Document, Node};

/// Parts of one hand hang at the world no farther than this from one another, m.
const REACH_M: f64 = 0.3;
/// Shapes of the world with a half edge longer than this, m, are floors, walls and tables.
const SCENERY_M: f64 = 0.25;
/// A tree with so many ends is a hand by itself.
const ENDS_OF_A_HAND: usize = 3;

/// The hand within a file.
pub(super) struct Members {
    /// Bodies, as numbers of the file, in its order.
    pub(super) bodies: Vec<usize>,
    /// If the world is the palm: its shapes that belong to the hand, as numbers in its list.
    pub(super) palm: Option<Vec<usize>>,
}

/// A tree that hangs at the world.
struct Root {
    body: usize,
    hinges: usize,
    ends: usize,
    /// Whether it can move away.
    floats: bool,
    /// Whether a servo, a tendon or a constraint moves any of its joints.
    driven: bool,
    at_m: Vector3<f64>,
}

struct Finder<'f> {
    source: &'f Source,
    document: &'f Document<'f>,
    model: &'f Model,
    nodes: &'f [BodyNodes<'f>],
    names: &'f [String],
}

/// Finds the hand: the tree with most hinges, or all fingers that hang at the world.
pub(super) fn find<'f>(
    source: &'f Source,
    document: &'f Document<'f>,
    model: &'f Model,
    nodes: &'f [BodyNodes<'f>],
    names: &'f [String],
    notes: &mut Notes,
) -> Result<Members, DescriptionError> {
    let finder = Finder { source, document, model, nodes, names };
    let roots = finder.roots();
    let best = roots.iter().max_by_key(|root| (root.hinges, usize::MAX - root.body));
    let Some(best) = best.filter(|root| root.hinges > 0) else {
        return Err(source.whole().error("there is no hinge: a hand has at least one"));
    };
    let fingers = finder.fingers(&roots, best);
    let is_palm = fingers.len() > 1 || (finder.hinge_at_world(best.body) && !finder.shapes_near(&[best]).is_empty());
    let members = if is_palm { finder.around_the_world(&roots, &fingers) } else { finder.tree(best.body) };
    finder.tell(&roots, &members, notes);
    Ok(members)
}

impl<'f> Finder<'f> {
    fn parent(&self, index: usize) -> Option<usize> {
        self.model.bodies[index + 1].parent.and_then(|parent| parent.checked_sub(1))
    }

    fn root_of(&self, mut index: usize) -> usize {
        while let Some(parent) = self.parent(index) {
            index = parent;
        }
        index
    }

    fn of_tree(&self, root: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|index| self.root_of(*index) == root).collect()
    }

    fn tree(&self, root: usize) -> Members {
        Members { bodies: self.of_tree(root), palm: None }
    }

    fn hinge_count(&self, index: usize) -> usize {
        let joints = &self.model.bodies[index + 1].body.joints;
        joints.iter().filter(|joint| joint.type_ == JointType::Hinge).count()
    }

    fn hinge_at_world(&self, root: usize) -> bool {
        self.hinge_count(root) > 0
    }

    fn roots(&self) -> Vec<Root> {
        let roots = (0..self.nodes.len()).filter(|index| self.parent(*index).is_none());
        roots.map(|body| self.root(body)).collect()
    }

    fn root(&self, body: usize) -> Root {
        let of_tree = self.of_tree(body);
        let turning: Vec<usize> = of_tree.iter().copied().filter(|index| self.hinge_count(*index) > 0).collect();
        let above = |index: usize| std::iter::successors(self.parent(index), |above| self.parent(*above));
        let carries = |index: usize| turning.iter().any(|other| above(*other).any(|above| above == index));
        let joints = || of_tree.iter().flat_map(|index| &self.model.bodies[index + 1].body.joints);
        Root {
            body,
            hinges: of_tree.iter().map(|index| self.hinge_count(*index)).sum(),
            ends: turning.iter().filter(|index| !carries(**index)).count(),
            floats: joints().any(|joint| joint.type_ == JointType::Free),
            driven: joints().filter_map(|joint| joint.name.as_deref()).any(|joint| self.is_driven(joint)),
            at_m: isometry(&self.model.bodies[body + 1].body.pose).translation.vector,
        }
    }

    fn is_driven(&self, joint: &str) -> bool {
        let named =
            |node: Node| ["joint", "joint1", "joint2"].into_iter().any(|key| node.attribute(key) == Some(joint));
        let sections = self.document.root_element().children();
        let sections = sections.filter(|node| ["actuator", "tendon", "equality"].contains(&node.tag_name().name()));
        sections.flat_map(|section| section.descendants()).any(named)
    }

    /// The trees that are one hand together with the best one.
    fn fingers<'r>(&self, roots: &'r [Root], best: &'r Root) -> Vec<&'r Root> {
        let moving = || roots.iter().filter(|root| root.hinges > 0);
        let hands = moving().filter(|root| root.ends >= ENDS_OF_A_HAND).count();
        if best.floats || hands > 1 {
            return vec![best];
        }
        // What has no motor beside fingers that have, or one hinge beside fingers of several, is a door or a valve.
        let any_driven = moving().any(|root| root.driven);
        let near = |root: &Root| (root.at_m - best.at_m).norm() <= REACH_M;
        let like_a_finger = |root: &Root| root.driven || (!any_driven && root.hinges >= best.hinges.min(2));
        moving().filter(|root| !root.floats && near(root) && like_a_finger(root)).collect()
    }

    /// Fingers, what stands still among them, and the shapes of the world there.
    fn around_the_world(&self, roots: &[Root], fingers: &[&Root]) -> Members {
        let near = |at_m: &Vector3<f64>| fingers.iter().any(|finger| (at_m - finger.at_m).norm() <= REACH_M);
        let still = |root: &&Root| root.hinges == 0 && !root.floats && near(&root.at_m) && self.is_small(root.body);
        let mut bodies: Vec<usize> = fingers
            .iter()
            .copied()
            .chain(roots.iter().filter(still))
            .flat_map(|root| self.of_tree(root.body))
            .collect();
        bodies.sort_unstable();
        Members { bodies, palm: Some(self.shapes_near(fingers)) }
    }

    fn is_small(&self, root: usize) -> bool {
        let bodies = self.of_tree(root);
        let moves = bodies.iter().any(|index| !self.model.bodies[index + 1].body.joints.is_empty());
        !moves && bodies.iter().flat_map(|index| &self.model.bodies[index + 1].body.geoms).all(is_part)
    }

    /// Shapes of the world that can be parts of a palm with these fingers.
    fn shapes_near(&self, fingers: &[&Root]) -> Vec<usize> {
        let shapes = self.model.bodies[0].body.geoms.iter().enumerate();
        let near = |geom: &Geom| {
            let middle = match geom.fromto {
                Some([ax, ay, az, bx, by, bz]) => Vector3::new(ax + bx, ay + by, az + bz) / 2.0,
                None => isometry(&geom.pose).translation.vector,
            };
            fingers.iter().any(|finger| (middle - finger.at_m).norm() <= REACH_M)
        };
        shapes.filter(|(_, geom)| is_part(geom) && near(geom)).map(|(index, _)| index).collect()
    }

    fn tell(&self, roots: &[Root], members: &Members, notes: &mut Notes) {
        let place = |node: Node| self.source.place_of(node);
        for root in roots.iter().filter(|root| !members.bodies.contains(&root.body)) {
            let done = "the tree with most hinges is the hand";
            notes.ignored(&place(self.nodes[root.body].body), "bodies beside the hand", &self.names[root.body], done);
        }
        let shapes = super::world_geoms(self.document);
        if let Some(palm) = &members.palm {
            let first = members.bodies.iter().find(|index| self.parent(**index).is_none());
            let at = first.map_or_else(|| self.source.whole(), |index| place(self.nodes[*index].body));
            let done =
                "the world is the palm: what hangs there is one hand, and the world's shapes near it are parts of it";
            notes.approximated(&at, "hand without a palm of its own", "", done);
            let aside = shapes.iter().enumerate().filter(|(index, _)| !palm.contains(index));
            for (_, node) in aside {
                let name = node.attribute("name").unwrap_or_default();
                notes.ignored(
                    &place(*node),
                    "shapes of the world",
                    name,
                    "floors, walls and tables are no part of a hand",
                );
            }
        } else if let Some(first) = shapes.first() {
            notes.ignored(&place(*first), "shapes of the world", "", "the object falls freely beside the hand");
        }
    }
}

/// Whether a shape can be part of a hand by its kind and size.
fn is_part(geom: &Geom) -> bool {
    let size = geom.size;
    let half = match geom.type_ {
        GeomType::Plane | GeomType::Hfield => return false,
        GeomType::Sphere => size[0],
        GeomType::Capsule | GeomType::Cylinder => size[0].max(size[1]),
        GeomType::Box | GeomType::Ellipsoid => size[0].max(size[1]).max(size[2]),
        // How large these are, the file does not say.
        GeomType::Mesh | GeomType::Sdf => 0.0,
    };
    half <= SCENERY_M
}
