//! `y = x W + b` as one differentiable operation.
//!
//! The tensor library does the same in several, with a copy of the result for each; at the sizes of a policy these
//! copies cost time that the products need. As for the memories, the bodies here run anywhere and
//! [`super::affine_cpu`] replaces them on the processor.

use super::parameters;
#[cfg(feature = "cuda")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::tensor::{Shape, Tensor};

/// What a backend can do about `y = x W + b`. Tensors: `x` `[N, I]`, `weight` `[I, O]`, `bias` `[O]`, `y` `[N, O]`.
#[backend_extension(Flex, Cube: cfg(feature = "cuda"), Autodiff)]
pub trait AffineBackend: Backend {
    /// y, with gradients for `x`, `weight` and `bias`.
    fn affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::affine_forward(x, weight, bias)
    }

    /// y.
    fn affine_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let width = weight.shape()[1];
        Self::float_add(Self::float_matmul(x, weight), Self::float_reshape(bias, Shape::new([1, width])))
    }

    /// y, with what is negative replaced by zero, and gradients as of [`AffineBackend::affine`].
    fn rectified_affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::rectified_affine_forward(x, weight, bias)
    }

    /// y, with what is negative replaced by zero.
    fn rectified_affine_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::relu(Self::affine_forward(x, weight, bias))
    }

    /// Gradient of `x` from that of y.
    fn affine_input_gradient(gradient: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(gradient, Self::float_transpose(weight))
    }

    /// Gradients of `weight` and `bias` from that of y.
    fn affine_parameter_gradients(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let width = gradient.shape()[1];
        let weight = Self::float_matmul(Self::float_transpose(x), gradient.clone());
        (weight, Self::float_reshape(Self::float_sum_dim(gradient, 0), Shape::new([width])))
    }

    /// The same, where y is what [`AffineBackend::rectified_affine_forward`] gave.
    fn rectified_affine_parameter_gradients(
        gradient: FloatTensor<Self>,
        y: FloatTensor<Self>,
        x: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        Self::affine_parameter_gradients(Self::relu_backward(y, gradient), x)
    }
}

#[cfg(feature = "cuda")]
impl AffineBackend for Cube {}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    /// Where it is rectified.
    y: Option<FloatTensor<B>>,
}

#[derive(Debug)]
struct Through;

impl<B: AffineBackend> Backward<B, 3> for Through {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let Saved { x, weight, y } = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        // Observations have no gradient: nothing is computed for them.
        if let Some(node) = x_node {
            let gradient = match &y {
                Some(y) => B::relu_backward(y.clone(), gradient.clone()),
                None => gradient.clone(),
            };
            grads.register::<B>(node.id, B::affine_input_gradient(gradient, weight));
        }
        if weight_node.is_none() && bias_node.is_none() {
            return;
        }
        let (weight, bias) = match y {
            Some(y) => B::rectified_affine_parameter_gradients(gradient, y, x),
            None => B::affine_parameter_gradients(gradient, x),
        };
        for (node, gradient) in [(weight_node, weight), (bias_node, bias)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// y with its gradients.
fn tracked<B: AffineBackend, C: CheckpointStrategy>(
    [x, weight, bias]: [FloatTensor<Autodiff<B, C>>; 3],
    is_rectified: bool,
) -> FloatTensor<Autodiff<B, C>> {
    let [(x, x_node), (weight, weight_node), (bias, bias_node)] = [x, weight, bias].map(|tensor| tensor.into_parts());
    let forward = if is_rectified { B::rectified_affine_forward } else { B::affine_forward };
    let y = forward(x.clone(), weight.clone(), bias);
    match Through.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(Saved { x, weight, y: is_rectified.then(|| y.clone()) }, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}

impl<B: AffineBackend, C: CheckpointStrategy> AffineBackend for Autodiff<B, C> {
    fn affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        tracked::<B, C>([x, weight, bias], false)
    }

    fn rectified_affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        tracked::<B, C>([x, weight, bias], true)
    }
}

/// What `layer`, which must have a bias, makes of `x` `[N, I]`.
pub(crate) fn affine(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let (weight, bias) = parameters(layer);
    Tensor::from_dispatch(Dispatch::affine(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()))
}

/// The same, with what is negative replaced by zero.
pub(crate) fn rectified_affine(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let (weight, bias) = parameters(layer);
    Tensor::from_dispatch(Dispatch::rectified_affine(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()))
}
