//! A group over MPI. Gradients travel as sums, everything else as bytes.

use super::rounds::Rounds;
use anyhow::{Result, ensure};
use giraffe_policy::{Group, Lane};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// MPI from joining to leaving. It may be left once only, by the thread that joined.
static UNIVERSE: Mutex<Option<Universe>> = Mutex::new(None);

/// Where somebody's part lies who has nothing to say: an empty vector lies at address 1, which is how Open MPI writes "in place".
static NOTHING: [u8; 1] = [0];

/// All processes that were started together.
#[derive(Debug)]
pub(super) struct MpiGroup {
    rank: usize,
    size: usize,
    /// One per [`Lane`]: what is said in one is never heard in the other.
    lanes: [SharedCommunicator; 2],
    /// What all say together in one round, bytes.
    round_bytes: usize,
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
    pub fn join(round_bytes: usize) -> Result<Self> {
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
        Ok(Self { rank, size, lanes, round_bytes })
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
        self.in_rounds(lane, bytes, true, |own, (counts, starts), all| {
            let mut parts = PartitionMut::new(all, counts, starts);
            communicator.all_gather_varcount_into(own, &mut parts);
        })
    }

    fn gather_to_first(&self, lane: Lane, bytes: &[u8]) -> Vec<Vec<u8>> {
        let first = self.communicator(lane).process_at_rank(0);
        self.in_rounds(lane, bytes, self.rank == 0, |own, (counts, starts), all| {
            if self.rank == 0 {
                let mut parts = PartitionMut::new(all, counts, starts);
                first.gather_varcount_into_root(own, &mut parts);
            } else {
                first.gather_varcount_into(own);
            }
        })
    }
}

impl MpiGroup {
    /// What every process says, by rank, for one that hears it; otherwise nothing. `pass` does a round: it is given what this
    /// process says in it, how many bytes of each process and where, and room for those of all.
    fn in_rounds(
        &self,
        lane: Lane,
        bytes: &[u8],
        hears: bool,
        pass: impl Fn(&[u8], (&[i32], &[i32]), &mut [u8]),
    ) -> Vec<Vec<u8>> {
        let mut lengths = vec![0_u64; self.size];
        self.communicator(lane).all_gather_into(&(bytes.len() as u64), &mut lengths[..]);
        let rounds = Rounds::new(&lengths, self.round_bytes);
        let mut heard: Vec<Vec<u8>> = Vec::new();
        if hears {
            heard = lengths.iter().map(|length| Vec::with_capacity(*length as usize)).collect();
        }
        // MPI refuses to gather nothing at all: there is no round then.
        let mut all = Vec::new();
        for round in 0..rounds.count() {
            let (counts, starts) = rounds.layout(round);
            let Range { start, end } = rounds.part(self.rank, round);
            if hears {
                all.resize(counts.iter().map(|count| *count as usize).sum(), 0);
            }
            let own = &bytes[start as usize..end as usize];
            pass(if own.is_empty() { &NOTHING[..0] } else { own }, (&counts[..], &starts[..]), &mut all);
            for (heard, (start, count)) in heard.iter_mut().zip(starts.iter().zip(&counts)) {
                heard.extend_from_slice(&all[*start as usize..][..*count as usize]);
            }
        }
        heard
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
