//! A layer of LSTM on the processor, input weights included.
//!
//! Worlds are split into groups of fixed size, each of which runs the whole sequence on one thread: no barrier per step,
//! and the same bits for any number of threads.
//!
//! Where the weights are small, what a step reads is put side by side, `[features, keep h]`: one product serves input
//! and memory, in a piece of the size of a cache, and so do one product backwards and one for all weights' gradients.
//! Large weights are packed anew for every product, so there the input's product is taken of all steps at once.

use super::affine::AffineBackend;
use super::cpu::{GROUP_ROWS, Product, into_vec, split, tensor, transposed, view};
use super::lstm::LstmBackend;
use crate::activation::{sigmoid, tanh, vectorized};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use rayon::prelude::*;

impl LstmBackend for Flex {
    fn lstm_layer_forward(
        features: FlexTensor,
        input_weight: FlexTensor,
        bias: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        layer_forward([features, input_weight, bias, weight, h0, c0, keep])
    }

    fn lstm_layer_backward(
        hidden_gradient: FlexTensor,
        hidden: FlexTensor,
        gates: FlexTensor,
        cells: FlexTensor,
        taken_of: FlexTensor,
        features: FlexTensor,
        input_weight: FlexTensor,
        weight: FlexTensor,
        _h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        let width = hidden.shape()[2];
        layer_backward(width, gates, features, [hidden_gradient, cells, taken_of, input_weight, weight, c0, keep])
    }
}

/// Widths and counts of a layer.
#[derive(Clone, Copy)]
struct Dims {
    row_count: usize,
    /// E
    input: usize,
    /// E where input and memory are one product, else 0.
    inner: usize,
    /// H
    width: usize,
}

/// Bytes of weights up to which input and memory are one product: half of a second-level cache of today.
const SMALL_WEIGHTS: usize = 1 << 20;

impl Dims {
    fn new(row_count: usize, input: usize, width: usize) -> Self {
        let bytes = (input + width) * 4 * width * size_of::<f32>();
        Self { row_count, input, inner: if bytes <= SMALL_WEIGHTS { input } else { 0 }, width }
    }

    /// Width of what a step's product is taken of: `[features, keep h]`, or `keep h` alone.
    fn joined(self) -> usize {
        self.inner + self.width
    }

    /// Where the rows of a group begin at one step, in rows of `[T, B, .]`.
    fn first(self, step: usize, first_row: usize) -> usize {
        step * self.row_count + first_row
    }
}

/// Input weights, where they belong to the product of a step, above the memory's, `[joined, 4H]`.
fn joined_weight(dims: Dims, input_weight: &FlexTensor, weight: &FlexTensor) -> Vec<f32> {
    [&view(input_weight)[..dims.inner * 4 * dims.width], view(weight)].concat()
}

/// Features, input weight, bias, weight, h0, c0, keep to hidden states, gates, cell states, `[features, keep h]`.
fn layer_forward(tensors: [FlexTensor; 7]) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
    let [features, input_weight, bias, weight, h0, c0, keep] = tensors.map(|tensor| tensor.to_contiguous());
    let [step_count, row_count, input] = [0, 1, 2].map(|axis| features.shape()[axis]);
    let dims = Dims::new(row_count, input, weight.shape()[0]);
    let sized = |width: usize| vec![0.0; step_count * row_count * width];
    let (mut hidden, mut cells) = (sized(dims.width), sized(dims.width));
    let mut joined = sized(dims.joined());
    let weight = joined_weight(dims, &input_weight, &weight);
    let mut gates = if dims.inner > 0 {
        sized(4 * dims.width)
    } else {
        let rows = FlexTensor::reshape(&features, Shape::new([step_count * row_count, input]));
        into_vec(Flex::affine_forward(rows, input_weight, bias.clone()))
    };
    let given = Given {
        dims,
        features: view(&features),
        weight: &weight,
        bias: view(&bias),
        h0: view(&h0),
        c0: view(&c0),
        keep: view(&keep),
    };
    let groups: Vec<_> = split(&mut gates, step_count, row_count, 4 * dims.width)
        .into_iter()
        .zip(split(&mut joined, step_count, row_count, dims.joined()))
        .zip(split(&mut hidden, step_count, row_count, dims.width))
        .zip(split(&mut cells, step_count, row_count, dims.width))
        .enumerate()
        .collect();
    groups.into_par_iter().for_each(|(index, (((gates, joined), hidden), cells))| {
        given.run(index * GROUP_ROWS, Results { gates, joined, hidden, cells });
    });
    let shaped = |values: Vec<f32>, width: usize| tensor(values, [step_count, row_count, width]);
    (
        shaped(hidden, dims.width),
        shaped(gates, 4 * dims.width),
        shaped(cells, dims.width),
        shaped(joined, dims.joined()),
    )
}

