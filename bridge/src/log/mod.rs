//! Logs of deployments, in MCAP: everything a policy saw, said and sent, and everything its hand answered.
//!
//! ```text
//!  policy's loop ── record() ──► bounded queue ──► writer's thread ──► file.mcap ──► read() ── replay, check_envelope()
//! ```
//!
//! [`DeploymentLog::handle`] gives a [`LogHandle`], which is a [`LinkTap`]. Recording copies a few
//! hundred bytes and never waits; when the queue is full the record is dropped, counted, and the gap written into the
//! log at its place. A chunk is closed every [`FLUSH_SECS`] and where an episode ends, so that a process that is killed leaves
//! a file that can be read up to there.
//!
//! Invariants: records are in the file in the order in which they were recorded; a float32 that is written is read back
//! with the same bits; what came over the link is kept as the bytes that came.

mod cdr;
mod episodes;
mod goal;
mod histogram;
mod json;
mod reader;
mod record;
mod schemas;
mod twin;
mod writer;

pub use cdr::JointState;
pub use episodes::{LoggedEpisode, LoggedStep};
pub use goal::Goal;
pub use histogram::Histogram;
pub use json::{exact, exact_pretty};
pub use reader::{Entry, Logged, LoggedDeployment, is_log, read, read_bytes};
pub use record::{ClockBounds, EpisodeSummary, Event, EventKind, MeasuredValue, Net, Numbers, PoseUsed, Record};
pub use schemas::topic;
pub use twin::{EnvelopeCheck, EnvelopeDifference, check_envelope};

use crate::client::{LinkTap, SensedPose};
use crate::clock::Clock;
use crate::handshake::Objection;
use giraffe_robots::Nanos;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use thiserror::Error;
use writer::{Writer, run};

/// A killed process loses at most about this much of its log, s.
pub const FLUSH_SECS: f64 = 0.4;
/// Records that may wait for the writer: some ten seconds at 20 Hz with everything that goes with a step.
pub const QUEUE_RECORDS: usize = 8192;
/// Bytes that may wait for the writer.
const QUEUE_BYTES: usize = 16 << 20;

/// What goes wrong with logs.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file cannot be made, read or written.
    #[error("{attempted} {}: {source}", path.display())]
    File {
        /// What was being done.
        attempted: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// MCAP cannot be written.
    #[error("writing the log {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the library says.
        reason: String,
    },
    /// It is no log of a deployment.
    #[error("{}: {reason}", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// Why, and what was expected.
        reason: String,
    },
}

/// Named texts that belong to the log as a whole, by section.
pub type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// What a log is begun with.
pub struct LogStart {
    /// The file; its folder is made.
    pub path: PathBuf,
    /// The clock of whoever records.
    pub clock: Arc<dyn Clock>,
    /// The wall clock at the moment of this call, ns since 1970. From here on only `clock` counts.
    pub wall_start_ns: u64,
    /// Joints in the order of the wire.
    pub joints: Vec<String>,
    /// Written before everything else.
    pub sections: Sections,
    /// Name, media type and bytes of files that belong to the log.
    pub attachments: Vec<(String, String, Vec<u8>)>,
    /// Records that may wait for the writer: [`QUEUE_RECORDS`].
    pub queue_records: usize,
}

/// What became of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSummary {
    /// The file.
    pub path: PathBuf,
    /// Records written.
    pub written: u64,
    /// Records that were dropped because the disk or the processor could not keep up.
    pub dropped: u64,
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    finish: AtomicBool,
    /// All drops.
    dropped: AtomicU64,
    /// Drops since a record was last taken.
    gap: AtomicU64,
    queued_bytes: AtomicUsize,
}

/// A record on its way.
struct Queued {
    at: Nanos,
    /// Records dropped just before it.
    gap: u64,
    record: Record,
}

/// A log that is being written. Finished when dropped, but [`DeploymentLog::finish`] says how it went.
pub struct DeploymentLog {
    handle: LogHandle,
    path: PathBuf,
    thread: Option<JoinHandle<Result<u64, String>>>,
}

/// Records into a log. Never waits.
#[derive(Clone)]
pub struct LogHandle {
    sender: SyncSender<Queued>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl DeploymentLog {
    /// Makes the file, writes what belongs to the log as a whole, and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub fn create(start: LogStart) -> Result<Self, LogError> {
        let path = start.path.clone();
        let writer = Writer::create(&start)?;
        let (sender, receiver) = sync_channel(start.queue_records.max(1));
        let shared = Arc::new(Shared::default());
        let handle = LogHandle { sender, shared: Arc::clone(&shared), clock: Arc::clone(&start.clock) };
        let clock = start.clock;
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || run(writer, &receiver, &shared, clock.as_ref()))
            .map_err(|source| LogError::File { attempted: "starting the writer of", path: path.clone(), source })?;
        Ok(Self { handle, path, thread: Some(thread) })
    }

    /// What records.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is waiting, and the end. What is recorded after this is lost.
    ///
    /// # Errors
    /// When anything could not be written.
    pub fn finish(mut self) -> Result<LogSummary, LogError> {
        let written = self.join().map_err(|reason| LogError::Write { path: self.path.clone(), reason })?;
        let dropped = self.handle.shared.dropped.load(Ordering::Relaxed);
        Ok(LogSummary { path: self.path.clone(), written, dropped })
    }

    fn join(&mut self) -> Result<u64, String> {
        self.handle.shared.finish.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            Some(Err(_)) => Err("the writer panicked".to_owned()),
            None => Ok(0),
        }
    }
}

impl Drop for DeploymentLog {
    fn drop(&mut self) {
        if let Err(reason) = self.join() {
            tracing::error!("writing the log {}: {reason}", self.path.display());
        }
    }
}

impl LogHandle {
    /// Records something that happened now.
    pub fn record(&self, record: Record) {
        self.record_at(record, self.clock.now());
    }

    /// Records something that happened at `now`.
    pub fn record_at(&self, record: Record, now: Nanos) {
        let bytes = record.byte_count();
        let waiting = self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let gap = self.shared.gap.swap(0, Ordering::Relaxed);
        let fits = waiting + bytes <= QUEUE_BYTES;
        let sent = fits && self.sender.try_send(Queued { at: now, gap, record }).is_ok();
        if !sent {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.shared.gap.fetch_add(gap + 1, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records dropped so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl LinkTap for LogHandle {
    fn state(&mut self, bytes: &[u8], now: Nanos) {
        self.record_at(Record::State(bytes.to_vec()), now);
    }

    fn ignored(&mut self, bytes: &[u8], now: Nanos) {
        self.record_at(Record::Ignored(bytes.to_vec()), now);
    }

    fn pose(&mut self, bytes: &[u8], now: Nanos) {
        self.record_at(Record::Pose(bytes.to_vec()), now);
    }

    fn sensed_pose(&mut self, pose: &SensedPose, now: Nanos) {
        self.record_at(Record::Sensed(pose.into()), now);
    }

    fn command(&mut self, bytes: &[u8], sent: bool, now: Nanos) {
        self.record_at(Record::Command { bytes: bytes.to_vec(), sent }, now);
    }

    fn request(&mut self, name: &str, refused: Option<&Objection>, now: Nanos) {
        let text = match refused {
            None => format!("{name}: granted"),
            Some(objection) => format!("{name}: refused ({}): {}", objection.code, objection.detail),
        };
        self.record_at(Record::Event(Event::new(EventKind::Request, text)), now);
    }
}
