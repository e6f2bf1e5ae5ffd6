//! How one number is drawn.

use giraffe_robots::{Limits, StreamRng, standard_normal_pair};
use rand::RngExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How one number is drawn. In TOML a bare number, or one of
/// `{ uniform = { min = 0.8, max = 1.2 } }`, `{ log_uniform = { min = 0.5, max = 2.0 } }`,
/// `{ normal = { mean = 1.0, deviation = 0.1 } }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always this.
    Fixed(f32),
    /// Every value between two ends is as likely.
    Uniform {
        /// Smallest value.
        min: f32,
        /// Largest value.
        max: f32,
    },
    /// Every ratio is as likely: the logarithm is uniform. Both ends above zero.
    LogUniform {
        /// Smallest value.
        min: f32,
        /// Largest value.
        max: f32,
    },
    /// Normal, cut off at the bounds of the parameter (drawn again, not piled up at the ends).
    Normal {
        /// Mean before the cut.
        mean: f32,
        /// Standard deviation before the cut.
        deviation: f32,
    },
}

/// Draws of a normal before giving up and clamping. [`Distribution::problem`] keeps the deviation below the width of
/// the bounds, so that at least a third of all draws lie inside: the chance of getting here is below 1e-11.
const NORMAL_TRIES: u32 = 64;

impl Distribution {
    /// One value inside `bounds`.
    pub fn draw(&self, bounds: Limits, rng: &mut StreamRng) -> f32 {
        let value = match *self {
            Self::Fixed(value) => value,
            Self::Uniform { min, max } => rng.random_range(min..=max),
            Self::LogUniform { min, max } => rng.random_range(min.ln()..=max.ln()).exp().clamp(min, max),
            Self::Normal { mean, deviation } => {
                let mut draws = (0..NORMAL_TRIES).map(|_| mean + deviation * standard_normal_pair(rng)[0]);
                draws.find(|value| bounds.contains(*value)).unwrap_or(mean)
            }
        };
        bounds.clamp(value)
    }

    /// The values that can be drawn, given the bounds of the parameter.
    pub fn support(&self, bounds: Limits) -> Limits {
        match *self {
            Self::Fixed(value) => Limits { lower: value, upper: value },
            Self::Uniform { min, max } | Self::LogUniform { min, max } => Limits { lower: min, upper: max },
            Self::Normal { deviation, mean } if deviation > 0.0 && mean.is_finite() => bounds,
            Self::Normal { mean, .. } => Limits { lower: mean, upper: mean },
        }
    }

    /// The same kind of distribution, with every distance from `center` (in the logarithm, for log-uniform)
    /// times `fraction`.
    #[must_use]
    pub fn contracted(&self, center: f32, fraction: f32) -> Self {
        let near = |value: f32| center + fraction * (value - center);
        match *self {
            Self::Fixed(value) => Self::Fixed(near(value)),
            Self::Uniform { min, max } => Self::Uniform { min: near(min), max: near(max) },
            Self::LogUniform { min, max } => {
                let near = |value: f32| center * (value / center).powf(fraction);
                Self::LogUniform { min: near(min), max: near(max) }
            }
            Self::Normal { mean, deviation } => Self::Normal { mean: near(mean), deviation: fraction * deviation },
        }
    }

    /// What is wrong with this distribution as such (its place relative to the bounds aside, but for the width of a
    /// normal), or nothing.
    pub(crate) fn problem(&self, bounds: Limits) -> Option<String> {
        match *self {
            Self::Fixed(value) if !value.is_finite() => Some("the value must be a finite number".to_owned()),
            Self::Uniform { min, max } | Self::LogUniform { min, max } if !(min.is_finite() && max.is_finite()) => {
                Some("min and max must be finite numbers".to_owned())
            }
            Self::Uniform { min, max } | Self::LogUniform { min, max } if min > max => {
                Some("min is above max; swap them".to_owned())
            }
            Self::LogUniform { min, .. } if min <= 0.0 => {
                Some("min of a log_uniform must be above zero; use uniform to include zero".to_owned())
            }
            Self::Normal { mean, deviation } if !(mean.is_finite() && deviation.is_finite()) => {
                Some("mean and deviation must be finite numbers".to_owned())
            }
            Self::Normal { deviation, .. } if deviation < 0.0 => Some("deviation must be zero or above".to_owned()),
            Self::Normal { mean, .. } if !bounds.contains(mean) => {
                Some(format!("mean must lie between {} and {}", bounds.lower, bounds.upper))
            }
            Self::Normal { deviation, .. } if deviation > bounds.upper - bounds.lower => Some(format!(
                "deviation is wider than the whole range allowed, {} to {}; use uniform",
                bounds.lower, bounds.upper
            )),
            _ => None,
        }
    }
}

impl fmt::Display for Distribution {
    /// As it would stand in a TOML file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(value) => write!(f, "{value}"),
            Self::Uniform { min, max } => write!(f, "{{ uniform = {{ min = {min}, max = {max} }} }}"),
            Self::LogUniform { min, max } => write!(f, "{{ log_uniform = {{ min = {min}, max = {max} }} }}"),
            Self::Normal { mean, deviation } => {
                write!(f, "{{ normal = {{ mean = {mean}, deviation = {deviation} }} }}")
            }
        }
    }
}

