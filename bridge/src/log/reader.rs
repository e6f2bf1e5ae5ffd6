//! Reading a log back, also one whose writer was killed.

use super::goal::Goal;
use super::record::{ClockBounds, Event, EventKind, Net, Numbers, PoseUsed};
use super::schemas::topic;
use super::{LogError, Sections};
use crate::message::{Command, Pose, State, WithHead};
use crate::wire::{Body, decode};
use mcap::parse_record;
use mcap::records::{MessageHeader, Record, op};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Longer records and chunks are taken for damage: chunks are closed far earlier.
const MAX_RECORD_BYTES: usize = 64 << 20;
const KILLED: &str = "it has no end: its writer was killed";

/// A log, whole.
#[derive(Debug, Default)]
pub struct LoggedDeployment {
    /// What belongs to the log as a whole.
    pub sections: Sections,
    /// Everything that was recorded, in order.
    pub entries: Vec<Entry>,
    /// Why it is not whole, if it is not: then everything before that is here.
    pub cut: Option<String>,
    /// Messages that could not be understood.
    pub unreadable: u64,
}

/// One message of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Monotonic time of who recorded, mapped once to the wall clock, ns since 1970.
    pub log_time_ns: u64,
    /// What it says.
    pub logged: Logged,
}

/// What a message of a log says.
#[derive(Debug, Clone, PartialEq)]
pub enum Logged {
    /// `/obs`
    Observation(Numbers),
    /// `/action_raw`
    Action(Numbers),
    /// `/goal`
    Goal(Goal),
    /// `/cmd_raw`, and what `/cmd` says of it.
    Command {
        /// The message.
        message: WithHead<Command>,
        /// Whether the link took it.
        sent: bool,
    },
    /// `/state_raw`
    State(Box<WithHead<State>>),
    /// `/pose_raw`
    Pose(WithHead<Pose>),
    /// `/pose_used`
    Sensed(PoseUsed),
    /// `/event`
    Event(Event),
    /// `/net`
    Net(Net),
    /// `/clock`
    Clock(ClockBounds),
}

impl LoggedDeployment {
    /// A text that belongs to the log as a whole.
    pub fn text(&self, section: &str, key: &str) -> Option<&str> {
        Some(self.sections.get(section)?.get(key)?.as_str())
    }

    /// Events of one kind.
    pub fn events(&self, kind: EventKind) -> impl Iterator<Item = &Event> {
        self.entries.iter().filter_map(move |entry| match &entry.logged {
            Logged::Event(event) if event.kind == kind => Some(event),
            _ => None,
        })
    }
}

/// Whether `path` is a file that begins as MCAP does.
pub fn is_log(path: &Path) -> bool {
    let mut start = [0; mcap::MAGIC.len()];
    let file = std::fs::File::open(path).ok().filter(|_| path.is_file());
    file.is_some_and(|mut file| std::io::Read::read_exact(&mut file, &mut start).is_ok() && start == *mcap::MAGIC)
}

/// Reads a log.
///
/// # Errors
/// When the file cannot be read or is no log of a deployment. One that was cut short can be read: see
/// [`LoggedDeployment::cut`].
pub fn read(path: &Path) -> Result<LoggedDeployment, LogError> {
    let attempted = "reading the log";
    let bytes = std::fs::read(path).map_err(|source| LogError::File { attempted, path: path.to_owned(), source })?;
    let not_a_log = |reason: &str| LogError::NotALog { path: path.to_owned(), reason: reason.to_owned() };
    if !bytes.starts_with(mcap::MAGIC) {
        return Err(not_a_log("expected an MCAP file, as `giraffe deploy` writes; this one begins otherwise"));
    }
    let log = read_bytes(&bytes);
    let begins = log.events(EventKind::LogStart).next().is_some();
    let empty = "it holds no log of a deployment: no /event says `log_start` (cut off before its first chunk was \
                 written, or written by another program)";
    if begins { Ok(log) } else { Err(not_a_log(empty)) }
}

