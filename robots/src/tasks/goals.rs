//! Which orientations an object is asked to have, one after the other.
//!
//! Goals lie about the palm's *resting normal*, the way the upper side of a cube points that lies in the hand: in the
//! *goal frame*, whose z is that normal and whose y is as near to the palm's as can be. In the LEAP hand it leans by 17
//! degrees towards the fingertips; goals that are flat in the palm frame would waste most of a tolerance of 0.4 rad.

use crate::dial::{Dial, value_at};
use crate::model::RobotModel;
use crate::seed::StreamRng;
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use rand::RngExt;
use std::f32::consts::{FRAC_PI_2, PI};

/// One of the axes that goals turn about, in the goal frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoalAxis {
    direction: [f32; 3],
    /// How often it is drawn.
    pub(super) dial: Dial,
}

impl GoalAxis {
    pub(super) fn axis(&self) -> Vector3<f32> {
        self.direction.into()
    }
}

const fn goal_axis(name: &'static str, direction: [f32; 3], usual: f32) -> GoalAxis {
    let doc = "how often turns about this axis of the goal frame are asked for, against the other axes";
    GoalAxis { direction, dial: Dial { name, doc, usual, least: 0.0, most: 1.0 } }
}

/// The axes there are. Turns about x wedge a cube on its edge in the LEAP hand, whose fingers and thumb oppose each other
/// along it; turns about y and z generate all orientations of a cube.
pub(super) const AXES: [GoalAxis; 6] = [
    goal_axis("plus_x_weight", [1.0, 0.0, 0.0], 0.0),
    goal_axis("minus_x_weight", [-1.0, 0.0, 0.0], 0.0),
    goal_axis("plus_y_weight", [0.0, 1.0, 0.0], 1.0),
    goal_axis("minus_y_weight", [0.0, -1.0, 0.0], 0.0),
    goal_axis("plus_z_weight", [0.0, 0.0, 1.0], 1.0),
    goal_axis("minus_z_weight", [0.0, 0.0, -1.0], 0.0),
];

/// A task's numbers, and after them the weights of [`AXES`].
pub(super) const fn with_axes<const OWN: usize, const ALL: usize>(own: &[Dial; OWN]) -> [Dial; ALL] {
    assert!(ALL == OWN + AXES.len());
    let mut dials = [own[0]; ALL];
    let mut at = 0;
    while at < ALL {
        dials[at] = if at < OWN { own[at] } else { AXES[at - OWN].dial };
        at += 1;
    }
    dials
}

/// The weights among a task's numbers, which are those from `first` on.
pub(super) const fn weights_from(values: &[f32], first: usize) -> [f32; AXES.len()] {
    let mut weights = [0.0; AXES.len()];
    let mut axis = 0;
    while axis < AXES.len() {
        weights[axis] = value_at(values, first + axis);
        axis += 1;
    }
    weights
}

/// What is wrong with weights that are all zero.
pub(super) const NO_AXIS: &str = "no axis has a weight, so there is none to turn about; set one above 0";

/// An index, drawn as often as its weight says.
pub(super) fn weighted(weights: &[f32], rng: &mut StreamRng) -> usize {
    let mut left = rng.random_range(0.0..1.0) * weights.iter().sum::<f32>();
    let chosen = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    // Rounding may leave a little over.
    chosen.or_else(|| weights.iter().rposition(|weight| *weight > 0.0)).unwrap_or(0)
}

/// The goal frame: its z is the resting normal, and it is turned no further than that takes.
pub(super) fn palm_from_goal_frame(robot: &RobotModel) -> UnitQuaternion<f32> {
    let upside_down = || UnitQuaternion::from_axis_angle(&Vector3::y_axis(), PI);
    UnitQuaternion::rotation_between(&Vector3::z(), &robot.resting_normal).unwrap_or_else(upside_down)
}

/// How goals are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoalSet {
    /// A quarter turn from the last goal reached, or else from where the object nearly is, about an axis drawn by weights.
    QuarterTurns,
    /// Any of the orientations in which the object looks as it does when it lies in the hand unturned.
    Faces,
    /// The same, and only which of its sides is up counts.
    FaceUp,
    /// Any orientation (uniform over all rotations).
    Uniform,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// This orientation, palm frame.
    Orientation(UnitQuaternion<f32>),
    /// This direction of the object's own frame along the resting normal, turned anyhow about it.
    Up(Vector3<f32>),
}

