//! Means and fractions with their 95 % intervals.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean or fraction.
    pub value: f64,
    /// Ends of the 95 % interval.
    pub ci95: [f64; 2],
}

/// Mean of independent samples with Student's interval. One sample alone says nothing about spread: its interval
/// is unbounded, written as the sample itself twice over would be a lie, so it is infinite.
pub fn mean(samples: &[f64]) -> Estimate {
    let n = samples.len() as f64;
    let value = samples.iter().sum::<f64>() / n.max(1.0);
    if samples.len() < 2 {
        return Estimate { value, ci95: [f64::NEG_INFINITY, f64::INFINITY] };
    }
    let variance = samples.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0);
    let quantile = StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.96, |t| t.inverse_cdf(0.975));
    let half = quantile * (variance / n).sqrt();
    Estimate { value, ci95: [value - half, value + half] }
}

/// The middle one of some numbers, or the mean of the two in the middle. NaN when there are none.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => 0.5 * (sorted[middle - 1] + sorted[middle]),
    }
}

/// A fraction with Wilson's score interval (Wilson 1927), which stays inside [0, 1] and is honest at 0 and 1.
pub fn fraction(successes: usize, trials: usize) -> Estimate {
    if trials == 0 {
        return Estimate { value: f64::NAN, ci95: [0.0, 1.0] };
    }
    wilson(successes as f64 / trials as f64, trials)
}

/// Wilson's interval around the fraction `p` of `trials` independent trials, above zero.
pub fn wilson(p: f64, trials: usize) -> Estimate {
    const Z: f64 = 1.959_963_985;
    let n = trials as f64;
    let scale = 1.0 + Z * Z / n;
    let middle = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Estimate { value: p, ci95: [(middle - half).max(0.0), (middle + half).min(1.0)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_students() {
        // t(0.975, 3 degrees of freedom) = 3.182446; deviation of 1..4 is 1.290994.
        let Estimate { value, ci95 } = mean(&[1.0, 2.0, 3.0, 4.0]);
        assert!((value - 2.5).abs() < 1e-12);
        assert!((ci95[1] - (2.5 + 3.182_446 * 1.290_994 / 2.0)).abs() < 1e-4, "{ci95:?}");
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        for (samples, expected) in [(&[3.0][..], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)] {
            assert!((median(samples) - expected).abs() < 1e-12, "{samples:?}");
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_interval_of_a_fraction_is_wilsons() {
        // Worked example: 10 of 10 gives [0.7225, 1].
        let all = fraction(10, 10);
        assert!((all.ci95[0] - 0.7225).abs() < 1e-4 && (all.ci95[1] - 1.0).abs() < 1e-12, "{all:?}");
        let half = fraction(50, 100);
        assert!((half.ci95[0] - 0.4038).abs() < 1e-4, "{half:?}");
    }
}
