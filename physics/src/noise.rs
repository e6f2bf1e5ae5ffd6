//! What is random within an episode: one generator per effect, all grown from the plan's noise seed.
//!
//! An effect that is switched on therefore leaves the numbers of all others as they were.

use giraffe_robots::{SeedTree, Stream, StreamRng};
use rand::RngExt;

/// The generator of one effect in the episode with this noise seed. The name is part of the seed: never rename.
pub(crate) fn of_effect(name: &str, noise_seed: u64) -> StreamRng {
    SeedTree::new(noise_seed).branch(name).stream(Stream::Sensing, 0, 0)
}

/// A number from -1 to 1, each as likely.
pub(crate) fn symmetric(rng: &mut StreamRng) -> f32 {
    rng.random_range(-1.0..=1.0)
}

/// A number from a standard normal distribution (Box and Muller 1958).
///
/// From two draws of single precision, unlike `giraffe_robots::standard_normal_pair`: the forces of episodes that were
/// lived before stay what they were.
pub(crate) fn normal(rng: &mut StreamRng) -> f32 {
    // 1 - u is never zero, where the logarithm would be infinite.
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}
