//! The LSTM sequence on the processor: one matrix product and one pass over the gates per step.
//!
//! Worlds are split into groups of fixed size, each of which runs the whole sequence on one thread: no barrier
//! per step, and the same bits for any number of threads.

use super::cpu::{GROUP_ROWS, Product, into_vec, split, tensor, transposed, view};
use super::lstm::LstmBackend;
use crate::activation::{sigmoid, tanh, vectorized};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

impl LstmBackend for Flex {
    fn lstm_forward(
        x: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [step_count, row_count, gate_width] = [0, 1, 2].map(|axis| x.shape()[axis]);
        let width = gate_width / 4;
        let mut gates = into_vec(x);
        let mut hidden = vec![0.0; step_count * row_count * width];
        let mut cells = vec![0.0; step_count * row_count * width];
        let [weight, h0, c0, keep] = [weight, h0, c0, keep].map(|tensor| tensor.to_contiguous());
        let start = Start { h0: view(&h0), c0: view(&c0), keep: view(&keep), weight: view(&weight), row_count, width };
        let mut groups = split(&mut gates, step_count, row_count, gate_width)
            .into_iter()
            .zip(split(&mut hidden, step_count, row_count, width))
            .zip(split(&mut cells, step_count, row_count, width))
            .enumerate()
            .map(|(index, ((gates, hidden), cells))| (index * GROUP_ROWS, gates, hidden, cells))
            .collect::<Vec<_>>();
        groups.par_iter_mut().for_each(|(first_row, gates, hidden, cells)| {
            forward_group(start, *first_row, gates, hidden, cells);
        });
        drop(groups);
        let shape = [step_count, row_count, width];
        (tensor(hidden, shape), tensor(gates, [step_count, row_count, gate_width]), tensor(cells, shape))
    }

    fn lstm_backward(
        hidden_gradient: FlexTensor,
        hidden: FlexTensor,
        gates: FlexTensor,
        cells: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let [step_count, row_count, width] = [0, 1, 2].map(|axis| hidden.shape()[axis]);
        let gate_width = 4 * width;
        let [hidden_gradient, hidden, cells] = [hidden_gradient, hidden, cells].map(|tensor| tensor.to_contiguous());
        let [weight, h0, c0, keep] = [weight, h0, c0, keep].map(|tensor| tensor.to_contiguous());
        let start = Start { h0: view(&h0), c0: view(&c0), keep: view(&keep), weight: view(&weight), row_count, width };
        let weight_transposed = transposed(start.weight, width, gate_width);
        let past =
            Past { gradient: view(&hidden_gradient), cells: view(&cells), weight_transposed: &weight_transposed };
        // The gates turn into their gradients in place.
        let mut x_gradient = into_vec(gates);
        let mut groups = split(&mut x_gradient, step_count, row_count, gate_width);
        groups.par_iter_mut().enumerate().for_each(|(index, group)| {
            backward_group(start, past, index * GROUP_ROWS, group);
        });
        drop(groups);
        let h_before = start.masked_before(view(&hidden), step_count);
        let mut weight_gradient = vec![0.0; width * gate_width];
        let product = Product { m: width, n: gate_width, k: step_count * row_count };
        product.of_transposed_left(&h_before, &x_gradient, &mut weight_gradient);
        (tensor(x_gradient, [step_count, row_count, gate_width]), tensor(weight_gradient, [width, gate_width]))
    }
}

/// What a sequence starts from. `h0`, `c0` `[B, H]`, `keep` `[T, B]`, `weight` `[H, 4H]`.
#[derive(Clone, Copy)]
struct Start<'a> {
    h0: &'a [f32],
    c0: &'a [f32],
    keep: &'a [f32],
    weight: &'a [f32],
    row_count: usize,
    width: usize,
}

impl Start<'_> {
    /// The hidden state each step started from, `[T, B, H]`.
    fn masked_before(&self, hidden: &[f32], step_count: usize) -> Vec<f32> {
        let step_width = self.row_count * self.width;
        let mut before = Vec::with_capacity(step_count * step_width);
        before.extend_from_slice(self.h0);
        before.extend_from_slice(&hidden[..(step_count - 1) * step_width]);
        for (row, keep) in before.chunks_exact_mut(self.width).zip(self.keep) {
            row.iter_mut().for_each(|h| *h *= keep);
        }
        before
    }

    /// `keep` of the rows of a group at one step.
    fn keep_of(&self, step: usize, first_row: usize, row_count: usize) -> &[f32] {
        &self.keep[step * self.row_count + first_row..][..row_count]
    }

    /// Rows of a group in a state `[B, H]`.
    fn rows<'s>(&self, state: &'s [f32], first_row: usize, row_count: usize) -> &'s [f32] {
        &state[first_row * self.width..][..row_count * self.width]
    }
}

/// What a forward pass left behind, and the gradient of the hidden states. `[T, B, .]`.
#[derive(Clone, Copy)]
struct Past<'a> {
    gradient: &'a [f32],
    cells: &'a [f32],
    /// `[4H, H]`: packed anew for every product, which is faster along rows.
    weight_transposed: &'a [f32],
}

fn forward_group(
    start: Start<'_>,
    first_row: usize,
    gates: &mut [&mut [f32]],
    hidden: &mut [&mut [f32]],
    cells: &mut [&mut [f32]],
) {
    let width = start.width;
    let row_count = hidden[0].len() / width;
    let mut h = start.rows(start.h0, first_row, row_count).to_vec();
    let mut c = start.rows(start.c0, first_row, row_count).to_vec();
    let product = Product { m: row_count, n: 4 * width, k: width };
    for step in 0..hidden.len() {
        let keep = start.keep_of(step, first_row, row_count);
        for row in 0..row_count {
            h[row * width..][..width].iter_mut().for_each(|h| *h *= keep[row]);
            c[row * width..][..width].iter_mut().for_each(|c| *c *= keep[row]);
        }
        product.added_to(&h, start.weight, gates[step]);
        gate_pass(gates[step], &mut c, &mut h, width);
        hidden[step].copy_from_slice(&h);
        cells[step].copy_from_slice(&c);
    }
}

