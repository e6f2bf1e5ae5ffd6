//! Rows, groups and sides: what can be widened, and what a reach means for a row. Nothing here changes during a run.

use super::config::AdrConfig;
use crate::distribution::Distribution;
use crate::error::RandomizationError;
use crate::parameter::RandomizedParameter;
use crate::ranges::RangeConfig;
use giraffe_robots::Limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The smaller values.
    Lower,
    /// The larger values.
    Upper,
}

impl Side {
    /// Both.
    pub const ALL: [Side; 2] = [Side::Lower, Side::Upper];

    fn of(self, limits: Limits) -> f32 {
        match self {
            Side::Lower => limits.lower,
            Side::Upper => limits.upper,
        }
    }
}

/// Everything that can be widened.
#[derive(Debug)]
pub(super) struct Space {
    /// In the order of the table, one per column.
    pub rows: Vec<Row>,
    /// Every boundary that can be tested.
    pub sides: Vec<GroupSide>,
}

/// A row that varies.
#[derive(Debug)]
pub(super) struct Row {
    pub parameter: &'static RandomizedParameter,
    /// Where a reach of 1 is: the configured range, widened to hold the nominal value.
    pub edges: Limits,
    /// Whether values are drawn, and reaches measured, in the logarithm.
    pub logarithmic: bool,
    /// A value that a user fixed: no side then.
    fixed: Option<f32>,
    /// Index into [`Space::sides`] for the lower and the upper side, where there is something on that side.
    pub sides: [Option<usize>; 2],
}

/// One end of the ranges of a group.
#[derive(Debug)]
pub(super) struct GroupSide {
    /// Name of the row, or names with `+` between them.
    pub group: String,
    pub side: Side,
    /// Beyond this no row of the group changes any more.
    pub max_reach: f64,
}

/// Least boundary of a row that is drawn in the logarithm, times nominal.
const LOGARITHMIC_FLOOR: f32 = 1e-3;

impl Space {
    /// # Errors
    /// When a group cannot be, or nothing can be widened.
    pub fn new(ranges: &RangeConfig, config: &AdrConfig) -> Result<Self, RandomizationError> {
        config.validate()?;
        let group_of = config.grouped()?;
        let mut rows: Vec<Row> = ranges.rows().map(|(parameter, range)| Row::new(parameter, range)).collect();
        // Rows by group, in the order of the table; what is in no group is one of its own.
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut place: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            match group_of.get(row.parameter.name) {
                Some(group) if place.contains_key(group) => members[place[group]].push(index),
                Some(group) => {
                    place.insert(*group, members.len());
                    members.push(vec![index]);
                }
                None => members.push(vec![index]),
            }
        }
        let mut sides = Vec::new();
        for (group, side) in members.iter().flat_map(|group| Side::ALL.map(|side| (group, side))) {
            let group: Vec<usize> = group.iter().copied().filter(|row| rows[*row].has(side)).collect();
            if group.is_empty() {
                continue;
            }
            let names: Vec<&str> = group.iter().map(|row| rows[*row].parameter.name).collect();
            let farthest = group.iter().map(|row| rows[*row].reach_of_bound(side)).fold(0.0, f64::max);
            for row in &group {
                rows[*row].sides[side as usize] = Some(sides.len());
            }
            sides.push(GroupSide { group: names.join("+"), side, max_reach: farthest.min(config.max_reach.into()) });
        }
        if sides.is_empty() {
            return Err(RandomizationError::NothingToWiden);
        }
        Ok(Self { rows, sides })
    }
}

impl Row {
    fn new(parameter: &'static RandomizedParameter, range: Distribution) -> Self {
        let (reach, fixed) = match range {
            Distribution::Fixed(value) => (Limits { lower: value, upper: value }, Some(value)),
            // Practically all of it, as far as the bounds let it.
            Distribution::Normal { mean, deviation } => {
                let at = |value: f32| parameter.bounds.clamp(value);
                (Limits { lower: at(mean - 2.0 * deviation), upper: at(mean + 2.0 * deviation) }, None)
            }
            Distribution::Uniform { .. } | Distribution::LogUniform { .. } => (range.support(parameter.bounds), None),
        };
        let nominal = parameter.nominal;
        Self {
            parameter,
            edges: Limits { lower: reach.lower.min(nominal), upper: reach.upper.max(nominal) },
            logarithmic: matches!(range, Distribution::LogUniform { .. }) && nominal > 0.0,
            fixed,
            sides: [None; 2],
        }
    }

    fn has(&self, side: Side) -> bool {
        self.fixed.is_none() && (side.of(self.edges) - self.parameter.nominal).abs() > 0.0
    }

    /// Distance from nominal in the measure that values are drawn in.
    fn distance(&self, value: f32) -> f64 {
        let (value, nominal) = (f64::from(value), f64::from(self.parameter.nominal));
        if self.logarithmic { (value / nominal).ln() } else { value - nominal }
    }

    /// The physical bound, and for a logarithmic row something above zero in its place: zero has no logarithm.
    fn bound(&self, side: Side) -> f32 {
        let bound = side.of(self.parameter.bounds);
        if self.logarithmic { bound.max(LOGARITHMIC_FLOOR * self.parameter.nominal) } else { bound }
    }

    /// The reach at which the bound is met.
    fn reach_of_bound(&self, side: Side) -> f64 {
        self.distance(self.bound(side)) / self.distance(side.of(self.edges))
    }

