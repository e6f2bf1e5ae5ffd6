//! Curricula, told by what they do to the number that moves. The policies here are one line each.
#![allow(clippy::float_cmp, reason = "the expected numbers are exact")]

use giraffe_physics::{EpisodePlan, EpisodeSampler, PhysicsSettings, SceneModel};
use giraffe_randomization::{CurriculumConfig, CurriculumRanges, Distribution, RangeConfig, Recorded, Subject};
use giraffe_robots::{EpisodeReport, OBJECTS, Outcome, SeedTree, find_task, load_robot};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static SCENE: LazyLock<Arc<SceneModel>> = LazyLock::new(|| {
    let robot = Arc::new(load_robot("leap-right").expect("a built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
});

/// Light and heavy objects, a fixed friction.
fn ranges() -> RangeConfig {
    let mut ranges = RangeConfig::none();
    ranges.set("object.mass", Distribution::Uniform { min: 0.8, max: 1.6 }).expect("inside the bounds");
    ranges.set("contact.friction", Distribution::Fixed(0.75)).expect("inside the bounds");
    ranges
}

fn made(task: &str, dials: &[(&str, f32)], config: &CurriculumConfig) -> Result<CurriculumRanges, String> {
    let dials: BTreeMap<String, f32> = dials.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let subject = Subject { task, dials: &dials, ranges: &ranges() };
    CurriculumRanges::new(SeedTree::new(5), &SCENE, subject, config).map_err(|error| error.to_string())
}

/// From a tolerance of 1.2 to the usual 0.4 in four steps, decided by four episodes.
fn tolerance() -> CurriculumConfig {
    CurriculumConfig { step_count: 4, episode_count: 4, ..CurriculumConfig::of("dials.tolerance_rad", 1.2) }
}

fn reorient(config: &CurriculumConfig) -> CurriculumRanges {
    made("reorient", &[], config).expect("it can be")
}

fn report(world: u64, episode: u64, successes: f64) -> EpisodeReport {
    let step_count = find_task("reorient").expect("a task").episode_step_count();
    EpisodeReport {
        world,
        episode,
        step_count,
        reward: 0.0,
        outcome: Outcome::TimeUp,
        measures: vec![Some(successes), None, Some(0.5), None, None, Some(1.0)],
        intended_secs: f64::from(step_count) * 0.05,
    }
}

/// Worlds as `HandWorlds` runs them, without hands: the plan of a world's next episode is drawn before the report of the last
/// one is learned. A third of them ends in a tick.
struct Runner {
    ranges: CurriculumRanges,
    running: Vec<(u64, EpisodePlan)>,
    tick: u64,
}

impl Runner {
    fn new(ranges: CurriculumRanges, world_count: u64) -> Self {
        let running = (0..world_count).map(|world| (0, ranges.plan(world, 0))).collect();
        Self { ranges, running, tick: 0 }
    }

    fn tick(&mut self, successes: impl Fn(f32) -> f64) {
        let mut reports = Vec::new();
        for (world, (episode, plan)) in self.running.iter_mut().enumerate() {
            let world = world as u64;
            if (world + self.tick).is_multiple_of(3) {
                reports.push(report(world, *episode, successes(*plan.sampled.last().expect("a column"))));
                *episode += 1;
                *plan = self.ranges.plan(world, *episode);
            }
        }
        self.ranges.learn(&reports);
        self.tick += 1;
    }

    fn value(&self) -> f32 {
        self.ranges.monitor().report().value
    }
}

#[test]
fn it_goes_from_easy_to_what_the_configuration_says_as_fast_as_it_is_mastered_and_no_further() {
    let mut run = Runner::new(reorient(&tolerance()), 12);
    let mut values = vec![run.value()];
    for _ in 0..60 {
        run.tick(|_| 9.0);
        if *values.last().expect("one") != run.value() {
            values.push(run.value());
        }
    }
    assert_eq!(values, [1.2, 1.0, 0.8, 0.6, 0.4]);
    let last = run.ranges.monitor().report();
    assert_eq!((last.level, last.promoted, last.demoted), (4, 4, 0));
    // In between is neither good nor poor: it stays.
    let mut stays = Runner::new(reorient(&tolerance()), 12);
    (0..60).for_each(|_| stays.tick(|_| 3.0));
    assert_eq!(stays.ranges.monitor().report().promoted, 0);
}

#[test]
fn a_level_that_is_too_hard_is_left_again_and_the_easiest_is_not() {
    let mut run = Runner::new(reorient(&tolerance()), 12);
    // As good as can be at 0.8 and more, and hopeless below.
    let mut seen = Vec::new();
    for _ in 0..90 {
        run.tick(|tolerance_rad| if tolerance_rad > 0.7 { 9.0 } else { 0.0 });
        seen.push(run.value());
    }
    let report = run.ranges.monitor().report();
    assert!(report.demoted > 3 && report.promoted - report.demoted <= 3, "{report:?}");
    assert!(seen.iter().all(|value| *value > 0.5) && seen.contains(&0.6), "{seen:?}");
    let mut hopeless = Runner::new(reorient(&tolerance()), 12);
    (0..30).for_each(|_| hopeless.tick(|_| 0.0));
    assert_eq!(hopeless.ranges.monitor().report().demoted, 0);
}

#[test]
fn results_of_another_level_or_of_an_episode_cut_short_do_not_count() {
    let mut ranges = reorient(&tolerance());
    let short = |world| EpisodeReport { intended_secs: 10.0, ..report(world, 0, 9.0) };
    ranges.learn(&(0..20).map(short).collect::<Vec<_>>());
    assert_eq!(ranges.monitor().report().level, 0, "cut short on purpose");
    let silent = |world| EpisodeReport { measures: vec![None; 6], ..report(world, 1, 9.0) };
    ranges.learn(&(0..20).map(silent).collect::<Vec<_>>());
    assert_eq!(ranges.monitor().report().level, 0, "they say nothing");
    // The first four lead on; the other sixteen were planned at the level before, and so were those that follow them.
    ranges.learn(&(0..20).map(|world| report(world, 2, 9.0)).collect::<Vec<_>>());
    ranges.learn(&(0..20).map(|world| report(world, 3, 9.0)).collect::<Vec<_>>());
    assert_eq!(ranges.monitor().report().level, 1);
    ranges.learn(&(0..20).map(|world| report(world, 4, 9.0)).collect::<Vec<_>>());
    assert_eq!(ranges.monitor().report().level, 2);
}

#[test]
fn an_episode_that_failed_before_it_could_say_anything_counts_as_a_poor_one() {
    // Four good results lead on, unless half of all were lost.
    let reached = |lost: bool| {
        let mut ranges = reorient(&tolerance());
        let failed = EpisodeReport { outcome: Outcome::Failed, measures: vec![None; 6], ..report(1, 0, 9.0) };
        let silent = EpisodeReport { measures: vec![None; 6], ..report(1, 0, 9.0) };
        let other = if lost { failed } else { silent };
        let reports: Vec<EpisodeReport> = (0..4)
            .flat_map(|world| [EpisodeReport { world: 2 * world + 1, ..other.clone() }, report(2 * world, 0, 6.0)])
            .collect();
        ranges.learn(&reports);
        ranges.monitor().report().level
    };
    assert_eq!((reached(false), reached(true)), (1, 0));
}

#[test]
fn a_plan_tells_the_number_and_so_which_task_it_is_of() {
    let mut ranges = reorient(&tolerance());
    let columns: Vec<String> = ranges.parameters().into_iter().map(|column| column.name).collect();
    assert_eq!(columns.last().map(String::as_str), Some("dials.tolerance_rad"));
    let mut plans = Vec::new();
    for level in 0..=4 {
        ranges.set_level(level).expect("a level");
        let plan = ranges.plan(3, 7);
        assert_eq!(plan.sampled.len(), columns.len());
        plans.push(plan);
    }
    assert_eq!(plans.iter().map(|plan| plan.sampled[2]).collect::<Vec<_>>(), [1.2, 1.0, 0.8, 0.6, 0.4]);
    assert!(plans.windows(2).all(|pair| pair[0].parameters == pair[1].parameters), "nothing else changes");
    // Whatever level holds now.
    let task = |plan: &EpisodePlan| std::ptr::from_ref(ranges.task(plan).expect("a task")).cast::<()>();
    assert!(plans.iter().enumerate().all(|(at, plan)| plans[..at].iter().all(|other| task(other) != task(plan))));
    assert!(ranges.set_level(5).is_err());
}

#[test]
fn a_number_of_the_ranges_moves_alike_whether_it_is_fixed_or_the_end_of_a_range() {
    let of = |scalar: &str, easy: f32, column: &str| {
        let mut ranges = made("rotate-z", &[], &CurriculumConfig::of(scalar, easy)).expect("it can be");
        let columns = ranges.parameters();
        assert_eq!(columns.len(), 2, "no column of its own: what was drawn is in the plan");
        let column = columns.iter().position(|known| known.name == column).expect("a column");
        [0, 5, 10].map(|level| {
            ranges.set_level(level).expect("a level");
            (0..400).map(|world| ranges.plan(world, 0).sampled[column]).fold(0.0, f32::max)
        })
    };
    assert_eq!(of("ranges.contact.friction", 1.25, "contact.friction"), [1.25, 1.0, 0.75]);
    let largest = of("ranges.object.mass.max", 1.0, "object.mass");
    for (found, expected) in largest.into_iter().zip([1.0, 1.3, 1.6]) {
        assert!(found <= expected && found > expected - 0.02, "{found} is not just below {expected}");
    }
}

#[test]
fn it_goes_on_from_a_checkpoint_as_if_nothing_had_happened_and_any_episode_can_be_planned_again() {
    let moody = |tolerance_rad: f32| if tolerance_rad > 0.7 { 9.0 } else { 0.0 };
    let (mut whole, mut parts) = (Runner::new(reorient(&tolerance()), 12), Runner::new(reorient(&tolerance()), 12));
    parts.ranges.monitor().record();
    let (mut moves, mut planned) = (Vec::new(), Vec::new());
    for tick in 0..80 {
        if tick % 17 == 16 {
            let saved = parts.ranges.save();
            parts.ranges = reorient(&tolerance());
            parts.ranges.monitor().record();
            parts.ranges.restore(&saved).expect("its own state");
        }
        whole.tick(moody);
        parts.tick(moody);
        let history = parts.ranges.monitor().take_history();
        moves.extend(history.moves);
        planned.extend(history.planned.into_iter().map(|at| (at, parts.running[at.world as usize].1.clone())));
    }
    assert!(whole.running == parts.running && whole.ranges.save() == parts.ranges.save());
    assert!(moves.len() > 5 && planned.len() > 300, "{} moves, {} episodes", moves.len(), planned.len());
    let mut again = reorient(&tolerance());
    for (at, plan) in &planned {
        let level = moves.iter().rev().find(|moved| moved.move_count <= at.move_count).map_or(0.0, |moved| moved.reach);
        again.set_level(level as usize).expect("a level");
        assert!(again.plan(at.world, at.episode) == *plan, "{at:?}");
    }
    let other = CurriculumConfig { easy: 1.1, ..tolerance() };
    let refused = reorient(&other).restore(&whole.ranges.save()).expect_err("other levels");
    assert!(refused.contains("begin a new run"), "{refused}");
}

#[test]
fn what_cannot_move_is_said_in_one_message_with_the_nearest_name() {
    let said = |task: &str, dials: &[(&str, f32)], config: CurriculumConfig| {
        made(task, dials, &config).map(|_| ()).expect_err("it cannot be")
    };
    let of = CurriculumConfig::of;
    let with = |change: fn(&mut CurriculumConfig)| {
        let mut config = tolerance();
        change(&mut config);
        config
    };
    for (message, parts) in [
        (said("reorient", &[], of("dials.tolerence_rad", 1.0)), ["scalar", "did you mean `dials.tolerance_rad`?"]),
        (said("reorient", &[], of("tolerance_rad", 1.0)), ["dials.tolerance_rad", "did you mean"]),
        (
            said("rotate-z", &[], of("ranges.object.mas.max", 1.0)),
            ["did you mean `ranges.object.mass.max`?", "rotate-z"],
        ),
        (said("rotate-z", &[], of("ranges.object.mass", 1.0)), ["ranges.object.mass.min", "ranges.object.mass.max"]),
        (
            said("rotate-z", &[], of("ranges.object.size", 1.0)),
            ["object.size does not vary here", "randomization.ranges"],
        ),
        (said("rotate-z", &[], of("ranges.contact.friction", 900.0)), ["contact.friction", "900"]),
        (said("reorient", &[], of("dials.tolerance_rad", 9.0)), ["dials.tolerance_rad = 9", "0.05 to 1.5"]),
        (said("reorient", &[], of("dials.tolerance_rad", 0.4)), ["curriculum.easy", "another number than"]),
        (said("reorient", &[], of("dials.tolerance_rad", f32::NAN)), ["curriculum.easy", "NaN"]),
        (said("reorient", &[("tolerance_rad", 1.2)], tolerance()), ["curriculum.easy", "1.2"]),
        (
            said("reorient", &[], of("dials.episode_secs", 10.0)),
            ["how long episodes are", "cannot change during a run"],
        ),
        (said("reorient", &[], with(|c| c.step_count = 0)), ["curriculum.step_count", "1 to 1000"]),
        (said("reorient", &[], with(|c| c.episode_count = 0)), ["curriculum.episode_count", "at least 1"]),
        (
            said("reorient", &[], with(|c| c.promote_above = Some(0.5))),
            ["promote_above", "better than demote_below, 1"],
        ),
        (
            said("reorient", &[], with(|c| c.measure = Some("reached_shar".to_owned()))),
            ["curriculum.measure", "did you mean `reached_share`?"],
        ),
        (
            said("reorient", &[], with(|c| c.measure = Some("reached_share".to_owned()))),
            ["curriculum.promote_above", "found nothing"],
        ),
    ] {
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} are not in: {message}");
    }
}

#[test]
fn a_share_of_goals_may_decide() {
    let config = CurriculumConfig {
        measure: Some("reached_share".to_owned()),
        promote_above: Some(0.5),
        demote_below: Some(0.3),
        ..tolerance()
    };
    // Every episode here reaches half of its goals, whatever the headline says.
    let mut run = Runner::new(reorient(&config), 12);
    (0..6).for_each(|_| run.tick(|_| 0.0));
    assert!(run.ranges.monitor().report().promoted > 0);
}
