//! What is drawn is what the configuration says: every marginal, and no two draws of an episode hang together.

mod statistics;

use giraffe_physics::{EpisodePlan, EpisodeSampler, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_randomization::{
    AdrConfig, AdrRanges, Apply, Change, Distribution, FixedRanges, JointDraw, Meaning, PARAMETERS, Preset,
    RandomizedParameter, RangeConfig,
};
use giraffe_robots::{Limits, OBJECTS, SeedTree, Stream, StreamRng, Task, load_robot};
use statistics::{FALSE_ALARM, kolmogorov_smirnov, normal_cumulative, uncorrelated};
use std::f64::consts::{PI, TAU};
use std::sync::{Arc, LazyLock};

const EPISODES: u64 = 2000;

static SCENE: LazyLock<Arc<SceneModel>> = LazyLock::new(|| {
    let robot = Arc::new(load_robot("leap-right").expect("a built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
});

fn task() -> &'static dyn Task {
    giraffe_robots::tasks::TASKS[0]
}

fn fixed(ranges: &RangeConfig) -> FixedRanges {
    FixedRanges::new(SeedTree::new(5), Arc::clone(&SCENE), task(), ranges)
}

fn plans(sampler: &dyn EpisodeSampler) -> Vec<EpisodePlan> {
    (0..EPISODES).map(|index| sampler.plan(index % 7, index / 7)).collect()
}

/// The distribution function that a draw claims to follow, at `value`; nothing where it has no spread.
fn place(distribution: Distribution, bounds: Limits, value: f32) -> Option<f64> {
    let value = f64::from(value);
    match distribution {
        Distribution::Uniform { min, max } if max > min => {
            Some((value - f64::from(min)) / (f64::from(max) - f64::from(min)))
        }
        Distribution::LogUniform { min, max } if max > min => {
            let (min, max) = (f64::from(min), f64::from(max));
            Some((value / min).ln() / (max / min).ln())
        }
        Distribution::Normal { mean, deviation } if deviation > 0.0 => {
            let below = |x: f64| normal_cumulative((x - f64::from(mean)) / f64::from(deviation));
            let (low, high) = (below(bounds.lower.into()), below(bounds.upper.into()));
            Some((below(value) - low) / (high - low))
        }
        _ => None,
    }
}

/// Whether every joint has a draw of its own: then the column is a mean.
fn is_mean(row: &RandomizedParameter) -> bool {
    matches!(row.apply, Apply::Joint(_, JointDraw::Independent))
}

/// Checks columns of named draws, each with its places between 0 and 1.
fn assert_uniform(what: &str, columns: Vec<(&str, Vec<f64>)>) {
    let count = columns.len() as f64;
    for (name, places) in columns {
        let chance = kolmogorov_smirnov(places);
        assert!(chance > FALSE_ALARM / count, "{what}: {name} is not drawn as it says, chance {chance:e}");
    }
}

/// Ranges of one kind for every parameter that can have one.
fn every_parameter(kind: impl Fn(&RandomizedParameter) -> Option<Distribution>) -> RangeConfig {
    let mut ranges = RangeConfig::none();
    for row in PARAMETERS {
        if let Some(range) = kind(row) {
            ranges.set(row.name, range).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    ranges
}

fn configurations() -> Vec<(String, RangeConfig)> {
    let uniform = |row: &RandomizedParameter| {
        let Limits { lower: min, upper: max } = row.bounds;
        Some(Distribution::Uniform { min, max })
    };
    let log_uniform = |row: &RandomizedParameter| {
        let Limits { lower, upper: max } = row.bounds;
        (max > 0.0).then(|| Distribution::LogUniform { min: lower.max(0.01 * max), max })
    };
    // So wide that the bounds cut it off on both sides.
    let normal = |row: &RandomizedParameter| {
        let Limits { lower, upper } = row.bounds;
        Some(Distribution::Normal { mean: lower + 0.4 * (upper - lower), deviation: 0.3 * (upper - lower) })
    };
    let kinds = [
        ("uniform", every_parameter(uniform)),
        ("log_uniform", every_parameter(log_uniform)),
        ("normal", every_parameter(normal)),
    ];
    let presets = Preset::ALL.iter().map(|preset| (preset.name(), preset.ranges()));
    presets.chain(kinds).map(|(name, ranges)| (name.to_owned(), ranges)).collect()
}

#[test]
fn every_parameter_follows_its_range_in_every_preset_and_for_every_kind_of_range() {
    for (name, ranges) in configurations() {
        let plans = plans(&fixed(&ranges));
        let column = |(index, (row, range)): (usize, (&'static RandomizedParameter, Distribution))| {
            let places = plans.iter().map(|plan| place(range, row.bounds, plan.sampled[index]));
            (!is_mean(row)).then(|| Some((row.name, places.collect::<Option<Vec<f64>>>()?))).flatten()
        };
        let columns: Vec<_> = ranges.rows().enumerate().filter_map(column).collect();
        assert!(!columns.is_empty() || name == "none", "{name}");
        assert_uniform(&name, columns);
    }
}

/// The row, with a world's angles of zero in place of what it changes: so that the value of every joint can be read.
fn readable(row: &RandomizedParameter) -> Option<(RandomizedParameter, JointDraw)> {
    let Apply::Joint(_, draw) = row.apply else { return None };
    let apply = Apply::Joint(|joint, change| change.to(&mut joint.zero_offset_rad), draw);
    Some((RandomizedParameter { meaning: Meaning::Replace, apply, ..*row }, draw))
}

/// The generator that a row draws from, as the samplers have it.
fn generator(row: &RandomizedParameter, episode: u64) -> StreamRng {
    SeedTree::new(5).branch(row.name).stream(Stream::Parameters, 0, episode)
}

/// What was drawn in many episodes: the column, and the value of every joint.
fn joint_draws(row: &RandomizedParameter, range: Distribution) -> Vec<(f32, Vec<f32>)> {
    let draw = |episode| {
        let mut world = WorldParameters::nominal(&SCENE);
        let column = row.draw(range, &mut world, &mut generator(row, episode));
        (column, world.joints.iter().map(|joint| joint.zero_offset_rad).collect())
    };
    (0..EPISODES).map(draw).collect()
}

/// Where a joint's value stands among those it could have had, when the joints share `common`.
fn place_around(common: f32, spread: f32, range: Limits, value: f32) -> Option<f64> {
    let reach = spread * common.abs();
    let (lower, upper) = ((common - reach).max(range.lower), (common + reach).min(range.upper));
    (upper - lower > 1e-4 * common.abs()).then(|| f64::from((value - lower) / (upper - lower)))
}

#[test]
fn every_joint_follows_the_range_and_differs_from_the_others_by_chance_alone() {
    let mut columns = Vec::new();
    let mut pairs = Vec::new();
    for (row, draw) in PARAMETERS.iter().filter_map(readable) {
        let draws = joint_draws(&row, row.usual);
        let places = |joint: usize| -> Vec<f64> {
            let place = |(common, joints): &(f32, Vec<f32>)| match draw {
                JointDraw::Independent => place(row.usual, row.bounds, joints[joint]),
                JointDraw::Shared { spread } => {
                    place_around(*common, spread, row.usual.support(row.bounds), joints[joint])
                }
            };
            draws.iter().filter_map(place).collect()
        };
        let (first, last) = (places(0), places(draws[0].1.len() - 1));
        assert!(first.len() as u64 > EPISODES / 2, "{}: {} draws", row.name, first.len());
        pairs.push((row.name, uncorrelated(&first, &last)));
        columns.extend([(row.name, first), (row.name, last)]);
    }
    for (name, chance) in &pairs {
        assert!(*chance > FALSE_ALARM / pairs.len() as f64, "joints of {name} hang together, chance {chance:e}");
    }
    assert!(pairs.len() >= 10);
    assert_uniform("one joint", columns);
}

#[test]
fn directions_are_drawn_from_the_whole_circle_and_the_whole_sphere() {
    let mut columns = Vec::new();
    for row in PARAMETERS {
        let apply = match row.apply {
            Apply::Horizontal(_, read) => {
                Apply::Horizontal(|world, _, azimuth_rad| world.gravity_m_per_sec2 = [azimuth_rad, 0.0, 0.0], read)
            }
            Apply::Direction(_, read) => {
                let write: fn(&mut WorldParameters, Change<'_>, [f32; 3]) = |world, _, along| {
                    world.gravity_m_per_sec2 = [along[1].atan2(along[0]), along[2], along.map(|x| x * x).iter().sum()];
                };
                Apply::Direction(write, read)
            }
            _ => continue,
        };
        let row = RandomizedParameter { apply, ..*row };
        let draw = |episode| {
            let mut world = WorldParameters::nominal(&SCENE);
            row.draw(row.usual, &mut world, &mut generator(&row, episode));
            world.gravity_m_per_sec2.map(f64::from)
        };
        let drawn: Vec<[f64; 3]> = (0..EPISODES).map(draw).collect();
        columns.push((row.name, drawn.iter().map(|[azimuth, ..]| (azimuth + PI) / TAU).collect()));
        if let Apply::Direction(..) = row.apply {
            assert!(drawn.iter().all(|[_, _, square]| (square - 1.0).abs() < 1e-5), "{}", row.name);
            columns.push((row.name, drawn.iter().map(|[_, height, _]| 0.5 * (height + 1.0)).collect()));
        }
    }
    assert!(columns.len() >= 5);
    assert_uniform("directions", columns);
}

#[test]
fn ranges_that_grow_are_drawn_from_evenly_inside_their_present_boundaries() {
    let ranges = Preset::Full.ranges();
    let config = AdrConfig { start_reach: 0.7, ..AdrConfig::default() };
    let adr = AdrRanges::new(SeedTree::new(5), Arc::clone(&SCENE), task(), &ranges, &config, 64).expect("it can be");
    let report = adr.monitor().report();
    let episodes: Vec<(Option<&str>, EpisodePlan)> =
        (0..EPISODES).map(|episode| (adr.tested(0, episode).map(|tested| tested.0), adr.plan(0, episode))).collect();
    let mut columns = Vec::new();
    for (index, ((row, configured), present)) in ranges.rows().zip(&report.ranges).enumerate() {
        assert_eq!(row.name, present.name);
        let (min, max) = (present.lower, present.upper);
        let range = match configured {
            Distribution::LogUniform { .. } => Distribution::LogUniform { min, max },
            _ => Distribution::Uniform { min, max },
        };
        let at_boundary =
            |group: &Option<&str>| group.is_some_and(|group| group.split('+').any(|name| name == row.name));
        let free = episodes.iter().filter(|(group, _)| !at_boundary(group));
        let places: Vec<f64> =
            free.map(|(_, plan)| place(range, row.bounds, plan.sampled[index]).expect("it has grown")).collect();
        assert!(places.len() as u64 > EPISODES / 2, "{}", row.name);
        if !is_mean(row) {
            columns.push((row.name, places));
        }
    }
    assert_uniform("ranges that grow", columns);
}

/// Everything that is drawn for an episode, by name.
fn everything_drawn(ranges: &RangeConfig, plan: &EpisodePlan) -> Vec<(String, f64)> {
    let mut all: Vec<(String, f64)> =
        ranges.rows().zip(&plan.sampled).map(|((row, _), value)| (row.name.to_owned(), f64::from(*value))).collect();
    let mut add = |name: &str, values: &[f32]| {
        all.extend(values.iter().enumerate().map(|(index, value)| (format!("{name} {index}"), f64::from(*value))));
    };
    let world = &plan.parameters;
    add("gravity, horizontal", &world.gravity_m_per_sec2[..2]);
    add("tracker's error of position", &world.tracking.position_bias_m);
    add("tracker's error of rotation", &world.tracking.rotation_bias_rad);
    let of_joints = |read: fn(&giraffe_physics::JointParameters) -> f32| -> Vec<f32> {
        [0, 7, 15].map(|joint| read(&world.joints[joint])).to_vec()
    };
    add("position bias of joint", &of_joints(|joint| joint.position_bias_rad));
    add("target bias of joint", &of_joints(|joint| joint.target_bias_rad));
    add("start of joint", &plan.start.joint_positions_rad[..1]);
    let start = plan.start.palm_from_object.translation;
    add("start of object", &[start.x, start.y]);
    add("seed of noise", &[plan.noise_seed as f32 / u64::MAX as f32]);
    all
}

#[test]
fn no_two_draws_of_an_episode_hang_together() {
    let ranges = Preset::Full.ranges();
    let episodes: Vec<_> = plans(&fixed(&ranges)).iter().map(|plan| everything_drawn(&ranges, plan)).collect();
    let names: Vec<&str> = episodes[0].iter().map(|(name, _)| name.as_str()).collect();
    let columns: Vec<Vec<f64>> =
        (0..names.len()).map(|index| episodes.iter().map(|episode| episode[index].1).collect()).collect();
    // The mean over the joints of a parameter hangs together with what the joints are, and what does not vary with nothing.
    let varies = |column: &[f64]| column.iter().any(|value| (value - column[0]).abs() > 0.0);
    let of_mean = |a: &str, b: &str| {
        [("position bias of joint", "sensing.position_bias"), ("target bias of joint", "actuation.bias")]
            .iter()
            .any(|(joint, mean)| (a.starts_with(joint) && b == *mean) || (b.starts_with(joint) && a == *mean))
    };
    let mut chances = Vec::new();
    for a in 0..columns.len() {
        for b in (0..a).filter(|b| varies(&columns[a]) && varies(&columns[*b]) && !of_mean(names[a], names[*b])) {
            chances.push((uncorrelated(&columns[a], &columns[b]), names[a], names[b]));
        }
    }
    assert!(chances.len() > 1000, "{}", chances.len());
    for (chance, a, b) in &chances {
        assert!(*chance > FALSE_ALARM / chances.len() as f64, "{a} and {b} hang together, chance {chance:e}");
    }
}

#[test]
fn the_tests_themselves_would_notice() {
    let uniform = |seed: u64| -> Vec<f64> {
        let distribution = Distribution::Uniform { min: 0.0, max: 1.0 };
        let mut rng = SeedTree::new(seed).stream(Stream::Parameters, 0, 0);
        let bounds = Limits { lower: 0.0, upper: 1.0 };
        (0..EPISODES).map(|_| f64::from(distribution.draw(bounds, &mut rng))).collect()
    };
    let (one, other) = (uniform(1), uniform(2));
    let strict = FALSE_ALARM / 1000.0;
    assert!(kolmogorov_smirnov(one.clone()) > 0.01 && uncorrelated(&one, &other) > 0.01);
    // A range a fifth too narrow, one that is uniform where it should be logarithmic, a deviation taken for a variance.
    assert!(kolmogorov_smirnov(one.iter().map(|x| 0.1 + 0.8 * x).collect()) < strict);
    assert!(kolmogorov_smirnov(one.iter().map(|x| (1.0 + x).ln() / 2_f64.ln()).collect()) < strict);
    let bounds = Limits { lower: -1.0, upper: 1.0 };
    let mut rng = SeedTree::new(3).stream(Stream::Parameters, 0, 0);
    let variance = Distribution::Normal { mean: 0.0, deviation: 0.25_f32.sqrt() };
    let drawn: Vec<f32> = (0..EPISODES).map(|_| variance.draw(bounds, &mut rng)).collect();
    let said = Distribution::Normal { mean: 0.0, deviation: 0.25 };
    assert!(kolmogorov_smirnov(drawn.iter().filter_map(|value| place(said, bounds, *value)).collect()) < strict);
    // A tenth of one number in another.
    let mixed: Vec<f64> = one.iter().zip(&other).map(|(one, other)| 0.2 * one + other).collect();
    assert!(uncorrelated(&one, &mixed) < strict);
    assert!(
        (normal_cumulative(1.96) - 0.975_002_1).abs() < 1e-7 && (normal_cumulative(-1.0) - 0.158_655_3).abs() < 1e-7
    );
}
