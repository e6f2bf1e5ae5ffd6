//! One randomized parameter: a row of [`crate::PARAMETERS`].

use crate::distribution::Distribution;
use crate::effect::Effect;
use crate::error::RandomizationError;
use giraffe_physics::{JointParameters, WorldParameters};
use giraffe_robots::{Limits, StreamRng};
use rand::RngExt;
use serde::Serialize;
use std::cell::{Cell, RefCell};
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

impl Meaning {
    /// The value that makes `number` of `nominal`; 1 for a factor of zero, of which any value makes zero.
    fn value_of(self, number: f32, nominal: f32) -> f32 {
        match self {
            Meaning::Replace => number,
            Meaning::Multiply if nominal.abs() > 0.0 => number / nominal,
            Meaning::Multiply => 1.0,
            Meaning::Add => number - nominal,
        }
    }

    /// What becomes of `number` when the value that it was made with becomes another. What other rows did to it stays;
    /// only a factor of zero had undone that, and then it begins at `nominal`.
    fn led(self, number: f32, nominal: f32, from: f32, to: f32) -> f32 {
        match self {
            Meaning::Replace => to,
            Meaning::Multiply if from.abs() > 0.0 => number * (to / from),
            Meaning::Multiply => nominal * to,
            Meaning::Add => number + (to - from),
        }
    }
}

/// What happens to a number: the only way a row touches one, so that the documented meaning is the one that acts.
#[derive(Clone, Copy)]
pub struct Change<'a>(Act<'a>);

#[derive(Clone, Copy)]
enum Act<'a> {
    /// At the start of an episode, to a nominal number.
    Value { meaning: Meaning, value: f32 },
    /// In the middle of one.
    Edit(&'a dyn Fn(&mut f32)),
}

impl Change<'_> {
    /// Changes one number.
    pub fn to(self, number: &mut f32) {
        match self.0 {
            Act::Value { meaning: Meaning::Replace, value } => *number = value,
            Act::Value { meaning: Meaning::Multiply, value } => *number *= value,
            Act::Value { meaning: Meaning::Add, value } => *number += value,
            Act::Edit(edit) => edit(number),
        }
    }
}

/// How a value enters a world.
#[derive(Debug, Clone, Copy)]
pub enum Apply {
    /// Drawn once per episode.
    World(fn(&mut WorldParameters, Change<'_>)),
    /// Drawn once per episode, with a direction in the horizontal plane (the last argument, rad from the palm's x
    /// axis) that is always uniform over the full circle. The second function reads the value that a world has, along that
    /// direction: x and y.
    Horizontal(fn(&mut WorldParameters, Change<'_>, f32), fn(&WorldParameters) -> [f32; 2]),
    /// Drawn once per episode, with a direction in space (the last argument, a unit vector) that is always uniform over
    /// the sphere. The second function reads the value that a world has, along that direction.
    Direction(fn(&mut WorldParameters, Change<'_>, [f32; 3]), fn(&WorldParameters) -> [f32; 3]),
    /// Every joint has its own value, in one number that is nobody else's.
    Joint(fn(&mut JointParameters, Change<'_>), JointDraw),
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
            Apply::Horizontal(apply, _) => apply(world, self.change(value), rng.random_range(-PI..=PI)),
            Apply::Direction(apply, _) => apply(world, self.change(value), direction(rng)),
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
            Apply::Horizontal(apply, _) => apply(world, change, 0.0),
            Apply::Direction(apply, _) => apply(world, change, [1.0, 0.0, 0.0]),
            Apply::Joint(apply, _) => world.joints.iter_mut().for_each(|joint| apply(joint, change)),
        }
    }

    /// The values that the critic's column maps to -1 and 1: the ends of the usual range, widened to hold the nominal
    /// value, whatever range is asked for, so that a column means the same number in every run.
    pub fn column_limits(&self) -> Limits {
        let Limits { lower, upper } = self.usual.support(self.bounds);
        Limits { lower: lower.min(self.nominal), upper: upper.max(self.nominal) }
    }

    pub(crate) fn change(&self, value: f32) -> Change<'static> {
        Change(Act::Value { meaning: self.meaning, value })
    }

    /// The value that makes `world` of the nominal one, where no other row touches its numbers: the mean over the joints,
    /// and of a direction the length.
    pub(crate) fn value_in(&self, world: &WorldParameters, nominal: &WorldParameters) -> f32 {
        match self.apply {
            Apply::World(apply) => {
                let first = |world| numbers(|change| apply(&mut WorldParameters::clone(world), change))[0];
                self.meaning.value_of(first(world), first(nominal))
            }
            Apply::Horizontal(_, read) => length(&read(world)),
            Apply::Direction(_, read) => length(&read(world)),
            Apply::Joint(..) => mean(&self.joint_values(world, nominal)),
        }
    }

    /// The value of each joint in `world`; nothing for a row that joints have no value of their own in.
    pub(crate) fn joint_values(&self, world: &WorldParameters, nominal: &WorldParameters) -> Vec<f32> {
        let Apply::Joint(apply, _) = self.apply else { return Vec::new() };
        let number = |joint: &JointParameters| numbers(|change| apply(&mut joint.clone(), change))[0];
        let pairs = world.joints.iter().zip(&nominal.joints);
        pairs.map(|(now, nominal)| self.meaning.value_of(number(now), number(nominal))).collect()
    }

    /// Leads a world in which this row has the value `from` to one in which it has the value `to`, and all other rows what
    /// they have. For rows with one value.
    pub(crate) fn lead(&self, world: &mut WorldParameters, nominal: &WorldParameters, from: f32, to: f32) {
        let Apply::World(apply) = self.apply else { return };
        let nominal = numbers(|change| apply(&mut nominal.clone(), change));
        let next = Cell::new(0);
        let edit = |number: &mut f32| {
            *number = self.meaning.led(*number, nominal[next.get()], from, to);
            next.set(next.get() + 1);
        };
        apply(world, Change(Act::Edit(&edit)));
    }

    /// As [`RandomizedParameter::lead`], for rows of which every joint has a value.
    pub(crate) fn lead_joints(&self, world: &mut WorldParameters, nominal: &WorldParameters, to: &[f32]) {
        let Apply::Joint(apply, _) = self.apply else { return };
        let from = self.joint_values(world, nominal);
        for ((joint, nominal), (from, to)) in world.joints.iter_mut().zip(&nominal.joints).zip(from.iter().zip(to)) {
            let nominal = numbers(|change| apply(&mut nominal.clone(), change))[0];
            let edit = |number: &mut f32| *number = self.meaning.led(*number, nominal, *from, *to);
            apply(joint, Change(Act::Edit(&edit)));
        }
    }
}

/// The numbers that a row touches, in the order in which it does.
fn numbers(touch: impl FnOnce(Change<'_>)) -> Vec<f32> {
    let seen = RefCell::new(Vec::new());
    let look = |number: &mut f32| seen.borrow_mut().push(*number);
    touch(Change(Act::Edit(&look)));
    seen.into_inner()
}

pub(crate) fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|axis| axis * axis).sum::<f32>().sqrt()
}

pub(crate) fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// A unit vector, uniform over the sphere: its height is uniform (Archimedes), and so is its azimuth.
fn direction(rng: &mut StreamRng) -> [f32; 3] {
    let z: f32 = rng.random_range(-1.0..=1.0);
    let azimuth_rad: f32 = rng.random_range(-PI..=PI);
    let across = (1.0 - z * z).sqrt();
    [across * azimuth_rad.cos(), across * azimuth_rad.sin(), z]
}
