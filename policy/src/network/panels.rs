//! Products of matrices whose right side is laid out once and used many times.
//!
//! An LSTM multiplies by the same weights in every step, so what a general product does anew for every call, putting
//! them into an order that the processor reads fast, is done once per sequence, or once for all sequences of a network
//! that does not learn. See [`super::tile`] for the order of
//! additions.

use super::tile::{Left, PANEL, TILE_ROWS, Tile};
use std::mem::MaybeUninit;

/// A matrix `[k, n]` in panels of 32 columns, `[n / 32, k, 32]`; columns that the last panel lacks are zero.
pub(super) struct Panels {
    k: usize,
    n: usize,
    values: Vec<f32>,
}

impl Panels {
    /// All zero.
    pub fn zero(k: usize, n: usize) -> Self {
        Self { k, n, values: vec![0.0; n.div_ceil(PANEL) * k * PANEL] }
    }

    /// Matrices of `n` columns, one below the other.
    pub fn of<const N: usize>(parts: [&[f32]; N], n: usize) -> Self {
        let mut panels = Self::zero(parts.iter().map(|part| part.len() / n).sum(), n);
        let rows = parts.iter().flat_map(|part| part.chunks_exact(n));
        rows.enumerate().for_each(|(k, row)| panels.set_row(k, row));
        panels
    }

    /// The transpose of a matrix of `k` columns.
    pub fn of_transposed(matrix: &[f32], k: usize) -> Self {
        let mut panels = Self::zero(k, matrix.len() / k);
        for (panel, rows) in panels.values.chunks_exact_mut(k * PANEL).zip(matrix.chunks(k * PANEL)) {
            // Sixteen columns at a time: as many as a line of the cache has numbers.
            for first in (0..k).step_by(16) {
                let columns = first..k.min(first + 16);
                for (column, row) in rows.chunks_exact(k).enumerate() {
                    for k in columns.clone() {
                        panel[k * PANEL + column] = row[k];
                    }
                }
            }
        }
        panels
    }

    /// Replaces a row.
    pub fn set_row(&mut self, k: usize, row: &[f32]) {
        for (panel, row) in self.values.chunks_exact_mut(self.k * PANEL).zip(row.chunks(PANEL)) {
            panel[k * PANEL..][..row.len()].copy_from_slice(row);
        }
    }

