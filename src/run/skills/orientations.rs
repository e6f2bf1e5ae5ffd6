//! The 24 ways in which a cube can lie flat, the turns that lead from one to another, and how far off a cube is from the
//! nearest.
//!
//! "Level" is the frame about whose axes goals lie: the palm's own normal rather than the z axis of its frame. An orientation
//! is `turn(off) * way`: one of the 24 ways, then turned by what it is off. A cube looks the same whichever of its faces is
//! which, so what a skill does depends on `off` alone, and is told as a turn in the level frame.

use giraffe_robots::Symmetry;
use nalgebra::{UnitQuaternion, Vector3};

/// How many ways there are, and as many turns between them.
pub const WAY_COUNT: usize = 24;

/// One of the 24 ways to lie flat; also one of the 24 turns from one to another. The first leaves everything as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way(u8);

impl Way {
    /// The way that is the level frame's own, and the turn that is none.
    pub const LEVEL: Way = Way(0);

    /// From its number; none above 23.
    pub fn numbered(number: usize) -> Option<Way> {
        (number < WAY_COUNT).then_some(Way(number as u8))
    }

    /// Its number, from 0 to 23.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// Where a cube lies: near which way, and how it is turned out of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lying {
    /// The nearest way.
    pub way: Way,
    /// The turn from there to where it is, as a rotation vector in the level frame, rad.
    pub off_rad: Vector3<f32>,
}

/// The ways, and how turns follow one another.
#[derive(Debug, Clone)]
pub struct Orientations {
    level_from_palm: UnitQuaternion<f32>,
    ways: Vec<UnitQuaternion<f32>>,
    /// `products[a][b]`: first `b`, then `a`.
    products: Vec<[Way; WAY_COUNT]>,
    inverses: Vec<Way>,
}

impl Orientations {
    /// About the axes of this frame.
    pub fn new(palm_from_level: UnitQuaternion<f32>) -> Self {
        let ways = Symmetry::Cube.rotations();
        let nearest = |rotation: &UnitQuaternion<f32>| nearest(&ways, rotation).0;
        let products =
            ways.iter().map(|after| std::array::from_fn(|before| nearest(&(after * ways[before])))).collect();
        let inverses = ways.iter().map(|way| nearest(&way.inverse())).collect();
        Self { level_from_palm: palm_from_level.inverse(), ways, products, inverses }
    }

    /// Near which way an object lies.
    pub fn lying(&self, palm_from_object: &UnitQuaternion<f32>) -> Lying {
        let level_from_object = self.level_from_palm * palm_from_object;
        let (way, rotation) = nearest(&self.ways, &level_from_object);
        Lying { way, off_rad: (level_from_object * rotation.inverse()).scaled_axis() }
    }

    /// The orientation of a way, in the level frame.
    pub fn rotation(&self, way: Way) -> UnitQuaternion<f32> {
        self.ways[way.number()]
    }

    /// First `before`, then `after`.
    pub fn product(&self, after: Way, before: Way) -> Way {
        self.products[after.number()][before.number()]
    }

    /// The turn that undoes a turn.
    pub fn inverse(&self, turn: Way) -> Way {
        self.inverses[turn.number()]
    }

    /// The turn that leads from one way to another.
    pub fn turn_between(&self, from: Way, to: Way) -> Way {
        self.product(to, self.inverse(from))
    }

    /// The whole turn of a cube that lay off by `off_rad`, then turned by `turn` and was off by `off_after_rad`, as a rotation
    /// vector in the level frame, rad.
    pub fn whole_turn_rad(&self, off_rad: &Vector3<f32>, turn: Way, off_after_rad: &Vector3<f32>) -> Vector3<f32> {
        let about = |off: &Vector3<f32>| UnitQuaternion::from_scaled_axis(*off);
        (about(off_after_rad) * self.rotation(turn) * about(off_rad).inverse()).scaled_axis()
    }
}

/// The nearest of the ways. Of equals the first counts.
fn nearest(ways: &[UnitQuaternion<f32>], rotation: &UnitQuaternion<f32>) -> (Way, UnitQuaternion<f32>) {
    let mut best = (Way::LEVEL, UnitQuaternion::identity(), f32::NEG_INFINITY);
    for (number, way) in ways.iter().enumerate() {
        // The cosine of half the angle between them.
        let likeness = way.coords.dot(&rotation.coords).abs();
        // Rounding must not decide between equals.
        if likeness > best.2 + 1e-6 {
            best = (Way(number as u8), *way, likeness);
        }
    }
    (best.0, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_2;

    fn turned(x: f32, y: f32, z: f32) -> UnitQuaternion<f32> {
        UnitQuaternion::from_scaled_axis(Vector3::new(x, y, z))
    }

    #[test]
    fn four_quarter_turns_lead_back_and_a_turn_between_two_ways_leads_from_one_to_the_other() {
        let all = Orientations::new(UnitQuaternion::identity());
        let quarter = all.lying(&turned(0.0, 0.0, FRAC_PI_2)).way;
        let twice = all.product(quarter, quarter);
        assert_ne!(twice, Way::LEVEL);
        assert_eq!(all.product(twice, twice), Way::LEVEL);
        for (from, to) in [(3, 17), (0, 5), (23, 8)] {
            let (from, to) = (Way(from), Way(to));
            let turn = all.turn_between(from, to);
            let reached = all.rotation(turn) * all.rotation(from);
            assert!(reached.angle_to(&all.rotation(to)) < 1e-3);
        }
    }

    #[test]
    fn a_cube_lies_near_one_way_about_the_level_axes_and_is_off_by_the_rest() {
        let palm_from_level = turned(0.0, 0.3, 0.0);
        let all = Orientations::new(palm_from_level);
        let palm_from_object = palm_from_level * turned(0.0, 0.0, 0.2) * turned(FRAC_PI_2, 0.0, 0.0);
        let lying = all.lying(&palm_from_object);
        assert!(all.rotation(lying.way).angle_to(&turned(FRAC_PI_2, 0.0, 0.0)) < 1e-3);
        assert!((lying.off_rad - Vector3::new(0.0, 0.0, 0.2)).norm() < 1e-3, "{}", lying.off_rad);
    }

    #[test]
    fn what_a_turn_does_is_the_same_whichever_face_is_which() {
        let all = Orientations::new(turned(0.1, -0.2, 0.0));
        let (before, after) = (turned(0.1, 0.2, 0.3), turned(-0.1, 0.1, 1.9));
        let turn_of = |relabelled: UnitQuaternion<f32>| {
            let (one, two) = (all.lying(&(before * relabelled)), all.lying(&(after * relabelled)));
            (
                all.turn_between(one.way, two.way),
                all.whole_turn_rad(&one.off_rad, all.turn_between(one.way, two.way), &two.off_rad),
            )
        };
        let (turn, whole_rad) = turn_of(UnitQuaternion::identity());
        for way in 0..WAY_COUNT {
            let (again, again_rad) = turn_of(all.rotation(Way(way as u8)));
            assert_eq!(again, turn);
            assert!((again_rad - whole_rad).norm() < 1e-3, "{again_rad} is not {whole_rad}");
        }
    }
}
