//! The innermost loop of matrix products: a few rows of the result, 32 columns of each, kept in registers.
//!
//! Every number of a result is one chain of multiply-adds in the order of k. So it does not depend on what is computed
//! beside it, and where they are fused it is the same bits whichever unit of the processor computes it. They are on
//! x86 with AVX-512, or with AVX2 and FMA, and on all other architectures. An x86 that has neither rounds twice and gets
//! other last bits.

mod way;

use std::mem::MaybeUninit;
use way::{Place, Way};

/// Columns of the result that are computed together.
pub(super) const PANEL: usize = 32;

/// Rows of the result that are computed together where there are enough. With two vectors of 16 to each, these and what
/// they are made of fill the 32 registers of AVX-512.
pub(super) const TILE_ROWS: usize = 12;

/// Some rows of a left matrix. What stands in row r and column k lies at `r * row_stride + k * column_stride`, or, where
/// columns come in runs, further by `run_stride` from run to run.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    values: &'a [f32],
    row_stride: usize,
    column_stride: usize,
    /// Columns.
    k: usize,
    run: usize,
    run_stride: usize,
}

impl<'a> Left<'a> {
    /// `[rows, k]`, row after row.
    pub fn rows(values: &'a [f32], k: usize) -> Self {
        Self { values, row_stride: k, column_stride: 1, k, run: k.max(1), run_stride: 0 }
    }

    /// The transpose of `[k, width]`.
    pub fn columns(values: &'a [f32], width: usize) -> Self {
        let k = values.len() / width;
        Self { values, row_stride: 1, column_stride: width, k, run: k.max(1), run_stride: 0 }
    }

    /// `[rows, k]` in panels: the first 32 columns of all rows, then the next 32.
    pub fn panels(values: &'a [f32], rows: usize, k: usize) -> Self {
        Self { values, row_stride: PANEL, column_stride: 1, k, run: PANEL, run_stride: rows * PANEL }
    }

    /// The rows from number `first` on.
    pub fn after_rows(self, first: usize) -> Self {
        Self { values: &self.values[first * self.row_stride..], ..self }
    }

    /// Columns.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Whether the numbers of so many rows are there.
    fn has(&self, rows: usize) -> bool {
        if self.k == 0 {
            return true;
        }
        let last_run = (self.k - 1) / self.run;
        let in_run = if last_run > 0 { self.run } else { self.k };
        let last = last_run * self.run_stride + (in_run - 1) * self.column_stride;
        // The last run may be shorter than others: too long by some numbers, which panels have.
        (rows - 1) * self.row_stride + last < self.values.len()
    }
}

/// Some rows and 32 columns of a product.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// Side by side; one or two.
    pub lefts: &'a [Left<'a>],
    /// What belongs to the left matrices' columns, `[k, 32]`.
    pub panel: &'a [f32],
    /// 12 or fewer.
    pub rows: usize,
    /// From row to row of the result.
    pub out_stride: usize,
    /// What is going to be read after this, for the cache to have it by then.
    pub ahead: &'a [f32],
}

impl Tile<'_> {
    /// Adds the product to `out`.
    pub fn add(self, out: &mut [f32]) {
        self.add_with(Way::fastest(), out);
    }

    /// Writes `start`, 32 numbers, plus the product to every row of `out`.
    pub fn write(self, start: &[f32], out: &mut [MaybeUninit<f32>]) {
        self.write_with(Way::fastest(), start, out);
    }

    fn add_with(self, way: Way, out: &mut [f32]) {
        self.check(out.len());
        let (out, stride) = (out.as_mut_ptr(), self.out_stride);
        // SAFETY: `out` has room for all rows, and so has what is added to.
        unsafe {
            self.run(way, Place { from: out, from_stride: stride, out, out_stride: stride, ahead: self.ahead.as_ptr() })
        }
    }

    fn write_with(self, way: Way, start: &[f32], out: &mut [MaybeUninit<f32>]) {
        self.check(out.len());
        assert_eq!(start.len(), PANEL, "a start for every column");
        let (out, out_stride) = (out.as_mut_ptr().cast(), self.out_stride);
        // SAFETY: `out` has room for all rows; the start serves every one of them.
        unsafe {
            self.run(way, Place { from: start.as_ptr(), from_stride: 0, out, out_stride, ahead: self.ahead.as_ptr() })
        }
    }

    fn check(&self, out_length: usize) {
        let k: usize = self.lefts.iter().map(Left::k).sum();
        assert!((1..=TILE_ROWS).contains(&self.rows) && self.lefts.iter().all(|left| left.has(self.rows)));
        assert!(self.panel.len() == k * PANEL && out_length >= (self.rows - 1) * self.out_stride + PANEL);
    }

    /// # Safety
    /// [`Tile::check`] found nothing, and 32 numbers of each row lie at the place.
    unsafe fn run(self, way: Way, mut place: Place) {
        let mut lefts = [self.lefts[0]; 2];
        let lefts = &mut lefts[..self.lefts.len()];
        lefts.copy_from_slice(self.lefts);
        let mut rest = self.rows;
        while rest > 0 {
            let count = [12, 8, 4, 2].into_iter().find(|count| *count <= rest).unwrap_or(1);
            // SAFETY: as the caller promises.
            unsafe { way.compute(count, lefts, self.panel, place) };
            rest -= count;
            if rest > 0 {
                lefts.iter_mut().for_each(|left| *left = left.after_rows(count));
                place.from = place.from.wrapping_add(count * place.from_stride);
                place.out = place.out.wrapping_add(count * place.out_stride);
            }
        }
    }
}

