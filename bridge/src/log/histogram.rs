//! How long things take, in few numbers.

use serde::{Deserialize, Serialize};

/// Upper ends of the buckets, us; the last bucket holds everything above.
const ENDS_US: [u64; 13] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

/// Counts by duration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper ends of the buckets, us.
    pub ends_us: Vec<u64>,
    /// Counts: one more than ends, the last for everything above.
    pub counts: Vec<u64>,
    /// Largest.
    pub max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { ends_us: ENDS_US.to_vec(), counts: vec![0; ENDS_US.len() + 1], max_us: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn count(&mut self, us: u64) {
        let bucket = self.ends_us.partition_point(|end| *end < us);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.max_us = self.max_us.max(us);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The end of the bucket that this fraction of all lie in or below, us; `None` when nothing was counted. Above the
    /// last end, the largest.
    pub fn quantile_us(&self, fraction: f64) -> Option<u64> {
        let total = self.total();
        let wanted = (fraction.clamp(0.0, 1.0) * total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        Some(self.ends_us.get(bucket).map_or(self.max_us, |end| (*end).min(self.max_us)))
    }
}