/// Draws goals for one hand and object.
#[derive(Debug, Clone)]
pub(super) struct Goals {
    set: GoalSet,
    weights: [f32; AXES.len()],
    palm_from_goal: UnitQuaternion<f32>,
    /// Turns of the object that leave its form as it is.
    alike: Vec<UnitQuaternion<f32>>,
    /// A goal that is nearer than this is reached already, rad.
    tolerance_rad: f32,
}

/// Draws before a goal is taken that is reached already: a sphere has no other.
const DRAWS: usize = 100;

impl Goals {
    pub(super) fn new(
        set: GoalSet,
        weights: [f32; AXES.len()],
        robot: &RobotModel,
        alike: Vec<UnitQuaternion<f32>>,
        tolerance_rad: f32,
    ) -> Self {
        Self { set, weights, palm_from_goal: palm_from_goal_frame(robot), alike, tolerance_rad }
    }

    /// The next goal: for an object that is turned so, after a goal that was reached, if one was.
    pub(super) fn next(&self, now: &UnitQuaternion<f32>, reached: Option<&Goal>, rng: &mut StreamRng) -> Goal {
        if self.set == GoalSet::QuarterTurns {
            let from = match reached {
                Some(Goal::Orientation(goal)) => *goal,
                _ => self.nearest_aligned(now),
            };
            let axis = self.palm_from_goal * AXES[weighted(&self.weights, rng)].axis();
            return Goal::Orientation(UnitQuaternion::from_scaled_axis(axis * FRAC_PI_2) * from);
        }
        let mut goal = self.any(rng);
        for _ in 0..DRAWS {
            if self.error(&goal, now).norm() > self.tolerance_rad {
                break;
            }
            goal = self.any(rng);
        }
        goal
    }

    fn any(&self, rng: &mut StreamRng) -> Goal {
        match self.set {
            GoalSet::Uniform => Goal::Orientation(uniform_rotation(rng)),
            GoalSet::FaceUp => {
                let turn = self.alike[rng.random_range(0..self.alike.len())];
                Goal::Up(turn.inverse() * Vector3::z())
            }
            GoalSet::Faces | GoalSet::QuarterTurns => {
                Goal::Orientation(self.palm_from_goal * self.alike[rng.random_range(0..self.alike.len())])
            }
        }
    }

    /// Of the orientations in which the object lies in the hand, aligned with the goal frame, the nearest.
    fn nearest_aligned(&self, now: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
        let aligned = self.alike.iter().map(|turn| self.palm_from_goal * turn);
        aligned.min_by(|a, b| a.angle_to(now).total_cmp(&b.angle_to(now))).unwrap_or(*now)
    }

    /// The smallest turn that takes an object from how it is turned now to the goal: a rotation vector in the palm frame.
    pub(super) fn error(&self, goal: &Goal, now: &UnitQuaternion<f32>) -> Vector3<f32> {
        match goal {
            Goal::Orientation(goal) => (goal * now.inverse()).scaled_axis(),
            Goal::Up(direction) => {
                let (is, shall) = (now * direction, self.palm_from_goal * Vector3::z());
                // Straight down: any way over is as short.
                let over = || UnitQuaternion::from_scaled_axis(self.palm_from_goal * Vector3::y() * PI);
                UnitQuaternion::rotation_between(&is, &shall).unwrap_or_else(over).scaled_axis()
            }
        }
    }

    /// The orientation that is asked for; where several are, the nearest.
    pub(super) fn orientation(&self, goal: &Goal, now: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
        UnitQuaternion::from_scaled_axis(self.error(goal, now)) * now
    }
}

