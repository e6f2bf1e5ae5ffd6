//! Running a policy on one hand, in plain Rust: no tensor library, no threads, no allocation per step.
//!
//! One row at a time and in a fixed order of additions, so an action does not depend on how many hands are run,
//! nor on the processor: evaluation and deployment agree bit for bit.

use crate::PolicyError;
use crate::activation::{sigmoid, tanh, vectorized};
use crate::checkpoint::Policy;
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
    h: Vec<f32>,
    c: Vec<f32>,
}

/// Matrices `[inputs, outputs]`, row-major.
#[derive(Debug)]
struct Weights {
    encoder: Vec<f32>,
    encoder_bias: Vec<f32>,
    gates: Vec<f32>,
    gates_bias: Vec<f32>,
    memory: Vec<f32>,
    head: Vec<f32>,
    head_bias: Vec<f32>,
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
        let weights = Weights {
            encoder: next(),
            encoder_bias: next(),
            gates: next(),
            gates_bias: next(),
            memory: next(),
            head: next(),
            head_bias: next(),
        };
        Self {
            weights: Arc::new(weights),
            normalizer: Arc::new(manifest.normalizer.clone()),
            shape,
            memoryless: manifest.memoryless,
            input: vec![0.0; shape.input],
            encoded: vec![0.0; shape.encoder],
            gates: vec![0.0; 4 * shape.core],
            h: vec![0.0; shape.core],
            c: vec![0.0; shape.core],
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
        self.shape.output
    }

    /// Forgets everything: the start of an episode.
    pub fn reset(&mut self) {
        self.h.fill(0.0);
        self.c.fill(0.0);
    }

    /// Writes the mean action for `observation`: the actor's columns, not normalised.
    ///
    /// # Errors
    /// When a width is wrong or the observation is not finite; the state is then as before.
    pub fn act(&mut self, observation: &[f32], actions: &mut [f32]) -> Result<(), PolicyError> {
        self.check(observation, actions)?;
        self.normalizer.apply(observation, &mut self.input);
        if self.memoryless {
            self.reset();
        }
        let weights = &self.weights;
        self.encoded.copy_from_slice(&weights.encoder_bias);
        add_product(&self.input, &weights.encoder, &mut self.encoded);
        self.encoded.iter_mut().for_each(|x| *x = x.max(0.0));
        self.gates.copy_from_slice(&weights.gates_bias);
        add_product(&self.encoded, &weights.gates, &mut self.gates);
        add_product(&self.h, &weights.memory, &mut self.gates);
        advance(&mut self.gates, &mut self.c, &mut self.h);
        actions.copy_from_slice(&weights.head_bias);
        add_product(&self.h, &weights.head, actions);
        Ok(())
    }

    fn check(&self, observation: &[f32], actions: &[f32]) -> Result<(), PolicyError> {
        for (what, expected, found) in [
            ("the observation", self.shape.input, observation.len()),
            ("the actions", self.shape.output, actions.len()),
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
    /// One step of the memory: gates i, f, g, o side by side, changed in place.
    fn advance(gates: &mut [f32], c: &mut [f32], h: &mut [f32]) {
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
