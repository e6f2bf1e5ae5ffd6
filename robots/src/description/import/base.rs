//! A base that flies: simulators put a hand on slides and hinges to carry it about. A palm stands still here.

use super::raw::{RawBody, RawHand};
use super::report::Notes;

/// Hinges of a base behind its slides, at most: they turn it about three axes.
const MOST_HINGES: usize = 3;

/// Holds the hinges of a flying base. Its slides are fixed already.
pub(super) fn settle(hand: &mut RawHand, notes: &mut Notes) {
    let trunk = trunk(&hand.bodies);
    if trunk.iter().all(|body| !hand.bodies[*body].floats) {
        return;
    }
    let mut held = 0;
    for (at, &index) in trunk.iter().enumerate() {
        // What hangs at a shape is no part of the base but of the hand: its joints are a wrist's.
        if trunk[..at].iter().any(|above| !hand.bodies[*above].geoms.is_empty()) {
            return;
        }
        let body = &mut hand.bodies[index];
        for joint in body.joints.iter_mut().filter(|joint| !joint.is_locked()) {
            if held == MOST_HINGES {
                return;
            }
            held += 1;
            let straight = joint.open_rad();
            joint.limits_rad = [straight, straight];
            let done = "held where it is straight: the palm stands still";
            notes.approximated(&joint.place, "hinge of a base that flies", &joint.name, done);
        }
    }
}

/// The bodies from the root on that carry the whole hand.
fn trunk(bodies: &[RawBody]) -> Vec<usize> {
    let turns = |body: usize| {
        let below =
            |other: usize| std::iter::successors(Some(other), |at| bodies[*at].parent).any(|above| above == body);
        (0..bodies.len()).any(|other| !bodies[other].joints.is_empty() && below(other))
    };
    let mut trunk = vec![0];
    loop {
        let at = trunk[trunk.len() - 1];
        let next: Vec<usize> =
            (0..bodies.len()).filter(|body| bodies[*body].parent == Some(at) && turns(*body)).collect();
        match next[..] {
            [only] => trunk.push(only),
            _ => return trunk,
        }
    }
}
