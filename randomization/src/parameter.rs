//! One randomized parameter: a row of [`crate::PARAMETERS`].

use crate::distribution::Distribution;
use crate::effect::Effect;
use crate::error::RandomizationError;
use giraffe_physics::{JointParameters, WorldParameters};
use giraffe_robots::{Limits, StreamRng};
use rand::RngExt;
use serde::Serialize;
use std::f32::consts::PI;

/// A physical parameter that may differ from world to world.
#[derive(Debug, Clone, Copy)]
pub struct RandomizedParameter {
    /// Name: config key, critic column, log column, state key of automatic domain randomization.
    pub name: &'static str,
    /// Unit of values, bounds and ranges; `x` for a factor.
    pub unit: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What a value does to the nominal number.
    pub meaning: Meaning,
    /// The value that leaves a nominal world as it is. For [`Meaning::Replace`] that of the description and of
    /// `WorldParameters::nominal`.
    pub nominal: f32,
    /// Physically sensible values; never crossed, whatever is asked.
    pub bounds: Limits,
    /// The range when switched on without one. Also the scale of the critic's column.
    pub usual: Distribution,
    /// Where the usual range comes from.
    pub source: &'static str,
    /// What changes when the value does, and which way. Tested.
    pub effect: Effect,
    /// The first preset in which it varies.
    pub preset: FirstPreset,
    /// How a value enters a world.
    pub apply: Apply,
}

/// The first preset in which a parameter varies, from the narrowest set of parameters to the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstPreset {
    /// `narrow` and `wide`, and so also `full`.
    Wide,
    /// `full` only: policies were trained and published with `wide` before this parameter was in the table, and `wide`
    /// must mean the same worlds as then.
    Full,
}

/// What a value does to the number it is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Takes its place.
    Replace,
    /// Multiplies it.
    Multiply,
    /// Is added to it.
    Add,
}

/// A value together with its meaning: the only way a row touches a number, so that the documented meaning is the one
/// that acts.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    meaning: Meaning,
    value: f32,
}

impl Change {
    /// Changes one number.
    pub fn to(self, number: &mut f32) {
        match self.meaning {
            Meaning::Replace => *number = self.value,
            Meaning::Multiply => *number *= self.value,
            Meaning::Add => *number += self.value,
        }
    }
}

/// How a value enters a world.
#[derive(Debug, Clone, Copy)]
pub enum Apply {
    /// Drawn once per episode.
    World(fn(&mut WorldParameters, Change)),
    /// Drawn once per episode, with a direction in the horizontal plane (the last argument, rad from the palm's x
    /// axis) that is always uniform over the full circle.
    Horizontal(fn(&mut WorldParameters, Change, f32)),
    /// Drawn once per episode, with a direction in space (the last argument, a unit vector) that is always uniform over
    /// the sphere.
    Direction(fn(&mut WorldParameters, Change, [f32; 3])),
    /// Every joint has its own value.
    Joint(fn(&mut JointParameters, Change), JointDraw),
}

/// How the values of the joints hang together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JointDraw {
    /// One draw for all joints, since servos of one make err together; then each joint's own value, uniform within
    /// this fraction of the common one, and still inside the range that was asked for. The critic's column is the
    /// common draw.
    Shared {
        /// Largest deviation of one joint, as a fraction of the common value.
        spread: f32,
    },
    /// Each joint for itself. The critic's column is the mean over the joints.
    Independent,
}

impl RandomizedParameter {
    /// Whether a distribution may be used for this parameter.
    ///
    /// # Errors
    /// When it cannot be drawn from, or reaches beyond [`RandomizedParameter::bounds`].
    pub fn check(&self, distribution: Distribution) -> Result<(), RandomizationError> {
        let name = self.name.to_owned();
        if let Some(problem) = distribution.problem(self.bounds) {
            return Err(RandomizationError::InvalidRange { name, found: distribution, problem });
        }
        let reach = distribution.support(self.bounds);
        if self.bounds.contains(reach.lower) && self.bounds.contains(reach.upper) {
            return Ok(());
        }
        let (bounds, unit) = (self.bounds, self.unit);
        Err(RandomizationError::OutsideBounds { name, found: distribution, reach, bounds, unit })
    }

    /// Draws from a distribution that passed [`RandomizedParameter::check`], applies the result, and returns the
    /// critic's column.
    pub fn draw(&self, distribution: Distribution, world: &mut WorldParameters, rng: &mut StreamRng) -> f32 {
        match self.apply {
            Apply::Joint(apply, JointDraw::Independent) => {
                let mut sum = 0.0;
                for joint in &mut world.joints {
                    let value = distribution.draw(self.bounds, rng);
                    apply(joint, self.change(value));
                    sum += value;
                }
                sum / world.joints.len().max(1) as f32
            }
            _ => {
                let value = distribution.draw(self.bounds, rng);
                self.spread(value, distribution.support(self.bounds), world, rng);
                value
            }
        }
    }

    /// Applies a value that was already drawn: adds what stays random about it (a direction, the difference between
    /// joints inside `range`).
    pub fn spread(&self, value: f32, range: Limits, world: &mut WorldParameters, rng: &mut StreamRng) {
        let value = self.bounds.clamp(value);
        match self.apply {
            Apply::World(apply) => apply(world, self.change(value)),
            Apply::Horizontal(apply) => apply(world, self.change(value), rng.random_range(-PI..=PI)),
            Apply::Direction(apply) => apply(world, self.change(value), direction(rng)),
            Apply::Joint(apply, JointDraw::Shared { spread }) => {
                let reach = spread * value.abs();
                let lower = (value - reach).max(range.lower).min(value);
                let upper = (value + reach).min(range.upper).max(value);
                for joint in &mut world.joints {
                    apply(joint, self.change(rng.random_range(lower..=upper)));
                }
            }
            Apply::Joint(apply, JointDraw::Independent) => {
                world.joints.iter_mut().for_each(|joint| apply(joint, self.change(value)));
            }
        }
    }

    /// Applies exactly this value, clamped to the bounds: the same to every joint, and along the palm's x axis.
    pub fn set(&self, value: f32, world: &mut WorldParameters) {
        let change = self.change(self.bounds.clamp(value));
        match self.apply {
            Apply::World(apply) => apply(world, change),
            Apply::Horizontal(apply) => apply(world, change, 0.0),
            Apply::Direction(apply) => apply(world, change, [1.0, 0.0, 0.0]),
            Apply::Joint(apply, _) => world.joints.iter_mut().for_each(|joint| apply(joint, change)),
        }
    }

    /// The values that the critic's column maps to -1 and 1: the ends of the usual range, widened to hold the nominal
    /// value, whatever range is asked for, so that a column means the same number in every run.
    pub fn column_limits(&self) -> Limits {
        let Limits { lower, upper } = self.usual.support(self.bounds);
        Limits { lower: lower.min(self.nominal), upper: upper.max(self.nominal) }
    }

    pub(crate) fn change(&self, value: f32) -> Change {
        Change { meaning: self.meaning, value }
    }
}

/// A unit vector, uniform over the sphere: its height is uniform (Archimedes), and so is its azimuth.
fn direction(rng: &mut StreamRng) -> [f32; 3] {
    let z: f32 = rng.random_range(-1.0..=1.0);
    let azimuth_rad: f32 = rng.random_range(-PI..=PI);
    let across = (1.0 - z * z).sqrt();
    [across * azimuth_rad.cos(), across * azimuth_rad.sin(), z]
}
