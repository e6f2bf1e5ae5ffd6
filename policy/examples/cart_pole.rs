//! The cart-pole without velocities, on a shaken cart: balanced by who remembers where it was.
//!
//! ```sh
//! cargo run --release -p giraffe-policy --example cart_pole -- [--core lstm|gru|none] [--seeds N] [--json]
//! ```

mod toys;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    toys::experiment::run(&toys::cart_pole::experiment())
}
