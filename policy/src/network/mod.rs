//! Actor and critic: two separate networks of the same shape, `observation -> linear, ReLU -> LSTM -> linear`.

mod initial;
mod lstm;
mod lstm_cpu;

use crate::config::PpoConfig;
use crate::rollout::RecurrentState;
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

    /// Names and sizes of the parameters, in the order of [`crate::Policy::weights`]. Matrices are row-major, one row
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

/// What a network runs over: T steps of B worlds. `observations` `[T, B, input]`, `state` of B worlds, `keep`
/// `[T, B]`: 0 where an episode ended before the step, else 1.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub observations: Vec<f32>,
    pub state: RecurrentState,
    pub keep: Vec<f32>,
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
    pub fn forward(&self, sequence: Sequence, device: &Device) -> Tensor<2> {
        let (x, [h0, c0, keep]) = self.inputs(sequence, device);
        self.head_of(lstm_sequence(x, self.memory.val(), h0, c0, keep))
    }

    /// Outputs and states, without gradients.
    pub fn infer(&self, sequence: Sequence, device: &Device) -> Inference {
        let (x, [h0, c0, keep]) = self.inputs(sequence, device);
        let (hidden, cells) = lstm_states(x, self.memory.val(), h0, c0, keep);
        Inference { output: host(self.head_of(hidden.clone())), hidden: host(hidden), cells: host(cells) }
    }

    /// What the memory is fed: inputs of the gates `[T, B, 4 core]`, h and c to start from, and what is kept.
    fn inputs(&self, sequence: Sequence, device: &Device) -> (Tensor<3>, [Tensor<2>; 3]) {
        let Sequence { observations, state, keep } = sequence;
        let (core, sample_count) = (self.core_width(), keep.len());
        let row_count = state.h.len() / core;
        let step_count = sample_count / row_count;
        let observations = upload(observations, sample_count, self.input_width(), device);
        let gates = self.gates.forward(relu(self.encoder.forward(observations)));
        let h0 = upload(state.h, row_count, core, device);
        let c0 = upload(state.c, row_count, core, device);
        (gates.reshape([step_count, row_count, 4 * core]), [h0, c0, upload(keep, step_count, row_count, device)])
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
mod tests;
