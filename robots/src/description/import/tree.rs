//! From bodies as a file has them to links as giraffe has them: what moves has one hinge and a mass, what is welded to
//! it is part of it, and what never moves hangs at the palm.

use super::inertia::Mass;
use super::raw::{Placement, RawBody, RawGeom, RawHand, RawJoint, moving};
use super::report::Notes;
use crate::description::Place;
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};

/// Of a body with several hinges, each link but the last gets this part of its mass.
const BETWEEN_SHARE: f64 = 0.01;

/// A link: fixed, or with one hinge. Its frame at joint angle zero stands at `parent_from_link`.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) parent: Option<usize>,
    pub(super) parent_from_link: Isometry3<f64>,
    pub(super) joint: Option<RawJoint>,
    pub(super) mass: Mass,
    pub(super) geoms: Vec<RawGeom>,
    pub(super) moves: bool,
}

/// Links, and where each body of the file went.
pub(super) struct Tree {
    pub(super) links: Vec<Link>,
    /// For each body of the file: its link, and its frame there.
    pub(super) bodies: Vec<(usize, Isometry3<f64>)>,
    /// Welded bodies that are part of another one: their name and that of the link.
    pub(super) merged: Vec<(String, String)>,
}

/// A point on a fingertip, in the frame of its link.
pub(super) struct Tip {
    pub(super) name: String,
    pub(super) link: usize,
    pub(super) point_m: Point3<f64>,
}

/// Makes links of bodies, which weigh what `weigh_body` says.
pub(super) fn grow(
    hand: &RawHand,
    mut weigh_body: impl FnMut(&RawBody, bool, &mut Notes) -> Option<Mass>,
    notes: &mut Notes,
) -> Tree {
    let placement = match &hand.placement {
        Placement::Said(rotation) => *rotation,
        Placement::Drawn | Placement::Unknown => UnitQuaternion::identity(),
    };
    let moves = moving_by_hinges(hand);
    let mut tree = Tree { links: Vec::new(), bodies: Vec::new(), merged: Vec::new() };
    let root = &hand.bodies[0];
    if moves[0] {
        let base = Link { mass: Mass::ZERO, geoms: Vec::new(), ..empty(&format!("{}_base", root.name), &root.place) };
        tree.links.push(base);
        notes.assumed(&root.place, "the first body has a hinge", &root.name, "a fixed palm was put under it");
    }
    for (body, moves) in hand.bodies.iter().zip(&moves) {
        let mass = weigh_body(body, *moves, notes);
        let (parent, parent_from_body) = match body.parent {
            Some(parent) => {
                let (link, link_from_parent) = tree.bodies[parent];
                (Some(link), link_from_parent * body.parent_from_body)
            }
            // The frame of the palm has the axes of the world.
            None => (moves.then_some(0), Isometry3::from_parts(Vector3::zeros().into(), placement)),
        };
        let stand = tree.add(body, parent, parent_from_body, mass, *moves, notes);
        tree.bodies.push(stand);
    }
    tree
}

/// Bodies that move, by hinges that are not held.
fn moving_by_hinges(hand: &RawHand) -> Vec<bool> {
    let free = |body: &RawBody| body.joints.iter().any(|joint| !joint.is_locked());
    moving(&hand.bodies, free)
}

fn empty(name: &str, place: &Place) -> Link {
    Link {
        name: name.to_owned(),
        place: place.clone(),
        parent: None,
        parent_from_link: Isometry3::identity(),
        joint: None,
        mass: Mass::ZERO,
        geoms: Vec::new(),
        moves: false,
    }
}

impl Tree {
    /// Adds one body; where it went.
    fn add(
        &mut self,
        body: &RawBody,
        parent: Option<usize>,
        parent_from_body: Isometry3<f64>,
        mass: Option<Mass>,
        moves: bool,
        notes: &mut Notes,
    ) -> (usize, Isometry3<f64>) {
        let hinges = body.joints.iter().filter(|joint| !joint.is_locked()).count();
        if hinges > 1 {
            notes.approximated(&body.place, "bodies with several hinges", &body.name, "a chain of links");
        }
        let (mut owner, mut owner_from_here, mut seen) = (parent, parent_from_body, 0);
        for joint in &body.joints {
            let reference = joint.motion(-joint.reference_rad);
            if joint.is_locked() {
                owner_from_here = owner_from_here * reference * joint.motion(joint.limits_rad[0]);
                continue;
            }
            seen += 1;
            let name = if seen == hinges { body.name.clone() } else { format!("{}_turn_{seen}", body.name) };
            let share = if seen == hinges { 1.0 - BETWEEN_SHARE * (hinges - 1) as f64 } else { BETWEEN_SHARE };
            self.links.push(Link {
                parent: owner,
                parent_from_link: owner_from_here * reference,
                joint: Some(joint.clone()),
                mass: if seen == hinges { Mass::ZERO } else { mass.map_or(Mass::ZERO, |mass| mass.scaled(share)) },
                moves: true,
                ..empty(&name, &body.place)
            });
            owner = Some(self.links.len() - 1);
            owner_from_here = Isometry3::identity();
        }
        let own = mass.map(|mass| mass.scaled(1.0 - BETWEEN_SHARE * hinges.saturating_sub(1) as f64));
        match owner.filter(|_| moves) {
            Some(owner) => {
                self.carry(owner, body, &owner_from_here, own, hinges == 0);
                (owner, owner_from_here)
            }
            None => (self.fix(body, owner, owner_from_here, own), self.frame_of_fixed(owner, owner_from_here)),
        }
    }

