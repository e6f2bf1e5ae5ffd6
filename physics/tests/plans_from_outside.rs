//! Plans come from other processes: over a link, in a file. One that cannot be is refused in words; one that is not refused
//! can be lived through, whatever it says: without a panic, and without an end that never comes.

mod support;

use giraffe_physics::{
    Disturbance, EpisodePlan, FingerTie, HandSim, ObjectSwap, SceneModel, TimedDisturbance, WorldChange,
};
use giraffe_robots::{Hand, HandError, SeedTree, Signal, SignalFrame, SignalLayout, Stream};
use rand::RngExt;
use std::sync::Arc;

/// No plan should say these of anything, and each is one of its kind: what is no number, what has no end, what is beyond
/// any reason, what is below it, what is nothing and what is less than nothing.
const ABSURD: [f32; 10] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e30, 1e12, 1e5, f32::MIN_POSITIVE, 0.0, -1.0];
/// The same of whole numbers.
const ABSURD_COUNTS: [u64; 4] = [u32::MAX as u64, 1 << 31, 1000, 16];

/// A plan with one disturbance of each kind, all within two control steps, and something of every effect.
fn everything(scene: &SceneModel) -> EpisodePlan {
    let mut plan = support::plan(scene);
    plan.sampled = vec![0.5, 0.7];
    let world = &mut plan.parameters;
    (world.actuation.delay_secs, world.actuation.jitter_secs, world.actuation.dropout) = (0.03, 0.02, 0.1);
    (world.sensing.position_delay_secs, world.tracking.delay_secs, world.tracking.refresh_secs) = (0.03, 0.04, 0.1);
    (world.forces.acceleration_m_per_sec2, world.adversary.push_m_per_sec2) = (1.0, 0.1);
    (world.link.dropout, world.link.burst_rate_hz) = (0.1, 1.0);
    world.clock.step_jitter = 0.1;
    world.joints.iter_mut().for_each(|joint| joint.backlash_rad = 0.01);
    let mut other = world.clone();
    other.object.mass_kg *= 1.5;
    let parameters = other.object;
    let swap =
        ObjectSwap { object: Some("cylinder".to_owned()), parameters, friction_scale: 0.8, sampled: vec![(1, 0.2)] };
    let tie = FingerTie { fingers: [0, 1], rest_length_m: 0.02, stiffness_newton_per_m: 60.0, duration_secs: 2.0 };
    let change = WorldChange { parameters: other, over_secs: 0.3, sampled: vec![(0, 0.1)] };
    let all = [
        Disturbance::ObjectImpulse { newton_secs: [0.01, 0.0, 0.0] },
        Disturbance::GravityTilt { radians: 0.2, axis: [0.0, 1.0, 0.0], duration_secs: 1.0 },
        Disturbance::JointJam { joint: 4, duration_secs: 1.0 },
        Disturbance::SignalLoss { duration_secs: 0.3 },
        Disturbance::HiddenStateReset,
        Disturbance::ObjectSwap(swap),
        Disturbance::FingerTie(tie),
        Disturbance::Change(Box::new(change)),
    ];
    plan.disturbances = all
        .into_iter()
        .enumerate()
        .map(|(at, disturbance)| TimedDisturbance { step: at as u32 / 4, disturbance })
        .collect();
    plan
}

/// A number among the bytes that a plan is written as.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Four bytes of a float.
    Float(usize),
    /// A whole number: where it begins, and how many bytes it takes.
    Count(usize, usize),
}

