//! Brings every column of an observation to about zero mean and unit variance.

use serde::{Deserialize, Serialize};

/// Standard deviations below this count as this, so that a constant column stays quiet.
const SMALLEST_STD: f64 = 1e-4;

/// Running mean and variance per column (Chan, Golub, LeVeque 1979).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningMoments {
    count: f64,
    mean: Vec<f64>,
    /// Sum of squared differences from the mean.
    spread: Vec<f64>,
    /// How many rows each column stands for, where they differ: some were known before the first row. Else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    column_counts: Vec<f64>,
}

impl RunningMoments {
    /// Nothing seen yet in `width` columns.
    pub fn new(width: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; width], spread: vec![0.0; width], column_counts: Vec::new() }
    }

    /// Nothing seen yet, but of some of `width` columns it is known how they were normalised: column, mean and inverse
    /// standard deviation each, worth `row_count` rows. Frozen, they are exactly so again.
    pub(crate) fn knowing(width: usize, known: impl Iterator<Item = (usize, [f32; 2])>, row_count: f64) -> Self {
        let mut moments = Self { column_counts: vec![0.0; width], ..Self::new(width) };
        // Of fewer than two rows there is no standard deviation.
        let count = row_count.max(2.0);
        for (column, [mean, inverse_std]) in known {
            moments.mean[column] = f64::from(mean);
            moments.spread[column] = count / f64::from(inverse_std).powi(2);
            moments.column_counts[column] = count;
        }
        moments
    }

    /// Number of columns.
    pub(crate) fn width(&self) -> usize {
        self.mean.len()
    }

    /// Takes in `rows`, `[n, width]`.
    pub fn add_rows(&mut self, rows: &[f32]) {
        let width = self.mean.len();
        let row_count = rows.len() / width.max(1);
        if row_count == 0 {
            return;
        }
        let mut batch = Self::new(width);
        batch.count = row_count as f64;
        for row in rows.chunks_exact(width) {
            batch.mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        batch.mean.iter_mut().for_each(|sum| *sum /= row_count as f64);
        for row in rows.chunks_exact(width) {
            for ((spread, mean), &x) in batch.spread.iter_mut().zip(&batch.mean).zip(row) {
                *spread += (f64::from(x) - mean).powi(2);
            }
        }
        self.merge(&batch);
    }

    /// Takes in what another has seen.
    pub fn merge(&mut self, other: &Self) {
        self.merge_but(other, &[]);
    }

    /// The same, but for some columns, ascending, which stay as they are.
    pub(crate) fn merge_but(&mut self, other: &Self, held: &[usize]) {
        if other.count == 0.0 {
            return;
        }
        for column in (0..self.mean.len()).filter(|column| held.binary_search(column).is_err()) {
            let (own, new) = (self.count_of(column), other.count_of(column));
            let (total, difference) = (own + new, other.mean[column] - self.mean[column]);
            self.mean[column] += difference * new / total;
            self.spread[column] += other.spread[column] + difference * difference * own * new / total;
            if let Some(count) = self.column_counts.get_mut(column) {
                *count = total;
            }
        }
        self.count += other.count;
    }

    /// How many rows a column stands for.
    fn count_of(&self, column: usize) -> f64 {
        self.column_counts.get(column).copied().unwrap_or(self.count)
    }

    /// The normaliser of what was seen so far. Before anything was seen it changes nothing but clips.
    pub fn freeze(&self, clip: f32) -> Normalizer {
        let mean = self.mean.iter().map(|&mean| mean as f32).collect();
        let inverse_std = (0..self.spread.len()).map(|column| self.inverse_std(column)).collect();
        Normalizer { mean, inverse_std, clip }
    }

    /// How many rows were seen.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Standard deviation per column, in the column's unit.
    pub fn std(&self) -> Vec<f64> {
        let columns = self.spread.iter().enumerate();
        columns.map(|(column, spread)| (spread / self.count_of(column).max(1.0)).sqrt()).collect()
    }

    fn inverse_std(&self, column: usize) -> f32 {
        let count = self.count_of(column);
        if count < 2.0 {
            return 1.0;
        }
        (1.0 / (self.spread[column] / count).sqrt().max(SMALLEST_STD)) as f32
    }
}

/// Frozen statistics: `clamp((x - mean) * inverse_std, -clip, clip)` per column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalizer {
    /// Mean per column, in the column's unit.
    pub mean: Vec<f32>,
    /// One over the standard deviation per column.
    pub inverse_std: Vec<f32>,
    /// Bound of the result.
    pub clip: f32,
}

impl Normalizer {
    /// Normalises the first columns of one row. `row` and `out` are at most as wide as the normaliser.
    pub fn apply(&self, row: &[f32], out: &mut [f32]) {
        for (((out, &x), mean), inverse_std) in out.iter_mut().zip(row).zip(&self.mean).zip(&self.inverse_std) {
            *out = ((x - mean) * inverse_std).clamp(-self.clip, self.clip);
        }
    }

