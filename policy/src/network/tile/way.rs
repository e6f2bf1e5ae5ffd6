//! How the rows of a tile are computed: a body for each unit of the processor.

use super::{Left, PANEL};

/// Where a tile's numbers begin and where they go: pointers to the first of them.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub from: *const f32,
    /// From row to row.
    pub from_stride: usize,
    pub out: *mut f32,
    pub out_stride: usize,
    /// What will be read next: with AVX-512 one line of the cache for every column of the left matrices is asked for on the
    /// way.
    pub ahead: *const f32,
}

/// A way of computing that this processor has: there are no others, since it is only got by asking the processor.
#[derive(Clone, Copy)]
pub(super) struct Way(Unit);

#[derive(Clone, Copy)]
enum Unit {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// With FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Any,
}

/// Whether without a unit that we have a body for multiply-adds are fused. In software, where there is no unit for it, it
/// would take a hundred times as long.
const PLAIN_IS_FUSED: bool = !cfg!(target_arch = "x86_64");

impl Way {
    /// Those of this processor, the fastest first.
    pub fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let units = [
            std::arch::is_x86_feature_detected!("avx512f").then_some(Unit::Avx512),
            (std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"))
                .then_some(Unit::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let units = [None; 2];
        units.into_iter().flatten().chain([Unit::Any]).map(Self)
    }

    /// The fastest of this processor.
    pub fn fastest() -> Self {
        Self::all().next().expect("any processor has a way")
    }

    /// Whether multiply-adds are fused.
    #[cfg(test)]
    pub fn is_fused(self) -> bool {
        PLAIN_IS_FUSED || !matches!(self.0, Unit::Any)
    }

    /// Computes so many rows: 12, 8, 4, 2 or 1.
    ///
    /// # Safety
    /// Left matrices have so many rows ([`Left::has`]), the panel has 32 numbers for each of their columns, and 32 numbers
    /// of every row lie at the place.
    pub unsafe fn compute(self, rows: usize, lefts: &[Left<'_>], panel: &[f32], place: Place) {
        // SAFETY: as the caller promises; the processor has the unit, or there would be no such way.
        unsafe {
            match self.0 {
                #[cfg(target_arch = "x86_64")]
                Unit::Avx512 => x86::avx512(rows, lefts, panel, place),
                #[cfg(target_arch = "x86_64")]
                Unit::Avx2 => x86::avx2(rows, lefts, panel, place),
                Unit::Any => plain(rows, lefts, panel, place),
            }
        }
    }
}

/// Without a unit that we have a body for: one row at a time, which reads the panel anew for each. ARM has no other, and
/// learns slowly for it; how slowly was not measured.
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
                    *sum = if PLAIN_IS_FUSED { x.mul_add(*weight, *sum) } else { x * weight + *sum };
                }
            }
        }
        // SAFETY: as the caller promises.
        unsafe { place.out.add(row * place.out_stride).copy_from(sums.as_ptr(), PANEL) };
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::{Left, PANEL};
    use super::Place;
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
    /// The processor has AVX-512F; and as with [`super::Way::compute`].
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
    /// The processor has AVX2 and FMA; and as with [`super::Way::compute`].
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
