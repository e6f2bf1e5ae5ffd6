//! The distribution of actions: independent normals with one standard deviation per action.
//!
//! Plain formulas on slices, for collecting and reporting; the update computes the same with gradients.

use giraffe_robots::{StreamRng, standard_normal_pair};

/// ln(2 pi) / 2.
pub(crate) const HALF_LN_TWO_PI: f32 = 0.918_938_5;

/// Logarithm of the density of `action`.
pub fn log_prob(action: &[f32], mean: &[f32], log_std: &[f32]) -> f32 {
    let mut sum = 0.0;
    for ((action, mean), log_std) in action.iter().zip(mean).zip(log_std) {
        let z = (action - mean) * (-log_std).exp();
        sum += -0.5 * z * z - log_std - HALF_LN_TWO_PI;
    }
    sum
}

/// Entropy, nats.
pub fn entropy(log_std: &[f32]) -> f32 {
    log_std.iter().map(|log_std| log_std + 0.5 + HALF_LN_TWO_PI).sum()
}

/// Divergence of `new` from `old`, KL(old || new), nats. Each is (mean, log_std).
pub fn kl(old: (&[f32], &[f32]), new: (&[f32], &[f32])) -> f32 {
    Spreads::new(old.1, new.1).kl(old.0, new.0)
}

/// Divergence of policies whose standard deviations are the same wherever they are: what [`kl`] makes of these, made once.
pub struct Spreads {
    gap: Vec<f32>,
    old_variance: Vec<f32>,
    twice_new_variance: Vec<f32>,
}

impl Spreads {
    /// Of logarithms of standard deviations.
    pub fn new(old: &[f32], new: &[f32]) -> Self {
        Self {
            gap: old.iter().zip(new).map(|(old, new)| new - old).collect(),
            old_variance: old.iter().map(|old| (2.0 * old).exp()).collect(),
            twice_new_variance: new.iter().map(|new| 2.0 * (2.0 * new).exp()).collect(),
        }
    }

    /// [`kl`] of these means.
    pub fn kl(&self, old: &[f32], new: &[f32]) -> f32 {
        let mut sum = 0.0;
        for index in 0..old.len() {
            let difference = old[index] - new[index];
            let spread = self.old_variance[index] + difference * difference;
            sum += self.gap[index] + spread / self.twice_new_variance[index] - 0.5;
        }
        sum
    }
}

/// Fills `out` with independent standard normal numbers.
pub(crate) fn fill_standard_normal(rng: &mut StreamRng, out: &mut [f32]) {
    for pair in out.chunks_mut(2) {
        let drawn = standard_normal_pair(rng);
        pair.copy_from_slice(&drawn[..pair.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{SeedTree, Stream};

    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
    }

    #[test]
    fn formulas_agree_with_numbers_computed_by_hand() {
        // Standard normal at 0 and at 1; std 2 at one standard deviation.
        near(log_prob(&[0.0], &[0.0], &[0.0]), -0.918_938_5);
        near(log_prob(&[1.0, 2.0], &[0.0, 0.0], &[0.0, 2f32.ln()]), -1.418_938_5 - 2.112_085_7);
        near(entropy(&[0.0, 2f32.ln()]), 1.418_938_5 + 2.112_085_7);
        // KL(N(0,1) || N(1,2)) = ln 2 + 2/8 - 1/2.
        near(kl((&[0.0], &[0.0]), (&[1.0], &[2f32.ln()])), 0.443_147_2);
        near(kl((&[0.3], &[-0.7]), (&[0.3], &[-0.7])), 0.0);
    }

    #[test]
    fn noise_has_zero_mean_unit_variance_and_normal_tails() {
        let mut rng = SeedTree::new(1).stream(Stream::Exploration, 0, 0);
        let mut noise = vec![0.0; 100_001];
        fill_standard_normal(&mut rng, &mut noise);
        let count = noise.len() as f64;
        let mean = noise.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = noise.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count;
        let beyond_two = noise.iter().filter(|x| x.abs() > 2.0).count() as f64 / count;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.015, "{mean} {variance}");
        assert!((beyond_two - 0.0455).abs() < 0.003, "{beyond_two}");
    }
}
