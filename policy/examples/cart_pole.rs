//! The cart-pole without velocities, on a shaken cart: balanced by who remembers where it was.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example cart_pole -- [--seeds N] [--iterations N] [--json]
//! ```

mod toys;

use giraffe_policy::PpoConfig;
use giraffe_robots::SeedTree;
use toys::{ToyWorlds, cart_pole::CartPole, experiment};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    experiment::run(&experiment::Experiment {
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
        iterations: 400,
    })
}
