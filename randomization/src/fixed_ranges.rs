//! Ordinary domain randomization: every episode draws anew from ranges that never change.

use crate::distribution::Distribution;
use crate::outline::EpisodeOutline;
use crate::parameter::RandomizedParameter;
use crate::ranges::RangeConfig;
use crate::scenario::DosedScenario;
use crate::scenarios::NONE;
use giraffe_physics::{EpisodePlan, EpisodeSampler, SceneModel, WorldParameters};
use giraffe_robots::{NamedLimits, SeedTree, Stream, Task};
use rand::RngExt;
use std::sync::Arc;

/// Draws every episode from the same ranges. A plan depends on the seed, the world and the episode alone.
pub struct FixedRanges {
    seeds: SeedTree,
    scene: Arc<SceneModel>,
    nominal: WorldParameters,
    task: &'static dyn Task,
    rows: Vec<SampledRow>,
    scenario: DosedScenario,
}

/// A parameter that varies, and the randomness it draws from: its own branch of the seed tree, so that the values of
/// one parameter do not depend on which others vary.
struct SampledRow {
    parameter: &'static RandomizedParameter,
    distribution: Distribution,
    seeds: SeedTree,
}

impl FixedRanges {
    /// Episodes of `task` in `scene` with physics from `ranges` and no disturbances.
    pub fn new(seeds: SeedTree, scene: Arc<SceneModel>, task: &'static dyn Task, ranges: &RangeConfig) -> Self {
        let rows = ranges
            .rows()
            .map(|(parameter, distribution)| SampledRow {
                parameter,
                distribution,
                seeds: seeds.branch(parameter.name),
            })
            .collect();
        let nominal = WorldParameters::nominal(&scene);
        Self { seeds, scene, nominal, task, rows, scenario: (&NONE).into() }
    }

    /// The same episodes, disturbed as `scenario` says: a [`crate::Scenario`] at its usual dose, or one at another.
    #[must_use]
    pub fn with_scenario(mut self, scenario: impl Into<DosedScenario>) -> Self {
        self.scenario = scenario.into();
        self
    }
}