    /// The boundary at this reach: never beyond the physical bounds, and exactly nominal at zero.
    pub fn boundary(&self, side: Side, reach: f64) -> f32 {
        let (nominal, distance) = (self.parameter.nominal, reach * self.distance(side.of(self.edges)));
        let value = match self.logarithmic {
            true => f64::from(nominal) * distance.exp(),
            false => f64::from(nominal) + distance,
        };
        (value as f32).clamp(self.bound(Side::Lower), self.bound(Side::Upper))
    }

    /// The range at the present reaches.
    pub fn range(&self, reach_of_side: impl Fn(usize) -> f64) -> Limits {
        if let Some(value) = self.fixed {
            return Limits { lower: value, upper: value };
        }
        let end = |side: Side| {
            let reach = self.sides[side as usize].map_or(0.0, &reach_of_side);
            self.boundary(side, reach)
        };
        Limits { lower: end(Side::Lower), upper: end(Side::Upper) }
    }

    /// How to draw from a range of this row.
    pub fn distribution(&self, range: Limits) -> Distribution {
        let Limits { lower: min, upper: max } = range;
        match self.fixed {
            Some(value) => Distribution::Fixed(value),
            None if self.logarithmic => Distribution::LogUniform { min, max },
            None => Distribution::Uniform { min, max },
        }
    }

    /// Width of a range as a part of that between the edges; nothing for a row that cannot be widened.
    pub fn relative_width(&self, range: Limits) -> Option<f64> {
        let width = |limits: Limits| self.distance(limits.upper) - self.distance(limits.lower);
        self.sides.iter().any(Option::is_some).then(|| width(range) / width(self.edges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::PARAMETERS;
    use crate::presets::Preset;

    fn space(config: &AdrConfig) -> Space {
        Space::new(&Preset::Full.ranges(), config).unwrap()
    }

    fn row<'a>(space: &'a Space, name: &str) -> &'a Row {
        space.rows.iter().find(|row| row.parameter.name == name).unwrap()
    }

    #[test]
    fn a_reach_is_nominal_at_zero_and_the_usual_edge_at_one() {
        for row in &space(&AdrConfig::default()).rows {
            let edges = row.parameter.column_limits();
            let near = |a: f32, b: f32| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
            for side in Side::ALL {
                assert_eq!(
                    row.boundary(side, 0.0).to_bits(),
                    row.parameter.nominal.to_bits(),
                    "{}",
                    row.parameter.name
                );
                assert!(near(row.boundary(side, 1.0), side.of(edges)), "{}", row.parameter.name);
            }
        }
    }

    #[test]
    fn halfway_is_the_geometric_mean_where_draws_are_logarithmic() {
        let space = space(&AdrConfig::default());
        let damping = row(&space, "joint.damping");
        assert!((damping.boundary(Side::Upper, 0.5) - 2_f32.sqrt()).abs() < 1e-6);
        assert!((damping.boundary(Side::Upper, 2.0) - 4.0).abs() < 1e-6);
        let stiffness = row(&space, "joint.stiffness");
        assert!((stiffness.boundary(Side::Upper, 0.5) - 1.25).abs() < 1e-6);
    }

    #[test]
    fn no_reach_leads_beyond_the_bounds() {
        for row in &space(&AdrConfig::default()).rows {
            for side in Side::ALL {
                let boundary = row.boundary(side, 1e6);
                assert!(row.parameter.bounds.contains(boundary), "{}", row.parameter.name);
                assert!(!row.logarithmic || boundary > 0.0, "{}: zero has no logarithm", row.parameter.name);
            }
        }
    }

    #[test]
    fn a_side_with_nothing_on_it_is_not_tested() {
        let space = space(&AdrConfig::default());
        assert!(row(&space, "gravity.tilt").sides[0].is_none() && row(&space, "gravity.tilt").sides[1].is_some());
        // Usually 0.03 to 0.04, nominally 0: the range grows up from zero.
        let noise = row(&space, "sensing.position_noise");
        assert!(noise.sides[0].is_none() && noise.sides[1].is_some());
        assert!((noise.range(|_| 0.5).lower).abs() < 1e-9 && (noise.range(|_| 0.5).upper - 0.02).abs() < 1e-6);
    }

    #[test]
    fn grouped_rows_share_their_sides_and_the_others_have_their_own() {
        let space = space(&AdrConfig::default());
        let com = |axis| row(&space, &format!("object.center_of_mass_{axis}")).sides;
        assert!(com("x") == com("y") && com("y") == com("z"));
        assert_eq!(row(&space, "sensing.position_delay").sides, row(&space, "sensing.position_noise").sides);
        assert_ne!(row(&space, "object.mass").sides, row(&space, "object.size").sides);
        let alone = Space::new(&Preset::Full.ranges(), &AdrConfig { groups: Vec::new(), ..AdrConfig::default() });
        assert!(alone.unwrap().sides.len() > PARAMETERS.len());
    }

    #[test]
    fn a_fixed_parameter_stays_fixed() {
        let mut ranges = Preset::Wide.ranges();
        ranges.set("object.mass", Distribution::Fixed(0.7)).unwrap();
        let space = Space::new(&ranges, &AdrConfig::default()).unwrap();
        let mass = row(&space, "object.mass");
        assert_eq!(mass.sides, [None, None]);
        let range = mass.range(|_| 1.0);
        assert_eq!(mass.distribution(range), Distribution::Fixed(0.7));
        assert!(mass.relative_width(range).is_none());
    }

    #[test]
    fn without_anything_to_widen_there_is_no_such_randomization() {
        let mut ranges = RangeConfig::none();
        ranges.set("object.mass", Distribution::Fixed(0.7)).unwrap();
        for ranges in [RangeConfig::none(), ranges] {
            let error = Space::new(&ranges, &AdrConfig::default()).unwrap_err().to_string();
            assert!(error.contains("preset"), "{error}");
        }
    }
}