/// What a layer reads.
struct Given<'a> {
    dims: Dims,
    features: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    h0: &'a [f32],
    c0: &'a [f32],
    keep: &'a [f32],
}

/// What a group of worlds writes, step by step.
struct Results<'a> {
    gates: Vec<&'a mut [f32]>,
    joined: Vec<&'a mut [f32]>,
    hidden: Vec<&'a mut [f32]>,
    cells: Vec<&'a mut [f32]>,
}

impl Given<'_> {
    fn run(&self, first_row: usize, results: Results<'_>) {
        let Dims { inner, width, .. } = self.dims;
        let joined_width = self.dims.joined();
        let rows = results.hidden[0].len() / width;
        let mut h = self.h0[first_row * width..][..rows * width].to_vec();
        let mut c = self.c0[first_row * width..][..rows * width].to_vec();
        let product = Product { m: rows, n: 4 * width, k: joined_width };
        let steps = results.gates.into_iter().zip(results.joined).zip(results.hidden).zip(results.cells);
        for (step, (((gates, joined), hidden), cells)) in steps.enumerate() {
            let first = self.dims.first(step, first_row);
            for (row, joined) in joined.chunks_exact_mut(joined_width).enumerate() {
                let keep = self.keep[first + row];
                joined[..inner].copy_from_slice(&self.features[(first + row) * inner..][..inner]);
                let h = &h[row * width..][..width];
                joined[inner..].iter_mut().zip(h).for_each(|(joined, h)| *joined = h * keep);
                c[row * width..][..width].iter_mut().for_each(|c| *c *= keep);
            }
            if inner > 0 {
                gates.chunks_exact_mut(4 * width).for_each(|gates| gates.copy_from_slice(self.bias));
            }
            product.added_to(joined, self.weight, gates);
            gate_pass(gates, &mut c, &mut h, width);
            hidden.copy_from_slice(&h);
            cells.copy_from_slice(&c);
        }
    }
}

