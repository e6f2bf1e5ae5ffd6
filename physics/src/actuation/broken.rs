//! Servos that are dead for a whole episode.

use crate::noise;
use crate::parameters::{JointParameters, WorldParameters};
use giraffe_robots::RobotModel;
use rand::RngExt;

/// At most so many servos of a hand are dead at once.
const MOST_BROKEN: usize = 2;

/// The world with no torque where a servo is dead in the episode with this noise seed; `None` where none can be.
///
/// Each servo has a draw of its own and is dead where that is below the chance, the smallest draws first: a larger chance
/// never mends a servo.
pub(crate) fn with_dead_servos(
    parameters: &WorldParameters,
    robot: &RobotModel,
    noise_seed: u64,
) -> Option<WorldParameters> {
    let chance = parameters.actuation.broken_chance;
    if chance <= 0.0 {
        return None;
    }
    let mut rng = noise::of_effect("broken servos", noise_seed);
    let draws = robot.actuated_joints().into_iter().map(|joint| (rng.random::<f32>(), joint));
    let mut broken: Vec<(f32, usize)> = draws.filter(|(draw, _)| *draw < chance).collect();
    broken.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut parameters = parameters.clone();
    for (_, joint) in broken.into_iter().take(MOST_BROKEN) {
        let own = &mut parameters.joints[joint];
        // What has no torque has no error of its own either: its encoder turns with the joint.
        *own = JointParameters {
            effort_limit_newton_m: 0.0,
            dead_band_rad: 0.0,
            backlash_rad: 0.0,
            torque_speed_slope: 0.0,
            ..*own
        };
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{PhysicsSettings, SceneModel};
    use giraffe_robots::{OBJECTS, load_robot};
    use std::sync::Arc;

    /// Which servos of a LEAP hand are dead, by episode.
    fn dead(chance: f32, episode_count: u64) -> Vec<Vec<usize>> {
        let robot = Arc::new(load_robot("leap-right").expect("the built-in hand"));
        let scene = SceneModel::new(Arc::clone(&robot), OBJECTS[0].clone(), PhysicsSettings::default());
        let mut parameters = WorldParameters::nominal(&scene);
        parameters.actuation.broken_chance = chance;
        let of = |seed| {
            let with = with_dead_servos(&parameters, &robot, seed).unwrap_or_else(|| parameters.clone());
            let dead = |joint: &usize| with.joints[*joint].effort_limit_newton_m <= 0.0;
            (0..robot.joint_count()).filter(dead).collect()
        };
        (0..episode_count).map(of).collect()
    }

    #[test]
    fn by_default_no_servo_is_dead_and_never_more_than_two_are() {
        assert!(dead(0.0, 20).iter().all(Vec::is_empty));
        assert!(dead(1.0, 200).iter().all(|dead| dead.len() == 2));
    }

    #[test]
    fn each_servo_is_dead_as_often_as_the_chance_says() {
        let episodes = dead(0.02, 4000);
        let mut counts = [0_u32; 16];
        episodes.iter().flatten().for_each(|joint| counts[*joint] += 1);
        // 4000 episodes at 0.02, less the few in which three draws were below it: 79 with a deviation of 9.
        assert!(counts.iter().all(|count| (45..115).contains(count)), "{counts:?}");
        let total = counts.iter().sum::<u32>() as f32;
        assert!((total / 64_000.0 - 0.02).abs() < 0.002, "{total} of 64000");
    }

    #[test]
    fn a_larger_chance_never_mends_a_servo() {
        for (few, many) in dead(0.03, 500).iter().zip(dead(0.1, 500)) {
            assert!(few.len() >= 2 || few.iter().all(|joint| many.contains(joint)), "{few:?} {many:?}");
        }
    }
}
