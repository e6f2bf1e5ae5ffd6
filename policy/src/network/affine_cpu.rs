//! `y = x W + b` on the processor.
//!
//! Rows go through in pieces of the size of a cache at most; forward, in so many that every thread has some. Where a layer puts out at most half a panel, `x W` and, of one that is
//! not rectified, the gradient of W are left to the general library.

use super::affine::AffineBackend;
use super::cpu::{Product, Room, piece_rows, tensor, view};
use super::panels::{Gathered, Panels, Start};
use super::tile::{Left, PANEL};
use crate::pieces::GROUP_ROWS;
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;
use std::mem::MaybeUninit;

impl AffineBackend for Flex {
    fn affine_forward(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        forward([x, weight, bias], false)
    }

    fn rectified_affine_forward(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        forward([x, weight, bias], true)
    }

    fn affine_input_gradient(gradient: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let [row_count, output] = [0, 1].map(|axis| gradient.shape()[axis]);
        let input = weight.shape()[0];
        let [gradient, weight] = [gradient, weight].map(|tensor| tensor.to_contiguous());
        let (weight, start) = (Panels::of_transposed(view(&weight), output), Start::zero(input));
        let mut x = Room::new(row_count * input);
        x.slots().par_chunks_mut(GROUP_ROWS * input).zip(view(&gradient).par_chunks(GROUP_ROWS * output)).for_each(
            |(x, gradient)| {
                weight.write(&[Left::rows(gradient, output)], &start, x);
            },
        );
        // SAFETY: every piece was written.
        tensor(unsafe { x.written() }, [row_count, input])
    }

    fn affine_parameter_gradients(gradient: FlexTensor, x: FlexTensor) -> (FlexTensor, FlexTensor) {
        let [gradient, x] = [gradient, x].map(|tensor| tensor.to_contiguous());
        let (output, input) = (gradient.shape()[1], x.shape()[1]);
        if 2 * output > PANEL {
            return parameter_gradients(&gradient, &x, |_, _| ());
        }
        let mut weight = vec![0.0; input * output];
        let product = Product { m: input, n: output, k: x.shape()[0] };
        product.of_transposed_left(view(&x), view(&gradient), &mut weight);
        let mut bias = vec![0.0; output];
        for row in view(&gradient).chunks_exact(output) {
            bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        (tensor(weight, [input, output]), tensor(bias, [output]))
    }

    fn rectified_affine_parameter_gradients(
        gradient: FlexTensor,
        y: FlexTensor,
        x: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let [gradient, y, x] = [gradient, y, x].map(|tensor| tensor.to_contiguous());
        let output = y.shape()[1];
        parameter_gradients(&gradient, &x, |row, gradient| {
            let y = &view(&y)[row * output..][..output];
            gradient.iter_mut().zip(y).for_each(|(gradient, y)| *gradient = if *y <= 0.0 { 0.0 } else { *gradient });
        })
    }
}

fn forward(tensors: [FlexTensor; 3], is_rectified: bool) -> FlexTensor {
    let [x, weight, bias] = tensors.map(|tensor| tensor.to_contiguous());
    let y = Affine::new(view(&weight), view(&bias), is_rectified).apply(view(&x));
    tensor(y, [x.shape()[0], bias.shape()[0]])
}

/// `x W + b` with W laid out once.
pub(super) struct Affine {
    input: usize,
    output: usize,
    weight: Weight,
    is_rectified: bool,
}

enum Weight {
    Panels(Panels, Start),
    /// Weight and bias for the general library.
    Rows(Vec<f32>, Vec<f32>),
}

impl Affine {
    /// Of `weight` `[I, O]` and `bias` `[O]`; rectified, what is negative becomes zero.
    pub fn new(weight: &[f32], bias: &[f32], is_rectified: bool) -> Self {
        let output = bias.len();
        let laid = if 2 * output > PANEL {
            Weight::Panels(Panels::of([weight], output), Start::of(bias))
        } else {
            Weight::Rows(weight.to_vec(), bias.to_vec())
        };
        Self { input: weight.len() / output, output, weight: laid, is_rectified }
    }

    /// y `[N, O]` of x `[N, I]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (row_count, output) = (x.len() / self.input, self.output);
        let rows = match self.weight {
            Weight::Panels(..) => piece_rows(row_count),
            Weight::Rows(..) => GROUP_ROWS,
        };
        let mut y = Room::new(row_count * output);
        y.slots()
            .par_chunks_mut(rows * output)
            .zip(x.par_chunks(rows * self.input))
            .for_each(|(y, x)| self.write(x, y));
        // SAFETY: every piece was written.
        unsafe { y.written() }
    }

    fn write(&self, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        let y = match &self.weight {
            Weight::Panels(panels, start) => panels.write(&[Left::rows(x, self.input)], start, y),
            Weight::Rows(weight, bias) => {
                let rows = x.len() / self.input;
                let y = y.write_copy_of_slice(&bias.repeat(rows));
                Product { m: rows, n: self.output, k: self.input }.added_to(x, weight, y);
                y
            }
        };
        if self.is_rectified {
            // What is no number stays none.
            y.iter_mut().for_each(|y| *y = if *y <= 0.0 { 0.0 } else { *y });
        }
    }
}

/// In how many shares gradients are summed. Part of the result's last bits: do not derive from threads.
const SHARES: usize = 16;

/// Gradients of weight and bias from those of y, of whose rows, by number, `change` is told before they count.
fn parameter_gradients(
    gradient: &FlexTensor,
    x: &FlexTensor,
    change: impl Fn(usize, &mut [f32]) + Sync,
) -> (FlexTensor, FlexTensor) {
    let (row_count, output, input) = (x.shape()[0], gradient.shape()[1], x.shape()[1]);
    let share_rows = row_count.div_ceil(GROUP_ROWS).div_ceil(SHARES).max(1) * GROUP_ROWS;
    let share = |first_row: usize| {
        let (mut weight, mut bias) = (Gathered::new(input, output), vec![0.0; output]);
        let mut changed = vec![0.0; output];
        for first in (first_row..row_count.min(first_row + share_rows)).step_by(GROUP_ROWS) {
            let rows = first..row_count.min(first + GROUP_ROWS);
            let mut panels = Panels::zero(rows.len(), output);
            for row in rows.clone() {
                changed.copy_from_slice(&view(gradient)[row * output..][..output]);
                change(row, &mut changed);
                panels.set_row(row - first, &changed);
            }
            weight.add(&view(x)[rows.start * input..rows.end * input], &panels);
            panels.add_rows_to(&mut bias);
        }
        (weight, bias)
    };
    let firsts: Vec<usize> = (0..row_count).step_by(share_rows).collect();
    let shares: Vec<_> = firsts.into_par_iter().map(share).collect();
    let (mut weight, mut bias) = (Gathered::new(input, output), vec![0.0; output]);
    for (some_weight, some_bias) in shares {
        weight.add_sum(&some_weight);
        bias.iter_mut().zip(some_bias).for_each(|(sum, some)| *sum += some);
    }
    (tensor(weight.rows(), [input, output]), tensor(bias, [output]))
}
