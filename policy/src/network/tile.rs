//! The innermost loop of matrix products: a few rows of the result, 32 columns of each, kept in registers.
//!
//! Every number of a result is one chain of fused multiply-adds in the order of k. So it is the same bits whichever unit
//! of the processor computes it (one without fused multiply-add aside), and whatever is computed beside it.

use std::mem::MaybeUninit;

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

/// Where a tile's numbers begin and where they go: pointers to the first of them.
#[derive(Clone, Copy)]
struct Place {
    from: *const f32,
    /// From row to row.
    from_stride: usize,
    out: *mut f32,
    out_stride: usize,
    /// What will be read next: one line of the cache for every column of the left matrices is asked for on the way.
    ahead: *const f32,
}

/// How so many rows are computed: 12, 8, 4, 2 or 1. Its caller must have asked for the processor's unit and for
/// [`Left::has`]; 32 columns of so many rows lie at the place.
type Compute = unsafe fn(usize, &[Left<'_>], &[f32], Place);

impl Tile<'_> {
    /// Adds the product to `out`.
    pub fn add(self, out: &mut [f32]) {
        self.add_with(compute(), out);
    }

    /// Writes `start`, 32 numbers, plus the product to every row of `out`.
    pub fn write(self, start: &[f32], out: &mut [MaybeUninit<f32>]) {
        self.write_with(compute(), start, out);
    }

    fn add_with(self, compute: Compute, out: &mut [f32]) {
        self.check(out.len());
        let (out, stride) = (out.as_mut_ptr(), self.out_stride);
        // SAFETY: `out` has room for all rows, and so has what is added to.
        unsafe {
            self.run(
                compute,
                Place { from: out, from_stride: stride, out, out_stride: stride, ahead: self.ahead.as_ptr() },
            )
        }
    }

    fn write_with(self, compute: Compute, start: &[f32], out: &mut [MaybeUninit<f32>]) {
        self.check(out.len());
        assert_eq!(start.len(), PANEL, "a start for every column");
        let (out, out_stride) = (out.as_mut_ptr().cast(), self.out_stride);
        // SAFETY: `out` has room for all rows; the start serves every one of them.
        unsafe {
            self.run(
                compute,
                Place { from: start.as_ptr(), from_stride: 0, out, out_stride, ahead: self.ahead.as_ptr() },
            )
        }
    }

    fn check(&self, out_length: usize) {
        let k: usize = self.lefts.iter().map(Left::k).sum();
        assert!((1..=TILE_ROWS).contains(&self.rows) && self.lefts.iter().all(|left| left.has(self.rows)));
        assert!(self.panel.len() == k * PANEL && out_length >= (self.rows - 1) * self.out_stride + PANEL);
    }

    /// # Safety
    /// [`Tile::check`] found nothing, and 32 numbers of each row lie at the place.
    unsafe fn run(self, compute: Compute, mut place: Place) {
        let mut lefts = [self.lefts[0]; 2];
        let lefts = &mut lefts[..self.lefts.len()];
        lefts.copy_from_slice(self.lefts);
        let mut rest = self.rows;
        while rest > 0 {
            let count = [12, 8, 4, 2].into_iter().find(|count| *count <= rest).unwrap_or(1);
            // SAFETY: as the caller promises; `compute` was chosen among those that the processor can do.
            unsafe { compute(count, lefts, self.panel, place) };
            rest -= count;
            if rest > 0 {
                lefts.iter_mut().for_each(|left| *left = left.after_rows(count));
                place.from = place.from.wrapping_add(count * place.from_stride);
                place.out = place.out.wrapping_add(count * place.out_stride);
            }
        }
    }
}

/// The fastest way of this processor.
fn compute() -> Compute {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return x86::avx512;
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return x86::avx2;
        }
    }
    plain
}

