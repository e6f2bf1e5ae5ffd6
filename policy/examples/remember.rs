//! The memory task: a cue shown once is to be reproduced. Solved with memory, provably worth nothing without.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example remember -- [--seeds N] [--iterations N] [--json]
//! ```

mod toys;

use giraffe_policy::PpoConfig;
use toys::{cue::CueWorlds, experiment};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    experiment::run(&experiment::Experiment {
        name: "remember",
        score: "mean return of an episode; 3.2 is perfect, 0 is the best without memory",
        worlds: |seed, count| Box::new(CueWorlds::new(seed, count)),
        world_count: 32,
        config: PpoConfig {
            encoder_width: 16,
            core_width: 16,
            horizon_steps: 16,
            minibatch_count: 2,
            learning_rate: 3e-3,
            learning_rate_bounds: [1e-5, 1e-2],
            critic_learning_rate: 3e-3,
            discount: 0.9,
            ..PpoConfig::default()
        },
        iterations: 100,
    })
}
