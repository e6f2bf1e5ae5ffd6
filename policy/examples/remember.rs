//! The memory task: a cue shown once is to be reproduced. Solved with memory, provably worth nothing without.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example remember -- [--core lstm|gru|none] [--seeds N] [--json]
//! ```

mod toys;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    toys::experiment::run(&toys::remember())
}
