//! Learning in several processes at once: what they must tell each other.
//!
//! Every member runs its own worlds and has the same networks. Members agree on gradients, on the statistics that
//! normalise, on divergences and so on the learning rate (decentralised distributed PPO, Wijmans et al. 2020, without
//! its preemption of slow members). A group of n members with N worlds each learns what one process with n N worlds
//! learns, but for the last bits of sums and products; where worlds amplify these, runs drift apart.

use crate::PolicyError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Which of two conversations at the same time: actor and critic learn side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The actor's thread, and everything that happens while neither network learns.
    Actor,
    /// The critic's thread.
    Critic,
}

/// Processes that learn together. Every member must make the same calls in the same order in each lane.
pub trait Group: Debug + Send + Sync {
    /// Which member this is, from 0.
    fn rank(&self) -> usize;
    /// How many members there are.
    fn size(&self) -> usize;
    /// Adds up `values` over all members, element by element. All members get the same bits.
    fn sum(&self, lane: Lane, values: &mut [f32]);
    /// What every member says, in the order of ranks.
    fn gather(&self, lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>>;
    /// The same for the first member; the others hear nothing, an empty list. For what may be large.
    fn gather_to_first(&self, lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut said = self.gather(lane, bytes);
        if self.rank() > 0 {
            said.clear();
        }
        said
    }
}

/// A process on its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Group for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _lane: Lane, _values: &mut [f32]) {}

    fn gather(&self, _lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }
}

/// Sums of `values` over all members, added in the order of ranks.
pub(crate) fn sums<const N: usize>(group: &dyn Group, lane: Lane, values: [f64; N]) -> [f64; N] {
    if group.size() == 1 {
        return values;
    }
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut sums = [0.0; N];
    for said in group.gather(lane, &bytes) {
        for (sum, word) in sums.iter_mut().zip(said.as_chunks::<8>().0) {
            *sum += f64::from_le_bytes(*word);
        }
    }
    sums
}

/// The largest of `value` over all members.
pub(crate) fn largest(group: &dyn Group, lane: Lane, value: f32) -> f32 {
    let said = group.gather(lane, &value.to_le_bytes());
    said.iter().filter_map(|said| Some(f32::from_le_bytes(said.as_slice().try_into().ok()?))).fold(value, f32::max)
}

/// What every member says, in the order of ranks.
pub(crate) fn gathered<T: Serialize + DeserializeOwned>(group: &dyn Group, own: &T) -> Result<Vec<T>, PolicyError> {
    said(own, |bytes| group.gather(Lane::Actor, bytes))
}

/// What every member says, in the order of ranks, for the first one; the others hear nothing.
pub(crate) fn gathered_by_first<T: Serialize + DeserializeOwned>(
    group: &dyn Group,
    own: &T,
) -> Result<Vec<T>, PolicyError> {
    said(own, |bytes| group.gather_to_first(Lane::Actor, bytes))
}

fn said<T: Serialize + DeserializeOwned>(
    own: &T,
    gather: impl FnOnce(&[u8]) -> Vec<Vec<u8>>,
) -> Result<Vec<T>, PolicyError> {
    let failed = |reason: String| PolicyError::Tensors { attempted: "telling the other members of the group", reason };
    let bytes = rmp_serde::to_vec(own).map_err(|error| failed(error.to_string()))?;
    let said = gather(&bytes);
    said.iter().map(|bytes| rmp_serde::from_slice(bytes).map_err(|error| failed(error.to_string()))).collect()
}
