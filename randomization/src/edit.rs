//! Rows that change in the middle of an episode: what a scenario needs instead of physics of its own.

use crate::distribution::Distribution;
use crate::error::RandomizationError;
use crate::outline::EpisodeOutline;
use crate::parameter::{Apply, JointDraw, RandomizedParameter, length, mean};
use crate::parameters::find_parameter;
use giraffe_physics::{WorldChange, WorldParameters};
use giraffe_robots::StreamRng;
use std::collections::BTreeMap;

/// What happens to the value of a row in the middle of an episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit {
    /// It becomes this, in every joint. Refused outside the row's bounds.
    Set(f32),
    /// It becomes this many times what it is, in each joint; it stops at the row's bounds.
    Times(f32),
    /// It becomes more by this, in each joint; it stops at the row's bounds.
    Plus(f32),
    /// It goes this share of the way to a value drawn anew from the row's usual range: 0 stays, 1 arrives. Directions and
    /// the differences between joints are drawn anew too.
    Anew {
        /// 0 to 1.
        share: f32,
    },
}

impl Edit {
    fn check(self, row: &RandomizedParameter) -> Result<(), RandomizationError> {
        let refuse = |expected: &'static str| {
            Err(RandomizationError::InvalidEdit { name: row.name, found: format!("{self:?}"), expected })
        };
        match self {
            Self::Set(value) => row.check(Distribution::Fixed(value)),
            Self::Times(factor) if !factor.is_finite() => refuse("a finite factor"),
            Self::Plus(offset) if !offset.is_finite() => refuse("a finite offset"),
            Self::Anew { share } if !(0.0..=1.0).contains(&share) => refuse("a share from 0 to 1"),
            Self::Times(_) | Self::Plus(_) | Self::Anew { .. } => Ok(()),
        }
    }

    /// The value after `now`. `drawn` is what was drawn anew, if anything was.
    fn of(self, row: &RandomizedParameter, now: f32, drawn: f32) -> f32 {
        row.bounds.clamp(match self {
            Self::Set(value) => value,
            Self::Times(factor) => now * factor,
            Self::Plus(offset) => now + offset,
            Self::Anew { share } => part_way(now, drawn, share),
        })
    }

    /// As [`Edit::of`], for a value that has a direction, which stays. One of zero has none and gets the drawn one.
    fn of_vector<const N: usize>(self, row: &RandomizedParameter, now: [f32; N], drawn: [f32; N]) -> [f32; N] {
        if let Self::Anew { share } = self {
            return std::array::from_fn(|axis| part_way(now[axis], drawn[axis], share));
        }
        let along = if length(&now) > 0.0 { now } else { drawn };
        let scale = self.of(row, length(&now), 0.0) / length(&along).max(f32::MIN_POSITIVE);
        along.map(|axis| scale * axis)
    }
}

/// A part of the way from one number to another. In this form exact at both ends.
pub(crate) fn part_way(from: f32, to: f32, share: f32) -> f32 {
    from * (1.0 - share) + to * share
}

impl EpisodeOutline<'_> {
    /// The world of this episode after these edits of rows, in this order, to be reached over a time. A row that does not
    /// vary in this episode counts as nominal.
    ///
    /// What `rng` is asked for depends on the rows alone.
    ///
    /// # Errors
    /// When there is no such row, or what it is to become cannot be.
    pub fn change(
        &self,
        edits: &[(&str, Edit)],
        over_secs: f32,
        rng: &mut StreamRng,
    ) -> Result<WorldChange, RandomizationError> {
        let mut editing = Editing {
            nominal: WorldParameters::nominal(self.scene),
            world: self.parameters.clone(),
            values: self.columns.iter().copied().collect(),
        };
        let mut edited = Vec::new();
        for &(name, edit) in edits {
            let row = find_parameter(name)?;
            edit.check(row)?;
            editing.edit(row, edit, rng);
            edited.push(row.name);
        }
        let columns = self.columns.iter().enumerate().filter(|(_, (name, _))| edited.contains(name));
        let sampled = columns.map(|(column, (name, _))| (column as u32, editing.values[name])).collect();
        Ok(WorldChange { parameters: editing.world, over_secs, sampled })
    }
}

