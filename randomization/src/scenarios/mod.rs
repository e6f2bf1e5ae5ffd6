//! The scenarios. To add one: a file here and its line in [`SCENARIOS`].

mod amnesia;
mod blackout;
mod jam;
mod push;
mod swap;
mod tie;
mod tilt;

use crate::error::RandomizationError;
use crate::scenario::Scenario;
use giraffe_robots::did_you_mean;
pub(crate) use swap::tell_columns;

/// Nothing happens.
pub static NONE: Scenario = Scenario { name: "none", doc: "nothing happens", timeline: |_, _| Vec::new() };

/// Every scenario, by name.
pub static SCENARIOS: &[&Scenario] =
    &[&NONE, &push::PUSH, &tilt::TILT, &jam::JAM, &blackout::BLACKOUT, &amnesia::AMNESIA, &swap::SWAP, &tie::TIE];

/// The scenario of this name.
///
/// # Errors
/// When there is none; the message suggests the name that is most alike.
pub fn find_scenario(name: &str) -> Result<&'static Scenario, RandomizationError> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.copied().ok_or_else(|| RandomizationError::UnknownScenario {
        name: name.to_owned(),
        suggestion: did_you_mean(name, SCENARIOS.iter().map(|scenario| scenario.name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::EpisodeOutline;
    use crate::test_scene;
    use giraffe_physics::{Disturbance, PhysicsSettings, SceneModel, TimedDisturbance};
    use giraffe_robots::{OBJECTS, SeedTree, Stream, find_object, load_robot};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    const STEP_COUNT: u32 = 400;
    const PERIOD_SECS: f32 = 0.05;

    fn timeline(scenario: &Scenario, episode: u64, step_count: u32) -> Vec<TimedDisturbance> {
        let scene = test_scene::scene();
        let mut rng = SeedTree::new(1).stream(Stream::Disturbance, 0, episode);
        scenario.disturbances(&EpisodeOutline { scene: &scene, step_count }, &mut rng)
    }

    fn duration_secs(disturbance: &Disturbance) -> f32 {
        match disturbance {
            Disturbance::ObjectImpulse { .. } | Disturbance::HiddenStateReset | Disturbance::ObjectSwap(_) => 0.0,
            Disturbance::FingerTie(tie) => tie.duration_secs,
            Disturbance::Change(change) => change.over_secs,
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
            let [TimedDisturbance { disturbance: Disturbance::JointJam { joint, duration_secs }, .. }] = jams[..]
            else {
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
            let mut rng = SeedTree::new(1).stream(Stream::Disturbance, 0, episode);
            let outline = EpisodeOutline { scene: &scene, step_count: STEP_COUNT };
            let ties = tie::TIE.disturbances(&outline, &mut rng);
            let [TimedDisturbance { disturbance: Disturbance::FingerTie(tie), .. }] = &ties[..] else {
                panic!("one tie, not {ties:?}");
            };
            assert_eq!((tie.check(), tie.check_fits(&robot)), (Ok(()), Ok(())));
            tied.insert(tie.fingers.map(|finger| robot.fingertips[finger].name.clone()));
        }
        let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(tied, BTreeSet::from([pair("index", "middle"), pair("middle", "ring")]));
    }

    #[test]
    fn a_misspelled_scenario_gets_a_suggestion() {
        let error = find_scenario("blackuot").err().expect("it is misspelled").to_string();
        assert!(error.contains("did you mean `blackout`?"), "{error}");
    }
}
