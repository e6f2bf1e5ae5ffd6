//! The pendulum of unknown mass: held better by who finds out its mass on the way.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example hidden_mass -- [--seeds N] [--iterations N] [--json]
//! ```

mod toys;

use toys::experiment;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    experiment::run(&experiment::hidden_mass())
}
