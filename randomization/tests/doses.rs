//! Scenarios as a hand lives through them: no dose is no disturbance, and more of it does more.

use giraffe_physics::{EpisodePlan, EpisodeSampler, HandSim, PhysicsSettings, SceneModel};
use giraffe_randomization::{DosedScenario, FixedRanges, Preset, RangeConfig, SCENARIOS, Scenario, find_scenario};
use giraffe_robots::{Hand, OBJECTS, SeedTree, Signal, SignalFrame, SignalLayout, Task, load_robot};
use std::sync::{Arc, LazyLock};

static SCENE: LazyLock<Arc<SceneModel>> = LazyLock::new(|| {
    let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
    Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()))
});

const STEP_COUNT: u32 = 400;

fn plan(ranges: &RangeConfig, scenario: impl Into<DosedScenario>, episode: u64) -> EpisodePlan {
    let task: &'static dyn Task = giraffe_robots::tasks::TASKS[0];
    assert_eq!(task.episode_step_count(), STEP_COUNT);
    FixedRanges::new(SeedTree::new(7), Arc::clone(&SCENE), task, ranges).with_scenario(scenario).plan(0, episode)
}

/// Everything that is true or sensed after each control step, and whether a policy forgets before it.
fn lived(plan: EpisodePlan) -> Vec<Vec<f32>> {
    let mut sensed = SignalFrame::new(SignalLayout::of(SCENE.robot(), plan.sampled.len()));
    let mut sim = HandSim::new(Arc::clone(&SCENE), plan);
    let step = |step: u32| {
        let forgets = sim.hidden_state_reset_due();
        // Fingers that close and open by turns, as when they turn a cube.
        let beat = |joint: usize| 0.15 * (0.1 * step as f32 + joint as f32).sin();
        let targets: Vec<f32> =
            SCENE.robot().home_rad.iter().enumerate().map(|(joint, home)| home + beat(joint)).collect();
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        let frames = [sim.truth(), &sensed].into_iter();
        let all = frames.flat_map(|frame| Signal::ALL.into_iter().flat_map(|signal| frame.read(signal).unwrap_or(&[])));
        all.copied().chain([f32::from(u8::from(forgets))]).collect()
    };
    (0..STEP_COUNT).map(step).collect()
}

fn bits(lived: &[Vec<f32>]) -> Vec<Vec<u32>> {
    lived.iter().map(|step| step.iter().map(|value| value.to_bits()).collect()).collect()
}

fn at(scenario: &'static Scenario, dose: f32) -> DosedScenario {
    scenario.at_dose(dose).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_dose_of_zero_is_the_undisturbed_run_bit_for_bit_and_the_usual_one_is_not() {
    let full = Preset::Full.ranges();
    let undisturbed = bits(&lived(plan(&full, find_scenario("none").unwrap(), 0)));
    for scenario in SCENARIOS {
        let nothing = bits(&lived(plan(&full, at(scenario, 0.0), 0)));
        assert!(nothing == undisturbed, "{} of no dose disturbs", scenario.name);
        let usual = bits(&lived(plan(&full, *scenario, 0)));
        assert_eq!(usual == undisturbed, scenario.name == "none", "{} at its usual dose", scenario.name);
    }
}