/// Where numbers are in what `rmp_serde` writes.
fn places(written: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < written.len() {
        let (place, length) = match written[at] {
            0xca => (Some(Place::Float(at + 1)), 5),
            0x00..=0x7f => (Some(Place::Count(at, 1)), 1),
            0xcc => (Some(Place::Count(at, 2)), 2),
            0xcd => (Some(Place::Count(at, 3)), 3),
            0xce => (Some(Place::Count(at, 5)), 5),
            0xcf => (Some(Place::Count(at, 9)), 9),
            mark @ 0xa0..=0xbf => (None, 1 + usize::from(mark & 0x1f)),
            0xd9 => (None, 2 + usize::from(written[at + 1])),
            0xdc | 0xde => (None, 3),
            0x80..=0x9f | 0xc0 => (None, 1),
            other => panic!("a plan is written as arrays, maps, numbers and names, not with {other:#x}"),
        };
        places.extend(place);
        at += length;
    }
    places
}

/// Of the many joints the first two and the last speak for all: places of the others' numbers, which come first in a plan.
fn worth_trying(places: &[Place], scene: &SceneModel) -> Vec<Place> {
    const JOINT_NUMBERS: usize = 14;
    let count = scene.robot().joint_count();
    let others = 2 * JOINT_NUMBERS..(count - 1) * JOINT_NUMBERS;
    places.iter().enumerate().filter(|(index, _)| !others.contains(index)).map(|(_, place)| *place).collect()
}

/// Lives through the beginning of a plan. What it says of a world whose engine gave up is fine: that is an end, in words.
fn live(scene: &Arc<SceneModel>, plan: EpisodePlan) -> Result<(), HandError> {
    let mut sensed = SignalFrame::new(SignalLayout::of(scene.robot(), plan.sampled.len()));
    let mut sim = HandSim::new(Arc::clone(scene), plan);
    sim.observe(&mut sensed)?;
    for step in 0..4 {
        let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.05 * step as f32).collect();
        sim.exchange(&targets, &mut sensed)?;
    }
    Ok(())
}

/// What came of a plan that somebody spoiled.
#[derive(Debug, Default)]
struct Tally {
    unreadable: usize,
    refused: usize,
    lived: usize,
    gave_up: usize,
}

impl Tally {
    fn judge(&mut self, scene: &Arc<SceneModel>, spoiled: &[u8], value: &str) {
        let Ok(plan) = rmp_serde::from_slice::<EpisodePlan>(spoiled) else {
            self.unreadable += 1;
            return;
        };
        match plan.check().and_then(|()| plan.check_fits(scene.robot())) {
            Err(problem) => {
                self.refused += 1;
                // Of some only the size is bounded, and said.
                let says_what = problem.contains(value.trim_start_matches('-')) || problem.contains("quaternion");
                assert!(says_what && problem.contains(' '), "{value} is not in: {problem}");
            }
            Ok(()) => match live(scene, plan) {
                Ok(()) => self.lived += 1,
                Err(HandError::NotFinite { .. } | HandError::BeyondReason { .. }) => self.gave_up += 1,
                Err(other) => panic!("{value}: {other}"),
            },
        }
    }
}

#[test]
fn whatever_number_of_a_plan_is_absurd_it_is_refused_in_words_or_can_be_lived() {
    let scene = support::scene();
    let plan = everything(&scene);
    assert_eq!((plan.check(), plan.check_fits(scene.robot())), (Ok(()), Ok(())));
    live(&scene, plan.clone()).expect("a plan that can be");
    let written = rmp_serde::to_vec_named(&plan).expect("plain numbers");
    let mut tally = Tally::default();
    let mut floats = 0;
    for place in worth_trying(&places(&written), &scene) {
        if let Place::Float(at) = place {
            floats += 1;
            for value in ABSURD {
                let mut spoiled = written.clone();
                spoiled[at..at + 4].copy_from_slice(&value.to_be_bytes());
                tally.judge(&scene, &spoiled, &value.to_string());
            }
        }
    }
    // Every number of a world, once in the plan and once in its change, and of every disturbance.
    assert!(floats > 180, "{floats} numbers");
    assert_eq!(tally.unreadable, 0, "{tally:?}");
    // What is no number, or has no end, never passes.
    assert!(tally.refused >= 3 * floats && tally.lived > floats, "{tally:?}");
}

