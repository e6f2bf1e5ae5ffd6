//! A layer of LSTM on the processor, input weights included.
//!
//! Worlds are split into groups, each of which runs the whole sequence on one thread: no barrier per step. Backwards, where
//! groups are added up, their size is fixed: the same bits for any number of threads. Weights are laid out for products
//! once, and what a step backwards leaves is used up while the cache has it: gradients of gates are never written out, but
//! added to those of the weights at once.

use super::cpu::{Room, piece_rows, split, tensor, view};
use super::lstm::LstmBackend;
use super::panels::{Gathered, Panels, Start};
use super::tile::Left;
use crate::activation::{sigmoid, tanh, vectorized};
use crate::pieces::{GROUP_ROWS, GROUPS_AT_ONCE};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;
use std::mem::MaybeUninit;

impl LstmBackend for Flex {
    fn lstm_layer_forward(
        features: FlexTensor,
        input_weight: FlexTensor,
        bias: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let given = [features, input_weight, bias, weight, h0, c0, keep].map(|tensor| tensor.to_contiguous());
        let weights = Weights::new([&given[1], &given[2], &given[3]].map(view));
        let [features, h0, c0, keep] = [&given[0], &given[4], &given[5], &given[6]].map(view);
        let given = Given { features, h0, c0, keep };
        let dims = weights.dims(given);
        let mut gates = Room::new(dims.count(4 * dims.width));
        let [hidden, cells] = weights.run(given, Some(gates.slots()));
        // SAFETY: all gates of all rows in every step were kept.
        let gates = unsafe { gates.written() };
        let [hidden, cells] = [hidden, cells].map(|states| tensor(states, dims.of(dims.width)));
        (hidden, tensor(gates, dims.of(4 * dims.width)), cells)
    }

    fn lstm_layer_backward(
        hidden_gradient: FlexTensor,
        hidden: FlexTensor,
        gates: FlexTensor,
        cells: FlexTensor,
        features: FlexTensor,
        input_weight: FlexTensor,
        weight: FlexTensor,
        h0: FlexTensor,
        c0: FlexTensor,
        keep: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        layer_backward([hidden_gradient, hidden, gates, cells, features, input_weight, weight, h0, c0, keep])
    }
}

/// Widths and counts of a layer.
#[derive(Clone, Copy)]
struct Dims {
    step_count: usize,
    row_count: usize,
    /// E
    input: usize,
    /// H
    width: usize,
}

impl Dims {
    fn new(features: &FlexTensor, weight: &FlexTensor) -> Self {
        let [step_count, row_count, input] = [0, 1, 2].map(|axis| features.shape()[axis]);
        Self { step_count, row_count, input, width: weight.shape()[0] }
    }

    /// `[T, B, columns]`.
    fn of(self, columns: usize) -> [usize; 3] {
        [self.step_count, self.row_count, columns]
    }

    fn count(self, columns: usize) -> usize {
        self.step_count * self.row_count * columns
    }

    /// Where the rows of a group lie at one step, in rows of `[T, B, .]`.
    fn first(self, step: usize, first_row: usize) -> usize {
        step * self.row_count + first_row
    }
}

/// A piece of the rows of the gates after their functions, step by step.
type Gates<'a> = Vec<&'a mut [MaybeUninit<f32>]>;

/// Weights of a layer, laid out once for any number of sequences.
pub(super) struct Weights {
    /// E
    input: usize,
    /// H
    width: usize,
    /// Those of the input above those of the memory, `[E + H, 4H]`.
    panels: Panels,
    bias: Start,
}

/// What a layer runs over: `features` `[T, B, E]`, `h0` and `c0` `[B, H]`, `keep` `[T, B]`.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub features: &'a [f32],
    pub h0: &'a [f32],
    pub c0: &'a [f32],
    pub keep: &'a [f32],
}

impl Weights {
    /// Of input weight `[E, 4H]`, bias `[4H]` and weight `[H, 4H]`.
    pub fn new([input_weight, bias, weight]: [&[f32]; 3]) -> Self {
        let gates = bias.len();
        Self {
            input: input_weight.len() / gates,
            width: gates / 4,
            panels: Panels::of([input_weight, weight], gates),
            bias: Start::of(bias),
        }
    }

    /// Hidden and cell states, `[T, B, H]`.
    pub fn states(&self, given: Given<'_>) -> [Vec<f32>; 2] {
        self.run(given, None)
    }

    fn dims(&self, given: Given<'_>) -> Dims {
        let row_count = given.h0.len() / self.width;
        Dims { step_count: given.keep.len() / row_count, row_count, input: self.input, width: self.width }
    }

