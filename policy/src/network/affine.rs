//! `y = x W + b` as one differentiable operation.
//!
//! The tensor library does the same in several, with a copy of the result for each; at the sizes of a policy these
//! copies cost time that the products need. As for the memories, the bodies here run anywhere and
//! [`super::affine_cpu`] replaces them on the processor.

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

/// Registers what `gradients` gives for weight and bias, if somebody asks for it.
macro_rules! register {
    ($grads:ident, [$weight:ident, $bias:ident], $gradients:expr) => {
        if $weight.is_none() && $bias.is_none() {
            return;
        }
        let (weight_gradient, bias_gradient) = $gradients;
        for (node, gradient) in [($weight, weight_gradient), ($bias, bias_gradient)] {
            if let Some(node) = node {
                $grads.register::<B>(node.id, gradient);
            }
        }
    };
}

#[derive(Debug)]
struct Through;

impl<B: AffineBackend> Backward<B, 3> for Through {
    /// x and weight.
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight) = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        // Observations have no gradient: nothing is computed for them.
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::affine_input_gradient(gradient.clone(), weight));
        }
        register!(grads, [weight_node, bias_node], B::affine_parameter_gradients(gradient, x));
    }
}

#[derive(Debug)]
struct ThroughRectified;

impl<B: AffineBackend> Backward<B, 3> for ThroughRectified {
    /// x, weight and y.
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, weight, y) = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            let through = B::relu_backward(y.clone(), gradient.clone());
            grads.register::<B>(node.id, B::affine_input_gradient(through, weight));
        }
        register!(grads, [weight_node, bias_node], B::rectified_affine_parameter_gradients(gradient, y, x));
    }
}

impl<B: AffineBackend, C: CheckpointStrategy> AffineBackend for Autodiff<B, C> {
    fn affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let y = B::affine_forward(x.clone(), weight.clone(), bias);
        match Through.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn rectified_affine(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let y = B::rectified_affine_forward(x.clone(), weight.clone(), bias);
        match ThroughRectified.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, y.clone()), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

/// What `layer`, which must have a bias, makes of `x` `[N, I]`.
pub(crate) fn affine(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let [weight, bias] = parameters(layer);
    Tensor::from_dispatch(Dispatch::affine(x.into_dispatch(), weight, bias))
}

/// The same, with what is negative replaced by zero.
pub(crate) fn rectified_affine(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let [weight, bias] = parameters(layer);
    Tensor::from_dispatch(Dispatch::rectified_affine(x.into_dispatch(), weight, bias))
}

fn parameters(layer: &Linear) -> [FloatTensor<Dispatch>; 2] {
    let bias = layer.bias.as_ref().expect("every layer of the networks is made with a bias").val();
    [layer.weight.val().into_dispatch(), bias.into_dispatch()]
}
