//! Actor and critic: two separate networks of the same shape, `observation -> linear, ReLU -> LSTM -> linear`.

mod initial;
mod lstm;
mod lstm_cpu;

use crate::config::PpoConfig;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use giraffe_robots::StreamRng;
use initial::{gate_bias, orthogonal};
use lstm::{lstm_sequence, lstm_states};
use serde::{Deserialize, Serialize};

/// The widths of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Columns read.
    pub input: usize,
    /// Units of the encoder.
    pub encoder: usize,
    /// Units of the memory.
    pub core: usize,
    /// Numbers put out.
    pub output: usize,
}

impl NetworkShape {
    /// Shape of a network with the widths of `config`.
    pub(crate) fn new(config: &PpoConfig, input: usize, output: usize) -> Self {
        Self { input, encoder: config.encoder_width, core: config.core_width, output }
    }

    /// Names and sizes of the parameters, in the order of [`Network::parameters`]. Matrices are row-major, one row
    /// per input; gates i, f, g, o side by side.
    pub fn parameter_sizes(&self) -> [(&'static str, usize); 7] {
        [
            ("encoder.weight", self.input * self.encoder),
            ("encoder.bias", self.encoder),
            ("gates.weight", self.encoder * 4 * self.core),
            ("gates.bias", 4 * self.core),
            ("memory.weight", self.core * 4 * self.core),
            ("head.weight", self.core * self.output),
            ("head.bias", self.output),
        ]
    }
}

/// One network.
#[derive(Module, Debug)]
pub(crate) struct Network {
    encoder: Linear,
    gates: Linear,
    memory: Param<Tensor<2>>,
    head: Linear,
    /// Logarithm of the standard deviation of actions, `[output]`; unused by the critic.
    log_std: Option<Param<Tensor<1>>>,
}

/// What a network runs over: T steps of B worlds. `observations` `[T, B, input]`, `h0` and `c0` `[B, core]`,
/// `keep` `[T, B]`: 0 where an episode ended before the step, else 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence<'a> {
    pub observations: &'a [f32],
    pub h0: &'a [f32],
    pub c0: &'a [f32],
    pub keep: &'a [f32],
    pub row_count: usize,
}

/// Results on the host: `output` `[T, B, output]`, `hidden` and `cells` `[T, B, core]`.
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    pub output: Vec<f32>,
    pub hidden: Vec<f32>,
    pub cells: Vec<f32>,
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
        let NetworkShape { input, encoder, core, output } = shape;
        let linear = |weight: Vec<f32>, bias: Vec<f32>, rows: usize, columns: usize| Linear {
            weight: matrix_param(weight, rows, columns, device),
            bias: Some(vector_param(bias, device)),
        };
        let beside = |rows: usize, rng: &mut StreamRng| {
            let gates: Vec<Vec<f32>> = (0..4).map(|_| orthogonal(rows, core, 1.0, rng)).collect();
            let row =
                |row: usize| gates.iter().flat_map(move |gate| gate[row * core..(row + 1) * core].iter().copied());
            (0..rows).flat_map(row).collect::<Vec<f32>>()
        };
        Self {
            encoder: linear(orthogonal(input, encoder, 2f32.sqrt(), rng), vec![0.0; encoder], input, encoder),
            gates: linear(beside(encoder, rng), gate_bias(core), encoder, 4 * core),
            memory: matrix_param(beside(core, rng), core, 4 * core, device),
            head: linear(orthogonal(core, output, head_gain, rng), vec![0.0; output], core, output),
            log_std: log_std.map(|value| vector_param(vec![value; output], device)),
        }
    }

    /// Outputs `[T B, output]`, with gradients.
    pub fn forward(&self, sequence: Sequence<'_>, device: &Device) -> Tensor<2> {
        let [h0, c0, keep] = self.inputs(sequence, device);
        let hidden = lstm_sequence(self.gate_inputs(sequence, device), self.memory.val(), h0, c0, keep);
        self.head_of(hidden)
    }

    /// Outputs and states, without gradients.
    pub fn infer(&self, sequence: Sequence<'_>, device: &Device) -> Inference {
        let [h0, c0, keep] = self.inputs(sequence, device);
        let (hidden, cells) = lstm_states(self.gate_inputs(sequence, device), self.memory.val(), h0, c0, keep);
        Inference { output: host(self.head_of(hidden.clone())), hidden: host(hidden), cells: host(cells) }
    }

    fn inputs(&self, sequence: Sequence<'_>, device: &Device) -> [Tensor<2>; 3] {
        let core = self.core_width();
        let step_count = sequence.keep.len() / sequence.row_count;
        [
            (sequence.h0, sequence.row_count, core),
            (sequence.c0, sequence.row_count, core),
            (sequence.keep, step_count, sequence.row_count),
        ]
        .map(|(values, rows, columns)| upload(values, rows, columns, device))
    }

    fn gate_inputs(&self, sequence: Sequence<'_>, device: &Device) -> Tensor<3> {
        let row_count = sequence.keep.len();
        let observations = upload(sequence.observations, row_count, sequence.observations.len() / row_count, device);
        let gates = self.gates.forward(relu(self.encoder.forward(observations)));
        gates.reshape([row_count / sequence.row_count, sequence.row_count, 4 * self.core_width()])
    }

    fn head_of(&self, hidden: Tensor<3>) -> Tensor<2> {
        let [step_count, row_count, core] = hidden.dims();
        self.head.forward(hidden.reshape([step_count * row_count, core]))
    }

    /// The same network without the means to learn: what [`Network::infer`] is asked of.
    pub fn inference(&self) -> Self {
        self.valid()
    }

    /// Logarithm of the standard deviation of actions, as numbers. Empty for a critic.
    pub fn log_std_values(&self) -> Vec<f32> {
        self.log_std.as_ref().map_or_else(Vec::new, |log_std| host(log_std.val().inner()))
    }

    /// Number of columns read.
    pub fn input_width(&self) -> usize {
        self.encoder.weight.dims()[0]
    }

    /// Width of the memory.
    pub fn core_width(&self) -> usize {
        self.memory.dims()[0]
    }

    /// Logarithm of the standard deviation of actions, with gradients. For actors only.
    pub fn log_std(&self) -> Tensor<1> {
        self.log_std.as_ref().expect("only asked of an actor, which has one").val()
    }

    /// All parameters as numbers, in the order of [`NetworkShape::parameter_sizes`].
    pub fn parameters(&self) -> Vec<f32> {
        let bias = |linear: &Linear| linear.bias.as_ref().map_or_else(Vec::new, |bias| host(bias.val().inner()));
        let mut all = host(self.encoder.weight.val().inner());
        all.extend(bias(&self.encoder));
        all.extend(host(self.gates.weight.val().inner()));
        all.extend(bias(&self.gates));
        all.extend(host(self.memory.val().inner()));
        all.extend(host(self.head.weight.val().inner()));
        all.extend(bias(&self.head));
        all
    }
}

/// The numbers of a tensor, on the host.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("the networks compute in f32")
}

/// A matrix on the device, without gradients.
pub(crate) fn upload(values: &[f32], rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), device)
}

fn matrix_param(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Param<Tensor<2>> {
    Param::from_data(TensorData::new(values, [rows, columns]), device)
}

fn vector_param(values: Vec<f32>, device: &Device) -> Param<Tensor<1>> {
    let length = values.len();
    Param::from_data(TensorData::new(values, [length]), device)
}

#[cfg(test)]
mod tests;
