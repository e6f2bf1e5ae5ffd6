//! Means and fractions with their 95 % intervals.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean or fraction.
    pub value: f64,
    /// Ends of the 95 % interval; none where one sample alone says nothing about spread.
    pub ci95: Option<[f64; 2]>,
}

impl Estimate {
    /// The interval as far as it is known: everything where there is none.
    pub fn bounds(&self) -> [f64; 2] {
        self.ci95.unwrap_or([f64::NEG_INFINITY, f64::INFINITY])
    }
}

/// Mean of independent samples with Student's interval; none of no samples.
pub fn mean(samples: &[f64]) -> Option<Estimate> {
    let n = samples.len() as f64;
    if samples.is_empty() {
        return None;
    }
    let value = samples.iter().sum::<f64>() / n;
    if samples.len() < 2 {
        return Some(Estimate { value, ci95: None });
    }
    let variance = samples.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0);
    let quantile = StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.96, |t| t.inverse_cdf(0.975));
    let half = quantile * (variance / n).sqrt();
    Some(Estimate { value, ci95: Some([value - half, value + half]) })
}

/// The middle one of some numbers, or the mean of the two in the middle; none of no numbers.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some(0.5 * (sorted[middle - 1] + sorted[middle])),
    }
}

/// A fraction with Wilson's score interval (Wilson 1927), which stays inside [0, 1] and is honest at 0 and 1; none of no
/// trials.
pub fn fraction(successes: usize, trials: usize) -> Option<Estimate> {
    (trials > 0).then(|| wilson(successes as f64 / trials as f64, trials))
}

/// Wilson's interval around the fraction `p` of `trials` independent trials, above zero.
pub fn wilson(p: f64, trials: usize) -> Estimate {
    const Z: f64 = 1.959_963_985;
    let n = trials as f64;
    let scale = 1.0 + Z * Z / n;
    let middle = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Estimate { value: p, ci95: Some([(middle - half).max(0.0), (middle + half).min(1.0)]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_students() {
        // t(0.975, 3 degrees of freedom) = 3.182446; deviation of 1..4 is 1.290994.
        let Estimate { value, ci95 } = mean(&[1.0, 2.0, 3.0, 4.0]).expect("samples");
        assert!((value - 2.5).abs() < 1e-12);
        let [_, high] = ci95.expect("more than one");
        assert!((high - (2.5 + 3.182_446 * 1.290_994 / 2.0)).abs() < 1e-4, "{ci95:?}");
    }

    #[test]
    fn no_samples_have_no_mean_and_one_has_no_interval() {
        assert_eq!((mean(&[]), fraction(0, 0), median(&[])), (None, None, None));
        let one = mean(&[3.0]).expect("a sample");
        assert_eq!(one, Estimate { value: 3.0, ci95: None });
        let text = serde_json::to_string(&one).expect("written");
        assert_eq!(serde_json::from_str::<Estimate>(&text).expect("read back"), one, "{text}");
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        for (samples, expected) in [(&[3.0][..], 3.0), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 9.0], 3.0)] {
            assert!((median(samples).expect("samples") - expected).abs() < 1e-12, "{samples:?}");
        }
    }

    #[test]
    fn the_interval_of_a_fraction_is_wilsons() {
        // Worked example: 10 of 10 gives [0.7225, 1].
        let low_high = |successes, trials| fraction(successes, trials).and_then(|all| all.ci95).expect("an interval");
        let [low, high] = low_high(10, 10);
        assert!((low - 0.7225).abs() < 1e-4 && (high - 1.0).abs() < 1e-12, "{low} {high}");
        let [low, _] = low_high(50, 100);
        assert!((low - 0.4038).abs() < 1e-4, "{low}");
    }
}
