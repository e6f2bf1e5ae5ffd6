//! A body that nothing touches falls by g t^2 / 2.

mod support;

use giraffe_physics::{HandSim, PhysicsSettings};
use giraffe_robots::{Hand, Signal};
use std::sync::Arc;

#[test]
fn the_object_falls_freely_until_it_meets_the_hand() {
    let scene = support::scene_with(PhysicsSettings { substep_count: 50, ..PhysicsSettings::default() });
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object.translation.z = 1.0;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    support::hold(&mut sim, &mut sensed, &scene.robot().home_rad, 6);
    let seconds = 0.3_f32;
    let fallen = 1.0 - sim.object_pose().position_m.z;
    // Symplectic Euler is ahead of the parabola by g t dt / 2.
    let expected = 0.5 * 9.81 * seconds * (seconds + 0.001);
    assert!((fallen - expected).abs() < 1e-4, "fell {fallen} m, expected {expected} m");
    let speed = sim.truth().read(Signal::ObjectLinearVelocity).expect("written")[2];
    assert!((speed + 9.81 * seconds).abs() < 1e-3, "speed {speed}");
    assert_eq!(sim.model().joint_count(), 16);
}