    /// Normalises rows `[n, width]`.
    pub fn apply_rows(&self, rows: &[f32], out: &mut [f32]) {
        let width = self.mean.len();
        for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            self.apply(row, out);
        }
    }

    /// The part for the first `width` columns: what the actor reads.
    pub fn prefix(&self, width: usize) -> Self {
        Self { mean: self.mean[..width].to_vec(), inverse_std: self.inverse_std[..width].to_vec(), clip: self.clip }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the expected numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn moments_in_pieces_equal_moments_at_once() {
        let rows: Vec<f32> =
            (0..60).map(|i| ((i * 37) % 17) as f32 * if i % 2 == 0 { 1.0 } else { 100.0 } + 1e3).collect();
        let mut at_once = RunningMoments::new(2);
        at_once.add_rows(&rows);
        let mut in_pieces = RunningMoments::new(2);
        for piece in [&rows[..14], &rows[14..16], &rows[16..]] {
            in_pieces.add_rows(piece);
        }
        for (a, b) in at_once.spread.iter().zip(&in_pieces.spread) {
            assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        }
        assert_eq!(at_once.count(), 30.0);
        for (std, spread) in at_once.std().iter().zip(&at_once.spread) {
            assert!((std * std * 30.0 / spread - 1.0).abs() < 1e-12, "{std} {spread}");
        }
        let frozen = at_once.freeze(5.0);
        let mean = |column: usize| rows.iter().skip(column).step_by(2).sum::<f32>() / 30.0;
        assert!((frozen.mean[0] - mean(0)).abs() < 1e-3 && (frozen.mean[1] - mean(1)).abs() < 1e-2);
        let mut out = vec![0.0; 60];
        frozen.apply_rows(&rows, &mut out);
        let variance = out.iter().step_by(2).map(|x| x * x).sum::<f32>() / 30.0;
        assert!((variance - 1.0).abs() < 1e-4, "{variance}");
    }

    #[test]
    fn what_was_known_before_is_normalised_as_before_until_it_is_let_go() {
        let mut before = RunningMoments::new(2);
        before.add_rows(&(0..600).map(|i| ((i * 37) % 101) as f32 / 7.0).collect::<Vec<_>>());
        let was = before.freeze(5.0);
        let known = |column: usize| [was.mean[column], was.inverse_std[column]];
        let mut moments = RunningMoments::knowing(4, [(0, known(1)), (2, known(0))].into_iter(), before.count());
        let at = |moments: &RunningMoments, column: usize| {
            let frozen = moments.freeze(5.0);
            [frozen.mean[column], frozen.inverse_std[column]]
        };
        assert_eq!([0, 2].map(|column| at(&moments, column)), [known(1), known(0)]);
        assert_eq!([1, 3].map(|column| at(&moments, column)), [[0.0, 1.0]; 2], "nothing is known of these");
        let mut seen = RunningMoments::new(4);
        seen.add_rows(&[9.0, 10.0, 9.0, 10.0, 9.0, 14.0, 9.0, 14.0]);
        moments.merge_but(&seen, &[0, 2]);
        assert_eq!([0, 2].map(|column| at(&moments, column)), [known(1), known(0)], "held");
        assert_eq!([1, 3].map(|column| at(&moments, column)), [[12.0, 0.5]; 2], "its own rows, and no others");
        assert_eq!(moments.count(), 2.0);
        moments.merge(&seen);
        // 300 rows and two more.
        let expected = f64::from(known(1)[0]) + (9.0 - f64::from(known(1)[0])) * 2.0 / 302.0;
        assert!((f64::from(at(&moments, 0)[0]) - expected).abs() < 1e-6, "{:?}", at(&moments, 0));
        assert_eq!(at(&moments, 1), [12.0, 0.5]);
    }

    #[test]
    fn the_smallest_and_the_largest_of_scales_come_back_in_the_same_bits() {
        let mut scale = 1e-3_f32;
        while scale < 1e4 {
            let moments = RunningMoments::knowing(1, std::iter::once((0, [0.3, scale])), 1.5e6);
            assert_eq!(moments.freeze(5.0).inverse_std[0].to_bits(), scale.to_bits(), "{scale}");
            scale *= 1.37;
        }
    }

    #[test]
    fn values_are_clipped_and_constant_columns_stay_quiet() {
        let mut moments = RunningMoments::new(2);
        assert_eq!(moments.freeze(5.0), Normalizer { mean: vec![0.0; 2], inverse_std: vec![1.0; 2], clip: 5.0 });
        moments.add_rows(&[7.0, -1.0, 7.0, 1.0, 7.0, -1.0, 7.0, 1.0]);
        let mut out = [9.0; 2];
        moments.freeze(5.0).apply(&[7.0, 1e6], &mut out);
        assert_eq!(out, [0.0, 5.0]);
        moments.freeze(5.0).apply(&[7.0, f32::NAN], &mut out);
        assert!(out[1].is_nan(), "a number that is none must not be hidden");
    }
}
