//! Pieces of the memories' sequences composed from tensor operations, for any backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, Slice};

/// Row `step` of `[T, B, N]` as `[B, N]`.
pub(super) fn step_of<B: Backend>(tensor: &FloatTensor<B>, step: usize) -> FloatTensor<B> {
    let shape = tensor.shape();
    let dims: Vec<usize> = shape.iter().copied().collect();
    let mut slices = vec![Slice::from(step..step + 1), Slice::from(0..dims[1])];
    let width = dims.get(2).copied().unwrap_or(1);
    if dims.len() == 3 {
        slices.push(Slice::from(0..width));
    }
    B::float_reshape(B::float_slice(tensor.clone(), &slices), Shape::new([dims[1], width]))
}

/// Columns of gate `index` of `count` in `[B, count H]`.
pub(super) fn gate_of<B: Backend>(gates: &FloatTensor<B>, index: usize, count: usize) -> FloatTensor<B> {
    let shape = gates.shape();
    let dims: Vec<usize> = shape.iter().copied().collect();
    let width = dims[1] / count;
    B::float_slice(gates.clone(), &[Slice::from(0..dims[0]), Slice::from(index * width..(index + 1) * width)])
}

pub(super) fn stack<B: Backend>(steps: Vec<FloatTensor<B>>) -> FloatTensor<B> {
    let step_count = steps.len();
    let shape = steps[0].shape();
    let dims: Vec<usize> = shape.iter().copied().collect();
    B::float_reshape(B::float_cat(steps, 0), Shape::new([step_count, dims[0], dims[1]]))
}

/// a (1 - a): the slope of the sigmoid where its value is a.
pub(super) fn sigmoid_slope<B: Backend>(a: FloatTensor<B>) -> FloatTensor<B> {
    B::float_sub(a.clone(), B::float_mul(a.clone(), a))
}

/// (1 - a^2) times `by`: `by` times the slope of tanh where its value is a.
pub(super) fn tanh_slope_times<B: Backend>(a: FloatTensor<B>, by: FloatTensor<B>) -> FloatTensor<B> {
    B::float_sub(by.clone(), B::float_mul(B::float_mul(a.clone(), a), by))
}
