//! What scenarios do, and how much of it at which dose.

use super::*;
use crate::fixed_ranges::FixedRanges;
use crate::outline::EpisodeOutline;
use crate::presets::Preset;
use crate::scenario::{DoseAxis, DosedScenario, Scenario};
use crate::test_scene;
use giraffe_physics::{Disturbance, EpisodeSampler, PhysicsSettings, SceneModel, TimedDisturbance, WorldParameters};
use giraffe_robots::{OBJECTS, SeedTree, Stream, find_object, load_robot};
use rand::RngExt;
use std::collections::BTreeSet;
use std::sync::Arc;

const STEP_COUNT: u32 = 400;
const PERIOD_SECS: f32 = 0.05;

/// At the usual dose.
fn timeline(scenario: &'static Scenario, episode: u64, step_count: u32) -> Vec<TimedDisturbance> {
    let scene = test_scene::scene();
    timeline_in(&scene, scenario.into(), episode, step_count).0
}

/// In a nominal world: what happens, and what the generator gives next.
fn timeline_in(
    scene: &SceneModel,
    scenario: DosedScenario,
    episode: u64,
    step_count: u32,
) -> (Vec<TimedDisturbance>, u64) {
    let mut rng = SeedTree::new(1).stream(Stream::Disturbance, 0, episode);
    let nominal = WorldParameters::nominal(scene);
    let outline = EpisodeOutline { scene, step_count, parameters: &nominal, columns: &[] };
    (scenario.disturbances(&outline, &mut rng), rng.random())
}

fn duration_secs(disturbance: &Disturbance) -> f32 {
    match disturbance {
        Disturbance::ObjectImpulse { .. } | Disturbance::HiddenStateReset | Disturbance::ObjectSwap(_) => 0.0,
        Disturbance::FingerTie(tie) => tie.duration_secs,
        // It stays.
        Disturbance::Change(_) => 0.0,
        Disturbance::GravityTilt { duration_secs, .. }
        | Disturbance::JointJam { duration_secs, .. }
        | Disturbance::SignalLoss { duration_secs } => *duration_secs,
    }
}

#[test]
fn names_are_unique_lower_case_and_documented() {
    let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), SCENARIOS.len());
    for scenario in SCENARIOS {
        assert!(scenario.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", scenario.name);
        assert!(!scenario.doc.is_empty());
    }
}

#[test]
fn a_timeline_repeats_and_differs_between_episodes() {
    for scenario in SCENARIOS {
        assert_eq!(timeline(scenario, 3, STEP_COUNT), timeline(scenario, 3, STEP_COUNT), "{}", scenario.name);
        if ["none", "amnesia"].contains(&scenario.name) {
            continue;
        }
        assert_ne!(timeline(scenario, 3, STEP_COUNT), timeline(scenario, 4, STEP_COUNT), "{}", scenario.name);
    }
}

#[test]
fn everything_begins_and_ends_inside_the_episode_in_order() {
    for scenario in SCENARIOS {
        for (episode, step_count) in (0..200).map(|i| (i, STEP_COUNT)).chain((0..200).map(|i| (i, i as u32))) {
            let disturbances = timeline(scenario, episode, step_count);
            assert!(disturbances.is_sorted_by_key(|d| d.step), "{}", scenario.name);
            for TimedDisturbance { step, disturbance } in &disturbances {
                let end = *step as f32 + duration_secs(disturbance) / PERIOD_SECS;
                assert!(*step < step_count && end <= step_count as f32 + 1.0, "{} {step}", scenario.name);
            }
        }
        let some = !timeline(scenario, 0, STEP_COUNT).is_empty();
        assert_eq!(some, scenario.name != "none", "{}", scenario.name);
    }
}

#[test]
fn pushes_change_the_speed_of_the_cube_by_a_tenth_to_a_third_of_a_metre_per_second() {
    let pushes: Vec<_> = (0..300).flat_map(|episode| timeline(&push::PUSH, episode, STEP_COUNT)).collect();
    let mut sum = [0.0; 3];
    for TimedDisturbance { disturbance, .. } in &pushes {
        let Disturbance::ObjectImpulse { newton_secs: [x, y, z] } = disturbance else { panic!("a push") };
        let size = (x * x + y * y + z * z).sqrt();
        assert!((0.0108 - 1e-5..=0.0378 + 1e-5).contains(&size), "{size} N s");
        [x, y, z].iter().zip(&mut sum).for_each(|(axis, sum)| *sum += **axis / size / pushes.len() as f32);
    }
    // The mean of n unit vectors has a deviation of 1/sqrt(3n) along each axis.
    assert!(pushes.len() > 1000 && sum.iter().all(|axis| axis.abs() < 0.07), "{sum:?}");
}

