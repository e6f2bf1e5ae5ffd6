//! The pendulum of unknown mass: held better by who finds out its mass on the way.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example hidden_mass -- [--core lstm|gru|none] [--seeds N] [--json]
//! ```

mod toys;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    toys::experiment::run(&toys::pendulum::experiment())
}
