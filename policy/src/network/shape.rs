//! The widths of a network, and where its parameters lie in a policy's file.

use crate::config::{CoreKind, PpoConfig};
use crate::head::ActionHead;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The widths of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Columns read.
    pub input: usize,
    /// Units of the encoder.
    pub encoder: usize,
    /// Units of each layer of the memory.
    pub core: usize,
    /// Numbers put out.
    pub output: usize,
    /// What remembers.
    #[serde(default)]
    pub kind: CoreKind,
    /// Layers of the memory.
    #[serde(default = "one")]
    pub layers: usize,
    /// What an actor's outputs mean.
    #[serde(default)]
    pub head: ActionHead,
}

/// Policies written before there were several layers have one.
fn one() -> usize {
    1
}

impl fmt::Display for NetworkShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CoreKind::Lstm => "LSTM",
            CoreKind::Gru => "GRU",
        };
        let Self { input, encoder, core, output, layers, head, .. } = self;
        write!(f, "{input} columns, encoder {encoder}, {layers} x {kind}-{core}, {output} outputs")?;
        match head {
            ActionHead::Gaussian => Ok(()),
            ActionHead::Categorical { bin_count } => write!(f, " in bins of {bin_count}"),
        }
    }
}

impl NetworkShape {
    /// An actor with the widths of `config`.
    pub(crate) fn actor(config: &PpoConfig, input: usize, action_width: usize) -> Self {
        let head = config.action_head();
        Self { head, ..Self::with_outputs(config, input, head.output_width(action_width)) }
    }

    /// A critic with the widths of `config`.
    pub(crate) fn critic(config: &PpoConfig, input: usize) -> Self {
        Self::with_outputs(config, input, 1)
    }

    fn with_outputs(config: &PpoConfig, input: usize, output: usize) -> Self {
        let PpoConfig { encoder_width, core_width, core, core_layers, .. } = *config;
        let head = ActionHead::default();
        Self { input, encoder: encoder_width, core: core_width, output, kind: core, layers: core_layers, head }
    }

    /// Whether a network can have this shape; what was read from a file may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        /// Far beyond what anybody trains, and small enough that no product of two overflows.
        const LARGEST: usize = 1 << 20;
        let widths = [self.input, self.encoder, self.core, self.output, self.layers];
        if widths.iter().any(|width| !(1..=LARGEST).contains(width)) {
            return Err(format!("no network has the shape it names: {self}"));
        }
        match self.head {
            ActionHead::Categorical { bin_count } if bin_count < 2 => {
                Err(format!("its actions have {bin_count} values, expected at least 2"))
            }
            _ => Ok(()),
        }
    }

    /// Numbers remembered of one world: layer after layer, h before c.
    pub fn state_width(&self) -> usize {
        self.layers * self.core * self.kind.state_count()
    }

    /// Names and sizes of the parameters, in the order of [`crate::Policy::weights`]. Matrices are row-major, one row
    /// per input; gates i, f, g, o (LSTM) or r, z, n (GRU) side by side.
    pub fn parameter_sizes(&self) -> Vec<(String, usize)> {
        let gate_width = self.kind.gate_count() * self.core;
        let named = |name: &str, size| (name.to_owned(), size);
        let mut sizes = vec![named("encoder.weight", self.input * self.encoder), named("encoder.bias", self.encoder)];
        for layer in 0..self.layers {
            let input = if layer == 0 { self.encoder } else { self.core };
            sizes.push((format!("layers.{layer}.gates.weight"), input * gate_width));
            sizes.push((format!("layers.{layer}.gates.bias"), gate_width));
            sizes.push((format!("layers.{layer}.memory.weight"), self.core * gate_width));
            if self.kind == CoreKind::Gru {
                sizes.push((format!("layers.{layer}.candidate.bias"), self.core));
            }
        }
        sizes.extend([named("head.weight", self.core * self.output), named("head.bias", self.output)]);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_network_has_are_refused() {
        let config = PpoConfig { head: crate::HeadKind::Categorical, core_layers: 2, ..PpoConfig::default() };
        let shape = NetworkShape::actor(&config, 9, 3);
        shape.check().unwrap();
        assert_eq!(shape.to_string(), "9 columns, encoder 64, 2 x LSTM-64, 33 outputs in bins of 11");
        for wrong in [
            NetworkShape { layers: 0, ..shape },
            NetworkShape { core: 0, ..shape },
            NetworkShape { encoder: usize::MAX, ..shape },
            NetworkShape { head: ActionHead::Categorical { bin_count: 1 }, ..shape },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