#[test]
fn tilts_are_of_fifteen_to_twenty_degrees_and_do_not_overlap() {
    for episode in 0..100 {
        let mut free_at = 0.0;
        for TimedDisturbance { step, disturbance } in timeline(&tilt::TILT, episode, STEP_COUNT) {
            let Disturbance::GravityTilt { radians, axis, duration_secs } = disturbance else { panic!("a tilt") };
            assert!((14.999..20.001).contains(&radians.to_degrees()) && axis[2].abs() < 1e-6);
            assert!(step as f32 * PERIOD_SECS >= free_at);
            free_at = step as f32 * PERIOD_SECS + duration_secs;
        }
    }
}

#[test]
fn each_joint_gets_its_jam_for_five_seconds() {
    let mut jammed = BTreeSet::new();
    for episode in 0..50 {
        let jams = timeline(&jam::JAM, episode, STEP_COUNT);
        let [TimedDisturbance { disturbance: Disturbance::JointJam { joint, duration_secs }, .. }] = jams[..] else {
            panic!("one jam, not {jams:?}");
        };
        assert!((duration_secs - 5.0).abs() < 1e-6);
        jammed.insert(joint);
    }
    assert_eq!(jammed, BTreeSet::from([0, 1]));
}

#[test]
fn blackouts_last_between_three_and_five_tenths_of_a_second() {
    let blackouts = timeline(&blackout::BLACKOUT, 0, STEP_COUNT);
    assert!(blackouts.len() >= 4, "several in 20 s: {blackouts:?}");
    assert!(blackouts.iter().all(|d| (0.3..=0.5).contains(&duration_secs(&d.disturbance))));
}

#[test]
fn memory_is_wiped_once_after_ten_seconds() {
    let expected = TimedDisturbance { step: 200, disturbance: Disturbance::HiddenStateReset };
    assert_eq!(timeline(&amnesia::AMNESIA, 0, STEP_COUNT), [expected]);
}

#[test]
fn swaps_bring_every_object_of_the_catalogue_and_every_plan_with_one_can_be() {
    let mut brought = BTreeSet::new();
    for episode in 0..100 {
        let swaps = timeline(&swap::SWAP, episode, STEP_COUNT);
        let [TimedDisturbance { step, disturbance: Disturbance::ObjectSwap(swap) }] = &swaps[..] else {
            panic!("one swap, not {swaps:?}");
        };
        assert_eq!(swap.check(0), Ok(()));
        assert!((100..=200).contains(step), "{step}");
        let name = swap.object.clone().expect("one of the catalogue");
        let own = find_object(&name).expect("one of the catalogue");
        let (mass, size) = (swap.parameters.mass_kg / own.mass_kg, swap.parameters.size_scale);
        assert!((0.499..1.501).contains(&mass) && (0.95..=1.05).contains(&size), "{mass} {size}");
        assert!((0.7..=1.3).contains(&swap.friction_scale));
        brought.insert(name);
    }
    assert_eq!(brought.len(), OBJECTS.len(), "{brought:?}");
}

#[test]
fn ties_join_neighbouring_fingers_that_the_hand_has_and_never_the_thumb() {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    let scene = SceneModel::new(Arc::clone(&robot), OBJECTS[0].clone(), PhysicsSettings::default());
    let mut tied = BTreeSet::new();
    for episode in 0..50 {
        let (ties, _) = timeline_in(&scene, (&tie::TIE).into(), episode, STEP_COUNT);
        let [TimedDisturbance { disturbance: Disturbance::FingerTie(tie), .. }] = &ties[..] else {
            panic!("one tie, not {ties:?}");
        };
        assert_eq!((tie.check(), tie.check_fits(&robot)), (Ok(()), Ok(())));
        tied.insert(tie.fingers.map(|finger| robot.fingertips[finger].name.clone()));
    }
    let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    assert_eq!(tied, BTreeSet::from([pair("index", "middle"), pair("middle", "ring")]));
}

/// What each scenario let happen in two episodes before there were doses.
const USUAL_TIMELINES: &str = include_str!("usual_timelines.txt");

/// As in `usual_timelines.txt`: scenario, world, episode and disturbance, without what the columns say after a swap.
fn lines_of(scenario: &'static Scenario, world: u64, episode: u64) -> Vec<(String, Vec<String>)> {
    let full = Preset::Full.ranges();
    let sampler = FixedRanges::new(SeedTree::new(3), test_scene::scene(), test_scene::task(), &full);
    let names = sampler.parameters();
    let line = |mut timed: TimedDisturbance| {
        let sampled = match &mut timed.disturbance {
            Disturbance::ObjectSwap(swap) => std::mem::take(&mut swap.sampled),
            _ => Vec::new(),
        };
        let columns = sampled.iter().map(|(column, value)| format!("{}={value:?}", names[*column as usize].name));
        (format!("{} {world} {episode} {timed:?}", scenario.name), columns.collect())
    };
    sampler.with_scenario(scenario).plan(world, episode).disturbances.into_iter().map(line).collect()
}

