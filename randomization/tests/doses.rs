//! Scenarios as a hand lives through them: no dose is no disturbance, and more of it does more.

use giraffe_physics::{
    EpisodePlan, EpisodeSampler, GRAVITY_M_PER_SEC2, HandSim, PhysicsSettings, SceneModel, WorldParameters,
};
use giraffe_randomization::{
    DosedScenario, EpisodeOutline, FixedRanges, Preset, RangeConfig, SCENARIOS, Scenario, find_scenario,
};
use giraffe_robots::{
    EpisodeStart, Hand, OBJECTS, SeedTree, Signal, SignalFrame, SignalLayout, Stream, Task, load_robot,
};
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
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

/// A hand with all fingers stretched and the cube on its palm, which leans by 12 degrees towards the fingertips; friction
/// with the palm is 0.3 and holds it. How far the cube is, 1 s after the disturbance, from where it was before, m.
fn slid(dose: f32) -> f32 {
    // As the palm of a LEAP hand slopes when its mount is level.
    let palm_from_plate = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), 2.0 * 0.175_f32.atan());
    let lean_rad = 12_f32.to_radians();
    let down = palm_from_plate * Vector3::new(lean_rad.sin(), 0.0, -lean_rad.cos());
    let mut parameters = WorldParameters::nominal(&SCENE);
    parameters.gravity_m_per_sec2 = (GRAVITY_M_PER_SEC2 * down).into();
    let place = palm_from_plate * Vector3::new(0.070, 0.015, 0.0549);
    let flat = vec![0.0; SCENE.robot().joint_count()];
    let palm_from_object = Isometry3::from_parts(Translation3::from(place), palm_from_plate);
    let start = EpisodeStart { joint_positions_rad: flat.clone(), palm_from_object };
    let (plan, struck) = disturbed(find_scenario("slip").expect("a scenario"), dose, parameters, start);
    let places: Vec<Vector3<f32>> = run(plan, |_| flat.clone(), struck + 20).into_iter().map(|step| step.1).collect();
    (places[struck + 19] - places[struck - 1]).norm()
}

#[test]
fn the_less_friction_is_left_the_farther_an_object_slips() {
    const PLACE_NOISE_M: f32 = 0.000_5;
    let [none, some, usual, most] = [0.0, 0.2, 0.5, 0.8].map(slid);
    assert!(none < PLACE_NOISE_M && some < PLACE_NOISE_M, "0.3 and 0.24 hold on a slope of 0.21: {none} and {some} m");
    assert!(usual > 10.0 * PLACE_NOISE_M && most > 1.5 * usual, "0.15 and 0.06 do not: {usual} and {most} m");
}

/// An empty hand whose targets jump by 0.3 rad when its servos have lost what they lose: the mean distance from there over
/// the next 0.2 s, rad.
fn lag(dose: f32) -> f32 {
    let home = &SCENE.robot().home_rad;
    let far = Isometry3::translation(5.0, 0.0, 0.0);
    let start = EpisodeStart { joint_positions_rad: home.clone(), palm_from_object: far };
    let (plan, struck) =
        disturbed(find_scenario("weaken").expect("a scenario"), dose, WorldParameters::nominal(&SCENE), start);
    let weak = struck + 20;
    let targets = |step: usize| home.iter().map(|home| home + if step < weak { 0.0 } else { 0.3 }).collect::<Vec<_>>();
    let steps = run(plan, targets, weak + 4);
    let distance =
        |step: usize| steps[step].0.iter().zip(targets(step)).map(|(is, asked)| (is - asked).abs()).sum::<f32>();
    (weak..weak + 4).map(distance).sum::<f32>() / (4 * home.len()) as f32
}

#[test]
fn the_less_torque_is_left_the_longer_fingers_take() {
    const ANGLE_NOISE_RAD: f32 = 0.000_44;
    let [none, usual, most] = [0.0, 0.5, 0.8].map(lag);
    assert!(
        usual - none > 10.0 * ANGLE_NOISE_RAD && most - usual > 10.0 * ANGLE_NOISE_RAD,
        "{none} {usual} {most} rad"
    );
}

