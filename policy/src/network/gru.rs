//! The gated recurrent unit (Cho et al. 2014) over a sequence, as one differentiable operation of the tensor library.
//!
//! The form of cuDNN and PyTorch, whose reset gate acts after the product: one product per step serves all gates. For
//! every step t of T and every world, with h from zero where an episode ended before step t (`keep[t] = 0`), and the
//! gates r, z, n side by side in 3H columns,
//!
//! ```text
//! u = (keep h) W             r = sigmoid(x_r + u_r)   z = sigmoid(x_z + u_z)
//! q = u_n + b                n = tanh(x_n + r q)      h = (1 - z) n + z (keep h)
//! ```
//!
//! As for the LSTM, [`GruBackend::gru_forward`] and [`GruBackend::gru_backward`] run anywhere; on the processor
//! [`super::gru_cpu`] replaces them.

use super::composed::{gate_of, sigmoid_slope, stack, step_of, tanh_slope_times};
#[cfg(feature = "cuda")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};

/// What a backend can do about a GRU over a sequence. Tensors: `x` `[T, B, 3H]` (input times its weights, plus bias),
/// `weight` `[H, 3H]`, `bias` `[H]` (b above), `h0` `[B, H]`, `keep` `[T, B]`, the results `[T, B, .]`.
#[backend_extension(Flex, Cube: cfg(feature = "cuda"), Autodiff)]
pub trait GruBackend: Backend {
    /// The hidden states `[T, B, H]`, with gradients for `x`, `weight` and `bias`.
    fn gru_sequence(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::gru_forward(x, weight, bias, h0, keep).0
    }

    /// Hidden states `[T, B, H]`, gates after their functions `[T, B, 3H]`, q `[T, B, H]`.
    fn gru_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_forward::<Self>(x, weight, bias, h0, keep)
    }

    /// Gradients of `x`, `weight` and `bias` from the gradient of the hidden states: back-propagation through time.
    fn gru_backward(
        hidden_gradient: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        products: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_backward::<Self>(hidden_gradient, hidden, gates, products, weight, h0, keep)
    }
}

#[cfg(feature = "cuda")]
impl GruBackend for Cube {}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved<B: Backend> {
    hidden: FloatTensor<B>,
    gates: FloatTensor<B>,
    products: FloatTensor<B>,
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    keep: FloatTensor<B>,
}

#[derive(Debug)]
struct ThroughTime;

impl<B: GruBackend> Backward<B, 3> for ThroughTime {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { hidden, gates, products, weight, h0, keep } = ops.state;
        let (x, weight, bias) = B::gru_backward(gradient, hidden, gates, products, weight, h0, keep);
        for (node, gradient) in ops.parents.into_iter().zip([x, weight, bias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: GruBackend, C: CheckpointStrategy> GruBackend for Autodiff<B, C> {
    fn gru_sequence(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (h0, keep) = (h0.into_primitive(), keep.into_primitive());
        let (hidden, gates, products) = B::gru_forward(x, weight.clone(), bias, h0.clone(), keep.clone());
        match ThroughTime.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let saved = Saved { hidden: hidden.clone(), gates, products, weight, h0, keep };
                prepared.finish(saved, hidden)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(hidden),
        }
    }
}

/// Hidden states `[T, B, H]` with gradients for `x`, `weight` and `bias`. Shapes as in [`GruBackend`].
pub(crate) fn gru_sequence(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    h0: Tensor<2>,
    keep: Tensor<2>,
) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::gru_sequence(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        h0.into_dispatch(),
        keep.into_dispatch(),
    ))
}

pub(super) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    h0: FloatTensor<B>,
    keep: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let width = weight.shape()[0];
    let bias = B::float_reshape(bias, Shape::new([1, width]));
    let mut h = h0;
    let (mut hidden, mut gates, mut products) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..x.shape()[0] {
        let before = B::float_mul(h, step_of::<B>(&keep, step));
        let input = step_of::<B>(&x, step);
        let u = B::float_matmul(before.clone(), weight.clone());
        let sum = |index| B::float_add(gate_of::<B>(&input, index, 3), gate_of::<B>(&u, index, 3));
        let (r, z) = (B::sigmoid(sum(0)), B::sigmoid(sum(1)));
        let q = B::float_add(gate_of::<B>(&u, 2, 3), bias.clone());
        let n = B::float_tanh(B::float_add(gate_of::<B>(&input, 2, 3), B::float_mul(r.clone(), q.clone())));
        h = B::float_add(n.clone(), B::float_mul(z.clone(), B::float_sub(before, n.clone())));
        gates.push(B::float_cat(vec![r, z, n], 1));
        hidden.push(h.clone());
        products.push(q);
    }
    (stack::<B>(hidden), stack::<B>(gates), stack::<B>(products))
}

pub(super) fn composed_backward<B: Backend>(
    hidden_gradient: FloatTensor<B>,
    hidden: FloatTensor<B>,
    gates: FloatTensor<B>,
    products: FloatTensor<B>,
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    keep: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let weight_transposed = B::float_transpose(weight);
    let mut carried: Option<FloatTensor<B>> = None;
    let mut totals: Option<[FloatTensor<B>; 2]> = None;
    let mut x_gradients = Vec::new();
    for step in (0..hidden.shape()[0]).rev() {
        let kept = step_of::<B>(&keep, step);
        let before = if step == 0 { h0.clone() } else { step_of::<B>(&hidden, step - 1) };
        let before = B::float_mul(before, kept.clone());
        let gate = step_of::<B>(&gates, step);
        let [r, z, n] = [0, 1, 2].map(|index| gate_of::<B>(&gate, index, 3));
        let mut dh = step_of::<B>(&hidden_gradient, step);
        if let Some(from_h) = carried.take() {
            dh = B::float_add(dh, from_h);
        }
        let through_z = B::float_mul(dh.clone(), z.clone());
        let d_n = tanh_slope_times::<B>(n.clone(), B::float_sub(dh.clone(), through_z.clone()));
        let d_q = B::float_mul(d_n.clone(), r.clone());
        let d_r = B::float_mul(B::float_mul(d_n.clone(), step_of::<B>(&products, step)), sigmoid_slope::<B>(r));
        let d_z = B::float_mul(B::float_mul(dh, B::float_sub(before.clone(), n)), sigmoid_slope::<B>(z));
        let du = B::float_cat(vec![d_r.clone(), d_z.clone(), d_q.clone()], 1);
        x_gradients.push(B::float_cat(vec![d_r, d_z, d_n], 1));
        let shares = [B::float_matmul(B::float_transpose(before), du.clone()), B::float_sum_dim(d_q, 0)];
        totals = Some(match totals {
            None => shares,
            Some([weight, bias]) => {
                let [of_weight, of_bias] = shares;
                [B::float_add(weight, of_weight), B::float_add(bias, of_bias)]
            }
        });
        let to_h = B::float_add(B::float_matmul(du, weight_transposed.clone()), through_z);
        carried = Some(B::float_mul(to_h, kept));
    }
    x_gradients.reverse();
    let [weight, bias] = totals.expect("a sequence has at least one step");
    let width = bias.shape()[1];
    (stack::<B>(x_gradients), weight, B::float_reshape(bias, Shape::new([width])))
}
