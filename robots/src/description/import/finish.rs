//! What a file does not say and a hand needs: a resting pose, fingertips, regions, where an object is put, which shapes
//! never touch.

use super::raw::{RawGeom, RawHand, RawJoint};
use super::report::Notes;
use super::shape::Solid;
use super::tree::{Link, Tip, Tree, middle};
use nalgebra::{Isometry3, Point3, Vector3};
use std::collections::BTreeMap;

/// The resting pose is the middle of the range, but no farther than this from zero, rad.
const HOME_LIMIT_RAD: f64 = 0.8;
/// The ball that an object fits in when it is put on the palm, m: a cube of 70 mm touches it with its faces only.
const OBJECT_RADIUS_M: f64 = 0.035;
/// Places for an object are tried this far from one another, m.
const OBJECT_STEP_M: f64 = 0.01;
/// How far above what lies below an object starts, m.
const OBJECT_GAP_M: f64 = 0.015;
/// Shapes that overlap by more than this in the resting pose, m, never touch.
const OVERLAP_M: f64 = 5e-4;

/// The resting pose by joint: that of the file, or the middle of the limits.
pub(super) fn home(hand: &RawHand, tree: &Tree, notes: &mut Notes) -> BTreeMap<String, f64> {
    let joints: Vec<&RawJoint> = tree.links.iter().filter_map(|link| link.joint.as_ref()).collect();
    let wrists: Vec<&str> = tree
        .carriers()
        .into_iter()
        .filter_map(|link| tree.links[link].joint.as_ref().map(|joint| joint.name.as_str()))
        .collect();
    let mut angles = BTreeMap::new();
    for joint in &joints {
        let [lower, upper] = joint.limits_rad;
        // A wrist rests straight, however far it turns to either side: it decides where the palm faces.
        let limit = if wrists.contains(&joint.name.as_str()) { 0.0 } else { HOME_LIMIT_RAD };
        let middle = ((lower + upper) / 2.0).clamp(-limit, limit).clamp(lower, upper);
        let said = hand.home_rad.as_ref().and_then(|home| home.get(&joint.name)).copied();
        if said.is_some_and(|angle| angle < lower - 1e-6 || angle > upper + 1e-6) {
            notes.approximated(
                &joint.place,
                "joint that the key `home` puts beyond its limits",
                &joint.name,
                "at its limit",
            );
        }
        angles.insert(joint.name.clone(), said.map_or(middle, |angle| angle.clamp(lower, upper)));
    }
    if hand.home_rad.is_none() {
        let done = format!("the middle of each joint's range, but at most {HOME_LIMIT_RAD} rad from zero");
        notes.assumed(&hand.file, "no resting pose (a key `home`)", "", done);
    }
    for coupling in &hand.couplings {
        let Some(leader) = angles.get(&coupling.leader) else { continue };
        let follower = coupling.offset_rad + coupling.ratio * leader;
        let limits = joints.iter().find(|joint| joint.name == coupling.follower).map(|joint| joint.limits_rad);
        let [lower, upper] = limits.unwrap_or([follower, follower]);
        angles.insert(coupling.follower.clone(), follower.clamp(lower, upper));
    }
    angles
}

/// A tip per finger: on the line from the last hinge through the middle of the last link's shapes, as far as they reach.
/// A note is taken only if these are used, `alone`.
pub(super) fn tips(hand: &RawHand, tree: &Tree, alone: bool, notes: &mut Notes) -> Vec<Tip> {
    if alone {
        notes.assumed(&hand.file, "no fingertips", "", "the far end of the last body of each chain");
    }
    let tip = |index: usize| {
        let link = &tree.links[index];
        Tip { name: link.name.clone(), link: index, point_m: far_end(link) }
    };
    fingers(tree, notes).into_iter().map(tip).collect()
}

/// The last link of each finger. Of several that hang at one first link, as the rods of a linkage do beside the finger they
/// move, the one at the end of most hinges, and of those the farthest.
fn fingers(tree: &Tree, notes: &mut Notes) -> Vec<usize> {
    let carriers = tree.carriers();
    let open = tree.poses(RawJoint::open_rad);
    let mut chosen: Vec<(usize, usize, (usize, f64))> = Vec::new();
    for end in tree.ends() {
        let first = tree.first_of_finger(&carriers, end);
        let chain = std::iter::successors(Some(end), |link| tree.links[*link].parent).take_while(|link| *link != first);
        let far = (open[end] * far_end(&tree.links[end]) - Point3::from(open[first].translation.vector)).norm();
        let rank = (chain.count(), far);
        match chosen.iter_mut().find(|(known, ..)| *known == first) {
            Some(known) => {
                let is_longer = rank.0 > known.2.0 || (rank.0 == known.2.0 && rank.1 > known.2.1);
                let aside = if is_longer { known.1 } else { end };
                if is_longer {
                    *known = (first, end, rank);
                }
                let link = &tree.links[aside];
                let done = "no fingertips: the longest of what hangs there is the finger";
                notes.assumed(&link.place, "ends beside a finger", &link.name, done);
            }
            None => chosen.push((first, end, rank)),
        }
    }
    chosen.into_iter().map(|(_, end, _)| end).collect()
}

