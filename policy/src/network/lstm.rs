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
//! [`LstmBackend::lstm_forward`] and [`LstmBackend::lstm_backward`] have bodies composed from tensor operations,
//! which run anywhere; on the processor [`super::lstm_cpu`] replaces them.

use super::composed::{gate_of, sigmoid_slope, stack, step_of, tanh_slope_times};
#[cfg(feature = "cuda")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::Tensor;

/// What a backend can do about an LSTM over a sequence. Tensors: `x` `[T, B, 4H]` (input times its weights, plus
/// bias), `weight` `[H, 4H]`, `h0` and `c0` `[B, H]`, `keep` `[T, B]`, the results `[T, B, .]`.
#[backend_extension(Flex, Cube: cfg(feature = "cuda"), Autodiff)]
pub trait LstmBackend: Backend {
    /// The hidden states `[T, B, H]`, with gradients for `x` and `weight`.
    fn lstm_sequence(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::lstm_forward(x, weight, h0, c0, keep).0
    }

    /// Hidden states `[T, B, H]`, gates after their functions `[T, B, 4H]`, cell states `[T, B, H]`.
    fn lstm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed_forward::<Self>(x, weight, h0, c0, keep)
    }

    /// Gradients of `x` and `weight` from the gradient of the hidden states: back-propagation through time.
    #[allow(clippy::too_many_arguments, reason = "an operation takes its tensors one by one")]
    fn lstm_backward(
        hidden_gradient: FloatTensor<Self>,
        hidden: FloatTensor<Self>,
        gates: FloatTensor<Self>,
        cells: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed_backward::<Self>(hidden_gradient, hidden, gates, cells, weight, h0, c0, keep)
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
    weight: FloatTensor<B>,
    h0: FloatTensor<B>,
    c0: FloatTensor<B>,
    keep: FloatTensor<B>,
}

#[derive(Debug)]
struct ThroughTime;

impl<B: LstmBackend> Backward<B, 2> for ThroughTime {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { hidden, gates, cells, weight, h0, c0, keep } = ops.state;
        let (x, weight) = B::lstm_backward(gradient, hidden, gates, cells, weight, h0, c0, keep);
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<B>(node.id, x);
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, weight);
        }
    }
}

impl<B: LstmBackend, C: CheckpointStrategy> LstmBackend for Autodiff<B, C> {
    fn lstm_sequence(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        h0: FloatTensor<Self>,
        c0: FloatTensor<Self>,
        keep: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (h0, c0, keep) = (h0.into_primitive(), c0.into_primitive(), keep.into_primitive());
        let (hidden, gates, cells) = B::lstm_forward(x, weight.clone(), h0.clone(), c0.clone(), keep.clone());
        match ThroughTime.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let saved = Saved { hidden: hidden.clone(), gates, cells, weight, h0, c0, keep };
                prepared.finish(saved, hidden)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(hidden),
        }
    }
}

/// Hidden states `[T, B, H]` with gradients for `x` and `weight`. Shapes as in [`LstmBackend`].
pub(crate) fn lstm_sequence(
    x: Tensor<3>,
    weight: Tensor<2>,
    h0: Tensor<2>,
    c0: Tensor<2>,
    keep: Tensor<2>,
) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::lstm_sequence(
        x.into_dispatch(),
        weight.into_dispatch(),
        h0.into_dispatch(),
        c0.into_dispatch(),
        keep.into_dispatch(),
    ))
}

/// Hidden and cell states, `[T, B, H]` each, without gradients on a plain device.
pub(crate) fn lstm_states(
    x: Tensor<3>,
    weight: Tensor<2>,
    h0: Tensor<2>,
    c0: Tensor<2>,
    keep: Tensor<2>,
) -> (Tensor<3>, Tensor<3>) {
    let (hidden, _gates, cells) = Dispatch::lstm_forward(
        x.into_dispatch(),
        weight.into_dispatch(),
        h0.into_dispatch(),
        c0.into_dispatch(),
        keep.into_dispatch(),
    );
    (Tensor::from_dispatch(hidden), Tensor::from_dispatch(cells))
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
