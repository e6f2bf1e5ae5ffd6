//! Automatic domain randomization, told by what it does to the ranges. The policies here are one line each.

use giraffe_physics::{EpisodePlan, EpisodeSampler, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_randomization::{
    AdrConfig, AdrRanges, AdrReport, Distribution, FixedRanges, PARAMETERS, Preset, RangeConfig, Recorded, Side,
    find_parameter,
};
use giraffe_robots::{EpisodeReport, OBJECTS, Outcome, SeedTree, Task, load_robot};
use std::sync::{Arc, LazyLock};

static SCENE: LazyLock<Arc<SceneModel>> = LazyLock::new(|| {
    let robot = Arc::new(load_robot("leap-right").expect("a built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
});

fn task() -> &'static dyn Task {
    giraffe_robots::tasks::TASKS[0]
}

fn whole_secs() -> f64 {
    f64::from(task().episode_step_count()) * f64::from(SCENE.robot().control.period_secs)
}

fn adr_of(seed: u64, ranges: &RangeConfig, config: &AdrConfig) -> AdrRanges {
    AdrRanges::new(SeedTree::new(seed), Arc::clone(&SCENE), task(), ranges, config, 64).expect("it can be")
}

fn wide(config: &AdrConfig) -> AdrRanges {
    adr_of(1, &Preset::Wide.ranges(), config)
}

/// Every parameter alone, short buffers.
fn alone() -> AdrConfig {
    AdrConfig { groups: Vec::new(), buffer_length: 4, step: 0.25, ..AdrConfig::default() }
}

fn only(name: &str) -> RangeConfig {
    let mut ranges = RangeConfig::none();
    let usual = find_parameter(name).expect("a row").usual;
    ranges.set(name, usual).expect("it is inside the bounds");
    ranges
}

/// A finished episode of full length.
fn report(world: u64, episode: u64, rate_rad_per_sec: f32) -> EpisodeReport {
    EpisodeReport {
        world,
        episode,
        step_count: task().episode_step_count(),
        reward: 0.0,
        outcome: Outcome::TimeUp,
        measures: vec![Some(rate_rad_per_sec.into()), Some(1.0)],
        intended_secs: whole_secs(),
    }
}

/// Worlds as `HandWorlds` runs them, without hands: the plan of a world's next episode is drawn before the report of the
/// last one is learned. Worlds end at different times, so that some episodes are always in flight.
struct Runner {
    adr: AdrRanges,
    running: Vec<(u64, EpisodePlan)>,
    tick: u64,
}

impl Runner {
    fn new(adr: AdrRanges, world_count: u64) -> Self {
        let running = (0..world_count).map(|world| (0, adr.plan(world, 0))).collect();
        Self { adr, running, tick: 0 }
    }

    /// A third of the worlds ends.
    fn tick(&mut self, rate_of: impl Fn(&EpisodePlan) -> f32) {
        let mut reports = Vec::new();
        for (world, (episode, plan)) in self.running.iter_mut().enumerate() {
            let world = world as u64;
            if (world + self.tick).is_multiple_of(3) {
                reports.push(report(world, *episode, rate_of(plan)));
                *episode += 1;
                *plan = self.adr.plan(world, *episode);
            }
        }
        self.adr.learn(&reports);
        self.tick += 1;
    }

    fn ticks(&mut self, count: usize, rate_of: impl Fn(&EpisodePlan) -> f32) {
        (0..count).for_each(|_| self.tick(&rate_of));
    }

    fn report(&self) -> AdrReport {
        self.adr.monitor().report()
    }
}

/// Episodes of one world that test a given side, one after the other.
fn episodes_testing<'a>(adr: &'a AdrRanges, group: &'a str, side: Side) -> impl Iterator<Item = u64> + 'a {
    (0..).filter(move |episode| adr.tested(0, *episode) == Some((group, side)))
}

fn column(name: &str) -> usize {
    Preset::Wide.ranges().rows().position(|(row, _)| row.name == name).expect("a row of the wide ranges")
}

#[test]
fn before_anything_is_learned_every_world_is_nominal() {
    let adr = wide(&AdrConfig::default());
    for episode in 0..50 {
        assert_eq!(adr.plan(3, episode).parameters, WorldParameters::nominal(&SCENE));
    }
    let report = adr.monitor().report();
    assert!((report.entropy_nats - 1e-3_f64.ln()).abs() < 1e-9, "{}", report.entropy_nats);
}

#[test]
fn the_columns_are_those_of_fixed_ranges() {
    let fixed = FixedRanges::new(SeedTree::new(1), Arc::clone(&SCENE), task(), &Preset::Wide.ranges());
    let adr = wide(&AdrConfig::default());
    assert_eq!(adr.parameters(), fixed.parameters());
    assert_eq!(adr.plan(0, 0).sampled.len(), fixed.plan(0, 0).sampled.len());
}

#[test]
fn ranges_that_reach_the_edges_are_drawn_from_like_fixed_ones() {
    let ranges = RangeConfig::none();
    let mut ranges = ranges.overlaid(&only("joint.damping"));
    ranges.set("object.mass", Distribution::Uniform { min: 0.5, max: 1.5 }).unwrap();
    let config = AdrConfig { start_reach: 1.0, boundary_probability: 0.0, ..alone() };
    let adr = adr_of(1, &ranges, &config);
    let fixed = FixedRanges::new(SeedTree::new(1), Arc::clone(&SCENE), task(), &ranges);
    for episode in 0..20 {
        let (ours, theirs) = (adr.plan(2, episode), fixed.plan(2, episode));
        assert_eq!(ours.start, theirs.start);
        assert_eq!(ours.noise_seed, theirs.noise_seed);
        for (a, b) in ours.sampled.iter().zip(&theirs.sampled) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }
}

#[test]
fn a_side_grows_where_the_policy_succeeds_shrinks_where_it_fails_and_stays_between() {
    let config = AdrConfig { start_reach: 0.5, ..alone() };
    for (rate, reach) in [(0.2, 0.75), (0.1, 0.25), (0.15, 0.5)] {
        let mut adr = adr_of(1, &only("object.mass"), &config);
        let tests: Vec<u64> = episodes_testing(&adr, "object.mass", Side::Upper).take(4).collect();
        for (count, episode) in tests.into_iter().enumerate() {
            let side = adr.monitor().report().sides[1].clone();
            assert!((side.reach - 0.5).abs() < 1e-9 && side.waiting == count, "not before the buffer is full");
            adr.learn(&[report(0, episode, rate + if rate < 0.15 { -1e-4 } else { 1e-4 })]);
        }
        let [lower, upper] = &adr.monitor().report().sides[..] else { panic!("two sides") };
        assert!((upper.reach - reach).abs() < 1e-9, "{rate}: {}", upper.reach);
        assert!((lower.reach - 0.5).abs() < 1e-9 && lower.waiting == 0, "the other side is not concerned");
        assert_eq!((upper.waiting, upper.grown + upper.shrunk + upper.kept), (0, 1));
    }
}

#[test]
fn a_policy_that_merely_survives_widens_nothing() {
    let mut runner = Runner::new(wide(&alone()), 64);
    runner.ticks(200, |_| 0.0);
    let report = runner.report();
    assert!(report.boundary_episodes > 1000 && report.sides.iter().all(|side| side.kept > 0 && side.grown == 0));
    assert!(report.ranges.iter().all(|range| range.relative_width.unwrap() < 1e-9));
}

#[test]
fn a_drop_ends_what_counts_but_what_was_turned_before_counts() {
    let mut adr = adr_of(1, &only("object.mass"), &AdrConfig { buffer_length: 1, ..alone() });
    let episode = episodes_testing(&adr, "object.mass", Side::Upper).next().unwrap();
    // 0.5 rad/s for a tenth of the time, then a drop: 0.05 rad/s.
    let dropped = EpisodeReport {
        step_count: task().episode_step_count() / 10,
        outcome: Outcome::Failed,
        ..report(0, episode, 0.05)
    };
    adr.learn(&[dropped]);
    let upper = &adr.monitor().report().sides[1];
    assert!((upper.latest_mean.unwrap() - 0.05).abs() < 1e-6 && upper.grown == 0);
}

#[test]
fn whatever_succeeds_grows_to_its_bounds_and_never_beyond() {
    let config = AdrConfig { max_reach: 1e3, step: 30.0, buffer_length: 1, ..alone() };
    let mut runner = Runner::new(adr_of(1, &Preset::Full.ranges(), &config), 256);
    runner.ticks(300, |_| 1.0);
    let report = runner.report();
    for (row, range) in PARAMETERS.iter().zip(&report.ranges) {
        assert!(row.bounds.contains(range.lower) && row.bounds.contains(range.upper), "{range:?}");
        assert!(range.lower <= row.nominal && range.upper >= row.nominal, "{range:?}");
    }
    for side in &report.sides {
        assert!(side.reach <= side.max_reach, "{side:?}");
    }
    let mass = report.range("object.mass").unwrap();
    assert!((mass.lower - 0.1).abs() < 1e-6 && (mass.upper - 10.0).abs() < 1e-6, "{mass:?}");
    let mut plans = (0..200).map(|episode| runner.adr.plan(999, episode));
    assert!(plans.all(|plan| PARAMETERS.iter().zip(&plan.sampled).all(|(row, value)| row.bounds.contains(*value))));
}

#[test]
fn what_fails_shrinks_to_nominal_and_never_past_it() {
    let config = AdrConfig { start_reach: 0.6, ..alone() };
    let mut runner = Runner::new(adr_of(1, &Preset::Full.ranges(), &config), 128);
    runner.ticks(400, |_| 0.0);
    for (row, range) in PARAMETERS.iter().zip(&runner.report().ranges) {
        let ends = [range.lower, range.upper];
        assert!(ends.iter().all(|end| end.to_bits() == row.nominal.to_bits()), "{range:?}");
    }
}

#[test]
fn half_of_all_episodes_test_a_boundary_and_each_side_has_its_share() {
    let adr = wide(&alone());
    let side_count = adr.monitor().report().sides.len();
    let (mut counts, episodes) = (std::collections::BTreeMap::new(), 40_000_u64);
    for index in 0..episodes {
        if let Some((group, side)) = adr.tested(index % 200, index / 200) {
            *counts.entry((group.to_owned(), side)).or_insert(0_u64) += 1;
        }
    }
    // Five standard deviations of a binomial count.
    let within = |count: u64, share: f64| {
        let n = episodes as f64;
        (count as f64 - n * share).abs() < 5.0 * (n * share * (1.0 - share)).sqrt()
    };
    assert!(within(counts.values().sum(), 0.5), "{counts:?}");
    assert_eq!(counts.len(), side_count);
    assert!(counts.values().all(|count| within(*count, 0.5 / side_count as f64)), "{counts:?}");
}

#[test]
fn the_share_of_tests_is_the_one_asked_for() {
    for share in [0.0, 0.1, 0.4, 1.0] {
        let adr = wide(&AdrConfig { boundary_probability: share, ..alone() });
        let count = (0..10_000).filter(|episode| adr.tested(0, *episode).is_some()).count();
        assert!((count as f64 / 10_000.0 - f64::from(share)).abs() < 0.025, "{share}: {count}");
    }
}

#[test]
fn an_episode_that_tests_a_side_has_it_at_the_boundary_and_all_else_inside() {
    let config = AdrConfig { start_reach: 0.7, ..alone() };
    let adr = wide(&config);
    let ranges = adr.monitor().report().ranges;
    let mut tests = 0;
    for episode in 0..2000 {
        let sampled = adr.plan(5, episode).sampled;
        let at_end = |(range, value): (&giraffe_randomization::AdrRangeReport, &f32)| {
            let lower_is_an_end = find_parameter(&range.name).unwrap().nominal > range.lower;
            (lower_is_an_end && value.to_bits() == range.lower.to_bits()) || value.to_bits() == range.upper.to_bits()
        };
        let ends: Vec<&str> =
            ranges.iter().zip(&sampled).filter(|pair| at_end(*pair)).map(|pair| &*pair.0.name).collect();
        for (range, value) in ranges.iter().zip(&sampled) {
            assert!((range.lower..=range.upper).contains(value), "{range:?}: {value}");
        }
        match adr.tested(5, episode) {
            Some((group, _)) => assert_eq!(ends, [group]),
            None => assert!(ends.is_empty(), "{ends:?}"),
        }
        tests += usize::from(!ends.is_empty());
    }
    assert!((900..1100).contains(&tests), "{tests}");
}

#[test]
fn a_tested_group_has_all_of_its_rows_at_the_boundary() {
    let adr = wide(&AdrConfig { start_reach: 0.7, ..AdrConfig::default() });
    let group = "object.center_of_mass_x+object.center_of_mass_y+object.center_of_mass_z";
    let ranges = adr.monitor().report().ranges;
    let episode = episodes_testing(&adr, group, Side::Lower).next().unwrap();
    let plan = adr.plan(0, episode);
    for axis in ["x", "y", "z"] {
        let column = column(&format!("object.center_of_mass_{axis}"));
        assert_eq!(plan.sampled[column].to_bits(), ranges[column].lower.to_bits());
    }
    assert!(plan.parameters.object.center_of_mass_m.iter().all(|m| (m + 0.7 * 0.005).abs() < 1e-7));
}

#[test]
fn a_tested_boundary_is_in_the_world_and_not_only_in_the_column() {
    let adr = adr_of(1, &only("joint.stiffness"), &AdrConfig { start_reach: 1.0, ..alone() });
    let episode = episodes_testing(&adr, "joint.stiffness", Side::Upper).next().unwrap();
    let (plan, nominal) = (adr.plan(0, episode), WorldParameters::nominal(&SCENE));
    for (joint, was) in plan.parameters.joints.iter().zip(&nominal.joints) {
        let ratio = joint.stiffness_newton_m_per_rad / was.stiffness_newton_m_per_rad;
        // Servos of one make differ by 10 %, inside the range: its end is 1.5.
        assert!((1.349..=1.5001).contains(&ratio), "{ratio}");
    }
}

#[test]
fn a_result_from_before_the_boundary_moved_is_not_counted_for_the_new_one() {
    let mut adr = adr_of(1, &only("object.mass"), &AdrConfig { buffer_length: 1, ..alone() });
    let tests: Vec<u64> = episodes_testing(&adr, "object.mass", Side::Upper).take(20).collect();
    let upper = |adr: &AdrRanges| adr.monitor().report().sides[1].clone();
    // Two worlds whose first whole episodes test the upper side: both are in flight when the first result comes.
    let both: Vec<u64> =
        (0..).filter(|world| adr.tested(*world, 1) == Some(("object.mass", Side::Upper))).take(2).collect();
    adr.learn(&[report(both[0], 0, 0.0), report(both[1], 0, 0.0)]);
    let before = upper(&adr);
    adr.learn(&[report(both[0], 1, 1.0)]);
    assert!(upper(&adr).reach > before.reach);
    adr.learn(&[report(both[1], 1, 0.0)]);
    assert_eq!(upper(&adr).shrunk, before.shrunk, "the failure was at the boundary of before");
    assert_eq!(adr.monitor().report().stale_episodes, 1);
    // One that was planned after the move counts.
    let later = tests.into_iter().find(|episode| *episode > 1 && adr.tested(0, episode - 1).is_none()).unwrap();
    adr.learn(&[report(0, later - 1, 0.0)]);
    adr.learn(&[report(0, later, 0.0)]);
    assert_eq!(upper(&adr).shrunk, before.shrunk + 1);
}

#[test]
fn results_that_end_together_are_judged_by_when_they_were_planned() {
    // Both ended in the same step, at the same boundary; the first moves it, so the second is old.
    let mut adr = adr_of(1, &only("object.mass"), &AdrConfig { buffer_length: 1, ..alone() });
    let both: Vec<u64> =
        (0..).filter(|world| adr.tested(*world, 0) == Some(("object.mass", Side::Upper))).take(2).collect();
    adr.learn(&[report(both[0], 0, 1.0), report(both[1], 0, 1.0)]);
    let report = adr.monitor().report();
    assert_eq!((report.sides[1].grown, report.stale_episodes), (1, 1));
}

#[test]
fn an_episode_cut_short_on_purpose_tests_nothing() {
    let mut adr = adr_of(1, &only("object.mass"), &AdrConfig { buffer_length: 1, ..alone() });
    let episode = episodes_testing(&adr, "object.mass", Side::Upper).next().unwrap();
    let short = EpisodeReport { intended_secs: 0.5 * whole_secs(), ..report(0, episode, 1.0) };
    adr.learn(&[short]);
    let report = adr.monitor().report();
    assert_eq!((report.cut_short_episodes, report.boundary_episodes, report.sides[1].grown), (1, 1, 0));
}

#[test]
fn a_policy_that_needs_friction_stops_the_range_where_it_fails() {
    let friction = column("contact.friction");
    let runner_until = |needed: f32| {
        let mut runner = Runner::new(wide(&AdrConfig { step: 0.1, ..alone() }), 256);
        runner.ticks(600, |plan| if plan.sampled[friction] > needed { 0.4 } else { 0.0 });
        runner.report()
    };
    for needed in [0.65, 0.4] {
        let report = runner_until(needed);
        let range = report.range("contact.friction").unwrap();
        // A step is a tenth of the way from 1 to the usual 0.5.
        assert!((range.lower - needed).abs() < 0.051, "{needed}: {range:?}");
        assert!((range.upper - 3.0).abs() < 1e-5, "all that way up it succeeds: {range:?}");
        let tips = report.range("contact.tip_friction").unwrap();
        assert!(tips.relative_width.unwrap() > 2.0, "others are not held back: {tips:?}");
    }
}

#[test]
fn a_logarithmic_range_grows_and_is_drawn_in_the_logarithm() {
    let config = AdrConfig { start_reach: 2.0, boundary_probability: 0.0, ..alone() };
    let adr = adr_of(1, &only("joint.damping"), &config);
    let range = adr.monitor().report().ranges[0].clone();
    assert!((range.lower - 0.25).abs() < 1e-6 && (range.upper - 4.0).abs() < 1e-5, "{range:?}");
    assert!((range.relative_width.unwrap() - 2.0).abs() < 1e-6);
    let below_nominal = (0..4000).filter(|episode| adr.plan(0, *episode).sampled[0] < 1.0).count();
    assert!((1800..2200).contains(&below_nominal), "{below_nominal}");
}

#[test]
fn entropy_is_the_mean_logarithm_of_the_widths() {
    let mut ranges = only("object.mass");
    ranges = ranges.overlaid(&only("joint.damping")).overlaid(&only("contact.restitution"));
    let at = |start_reach| adr_of(1, &ranges, &AdrConfig { start_reach, ..alone() }).monitor().report().entropy_nats;
    assert!(at(1.0).abs() < 1e-6, "as wide as configured: {}", at(1.0));
    assert!((at(0.5) - 0.5_f64.ln()).abs() < 1e-6, "{}", at(0.5));
    assert!((at(0.0) - 1e-3_f64.ln()).abs() < 1e-9, "{}", at(0.0));
    let widths = [0.5, 2.0, 0.0, 1e-5];
    let expected = (0.5_f64.ln() + 2_f64.ln() + 2.0 * 1e-3_f64.ln()) / 4.0;
    assert!((giraffe_randomization::entropy_nats(&widths) - expected).abs() < 1e-12);
    assert!(giraffe_randomization::entropy_nats(&[]).abs() < 1e-12);
}

/// Success that depends on many numbers of a plan.
fn capricious(plan: &EpisodePlan) -> f32 {
    let sum: f32 = plan.sampled.iter().sum();
    (sum * 17.0).sin().abs() * 0.4 + if plan.sampled[0] > 1.2 { -0.2 } else { 0.05 }
}

#[test]
fn one_seed_repeats_and_two_differ() {
    let run = |seed| {
        let mut runner = Runner::new(adr_of(seed, &Preset::Wide.ranges(), &alone()), 64);
        runner.ticks(150, capricious);
        (runner.adr.save(), runner.report())
    };
    assert_eq!(run(7).0, run(7).0);
    assert_ne!(run(7).1.ranges, run(8).1.ranges);
}

#[test]
fn the_same_episode_has_the_same_plan_until_something_is_learned() {
    let mut runner = Runner::new(wide(&alone()), 64);
    runner.ticks(100, |_| 1.0);
    let first = runner.adr.plan(3, 77);
    for episode in 0..50 {
        runner.adr.plan(1, episode);
    }
    assert_eq!(first, runner.adr.plan(3, 77));
    assert_ne!(first.sampled, runner.adr.plan(3, 78).sampled);
    assert_ne!(first.sampled, runner.adr.plan(4, 77).sampled);
}

#[test]
fn a_run_continued_from_a_checkpoint_is_the_run_that_was_never_stopped() {
    let mut runner = Runner::new(wide(&alone()), 64);
    runner.ticks(151, capricious);
    let report = runner.report();
    assert!(report.sides.iter().any(|side| side.waiting > 0), "in the middle of buffers");
    assert!(report.stale_episodes > 0 && report.sides.iter().any(|side| side.shrunk > 0));
    let mut fresh = wide(&alone());
    fresh.restore(&runner.adr.save()).unwrap();
    assert_eq!(fresh.monitor().report(), report);
    // As `HandWorlds` does, the episodes in flight go on with their saved plans.
    let mut continued = Runner { adr: fresh, running: runner.running.clone(), tick: runner.tick };
    runner.ticks(100, capricious);
    continued.ticks(100, capricious);
    assert_eq!(continued.report(), runner.report());
    assert_eq!(continued.adr.save(), runner.adr.save());
    assert_eq!(continued.running, runner.running);
}

#[test]
fn any_episode_of_a_run_can_be_planned_again_from_its_history() {
    let adr = wide(&alone());
    let start: Vec<f64> = adr.monitor().report().sides.iter().map(|side| side.reach).collect();
    adr.monitor().record();
    let mut run = Runner::new(adr, 64);
    let (mut moves, mut planned) = (Vec::new(), Vec::new());
    for tick in 0..300 {
        // As a run does that is killed and continued now and then.
        if tick % 100 == 99 {
            let saved = run.adr.save();
            run.adr.restore(&saved).expect("its own state");
        }
        run.tick(capricious);
        let history = run.adr.monitor().take_history();
        moves.extend(history.moves);
        let running = |world: u64| run.running[world as usize].1.clone();
        planned.extend(history.planned.into_iter().map(|at| (at, running(at.world))));
    }
    assert!(moves.len() > 20 && planned.len() > 6000, "{} moves, {} episodes", moves.len(), planned.len());
    let mut replay = wide(&alone());
    for (at, plan) in planned.iter().step_by(7) {
        let mut reaches = start.clone();
        moves
            .iter()
            .filter(|moved| moved.move_count <= at.move_count)
            .for_each(|moved| reaches[moved.side] = moved.reach);
        replay.set_reaches(&reaches).expect("as many as there are");
        assert!(replay.plan(at.world, at.episode) == *plan, "{at:?}");
    }
    let error = replay.set_reaches(&start[1..]).expect_err("one is missing").to_string();
    assert!(error.contains("another table"), "{error}");
    // Who does not ask pays nothing.
    let mut silent = Runner::new(wide(&alone()), 64);
    silent.ticks(10, capricious);
    assert!(silent.adr.monitor().take_history().planned.is_empty());
}

#[test]
fn a_state_of_another_table_is_refused_in_one_message() {
    let saved = |ranges: &RangeConfig, config: &AdrConfig, seed| adr_of(seed, ranges, config).save();
    let all = Preset::Wide.ranges();
    let mut other_range = all.clone();
    other_range.set("object.mass", Distribution::Uniform { min: 0.4, max: 1.5 }).unwrap();
    let grouped = AdrConfig { groups: vec![vec!["sensing.*".to_owned()]], ..alone() };
    for (bytes, parts) in [
        (saved(&only("object.mass"), &alone(), 1), ["another table", "object.size", "did not vary then"]),
        (saved(&other_range, &alone(), 1), ["another table", "object.mass have changed", "begin a new run"]),
        (saved(&all, &grouped, 1), ["another table", "grouped otherwise", "begin a new run"]),
        (saved(&all, &alone(), 2), ["its seed is 2", "here it is 1", "begin a new run"]),
        (Vec::new(), ["reading the saved ranges", "failed", "randomization.adr.enabled"]),
        (b"rubbish".to_vec(), ["reading the saved ranges", "failed", "randomization.adr.enabled"]),
    ] {
        let mut adr = adr_of(1, &all, &alone());
        let before = adr.save();
        let error = adr.restore(&bytes).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} are not in: {error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(adr.save(), before, "a refused state changes nothing");
    }
    let mut narrower = adr_of(1, &only("object.mass"), &alone());
    let error = narrower.restore(&saved(&all, &alone(), 1)).unwrap_err();
    assert!(error.contains("object.size") && error.contains("no longer vary"), "{error}");
}

#[test]
fn sixteen_thousand_worlds_widen_the_ranges_too() {
    let ranges = Preset::Wide.ranges();
    let mut adr =
        AdrRanges::new(SeedTree::new(1), Arc::clone(&SCENE), task(), &ranges, &AdrConfig::default(), 16_384).unwrap();
    for episode in 0..4 {
        let reports: Vec<EpisodeReport> = (0..16_384).map(|world| report(world, episode, 0.5)).collect();
        adr.learn(&reports);
    }
    let report = adr.monitor().report();
    for side in &report.sides {
        assert!((1..=4).contains(&side.grown), "{side:?}");
        assert!(side.reach <= 4.0 * 0.0366, "{side:?}");
    }
    assert!(2 * report.stale_episodes < report.boundary_episodes, "{report:?}");
}

/// 10,000 episodes: 4 million control steps, what one core does in a quarter of an hour.
#[test]
fn a_quarter_of_an_hour_is_enough_to_reach_the_usual_ranges_even_if_half_of_it_is_lost() {
    let adr = AdrRanges::new(
        SeedTree::new(1),
        Arc::clone(&SCENE),
        task(),
        &Preset::Wide.ranges(),
        &AdrConfig::default(),
        128,
    );
    let mut runner = Runner::new(adr.expect("the defaults can be"), 128);
    while runner.report().episodes < 5_000 {
        runner.tick(|_| 0.05);
    }
    assert!(runner.report().entropy_nats < -6.9);
    while runner.report().episodes < 10_000 {
        runner.tick(|_| 0.4);
    }
    let report = runner.report();
    assert!(report.entropy_nats > 0.0, "as wide as configured, in the mean: {}", report.entropy_nats);
}
