//! The table of everything that may differ between worlds. To add a parameter: one row in the file it belongs to.

mod actuation;
mod contact;
mod forces;
mod gravity;
mod hand;
mod link;
mod object;
mod physics;
mod sensing;
mod tracking;

use crate::distribution::Distribution;
use crate::effect::{Direction, Effect, Observable};
use crate::error::RandomizationError;
use crate::parameter::RandomizedParameter;
use giraffe_robots::{Limits, did_you_mean};

/// New ones come last, so that what tests draw for the others stays what it was.
const GROUPS: &[&[RandomizedParameter]] = &[
    object::ROWS,
    contact::ROWS,
    hand::ROWS,
    gravity::ROWS,
    sensing::ROWS,
    actuation::ROWS,
    tracking::ROWS,
    forces::ROWS,
    physics::ROWS,
    link::ROWS,
];

static ALL: [RandomizedParameter; count(GROUPS)] = concatenated(GROUPS);

/// Every randomized parameter. Rows are applied to a world in this order; each row touches numbers of its own, or
/// multiplies or turns, so the order does not matter.
pub static PARAMETERS: &[RandomizedParameter] = &ALL;

/// The row of this name.
///
/// # Errors
/// When there is none; the message suggests the name that is most alike.
pub fn find_parameter(name: &str) -> Result<&'static RandomizedParameter, RandomizationError> {
    PARAMETERS.iter().find(|row| row.name == name).ok_or_else(|| RandomizationError::UnknownParameter {
        name: name.to_owned(),
        suggestion: did_you_mean(name, PARAMETERS.iter().map(|row| row.name)),
    })
}

const fn count(groups: &[&[RandomizedParameter]]) -> usize {
    let mut sum = 0;
    let mut group = 0;
    while group < groups.len() {
        sum += groups[group].len();
        group += 1;
    }
    sum
}

const fn concatenated<const N: usize>(groups: &[&[RandomizedParameter]]) -> [RandomizedParameter; N] {
    let mut all = [groups[0][0]; N];
    let (mut next, mut group) = (0, 0);
    while group < groups.len() {
        let mut row = 0;
        while row < groups[group].len() {
            all[next] = groups[group][row];
            next += 1;
            row += 1;
        }
        group += 1;
    }
    all
}

// Shorthand for the rows.

const fn between(lower: f32, upper: f32) -> Limits {
    Limits { lower, upper }
}

const fn uniform(min: f32, max: f32) -> Distribution {
    Distribution::Uniform { min, max }
}

/// What a controller holds its servos against, too.
const fn within(limits: Limits) -> Distribution {
    uniform(limits.lower, limits.upper)
}

const fn log_uniform(min: f32, max: f32) -> Distribution {
    Distribution::LogUniform { min, max }
}

const fn raises(observable: Observable) -> Effect {
    Effect { observable, direction: Direction::Raises }
}

const fn lowers(observable: Observable) -> Effect {
    Effect { observable, direction: Direction::Lowers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::Apply;
    use crate::test_scene;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_lower_case_and_grouped() {
        let names: BTreeSet<_> = PARAMETERS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), PARAMETERS.len());
        for row in PARAMETERS {
            let (group, own) = row.name.split_once('.').expect("a group and a name");
            let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain(group) && plain(own), "{}", row.name);
        }
    }

    #[test]
    fn every_row_is_documented_and_consistent() {
        for row in PARAMETERS {
            assert!(!row.doc.is_empty() && !row.source.is_empty() && !row.unit.is_empty(), "{}", row.name);
            row.check(row.usual).unwrap_or_else(|error| panic!("{error}"));
            assert!(row.bounds.contains(row.nominal), "{}", row.name);
            assert!(row.column_limits().upper > row.column_limits().lower, "{}: a column with a width", row.name);
        }
    }

    #[test]
    fn the_nominal_value_leaves_a_world_as_it_is() {
        for row in PARAMETERS {
            let mut world = test_scene::nominal();
            row.set(row.nominal, &mut world);
            assert_eq!(world, test_scene::nominal(), "{}", row.name);
        }
    }

    #[test]
    fn every_other_value_changes_the_world_and_every_joint() {
        for row in PARAMETERS {
            for value in [row.bounds.lower, row.bounds.upper] {
                if (value - row.nominal).abs() < 1e-6 {
                    continue;
                }
                let (nominal, mut world) = (test_scene::nominal(), test_scene::nominal());
                row.set(value, &mut world);
                assert_ne!(world, nominal, "{} at {value}", row.name);
                if matches!(row.apply, Apply::Joint(..)) {
                    let mut pairs = world.joints.iter().zip(&nominal.joints);
                    assert!(pairs.all(|(now, then)| now != then), "{} at {value}", row.name);
                }
            }
        }
    }

    #[test]
    fn rows_commute() {
        let in_order = |rows: &mut dyn Iterator<Item = &RandomizedParameter>| {
            let mut world = test_scene::nominal();
            rows.for_each(|row| row.set(row.column_limits().upper, &mut world));
            world
        };
        let (forward, backward) = (in_order(&mut PARAMETERS.iter()), in_order(&mut PARAMETERS.iter().rev()));
        let near = |a: f32, b: f32| (a - b).abs() <= 1e-5 * a.abs().max(1e-3);
        assert!(near(forward.contact.tip_friction, backward.contact.tip_friction));
        assert!((0..3).all(|axis| near(forward.gravity_m_per_sec2[axis], backward.gravity_m_per_sec2[axis])));
        assert_eq!(forward.joints, backward.joints);
        assert_eq!(forward.object, backward.object);
    }

    #[test]
    fn the_palm_sinks_towards_the_side_that_was_drawn() {
        let Apply::Horizontal(tilt, _) = find_parameter("gravity.tilt").unwrap().apply else { panic!("a direction") };
        for (azimuth_rad, toward) in [(0.0_f32, [1.0, 0.0]), (1.0, [1_f32.cos(), 1_f32.sin()])] {
            let mut world = test_scene::nominal();
            tilt(&mut world, find_parameter("gravity.tilt").unwrap().change(0.1), azimuth_rad);
            let [x, y, z] = world.gravity_m_per_sec2;
            let sideways = 9.81 * 0.1_f32.sin();
            assert!((x - sideways * toward[0]).abs() < 1e-4 && (y - sideways * toward[1]).abs() < 1e-4, "{x} {y}");
            assert!((z + 9.81 * 0.1_f32.cos()).abs() < 1e-4, "{z}");
        }
    }

    #[test]
    fn values_beyond_the_bounds_stop_at_them() {
        let row = find_parameter("object.mass").unwrap();
        let mut world = test_scene::nominal();
        row.set(1e6, &mut world);
        assert!((world.object.mass_kg / test_scene::nominal().object.mass_kg - row.bounds.upper).abs() < 1e-4);
    }
}
