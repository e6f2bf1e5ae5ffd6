//! What a learner computes on, and with whom it learns.

use crate::group::Group;
use crate::network::{Frozen, Inference, Sequence};
use crate::threads::Threads;
use burn::tensor::Device;
use std::sync::Arc;

/// Device, threads and the other members of the group.
pub(crate) struct Compute {
    pub device: Device,
    pub threads: Threads,
    pub group: Arc<dyn Group>,
}

impl Compute {
    /// Runs a network, on all threads.
    pub fn infer(&self, network: &Frozen, sequence: Sequence) -> Inference {
        self.threads.all.install(|| network.infer(sequence, &self.device))
    }
}