/// A world while its rows change one after the other.
struct Editing {
    nominal: WorldParameters,
    world: WorldParameters,
    /// What columns say, by row; also of rows without a column, once they were edited.
    values: BTreeMap<&'static str, f32>,
}

impl Editing {
    fn edit(&mut self, row: &'static RandomizedParameter, edit: Edit, rng: &mut StreamRng) {
        let (world, nominal) = (&mut self.world, &self.nominal);
        let mut anew = nominal.clone();
        let drawn = row.draw(row.usual, &mut anew, rng);
        let now = self.values.get(row.name).copied().unwrap_or(row.nominal);
        let value = match row.apply {
            Apply::World(_) => {
                let value = edit.of(row, now, drawn);
                row.lead(world, nominal, now, value);
                value
            }
            Apply::Joint(_, draw) => {
                let own = row.joint_values(world, nominal);
                let pairs = own.iter().zip(row.joint_values(&anew, nominal));
                let new: Vec<f32> = pairs.map(|(own, drawn)| edit.of(row, *own, drawn)).collect();
                row.lead_joints(world, nominal, &new);
                match draw {
                    JointDraw::Shared { .. } => edit.of(row, now, drawn),
                    JointDraw::Independent => mean(&new),
                }
            }
            Apply::Horizontal(apply, read) => {
                let lean = read(world);
                let new = edit.of_vector(row, lean, read(&anew));
                apply(world, row.change(-length(&lean)), azimuth_rad(lean));
                apply(world, row.change(length(&new)), azimuth_rad(new));
                length(&new)
            }
            Apply::Direction(apply, read) => {
                let new = edit.of_vector(row, read(world), read(&anew));
                let size = length(&new);
                apply(world, row.change(size), new.map(|axis| axis / size.max(f32::MIN_POSITIVE)));
                size
            }
        };
        self.values.insert(row.name, value);
    }
}

