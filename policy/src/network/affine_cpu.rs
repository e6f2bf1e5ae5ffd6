//! `y = x W + b` on the processor: the product is added to rows that hold the bias already.

use super::affine::AffineBackend;
use super::cpu::{Product, tensor, view};
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};

impl AffineBackend for Flex {
    fn affine_forward(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [row_count, input] = [0, 1].map(|axis| x.shape()[axis]);
        let output = weight.shape()[1];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let mut y = Vec::with_capacity(row_count * output);
        (0..row_count).for_each(|_| y.extend_from_slice(view(&bias)));
        Product { m: row_count, n: output, k: input }.added_to_on_all_threads(view(&x), view(&weight), &mut y);
        tensor(y, [row_count, output])
    }

    fn affine_input_gradient(gradient: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let [row_count, output] = [0, 1].map(|axis| gradient.shape()[axis]);
        let input = weight.shape()[0];
        let [gradient, weight] = [gradient, weight].map(|tensor| tensor.to_contiguous());
        let mut x = vec![0.0; row_count * input];
        let product = Product { m: row_count, n: input, k: output };
        product.of_transposed_right(view(&gradient), view(&weight), &mut x);
        tensor(x, [row_count, input])
    }

    fn affine_parameter_gradients(gradient: FlexTensor, x: FlexTensor) -> (FlexTensor, FlexTensor) {
        let [row_count, output] = [0, 1].map(|axis| gradient.shape()[axis]);
        let input = x.shape()[1];
        let [gradient, x] = [gradient, x].map(|tensor| tensor.to_contiguous());
        let mut weight = vec![0.0; input * output];
        let product = Product { m: input, n: output, k: row_count };
        product.of_transposed_left(view(&x), view(&gradient), &mut weight);
        let mut bias = vec![0.0; output];
        for row in view(&gradient).chunks_exact(output) {
            bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        (tensor(weight, [input, output]), tensor(bias, [output]))
    }
}