    /// As the left side of a product.
    pub fn left(&self) -> Left<'_> {
        Left::panels(&self.values, self.k, self.n)
    }

    /// `out = start + lefts * self` for `out` `[rows, n]`, with the left matrices side by side and `start` added to every row.
    pub fn write<'o>(&self, lefts: &[Left<'_>], start: &Start, out: &'o mut [MaybeUninit<f32>]) -> &'o mut [f32] {
        let (n, rows) = (self.n, out.len() / self.n);
        assert!(out.len() == rows * n && start.0.len() == n.next_multiple_of(PANEL), "shapes of a product");
        let panels = self.values.chunks_exact(self.k * PANEL).zip(start.0.chunks_exact(PANEL));
        let size = self.k * PANEL;
        for (index, (panel, start)) in panels.enumerate() {
            let column = index * PANEL;
            let next = &self.values[(index + 1) * size..];
            for first in (0..rows).step_by(TILE_ROWS) {
                let mut here = [lefts[0]; 2];
                here.iter_mut().zip(lefts).for_each(|(here, left)| *here = left.after_rows(first));
                let (lefts, rows) = (&here[..lefts.len()], TILE_ROWS.min(rows - first));
                // The first tile asks for half of the next panel, every other for the rest.
                let ahead = &next[if first == 0 { 0 } else { next.len().min(size / 2) }..];
                if column + PANEL <= n {
                    Tile { lefts, panel, rows, out_stride: n, ahead }.write(start, &mut out[first * n + column..]);
                    continue;
                }
                let mut padded = [MaybeUninit::new(0.0); TILE_ROWS * PANEL];
                Tile { lefts, panel, rows, out_stride: PANEL, ahead }.write(start, &mut padded);
                for (row, padded) in out[first * n..].chunks_exact_mut(n).zip(padded.chunks_exact(PANEL)).take(rows) {
                    row[column..].copy_from_slice(&padded[..n - column]);
                }
            }
        }
        // SAFETY: every column of every row was written.
        unsafe { out.assume_init_mut() }
    }

    /// Adds every row to `sums`, in order.
    pub fn add_rows_to(&self, sums: &mut [f32]) {
        for (panel, sums) in self.values.chunks_exact(self.k * PANEL).zip(sums.chunks_mut(PANEL)) {
            for row in panel.chunks_exact(PANEL) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// What a product is added to in every row.
pub(super) struct Start(Vec<f32>);

impl Start {
    /// These numbers.
    pub fn of(row: &[f32]) -> Self {
        let mut padded = row.to_vec();
        padded.resize(row.len().next_multiple_of(PANEL), 0.0);
        Self(padded)
    }

    /// Nothing.
    pub fn zero(n: usize) -> Self {
        Self(vec![0.0; n.next_multiple_of(PANEL)])
    }
}

/// A sum of products `left' * right`, `[m, n]`: what the gradient of weights is, one share for every step of a sequence.
///
/// It lies in tiles, so that what a share is added to is read and written from one end to the other.
pub(super) struct Gathered {
    m: usize,
    n: usize,
    /// `[m / 12, n / 32, 12, 32]`
    tiles: Vec<f32>,
}

impl Gathered {
    /// Of nothing so far.
    pub fn new(m: usize, n: usize) -> Self {
        Self { m, n, tiles: vec![0.0; m.div_ceil(TILE_ROWS) * n.div_ceil(PANEL) * TILE_ROWS * PANEL] }
    }

    /// Adds the share of `left` `[k, m]` and `right` `[k, n]`.
    pub fn add(&mut self, left: &[f32], right: &Panels) {
        assert!(left.len() == right.k * self.m && right.n == self.n, "shapes of a share");
        if right.k == 0 {
            return;
        }
        let left = Left::columns(left, self.m);
        let strip = self.n.div_ceil(PANEL) * TILE_ROWS * PANEL;
        let tile = TILE_ROWS * PANEL;
        for (index, strip) in self.tiles.chunks_exact_mut(strip).enumerate() {
            let first = index * TILE_ROWS;
            let (lefts, rows) = ([left.after_rows(first)], TILE_ROWS.min(self.m - first));
            let panels = right.values.chunks_exact(right.k * PANEL);
            let mut rest = strip;
            for panel in panels {
                let (out, later) = rest.split_at_mut(tile);
                Tile { lefts: &lefts, panel, rows, out_stride: PANEL, ahead: later }.add(out);
                rest = later;
            }
        }
    }

    /// Adds another sum.
    pub fn add_sum(&mut self, other: &Self) {
        assert!((self.m, self.n) == (other.m, other.n), "shapes of sums");
        self.tiles.iter_mut().zip(&other.tiles).for_each(|(sum, other)| *sum += other);
    }

    /// Row after row.
    pub fn rows(&self) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.m * self.n);
        let strip = self.n.div_ceil(PANEL) * TILE_ROWS * PANEL;
        for row in 0..self.m {
            let strip = &self.tiles[row / TILE_ROWS * strip..][..strip];
            let mut left = self.n;
            for tile in strip.chunks_exact(TILE_ROWS * PANEL) {
                let count = left.min(PANEL);
                rows.extend_from_slice(&tile[row % TILE_ROWS * PANEL..][..count]);
                left -= count;
            }
        }
        rows
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "one order of additions is promised")]
mod tests {
    use super::super::tile::is_fused;
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 331.0 - 1.5).collect()
    }

    /// `out[row, column]` plus products in the order of k, fused.
    fn chain(out: f32, terms: impl Iterator<Item = (f32, f32)>) -> f32 {
        terms.fold(out, |sum, (x, weight)| x.mul_add(weight, sum))
    }

    fn assert_equal(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let close = |(a, b): (&f32, &f32)| if is_fused() { a == b } else { (a - b).abs() < 1e-3 };
        assert!(found.iter().zip(expected).all(close), "{what}");
    }

    #[test]
    fn products_with_panels_are_chains_in_the_order_of_k() {
        for (rows, n, widths) in [(1, 1, [1, 1]), (13, 32, [3, 40]), (31, 70, [33, 5]), (128, 20, [9, 5])] {
            let k = widths[0] + widths[1];
            let [a, b] = [numbers(rows * widths[0], 1), numbers(rows * widths[1], 2)];
            let (right, start) = (numbers(k * n, 3), numbers(n, 4));
            let left = |row: usize, k: usize| {
                if k < widths[0] { a[row * widths[0] + k] } else { b[row * widths[1] + k - widths[0]] }
            };
            let cell = |i: usize| {
                let (row, column) = (i / n, i % n);
                chain(start[column], (0..k).map(|k| (left(row, k), right[k * n + column])))
            };
            let expected: Vec<f32> = (0..rows * n).map(cell).collect();
            let transposed: Vec<f32> = (0..n * k).map(|i| right[i % k * n + i / k]).collect();
            let (above, below) = right.split_at(widths[0] * n);
            for panels in [Panels::of([above, below], n), Panels::of_transposed(&transposed, k)] {
                let lefts = [Left::rows(&a, widths[0]), Left::rows(&b, widths[1])];
                let mut out = Box::new_uninit_slice(rows * n);
                assert_equal(panels.write(&lefts, &Start::of(&start), &mut out), &expected, &format!("{rows} x {n}"));
            }
        }
    }

    #[test]
    fn gradients_of_weights_are_chains_in_the_order_of_samples_and_groups_add_up() {
        for (k, m, n) in [(1, 1, 1), (7, 25, 33), (128, 12, 64), (64, 96, 20)] {
            let (left, right) = (numbers(k * m, 1), numbers(k * n, 2));
            let share = |from: f32, i: usize| chain(from, (0..k).map(|k| (left[k * m + i / n], right[k * n + i % n])));
            let twice: Vec<f32> = (0..m * n).map(|i| share(share(0.0, i), i)).collect();
            let mut gathered = Gathered::new(m, n);
            let panels = Panels::of([&right], n);
            gathered.add(&left, &panels);
            gathered.add(&left, &panels);
            assert_equal(&gathered.rows(), &twice, &format!("{m} x {n}"));
            let mut other = Gathered::new(m, n);
            other.add(&left, &panels);
            gathered.add_sum(&other);
            let all: Vec<f32> = twice.iter().enumerate().map(|(i, twice)| twice + share(0.0, i)).collect();
            assert_equal(&gathered.rows(), &all, &format!("{m} x {n}, two groups"));
            let mut sums = vec![0.5; n];
            panels.add_rows_to(&mut sums);
            let expected: Vec<f32> =
                (0..n).map(|column| (0..k).fold(0.5, |sum, k| sum + right[k * n + column])).collect();
            assert_eq!(sums, expected);
        }
    }

    #[test]
    fn panels_are_a_left_side_too() {
        let (rows, k, n) = (14, 70, 35);
        let (left, right) = (numbers(rows * k, 1), numbers(k * n, 2));
        let (mut out, mut expected) = (Box::new_uninit_slice(rows * n), Box::new_uninit_slice(rows * n));
        let (right, start) = (Panels::of([&right], n), Start::zero(n));
        let expected = right.write(&[Left::rows(&left, k)], &start, &mut expected);
        let out = right.write(&[Panels::of([&left], k).left()], &start, &mut out);
        assert_eq!(out, expected);
        assert!(out.iter().any(|x| *x != 0.0));
    }
}
