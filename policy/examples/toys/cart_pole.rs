//! A pole balanced on a shaken cart, of which only the positions are seen.
//!
//! Equations, constants and Euler's method in steps of 20 ms are those of Barto, Sutton and Anderson 1983 (appendix),
//! without their friction, which is twenty thousand times weaker than the force. Pole angle q from upright, cart
//! position x, force F, cart M, pole m of half-length l:
//!
//! ```text
//! q'' = (g sin q - cos q (F + m l q'^2 sin q) / (M + m)) / (l (4/3 - m cos^2 q / (M + m)))
//! x'' = (F + m l (q'^2 sin q - q'' cos q)) / (M + m)
//! ```
//!
//! The force is continuous here, where theirs was bang-bang, and a push drawn anew in every step is added to it.
//!
//! Without velocities no linear law F = a x + b q holds the pole: near upright its equations contain second derivatives
//! only, so with every root s there is a root -s, and Euler's step of length h makes 1 + h s of it. One of the two is
//! longer than 1: whatever the pushes start grows. Memory makes velocities of positions.

use super::experiment::Experiment;
use super::{Toy, ToyWorlds};
use giraffe_policy::PpoConfig;
use giraffe_robots::{SeedTree, StreamRng};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// m/s^2
pub const GRAVITY: f64 = 9.8;
/// M
pub const CART_KG: f64 = 1.0;
/// m
pub const POLE_KG: f64 = 0.1;
/// l: from the hinge to the pole's centre, m.
pub const HALF_LENGTH_M: f64 = 0.5;
/// Force of an action of 1, N.
pub const FORCE_N: f64 = 10.0;
/// Largest push, N: uniform from minus to plus this.
pub const PUSH_N: f64 = 3.0;
/// Farther from the middle than this is the end.
pub const TRACK_M: f64 = 2.4;
/// Farther from upright than this is the end: 12 degrees.
pub const ANGLE_RAD: f64 = 12.0 * std::f64::consts::PI / 180.0;
/// Positions and velocities start within this, m, rad, m/s and rad/s.
const START: f64 = 0.05;

/// A cart with a pole. Columns: x in m, q in rad; critic only: their velocities, in m/s and rad/s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CartPole {
    /// Cart position from the middle, m.
    pub position_m: f64,
    /// Cart velocity, m/s.
    pub velocity_m_s: f64,
    /// Pole angle from upright, positive to where x is, rad.
    pub angle_rad: f64,
    /// rad/s
    pub angular_velocity_rad_s: f64,
    /// Where the pushes come from.
    pub pushes: StreamRng,
}

impl CartPole {
    /// Moves on by `secs` with a constant force.
    pub fn advance(&mut self, force_n: f64, secs: f64) {
        let (sin, cos) = self.angle_rad.sin_cos();
        let total_kg = CART_KG + POLE_KG;
        let lever = POLE_KG * HALF_LENGTH_M;
        let spin = lever * self.angular_velocity_rad_s * self.angular_velocity_rad_s * sin;
        let angular = (GRAVITY * sin - cos * (force_n + spin) / total_kg)
            / (HALF_LENGTH_M * (4.0 / 3.0 - POLE_KG * cos * cos / total_kg));
        let linear = (force_n + spin - lever * angular * cos) / total_kg;
        self.position_m += secs * self.velocity_m_s;
        self.angle_rad += secs * self.angular_velocity_rad_s;
        self.velocity_m_s += secs * linear;
        self.angular_velocity_rad_s += secs * angular;
    }

    fn is_lost(&self) -> bool {
        self.position_m.abs() > TRACK_M || self.angle_rad.abs() > ANGLE_RAD
    }
}

impl Toy for CartPole {
    const ACTOR_WIDTH: usize = 2;
    const HIDDEN_WIDTH: usize = 2;
    const STEP_LIMIT: u32 = 500;
    const CONTROL_PERIOD_SECS: f64 = 0.02;

    fn start(rng: &mut StreamRng) -> Self {
        let [position_m, velocity_m_s, angle_rad, angular_velocity_rad_s] =
            std::array::from_fn(|_| rng.random_range(-START..START));
        Self { position_m, velocity_m_s, angle_rad, angular_velocity_rad_s, pushes: rng.clone() }
    }

    /// Every step is worth its 0.02 seconds, so an episode is worth the time it lasted.
    fn step(&mut self, action: f32) -> (f32, bool) {
        let push_n = self.pushes.random_range(-PUSH_N..PUSH_N);
        self.advance(FORCE_N * f64::from(action.clamp(-1.0, 1.0)) + push_n, Self::CONTROL_PERIOD_SECS);
        (Self::CONTROL_PERIOD_SECS as f32, self.is_lost())
    }

    fn observe(&self, out: &mut [f32]) {
        let columns = [self.position_m, self.angle_rad, self.velocity_m_s, self.angular_velocity_rad_s];
        out.iter_mut().zip(columns).for_each(|(out, column)| *out = column as f32);
    }
}

/// Learning to balance it, with settings that suit the task.
pub fn experiment() -> Experiment {
    Experiment {
        name: "cart_pole",
        score: "mean seconds until the pole falls or the cart leaves, 10 at most",
        worlds: |seed, count| Box::new(ToyWorlds::<CartPole>::new(SeedTree::new(seed), count)),
        world_count: 64,
        config: PpoConfig {
            encoder_width: 32,
            core_width: 32,
            learning_rate: 1e-3,
            learning_rate_bounds: [1e-5, 3e-3],
            critic_learning_rate: 1e-3,
            entropy_coefficient: 0.0,
            initial_std: 0.4,
            ..PpoConfig::default()
        },
        iterations: 500,
    }
}
