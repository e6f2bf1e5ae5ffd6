//! What a loss reads: the samples of one gradient step, brought to where networks compute.

use crate::network::{Sequence, upload};
use crate::rollout::{Cut, RecurrentState, Rollout};
use burn::tensor::{Device, Tensor};

/// Some chunks of a rollout: N samples.
#[derive(Debug, Clone, Copy)]
pub struct Minibatch<'a> {
    pub(crate) rollout: &'a Rollout,
    pub(crate) cut: Cut,
    pub(crate) chunks: &'a [usize],
    pub(crate) device: &'a Device,
}

impl Minibatch<'_> {
    /// What a network reads: its first `take` columns, from the states it had where chunks begin.
    pub(crate) fn sequence(&self, take: usize, starts: &RecurrentState) -> Sequence {
        let Self { rollout, cut, chunks, .. } = self;
        let column_count = rollout.observations.len() / rollout.rewards.len();
        Sequence {
            observations: cut.gather(&rollout.observations, column_count, take, chunks),
            state: starts.rows(chunks.iter().copied()),
            keep: cut.gather(&rollout.keep, 1, 1, chunks),
        }
    }

    /// `[N, .]` of `[T, W, .]`.
    pub(crate) fn rows(&self, source: &[f32]) -> Vec<f32> {
        let width = source.len() / self.rollout.rewards.len();
        self.cut.gather(source, width, width, self.chunks)
    }

    /// The same on the device.
    pub(crate) fn tensor(&self, source: &[f32]) -> Tensor<2> {
        let width = source.len() / self.rollout.rewards.len();
        let rows = self.rows(source);
        let sample_count = rows.len() / width;
        upload(rows, sample_count, width, self.device)
    }
}