#[test]
fn whatever_count_of_a_plan_is_absurd_it_is_refused_in_words_or_can_be_lived() {
    let scene = support::scene();
    let written = rmp_serde::to_vec_named(&everything(&scene)).expect("plain numbers");
    let mut tally = Tally::default();
    for place in places(&written) {
        if let Place::Count(at, length) = place {
            for value in ABSURD_COUNTS {
                let mut spoiled = written[..at].to_vec();
                spoiled.push(0xcf);
                spoiled.extend(value.to_be_bytes());
                spoiled.extend(&written[at + length..]);
                tally.judge(&scene, &spoiled, &value.to_string());
            }
        }
    }
    // Joint, fingers and columns that are not there; steps that never come, and any seed, can be.
    assert!(tally.refused >= 12 && tally.lived >= 20, "{tally:?}");
}

/// Sizes that are one by one within what can be.
const EXTREME: [f32; 11] = [1e-9, 1e-6, 1e-3, 0.0, 0.5, 1.0, 10.0, 1e3, -1e3, 1e6, 1e9];

#[test]
fn many_extreme_numbers_at_once_are_refused_in_words_or_can_be_lived() {
    let scene = support::scene();
    let written = rmp_serde::to_vec_named(&everything(&scene)).expect("plain numbers");
    let floats: Vec<usize> = worth_trying(&places(&written), &scene)
        .into_iter()
        .filter_map(|place| if let Place::Float(at) = place { Some(at) } else { None })
        .collect();
    let mut rng = SeedTree::new(1).stream(Stream::Disturbance, 0, 0);
    let mut tally = Tally::default();
    for _ in 0..3000 {
        let mut spoiled = written.clone();
        for _ in 0..rng.random_range(2..6) {
            let at = floats[rng.random_range(0..floats.len())];
            spoiled[at..at + 4].copy_from_slice(&EXTREME[rng.random_range(0..EXTREME.len())].to_be_bytes());
        }
        tally.judge(&scene, &spoiled, "");
    }
    assert!(tally.lived > 300 && tally.gave_up > 10 && tally.refused > 300, "{tally:?}");
}

/// A duration that counts more control steps than there are numbers for lasts to the end.
#[test]
fn what_lasts_as_long_as_anything_may_begins_whenever_it_begins_and_lasts_to_the_end() {
    let scene = support::scene();
    for step in [0, 3] {
        let mut plan = support::plan(&scene);
        // Nothing leans on the fingers.
        plan.parameters.gravity_m_per_sec2 = [0.0; 3];
        plan.start.palm_from_object.translation.vector.x += 5.0;
        let disturbances = [
            Disturbance::JointJam { joint: 4, duration_secs: 1e6 },
            Disturbance::SignalLoss { duration_secs: 1e6 },
            Disturbance::GravityTilt { radians: 0.2, axis: [0.0, 1.0, 0.0], duration_secs: 1e6 },
        ];
        plan.disturbances =
            disturbances.into_iter().map(|disturbance| TimedDisturbance { step, disturbance }).collect();
        assert_eq!(plan.check(), Ok(()));
        let mut sim = HandSim::new(Arc::clone(&scene), plan);
        let mut sensed = support::frame(&scene);
        support::hold(&mut sim, &mut sensed, &scene.robot().home_rad, 1);
        // Outside of a plan nobody checks, and it is longer still: more steps than there are numbers for.
        sim.disturb(&Disturbance::JointJam { joint: 5, duration_secs: f32::MAX });
        let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.3).collect();
        support::hold(&mut sim, &mut sensed, &targets, 60);
        let angles = sim.truth().read(Signal::JointPosition).expect("written");
        let moved = |joint: usize| angles[joint] - scene.robot().home_rad[joint];
        assert!(moved(5).abs() < 0.05, "it is jammed to the end: {} rad", moved(5));
        assert!(moved(4) < 0.25 && moved(6) > 0.2, "one is jammed from step {step} on: {} rad", moved(4));
    }
}