    /// Shapes and mass of a body become part of a link.
    fn carry(&mut self, owner: usize, body: &RawBody, at: &Isometry3<f64>, mass: Option<Mass>, welded: bool) {
        let link = &mut self.links[owner];
        if let Some(mass) = mass {
            link.mass = link.mass.and(&mass.moved(at));
        }
        link.geoms.extend(moved(&body.geoms, at));
        if welded {
            let name = link.name.clone();
            self.merged.push((body.name.clone(), name));
        }
    }

    /// A body that never moves stays a body of its own. The first one's frame is the palm's, whatever its own was.
    fn fix(&mut self, body: &RawBody, parent: Option<usize>, at: Isometry3<f64>, mass: Option<Mass>) -> usize {
        let own = if parent.is_some() { Isometry3::identity() } else { at };
        self.links.push(Link {
            parent,
            parent_from_link: if parent.is_some() { at } else { Isometry3::identity() },
            mass: mass.map_or(Mass::ZERO, |mass| mass.moved(&own)),
            geoms: moved(&body.geoms, &own),
            ..empty(&body.name, &body.place)
        });
        self.links.len() - 1
    }

    fn frame_of_fixed(&self, parent: Option<usize>, at: Isometry3<f64>) -> Isometry3<f64> {
        if parent.is_some() { Isometry3::identity() } else { at }
    }

    /// Pose of every link in the palm frame, for an angle per moving link.
    pub(super) fn poses(&self, angle_rad: impl Fn(&RawJoint) -> f64) -> Vec<Isometry3<f64>> {
        let mut poses: Vec<Isometry3<f64>> = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let motion = link.joint.as_ref().map_or_else(Isometry3::identity, |joint| joint.motion(angle_rad(joint)));
            let parent = link.parent.map_or_else(Isometry3::identity, |parent| poses[parent]);
            poses.push(parent * link.parent_from_link * motion);
        }
        poses
    }

    /// Turns the palm frame: everything fixed to it stands at `turn` from where it stood.
    pub(super) fn turn(&mut self, turn: &UnitQuaternion<f64>) {
        let turn = Isometry3::from_parts(Vector3::zeros().into(), *turn);
        let base = &mut self.links[0];
        base.geoms = moved(&base.geoms, &turn);
        base.mass = base.mass.moved(&turn);
        for link in self.links.iter_mut().filter(|link| link.parent == Some(0)) {
            link.parent_from_link = turn * link.parent_from_link;
        }
        for (link, frame) in &mut self.bodies {
            if *link == 0 {
                *frame = turn * *frame;
            }
        }
    }

    /// Links whose joint carries the whole hand, as a wrist's does: at their end hang all fingers, of which there are at
    /// least two.
    pub(super) fn carriers(&self) -> Vec<usize> {
        let ends = self.ends();
        if ends.len() < 2 {
            return Vec::new();
        }
        let chain =
            |end: usize| -> Vec<usize> { std::iter::successors(Some(end), |link| self.links[*link].parent).collect() };
        let chains: Vec<Vec<usize>> = ends.into_iter().map(chain).collect();
        let carries_all =
            |link: &usize| self.links[*link].joint.is_some() && chains.iter().all(|chain| chain.contains(link));
        (0..self.links.len()).filter(carries_all).collect()
    }

    /// The first link of the finger that ends in this one: the one next to the palm.
    pub(super) fn first_of_finger(&self, carriers: &[usize], mut link: usize) -> usize {
        let of_finger = |parent: &usize| !self.is_palm(carriers, *parent);
        while let Some(parent) = self.links[link].parent.filter(of_finger) {
            link = parent;
        }
        link
    }

    /// Whether a link is palm or forearm: it does not move, or all fingers hang at it.
    pub(super) fn is_palm(&self, carriers: &[usize], link: usize) -> bool {
        !self.links[link].moves || carriers.contains(&link)
    }

    /// The links of the palm.
    pub(super) fn palm(&self) -> Vec<usize> {
        let carriers = self.carriers();
        (0..self.links.len()).filter(|link| self.is_palm(&carriers, *link)).collect()
    }

    /// Moving links that carry no other: the ends of the fingers.
    pub(super) fn ends(&self) -> Vec<usize> {
        let carries = |index: usize| self.links.iter().any(|link| link.parent == Some(index));
        (0..self.links.len()).filter(|index| self.links[*index].moves && !carries(*index)).collect()
    }
}

fn moved(geoms: &[RawGeom], by: &Isometry3<f64>) -> Vec<RawGeom> {
    geoms.iter().map(|geom| RawGeom { body_from_geom: by * geom.body_from_geom, ..geom.clone() }).collect()
}

/// The middle of shapes.
pub(super) fn middle(geoms: &[RawGeom]) -> Option<Point3<f64>> {
    let sum: Vector3<f64> = geoms.iter().map(|geom| geom.body_from_geom.translation.vector).sum();
    (!geoms.is_empty()).then(|| (sum / geoms.len() as f64).into())
}
