//! The recurrent sequence as one differentiable operation of the tensor library.
//!
//! For every step t of T and every world: if an episode ended before step t (`keep[t] = 0`), h and c start from
//! zero; then, with the gates i, f, g, o side by side in 4H columns,
//!
//! ```text
//! z = x_t + (keep h) W      i, f, o = sigmoid(z)   g = tanh(z)
//! c = f (keep c) + i g      h = o tanh(c)
//! ```
//!
//! and x = features times input weights, plus bias. [`LstmBackend::lstm_layer_forward`] and
//! [`LstmBackend::lstm_layer_backward`] have bodies composed from tensor operations, which run anywhere; on the
//! processor [`super::lstm_cpu`] replaces them.

use super::composed::{gate_of, sigmoid_slope, stack, step_of, tanh_slope_times};
#[cfg(feature = "cuda")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

/// What a backend can do about an LSTM over a sequence. Tensors: `features` `[T, B, E]`, `input_weight` `[E, 4H]`,
/// `bias` `[4H]`, `weight` `[H, 4H]`, `h0` and `c0` `[B, H]`, `keep` `[T, B]`, the results `[T, B, .]`.
#[backend_extension(Flex, Cube: cfg(feature = "cuda"), Autodiff)]
pub trait LstmBackend: Backend {
    /// The hidden states `[T, B, H]`, with gradients for `features`, `input_weight`, `bias` and `weight`.
    #[allow(clippy::too_many_arguments, reason = "an operation takes its tensors one by one")]
    fn lstm_layer(
        features: FloatTensor<Self>,
        input_weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::lstm_layer_forward(features, input_weight, bias, weight, h0, c0, keep).0
    }

    /// Hidden states `[T, B, H]`, gates after their functions `[T, B, 4H]`, cell states `[T, B, H]`.
    #[allow(clippy::too_many_arguments, reason = "an operation takes its tensors one by one")]
    fn lstm_layer_forward(
        features: FloatTensor<Self>,
        input_weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_layer_forward::<Self>([features, input_weight, bias, weight, h0, c0, keep])
    }

    /// Gradients of `features`, `input_weight`, `bias` and `weight`.
    #[allow(clippy::too_many_arguments, reason = "an operation takes its tensors one by one")]
    fn lstm_layer_backward(
        hidden_gradient: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        cells: FloatTensor<Self>,
        features: FloatTensor<Self>,
        input_weight: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let past = Past { hidden_gradient, hidden, gates, cells };
        composed_layer_backward::<Self>(past, [features, input_weight, weight, h0, c0, keep])
    }
}

#[cfg(feature = "cuda")]
impl LstmBackend for Cube {}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved<B: Backend> {
    hidden: FloatTensor<B>,
    gates: FloatTensor<B>,
    cells: FloatTensor<B>,
    features: FloatTensor<B>,
    input_weight: FloatTensor<B>,
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    c0: FloatTensor<B>,
    keep: FloatTensor<B>,
}

#[derive(Debug)]
struct ThroughTime;

impl<B: LstmBackend> Backward<B, 4> for ThroughTime {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { hidden, gates, cells, features, input_weight, weight, h0, c0, keep } = ops.state;
        let (features, input_weight, bias, weight) =
            B::lstm_layer_backward(gradient, hidden, gates, cells, features, input_weight, weight, h0, c0, keep);
        for (node, gradient) in ops.parents.into_iter().zip([features, input_weight, bias, weight]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: LstmBackend, C: CheckpointStrategy> LstmBackend for Autodiff<B, C> {
    fn lstm_layer(
        features: FloatTensor<Self>,
        input_weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (features, features_node) = features.into_parts();
        let (input_weight, input_node) = input_weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (h0, c0, keep) = (h0.into_primitive(), c0.into_primitive(), keep.into_primitive());
        let (hidden, gates, cells) = B::lstm_layer_forward(
            features.clone(),
            input_weight.clone(),
            bias,
            weight.clone(),
            h0.clone(),
            c0.clone(),
            keep.clone(),
        );
        let nodes = [features_node, input_node, bias_node, weight_node];
        match ThroughTime.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let hidden_too = hidden.clone();
                let saved = Saved { hidden, gates, cells, features, input_weight, weight, h0, c0, keep };
                prepared.finish(saved, hidden_too)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(hidden),
        }
    }
}

/// A whole layer: hidden states `[T, B, H]` with gradients. Shapes as in [`LstmBackend::lstm_layer`].
pub(crate) fn lstm_layer(
    features: Tensor<3>,
    input_weight: Tensor<2>,
    bias: Tensor<1>,
    weight: Tensor<2>,
    [h0, c0]: [Tensor<2>; 2],
    keep: Tensor<2>,
) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::lstm_layer(
        features.into_dispatch(),
        input_weight.into_dispatch(),
        bias.into_dispatch(),
        weight.into_dispatch(),
        h0.into_dispatch(),
        c0.into_dispatch(),
        keep.into_dispatch(),
    ))
}