/// Gradients of features, input weight, bias and weight. Of the other tensors: hidden gradient, cell states, what steps'
/// products were taken of, input weight, weight, c0, keep.
fn layer_backward(
    width: usize,
    gates: FlexTensor,
    features: FlexTensor,
    tensors: [FlexTensor; 7],
) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
    let [hidden_gradient, cells, joined, input_weight, weight, c0, keep] = tensors.map(|tensor| tensor.to_contiguous());
    let [step_count, row_count, _] = [0, 1, 2].map(|axis| cells.shape()[axis]);
    let dims = Dims::new(row_count, input_weight.shape()[0], width);
    let weight_transposed = transposed(&joined_weight(dims, &input_weight, &weight), dims.joined(), 4 * width);
    let past = Past {
        dims,
        gradient: view(&hidden_gradient),
        cells: view(&cells),
        c0: view(&c0),
        keep: view(&keep),
        weight_transposed: &weight_transposed,
    };
    // The gates turn into their gradients in place.
    let mut gate_gradient = into_vec(gates);
    let mut inner_gradient = vec![0.0; step_count * row_count * dims.inner];
    let inner_groups = if dims.inner > 0 {
        split(&mut inner_gradient, step_count, row_count, dims.inner)
    } else {
        (0..row_count.div_ceil(GROUP_ROWS)).map(|_| Vec::new()).collect()
    };
    let groups: Vec<_> =
        split(&mut gate_gradient, step_count, row_count, 4 * width).into_iter().zip(inner_groups).enumerate().collect();
    groups.into_par_iter().for_each(|(index, (gates, features))| past.run(index * GROUP_ROWS, gates, features));
    let mut weights = vec![0.0; dims.joined() * 4 * width];
    let product = Product { m: dims.joined(), n: 4 * width, k: step_count * row_count };
    product.of_transposed_left(view(&joined), &gate_gradient, &mut weights);
    let memory = tensor(weights.split_off(dims.inner * 4 * width), [width, 4 * width]);
    let features_shape = [step_count, row_count, dims.input];
    if dims.inner > 0 {
        let mut bias = vec![0.0; 4 * width];
        for row in gate_gradient.chunks_exact(4 * width) {
            bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let input_weight = tensor(weights, [dims.input, 4 * width]);
        return (tensor(inner_gradient, features_shape), input_weight, tensor(bias, [4 * width]), memory);
    }
    let rows = step_count * row_count;
    let gate_gradient = tensor(gate_gradient, [rows, 4 * width]);
    let features_gradient = Flex::affine_input_gradient(gate_gradient.clone(), input_weight);
    let features = FlexTensor::reshape(&features, Shape::new([rows, dims.input]));
    let (input_weight, bias) = Flex::affine_parameter_gradients(gate_gradient, features);
    (FlexTensor::reshape(&features_gradient, Shape::new(features_shape)), input_weight, bias, memory)
}

/// What a forward pass left behind, and the gradient of the hidden states.
struct Past<'a> {
    dims: Dims,
    gradient: &'a [f32],
    cells: &'a [f32],
    c0: &'a [f32],
    keep: &'a [f32],
    /// `[4H, joined]`
    weight_transposed: &'a [f32],
}

impl Past<'_> {
    fn run(&self, first_row: usize, mut gates: Vec<&mut [f32]>, mut features: Vec<&mut [f32]>) {
        let Dims { inner, width, .. } = self.dims;
        let joined_width = self.dims.joined();
        let rows = gates[0].len() / (4 * width);
        let (mut dh, mut dc) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let (mut scratch, mut joined) = (vec![0.0; width], vec![0.0; rows * joined_width]);
        let product = Product { m: rows, n: joined_width, k: 4 * width };
        for step in (0..gates.len()).rev() {
            let first = self.dims.first(step, first_row);
            let of_rows = |first: usize| first * width..(first + rows) * width;
            let here = of_rows(first);
            let c_before = match step {
                0 => &self.c0[of_rows(first_row)],
                _ => &self.cells[of_rows(first - self.dims.row_count)],
            };
            dh.iter_mut().zip(&self.gradient[here.clone()]).for_each(|(dh, gradient)| *dh += gradient);
            let keep = &self.keep[first..first + rows];
            let slopes = Slopes { cells: &self.cells[here], c_before, keep, dh: &dh };
            slopes.pass(&mut dc, gates[step], &mut scratch);
            product.written_to(gates[step], self.weight_transposed, &mut joined);
            for (row, joined) in joined.chunks_exact(joined_width).enumerate() {
                if inner > 0 {
                    features[step][row * inner..][..inner].copy_from_slice(&joined[..inner]);
                }
                let dh = &mut dh[row * width..][..width];
                dh.iter_mut().zip(&joined[inner..]).for_each(|(dh, gradient)| *dh = gradient * keep[row]);
            }
        }
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