/// Whether products are chains of fused multiply-adds on this processor.
#[cfg(test)]
pub(super) fn is_fused() -> bool {
    Way::fastest().is_fused()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 331.0 - 1.5).collect()
    }

    /// Two left matrices side by side, once in rows and in panels, once both transposed.
    fn lefts<'a>(kind: usize, values: &'a [Vec<f32>; 2], rows: usize, [first, second]: [usize; 2]) -> [Left<'a>; 2] {
        let [a, b] = values;
        match kind {
            0 => [Left::rows(&a[..rows * first], first), Left::panels(b, rows, second)],
            _ => [Left::columns(&a[..rows * first], rows), Left::columns(&b[..rows * second], rows)],
        }
    }

    fn at(left: &Left<'_>, row: usize, k: usize) -> f32 {
        left.values[row * left.row_stride + k / left.run * left.run_stride + k % left.run * left.column_stride]
    }

    #[test]
    fn a_tile_is_a_chain_of_fused_multiply_adds_in_order_in_the_same_bits_on_every_unit() {
        const WIDTHS: [usize; 2] = [5, 70];
        let values = [numbers(12 * 5, 1), numbers(12 * 96, 2)];
        let panel = numbers(75 * PANEL, 3);
        for (rows, kind) in (1..=TILE_ROWS).flat_map(|rows| [(rows, 0), (rows, 1)]) {
            let lefts = lefts(kind, &values, rows, WIDTHS);
            let before = numbers(rows * 40, 4);
            let mut expected = before.clone();
            for (row, column) in (0..rows).flat_map(|row| (0..PANEL).map(move |column| (row, column))) {
                let sum = &mut expected[row * 40 + column];
                let all = lefts.iter().flat_map(|left| (0..left.k()).map(|k| at(left, row, k)));
                all.enumerate().for_each(|(k, x)| *sum = x.mul_add(panel[k * PANEL + column], *sum));
            }
            let tile = Tile { lefts: &lefts, panel: &panel, rows, out_stride: 40, ahead: &[] };
            for way in Way::all() {
                let mut out = before.clone();
                tile.add_with(way, &mut out);
                let same = |(a, b): (&f32, &f32)| {
                    if way.is_fused() { a.to_bits() == b.to_bits() } else { (a - b).abs() < 1e-3 }
                };
                assert!(out.iter().zip(&expected).all(same), "{rows} rows, {kind}");
                let (mut begun, mut written) = (vec![0.0; rows * 40], vec![MaybeUninit::new(0.0); rows * 40]);
                begun.chunks_exact_mut(40).for_each(|row| row[..PANEL].copy_from_slice(&before[..PANEL]));
                tile.add_with(way, &mut begun);
                tile.write_with(way, &before[..PANEL], &mut written);
                // SAFETY: all of it began as zero.
                let written = written.iter().map(|x| unsafe { x.assume_init() });
                assert!(written.zip(&begun).all(|(a, b)| a.to_bits() == b.to_bits()), "{rows} rows, {kind}");
            }
        }
    }

    #[test]
    fn a_tile_of_numbers_that_are_not_all_there_is_refused() {
        const ROWS: usize = 4;
        const K: usize = 40;
        // Of every kind as many numbers as it takes: panels are filled up.
        let (rows, columns, panels) = (numbers(ROWS * K, 1), numbers(ROWS * K, 2), numbers(ROWS * 2 * PANEL, 3));
        let lefts = |missing: usize| {
            let [rows, columns, panels] = [&rows, &columns, &panels].map(|values| &values[..values.len() - missing]);
            // Strides are those of the whole matrix: made of a shorter one, it would have a row less.
            let columns = Left { values: columns, ..Left::columns(&[0.0; ROWS * K], ROWS) };
            [Left::rows(rows, K), columns, Left::panels(panels, ROWS, K)]
        };
        let panel = numbers(K * PANEL, 4);
        let is_refused = |left: Left<'_>, rows: usize, panel: &[f32], out_count: usize| {
            let (lefts, mut out) = ([left], vec![0.0; out_count]);
            let tile = Tile { lefts: &lefts, panel, rows, out_stride: PANEL + 1, ahead: &[] };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tile.add(&mut out))).is_err()
        };
        let out_count = (ROWS - 1) * (PANEL + 1) + PANEL;
        for (index, (whole, short)) in lefts(0).into_iter().zip(lefts(1)).enumerate() {
            assert!(!is_refused(whole, ROWS, &panel, out_count), "{index}: nothing is missing");
            assert!(is_refused(short, ROWS, &panel, out_count), "{index}: a number of the left matrix");
            assert!(is_refused(whole, ROWS, &panel[PANEL..], out_count), "{index}: a row of the panel");
            assert!(is_refused(whole, ROWS, &panel, out_count - 1), "{index}: a number of the result");
            assert!(is_refused(whole, 0, &panel, out_count), "{index}: no rows");
        }
        let (many, room) = (numbers((TILE_ROWS + 1) * K, 5), (TILE_ROWS + 1) * (PANEL + 1));
        assert!(!is_refused(Left::rows(&many, K), TILE_ROWS, &panel, room));
        assert!(
            is_refused(Left::rows(&many, K), TILE_ROWS + 1, &panel, room),
            "more rows than there are registers for"
        );
    }
}
