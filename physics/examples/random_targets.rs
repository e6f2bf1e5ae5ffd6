//! Drives a hand with random targets and prints speed, drops and object motion.
//!
//! `cargo run --release -p giraffe-physics --example random_targets -- [substeps] [iterations] [sweeps] [episodes] [robot] [object]`

use giraffe_physics::{EpisodePlan, HandSim, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_robots::{
    Hand, SeedTree, Signal, SignalFrame, SignalLayout, Stream, find_object, load_robot, tasks::TASKS,
};
use rand::RngExt;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
    let settings = PhysicsSettings {
        substep_count: number(2)?,
        solver_iteration_count: number(4)?,
        inner_iteration_count: number(2)?,
    };
    let episode_count = u64::from(number(50)?);
    let robot = Arc::new(load_robot(&arguments.next().unwrap_or_else(|| "leap-right".to_owned()))?);
    let object = find_object(&arguments.next().unwrap_or_else(|| "cube-70mm".to_owned()))?;
    let scene = Arc::new(SceneModel::new(Arc::clone(&robot), object.clone(), settings));
    let seeds = SeedTree::new(1);
    let (mut steps, mut drops, mut fastest, mut force) = (0u32, 0u32, 0f32, 0f32);
    #[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    let begin = std::time::Instant::now();
    for episode in 0..episode_count {
        let mut rng = seeds.stream(Stream::Start, 0, episode);
        let plan = EpisodePlan {
            parameters: WorldParameters::nominal(&scene),
            start: TASKS[0].start(&robot, &mut rng),
            disturbances: Vec::new(),
            sampled: Vec::new(),
            noise_seed: episode,
        };
        let mut sim = HandSim::new(Arc::clone(&scene), plan);
        let mut sensed = SignalFrame::new(SignalLayout::of(&robot, 0));
        sim.observe(&mut sensed)?;
        let start = sim.object_pose();
        for _ in 0..400 {
            let targets: Vec<f32> = robot
                .joints
                .iter()
                .zip(&robot.home_rad)
                .map(|(joint, home)| joint.position_limits_rad.clamp(home + rng.random_range(-0.4..=0.4)))
                .collect();
            sim.exchange(&targets, &mut sensed)?;
            steps += 1;
            let speed = sim.truth().read(Signal::ObjectLinearVelocity).unwrap_or(&[]);
            fastest = fastest.max(speed.iter().map(|v| v * v).sum::<f32>().sqrt());
            force += sim.object_contact_force_newton();
            let pose = sim.object_pose();
            if (pose.position_m - start.position_m).norm() > 0.1 {
                drops += 1;
                break;
            }
        }
    }
    let micros = begin.elapsed().as_secs_f64() * 1e6 / f64::from(steps);
    println!(
        "{steps} control steps, {micros:.0} us each; {drops} drops of {episode_count}; fastest {fastest:.2} m/s; mean contact force {:.2} N",
        force / steps as f32
    );
    Ok(())
}
