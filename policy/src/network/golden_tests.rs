//! The memories against PyTorch's numbers (`tests/golden/make.py`), and their gradients against finite differences.

use super::lstm::lstm_sequence;
use super::*;
use golden::Golden;

const BOUND: f32 = 1e-5;

fn numbers<const D: usize>(golden: &Golden, key: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(golden.numbers(key), shape), device)
}

/// A memory's inputs: x `[T, B, gates H]`, weight, a GRU's bias, and the sequence it runs over.
struct Memory {
    golden: Golden,
    gate_count: usize,
}

impl Memory {
    fn lstm() -> Self {
        Self { golden: Golden::read(include_str!("../../tests/golden/lstm.json")), gate_count: 4 }
    }

    fn gru() -> Self {
        Self { golden: Golden::read(include_str!("../../tests/golden/gru.json")), gate_count: 3 }
    }

    fn dims(&self) -> [usize; 3] {
        ["steps", "rows", "width"].map(|key| self.golden.count(key))
    }

    /// x, weight and bias (empty for an LSTM), flat.
    fn inputs(&self) -> [Vec<f32>; 3] {
        let bias = if self.gate_count == 3 { self.golden.numbers("bias") } else { Vec::new() };
        [self.golden.numbers("x"), self.golden.numbers("weight"), bias]
    }

    /// The same as tensors.
    fn tensors(&self, [x, weight, bias]: [Vec<f32>; 3], device: &Device) -> (Tensor<3>, Tensor<2>, Tensor<1>) {
        let [steps, rows, width] = self.dims();
        let gate_width = self.gate_count * width;
        let count = bias.len();
        (
            Tensor::from_data(TensorData::new(x, [steps, rows, gate_width]), device),
            upload(weight, width, gate_width, device),
            Tensor::from_data(TensorData::new(bias, [count]), device),
        )
    }

    fn hidden(&self, x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, device: &Device) -> Tensor<3> {
        let [steps, rows, width] = self.dims();
        let keep = numbers(&self.golden, "keep", [steps, rows], device);
        let state = |key| numbers(&self.golden, key, [rows, width], device);
        match self.gate_count {
            4 => lstm_sequence(x, weight, state("h0"), state("c0"), keep),
            _ => gru_sequence(x, weight, bias, state("h0"), keep),
        }
    }

    /// The sum of the hidden states weighted with `goal`: what gradients are of.
    fn sum(&self, inputs: [Vec<f32>; 3]) -> f64 {
        let device = Device::flex();
        let (x, weight, bias) = self.tensors(inputs, &device);
        let hidden = host(self.hidden(x, weight, bias, &device));
        hidden.iter().zip(self.golden.numbers("goal")).map(|(h, goal)| f64::from(*h) * f64::from(goal)).sum()
    }

    /// Hidden states, and gradients of x, weight and bias.
    fn gradients(&self) -> (Vec<f32>, [Vec<f32>; 3]) {
        let device = Device::flex().autodiff();
        let (x, weight, bias) = self.tensors(self.inputs(), &device);
        let (x, weight, bias) = (x.require_grad(), weight.require_grad(), bias.require_grad());
        let hidden = self.hidden(x.clone(), weight.clone(), bias.clone(), &device);
        let gradients = (hidden.clone() * numbers(&self.golden, "goal", self.dims(), &device)).sum().backward();
        let of_bias = bias.grad(&gradients).map_or_else(Vec::new, host);
        let [of_x, of_weight] = [x.grad(&gradients).map(host), weight.grad(&gradients).map(host)];
        (host(hidden.inner()), [of_x.expect("a gradient"), of_weight.expect("a gradient"), of_bias])
    }

    fn agrees_with_pytorch(&self) {
        let (hidden, [x, weight, bias]) = self.gradients();
        self.golden.agrees("hidden", &hidden, BOUND);
        self.golden.agrees("x_gradient", &x, BOUND);
        self.golden.agrees("weight_gradient", &weight, BOUND);
        if self.gate_count == 3 {
            self.golden.agrees("bias_gradient", &bias, BOUND);
        }
    }

    fn agrees_with_finite_differences(&self) {
        const NUDGE: f32 = 1.0 / 64.0;
        let (_, gradients) = self.gradients();
        let inputs = self.inputs();
        for (which, gradient) in gradients.iter().enumerate() {
            assert_eq!(gradient.len(), inputs[which].len());
            for (index, gradient) in gradient.iter().enumerate() {
                let nudged = |by: f32| {
                    let mut inputs = inputs.clone();
                    inputs[which][index] += by;
                    self.sum(inputs)
                };
                let slope = (nudged(NUDGE) - nudged(-NUDGE)) / f64::from(2.0 * NUDGE);
                let difference = (f64::from(*gradient) - slope).abs() / (1.0 + slope.abs());
                assert!(difference < 2e-3, "input {which}, number {index}: {gradient} instead of {slope}");
            }
        }
    }
}

#[test]
fn an_lstm_with_its_gradients_is_that_of_pytorch() {
    Memory::lstm().agrees_with_pytorch();
}

#[test]
fn a_gru_with_its_gradients_is_that_of_pytorch() {
    Memory::gru().agrees_with_pytorch();
}

#[test]
fn gradients_of_memories_are_slopes() {
    Memory::lstm().agrees_with_finite_differences();
    Memory::gru().agrees_with_finite_differences();
}

#[test]
fn cells_of_an_lstm_are_those_of_pytorch() {
    let memory = Memory::lstm();
    let device = Device::flex();
    let [steps, rows, width] = memory.dims();
    let (x, weight, _) = memory.tensors(memory.inputs(), &device);
    let [h0, c0] = ["h0", "c0"].map(|key| numbers(&memory.golden, key, [rows, width], &device));
    let keep = numbers(&memory.golden, "keep", [steps, rows], &device);
    let (input_weight, bias) = (Tensor::eye(4 * width, &device), Tensor::zeros([4 * width], &device));
    let [hidden, cells] = lstm_states(x, input_weight, bias, weight, [h0, c0], keep);
    memory.golden.agrees("hidden", &host(hidden), BOUND);
    memory.golden.agrees("cells", &host(cells), BOUND);
}