/// Hidden and cell states, `[T, B, H]` each, without gradients on a plain device.
pub(crate) fn lstm_states(
    features: Tensor<3>,
    input_weight: Tensor<2>,
    bias: Tensor<1>,
    weight: Tensor<2>,
    [h0, c0]: [Tensor<2>; 2],
    keep: Tensor<2>,
) -> [Tensor<3>; 2] {
    let (hidden, _gates, cells) = Dispatch::lstm_layer_forward(
        features.into_dispatch(),
        input_weight.into_dispatch(),
        bias.into_dispatch(),
        weight.into_dispatch(),
        h0.into_dispatch(),
        c0.into_dispatch(),
        keep.into_dispatch(),
    );
    [Tensor::from_dispatch(hidden), Tensor::from_dispatch(cells)]
}

/// The memory alone, for `x` `[T, B, 4H]`: a layer whose input weights are the identity.
#[cfg(test)]
pub(crate) fn lstm_sequence(
    x: Tensor<3>,
    weight: Tensor<2>,
    h0: Tensor<2>,
    c0: Tensor<2>,
    keep: Tensor<2>,
) -> Tensor<3> {
    let gate_width = weight.dims()[1];
    let device = x.device();
    lstm_layer(x, Tensor::eye(gate_width, &device), Tensor::zeros([gate_width], &device), weight, [h0, c0], keep)
}

/// See [`LstmBackend::lstm_layer_forward`].
pub(super) fn composed_layer_forward<B: Backend>(
    tensors: [FloatTensor<B>; 7],
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let [features, input_weight, bias, weight, h0, c0, keep] = tensors;
    let [step_count, row_count, input] = [0, 1, 2].map(|axis| features.shape()[axis]);
    let gate_width = bias.shape()[0];
    let rows = B::float_reshape(features, Shape::new([step_count * row_count, input]));
    let bias = B::float_reshape(bias, Shape::new([1, gate_width]));
    let x = B::float_add(B::float_matmul(rows, input_weight), bias);
    let x = B::float_reshape(x, Shape::new([step_count, row_count, gate_width]));
    composed_forward::<B>(x, weight, h0, c0, keep)
}

/// A forward pass, and the gradient of its hidden states.
pub(super) struct Past<B: Backend> {
    pub hidden_gradient: FloatTensor<B>,
    pub hidden: FloatTensor<B>,
    pub gates: FloatTensor<B>,
    pub cells: FloatTensor<B>,
}

/// See [`LstmBackend::lstm_layer_backward`].
pub(super) fn composed_layer_backward<B: Backend>(
    past: Past<B>,
    [features, input_weight, weight, h0, c0, keep]: [FloatTensor<B>; 6],
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let Past { hidden_gradient, hidden, gates, cells } = past;
    let [step_count, row_count, width] = [0, 1, 2].map(|axis| hidden.shape()[axis]);
    let input = input_weight.shape()[0];
    let (x, weight) = composed_backward::<B>(hidden_gradient, hidden, gates, cells, weight, h0, c0, keep);
    let x = B::float_reshape(x, Shape::new([step_count * row_count, 4 * width]));
    let rows = B::float_reshape(features, Shape::new([step_count * row_count, input]));
    let features = B::float_matmul(x.clone(), B::float_transpose(input_weight));
    let input_weight = B::float_matmul(B::float_transpose(rows), x.clone());
    let bias = B::float_reshape(B::float_sum_dim(x, 0), Shape::new([4 * width]));
    (B::float_reshape(features, Shape::new([step_count, row_count, input])), input_weight, bias, weight)
}

