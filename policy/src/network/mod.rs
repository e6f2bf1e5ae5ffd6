//! Actor and critic: two separate networks, `observation -> linear, ReLU -> memory, one layer or more -> linear`.

mod affine;
mod affine_cpu;
mod composed;
mod cpu;
mod frozen;
mod gru;
mod gru_cpu;
mod initial;
mod lstm;
mod lstm_cpu;
mod panels;
mod shape;
mod tile;

use crate::config::CoreKind;
use crate::rollout::RecurrentState;
use affine::{affine, rectified_affine};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
pub(crate) use frozen::Frozen;
use giraffe_robots::StreamRng;
use gru::gru_sequence;
use initial::{gate_bias, orthogonal};
use lstm::{lstm_layer, lstm_states};
pub use shape::NetworkShape;

/// One network.
#[derive(Module, Debug)]
pub(crate) struct Network {
    encoder: Linear,
    layers: Vec<Layer>,
    head: Linear,
    /// Logarithm of the standard deviation of actions, `[output]`; only of an actor with a Gaussian head.
    log_std: Option<Param<Tensor<1>>>,
}

/// One layer of memory. Which kind it is shows in its shapes: `memory` is `[H, 4H]` for an LSTM, `[H, 3H]` for a GRU.
#[derive(Module, Debug)]
struct Layer {
    gates: Linear,
    memory: Param<Tensor<2>>,
    /// b of a GRU, `[H]`.
    candidate_bias: Option<Param<Tensor<1>>>,
}

/// What a network runs over: T steps of B worlds. `observations` `[T, B, input]`, `state` of B worlds, `keep`
/// `[T, B]`: 0 where an episode ended before the step, else 1.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub observations: Vec<f32>,
    pub state: RecurrentState,
    pub keep: Vec<f32>,
}

/// Results on the host.
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    /// `[T, B, output]`
    pub output: Vec<f32>,
    /// What was remembered after every step, `[T, B, core]` each: layer after layer, h before c.
    parts: Vec<Vec<f32>>,
    core: usize,
}

impl Inference {
    /// What was remembered after some of the `T B` rows.
    pub fn state(&self, rows: impl Iterator<Item = usize>) -> RecurrentState {
        RecurrentState::from_parts(&self.parts, self.core, rows)
    }
}

/// Weight and bias.
fn parameters(layer: &Linear) -> (Tensor<2>, Tensor<1>) {
    let bias = layer.bias.as_ref().expect("every layer of the networks is made with a bias").val();
    (layer.weight.val(), bias)
}

impl Layer {
    fn new(kind: CoreKind, input: usize, core: usize, rng: &mut StreamRng, device: &Device) -> Self {
        let gate_count = kind.gate_count();
        let beside = |rows: usize, rng: &mut StreamRng| {
            let gates: Vec<Vec<f32>> = (0..gate_count).map(|_| orthogonal(rows, core, 1.0, rng)).collect();
            let row =
                |row: usize| gates.iter().flat_map(move |gate| gate[row * core..(row + 1) * core].iter().copied());
            (0..rows).flat_map(row).collect::<Vec<f32>>()
        };
        let width = gate_count * core;
        Self {
            gates: linear(beside(input, rng), gate_bias(kind, core), input, width, device),
            memory: matrix_param(beside(core, rng), core, width, device),
            candidate_bias: (kind == CoreKind::Gru).then(|| vector_param(vec![0.0; core], device)),
        }
    }

    /// What a GRU is fed: inputs of the gates, `[T, B, 3 core]`.
    fn fed(&self, features: Tensor<3>) -> Tensor<3> {
        let [step_count, row_count, _] = features.dims();
        let gates = affine(&self.gates, flat(features));
        let width = gates.dims()[1];
        gates.reshape([step_count, row_count, width])
    }

