//! A network that acts and does not learn.
//!
//! While worlds are collected from it is asked for one step at a time, and laying out weights for products takes as long
//! as the products of such a step. So on the processor they are laid out once, but for those that the general library
//! multiplies (a GRU's memory, layers that put out at most half a panel), and no tensor is made. Elsewhere it is the network
//! as it was.

use super::affine_cpu::Affine;
use super::gru_cpu::Start;
use super::lstm_cpu::{Given, Weights};
use super::{Inference, Layer, Network, Sequence, host, parameters};
use crate::config::CoreKind;
use burn::nn::Linear;
use burn::tensor::Device;

/// A network as it was at one moment.
pub(crate) struct Frozen {
    log_std: Vec<f32>,
    form: Form,
}

enum Form {
    Anywhere(Box<Network>),
    Processor(Box<Laid>),
}

/// Weights laid out for products.
struct Laid {
    encoder: Affine,
    layers: Vec<LaidLayer>,
    head: Affine,
    kind: CoreKind,
    core: usize,
}

enum LaidLayer {
    Lstm(Weights),
    Gru { gates: Affine, memory: Vec<f32>, bias: Vec<f32> },
}

impl Frozen {
    /// Of a network without gradients.
    pub(super) fn new(network: Network) -> Self {
        let log_std = network.log_std_values();
        let on_processor = network.encoder.weight.val().device() == Device::flex();
        let form = if on_processor {
            Form::Processor(Box::new(Laid::new(&network)))
        } else {
            Form::Anywhere(Box::new(network))
        };
        Self { log_std, form }
    }

    /// Outputs and states.
    pub fn infer(&self, sequence: Sequence, device: &Device) -> Inference {
        match &self.form {
            Form::Anywhere(network) => network.infer(sequence, device),
            Form::Processor(laid) => laid.infer(&sequence),
        }
    }

    /// Logarithm of the standard deviation of actions. Empty where there are none.
    pub fn log_std_values(&self) -> Vec<f32> {
        self.log_std.clone()
    }
}

impl Laid {
    fn new(network: &Network) -> Self {
        Self {
            encoder: affine(&network.encoder, true),
            layers: network.layers.iter().map(LaidLayer::new).collect(),
            head: affine(&network.head, false),
            kind: network.layers[0].kind(),
            core: network.core_width(),
        }
    }

    fn infer(&self, sequence: &Sequence) -> Inference {
        let Sequence { observations, state, keep } = sequence;
        let encoded = self.encoder.apply(observations);
        let per_layer = self.kind.state_count();
        let mut parts: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len() * per_layer);
        for layer in &self.layers {
            let features = parts.len().checked_sub(per_layer).map_or(&encoded, |below| &parts[below]);
            let start: Vec<_> = (0..per_layer).map(|n| state.part(parts.len() + n, self.core)).collect();
            let states = layer.states(features, &start, keep);
            parts.extend(states);
        }
        let hidden = &parts[parts.len() - per_layer];
        Inference { output: self.head.apply(hidden), parts, core: self.core }
    }
}

impl LaidLayer {
    fn new(layer: &Layer) -> Self {
        let memory = host(layer.memory.val());
        match &layer.candidate_bias {
            Some(bias) => Self::Gru { gates: affine(&layer.gates, false), memory, bias: host(bias.val()) },
            None => {
                let [weight, bias] = numbers(&layer.gates);
                Self::Lstm(Weights::new([&weight, &bias, &memory]))
            }
        }
    }

    /// Everything remembered, `[T, B, core]` each, the hidden states first, from what is remembered before.
    fn states(&self, features: &[f32], start: &[Vec<f32>], keep: &[f32]) -> Vec<Vec<f32>> {
        match (self, start) {
            (Self::Lstm(weights), [h0, c0]) => weights.states(Given { features, h0, c0, keep }).into(),
            (Self::Gru { gates, memory, bias }, [h0]) => {
                let width = bias.len();
                let start = Start { h0, keep, weight: memory, row_count: h0.len() / width, width };
                let [hidden, ..] = start.forward(gates.apply(features), bias);
                vec![hidden]
            }
            _ => unreachable!("a layer starts from what its kind remembers"),
        }
    }
}

fn affine(layer: &Linear, is_rectified: bool) -> Affine {
    let [weight, bias] = numbers(layer);
    Affine::new(&weight, &bias, is_rectified)
}

/// Weight and bias.
fn numbers(layer: &Linear) -> [Vec<f32>; 2] {
    let (weight, bias) = parameters(layer);
    [host(weight), host(bias)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::ActionHead;
    use crate::network::NetworkShape;
    use crate::rollout::RecurrentState;
    use giraffe_robots::{SeedTree, Stream};

    #[test]
    fn what_is_laid_out_once_gives_the_bits_of_the_network_on_any_number_of_threads() {
        let device = Device::flex();
        // Widths on both sides of half a panel, and more rows than go to a thread at once.
        for (kind, layers, encoder, output) in [
            (CoreKind::Lstm, 1, 33, 3),
            (CoreKind::Lstm, 3, 12, 40),
            (CoreKind::Gru, 1, 33, 40),
            (CoreKind::Gru, 2, 12, 3),
        ] {
            let mut rng = SeedTree::new(8).stream(Stream::Weights, 0, 0);
            let head = ActionHead::default();
            let shape = NetworkShape { input: 9, encoder, core: 20, output, kind, layers, head };
            let network = Network::new(shape, 1.0, Some(-0.5), &mut rng, &device);
            let frozen = network.inference();
            assert!(matches!(frozen.form, Form::Processor(_)));
            assert_eq!(frozen.log_std_values(), network.log_std_values());
            let mut observations = vec![0.0; 3 * 150 * 9];
            crate::gaussian::fill_standard_normal(&mut rng, &mut observations);
            // Other numbers for every part, so that none can stand for another.
            let mut parts = vec![vec![0.0; 150 * 20]; layers * kind.state_count()];
            parts.iter_mut().for_each(|part| crate::gaussian::fill_standard_normal(&mut rng, part));
            let state = RecurrentState::from_parts(&parts, 20, 0..150);
            let keep = (0..3 * 150).map(|i| if i % 7 == 0 { 0.0 } else { 1.0 }).collect();
            let sequence = Sequence { observations, state, keep };
            let expected = network.infer(sequence.clone(), &device);
            assert!(expected.output.iter().any(|x| x.abs() > 0.1), "all but zero");
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
                let found = pool.install(|| frozen.infer(sequence.clone(), &device));
                assert!(bits(&found) == bits(&expected), "{kind:?}, {layers} layers, {threads} threads");
            }
        }
    }

    fn bits(run: &Inference) -> Vec<u32> {
        run.parts.iter().chain([&run.output]).flatten().map(|x| x.to_bits()).collect()
    }
}
