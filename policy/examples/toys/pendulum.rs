//! A pendulum to be held horizontal with a mass nobody tells: another one in every episode, up to ten times another.
//!
//! A point mass m on a massless rod of length l, angle q from hanging straight down, motor torque u, viscous friction b:
//!
//! ```text
//! m l^2 q'' = u - b q' - m g l sin q
//! ```
//!
//! Semi-implicit Euler (velocity first, then the angle with the new velocity) in [`SUBSTEPS`] parts of a control period.
//! Holding the pendulum at the horizontal takes u = m g l: between 0.98 and 9.8 N m. Without memory the torque can only
//! depend on angle and velocity, so different masses come to rest at different angles, and a gain that brings these
//! together makes the lightest pendulum oscillate at ten actions a second. With memory the mass shows in how the
//! first pushes are answered.

use super::experiment::Experiment;
use super::{Toy, ToyWorlds};
use giraffe_policy::PpoConfig;
use giraffe_robots::{SeedTree, StreamRng};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Standard gravity, m/s^2.
pub const GRAVITY: f64 = 9.80665;
/// Length of the rod, m.
pub const LENGTH_M: f64 = 0.5;
/// Friction in the hinge, N m s/rad.
pub const FRICTION: f64 = 0.3;
/// Lightest and heaviest mass, kg. Its logarithm is uniform.
pub const MASSES_KG: [f64; 2] = [0.2, 2.0];
/// Torque of an action of 1, N m: a fifth more than the heaviest mass takes.
pub const TORQUE_NM: f64 = 12.0;
/// Where it is to be held, rad from hanging: horizontal.
pub const TARGET_RAD: f64 = FRAC_PI_2;
/// Parts of a control period.
pub const SUBSTEPS: u32 = 10;
/// Distance from the target at which the reward is one half, rad.
const HALF_REWARD_RAD: f64 = 0.1;
/// Largest angle from hanging at the start, rad.
const START_RAD: f64 = 0.3;

/// A pendulum. Columns: cos q, sin q, q' in rad/s; critic only: ln of the mass in kg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pendulum {
    /// What hangs on the rod, kg.
    pub mass_kg: f64,
    /// From hanging straight down, rad.
    pub angle_rad: f64,
    /// rad/s
    pub velocity_rad_s: f64,
}

impl Pendulum {
    /// Moves on by `secs` with a constant torque.
    pub fn advance(&mut self, torque_nm: f64, secs: f64) {
        let inertia = self.mass_kg * LENGTH_M * LENGTH_M;
        let weight_nm = self.mass_kg * GRAVITY * LENGTH_M * self.angle_rad.sin();
        self.velocity_rad_s += secs * (torque_nm - FRICTION * self.velocity_rad_s - weight_nm) / inertia;
        self.angle_rad += secs * self.velocity_rad_s;
    }

    /// Kinetic and potential energy, J; zero at rest straight down.
    pub fn energy_j(&self) -> f64 {
        let speed = LENGTH_M * self.velocity_rad_s;
        self.mass_kg * (0.5 * speed * speed + GRAVITY * LENGTH_M * (1.0 - self.angle_rad.cos()))
    }

    /// How far it is from the target, in [-pi, pi] rad.
    pub fn error_rad(&self) -> f64 {
        (self.angle_rad - TARGET_RAD + PI).rem_euclid(TAU) - PI
    }
}

impl Toy for Pendulum {
    const ACTOR_WIDTH: usize = 3;
    const HIDDEN_WIDTH: usize = 1;
    const STEP_LIMIT: u32 = 60;
    const CONTROL_PERIOD_SECS: f64 = 0.1;

    fn start(rng: &mut StreamRng) -> Self {
        let [lightest, heaviest] = MASSES_KG.map(f64::ln);
        Self {
            mass_kg: rng.random_range(lightest..heaviest).exp(),
            angle_rad: rng.random_range(-START_RAD..START_RAD),
            velocity_rad_s: 0.0,
        }
    }

    /// The reward has a sharp top, so that nearly right is not good enough, and a long foot, so that there is a way to it:
    /// 1 / (1 + (error / 0.1 rad)^2).
    fn step(&mut self, action: f32) -> (f32, bool) {
        let torque_nm = TORQUE_NM * f64::from(action.clamp(-1.0, 1.0));
        for _ in 0..SUBSTEPS {
            self.advance(torque_nm, Self::CONTROL_PERIOD_SECS / f64::from(SUBSTEPS));
        }
        let error = self.error_rad() / HALF_REWARD_RAD;
        ((1.0 / (1.0 + error * error)) as f32, false)
    }

    fn observe(&self, out: &mut [f32]) {
        let columns = [self.angle_rad.cos(), self.angle_rad.sin(), self.velocity_rad_s, self.mass_kg.ln()];
        out.iter_mut().zip(columns).for_each(|(out, column)| *out = column as f32);
    }
}

/// Learning to hold it, with settings that suit the task.
pub fn experiment() -> Experiment {
    Experiment {
        name: "hidden_mass",
        score: "mean return of an episode of 60 steps; 60 is horizontal from the first step on",
        worlds: |seed, count| Box::new(ToyWorlds::<Pendulum>::new(SeedTree::new(seed), count)),
        world_count: 64,
        config: PpoConfig {
            encoder_width: 32,
            core_width: 32,
            horizon_steps: 30,
            learning_rate: 1e-3,
            learning_rate_bounds: [1e-5, 3e-3],
            critic_learning_rate: 1e-3,
            discount: 0.97,
            initial_std: 0.4,
            ..PpoConfig::default()
        },
        iterations: 400,
    }
}