/// An empty hand whose targets go to and fro at 1 rad/s: the mean distance of its joints from there over the ten seconds after
/// its link has begun to lose commands, rad.
fn behind(dose: f32) -> f32 {
    let home = &SCENE.robot().home_rad;
    let far = Isometry3::translation(5.0, 0.0, 0.0);
    let start = EpisodeStart { joint_positions_rad: home.clone(), palm_from_object: far };
    let lossy = find_scenario("lossy-link").expect("a scenario");
    let (plan, struck) = disturbed(lossy, dose, WorldParameters::nominal(&SCENE), start);
    let targets = |step: usize| {
        let way = 0.05 * (8.0 - (step as f32 % 16.0 - 8.0).abs());
        home.iter().map(|home| home + way).collect::<Vec<_>>()
    };
    let steps = run(plan, targets, struck + 200);
    let distance =
        |step: usize| steps[step].0.iter().zip(targets(step)).map(|(is, asked)| (is - asked).abs()).sum::<f32>();
    (struck..struck + 200).map(distance).sum::<f32>() / (200 * home.len()) as f32
}

#[test]
fn the_more_commands_are_lost_the_farther_fingers_are_from_where_they_were_told_to_be() {
    const ANGLE_NOISE_RAD: f32 = 0.000_44;
    let [none, usual, half, most] = [0.0, 0.2, 0.5, 0.8].map(behind);
    let steps = [usual - none, half - usual, most - half];
    assert!(steps.iter().all(|step| *step > 10.0 * ANGLE_NOISE_RAD), "{none} {usual} {half} {most} rad");
}

/// What a scenario does in a nominal world but for these parameters, and the step in which it strikes first; without
/// doing it at a dose of zero.
fn disturbed(
    scenario: &'static Scenario,
    dose: f32,
    parameters: WorldParameters,
    start: EpisodeStart,
) -> (EpisodePlan, usize) {
    let outline = EpisodeOutline { scene: &SCENE, step_count: STEP_COUNT, parameters: &parameters, columns: &[] };
    let of =
        |dosed: DosedScenario| dosed.disturbances(&outline, &mut SeedTree::new(7).stream(Stream::Disturbance, 0, 0));
    let (disturbances, usual) = (of(at(scenario, dose)), of(scenario.into()));
    let plan = EpisodePlan { parameters: parameters.clone(), start, disturbances, sampled: Vec::new(), noise_seed: 1 };
    (plan, usual[0].step as usize)
}

/// True joint angles, rad, and the object's place in the palm frame, m, after each control step.
fn run(plan: EpisodePlan, targets: impl Fn(usize) -> Vec<f32>, step_count: usize) -> Vec<(Vec<f32>, Vector3<f32>)> {
    let mut sensed = SignalFrame::new(SignalLayout::of(SCENE.robot(), plan.sampled.len()));
    let mut sim = HandSim::new(Arc::clone(&SCENE), plan);
    let step = |step| {
        sim.exchange(&targets(step), &mut sensed).expect("a finite world");
        let angles_rad = sim.truth().read(Signal::JointPosition).expect("written at every step").to_vec();
        (angles_rad, sim.object_pose().position_m)
    };
    (0..step_count).map(step).collect()
}

/// How far joints are, over the second after everything was drawn anew, from where they would have been: root mean square
/// over ten worlds, rad.
fn apart(dose: f32) -> f32 {
    let ranges = RangeConfig::none();
    let square = |episode| {
        let resampled = plan(&ranges, at(find_scenario("resample").expect("a scenario"), dose), episode);
        let struck = resampled.disturbances[0].step as usize;
        let undisturbed = EpisodePlan { disturbances: Vec::new(), ..resampled.clone() };
        let home = &SCENE.robot().home_rad;
        let targets = |step: usize| home.iter().map(|home| home + 0.15 * (0.4 * step as f32).sin()).collect();
        let [a, b] = [resampled, undisturbed].map(|plan| run(plan, targets, struck + 20).split_off(struck));
        let pairs = a.iter().flat_map(|step| &step.0).zip(b.iter().flat_map(|step| &step.0));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / (20 * home.len()) as f32
    };
    ((0..10).map(square).sum::<f32>() / 10.0).sqrt()
}

#[test]
fn the_farther_the_new_world_is_from_the_old_the_farther_joints_are_from_where_they_would_be() {
    const ANGLE_NOISE_RAD: f32 = 0.000_44;
    let [tenth, half, whole] = [0.1, 0.5, 1.0].map(apart);
    assert!(tenth < half && half < whole && whole > 10.0 * ANGLE_NOISE_RAD, "{tenth} {half} {whole} rad");
}