fn azimuth_rad([x, y]: [f32; 2]) -> f32 {
    y.atan2(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_ranges::FixedRanges;
    use crate::parameters::PARAMETERS;
    use crate::presets::Preset;
    use crate::test_scene;
    use giraffe_physics::{EpisodePlan, EpisodeSampler};
    use giraffe_robots::{SeedTree, Stream};

    /// An episode in which every row varies.
    struct Episode {
        plan: EpisodePlan,
        columns: Vec<(&'static str, f32)>,
    }

    impl Episode {
        fn new() -> Self {
            let full = Preset::Full.ranges();
            let sampler = FixedRanges::new(SeedTree::new(4), test_scene::scene(), test_scene::task(), &full);
            let plan = sampler.plan(1, 2);
            let columns = PARAMETERS.iter().map(|row| row.name).zip(plan.sampled.iter().copied()).collect();
            Self { plan, columns }
        }

        fn change(&self, edits: &[(&str, Edit)]) -> Result<WorldChange, RandomizationError> {
            let scene = test_scene::scene();
            let (parameters, columns) = (&self.plan.parameters, &self.columns[..]);
            let outline = EpisodeOutline { scene: &scene, step_count: 400, parameters, columns };
            outline.change(edits, 0.5, &mut SeedTree::new(9).stream(Stream::Disturbance, 1, 2))
        }

        /// After one edit: what became of the world, and of the row's column.
        fn after(&self, row: &RandomizedParameter, edit: Edit) -> (WorldParameters, f32) {
            let change = self.change(&[(row.name, edit)]).expect("a row and an edit that can be");
            let column = self.columns.iter().position(|(name, _)| *name == row.name).expect("every row varies");
            let [(told, value)] = change.sampled[..] else { panic!("one column of {:?}", change.sampled) };
            assert_eq!(told as usize, column);
            (change.parameters, value)
        }

        fn value(&self, row: &RandomizedParameter) -> f32 {
            self.columns.iter().find(|(name, _)| *name == row.name).expect("every row varies").1
        }
    }

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1e-2)
    }

    fn all_near(a: &WorldParameters, b: &WorldParameters) -> bool {
        let numbers = |world| {
            let text = format!("{world:?}");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
            words.filter_map(|word| word.parse::<f32>().ok()).collect::<Vec<f32>>()
        };
        let (a, b) = (numbers(a), numbers(b));
        assert!(a.len() == b.len() && a.len() > 50);
        a.iter().zip(&b).all(|(a, b)| near(*a, *b))
    }

    /// A value inside a row's bounds that is not what the episode has.
    fn other(row: &RandomizedParameter, episode: &Episode) -> f32 {
        let [low, high] = [row.bounds.lower, row.bounds.upper].map(|bound| 0.3 * bound + 0.7 * row.nominal);
        let now = episode.value(row);
        if (now - low).abs() > (now - high).abs() { low } else { high }
    }

    #[test]
    fn a_row_that_is_set_has_that_value_and_all_others_what_they_had() {
        let episode = Episode::new();
        let nominal = test_scene::nominal();
        let joint_rows = || PARAMETERS.iter().filter(|row| matches!(row.apply, Apply::Joint(..)));
        for row in PARAMETERS {
            let to = other(row, &episode);
            let (world, column) = episode.after(row, Edit::Set(to));
            assert!(near(column, to), "{}: {column} for {to}", row.name);
            for joint in row.joint_values(&world, &nominal) {
                assert!(near(joint, to), "{}: {joint} for {to}", row.name);
            }
            assert!(!all_near(&world, &episode.plan.parameters), "{} is still what it was", row.name);
            for of_joints in joint_rows().filter(|of_joints| of_joints.name != row.name) {
                let [now, was] =
                    [&world, &episode.plan.parameters].map(|world| of_joints.joint_values(world, &nominal));
                assert_eq!(format!("{now:?}"), format!("{was:?}"), "{} changes {}", row.name, of_joints.name);
            }
            // Back again: nothing else has been touched. Joints that differed are equal now, and directions stay.
            if !matches!(row.apply, Apply::Joint(..)) {
                let changed = Episode {
                    plan: EpisodePlan { parameters: world, ..episode.plan.clone() },
                    columns: {
                        let told =
                            |(name, value): &(&'static str, f32)| (*name, if *name == row.name { to } else { *value });
                        episode.columns.iter().map(told).collect()
                    },
                };
                let (back, _) = changed.after(row, Edit::Set(episode.value(row)));
                assert!(all_near(&back, &episode.plan.parameters), "{}: {back:?}", row.name);
            }
        }
    }

    #[test]
    fn a_factor_and_an_offset_act_on_each_joint_and_stop_at_the_bounds() {
        let episode = Episode::new();
        let nominal = test_scene::nominal();
        for row in PARAMETERS {
            let now = episode.value(row);
            let own = row.joint_values(&episode.plan.parameters, &nominal);
            let offset = 0.1 * (row.bounds.upper - row.bounds.lower);
            for (edit, expected) in [
                (Edit::Times(0.5), Box::new(|value: f32| 0.5 * value) as Box<dyn Fn(f32) -> f32>),
                (Edit::Plus(offset), Box::new(move |value| value + offset)),
                (Edit::Plus(1e6), Box::new(|_| f32::MAX)),
                (Edit::Plus(-1e6), Box::new(|_| f32::MIN)),
            ] {
                let (world, column) = episode.after(row, edit);
                let expected = |value| row.bounds.clamp(expected(value));
                let columns_agree = near(column, expected(now));
                assert!(columns_agree || !own.is_empty(), "{} {edit:?}: {column} after {now}", row.name);
                for (joint, was) in row.joint_values(&world, &nominal).iter().zip(&own) {
                    assert!(near(*joint, expected(*was)), "{} {edit:?}: {joint} after {was}", row.name);
                }
            }
        }
    }

    #[test]
    fn drawn_anew_a_row_goes_the_share_of_the_way_that_was_asked_for() {
        let episode = Episode::new();
        let nominal = test_scene::nominal();
        for row in PARAMETERS {
            let [(stayed, same), (half, middle), (arrived, end)] =
                [0.0, 0.5, 1.0].map(|share| episode.after(row, Edit::Anew { share }));
            assert!(all_near(&stayed, &episode.plan.parameters) && near(same, episode.value(row)), "{}", row.name);
            let usual = row.usual.support(row.bounds);
            assert!((usual.lower - 1e-5..=usual.upper + 1e-5).contains(&end), "{}: {end}", row.name);
            assert!(!all_near(&arrived, &stayed) && !all_near(&arrived, &half), "{}", row.name);
            if !matches!(row.apply, Apply::Horizontal(..) | Apply::Direction(..)) {
                assert!(near(middle, 0.5 * (same + end)), "{}: {same} {middle} {end}", row.name);
            }
            let [stayed, half, arrived] = [stayed, half, arrived].map(|world| row.joint_values(&world, &nominal));
            for ((stayed, half), arrived) in stayed.iter().zip(&half).zip(&arrived) {
                assert!(near(*half, 0.5 * (stayed + arrived)), "{}: {stayed} {half} {arrived}", row.name);
                assert!((usual.lower - 1e-5..=usual.upper + 1e-5).contains(arrived), "{}: {arrived}", row.name);
            }
        }
    }

    #[test]
    fn rows_that_share_numbers_change_one_without_the_other() {
        let episode = Episode::new();
        let was = &episode.plan.parameters;
        let now = episode.change(&[("contact.friction", Edit::Times(0.5))]).unwrap().parameters.contact;
        for (now, was) in [
            (now.tip_friction, was.contact.tip_friction),
            (now.link_friction, was.contact.link_friction),
            (now.palm_friction, was.contact.palm_friction),
        ] {
            assert!(near(now, 0.5 * was));
        }
        let tip = episode.change(&[("contact.tip_friction", Edit::Times(0.8))]).unwrap().parameters.contact;
        assert!(near(tip.tip_friction, 0.8 * was.contact.tip_friction));
        assert!(near(tip.palm_friction, was.contact.palm_friction));
        let [x, y, z] = was.gravity_m_per_sec2;
        let upright = episode.change(&[("gravity.tilt", Edit::Set(0.0))]).unwrap().parameters.gravity_m_per_sec2;
        let strength = (x * x + y * y + z * z).sqrt();
        assert!(upright[0].abs() < 1e-4 && upright[1].abs() < 1e-4 && near(-upright[2], strength), "{upright:?}");
        let steep = episode.change(&[("gravity.tilt", Edit::Set(1.0))]).unwrap().parameters.gravity_m_per_sec2;
        assert!(near(-steep[2], strength * 1_f32.cos()) && near(steep[1].atan2(steep[0]), y.atan2(x)), "{steep:?}");
        let both = episode.change(&[("gravity.magnitude", Edit::Set(0.0)), ("gravity.magnitude", Edit::Set(1.0))]);
        let [_, _, z] = both.unwrap().parameters.gravity_m_per_sec2;
        assert!(near(z, -9.81), "what a zero has erased begins at nominal: {z}");
    }

    #[test]
    fn a_row_that_does_not_vary_changes_from_nominal_and_has_no_column() {
        let (scene, nominal) = (test_scene::scene(), test_scene::nominal());
        let outline = EpisodeOutline { scene: &scene, step_count: 400, parameters: &nominal, columns: &[] };
        let mut rng = SeedTree::new(9).stream(Stream::Disturbance, 1, 2);
        let edits =
            [("object.mass", Edit::Times(2.0)), ("object.mass", Edit::Plus(1.0)), ("gravity.tilt", Edit::Plus(0.3))];
        let change = outline.change(&edits, 0.0, &mut rng).unwrap();
        assert!(near(change.parameters.object.mass_kg, 3.0 * nominal.object.mass_kg) && change.sampled.is_empty());
        let [x, y, z] = change.parameters.gravity_m_per_sec2;
        assert!(near(x.hypot(y).atan2(-z), 0.3), "{x} {y} {z}");
        let same = WorldChange { parameters: nominal.clone(), ..change };
        assert_eq!(outline.change(&[], 0.0, &mut rng).unwrap(), same);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let episode = Episode::new();
        for (name, edit, parts) in [
            ("object.mas", Edit::Times(1.0), ["object.mas", "did you mean `object.mass`?"]),
            ("object.mass", Edit::Set(50.0), ["object.mass", "allowed is 0.1 to 10 x"]),
            ("object.mass", Edit::Set(f32::NAN), ["object.mass", "finite"]),
            ("object.mass", Edit::Times(f32::NAN), ["object.mass", "expected a finite factor"]),
            ("joint.zero_offset", Edit::Plus(f32::INFINITY), ["joint.zero_offset", "expected a finite offset"]),
            ("joint.damping", Edit::Anew { share: 1.5 }, ["joint.damping", "expected a share from 0 to 1"]),
        ] {
            let error = episode.change(&[(name, edit)]).expect_err(name).to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} are not in: {error}");
        }
    }
}
