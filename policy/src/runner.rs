//! Running a policy on one hand, in plain Rust: no tensor library, no threads, no allocation per step.
//!
//! One row at a time and in a fixed order of additions, so an action does not depend on how many hands are run,
//! nor on the processor: evaluation and deployment agree bit for bit.

use crate::PolicyError;
use crate::activation::{sigmoid, tanh, vectorized};
use crate::checkpoint::Policy;
use crate::config::CoreKind;
use crate::network::NetworkShape;
use crate::normalizer::Normalizer;
use std::sync::Arc;

/// Runs a policy on one hand; keeps its recurrent state. Cloning is cheap: weights are shared, the state is copied.
#[derive(Debug, Clone)]
pub struct PolicyRunner {
    weights: Arc<Weights>,
    normalizer: Arc<Normalizer>,
    shape: NetworkShape,
    memoryless: bool,
    input: Vec<f32>,
    encoded: Vec<f32>,
    gates: Vec<f32>,
    /// A GRU's product of state and weights.
    products: Vec<f32>,
    /// h of every layer.
    h: Vec<Vec<f32>>,
    /// c of every layer of an LSTM.
    c: Vec<Vec<f32>>,
    outputs: Vec<f32>,
}

/// Matrices `[inputs, outputs]`, row-major.
#[derive(Debug)]
struct Weights {
    encoder: Vec<f32>,
    encoder_bias: Vec<f32>,
    layers: Vec<LayerWeights>,
    head: Vec<f32>,
    head_bias: Vec<f32>,
}

#[derive(Debug)]
struct LayerWeights {
    gates: Vec<f32>,
    gates_bias: Vec<f32>,
    memory: Vec<f32>,
    /// Of a GRU; else empty.
    candidate_bias: Vec<f32>,
}

impl PolicyRunner {
    /// A runner of `policy` at the start of an episode.
    pub fn new(policy: &Policy) -> Self {
        let manifest = policy.manifest();
        let shape = manifest.shape;
        let mut rest = policy.weights();
        let mut parts = shape.parameter_sizes().into_iter().map(|(_, size)| {
            let (part, left) = rest.split_at(size);
            rest = left;
            part.to_vec()
        });
        let mut next = || parts.next().unwrap_or_default();
        let (encoder, encoder_bias) = (next(), next());
        let is_gru = shape.kind == CoreKind::Gru;
        let layers = (0..shape.layers)
            .map(|_| LayerWeights {
                gates: next(),
                gates_bias: next(),
                memory: next(),
                candidate_bias: if is_gru { next() } else { Vec::new() },
            })
            .collect();
        let weights = Weights { encoder, encoder_bias, layers, head: next(), head_bias: next() };
        let zeros = |count: usize| vec![vec![0.0; shape.core]; count];
        Self {
            weights: Arc::new(weights),
            normalizer: Arc::new(manifest.normalizer.clone()),
            shape,
            memoryless: manifest.memoryless,
            input: vec![0.0; shape.input],
            encoded: vec![0.0; shape.encoder],
            gates: vec![0.0; shape.kind.gate_count() * shape.core],
            products: vec![0.0; if is_gru { 3 * shape.core } else { 0 }],
            h: zeros(shape.layers),
            c: zeros(if is_gru { 0 } else { shape.layers }),
            outputs: vec![0.0; shape.output],
        }
    }

    /// The same policy, forgetting everything before each step.
    #[must_use]
    pub fn without_memory(mut self) -> Self {
        self.memoryless = true;
        self
    }

    /// Number of columns read.
    pub fn observation_width(&self) -> usize {
        self.shape.input
    }

    /// Number of actions written.
    pub fn action_width(&self) -> usize {
        self.shape.head.action_width(self.shape.output)
    }

    /// Forgets everything: the start of an episode.
    pub fn reset(&mut self) {
        self.h.iter_mut().chain(&mut self.c).for_each(|state| state.fill(0.0));
    }

    /// Writes the most probable action for `observation`: the actor's columns, not normalised.
    ///
    /// # Errors
    /// When a width is wrong or the observation is not finite; the state is then as before.
    pub fn act(&mut self, observation: &[f32], actions: &mut [f32]) -> Result<(), PolicyError> {
        self.check(observation, actions)?;
        self.normalizer.apply(observation, &mut self.input);
        if self.memoryless {
            self.reset();
        }
        let weights = Arc::clone(&self.weights);
        self.encoded.copy_from_slice(&weights.encoder_bias);
        add_product(&self.input, &weights.encoder, &mut self.encoded);
        self.encoded.iter_mut().for_each(|x| *x = x.max(0.0));
        for (index, layer) in weights.layers.iter().enumerate() {
            self.advance(index, layer);
        }
        let h = self.h.last().unwrap_or(&self.encoded);
        self.outputs.copy_from_slice(&weights.head_bias);
        add_product(h, &weights.head, &mut self.outputs);
        self.shape.head.mode(&self.outputs, actions);
        Ok(())
    }