pub(super) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    c0: FloatTensor<B>,
    keep: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let step_count = x.shape()[0];
    let (mut h, mut c) = (h0, c0);
    let (mut hidden, mut gates, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..step_count {
        let kept = step_of::<B>(&keep, step);
        let h_before = B::float_mul(h, kept.clone());
        let c_before = B::float_mul(c, kept);
        let z = B::float_add(step_of::<B>(&x, step), B::float_matmul(h_before, weight.clone()));
        let i = B::sigmoid(gate_of::<B>(&z, 0, 4));
        let f = B::sigmoid(gate_of::<B>(&z, 1, 4));
        let g = B::float_tanh(gate_of::<B>(&z, 2, 4));
        let o = B::sigmoid(gate_of::<B>(&z, 3, 4));
        c = B::float_add(B::float_mul(f.clone(), c_before), B::float_mul(i.clone(), g.clone()));
        h = B::float_mul(o.clone(), B::float_tanh(c.clone()));
        gates.push(B::float_cat(vec![i, f, g, o], 1));
        hidden.push(h.clone());
        cells.push(c.clone());
    }
    (stack::<B>(hidden), stack::<B>(gates), stack::<B>(cells))
}

#[allow(clippy::too_many_arguments, reason = "an operation takes its tensors one by one")]
pub(super) fn composed_backward<B: Backend>(
    hidden_gradient: FloatTensor<B>,
    hidden: FloatTensor<B>,
    gates: FloatTensor<B>,
    cells: FloatTensor<B>,
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    c0: FloatTensor<B>,
    keep: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let step_count = hidden.shape()[0];
    let weight_transposed = B::float_transpose(weight);
    let mut carried: Option<(FloatTensor<B>, FloatTensor<B>)> = None;
    let mut weight_gradient: Option<FloatTensor<B>> = None;
    let mut x_gradients = Vec::with_capacity(step_count);
    for step in (0..step_count).rev() {
        let kept = step_of::<B>(&keep, step);
        let before = |sequence: &FloatTensor<B>, start: &FloatTensor<B>| {
            let state = if step == 0 { start.clone() } else { step_of::<B>(sequence, step - 1) };
            B::float_mul(state, kept.clone())
        };
        let gate = step_of::<B>(&gates, step);
        let [i, f, g, o] = [0, 1, 2, 3].map(|index| gate_of::<B>(&gate, index, 4));
        let tanh_c = B::float_tanh(step_of::<B>(&cells, step));
        let mut dh = step_of::<B>(&hidden_gradient, step);
        if let Some((from_h, _)) = &carried {
            dh = B::float_add(dh, from_h.clone());
        }
        let mut dc = tanh_slope_times::<B>(tanh_c.clone(), B::float_mul(dh.clone(), o.clone()));
        if let Some((_, from_c)) = &carried {
            dc = B::float_add(dc, from_c.clone());
        }
        let c_before = before(&cells, &c0);
        let d_i = B::float_mul(B::float_mul(dc.clone(), g.clone()), sigmoid_slope::<B>(i.clone()));
        let d_f = B::float_mul(B::float_mul(dc.clone(), c_before), sigmoid_slope::<B>(f.clone()));
        let d_g = tanh_slope_times::<B>(g, B::float_mul(dc.clone(), i));
        let d_o = B::float_mul(B::float_mul(dh, tanh_c), sigmoid_slope::<B>(o));
        let dz = B::float_cat(vec![d_i, d_f, d_g, d_o], 1);
        let share = B::float_matmul(B::float_transpose(before(&hidden, &h0)), dz.clone());
        weight_gradient = Some(match weight_gradient {
            Some(sum) => B::float_add(sum, share),
            None => share,
        });
        let to_h = B::float_mul(B::float_matmul(dz.clone(), weight_transposed.clone()), kept.clone());
        carried = Some((to_h, B::float_mul(B::float_mul(dc, f), kept.clone())));
        x_gradients.push(dz);
    }
    x_gradients.reverse();
    let weight_gradient = weight_gradient.expect("a sequence has at least one step");
    (stack::<B>(x_gradients), weight_gradient)
}
