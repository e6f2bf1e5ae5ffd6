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
