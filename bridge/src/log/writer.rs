//! The writer's end of a log: from records to channels, on a thread of its own.

use super::cdr::{JOINT_STATE, JOINT_STATE_DEFINITION, JointState};
use super::json::exact;
use super::record::{AppliedRow, ClockBounds, Event, EventKind, Net, Numbers, Record};
use super::schemas::{JSON_CHANNELS, RAW_CHANNELS, json_schema, topic};
use super::{FLUSH_SECS, LogError, LogStart, Queued, Shared};
use crate::client::LinkReport;
use crate::clock::{Clock, after};
use crate::fault::FaultSet;
use crate::message::{Command, Pose, SOFTWARE, State, WithHead};
use crate::wire::{Body, decode};
use giraffe_robots::Nanos;
use mcap::records::{MessageHeader, Metadata};
use mcap::{Attachment, Compression, McapResult, WriteOptions};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufWriter;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// So often the writer looks whether it is to finish, while nothing comes.
const LOOK: Duration = Duration::from_millis(20);
/// The link's numbers are written so often, s.
const NET_SECS: f64 = 1.0;
/// Commands whose state has not come yet: more are forgotten, oldest first.
const AWAITED_COMMANDS: usize = 64;
const NS_PER_US: i64 = 1000;

/// A command that was handed to the link with its number and when.
type Sent = (u64, Nanos);

/// An open file.
pub(super) struct Writer {
    mcap: mcap::Writer<BufWriter<File>>,
    channels: BTreeMap<&'static str, (u16, u32)>,
    joints: Vec<String>,
    /// Wall clock minus the recorder's clock, ns: fixed at the start.
    wall_offset_ns: i64,
    written: u64,
    /// The newest state, for what is said only when it changes.
    last: Option<WithHead<State>>,
    sent: VecDeque<Sent>,
    net: Net,
    clock: ClockBounds,
    net_due: Nanos,
}

#[derive(Serialize)]
struct CommandRow<'m> {
    #[serde(flatten)]
    message: &'m WithHead<Command>,
    sent: bool,
}