fn far_end(link: &Link) -> Point3<f64> {
    let anchor = link.joint.as_ref().map_or_else(Point3::origin, |joint| joint.anchor_m);
    let towards = middle(&link.geoms).unwrap_or(link.mass.center_m);
    let Some(direction) = (towards - anchor).try_normalize(1e-6) else { return towards };
    let reach = |geom: &RawGeom| {
        let solid = Solid::new(&geom.shape, geom.body_from_geom);
        (solid.center() - anchor).dot(&direction) + solid.reach(&direction)
    };
    let farthest = link.geoms.iter().map(reach).fold((towards - anchor).norm(), f64::max);
    anchor + direction * farthest
}

/// Where the centre of an object is put: between palm and fingertips, above what lies below it.
pub(super) fn object_home(tree: &Tree, tips: &[Tip], poses: &[Isometry3<f64>]) -> Point3<f64> {
    let mean = |points: Vec<Point3<f64>>| {
        let count = points.len().max(1) as f64;
        points.iter().map(|point| point.coords).sum::<Vector3<f64>>() / count
    };
    let at_tips = mean(tips.iter().map(|tip| poses[tip.link] * tip.point_m).collect());
    let carriers = tree.carriers();
    let bases = tips.iter().map(|tip| poses[tree.first_of_finger(&carriers, tip.link)].translation.vector.into());
    let between = (at_tips + mean(bases.collect())) / 2.0;
    let solids = |moves: bool| {
        let links = tree.links.iter().zip(poses).filter(move |(link, _)| link.moves == moves);
        links.flat_map(|(link, pose)| {
            link.geoms.iter().map(move |geom| Solid::new(&geom.shape, pose * geom.body_from_geom))
        })
    };
    let top = |solid: &Solid| solid.center().z + solid.reach(&Vector3::z());
    let fixed: Vec<Solid> = solids(false).collect();
    let all: Vec<Solid> = solids(false).chain(solids(true)).collect();
    // Where the fingers leave room, an object rests lower: the lowest place nearby, a step aside counting as a step up.
    let aside = |steps: i32| (-steps..=steps).map(|step| f64::from(step) * OBJECT_STEP_M);
    let places = aside(3).flat_map(|x| aside(3).map(move |y| Vector3::new(x, y, 0.0)));
    let rests = places.map(|step| {
        let place = between + step;
        let below = fixed
            .iter()
            .filter(|solid| solid.distance(&Point3::new(place.x, place.y, solid.center().z)) < OBJECT_RADIUS_M);
        let below = below.map(top).fold(f64::NEG_INFINITY, f64::max);
        let floor = if below.is_finite() { below } else { between.z.min(at_tips.z) };
        let start = floor + OBJECT_RADIUS_M;
        let free =
            |z: &f64| all.iter().all(|solid| solid.distance(&Point3::new(place.x, place.y, *z)) >= OBJECT_RADIUS_M);
        let z = (0..80).map(|rise| start + 0.0025 * f64::from(rise)).find(free).unwrap_or(start + 0.2);
        (z + step.norm(), Point3::new(place.x, place.y, z + OBJECT_GAP_M))
    });
    rests.min_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(|| between.into(), |(_, place)| place)
}

/// Pairs of links (smaller index first) that never touch: those the file excludes, neighbours, links whose collision
/// bits never meet, and links that overlap in the resting pose.
pub(super) fn excludes(
    hand: &RawHand,
    tree: &Tree,
    poses: &[Isometry3<f64>],
    notes: &mut Notes,
) -> Vec<(usize, usize)> {
    let links = &tree.links;
    let said = |a: usize, b: usize| {
        let went = |body: usize| tree.bodies[body].0;
        hand.excludes.iter().any(|(c, d)| [(went(*c), went(*d)), (went(*d), went(*c))].contains(&(a, b)))
    };
    let mut pairs = Vec::new();
    for a in 0..links.len() {
        for b in a + 1..links.len() {
            let on_palm = |index: usize| links[index].parent.is_some_and(|parent| !links[parent].moves);
            let neighbours =
                links[b].parent == Some(a) || (!links[a].moves && on_palm(b)) || (!links[b].moves && on_palm(a));
            if said(a, b) || neighbours {
                pairs.push((a, b));
                continue;
            }
            if !bits_meet(&links[a], &links[b]) {
                let name = format!("{} and {}", links[a].name, links[b].name);
                let what = "collision bits (`contype`, `conaffinity`) that never meet, of bodies";
                notes.approximated(
                    &links[b].place,
                    what,
                    &name,
                    "these never touch one another; an object touches all",
                );
                pairs.push((a, b));
                continue;
            }
            let solids = |index: usize| {
                let of_geom = move |geom: &RawGeom| Solid::new(&geom.shape, poses[index] * geom.body_from_geom);
                links[index].geoms.iter().map(of_geom).collect::<Vec<_>>()
            };
            let others = solids(b);
            if solids(a).iter().any(|solid| others.iter().any(|other| solid.overlaps(other, OVERLAP_M))) {
                let name = format!("{} and {}", links[a].name, links[b].name);
                let what = "shapes that overlap in the resting pose, of bodies";
                notes.assumed(&links[b].place, what, &name, "these never touch one another");
                pairs.push((a, b));
            }
        }
    }
    pairs
}

fn bits_meet(a: &Link, b: &Link) -> bool {
    let meet = |one: &RawGeom, other: &RawGeom| {
        let ((type_a, affine_a), (type_b, affine_b)) = (one.collision_bits, other.collision_bits);
        type_a & affine_b != 0 || type_b & affine_a != 0
    };
    // Without shapes there is nothing to exclude.
    a.geoms.is_empty() || b.geoms.is_empty() || a.geoms.iter().any(|one| b.geoms.iter().any(|other| meet(one, other)))
}