#[test]
fn the_usual_dose_is_what_happened_before_there_were_doses_bit_for_bit() {
    let kept: Vec<&str> = USUAL_TIMELINES.lines().filter(|line| !line.starts_with('#')).collect();
    let mut next = kept.iter();
    for scenario in &SCENARIOS[..8] {
        let now = [(0, 0), (2, 5)].into_iter().flat_map(|(world, episode)| lines_of(scenario, world, episode));
        for (line, columns) in now {
            let kept = next.next().expect("as many disturbances as then");
            let kept_columns = kept.strip_prefix(&line).unwrap_or_else(|| panic!("then {kept}\nnow  {line}"));
            let then: Vec<&str> = kept_columns.split_whitespace().collect();
            assert!(then.iter().all(|column| columns.iter().any(|now| now == column)), "{then:?} {columns:?}");
            assert!(columns.is_empty() == then.is_empty(), "{then:?} {columns:?}");
        }
    }
    assert_eq!((next.count(), kept.len()), (0, 41));
}

/// Doses of a scenario: a trace, the usual one, the most and what is between.
fn doses(scenario: &Scenario) -> Vec<f32> {
    let DoseAxis { usual, most, .. } = scenario.dose;
    let mut doses = vec![1e-3 * most, 0.1 * most, 0.3 * most, 0.6 * most, usual, most];
    doses.sort_by(f32::total_cmp);
    doses.dedup();
    doses
}

/// How much of it there is, in the unit of its axis or in proportion to that.
fn amount(disturbance: &Disturbance, before: &WorldParameters) -> f32 {
    let norm = |vector: &[f32; 3]| vector.iter().map(|axis| axis * axis).sum::<f32>().sqrt();
    match disturbance {
        Disturbance::ObjectImpulse { newton_secs } => norm(newton_secs),
        Disturbance::GravityTilt { radians, .. } => *radians,
        Disturbance::JointJam { duration_secs, .. } | Disturbance::SignalLoss { duration_secs } => *duration_secs,
        Disturbance::HiddenStateReset => 0.0,
        Disturbance::ObjectSwap(swap) => (swap.parameters.mass_kg / before.object.mass_kg - 1.0).abs(),
        Disturbance::FingerTie(tie) => tie.stiffness_newton_per_m,
        Disturbance::Change(change) => {
            let now = &change.parameters;
            let torque = now.joints[0].effort_limit_newton_m / before.joints[0].effort_limit_newton_m;
            let friction = now.contact.tip_friction / before.contact.tip_friction;
            (torque - 1.0).abs() + (friction - 1.0).abs() + now.link.dropout - before.link.dropout
        }
    }
}

/// What there is some of: the disturbance without its amount.
fn kind(disturbance: &Disturbance) -> String {
    match disturbance {
        Disturbance::ObjectImpulse { newton_secs: [x, y, z] } => {
            format!("push with azimuth {:.3} and slope {:.3}", y.atan2(*x), z / x.hypot(*y))
        }
        Disturbance::GravityTilt { axis, duration_secs, .. } => format!("tilt about {axis:?} for {duration_secs} s"),
        Disturbance::JointJam { joint, .. } => format!("jam of {joint}"),
        Disturbance::SignalLoss { .. } => "signal loss".to_owned(),
        Disturbance::HiddenStateReset => "wipe".to_owned(),
        Disturbance::ObjectSwap(_) => "swap".to_owned(),
        Disturbance::FingerTie(tie) => format!("tie of {:?} for {} s", tie.fingers, tie.duration_secs),
        Disturbance::Change(change) => format!("change over {} s", change.over_secs),
    }
}

#[test]
fn more_of_a_dose_is_more_of_the_same_at_the_same_places_and_times() {
    let (scene, nominal) = (test_scene::scene(), test_scene::nominal());
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name != "none") {
        let name = scenario.name;
        for episode in 0..20 {
            let at = |dose| timeline_in(&scene, scenario.at_dose(dose).expect("of the axis"), episode, STEP_COUNT);
            let timelines: Vec<_> = doses(scenario).into_iter().map(at).collect();
            let (most, drawn_next) = timelines.last().expect("several doses");
            assert!(!most.is_empty(), "{name}");
            for pair in timelines.windows(2) {
                let [(less, _), (more, next)] = pair else { panic!("a pair") };
                assert_eq!(next, drawn_next, "{name} draws something else at another dose");
                let counted = name == "amnesia";
                assert!(less.len() == more.len() || counted && less.len() < more.len(), "{name}: {less:?} {more:?}");
                for one in less {
                    let same = |other: &&TimedDisturbance| {
                        (other.step, kind(&other.disturbance)) == (one.step, kind(&one.disturbance))
                    };
                    let other = more.iter().find(same).unwrap_or_else(|| panic!("{name}: {one:?} is not in {more:?}"));
                    let amounts = [one, other].map(|timed| amount(&timed.disturbance, &nominal));
                    assert!(amounts[0] < amounts[1] || counted, "{name}: {amounts:?}");
                }
            }
        }
    }
}