impl EpisodeSampler for FixedRanges {
    fn parameters(&self) -> Vec<NamedLimits> {
        let column = |row: &SampledRow| NamedLimits {
            name: row.parameter.name.to_owned(),
            limits: row.parameter.column_limits(),
        };
        self.rows.iter().map(column).collect()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let stream = |stream| self.seeds.stream(stream, world, episode);
        let mut parameters = self.nominal.clone();
        let draw = |row: &SampledRow| {
            let mut rng = row.seeds.stream(Stream::Parameters, world, episode);
            row.parameter.draw(row.distribution, &mut parameters, &mut rng)
        };
        let sampled: Vec<f32> = self.rows.iter().map(draw).collect();
        let names = self.rows.iter().map(|row| row.parameter.name);
        let columns: Vec<(&str, f32)> = names.zip(sampled.iter().copied()).collect();
        let step_count = self.task.episode_step_count();
        let outline = EpisodeOutline { scene: &self.scene, step_count, parameters: &parameters, columns: &columns };
        EpisodePlan {
            disturbances: self.scenario.disturbances(&outline, &mut stream(Stream::Disturbance)),
            sampled,
            start: self.task.start(self.scene.robot(), &mut stream(Stream::Start)),
            noise_seed: stream(Stream::Sensing).random(),
            parameters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{Apply, JointDraw};
    use crate::parameters::PARAMETERS;
    use crate::presets::Preset;
    use crate::scenarios::find_scenario;
    use crate::test_scene;
    use giraffe_physics::Disturbance;
    use giraffe_robots::Limits;

    fn sampler(seed: u64, ranges: &RangeConfig) -> FixedRanges {
        FixedRanges::new(SeedTree::new(seed), test_scene::scene(), test_scene::task(), ranges)
    }

    fn full(seed: u64) -> FixedRanges {
        sampler(seed, &Preset::Full.ranges())
    }

    /// Columns of many episodes: `[column][episode]`.
    fn columns(sampler: &FixedRanges, episode_count: u64) -> Vec<Vec<f32>> {
        let plans: Vec<_> = (0..episode_count).map(|episode| sampler.plan(episode % 7, episode / 7)).collect();
        (0..sampler.rows.len()).map(|column| plans.iter().map(|plan| plan.sampled[column]).collect()).collect()
    }

    #[test]
    fn a_plan_repeats_and_differs_between_worlds_episodes_and_seeds() {
        let plan = full(3).plan(2, 5);
        assert_eq!(plan, full(3).plan(2, 5));
        for other in [full(4).plan(2, 5), full(3).plan(5, 2), full(3).plan(2, 6), full(3).plan(3, 5)] {
            assert_ne!(plan.sampled, other.sampled);
            assert_ne!(plan.parameters, other.parameters);
            assert_ne!(plan.start, other.start);
            assert_ne!(plan.noise_seed, other.noise_seed);
        }
    }

    #[test]
    fn the_order_of_asking_does_not_matter() {
        let sampler = full(3);
        let first = sampler.plan(1, 0);
        for episode in 1..20 {
            sampler.plan(0, episode);
        }
        assert_eq!(first, sampler.plan(1, 0));
    }

    #[test]
    fn without_ranges_every_world_is_nominal_but_starts_differ() {
        let sampler = sampler(3, &RangeConfig::none());
        let (a, b) = (sampler.plan(0, 0), sampler.plan(1, 0));
        assert_eq!(a.parameters, test_scene::nominal());
        assert!(a.sampled.is_empty() && sampler.parameters().is_empty());
        assert_ne!(a.start, b.start);
    }

    #[test]
    fn one_value_per_named_column_inside_its_range() {
        let sampler = full(1);
        let named = sampler.parameters();
        assert_eq!(named.len(), PARAMETERS.len());
        for (column, row) in columns(&sampler, 500).iter().zip(&sampler.rows) {
            let (range, limits) = (row.distribution.support(row.parameter.bounds), row.parameter.column_limits());
            assert!(column.iter().all(|value| range.contains(*value)), "{}", row.parameter.name);
            let name = |named: &NamedLimits| named.name == row.parameter.name && named.limits == limits;
            assert_eq!(named.iter().filter(|named| name(named)).count(), 1);
        }
    }

    #[test]
    fn every_joint_stays_inside_the_range_and_differs_from_the_others() {
        let (nominal, sampler) = (test_scene::nominal(), full(1));
        for episode in 0..500 {
            let world = sampler.plan(0, episode).parameters;
            for (joint, was) in world.joints.iter().zip(&nominal.joints) {
                let scale = |now: f32, then: f32, lower: f32, upper: f32| {
                    let limits = Limits { lower: lower - 1e-5, upper: upper + 1e-5 };
                    assert!(limits.contains(now / then), "{now} of {then}");
                };
                scale(joint.stiffness_newton_m_per_rad, was.stiffness_newton_m_per_rad, 0.5, 1.5);
                scale(joint.damping_newton_m_secs_per_rad, was.damping_newton_m_secs_per_rad, 0.5, 2.0);
                scale(joint.friction_loss_newton_m, was.friction_loss_newton_m, 0.5, 2.0);
                scale(joint.armature_kg_m2, was.armature_kg_m2, 0.7, 1.3);
                scale(joint.effort_limit_newton_m, was.effort_limit_newton_m, 0.8, 1.2);
                assert!(joint.zero_offset_rad.abs() <= 0.05);
            }
            assert_ne!(world.joints[0], world.joints[1]);
            let ratio = world.joints[0].stiffness_newton_m_per_rad / world.joints[1].stiffness_newton_m_per_rad;
            assert!((ratio - 1.0).abs() < 0.23, "servos of one make differ by 10 %, not by {ratio}");
        }
    }

    #[test]
    fn a_fixed_parameter_has_that_value_in_every_joint() {
        let mut ranges = Preset::Full.ranges();
        ranges.set("joint.stiffness", Distribution::Fixed(1.25)).unwrap();
        let plan = sampler(1, &ranges).plan(0, 0);
        for (joint, was) in plan.parameters.joints.iter().zip(&test_scene::nominal().joints) {
            assert!((joint.stiffness_newton_m_per_rad / was.stiffness_newton_m_per_rad - 1.25).abs() < 1e-6);
        }
        assert_eq!(plan.sampled.len(), PARAMETERS.len());
    }

    #[test]
    fn switching_a_parameter_on_leaves_the_others_as_they_were() {
        let mut one = RangeConfig::none();
        one.set("object.mass", Distribution::Uniform { min: 0.5, max: 1.5 }).unwrap();
        let (alone, among_all) = (sampler(9, &one).plan(4, 4), full(9).plan(4, 4));
        assert_eq!(alone.parameters.object.mass_kg.to_bits(), among_all.parameters.object.mass_kg.to_bits());
        assert_eq!(alone.start, among_all.start);
        assert_eq!(alone.noise_seed, among_all.noise_seed);
    }

    #[test]
    fn parameters_are_drawn_independently_of_each_other() {
        let sampler = full(1);
        let columns = columns(&sampler, 2000);
        for a in 0..columns.len() {
            for b in 0..a {
                let r = correlation(&columns[a], &columns[b]);
                let names = [a, b].map(|column| sampler.rows[column].parameter.name);
                assert!(r.abs() < 0.1, "{names:?} are correlated: {r}");
            }
        }
    }

    #[test]
    fn parameters_are_drawn_independently_of_the_start() {
        let sampler = full(1);
        let plans: Vec<_> = (0..2000).map(|episode| sampler.plan(0, episode)).collect();
        let start: Vec<f32> = plans.iter().map(|plan| plan.start.joint_positions_rad[0]).collect();
        for column in 0..sampler.rows.len() {
            let values: Vec<f32> = plans.iter().map(|plan| plan.sampled[column]).collect();
            assert!(correlation(&start, &values).abs() < 0.1, "{}", sampler.rows[column].parameter.name);
        }
    }

    /// Pearson's correlation coefficient. Of 2000 independent pairs it has a deviation of 0.022.
    fn correlation(a: &[f32], b: &[f32]) -> f64 {
        let mean = |x: &[f32]| x.iter().map(|x| f64::from(*x)).sum::<f64>() / x.len() as f64;
        let (mean_a, mean_b) = (mean(a), mean(b));
        let product = |x: &[f32], mx: f64, y: &[f32], my: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (f64::from(*x) - mx) * (f64::from(*y) - my)).sum()
        };
        let spread = (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt();
        product(a, mean_a, b, mean_b) / spread
    }

    #[test]
    fn each_column_follows_its_usual_range() {
        let sampler = full(5);
        for (column, row) in columns(&sampler, 2000).iter().zip(&sampler.rows) {
            if matches!(row.parameter.apply, Apply::Joint(_, JointDraw::Independent)) {
                continue; // its column is a mean over joints
            }
            let Limits { lower, upper } = row.distribution.support(row.parameter.bounds);
            let place = |value: f32| match row.distribution {
                Distribution::LogUniform { .. } => f64::from((value / lower).ln() / (upper / lower).ln()),
                _ => f64::from((value - lower) / (upper - lower)),
            };
            let mut places: Vec<f64> = column.iter().map(|value| place(*value)).collect();
            places.sort_by(f64::total_cmp);
            let n = places.len() as f64;
            let gap = places.iter().enumerate().map(|(i, place)| (place - (i as f64 + 0.5) / n).abs());
            let largest = gap.fold(0.0, f64::max);
            assert!(largest < 1.95 / n.sqrt(), "{}: the largest gap is {largest}", row.parameter.name);
        }
    }

    #[test]
    fn tilts_lean_to_every_side() {
        let mut ranges = RangeConfig::none();
        ranges.set("gravity.tilt", Distribution::Fixed(0.17)).unwrap();
        let sampler = sampler(1, &ranges);
        let mut quadrants = [0_u32; 4];
        for episode in 0..2000 {
            let [x, y, z] = sampler.plan(0, episode).parameters.gravity_m_per_sec2;
            assert!(((x * x + y * y + z * z).sqrt() - 9.81).abs() < 1e-4);
            assert!(((x * x + y * y).sqrt().atan2(-z) - 0.17).abs() < 1e-4);
            quadrants[usize::from(x > 0.0) + 2 * usize::from(y > 0.0)] += 1;
        }
        assert!(quadrants.iter().all(|count| (400..600).contains(count)), "{quadrants:?}");
    }

    #[test]
    fn after_a_swap_the_columns_of_the_object_say_what_is_in_the_hand_now() {
        let sampler = full(3).with_scenario(find_scenario("swap").unwrap());
        let plan = sampler.plan(2, 5);
        assert_eq!(plan.check(), Ok(()));
        let Disturbance::ObjectSwap(swap) = &plan.disturbances[0].disturbance else { panic!("a swap") };
        let says = |name: &str| {
            let column = sampler.rows.iter().position(|row| row.parameter.name == name).unwrap();
            let told = swap.sampled.iter().find(|(told, _)| *told as usize == column);
            (plan.sampled[column], told.map(|(_, value)| *value))
        };
        assert_eq!(says("object.mass").1, Some(swap.parameters.mass_kg / test_scene::nominal().object.mass_kg));
        assert_eq!(says("object.size").1, Some(swap.parameters.size_scale));
        assert_eq!(says("object.center_of_mass_x").1, Some(0.0));
        let (drawn, told) = says("contact.friction");
        assert_eq!(told, Some(drawn * swap.friction_scale));
        assert_eq!(says("joint.stiffness").1, None);
    }

    #[test]
    fn a_scenario_adds_disturbances_and_changes_nothing_else() {
        let (calm, pushed) = (full(3).plan(2, 5), full(3).with_scenario(find_scenario("push").unwrap()).plan(2, 5));
        assert!(calm.disturbances.is_empty() && !pushed.disturbances.is_empty());
        assert_eq!(EpisodePlan { disturbances: Vec::new(), ..pushed }, calm);
    }
}
