//! The metrics for TensorBoard: event files in `tensorboard/`, one per session of a run.
//!
//! An event file is a sequence of records, each its length, a checksum of that, the message and a checksum of it, and a
//! message is a protocol buffer (`tensorflow/core/util/event.proto`; the records: TensorFlow's `lib/io/record_writer.h`).
//! Only the few messages that scalars need are declared here.
//!
//! A step is a control step. When a run goes on from a checkpoint, events after it are removed from earlier files, and the
//! new file begins with a mark by which a TensorBoard that has already read them forgets them.

use super::row::tag;
use crate::run::folder::{RunFolder, RunProgress};
use anyhow::{Context, Result};
use prost::Message;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

const FOLDER: &str = "tensorboard";
/// What the name of an event file begins with, by TensorBoard's rule. The iteration that the session began with follows:
/// files are read in the order of their names.
const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".giraffe";
/// What a reader expects of the first record.
const VERSION: &str = "brain.Event:2";
/// Status of a session that begins.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    // One of these three.
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Writes the event file of one session.
#[derive(Debug)]
pub struct EventLog {
    file: File,
}

impl EventLog {
    /// Removes what came after `progress`, the checkpoint being continued from, and begins a file.
    pub fn open(folder: &RunFolder, progress: &RunProgress) -> Result<Self> {
        let path = folder.file(FOLDER);
        std::fs::create_dir_all(&path).with_context(|| format!("making the folder {}", path.display()))?;
        cut(folder, &path, progress)?;
        let path = path.join(format!("{PREFIX}{:010}{SUFFIX}", progress.iteration));
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let mut log = Self { file: file.with_context(|| format!("opening {}", path.display()))? };
        log.append(&Event { file_version: Some(VERSION.to_owned()), ..event(0) })?;
        // Whoever reads this forgets events from that step on.
        log.append(&Event { session_log: Some(SessionLog { status: START }), ..event(progress.control_steps + 1) })?;
        Ok(log)
    }

    /// Writes every field that is a finite number. `measures` are the names of those of the task.
    pub fn write(&mut self, control_steps: u64, fields: &[(&str, &str)], measures: &[&str]) -> Result<()> {
        let value = fields.iter().filter_map(|(name, value)| {
            let value = value.parse().ok().filter(|value: &f32| value.is_finite())?;
            Some(Value { tag: tag(name, measures), simple_value: Some(value) })
        });
        self.append(&Event { summary: Some(Summary { value: value.collect() }), ..event(control_steps) })
    }

    fn append(&mut self, event: &Event) -> Result<()> {
        self.file.write_all(&record(&event.encode_to_vec())).context("writing metrics for TensorBoard")
    }

    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().context("writing metrics for TensorBoard")
    }
}

/// An empty event of now.
#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
fn event(step: u64) -> Event {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Event { wall_time: since_1970.as_secs_f64(), step: i64::try_from(step).unwrap_or(i64::MAX), ..Event::default() }
}

/// Removes files of sessions that began at or after `progress`, and events after it from the others.
fn cut(run: &RunFolder, folder: &Path, progress: &RunProgress) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let begun = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)?.parse::<u64>().ok());
        // What somebody else put there stays.
        let Some(begun) = begun else { continue };
        let path = folder.join(&name);
        if begun >= progress.iteration {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let is_before = |message: &&[u8]| {
            Event::decode(*message).is_ok_and(|event| {
                event.summary.is_none() || u64::try_from(event.step).is_ok_and(|step| step <= progress.control_steps)
            })
        };
        let kept: Vec<u8> = records(&bytes).filter(is_before).flat_map(record).collect();
        if kept != bytes {
            run.write(&format!("{FOLDER}/{name}"), &kept)?;
        }
    }
    Ok(())
}

/// A message as a record: length, its checksum, message, its checksum; all numbers with the least byte first.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length).to_le_bytes(), message, &checksum(message).to_le_bytes()].concat()
}

/// The messages of a file, up to the first that is damaged or cut short.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_at_checked(8)?;
        let (length_sum, rest) = rest.split_at_checked(4)?;
        let (message, rest) = rest.split_at_checked(u64::from_le_bytes(length.try_into().ok()?).try_into().ok()?)?;
        let (message_sum, rest) = rest.split_at_checked(4)?;
        bytes = rest;
        let holds = |sum: &[u8], of: &[u8]| sum == checksum(of).to_le_bytes();
        (holds(length_sum, length) && holds(message_sum, message)).then_some(message)
    })
}