    /// The same, and writes all of `gates` `[T, B, 4H]`, if a backward pass wants them. No row is added to another, so pieces
    /// of the rows may be of any size.
    fn run(&self, given: Given<'_>, gates: Option<&mut [MaybeUninit<f32>]>) -> [Vec<f32>; 2] {
        let dims = self.dims(given);
        let of_gates = dims.count(4 * dims.width);
        assert_eq!(given.features.len(), dims.count(dims.input), "features of every row in every step");
        assert_eq!(gates.as_ref().map_or(of_gates, |gates| gates.len()), of_gates, "gates of every row in every step");
        let rows = piece_rows(dims.row_count);
        let kept: Vec<Option<Gates<'_>>> = match gates {
            Some(gates) => split(gates, dims.of(4 * dims.width), rows).into_iter().map(Some).collect(),
            None => (0..dims.row_count.div_ceil(rows)).map(|_| None).collect(),
        };
        let sized = || Room::new(dims.count(dims.width));
        let (mut hidden, mut cells) = (sized(), sized());
        let pieces: Vec<_> = split(hidden.slots(), dims.of(dims.width), rows)
            .into_iter()
            .zip(split(cells.slots(), dims.of(dims.width), rows))
            .zip(kept)
            .enumerate()
            .collect();
        pieces.into_par_iter().for_each(|(index, ((hidden, cells), kept))| {
            self.run_piece(given, index * rows, [hidden, cells], kept);
        });
        // SAFETY: every piece wrote each of its rows in every step.
        unsafe { [hidden.written(), cells.written()] }
    }

    fn run_piece(
        &self,
        given: Given<'_>,
        first_row: usize,
        [hidden, cells]: [Vec<&mut [MaybeUninit<f32>]>; 2],
        mut kept: Option<Gates<'_>>,
    ) {
        let dims = self.dims(given);
        let Dims { input, width, .. } = dims;
        let rows = hidden[0].len() / width;
        let mut h = given.h0[first_row * width..][..rows * width].to_vec();
        let mut c = given.c0[first_row * width..][..rows * width].to_vec();
        let mut scratch = Room::new(rows * 4 * width);
        for (step, (hidden, cells)) in hidden.into_iter().zip(cells).enumerate() {
            let first = dims.first(step, first_row);
            let keep = &given.keep[first..][..rows];
            for (row, &keep) in keep.iter().enumerate() {
                h[row * width..][..width].iter_mut().for_each(|h| *h *= keep);
                c[row * width..][..width].iter_mut().for_each(|c| *c *= keep);
            }
            let lefts = [Left::rows(&given.features[first * input..][..rows * input], input), Left::rows(&h, width)];
            let gates = self.panels.write(&lefts, &self.bias, scratch.slots());
            gate_pass(gates, &mut c, &mut h, width);
            if let Some(kept) = &mut kept {
                kept[step].write_copy_of_slice(gates);
            }
            hidden.write_copy_of_slice(&h);
            cells.write_copy_of_slice(&c);
        }
    }
}

/// Gradients of features, input weight, bias and weight. Of hidden gradient, hidden states, gates, cell states, features,
/// input weight, weight, h0, c0, keep.
fn layer_backward(tensors: [FlexTensor; 10]) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
    let tensors = tensors.map(|tensor| tensor.to_contiguous());
    let [hidden_gradient, hidden, gates, cells, features, input_weight, weight, h0, c0, keep] = &tensors;
    let dims = Dims::new(features, weight);
    let transposed = |weight: &FlexTensor| Panels::of_transposed(view(weight), 4 * dims.width);
    let (input_weight, weight) = (transposed(input_weight), transposed(weight));
    let past = Past {
        dims,
        gradient: view(hidden_gradient),
        hidden: view(hidden),
        gates: view(gates),
        cells: view(cells),
        features: view(features),
        h0: view(h0),
        c0: view(c0),
        keep: view(keep),
        input_weight: &input_weight,
        weight: &weight,
    };
    let mut features_gradient = Room::new(dims.count(dims.input));
    let mut groups: Vec<_> =
        split(features_gradient.slots(), dims.of(dims.input), GROUP_ROWS).into_iter().enumerate().collect();
    let mut sum: Option<Shares> = None;
    while !groups.is_empty() {
        let later = groups.split_off(groups.len().min(GROUPS_AT_ONCE));
        let shares: Vec<Shares> =
            groups.into_par_iter().map(|(index, features)| past.run(index * GROUP_ROWS, features)).collect();
        for share in shares {
            match &mut sum {
                None => sum = Some(share),
                Some(sum) => sum.add(&share),
            }
        }
        groups = later;
    }
    let Shares { input_weight, bias, weight } = sum.unwrap_or_else(|| Shares::new(dims));
    // SAFETY: every group wrote each of its rows in every step.
    let features_gradient = unsafe { features_gradient.written() };
    (
        tensor(features_gradient, dims.of(dims.input)),
        tensor(input_weight.rows(), [dims.input, 4 * dims.width]),
        tensor(bias, [4 * dims.width]),
        tensor(weight.rows(), [dims.width, 4 * dims.width]),
    )
}

/// What groups of worlds add to gradients.
struct Shares {
    input_weight: Gathered,
    bias: Vec<f32>,
    weight: Gathered,
}

