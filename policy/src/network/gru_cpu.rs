//! The GRU sequence on the processor, in groups of worlds like [`super::lstm_cpu`].

use super::cpu::{Product, into_vec, split, tensor, transposed, view};
use super::gru::GruBackend;
use crate::activation::{sigmoid, tanh, vectorized};
use crate::pieces::GROUP_ROWS;
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

impl GruBackend for Flex {
    fn gru_forward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        h0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [step_count, row_count, gate_width] = [0, 1, 2].map(|axis| x.shape()[axis]);
        let width = gate_width / 3;
        let [weight, bias, h0, keep] = [weight, bias, h0, keep].map(|tensor| tensor.to_contiguous());
        let start = Start { h0: view(&h0), keep: view(&keep), weight: view(&weight), row_count, width };
        let [hidden, gates, products] = start.forward(into_vec(x), view(&bias));
        let shape = [step_count, row_count, width];
        (tensor(hidden, shape), tensor(gates, [step_count, row_count, gate_width]), tensor(products, shape))
    }

    fn gru_backward(
        hidden_gradient: FlexTensor,
        hidden: FlexTensor,
        gates: FlexTensor,
        products: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [step_count, row_count, width] = [0, 1, 2].map(|axis| hidden.shape()[axis]);
        let gate_width = 3 * width;
        let [hidden_gradient, hidden, products] =
            [hidden_gradient, hidden, products].map(|tensor| tensor.to_contiguous());
        let [weight, h0, keep] = [weight, h0, keep].map(|tensor| tensor.to_contiguous());
        let start = Start { h0: view(&h0), keep: view(&keep), weight: view(&weight), row_count, width };
        let (gradient, products) = (view(&hidden_gradient), view(&products));
        let before = start.masked_before(view(&hidden), step_count);
        let weight_transposed = transposed(start.weight, width, gate_width);
        let past = Past { gradient, products, before: &before, weight_transposed: &weight_transposed };
        // The gates turn into the gradients of x in place.
        let mut x_gradient = into_vec(gates);
        let mut u_gradient = vec![0.0; step_count * row_count * gate_width];
        let shape = [step_count, row_count, gate_width];
        let groups: Vec<_> = split(&mut x_gradient, shape, GROUP_ROWS)
            .into_iter()
            .zip(split(&mut u_gradient, shape, GROUP_ROWS))
            .enumerate()
            .collect();
        groups.into_par_iter().for_each(|(index, (x, u))| backward_group(start, past, index * GROUP_ROWS, x, u));
        let mut weight_gradient = vec![0.0; width * gate_width];
        let product = Product { m: width, n: gate_width, k: step_count * row_count };
        product.of_transposed_left(&before, &u_gradient, &mut weight_gradient);
        let mut bias_gradient = vec![0.0; width];
        for row in u_gradient.chunks_exact(gate_width) {
            bias_gradient.iter_mut().zip(&row[2 * width..]).for_each(|(sum, d_q)| *sum += d_q);
        }
        (tensor(x_gradient, shape), tensor(weight_gradient, [width, gate_width]), tensor(bias_gradient, [width]))
    }
}

/// What a sequence starts from. `h0` `[B, H]`, `keep` `[T, B]`, `weight` `[H, 3H]`.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub h0: &'a [f32],
    pub keep: &'a [f32],
    pub weight: &'a [f32],
    pub row_count: usize,
    pub width: usize,
}

impl Start<'_> {
    /// Hidden states, gates after their functions and q, from what the gates are fed and b.
    pub fn forward(self, mut gates: Vec<f32>, bias: &[f32]) -> [Vec<f32>; 3] {
        let Self { row_count, width, .. } = self;
        let step_count = self.keep.len() / row_count;
        let of = |width: usize| [step_count, row_count, width];
        let mut hidden = vec![0.0; step_count * row_count * width];
        let mut products = vec![0.0; step_count * row_count * width];
        let groups = split(&mut gates, of(3 * width), GROUP_ROWS)
            .into_iter()
            .zip(split(&mut hidden, of(width), GROUP_ROWS))
            .zip(split(&mut products, of(width), GROUP_ROWS))
            .enumerate()
            .map(|(index, ((gates, hidden), products))| (index * GROUP_ROWS, gates, hidden, products))
            .collect::<Vec<_>>();
        groups.into_par_iter().for_each(|(first_row, gates, hidden, products)| {
            forward_group(self, bias, first_row, gates, hidden, products);
        });
        [hidden, gates, products]
    }

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
}

/// What a forward pass left behind, and the gradient of the hidden states. `[T, B, H]`.
#[derive(Clone, Copy)]
struct Past<'a> {
    gradient: &'a [f32],
    products: &'a [f32],
    before: &'a [f32],
    /// `[3H, H]`: packed anew for every product, which is faster along rows.
    weight_transposed: &'a [f32],
}