/// Without a unit that we have a body for.
///
/// # Safety
/// 32 numbers of every row lie at the place.
unsafe fn plain(rows: usize, lefts: &[Left<'_>], panel: &[f32], place: Place) {
    for row in 0..rows {
        let mut sums = [0.0; PANEL];
        // SAFETY: as the caller promises.
        unsafe { sums.as_mut_ptr().copy_from(place.from.add(row * place.from_stride), PANEL) };
        let mut panel = panel.chunks_exact(PANEL);
        for left in lefts {
            for k in 0..left.k {
                let x = left.values
                    [row * left.row_stride + k / left.run * left.run_stride + k % left.run * left.column_stride];
                let weights = panel.next().unwrap_or_default();
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    // In software, where there is no unit for it, this would take a hundred times as long.
                    *sum = if cfg!(target_arch = "x86_64") { x * weight + *sum } else { x.mul_add(*weight, *sum) };
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { place.out.add(row * place.out_stride).copy_from(sums.as_ptr(), PANEL) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Left, PANEL, Place};
    use std::arch::x86_64::{
        _MM_HINT_T1, _mm_prefetch, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    /// Goes through the columns of left matrices: where each begins, and what it is multiplied with.
    macro_rules! for_each_column {
        ($lefts:expr, $panel:expr, |$left:ident, $at:ident, $weights:ident| $body:block) => {
            let mut $weights = $panel;
            for $left in $lefts {
                let (mut run, mut done) = ($left.values.as_ptr(), 0);
                while done < $left.k {
                    let count = $left.run.min($left.k - done);
                    let mut $at = run;
                    for _ in 0..count {
                        $body
                        $at = $at.wrapping_add($left.column_stride);
                        $weights = $weights.wrapping_add(PANEL);
                    }
                    run = run.wrapping_add($left.run_stride);
                    done += count;
                }
            }
        };
    }

    /// # Safety
    /// The processor has AVX-512F, left matrices have so many rows, and 32 numbers of each lie at the place.
    pub unsafe fn avx512(rows: usize, lefts: &[Left<'_>], panel: &[f32], place: Place) {
        // SAFETY: as the caller promises.
        unsafe {
            match rows {
                12 => avx512_rows::<12>(lefts, panel.as_ptr(), place),
                8 => avx512_rows::<8>(lefts, panel.as_ptr(), place),
                4 => avx512_rows::<4>(lefts, panel.as_ptr(), place),
                2 => avx512_rows::<2>(lefts, panel.as_ptr(), place),
                _ => avx512_rows::<1>(lefts, panel.as_ptr(), place),
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_rows<const R: usize>(lefts: &[Left<'_>], panel: *const f32, place: Place) {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        // SAFETY: everything read and written lies where the caller promises.
        unsafe {
            for (row, sums) in sums.iter_mut().enumerate() {
                let from = place.from.add(row * place.from_stride);
                *sums = [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))];
            }
            let mut ahead = place.ahead;
            for_each_column!(lefts, panel, |left, at, weights| {
                // Asks; an address that is nobody's is no fault.
                _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
                ahead = ahead.wrapping_add(16);
                let pair = [_mm512_loadu_ps(weights), _mm512_loadu_ps(weights.add(16))];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*at.add(row * left.row_stride));
                    *sums = [_mm512_fmadd_ps(x, pair[0], sums[0]), _mm512_fmadd_ps(x, pair[1], sums[1])];
                }
            });
            for (row, sums) in sums.iter().enumerate() {
                let out = place.out.add(row * place.out_stride);
                _mm512_storeu_ps(out, sums[0]);
                _mm512_storeu_ps(out.add(16), sums[1]);
            }
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA, left matrices have so many rows, and 32 numbers of each lie at the place.
    pub unsafe fn avx2(rows: usize, lefts: &[Left<'_>], panel: &[f32], place: Place) {
        // Sixteen registers hold six rows of half a panel.
        for half in [0, PANEL / 2] {
            let panel = panel.as_ptr().wrapping_add(half);
            let (from, out) = (place.from.wrapping_add(half), place.out.wrapping_add(half));
            let place = Place { from, out, ..place };
            // SAFETY: as the caller promises.
            unsafe {
                match rows {
                    12 => {
                        avx2_rows::<6>(lefts, 0, panel, place);
                        avx2_rows::<6>(lefts, 6, panel, place);
                    }
                    8 => {
                        avx2_rows::<4>(lefts, 0, panel, place);
                        avx2_rows::<4>(lefts, 4, panel, place);
                    }
                    4 => avx2_rows::<4>(lefts, 0, panel, place),
                    2 => avx2_rows::<2>(lefts, 0, panel, place),
                    _ => avx2_rows::<1>(lefts, 0, panel, place),
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_rows<const R: usize>(lefts: &[Left<'_>], first: usize, panel: *const f32, place: Place) {
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        // SAFETY: everything read and written lies where the caller promises.
        unsafe {
            for (row, sums) in sums.iter_mut().enumerate() {
                let from = place.from.add((first + row) * place.from_stride);
                *sums = [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))];
            }
            for_each_column!(lefts, panel, |left, at, weights| {
                let pair = [_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(8))];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = _mm256_set1_ps(*at.add((first + row) * left.row_stride));
                    *sums = [_mm256_fmadd_ps(x, pair[0], sums[0]), _mm256_fmadd_ps(x, pair[1], sums[1])];
                }
            });
            for (row, sums) in sums.iter().enumerate() {
                let out = place.out.add((first + row) * place.out_stride);
                _mm256_storeu_ps(out, sums[0]);
                _mm256_storeu_ps(out.add(8), sums[1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 331.0 - 1.5).collect()
    }

    fn ways() -> Vec<Compute> {
        #[cfg(target_arch = "x86_64")]
        {
            let mut ways: Vec<Compute> = Vec::new();
            if std::arch::is_x86_feature_detected!("avx512f") {
                ways.push(x86::avx512);
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                ways.push(x86::avx2);
            }
            ways
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![plain]
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
            for way in ways() {
                let mut out = before.clone();
                tile.add_with(way, &mut out);
                assert!(out.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{rows} rows, {kind}");
                let (mut begun, mut written) = (vec![0.0; rows * 40], vec![MaybeUninit::new(0.0); rows * 40]);
                begun.chunks_exact_mut(40).for_each(|row| row[..PANEL].copy_from_slice(&before[..PANEL]));
                tile.add_with(way, &mut begun);
                tile.write_with(way, &before[..PANEL], &mut written);
                // SAFETY: all of it began as zero.
                let written = written.iter().map(|x| unsafe { x.assume_init() });
                assert!(written.zip(&begun).all(|(a, b)| a.to_bits() == b.to_bits()), "{rows} rows, {kind}");
            }
            let mut out = before;
            tile.add_with(plain, &mut out);
            assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-3), "{rows} rows, {kind}");
        }
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_tile_of_rows_that_are_not_there_is_refused() {
        let (values, panel, mut out) = (numbers(3 * 4, 1), numbers(4 * PANEL, 2), numbers(4 * PANEL, 3));
        let lefts = [Left::rows(&values, 4)];
        Tile { lefts: &lefts, panel: &panel, rows: 4, out_stride: PANEL, ahead: &[] }.add(&mut out);
    }
}
