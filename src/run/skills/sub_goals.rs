//! What a skill that reads a goal is told: quarter turns about its own axis, one after the other, whatever the task asks for.
//!
//! Such a skill was trained on goals that are always the same turn away (`turn-goals` about one axis). While it acts, the way
//! to the next such turn stands in what it reads in place of the way to the task's goal.

use super::orientations::Orientations;
use giraffe_robots::{Signal, SignalFrame, rotation_from_xyzw};
use nalgebra::{UnitQuaternion, Vector3};
use std::f32::consts::FRAC_PI_2;
use std::sync::Arc;

/// What the skills of a set are told in an episode.
#[derive(Debug, Clone)]
pub struct SubGoals {
    orientations: Arc<Orientations>,
    /// In the level frame, for each skill; none for a skill that reads no goal.
    axes: Arc<[Option<Vector3<f32>>]>,
    tolerance_rad: f32,
    /// Which skill pursues what: palm from object.
    pursued: Option<(usize, UnitQuaternion<f32>)>,
}

impl SubGoals {
    /// Nothing is pursued yet. `axes`: in the level frame, one for each skill.
    pub fn new(orientations: Arc<Orientations>, axes: Arc<[Option<Vector3<f32>>]>, tolerance_rad: f32) -> Self {
        Self { orientations, axes, tolerance_rad, pursued: None }
    }

    /// An episode begins.
    pub fn reset(&mut self) {
        self.pursued = None;
    }

    /// What the skill reads that acts in this step: what is sensed, with its own goal in place of the task's. Nothing for a
    /// skill that reads no goal, and while nobody has seen the object: then there is nothing to turn from.
    pub fn told(&mut self, skill: usize, sensed: &SignalFrame) -> Option<SignalFrame> {
        let axis = (*self.axes.get(skill)?)?;
        let seen = rotation_from_xyzw(sensed.read(Signal::ObjectRotation)?.try_into().ok()?)?;
        let stamp = sensed.stamp(Signal::ObjectRotation)?;
        let goal = self.next(skill, &axis, &seen);
        let mut told = sensed.clone();
        told.write(Signal::GoalRotation, goal.coords.as_slice());
        // As old as the pose that it comes from.
        told.write_at(Signal::GoalRotationError, (goal * seen.inverse()).scaled_axis().as_slice(), stamp);
        Some(told)
    }

    fn next(&mut self, skill: usize, axis: &Vector3<f32>, seen: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
        let quarter = UnitQuaternion::from_scaled_axis(self.orientations.in_palm(axis) * FRAC_PI_2);
        let goal = match self.pursued {
            Some((pursuer, goal)) if pursuer == skill && goal.angle_to(seen) > self.tolerance_rad => goal,
            // Reached: on from the goal, not from where the object passed it, or it would creep away from lying flat.
            Some((pursuer, goal)) if pursuer == skill => quarter * goal,
            _ => quarter * self.orientations.flat(seen),
        };
        self.pursued = Some((skill, goal));
        goal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{Nanos, SignalLayout};

    fn sensed(rotation: UnitQuaternion<f32>) -> SignalFrame {
        let mut frame = SignalFrame::new(SignalLayout { joint_count: 1, action_count: 1, ..SignalLayout::default() });
        frame.write(Signal::ObjectRotation, rotation.coords.as_slice());
        frame.write(Signal::GoalRotation, &[1.0, 0.0, 0.0, 0.0]);
        frame.begin(Nanos::from_secs(0.2));
        frame
    }

    fn about_y(angle_rad: f32) -> UnitQuaternion<f32> {
        UnitQuaternion::from_scaled_axis(Vector3::y() * angle_rad)
    }

    /// The first skill tips about y, the second reads no goal.
    fn tipping() -> SubGoals {
        let axes = [Some(Vector3::y()), None];
        SubGoals::new(Arc::new(Orientations::new(UnitQuaternion::identity())), axes.into(), 0.4)
    }

    fn goal_of(told: &SignalFrame) -> UnitQuaternion<f32> {
        rotation_from_xyzw(told.read(Signal::GoalRotation).expect("told").try_into().expect("four"))
            .expect("a rotation")
    }

    #[test]
    fn a_skill_is_told_a_quarter_turn_from_how_the_object_nearly_lies_until_that_is_reached_and_then_the_next() {
        let mut goals = tipping();
        for (seen_rad, goal_rad) in [(0.1, 1.0), (0.9, 1.0), (1.1, 1.0), (1.3, 2.0), (2.2, 2.0)] {
            let told = goals.told(0, &sensed(about_y(seen_rad))).expect("it reads a goal");
            let expected = about_y(goal_rad * FRAC_PI_2);
            assert!(goal_of(&told).angle_to(&expected) < 2e-3, "seen at {seen_rad}");
            let error_rad = told.read(Signal::GoalRotationError).expect("told")[1];
            assert!((error_rad - (goal_rad * FRAC_PI_2 - seen_rad)).abs() < 2e-3, "{error_rad}");
            assert_eq!(told.stamp(Signal::GoalRotationError), Some(Nanos(0)), "as old as the pose");
        }
    }

    #[test]
    fn one_that_takes_over_begins_from_how_the_object_lies_then() {
        let mut goals = tipping();
        goals.told(0, &sensed(about_y(0.0)));
        assert!(goals.told(1, &sensed(about_y(1.5))).is_none(), "it reads no goal");
        goals.reset();
        let told = goals.told(0, &sensed(about_y(1.5))).expect("it reads a goal");
        assert!(goal_of(&told).angle_to(&about_y(2.0 * FRAC_PI_2)) < 2e-3);
    }
}