    /// Hidden states `[T, B, core]`, with gradients. `start` as in [`Prepared::starts`].
    fn forward(&self, features: Tensor<3>, start: &[Tensor<2>], keep: Tensor<2>) -> Tensor<3> {
        match (&self.candidate_bias, start) {
            (None, [h0, c0]) => {
                let (input_weight, bias) = parameters(&self.gates);
                lstm_layer(features, input_weight, bias, self.memory.val(), [h0.clone(), c0.clone()], keep)
            }
            (Some(bias), [h0]) => gru_sequence(self.fed(features), self.memory.val(), bias.val(), h0.clone(), keep),
            _ => unreachable!("a layer starts from what its kind remembers"),
        }
    }

    /// Everything remembered, `[T, B, core]` each, the hidden states first.
    fn states(&self, features: Tensor<3>, start: &[Tensor<2>], keep: Tensor<2>) -> Vec<Tensor<3>> {
        match start {
            [h0, c0] => {
                let (input_weight, bias) = parameters(&self.gates);
                lstm_states(features, input_weight, bias, self.memory.val(), [h0.clone(), c0.clone()], keep).to_vec()
            }
            _ => vec![self.forward(features, start, keep)],
        }
    }

    fn kind(&self) -> CoreKind {
        if self.candidate_bias.is_some() { CoreKind::Gru } else { CoreKind::Lstm }
    }

    fn core_width(&self) -> usize {
        self.memory.dims()[0]
    }

    fn add_parameters(&self, all: &mut Vec<f32>) {
        add_linear(&self.gates, all);
        all.extend(host(self.memory.val().inner()));
        all.extend(self.candidate_bias.iter().flat_map(|bias| host(bias.val().inner())));
    }
}

impl Network {
    /// A network with orthogonal weights (Saxe et al. 2014), the head's times `head_gain`.
    pub fn new(
        shape: NetworkShape,
        head_gain: f32,
        log_std: Option<f32>,
        rng: &mut StreamRng,
        device: &Device,
    ) -> Self {
        let NetworkShape { input, encoder, core, output, kind, layers, .. } = shape;
        let first = linear(orthogonal(input, encoder, 2f32.sqrt(), rng), vec![0.0; encoder], input, encoder, device);
        let layers = (0..layers)
            .map(|layer| Layer::new(kind, if layer == 0 { encoder } else { core }, core, rng, device))
            .collect();
        Self {
            encoder: first,
            layers,
            head: linear(orthogonal(core, output, head_gain, rng), vec![0.0; output], core, output, device),
            log_std: log_std.map(|value| vector_param(vec![value; output], device)),
        }
    }

    /// A network with these parameters, in the order of [`NetworkShape::parameter_sizes`].
    pub fn with_parameters(
        shape: NetworkShape,
        parameters: &[f32],
        log_std: Option<Vec<f32>>,
        device: &Device,
    ) -> Self {
        let NetworkShape { input, encoder, core, output, kind, layers, .. } = shape;
        let mut rest = parameters;
        let mut next = |count: usize| {
            let (part, left) = rest.split_at(count);
            rest = left;
            part.to_vec()
        };
        let width = kind.gate_count() * core;
        let first = linear(next(input * encoder), next(encoder), input, encoder, device);
        let layers = (0..layers)
            .map(|layer| {
                let below = if layer == 0 { encoder } else { core };
                Layer {
                    gates: linear(next(below * width), next(width), below, width, device),
                    memory: matrix_param(next(core * width), core, width, device),
                    candidate_bias: (kind == CoreKind::Gru).then(|| vector_param(next(core), device)),
                }
            })
            .collect();
        let head = linear(next(core * output), next(output), core, output, device);
        Self { encoder: first, layers, head, log_std: log_std.map(|values| vector_param(values, device)) }
    }

    /// Outputs `[T B, output]`, with gradients.
    pub fn forward(&self, sequence: Sequence, device: &Device) -> Tensor<2> {
        let Prepared { mut features, keep, starts } = self.prepare(sequence, device);
        for (layer, start) in self.layers.iter().zip(starts) {
            features = layer.forward(features, &start, keep.clone());
        }
        affine(&self.head, flat(features))
    }