/// Reads a log that is in memory, as far as it can be read. Never fails: see [`LoggedDeployment::cut`].
pub fn read_bytes(bytes: &[u8]) -> LoggedDeployment {
    let mut reading = Reading::default();
    reading.log.cut = reading.all(bytes);
    reading.log
}

#[derive(Default)]
struct Reading {
    log: LoggedDeployment,
    topics: BTreeMap<u16, String>,
    /// What the last `/cmd` says of the `/cmd_raw` after it.
    sent: bool,
}

#[derive(Deserialize)]
struct SentRow {
    sent: bool,
}

impl Reading {
    /// Why it ended before its end, if it did.
    fn all(&mut self, mut bytes: &[u8]) -> Option<String> {
        // A chunk counts as a whole or not at all, and nothing makes room for more than a log can hold.
        let options = LinearReaderOptions::default()
            .with_skip_end_magic(true)
            .with_prevalidate_chunk_crcs(true)
            .with_record_length_limit(MAX_RECORD_BYTES);
        let mut reader = LinearReader::new_with_options(options);
        while let Some(event) = reader.next_event() {
            match event {
                Ok(LinearReadEvent::ReadRequest(wanted)) => {
                    let (now, later) = bytes.split_at(wanted.min(bytes.len()));
                    reader.insert(now.len()).copy_from_slice(now);
                    reader.notify_read(now.len());
                    bytes = later;
                }
                Ok(LinearReadEvent::Record { opcode: op::DATA_END, .. }) => return None,
                Ok(LinearReadEvent::Record { opcode, data }) => {
                    if [op::METADATA, op::CHANNEL, op::MESSAGE].contains(&opcode) {
                        match parse_record(opcode, data) {
                            Ok(record) => self.take(record),
                            Err(error) => return Some(error.to_string()),
                        }
                    }
                }
                Err(mcap::McapError::UnexpectedEof) => return Some(KILLED.to_owned()),
                Err(error) => return Some(error.to_string()),
            }
        }
        Some(KILLED.to_owned())
    }

    fn take(&mut self, record: Record<'_>) {
        match record {
            Record::Metadata(section) => {
                self.log.sections.insert(section.name, section.metadata);
            }
            Record::Channel(channel) => {
                self.topics.insert(channel.id, channel.topic);
            }
            Record::Message { header, data } => self.message(&header, &data),
            _ => {}
        }
    }

    fn message(&mut self, header: &MessageHeader, data: &[u8]) {
        let logged = match self.topics.get(&header.channel_id).map_or("", String::as_str) {
            topic::OBS => json(data).map(Logged::Observation),
            topic::ACTION_RAW => json(data).map(Logged::Action),
            topic::GOAL => json(data).map(Logged::Goal),
            topic::CMD => {
                self.sent = json::<SentRow>(data).is_none_or(|row| row.sent);
                return;
            }
            topic::CMD_RAW => wire(data).map(|message| Logged::Command { message, sent: self.sent }),
            topic::STATE_RAW => wire(data).map(|state| Logged::State(Box::new(state))),
            topic::POSE_RAW => wire(data).map(Logged::Pose),
            topic::POSE_USED => json(data).map(Logged::Sensed),
            topic::EVENT => json(data).map(Logged::Event),
            topic::NET => json(data).map(Logged::Net),
            topic::CLOCK => json(data).map(Logged::Clock),
            _ => return,
        };
        match logged {
            Some(logged) => self.log.entries.push(Entry { log_time_ns: header.log_time, logged }),
            None => self.log.unreadable += 1,
        }
    }
}

fn json<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    serde_json::from_slice(data).ok()
}

fn wire<B: Body>(data: &[u8]) -> Option<WithHead<B>> {
    decode::<B>(data).ok().map(|(head, body)| WithHead { head, body })
}