/// The written form of everything but a bare number.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    Uniform { min: f32, max: f32 },
    LogUniform { min: f32, max: f32 },
    Normal { mean: f32, deviation: f32 },
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Fixed(value) => serializer.serialize_f32(value),
            Self::Uniform { min, max } => Written::Uniform { min, max }.serialize(serializer),
            Self::LogUniform { min, max } => Written::LogUniform { min, max }.serialize(serializer),
            Self::Normal { mean, deviation } => Written::Normal { mean, deviation }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistributionVisitor)
    }
}

struct DistributionVisitor;

impl<'de> Visitor<'de> for DistributionVisitor {
    type Value = Distribution;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number, { uniform = { min, max } }, { log_uniform = { min, max } } or { normal = { mean, deviation } }",
        )
    }

    fn visit_f64<E>(self, value: f64) -> Result<Distribution, E> {
        Ok(Distribution::Fixed(value as f32))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Distribution, E> {
        Ok(Distribution::Fixed(value as f32))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Distribution, E> {
        Ok(Distribution::Fixed(value as f32))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
        Ok(match Written::deserialize(MapAccessDeserializer::new(map))? {
            Written::Uniform { min, max } => Distribution::Uniform { min, max },
            Written::LogUniform { min, max } => Distribution::LogUniform { min, max },
            Written::Normal { mean, deviation } => Distribution::Normal { mean, deviation },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{SeedTree, Stream};

    const BOUNDS: Limits = Limits { lower: 0.1, upper: 4.0 };
    const DRAW_COUNT: usize = 2000;

    fn draws(distribution: Distribution) -> Vec<f32> {
        let mut rng = SeedTree::new(11).stream(Stream::Parameters, 0, 0);
        (0..DRAW_COUNT).map(|_| distribution.draw(BOUNDS, &mut rng)).collect()
    }

    /// Kolmogorov and Smirnov: the largest distance between the empirical and the given distribution function stays
    /// below 1.95 / sqrt(n) with a chance of 99.9 %.
    fn assert_distributed(distribution: Distribution, cumulative: impl Fn(f64) -> f64) {
        let mut values = draws(distribution);
        values.sort_by(f32::total_cmp);
        let n = values.len() as f64;
        let gap = |(i, value): (usize, &f32)| {
            let expected = cumulative(f64::from(*value));
            (expected - i as f64 / n).abs().max((expected - (i + 1) as f64 / n).abs())
        };
        let largest = values.iter().enumerate().map(gap).fold(0.0, f64::max);
        assert!(largest < 1.95 / n.sqrt(), "{distribution}: the largest gap is {largest}");
    }

    /// Integral of the normal density from minus infinity to `z`, by Simpson's rule from -8.
    fn normal_cumulative(z: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let count = 400;
        let step = (z + 8.0) / f64::from(count);
        let weight = |i| {
            if i == 0 || i == count {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        (0..=count).map(|i| weight(i) * density(-8.0 + step * f64::from(i))).sum::<f64>() * step / 3.0
    }

    #[test]
    fn uniform_draws_are_uniform() {
        assert_distributed(Distribution::Uniform { min: 0.5, max: 1.5 }, |x| x - 0.5);
    }

    #[test]
    fn log_uniform_draws_are_uniform_in_the_logarithm() {
        assert_distributed(Distribution::LogUniform { min: 0.25, max: 4.0 }, |x| (x / 0.25).ln() / 16_f64.ln());
    }

    #[test]
    fn normal_draws_are_normal_between_the_bounds() {
        let (mean, deviation) = (1.0, 0.8);
        let below = |x: f64| normal_cumulative((x - mean) / deviation);
        let (low, high) = (below(f64::from(BOUNDS.lower)), below(f64::from(BOUNDS.upper)));
        let distribution = Distribution::Normal { mean: mean as f32, deviation: deviation as f32 };
        assert_distributed(distribution, |x| (below(x) - low) / (high - low));
        assert!(draws(distribution).iter().all(|x| BOUNDS.contains(*x)));
    }

    #[test]
    fn fixed_draws_are_all_the_same() {
        assert!(draws(Distribution::Fixed(0.7)).iter().all(|x| x.to_bits() == 0.7_f32.to_bits()));
    }

    #[test]
    fn a_range_of_one_value_can_be_drawn_from() {
        let same = Distribution::Uniform { min: 0.7, max: 0.7 };
        assert!(draws(same).iter().all(|x| x.to_bits() == 0.7_f32.to_bits()));
        let mut rng = SeedTree::new(11).stream(Stream::Parameters, 0, 0);
        let still = Distribution::Normal { mean: 0.7, deviation: 0.0 };
        assert!((still.draw(BOUNDS, &mut rng) - 0.7).abs() < 1e-6);
        assert!((Distribution::LogUniform { min: 0.7, max: 0.7 }.draw(BOUNDS, &mut rng) - 0.7).abs() < 1e-6);
    }

    #[test]
    fn contraction_keeps_the_center_and_shrinks_the_rest() {
        let half = Distribution::Uniform { min: 0.5, max: 2.0 }.contracted(1.0, 0.5);
        assert_eq!(half, Distribution::Uniform { min: 0.75, max: 1.5 });
        let Distribution::LogUniform { min, max } =
            Distribution::LogUniform { min: 0.25, max: 4.0 }.contracted(1.0, 0.5)
        else {
            panic!("the kind stays");
        };
        assert!((min - 0.5).abs() < 1e-6 && (max - 2.0).abs() < 1e-6, "{min} to {max}");
    }
}