    /// One step of the memory's layer `index`.
    fn advance(&mut self, index: usize, layer: &LayerWeights) {
        let (below, from_here) = self.h.split_at_mut(index);
        let input = below.last().unwrap_or(&self.encoded);
        let h = &mut from_here[0];
        self.gates.copy_from_slice(&layer.gates_bias);
        add_product(input, &layer.gates, &mut self.gates);
        match self.shape.kind {
            CoreKind::Lstm => {
                add_product(h, &layer.memory, &mut self.gates);
                advance_lstm(&mut self.gates, &mut self.c[index], h);
            }
            CoreKind::Gru => {
                self.products.fill(0.0);
                add_product(h, &layer.memory, &mut self.products);
                advance_gru(&mut self.gates, &self.products, &layer.candidate_bias, h);
            }
        }
    }

    fn check(&self, observation: &[f32], actions: &[f32]) -> Result<(), PolicyError> {
        for (what, expected, found) in [
            ("the observation", self.shape.input, observation.len()),
            ("the actions", self.action_width(), actions.len()),
        ] {
            if expected != found {
                return Err(PolicyError::Mismatch {
                    what: what.to_owned(),
                    expected: format!("{expected} numbers"),
                    found: found.to_string(),
                });
            }
        }
        match observation.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(column) => Err(PolicyError::Mismatch {
                what: format!("column {column} of the observation"),
                expected: "a finite number".to_owned(),
                found: observation[column].to_string(),
            }),
        }
    }
}

vectorized! {
    /// `out += input * matrix`, with `matrix` `[inputs, outputs]`. Each output sums its inputs in order.
    fn add_product(input: &[f32], matrix: &[f32], out: &mut [f32]) {
        let width = out.len();
        let blocks = input.chunks_exact(8);
        let tail = blocks.remainder();
        let done = input.len() - tail.len();
        for (block, x) in blocks.enumerate() {
            let rows = &matrix[8 * block * width..][..8 * width];
            let (r0, rest) = rows.split_at(width);
            let (r1, rest) = rest.split_at(width);
            let (r2, rest) = rest.split_at(width);
            let (r3, rest) = rest.split_at(width);
            let (r4, rest) = rest.split_at(width);
            let (r5, rest) = rest.split_at(width);
            let (r6, r7) = rest.split_at(width);
            for (j, out) in out.iter_mut().enumerate() {
                let mut sum = *out;
                sum += x[0] * r0[j];
                sum += x[1] * r1[j];
                sum += x[2] * r2[j];
                sum += x[3] * r3[j];
                sum += x[4] * r4[j];
                sum += x[5] * r5[j];
                sum += x[6] * r6[j];
                sum += x[7] * r7[j];
                *out = sum;
            }
        }
        for (x, row) in tail.iter().zip(matrix[done * width..].chunks_exact(width)) {
            out.iter_mut().zip(row).for_each(|(out, weight)| *out += x * weight);
        }
    }
}

vectorized! {
    /// One step of an LSTM: gates i, f, g, o side by side, changed in place.
    fn advance_lstm(gates: &mut [f32], c: &mut [f32], h: &mut [f32]) {
        let width = c.len();
        let (input_and_forget, rest) = gates.split_at_mut(2 * width);
        let (candidate, output) = rest.split_at_mut(width);
        input_and_forget.iter_mut().for_each(|x| *x = sigmoid(*x));
        candidate.iter_mut().for_each(|x| *x = tanh(*x));
        output.iter_mut().for_each(|x| *x = sigmoid(*x));
        let (i, f) = input_and_forget.split_at(width);
        for (((c, i), f), g) in c.iter_mut().zip(i).zip(f).zip(&*candidate) {
            *c = f * *c + i * g;
        }
        for ((h, c), o) in h.iter_mut().zip(&*c).zip(&*output) {
            *h = o * tanh(*c);
        }
    }
}

vectorized! {
    /// One step of a GRU: gates r, z, n side by side, changed in place.
    fn advance_gru(gates: &mut [f32], products: &[f32], bias: &[f32], h: &mut [f32]) {
        let width = h.len();
        let (reset_and_update, candidate) = gates.split_at_mut(2 * width);
        for (gate, u) in reset_and_update.iter_mut().zip(products) {
            *gate = sigmoid(*gate + u);
        }
        let (r, z) = reset_and_update.split_at(width);
        for (((n, r), u), b) in candidate.iter_mut().zip(r).zip(&products[2 * width..]).zip(bias) {
            *n = tanh(*n + r * (u + b));
        }
        for ((h, n), z) in h.iter_mut().zip(&*candidate).zip(z) {
            *h = n + z * (*h - n);
        }
    }
}
