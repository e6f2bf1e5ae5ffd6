//! One process, or several that learn together on one machine or many, started by `mpirun` or a batch system.

#[cfg(feature = "mpi")]
mod mpi;
#[cfg(any(feature = "mpi", test))]
mod rounds;

use anyhow::Result;
use giraffe_physics::WorldsShare;
use giraffe_policy::{Alone, Group, Lane};
use std::sync::Arc;

/// What launchers tell their processes: Open MPI, anything that speaks PMIx (Slurm's `--mpi=pmix`), and PMI (MPICH).
const LAUNCHER_VARIABLES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"];

/// The processes of a run, this one among them.
#[derive(Debug, Clone)]
pub struct Processes {
    group: Arc<dyn Group>,
}

impl Processes {
    /// This process alone, whoever started it.
    pub fn alone() -> Self {
        Self { group: Arc::new(Alone) }
    }

    /// All processes that a launcher started together; this one alone if there was none.
    ///
    /// # Errors
    /// When there was a launcher and this build cannot speak to it.
    pub fn join() -> Result<Self> {
        match LAUNCHER_VARIABLES.iter().find(|name| std::env::var_os(name).is_some()) {
            None => Ok(Self::alone()),
            Some(variable) => Ok(Self { group: join_launched(variable)? }),
        }
    }

    /// As [`Processes::join`], for a test: what is gathered goes in rounds of so many bytes, however little there is.
    ///
    /// # Errors
    /// When this process cannot join the others.
    #[cfg(feature = "mpi")]
    pub fn join_in_rounds_of(bytes: usize) -> Result<Self> {
        Ok(Self { group: Arc::new(mpi::MpiGroup::join(bytes)?) })
    }

    /// Who learns together.
    pub fn group(&self) -> Arc<dyn Group> {
        Arc::clone(&self.group)
    }

    /// Whether this is the process that writes files and talks to people.
    pub fn is_first(&self) -> bool {
        self.group.rank() == 0
    }

    /// Number of processes.
    pub fn count(&self) -> usize {
        self.group.size()
    }

    /// The worlds of this process.
    pub fn share(&self) -> WorldsShare {
        WorldsShare { rank: self.group.rank(), size: self.group.size() }
    }

    /// What every process says, in the order of ranks. All must call this at the same point.
    pub fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.group.gather(Lane::Actor, bytes)
    }

    /// The same, heard by the first process alone: for what may be large. The others hear nothing, an empty list. All must call
    /// this at the same point.
    pub fn gather_to_first(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.group.gather_to_first(Lane::Actor, bytes)
    }

    /// Whether any process says so. All must call this at the same point.
    pub fn any(&self, said: bool) -> bool {
        self.gather(&[u8::from(said)]).iter().any(|said| said == &[1])
    }

    /// What the first process says. All must call this at the same point.
    pub fn of_first(&self, value: f64) -> f64 {
        let said = self.gather(&value.to_le_bytes());
        said.first().and_then(|bytes| Some(f64::from_le_bytes(bytes.as_slice().try_into().ok()?))).unwrap_or(value)
    }
}

#[cfg(feature = "mpi")]
fn join_launched(_variable: &str) -> Result<Arc<dyn Group>> {
    Ok(Arc::new(mpi::MpiGroup::join(rounds::MOST_BYTES)?))
}

#[cfg(not(feature = "mpi"))]
fn join_launched(variable: &str) -> Result<Arc<dyn Group>> {
    anyhow::bail!(
        "this process was started by an MPI launcher ({variable} is set), but this giraffe was built without MPI; build it \
         with `--features mpi`, or start it without a launcher"
    )
}

/// Ends all processes when this one cannot go on: the others would wait for it for ever. Alone, does nothing.
pub fn end_all(exit_code: u8) {
    #[cfg(feature = "mpi")]
    mpi::abort_if_several(exit_code);
    #[cfg(not(feature = "mpi"))]
    let _ = exit_code;
}

/// Says goodbye to the other processes, if there are any. Call once, at the end of the program.
pub fn leave() {
    #[cfg(feature = "mpi")]
    mpi::finalize();
}
