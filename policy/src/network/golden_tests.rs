//! The memories, the losses and three steps of learning against PyTorch's numbers (`tests/golden/make.py`), and the
//! memories' gradients against finite differences.

use super::lstm::lstm_sequence;
use super::*;
use crate::categorical::action_of;
use crate::config::PpoConfig;
use crate::group::{Alone, Lane};
use crate::head::ActionHead;
use crate::surrogate::{Samples, surrogate, value_loss};
use crate::trainee::{Step, Trainee};
use file::Golden;

#[path = "../../tests/golden/file.rs"]
mod file;

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

fn near(found: Tensor<1>, expected: f64) {
    let found = f64::from(found.inner().into_scalar::<f32>());
    assert!((found - expected).abs() < 1e-5, "a loss of {found} instead of {expected}");
}

fn settings(golden: &Golden) -> PpoConfig {
    let number = |key| golden.number(key) as f32;
    PpoConfig {
        clip_ratio: number("clip"),
        entropy_coefficient: number("entropy_coefficient"),
        action_bound_coefficient: number("bound_coefficient"),
        ..PpoConfig::default()
    }
}

fn samples(golden: &Golden, actions: Vec<f32>, device: &Device) -> Samples {
    let count = golden.numbers("advantage").len();
    let column = |key| numbers(golden, key, [count, 1], device);
    Samples { actions, log_probs: column("old_log_prob"), advantages: column("advantage") }
}

#[test]
fn the_clipped_surrogate_of_means_is_that_of_pytorch() {
    let golden = Golden::read(include_str!("../../tests/golden/surrogate_gaussian.json"));
    let (device, width) = (Device::flex(), golden.count("actions"));
    let training = device.clone().autodiff();
    let mean = numbers(&golden, "mean", [golden.numbers("advantage").len(), width], &training).require_grad();
    let log_std = numbers(&golden, "log_std", [width], &training).require_grad();
    let samples = samples(&golden, golden.numbers("action"), &device);
    let setting = (ActionHead::Gaussian, &settings(&golden), &device);
    let loss = surrogate(setting, mean.clone(), Some(log_std.clone()), samples).loss;
    near(loss.clone(), golden.number("loss"));
    let gradients = loss.backward();
    golden.agrees("mean_gradient", &host(mean.grad(&gradients).expect("a gradient")), BOUND);
    golden.agrees("log_std_gradient", &host(log_std.grad(&gradients).expect("a gradient")), BOUND);
}

#[test]
fn the_clipped_surrogate_of_bins_is_that_of_pytorch() {
    let golden = Golden::read(include_str!("../../tests/golden/surrogate_categorical.json"));
    let (device, bin_count) = (Device::flex(), golden.count("bins"));
    let dims = [golden.numbers("advantage").len(), golden.count("actions") * bin_count];
    let logits = numbers(&golden, "logits", dims, &device.clone().autodiff()).require_grad();
    let actions = golden.numbers("bin").into_iter().map(|bin| action_of(bin as usize, bin_count)).collect();
    let samples = samples(&golden, actions, &device);
    let setting = (ActionHead::Categorical { bin_count }, &settings(&golden), &device);
    let loss = surrogate(setting, logits.clone(), None, samples).loss;
    near(loss.clone(), golden.number("loss"));
    golden.agrees("logits_gradient", &host(logits.grad(&loss.backward()).expect("a gradient")), BOUND);
}

#[test]
fn the_critics_loss_is_that_of_pytorch_with_and_without_a_clip() {
    let golden = Golden::read(include_str!("../../tests/golden/value.json"));
    let device = Device::flex();
    let dims = [golden.numbers("values").len(), 1];
    let column = |key| numbers(&golden, key, dims, &device);
    for (loss_key, gradient_key, before, clip) in [
        ("plain", "plain_gradient", None, 0.0),
        ("loss", "gradient", Some(column("before")), golden.number("clip") as f32),
    ] {
        let values = numbers(&golden, "values", dims, &device.clone().autodiff()).require_grad();
        let loss = value_loss(values.clone(), column("returns"), before, clip);
        near(loss.clone(), golden.number(loss_key));
        golden.agrees(gradient_key, &host(values.grad(&loss.backward()).expect("a gradient")), BOUND);
    }
}

fn dense(rest: &mut impl Iterator<Item = f32>, rows: usize, columns: usize, device: &Device) -> Linear {
    let weight = rest.by_ref().take(rows * columns).collect();
    linear(weight, rest.by_ref().take(columns).collect(), rows, columns, device)
}

/// A network with these parameters, in the order of [`NetworkShape::parameter_sizes`].
fn network(shape: NetworkShape, parameters: &[f32], device: &Device) -> Network {
    let NetworkShape { input, encoder, core, output, kind, layers, .. } = shape;
    let rest = &mut parameters.iter().copied();
    let width = kind.gate_count() * core;
    let first = dense(rest, input, encoder, device);
    let mut built = Vec::new();
    for layer in 0..layers {
        let gates = dense(rest, if layer == 0 { encoder } else { core }, width, device);
        let memory = matrix_param(rest.by_ref().take(core * width).collect(), core, width, device);
        let candidate_bias = (kind == CoreKind::Gru).then(|| vector_param(rest.by_ref().take(core).collect(), device));
        built.push(Layer { gates, memory, candidate_bias });
    }
    let head = dense(rest, core, output, device);
    Network { encoder: first, layers: built, head, log_std: None }
}

/// Forward, gradient, clipping and Adam of a whole network, three times.
fn descends_like_pytorch(kind: CoreKind, golden: &Golden) {
    let device = Device::flex();
    let [steps, rows, core, outputs] = ["steps", "rows", "core", "outputs"].map(|key| golden.count(key));
    let [input, encoder, layers] = ["columns", "encoder", "layers"].map(|key| golden.count(key));
    let shape = NetworkShape { input, encoder, core, output: outputs, kind, layers, head: ActionHead::default() };
    let parts: Vec<Vec<f32>> = golden.numbers("starts").chunks_exact(rows * core).map(<[f32]>::to_vec).collect();
    let sequence = Sequence {
        observations: golden.numbers("observations"),
        state: RecurrentState::from_parts(&parts, core, 0..rows),
        keep: golden.numbers("keep"),
    };
    let goal = numbers(golden, "goal", [steps * rows, outputs], &device);
    let mut trainee = Trainee::new(network(shape, &golden.numbers("before"), &device.clone().autodiff()));
    assert_eq!(trainee.network.parameters(), golden.numbers("before"));
    let [rate, max_norm] = ["rate", "longest"].map(|key| golden.number(key) as f32);
    let (mut losses, mut norms, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..golden.numbers("losses").len() {
        let loss = (trainee.network.forward(sequence.clone(), &device) - goal.clone()).square().mean();
        let (next, descent) =
            trainee.descend(&loss, Step { rate, max_norm, group: &Alone, lane: Lane::Critic }).unwrap();
        losses.push(descent.loss);
        norms.push(descent.gradient_norm);
        after.extend(next.network.parameters());
        trainee = next;
    }
    golden.agrees("losses", &losses, BOUND);
    golden.agrees("norms", &norms, BOUND);
    golden.agrees("after", &after, BOUND);
}

#[test]
fn networks_learn_what_they_learn_in_pytorch() {
    let lstm = Golden::read(include_str!("../../tests/golden/descent_lstm.json"));
    descends_like_pytorch(CoreKind::Lstm, &lstm);
    let two_layers = Golden::read(include_str!("../../tests/golden/descent_gru.json"));
    descends_like_pytorch(CoreKind::Gru, &two_layers);
}