impl Writer {
    pub(super) fn create(start: &LogStart) -> Result<Self, LogError> {
        let path = start.path.clone();
        let failed = |attempted, source| LogError::File { attempted, path: path.clone(), source };
        if let Some(folder) = start.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| failed("making the folder of", source))?;
        }
        let file = File::create_new(&start.path).map_err(|source| failed("making the log", source))?;
        let wrong = |error: mcap::McapError| LogError::Write { path: path.clone(), reason: error.to_string() };
        Self::begin(start, file).map_err(wrong)
    }

    fn begin(start: &LogStart, file: File) -> McapResult<Self> {
        // A chunk is put together in memory and written whole, so that a file never ends in half a chunk for long.
        let options = WriteOptions::new()
            .profile("ros2")
            .library(SOFTWARE)
            .compression(Some(Compression::Lz4))
            .disable_seeking(true);
        let mut mcap = options.create(BufWriter::new(file))?;
        for (name, entries) in &start.sections {
            mcap.write_metadata(&Metadata { name: name.clone(), metadata: entries.clone() })?;
        }
        for (name, media_type, data) in &start.attachments {
            mcap.attach(&Attachment {
                log_time: start.wall_start_ns,
                create_time: start.wall_start_ns,
                name: name.clone(),
                media_type: media_type.clone(),
                data: Cow::Borrowed(data),
            })?;
        }
        let channels = channels(&mut mcap)?;
        let now = start.clock.now();
        let wall = i64::try_from(start.wall_start_ns).unwrap_or(i64::MAX);
        let mut writer = Self {
            mcap,
            channels,
            joints: start.joints.clone(),
            wall_offset_ns: wall.saturating_sub(now.0),
            written: 0,
            last: None,
            sent: VecDeque::new(),
            net: Net::default(),
            clock: ClockBounds { offset_at_most_ns: i64::MAX, ..ClockBounds::default() },
            net_due: after(now, NET_SECS),
        };
        writer.event(&Event::new(EventKind::LogStart, "the log begins"), now)?;
        writer.mcap.flush()?;
        Ok(writer)
    }

    fn wall_ns(&self, at: Nanos) -> u64 {
        u64::try_from(at.0.saturating_add(self.wall_offset_ns)).unwrap_or(0)
    }

    fn put(&mut self, topic: &'static str, data: &[u8], at: Nanos) -> McapResult<()> {
        let log_time = self.wall_ns(at);
        let Some((channel_id, sequence)) = self.channels.get_mut(topic) else { return Ok(()) };
        *sequence = sequence.wrapping_add(1);
        let header = MessageHeader { channel_id: *channel_id, sequence: *sequence, log_time, publish_time: log_time };
        self.mcap.write_to_known_channel(&header, data)
    }

    fn put_json<T: Serialize>(&mut self, topic: &'static str, value: &T, at: Nanos) -> McapResult<()> {
        let data = exact(value).map_err(std::io::Error::other)?;
        self.put(topic, &data, at)
    }

    fn event(&mut self, event: &Event, at: Nanos) -> McapResult<()> {
        self.put_json(topic::EVENT, event, at)
    }

    fn write(&mut self, Queued { at, gap, record }: Queued) -> McapResult<()> {
        if gap > 0 {
            tracing::warn!("{gap} records are missing in the log: the disk or the processor could not keep up");
            let text = "records were dropped here, so that the hand need not wait for the disk";
            self.event(&Event::new(EventKind::LogDropped, text).numbered(gap), at)?;
        }
        match record {
            Record::Observation(numbers) => self.numbers(topic::OBS, numbers, at)?,
            Record::Action(numbers) => self.numbers(topic::ACTION_RAW, numbers, at)?,
            Record::Goal(goal) => self.put_json(topic::GOAL, &goal, at)?,
            Record::Command { bytes, sent } => self.command(&bytes, sent, at)?,
            Record::State(bytes) => self.state(&bytes, at)?,
            Record::Pose(bytes) => {
                if let Some(pose) = message::<Pose>(&bytes) {
                    self.put_json(topic::POSE, &pose, at)?;
                }
                self.put(topic::POSE_RAW, &bytes, at)?;
            }
            Record::Ignored(bytes) => {
                self.net.ignored += 1;
                self.put(topic::IGNORED_RAW, &bytes, at)?;
            }
            Record::Sensed(pose) => self.put_json(topic::POSE_USED, &pose, at)?,
            Record::Event(event) => {
                self.event(&event, at)?;
                // What is finished is to be there whatever happens next.
                if event.kind == EventKind::EpisodeEnd {
                    self.mcap.flush()?;
                }
            }
            Record::Link(report) => {
                self.take_report(report);
                self.link(at)?;
            }
        }
        self.written += 1;
        if at >= self.net_due {
            self.link(at)?;
        }
        Ok(())
    }

    fn numbers(&mut self, topic: &'static str, mut numbers: Numbers, at: Nanos) -> McapResult<()> {
        numbers.state_seq = self.last.as_ref().map_or(0, |state| state.head.seq);
        self.put_json(topic, &numbers, at)
    }

    fn joint_state(&mut self, topic: &'static str, q: &[f32], dq: &[f32], at: Nanos) -> McapResult<()> {
        if q.len() != self.joints.len() {
            return Ok(());
        }
        let message = JointState {
            stamp_ns: self.wall_ns(at),
            names: &self.joints,
            positions_rad: q,
            velocities_rad_per_sec: dq,
        };
        let data = message.to_cdr();
        self.put(topic, &data, at)
    }

    fn command(&mut self, bytes: &[u8], sent: bool, at: Nanos) -> McapResult<()> {
        if let Some(message) = message::<Command>(bytes) {
            self.put_json(topic::CMD, &CommandRow { message: &message, sent }, at)?;
            self.joint_state(topic::JOINT_COMMAND, &message.body.q, &[], at)?;
            if sent {
                self.sent.push_back((message.head.seq, at));
                if self.sent.len() > AWAITED_COMMANDS {
                    self.sent.pop_front();
                }
            }
        }
        self.put(topic::CMD_RAW, bytes, at)
    }

    fn state(&mut self, bytes: &[u8], at: Nanos) -> McapResult<()> {
        if let Some(message) = message::<State>(bytes) {
            self.put_json(topic::STATE, &message, at)?;
            self.joint_state(topic::JOINT_STATES, &message.body.q, &message.body.dq, at)?;
            self.net.received += 1;
            self.changes(&message, at)?;
            self.last = Some(message);
        }
        self.put(topic::STATE_RAW, bytes, at)
    }

    /// What a state says that the one before it did not.
    fn changes(&mut self, message: &WithHead<State>, at: Nanos) -> McapResult<()> {
        let WithHead { head, body } = message;
        let before = self.last.take();
        let old = before.as_ref().map(|state| &state.body);
        if old.is_none_or(|old| old.mode != body.mode) {
            let from = old.map_or("", |old| old.mode.as_str());
            let text = format!("{from} -> {}{}{}", body.mode, if body.why.is_empty() { "" } else { ": " }, body.why);
            self.event(&Event::new(EventKind::Mode, text).numbered(body.fault), at)?;
        }
        if old.map_or(0, |old| old.fault) != body.fault {
            let text = FaultSet::from_bits(body.fault).to_string();
            self.event(&Event::new(EventKind::Fault, text).numbered(body.fault), at)?;
        }
        let last_seq = before.as_ref().map_or(head.seq.saturating_sub(1), |state| state.head.seq);
        self.net.gaps += u64::from(head.seq > last_seq.saturating_add(1));
        self.clock.controller_ns = head.ts;
        self.clock.local_ns = at.0;
        self.clock.offset_at_most_ns = self.clock.offset_at_most_ns.min(at.0.saturating_sub(head.ts));
        let applied_before = old.map_or(0, |old| old.cmd_seq);
        if body.cmd_seq != 0 && body.cmd_seq != applied_before {
            self.applied(message, at)?;
        }
        Ok(())
    }

    fn applied(&mut self, WithHead { head, body }: &WithHead<State>, at: Nanos) -> McapResult<()> {
        let State { q_target, clip, cmd_seq, cmd_age_us, dt, q_seq, .. } = body;
        let row = AppliedRow {
            state_seq: head.seq,
            cmd_seq: *cmd_seq,
            q_target,
            clip: *clip,
            cmd_age_us: *cmd_age_us,
            dt: *dt,
            q_seq: *q_seq,
        };
        self.put_json(topic::APPLIED, &row, at)?;
        self.net.observed_to_applied_us.count(*cmd_age_us);
        while self.sent.front().is_some_and(|(seq, _)| seq < cmd_seq) {
            self.sent.pop_front();
        }
        if let Some((_, sent_at)) = self.sent.pop_front_if(|(seq, _)| seq == cmd_seq) {
            let round_trip_us = (at.0 - sent_at.0).max(0) / NS_PER_US;
            self.net.round_trip_us.count(round_trip_us.unsigned_abs());
            let least = sent_at.0.saturating_sub(head.ts);
            self.clock.offset_at_least_ns = Some(self.clock.offset_at_least_ns.map_or(least, |old| old.max(least)));
        }
        Ok(())
    }

    fn take_report(&mut self, report: LinkReport) {
        self.net.sent = report.commands_sent;
        self.net.unsent = report.commands_unsent;
        self.net.lost = report.states_lost;
        self.net.stale = report.dropped_as_stale;
        self.net.missed_ticks = report.missed_ticks;
        self.net.applied = report.commands_applied;
        self.net.superseded = report.commands_superseded;
        self.net.rejected = report.commands_rejected;
        self.net.commands_lost = report.commands_lost;
        self.net.poses_rejected = report.poses_rejected;
        self.net.ping_ns = report.round_trip_ns;
        self.net.clock_offset_ns = report.clock_offset_ns;
    }

    fn link(&mut self, at: Nanos) -> McapResult<()> {
        self.net_due = after(at, NET_SECS);
        let net = self.net.clone();
        self.put_json(topic::NET, &net, at)?;
        if self.last.is_some() {
            let clock = self.clock;
            self.put_json(topic::CLOCK, &clock, at)?;
        }
        Ok(())
    }

    fn end(&mut self, dropped: u64, gap: u64, at: Nanos) -> McapResult<()> {
        if gap > 0 {
            let text = "records were dropped at the end";
            self.event(&Event::new(EventKind::LogDropped, text).numbered(gap), at)?;
        }
        self.link(at)?;
        self.event(&Event::new(EventKind::LogEnd, "the log ends as it should").numbered(dropped), at)?;
        self.mcap.finish().map(|_| ())
    }
}

