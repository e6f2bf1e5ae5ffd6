//! What the memories' sequences share on the processor: groups of worlds, matrix products, and tensors as slices.

use super::tile::TILE_ROWS;
use crate::pieces::GROUP_ROWS;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;
use gemm::Parallelism;
use std::mem::MaybeUninit;

/// Of so many rows, how many go to a thread at once where none is added to another: few enough that every thread has some.
pub(super) fn piece_rows(row_count: usize) -> usize {
    row_count.div_ceil(rayon::current_num_threads()).next_multiple_of(TILE_ROWS).clamp(TILE_ROWS, GROUP_ROWS)
}

/// For every group of so many rows, its part of each step of `[T, B, width]`.
pub(super) fn split<T>(
    sequence: &mut [T],
    [step_count, row_count, width]: [usize; 3],
    group_rows: usize,
) -> Vec<Vec<&mut [T]>> {
    let mut groups: Vec<Vec<&mut [T]>> =
        (0..row_count.div_ceil(group_rows)).map(|_| Vec::with_capacity(step_count)).collect();
    for step in sequence.chunks_exact_mut(row_count * width) {
        for (group, part) in groups.iter_mut().zip(step.chunks_mut(group_rows * width)) {
            group.push(part);
        }
    }
    groups
}

/// Room for numbers that are all going to be written: zeroing it first would cost as much as a pass over it.
pub(super) struct Room(Box<[MaybeUninit<f32>]>);

impl Room {
    pub fn new(count: usize) -> Self {
        Self(Box::new_uninit_slice(count))
    }

    /// Where to write.
    pub fn slots(&mut self) -> &mut [MaybeUninit<f32>] {
        &mut self.0
    }

    /// The numbers.
    ///
    /// # Safety
    /// All of them were written.
    pub unsafe fn written(self) -> Vec<f32> {
        // SAFETY: as the caller promises.
        unsafe { self.0.assume_init() }.into_vec()
    }
}

pub(super) fn into_vec(tensor: FlexTensor) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("the networks compute in f32")
}

pub(super) fn view(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous tensor of f32")
}

pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// `[rows, columns]` as `[columns, rows]`.
pub(super) fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column])).collect()
}

fn all_threads() -> Parallelism {
    if rayon::current_num_threads() > 1 { Parallelism::Rayon(0) } else { Parallelism::None }
}

/// A product of row-major matrices: `[m, k]` times `[k, n]` gives `[m, n]`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl Product {
    /// `out += left * right`, on this thread.
    pub fn added_to(self, left: &[f32], right: &[f32], out: &mut [f32]) {
        self.run(left, [1, self.k], right, out, true, Parallelism::None);
    }

    /// `out = left * right`, on this thread.
    pub fn written_to(self, left: &[f32], right: &[f32], out: &mut [f32]) {
        self.run(left, [1, self.k], right, out, false, Parallelism::None);
    }

    /// `out = left' * right`, with `left` `[k, m]`, on all threads.
    pub fn of_transposed_left(self, left: &[f32], right: &[f32], out: &mut [f32]) {
        self.run(left, [self.m, 1], right, out, false, all_threads());
    }

    /// Strides of the left matrix are given as [from column to column, from row to row].
    #[allow(clippy::too_many_arguments, reason = "as the product it wraps")]
    fn run(
        self,
        left: &[f32],
        left_strides: [usize; 2],
        right: &[f32],
        out: &mut [f32],
        add: bool,
        parallelism: Parallelism,
    ) {
        assert!(left.len() == self.m * self.k && right.len() == self.k * self.n && out.len() == self.m * self.n);
        let [left_cs, left_rs] = left_strides.map(|stride| stride as isize);
        // SAFETY: the slices are as long as the shapes say (asserted), and the strides enumerate each of them
        // exactly once: row-major, or on the left the transpose of a row-major matrix.
        unsafe {
            gemm::gemm(
                self.m,
                self.n,
                self.k,
                out.as_mut_ptr(),
                1,
                self.n as isize,
                add,
                left.as_ptr(),
                left_cs,
                left_rs,
                right.as_ptr(),
                1,
                self.n as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}