/// Uniform over all rotations (Shoemake 1992, "Uniform random rotations", Graphics Gems III).
fn uniform_rotation(rng: &mut StreamRng) -> UnitQuaternion<f32> {
    let [u, v, w]: [f32; 3] = std::array::from_fn(|_| rng.random_range(0.0..1.0));
    let (a, b) = ((1.0 - u).sqrt(), u.sqrt());
    let ((s, c), (sin, cos)) = ((2.0 * PI * v).sin_cos(), (2.0 * PI * w).sin_cos());
    UnitQuaternion::new_normalize(Quaternion::new(b * cos, a * s, a * c, b * sin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{SeedTree, Stream};
    use crate::symmetry::Symmetry;

    fn goals(set: GoalSet) -> Goals {
        let robot = crate::load_robot("leap-right").expect("the built-in hand");
        let mut weights = [0.0; AXES.len()];
        weights[2] = 1.0;
        Goals::new(set, weights, &robot, Symmetry::Cube.rotations(), 0.4)
    }

    fn rng(episode: u64) -> StreamRng {
        SeedTree::new(3).stream(Stream::Start, 0, episode)
    }

    #[test]
    fn the_goal_frame_leans_with_the_palm_of_leap_and_is_turned_no_further() {
        let frame = palm_from_goal_frame(&crate::load_robot("leap-right").expect("the built-in hand"));
        assert!((frame.angle() - 0.3).abs() < 0.05, "{}", frame.angle());
        assert!((frame * Vector3::y()).y > 0.999);
    }

    #[test]
    fn a_quarter_turn_goes_on_from_the_goal_that_was_reached_and_four_of_them_lead_back() {
        let goals = goals(GoalSet::QuarterTurns);
        let mut goal = None;
        let start = goals.palm_from_goal * UnitQuaternion::from_scaled_axis(Vector3::new(0.1, 0.0, 0.2));
        for step in 1..=8 {
            // The object stands askew when it counts as there.
            let next = goals.next(&start, goal.as_ref(), &mut rng(step));
            let Goal::Orientation(orientation) = next else { panic!("an orientation") };
            let turned = orientation.angle_to(&goals.palm_from_goal);
            let expected = [FRAC_PI_2, PI, FRAC_PI_2, 0.0][(step as usize - 1) % 4];
            assert!((turned - expected).abs() < 2e-3, "step {step}: {turned}");
            goal = Some(next);
        }
    }

    #[test]
    fn an_object_that_lies_flat_in_the_hand_is_nearly_at_one_of_the_goals() {
        let goals = goals(GoalSet::Faces);
        for episode in 0..50 {
            let now = goals.palm_from_goal * Symmetry::Cube.rotations()[episode as usize % 24];
            let goal = goals.next(&now, None, &mut rng(episode));
            let away_rad = goals.error(&goal, &now).norm();
            assert!(away_rad > 1.5, "quarter turns and more: {away_rad}");
            assert!((0..24).any(|k| {
                let lying = goals.palm_from_goal * Symmetry::Cube.rotations()[k];
                goals.error(&goal, &lying).norm() < 1e-2
            }));
        }
    }

    #[test]
    fn every_side_comes_up_and_then_only_the_lean_counts() {
        let goals = goals(GoalSet::FaceUp);
        let mut seen = std::collections::BTreeSet::new();
        for episode in 0..200 {
            let goal = goals.next(&goals.palm_from_goal, None, &mut rng(episode));
            let Goal::Up(side) = goal else { panic!("a side") };
            seen.insert(side.map(|part| part.round() as i32).as_slice().to_vec());
            let lying = UnitQuaternion::rotation_between(&side, &Vector3::z())
                .unwrap_or_else(|| UnitQuaternion::from_scaled_axis(Vector3::x() * PI));
            for yaw_rad in [0.0, 1.0, 3.0] {
                let turned = UnitQuaternion::from_scaled_axis(Vector3::z() * yaw_rad) * lying;
                assert!(goals.error(&goal, &(goals.palm_from_goal * turned)).norm() < 1e-2);
            }
            let leaning = UnitQuaternion::from_scaled_axis(Vector3::x() * 0.3) * lying;
            assert!((goals.error(&goal, &(goals.palm_from_goal * leaning)).norm() - 0.3).abs() < 1e-2);
        }
        // Not the one that is up already.
        assert_eq!(seen.len(), 5, "{seen:?}");
    }

    #[test]
    fn the_error_is_the_turn_that_leads_to_the_goal() {
        let goals = goals(GoalSet::Uniform);
        for episode in 0..100 {
            let mut rng = rng(episode);
            let (now, goal) = (uniform_rotation(&mut rng), Goal::Orientation(uniform_rotation(&mut rng)));
            let Goal::Orientation(shall) = goal else { panic!("an orientation") };
            assert!(goals.orientation(&goal, &now).angle_to(&shall) < 2e-3);
            assert!(goals.error(&goal, &now).norm() <= PI + 1e-4);
        }
    }

    #[test]
    fn rotations_are_uniform() {
        // The angle of a uniform rotation has density (1 - cos a) / pi: mean pi / 2 + 2 / pi.
        let mut rng = rng(0);
        let mean = (0..20_000).map(|_| uniform_rotation(&mut rng).angle()).sum::<f32>() / 20_000.0;
        assert!((mean - (FRAC_PI_2 + 2.0 / PI)).abs() < 0.02, "{mean}");
    }

    #[test]
    fn what_has_no_weight_is_never_drawn_and_the_rest_as_often_as_it_says() {
        let mut rng = rng(0);
        let mut counts = [0; 3];
        (0..4000).for_each(|_| counts[weighted(&[3.0, 0.0, 1.0], &mut rng)] += 1);
        assert_eq!(counts[1], 0);
        assert!((2900..3100).contains(&counts[0]), "{counts:?}");
    }
}
