//! Measurements that are repeated in turns, until somebody says stop.

use anyhow::{Result, bail};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// Median, smallest and largest of some measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of some measurements.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let (lower, upper) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        Self { median: 0.5 * (at(lower) + at(upper)), min: at(0), max: at(sorted.len().saturating_sub(1)) }
    }

    /// Of the ratios of two series, round by round.
    pub fn of_ratios(over: &[f64], under: &[f64]) -> Self {
        Self::of(&over.iter().zip(under).map(|(over, under)| over / under).collect::<Vec<_>>())
    }

    /// For people: the median, in so many columns at least, and the others in brackets.
    pub fn text(self, width: usize, decimals: usize) -> String {
        let Self { median, min, max } = self;
        format!("{median:>width$.decimals$} [{min:.decimals$}, {max:.decimals$}]")
    }
}

/// For people: as [`Spread::text`], or a dash where nothing was measured.
pub fn text_of(spread: Option<Spread>, width: usize, decimals: usize) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| spread.text(width, decimals))
}

/// Whether to go on.
///
/// # Errors
/// When somebody said stop.
pub fn go_on(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) {
        bail!("stopped");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ratios_it_is_round_by_round_and_the_median_of_two_is_between_them() {
        let ratios = Spread::of_ratios(&[6.0, 2.0, 9.0, 8.0], &[2.0, 2.0, 1.0, 4.0]);
        assert_eq!(ratios, Spread { median: 2.5, min: 1.0, max: 9.0 });
        assert_eq!((ratios.text(0, 2), ratios.text(6, 1)), ("2.50 [1.00, 9.00]".into(), "   2.5 [1.0, 9.0]".into()));
        assert!(Spread::of(&[]).median.is_nan());
    }
}