impl Shares {
    fn new(dims: Dims) -> Self {
        let gates = 4 * dims.width;
        Self {
            input_weight: Gathered::new(dims.input, gates),
            bias: vec![0.0; gates],
            weight: Gathered::new(dims.width, gates),
        }
    }

    fn add(&mut self, other: &Self) {
        self.input_weight.add_sum(&other.input_weight);
        self.bias.iter_mut().zip(&other.bias).for_each(|(sum, other)| *sum += other);
        self.weight.add_sum(&other.weight);
    }
}

/// What a forward pass left behind, and the gradient of the hidden states.
struct Past<'a> {
    dims: Dims,
    gradient: &'a [f32],
    hidden: &'a [f32],
    gates: &'a [f32],
    cells: &'a [f32],
    features: &'a [f32],
    h0: &'a [f32],
    c0: &'a [f32],
    keep: &'a [f32],
    /// Transposed: `[4H, E]`.
    input_weight: &'a Panels,
    /// Transposed: `[4H, H]`.
    weight: &'a Panels,
}

impl Past<'_> {
    /// Writes the gradients of a group's features.
    fn run(&self, first_row: usize, features_gradient: Vec<&mut [MaybeUninit<f32>]>) -> Shares {
        let Dims { input, width, row_count, .. } = self.dims;
        let rows = GROUP_ROWS.min(row_count - first_row);
        let (mut dh, mut dc) = (vec![0.0; rows * width], vec![0.0; rows * width]);
        let (mut slopes, mut through) = (Panels::zero(rows, 4 * width), Room::new(rows * width.max(input)));
        let [no_features, no_memory] = [input, width].map(Start::zero);
        let mut before = vec![0.0; rows * width];
        let mut shares = Shares::new(self.dims);
        for (step, features_gradient) in features_gradient.into_iter().enumerate().rev() {
            let first = self.dims.first(step, first_row);
            self.slopes(step, first_row, (&mut dh, &mut dc), &mut slopes);
            shares.input_weight.add(&self.features[first * input..][..rows * input], &slopes);
            self.masked_before(step, first_row, &mut before);
            shares.weight.add(&before, &slopes);
            slopes.add_rows_to(&mut shares.bias);
            // By way of memory that the cache has: a product that writes into memory it has not waits for it.
            let features = &mut through.slots()[..rows * input];
            features_gradient.write_copy_of_slice(self.input_weight.write(&[slopes.left()], &no_features, features));
            let through = &mut through.slots()[..rows * width];
            let through = self.weight.write(&[slopes.left()], &no_memory, through);
            let rows = dh.chunks_exact_mut(width).zip(through.chunks_exact(width)).zip(&self.keep[first..]);
            for ((dh, through), keep) in rows {
                dh.iter_mut().zip(through).for_each(|(dh, through)| *dh = through * keep);
            }
        }
        shares
    }

    /// `keep h` of the step before, which a step's product was taken of.
    fn masked_before(&self, step: usize, first_row: usize, before: &mut [f32]) {
        let Dims { width, row_count, .. } = self.dims;
        let first = self.dims.first(step, first_row);
        let h = match step {
            0 => &self.h0[first_row * width..],
            _ => &self.hidden[(first - row_count) * width..],
        };
        let rows = before.chunks_exact_mut(width).zip(h.chunks_exact(width)).zip(&self.keep[first..]);
        for ((before, h), keep) in rows {
            before.iter_mut().zip(h).for_each(|(before, h)| *before = h * keep);
        }
    }

    /// Gradients of what a step's gates are functions of. `dh` is the part of the hidden states' gradient that comes from
    /// later steps, `dc` that of the cells; it becomes that of the cells before.
    fn slopes(&self, step: usize, first_row: usize, (dh, dc): (&mut [f32], &mut [f32]), slopes: &mut Panels) {
        let Dims { width, row_count, .. } = self.dims;
        let first = self.dims.first(step, first_row);
        let mut scratch = vec![0.0; 5 * width];
        let (gates, tanh_c) = scratch.split_at_mut(4 * width);
        for (row, (dh, dc)) in dh.chunks_exact_mut(width).zip(dc.chunks_exact_mut(width)).enumerate() {
            let here = (first + row) * width..(first + row + 1) * width;
            let c_before = match step {
                0 => &self.c0[(first_row + row) * width..][..width],
                _ => &self.cells[(first + row - row_count) * width..][..width],
            };
            dh.iter_mut().zip(&self.gradient[here.clone()]).for_each(|(dh, gradient)| *dh += gradient);
            gates.copy_from_slice(&self.gates[4 * here.start..4 * here.end]);
            slope_row(&self.cells[here], c_before, dh, self.keep[first + row], dc, gates, tanh_c);
            slopes.set_row(row, gates);
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

vectorized! {
    /// Turns gates i, f, g, o of one row into the gradients of what they are functions of, from the gradients of h and c;
    /// `dc` becomes that of the cell before.
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

#[cfg(test)]
mod tests;