fn forward_group(
    start: Start<'_>,
    bias: &[f32],
    first_row: usize,
    mut gates: Vec<&mut [f32]>,
    mut hidden: Vec<&mut [f32]>,
    mut products: Vec<&mut [f32]>,
) {
    let width = start.width;
    let row_count = hidden[0].len() / width;
    let mut h = start.h0[first_row * width..][..row_count * width].to_vec();
    let mut u = vec![0.0; row_count * 3 * width];
    let product = Product { m: row_count, n: 3 * width, k: width };
    for step in 0..hidden.len() {
        let keep = start.keep_of(step, first_row, row_count);
        for (row, keep) in h.chunks_exact_mut(width).zip(keep) {
            row.iter_mut().for_each(|h| *h *= keep);
        }
        product.written_to(&h, start.weight, &mut u);
        gate_pass(&u, bias, gates[step], products[step], &mut h);
        hidden[step].copy_from_slice(&h);
    }
}

vectorized! {
    /// Applies the gates' functions in place, writes q and advances h.
    fn gate_pass(u: &[f32], bias: &[f32], gates: &mut [f32], products: &mut [f32], h: &mut [f32]) {
        let width = bias.len();
        for (row, gates) in gates.chunks_exact_mut(3 * width).enumerate() {
            // One simple loop per function: a single one over all slices is not vectorised.
            let u = &u[3 * row * width..][..3 * width];
            let (reset_and_update, candidate) = gates.split_at_mut(2 * width);
            for (gate, u) in reset_and_update.iter_mut().zip(u) {
                *gate = sigmoid(*gate + u);
            }
            let (r, z) = reset_and_update.split_at(width);
            let products = &mut products[row * width..][..width];
            for ((q, u), b) in products.iter_mut().zip(&u[2 * width..]).zip(bias) {
                *q = u + b;
            }
            for ((n, r), q) in candidate.iter_mut().zip(r).zip(&*products) {
                *n = tanh(*n + r * q);
            }
            for ((h, n), z) in h[row * width..][..width].iter_mut().zip(&*candidate).zip(z) {
                *h = n + z * (*h - n);
            }
        }
    }
}

/// On entry `x_gradient` holds the gates.
fn backward_group(
    start: Start<'_>,
    past: Past<'_>,
    first_row: usize,
    mut x_gradient: Vec<&mut [f32]>,
    mut u_gradient: Vec<&mut [f32]>,
) {
    let width = start.width;
    let row_count = x_gradient[0].len() / (3 * width);
    let mut dh = vec![0.0; row_count * width];
    let product = Product { m: row_count, n: width, k: 3 * width };
    for step in (0..x_gradient.len()).rev() {
        let first = (step * start.row_count + first_row) * width;
        let rows = first..first + row_count * width;
        dh.iter_mut().zip(&past.gradient[rows.clone()]).for_each(|(dh, gradient)| *dh += gradient);
        slope_pass(
            &past.products[rows.clone()],
            &past.before[rows],
            &mut dh,
            x_gradient[step],
            u_gradient[step],
            width,
        );
        product.added_to(u_gradient[step], past.weight_transposed, &mut dh);
        let keep = start.keep_of(step, first_row, row_count);
        for (row, keep) in dh.chunks_exact_mut(width).zip(keep) {
            row.iter_mut().for_each(|dh| *dh *= keep);
        }
    }
}

vectorized! {
    /// Turns gates r, z, n into the gradients of what they are functions of, and writes those of the product; `dh`
    /// becomes the part of the gradient of the state before that does not go through the product.
    fn slope_pass(
        products: &[f32],
        before: &[f32],
        dh: &mut [f32],
        gates: &mut [f32],
        u_gradient: &mut [f32],
        width: usize,
    ) {
        for row in 0..dh.len() / width {
            let columns = row * width..(row + 1) * width;
            let (r, rest) = gates[3 * row * width..][..3 * width].split_at_mut(width);
            let (z, n) = rest.split_at_mut(width);
            let (u_r, rest) = u_gradient[3 * row * width..][..3 * width].split_at_mut(width);
            let (u_z, u_q) = rest.split_at_mut(width);
            let (products, before) = (&products[columns.clone()], &before[columns.clone()]);
            let dh = &mut dh[columns];
            for j in 0..width {
                let (r_now, z_now, n_now, dh_now) = (r[j], z[j], n[j], dh[j]);
                let through_z = dh_now * z_now;
                let d_n = (dh_now - through_z) * (1.0 - n_now * n_now);
                let d_r = d_n * products[j] * (r_now - r_now * r_now);
                let d_z = dh_now * (before[j] - n_now) * (z_now - z_now * z_now);
                r[j] = d_r;
                z[j] = d_z;
                n[j] = d_n;
                u_r[j] = d_r;
                u_z[j] = d_z;
                u_q[j] = d_n * r_now;
                dh[j] = through_z;
            }
        }
    }
}