    /// Outputs and states, without gradients, on any device. On the processor [`Frozen::infer`] gives the same bits sooner.
    fn infer(&self, sequence: Sequence, device: &Device) -> Inference {
        let Prepared { mut features, keep, starts } = self.prepare(sequence, device);
        let mut parts = Vec::new();
        for (layer, start) in self.layers.iter().zip(starts) {
            let states = layer.states(features, &start, keep.clone());
            features = states[0].clone();
            parts.extend(states.into_iter().map(host));
        }
        Inference { output: host(affine(&self.head, flat(features))), parts, core: self.core_width() }
    }

    fn prepare(&self, sequence: Sequence, device: &Device) -> Prepared {
        let Sequence { observations, state, keep } = sequence;
        let row_count = state.row_count();
        let step_count = keep.len() / row_count;
        let observations = upload(observations, keep.len(), self.input_width(), device);
        let (core, per_layer) = (self.core_width(), self.layers[0].kind().state_count());
        let part = |index: usize| upload(state.part(index, core), row_count, core, device);
        let starts =
            (0..self.layers.len()).map(|layer| (0..per_layer).map(|n| part(layer * per_layer + n)).collect()).collect();
        let encoded = rectified_affine(&self.encoder, observations);
        let width = encoded.dims()[1];
        Prepared {
            features: encoded.reshape([step_count, row_count, width]),
            keep: upload(keep, step_count, row_count, device),
            starts,
        }
    }

    /// The same network without the means to learn.
    pub fn inference(&self) -> Frozen {
        Frozen::new(self.valid())
    }

    /// Logarithm of the standard deviation of actions, as numbers. Empty where there are none.
    pub fn log_std_values(&self) -> Vec<f32> {
        self.log_std.as_ref().map_or_else(Vec::new, |log_std| host(log_std.val().inner()))
    }

    /// Number of columns read.
    pub fn input_width(&self) -> usize {
        self.encoder.weight.dims()[0]
    }

    /// Width of the memory.
    pub fn core_width(&self) -> usize {
        self.layers[0].core_width()
    }

    /// Logarithm of the standard deviation of actions, with gradients.
    pub fn log_std(&self) -> Option<Tensor<1>> {
        self.log_std.as_ref().map(Param::val)
    }

    /// All parameters as numbers, in the order of [`NetworkShape::parameter_sizes`].
    pub fn parameters(&self) -> Vec<f32> {
        let mut all = Vec::new();
        add_linear(&self.encoder, &mut all);
        self.layers.iter().for_each(|layer| layer.add_parameters(&mut all));
        add_linear(&self.head, &mut all);
        all
    }
}

/// A sequence on the device.
struct Prepared {
    /// `[T, B, encoder]`
    features: Tensor<3>,
    /// `[T, B]`
    keep: Tensor<2>,
    /// For every layer, what it starts from: h and, for an LSTM, c, `[B, core]`.
    starts: Vec<Vec<Tensor<2>>>,
}

/// `[T, B, N]` as `[T B, N]`.
fn flat(sequence: Tensor<3>) -> Tensor<2> {
    let [step_count, row_count, width] = sequence.dims();
    sequence.reshape([step_count * row_count, width])
}

fn linear(weight: Vec<f32>, bias: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Linear {
    Linear { weight: matrix_param(weight, rows, columns, device), bias: Some(vector_param(bias, device)) }
}

fn add_linear(linear: &Linear, all: &mut Vec<f32>) {
    all.extend(host(linear.weight.val().inner()));
    all.extend(linear.bias.iter().flat_map(|bias| host(bias.val().inner())));
}

/// The numbers of a tensor, on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("the networks compute in f32")
}

/// A matrix on the device, without gradients.
pub(crate) fn upload(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

fn matrix_param(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Param<Tensor<2>> {
    Param::from_data(TensorData::new(values, [rows, columns]), device)
}

fn vector_param(values: Vec<f32>, device: &Device) -> Param<Tensor<1>> {
    let length = values.len();
    Param::from_data(TensorData::new(values, [length]), device)
}

#[cfg(test)]
#[path = "../../tests/golden/file.rs"]
pub(crate) mod golden;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod tests;