vectorized! {
    /// Applies the gates' functions in place, advances `c` and writes `h`.
    fn gate_pass(gates: &mut [f32], c: &mut [f32], h: &mut [f32], width: usize) {
        for (row, gates) in gates.chunks_exact_mut(4 * width).enumerate() {
            // One simple loop per function: a single one over all six slices is not vectorised.
            let (input_and_forget, rest) = gates.split_at_mut(2 * width);
            let (candidate, output) = rest.split_at_mut(width);
            input_and_forget.iter_mut().for_each(|x| *x = sigmoid(*x));
            candidate.iter_mut().for_each(|x| *x = tanh(*x));
            output.iter_mut().for_each(|x| *x = sigmoid(*x));
            let (i, f) = input_and_forget.split_at(width);
            let c = &mut c[row * width..][..width];
            for (((c, i), f), g) in c.iter_mut().zip(i).zip(f).zip(&*candidate) {
                *c = f * *c + i * g;
            }
            let h = &mut h[row * width..][..width];
            for ((h, c), o) in h.iter_mut().zip(&*c).zip(&*output) {
                *h = o * tanh(*c);
            }
        }
    }
}

/// On entry `x_gradient` holds the gates.
fn backward_group(start: Start<'_>, past: Past<'_>, first_row: usize, x_gradient: &mut [&mut [f32]]) {
    let width = start.width;
    let row_count = x_gradient[0].len() / (4 * width);
    let step_width = start.row_count * width;
    let mut dh = vec![0.0; row_count * width];
    let mut dc = vec![0.0; row_count * width];
    let mut scratch = vec![0.0; width];
    let product = Product { m: row_count, n: width, k: 4 * width };
    for step in (0..x_gradient.len()).rev() {
        let at_step = |sequence, step: usize| start.rows(step_rows(sequence, step, step_width), first_row, row_count);
        let keep = start.keep_of(step, first_row, row_count);
        let gradient = at_step(past.gradient, step);
        dh.iter_mut().zip(gradient).for_each(|(dh, gradient)| *dh += gradient);
        let c_before =
            if step == 0 { start.rows(start.c0, first_row, row_count) } else { at_step(past.cells, step - 1) };
        let slopes = Slopes { cells: at_step(past.cells, step), c_before, keep, dh: &dh };
        slopes.pass(&mut dc, x_gradient[step], &mut scratch);
        product.written_to(x_gradient[step], past.weight_transposed, &mut dh);
        for row in 0..row_count {
            dh[row * width..][..width].iter_mut().for_each(|dh| *dh *= keep[row]);
        }
    }
}

/// One step of a sequence.
fn step_rows(sequence: &[f32], step: usize, step_width: usize) -> &[f32] {
    &sequence[step * step_width..][..step_width]
}

/// Turns gates i, f, g, o into the gradients of what they are functions of, from the gradients of h and c; `dc`
/// becomes that of the cell before. `scratch` has room for one row.
struct Slopes<'a> {
    cells: &'a [f32],
    c_before: &'a [f32],
    keep: &'a [f32],
    dh: &'a [f32],
}

impl Slopes<'_> {
    fn pass(&self, dc: &mut [f32], gates: &mut [f32], scratch: &mut [f32]) {
        let width = self.cells.len() / self.keep.len();
        for (row, &keep) in self.keep.iter().enumerate() {
            let columns = row * width..(row + 1) * width;
            let (cells, c_before) = (&self.cells[columns.clone()], &self.c_before[columns.clone()]);
            let (dh, dc) = (&self.dh[columns.clone()], &mut dc[columns]);
            slope_row(cells, c_before, dh, keep, dc, &mut gates[4 * row * width..][..4 * width], scratch);
        }
    }
}

vectorized! {
    /// [`Slopes::pass`] of one row.
    fn slope_row(
        cells: &[f32],
        c_before: &[f32],
        dh: &[f32],
        keep: f32,
        dc: &mut [f32],
        gates: &mut [f32],
        scratch: &mut [f32],
    ) {
        // Slices of one length each and few per loop, or nothing is vectorised.
        let width = cells.len();
        let (c_before, dh, dc) = (&c_before[..width], &dh[..width], &mut dc[..width]);
        let (i, rest) = gates[..4 * width].split_at_mut(width);
        let (f, rest) = rest.split_at_mut(width);
        let (g, o) = rest.split_at_mut(width);
        let tanh_c = &mut scratch[..width];
        for j in 0..width {
            tanh_c[j] = tanh(cells[j]);
        }
        for j in 0..width {
            dc[j] += dh[j] * o[j] * (1.0 - tanh_c[j] * tanh_c[j]);
        }
        for j in 0..width {
            o[j] = dh[j] * tanh_c[j] * (o[j] - o[j] * o[j]);
        }
        for j in 0..width {
            let i_now = i[j];
            i[j] = dc[j] * g[j] * (i_now - i_now * i_now);
            g[j] = dc[j] * i_now * (1.0 - g[j] * g[j]);
        }
        for j in 0..width {
            let f_now = f[j];
            f[j] = dc[j] * keep * c_before[j] * (f_now - f_now * f_now);
            dc[j] *= f_now * keep;
        }
    }
}