/// Makes all channels, so that a viewer knows them before anything happens.
fn channels(mcap: &mut mcap::Writer<BufWriter<File>>) -> McapResult<BTreeMap<&'static str, (u16, u32)>> {
    let mut channels = BTreeMap::new();
    let none = BTreeMap::new();
    for channel in JSON_CHANNELS {
        let schema = mcap.add_schema(channel.schema, "jsonschema", json_schema(&channel).as_bytes())?;
        channels.insert(channel.topic, (mcap.add_channel(schema, channel.topic, "json", &none)?, 0));
    }
    for topic in RAW_CHANNELS {
        channels.insert(topic, (mcap.add_channel(0, topic, "msgpack", &none)?, 0));
    }
    let schema = mcap.add_schema(JOINT_STATE, "ros2msg", JOINT_STATE_DEFINITION.as_bytes())?;
    for topic in [topic::JOINT_STATES, topic::JOINT_COMMAND] {
        channels.insert(topic, (mcap.add_channel(schema, topic, "cdr", &none)?, 0));
    }
    Ok(channels)
}

fn message<B: Body>(bytes: &[u8]) -> Option<WithHead<B>> {
    decode::<B>(bytes).ok().map(|(head, body)| WithHead { head, body })
}

/// Writes until told to finish and nothing waits any more. How many records were written, or why no more could be.
pub(super) fn run(
    mut writer: Writer,
    receiver: &Receiver<Queued>,
    shared: &Shared,
    clock: &dyn Clock,
) -> Result<u64, String> {
    let mut failed = None;
    let mut next_flush = after(clock.now(), FLUSH_SECS);
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(queued) => {
                shared.queued_bytes.fetch_sub(queued.record.byte_count(), Ordering::Relaxed);
                if failed.is_some() {
                    // Nothing can be written any more: what comes counts as dropped.
                    shared.dropped.fetch_add(1, Ordering::Relaxed);
                } else if let Err(error) = writer.write(queued) {
                    failed = Some(complain(&error));
                }
            }
            Err(RecvTimeoutError::Timeout) if shared.finish.load(Ordering::Acquire) => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = clock.now();
        if failed.is_none() && now >= next_flush {
            next_flush = after(now, FLUSH_SECS);
            failed = writer.mcap.flush().err().map(|error| complain(&error));
        }
    }
    if failed.is_none() {
        let (dropped, gap) = (shared.dropped.load(Ordering::Relaxed), shared.gap.load(Ordering::Relaxed));
        failed = writer.end(dropped, gap, clock.now()).err().map(|error| complain(&error));
    }
    failed.map_or(Ok(writer.written), Err)
}

fn complain(error: &mcap::McapError) -> String {
    tracing::error!("the log cannot be written any more: {error}; the hand is moved on without it");
    error.to_string()
}
