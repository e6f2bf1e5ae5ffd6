//! A group over MPI. Gradients travel as sums, everything else as bytes.

use anyhow::{Result, ensure};
use giraffe_policy::{Group, Lane};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::sync::{Mutex, PoisonError};

/// MPI from joining to leaving. It may be left once only, by the thread that joined.
static UNIVERSE: Mutex<Option<Universe>> = Mutex::new(None);

/// All processes that were started together.
#[derive(Debug)]
pub(super) struct MpiGroup {
    rank: usize,
    size: usize,
    /// One per [`Lane`]: what is said in one is never heard in the other.
    lanes: [SharedCommunicator; 2],
}

struct SharedCommunicator(SimpleCommunicator);

// SAFETY: a communicator is a handle of MPI's, and MPI was asked for, and promised, calls from several threads at once
// (MPI_THREAD_MULTIPLE, checked in `join`). Each lane is used by one thread at a time.
unsafe impl Send for SharedCommunicator {}
// SAFETY: as above.
unsafe impl Sync for SharedCommunicator {}

impl std::fmt::Debug for SharedCommunicator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("communicator")
    }
}

impl MpiGroup {
    pub fn join() -> Result<Self> {
        let (universe, threading) = mpi::initialize_with_threading(Threading::Multiple)
            .ok_or_else(|| anyhow::anyhow!("MPI was joined already; a process can join once"))?;
        ensure!(
            threading >= Threading::Multiple,
            "actor and critic talk to the other processes from two threads, but this MPI allows {threading:?} only; use \
             an MPI built for MPI_THREAD_MULTIPLE (Open MPI is, since version 4)"
        );
        let world = universe.world();
        let lanes = [SharedCommunicator(world.duplicate()), SharedCommunicator(world.duplicate())];
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        *UNIVERSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(universe);
        Ok(Self { rank, size, lanes })
    }

    fn communicator(&self, lane: Lane) -> &SimpleCommunicator {
        &self.lanes[usize::from(lane == Lane::Critic)].0
    }
}

impl Group for MpiGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum(&self, lane: Lane, values: &mut [f32]) {
        let own = values.to_vec();
        self.communicator(lane).all_reduce_into(&own[..], values, SystemOperation::sum());
    }

    fn gather(&self, lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>> {
        let communicator = self.communicator(lane);
        let mut lengths = vec![0i32; self.size];
        let length = i32::try_from(bytes.len()).expect("one process's part of a run is below 2 GiB");
        communicator.all_gather_into(&length, &mut lengths[..]);
        // MPI refuses to gather nothing at all.
        if lengths.iter().all(|length| *length == 0) {
            return vec![Vec::new(); self.size];
        }
        let starts: Vec<i32> = lengths
            .iter()
            .scan(0, |next, length| {
                let start = *next;
                *next += length;
                Some(start)
            })
            .collect();
        let mut all = vec![0u8; lengths.iter().map(|length| *length as usize).sum()];
        let mut parts = PartitionMut::new(&mut all[..], &lengths[..], &starts[..]);
        communicator.all_gather_varcount_into(bytes, &mut parts);
        let part = |(start, length): (&i32, &i32)| all[*start as usize..][..*length as usize].to_vec();
        starts.iter().zip(&lengths).map(part).collect()
    }
}

/// See [`super::end_all`].
pub(super) fn abort_if_several(exit_code: u8) {
    if let Some(universe) = &*UNIVERSE.lock().unwrap_or_else(PoisonError::into_inner) {
        let world = universe.world();
        if world.size() > 1 {
            world.abort(i32::from(exit_code));
        }
    }
}

/// See [`super::leave`].
pub(super) fn finalize() {
    // Every communicator must be gone by now; dropping the universe leaves MPI.
    drop(UNIVERSE.lock().unwrap_or_else(PoisonError::into_inner).take());
}