/// CRC-32C, turned and shifted, so that a record inside a record does not look like one (TensorFlow's `lib/hash/crc32c.h`).
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let home = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(&home.path().join("run")).expect("a run");
        (home, folder)
    }

    fn at(iteration: u64) -> RunProgress {
        RunProgress { iteration, control_steps: 64 * iteration, ..RunProgress::default() }
    }

    fn write(log: &mut EventLog, iterations: std::ops::RangeInclusive<u64>) {
        for iteration in iterations {
            let loss = format!("{}.5", iteration);
            let fields = [("policy_loss", loss.as_str()), ("kept_fraction", ""), ("episode_count", "3")];
            log.write(64 * iteration, &fields, &["kept_fraction"]).expect("written");
        }
    }

    /// All events in the order in which TensorBoard reads them.
    fn events(folder: &RunFolder) -> Vec<Event> {
        let names =
            std::fs::read_dir(folder.file(FOLDER)).expect("the folder").map(|entry| entry.expect("a file").path());
        let mut paths: Vec<_> = names.collect();
        paths.sort();
        let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("read")).collect();
        let decoded = |file| records(file).map(|message| Event::decode(message).expect("an event")).collect::<Vec<_>>();
        for file in &files {
            assert_eq!(
                records(file).map(|message| message.len() + 16).sum::<usize>(),
                file.len(),
                "nothing is left over"
            );
            assert_eq!(decoded(file)[0].file_version.as_deref(), Some(VERSION));
        }
        files.iter().flat_map(|file| decoded(file)).collect()
    }

    fn steps(folder: &RunFolder) -> Vec<i64> {
        events(folder).iter().filter(|event| event.summary.is_some()).map(|event| event.step).collect()
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // A record as TensorFlow's own writer makes it: the version of an event file at time 0.
        let version = Event { file_version: Some(VERSION.to_owned()), ..Event::default() };
        let message = version.encode_to_vec();
        assert_eq!(message, b"\x1a\x0dbrain.Event:2");
        let bytes = record(&message);
        assert_eq!(records(&bytes).collect::<Vec<_>>(), [&message[..]]);
        // CRC-32C of the letters 123456789 is e3069283 (the catalogue of parametrised CRC algorithms).
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(checksum(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        for damaged in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[damaged] ^= 4;
            assert_eq!(records(&bytes).count(), 0, "byte {damaged}");
        }
    }

    #[test]
    fn what_somebody_else_put_there_stays() {
        let (_home, folder) = run();
        write(&mut EventLog::open(&folder, &at(0)).expect("begun"), 1..=5);
        let theirs = folder.file("tensorboard/events.out.tfevents.1.mine");
        std::fs::write(&theirs, b"theirs").expect("written");
        drop(EventLog::open(&folder, &at(0)).expect("begun again"));
        assert_eq!(std::fs::read(theirs).expect("still there"), b"theirs");
    }

    #[test]
    fn numbers_are_written_under_their_group_and_what_is_no_number_is_left_out() {
        let (_home, folder) = run();
        write(&mut EventLog::open(&folder, &at(0)).expect("opened"), 1..=2);
        let events = events(&folder);
        assert_eq!(events.len(), 4);
        let summary = events[3].summary.as_ref().expect("numbers");
        let values: Vec<_> = summary.value.iter().map(|value| (value.tag.as_str(), value.simple_value)).collect();
        assert_eq!(values, [("learning/policy_loss", Some(2.5)), ("task/episode_count", Some(3.0))]);
        assert_eq!(events[3].step, 128);
        assert!(events[3].wall_time > 1.7e9);
    }

    #[test]
    fn a_run_goes_on_without_events_after_its_checkpoint_however_often_it_was_killed() {
        let (_home, folder) = run();
        write(&mut EventLog::open(&folder, &at(0)).expect("begun"), 1..=5);
        let first = folder.file(&format!("{FOLDER}/{PREFIX}0000000000{SUFFIX}"));
        let whole = std::fs::read(&first).expect("read");
        std::fs::write(&first, &whole[..whole.len() - 3]).expect("killed in the middle of an event");
        // From iteration 3 up to 8, killed; from 3 again up to 7; then the checkpoint at 7 is damaged: from 2.
        for (from, until) in [(3, 8), (3, 7), (7, 9), (2, 4)] {
            write(&mut EventLog::open(&folder, &at(from)).expect("opened again"), from + 1..=until);
            assert_eq!(steps(&folder), (1..=until as i64).map(|iteration| 64 * iteration).collect::<Vec<_>>());
        }
        let marks = events(&folder);
        let marks: Vec<i64> =
            marks.iter().filter(|event| event.session_log.is_some()).map(|event| event.step).collect();
        assert_eq!(marks, [1, 129]);
    }
}