#[test]
fn every_plan_at_every_dose_can_be() {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    let scene = Arc::new(SceneModel::new(Arc::clone(&robot), OBJECTS[0].clone(), PhysicsSettings::default()));
    let full = Preset::Full.ranges();
    for scenario in SCENARIOS {
        for dose in doses(scenario) {
            let task = test_scene::task();
            let sampler = FixedRanges::new(SeedTree::new(3), Arc::clone(&scene), task, &full);
            let sampler = sampler.with_scenario(scenario.at_dose(dose).expect("of the axis"));
            for episode in 0..20 {
                let plan = sampler.plan(0, episode);
                assert_eq!((plan.check(), plan.check_fits(&robot)), (Ok(()), Ok(())), "{} at {dose}", scenario.name);
            }
        }
    }
}

#[test]
fn a_mean_number_of_wipes_is_one() {
    let scene = test_scene::scene();
    for (dose, least, most) in [(0.0, 0, 0), (0.3, 90, 150), (1.0, 400, 400), (2.5, 950, 1050), (7.0, 2800, 2800)] {
        let dosed = amnesia::AMNESIA.at_dose(dose).expect("of the axis");
        let count: usize = (0..400).map(|episode| timeline_in(&scene, dosed, episode, STEP_COUNT).0.len()).sum();
        assert!((least..=most).contains(&count), "{count} wipes in 400 episodes at {dose}");
    }
}

#[test]
fn a_swap_by_a_trace_leaves_almost_the_object_there_was() {
    let scene = test_scene::scene();
    let full = Preset::Full.ranges();
    let sampler = |dose| {
        let seeds = SeedTree::new(3);
        let sampler = FixedRanges::new(seeds, Arc::clone(&scene), test_scene::task(), &full);
        sampler.with_scenario(swap::SWAP.at_dose(dose).expect("of the axis"))
    };
    let (trace, tenth) = (sampler(1e-6), sampler(0.1));
    let mut kept = 0;
    for episode in 0..100 {
        let plan = trace.plan(0, episode);
        let Disturbance::ObjectSwap(swap) = &plan.disturbances[0].disturbance else { panic!("a swap") };
        let (new, old) = (swap.parameters, plan.parameters.object);
        assert!(swap.object.is_none() && (swap.friction_scale - 1.0).abs() < 1e-5);
        assert!((new.mass_kg / old.mass_kg - 1.0).abs() < 1e-4 && (new.stretch - old.stretch).abs() < 1e-4);
        assert!(new.center_of_mass_m.iter().zip(old.center_of_mass_m).all(|(new, old)| (new - old).abs() < 1e-6));
        let told = swap.sampled.iter().all(|(column, value)| {
            let drawn = plan.sampled[*column as usize];
            (value - drawn).abs() < 1e-4 * drawn.abs().max(1.0)
        });
        assert!(told && swap.sampled.len() == 8, "{:?} {:?}", swap.sampled, plan.sampled);
        let plan = tenth.plan(0, episode);
        let Disturbance::ObjectSwap(swap) = &plan.disturbances[0].disturbance else { panic!("a swap") };
        kept += usize::from(swap.object.is_none());
    }
    assert!((80..=97).contains(&kept), "one in ten has a new shape, not {}", 100 - kept);
}

#[test]
fn a_dose_that_an_axis_does_not_have_is_refused_with_what_it_has() {
    for scenario in SCENARIOS {
        let DoseAxis { usual, most, unit, quantity } = scenario.dose;
        assert!((0.0..=most).contains(&usual) && !unit.is_empty() && !quantity.is_empty(), "{}", scenario.name);
        for dose in [0.0, usual, most] {
            assert_eq!(scenario.at_dose(dose).expect("of the axis").dose().to_bits(), dose.to_bits());
        }
        for dose in [-0.1, most + 0.1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = scenario.at_dose(dose).err().expect("outside").to_string();
            let found = if unit == "-" { format!("found {dose},") } else { format!("found {dose} {unit},") };
            for part in [scenario.name, &found, quantity, &format!("0 to {most}"), &format!("{usual}")] {
                assert!(error.contains(part), "{part} is not in: {error}");
            }
        }
    }
}

#[test]
fn a_misspelled_scenario_gets_a_suggestion() {
    let error = find_scenario("blackuot").err().expect("it is misspelled").to_string();
    assert!(error.contains("did you mean `blackout`?"), "{error}");
}
