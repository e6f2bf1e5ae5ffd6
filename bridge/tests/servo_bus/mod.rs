//! Sixteen servos that are not there: Dynamixel protocol 2.0 on a pseudo-terminal.
//!
//! [`ServoBus`] is the bus itself, without input, output or clock. [`EmulatedBus`] puts it behind a pty and lets it run
//! in a thread, in real time. What a pty cannot show: collisions on the half-duplex line, the latency of a USB adapter,
//! a wrong baud rate.
//!
//! Assumed where the manual says nothing: any instruction on the bus feeds every servo's Bus Watchdog; a servo whose
//! watchdog tripped gives no torque; after a missing servo the later ones do not answer a sync read.

#![allow(dead_code, reason = "tests and the example use different parts")]

pub mod servo;
mod shell;
pub mod wire;

pub use servo::Servo;
pub use shell::EmulatedBus;

use std::collections::BTreeMap;
use wire::{BROADCAST, Incoming, Reader, fast_status, status};

/// Longest step of the servos' dynamics, s.
const STEP_SECS: f64 = 1e-3;

/// An answer on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How late it is, ms.
    pub delay_ms: u64,
    /// What is sent.
    pub bytes: Vec<u8>,
}

/// Servos on one line.
#[derive(Debug)]
pub struct ServoBus {
    servos: Vec<Servo>,
    reader: Reader,
    /// Whether fast sync read is answered: older firmware does not.
    pub knows_fast_sync_read: bool,
    /// Sent before the next answer.
    pub garbage: Vec<u8>,
    /// So many sync writes reach nobody: packets are lost, and nobody confirms these.
    pub lost_sync_writes: u32,
    writes: BTreeMap<u16, u32>,
    instructions: BTreeMap<u8, u32>,
    said: Vec<(u8, u16)>,
}

impl ServoBus {
    /// Servos with ids from 0, as they leave the factory, at mid travel.
    pub fn new(count: u8) -> Self {
        Self {
            servos: (0..count).map(Servo::new).collect(),
            reader: Reader::default(),
            knows_fast_sync_read: true,
            garbage: Vec::new(),
            lost_sync_writes: 0,
            writes: BTreeMap::new(),
            instructions: BTreeMap::new(),
            said: Vec::new(),
        }
    }

    /// The servo with this id.
    pub fn servo(&mut self, id: u8) -> &mut Servo {
        self.servos.iter_mut().find(|servo| servo.id() == id).expect("there is a servo with this id")
    }

    /// All servos.
    pub fn servos(&mut self) -> &mut [Servo] {
        &mut self.servos
    }

    /// How often `address` was written, over all servos.
    pub fn writes_to(&self, address: u16) -> u32 {
        self.writes.get(&address).copied().unwrap_or(0)
    }

    /// How often an instruction was heard.
    pub fn heard(&self, code: u8) -> u32 {
        self.instructions.get(&code).copied().unwrap_or(0)
    }

    /// What was said since the last call of this: instruction and register, in order.
    pub fn take_said(&mut self) -> Vec<(u8, u16)> {
        std::mem::take(&mut self.said)
    }

    /// Lets `secs` pass.
    pub fn advance(&mut self, secs: f64) {
        let steps = (secs / STEP_SECS).ceil().max(1.0);
        for _ in 0..steps as u32 {
            self.servos.iter_mut().for_each(|servo| servo.advance(secs / steps));
        }
    }

    /// Takes bytes off the line and answers.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<Reply> {
        self.reader.feed(bytes);
        let mut replies = Vec::new();
        while let Some(incoming) = self.reader.next() {
            let answers = match incoming {
                Incoming::Instruction { id, code, params } => self.obey(id, code, &params),
                Incoming::Broken { id } => self.each(id, |_| Some(Err(servo::refusal::CRC))),
            };
            replies.extend(answers);
        }
        if !self.garbage.is_empty() && !replies.is_empty() {
            replies.insert(0, Reply { delay_ms: 0, bytes: std::mem::take(&mut self.garbage) });
        }
        replies
    }

    fn obey(&mut self, id: u8, code: u8, params: &[u8]) -> Vec<Reply> {
        *self.instructions.entry(code).or_default() += 1;
        self.servos.iter_mut().filter(|servo| servo.is_listening()).for_each(Servo::hear);
        let word = |at: usize| params.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        self.said.push((code, word(0).unwrap_or(0)));
        match (code, word(0), word(2)) {
            (0x01, ..) => self.each(id, |servo| {
                let model = servo.get16(0).to_le_bytes();
                Some(Ok(vec![model[0], model[1], servo.get8(6)]))
            }),
            (0x02, Some(address), Some(length)) if id != BROADCAST => {
                self.each(id, |servo| (servo.get8(68) > 0).then(|| servo.read(address, length)))
            }
            (0x03, Some(address), _) => {
                *self.writes.entry(address).or_default() += 1;
                self.each(id, |servo| {
                    let done = servo.write(address, &params[2..]).map(|()| Vec::new());
                    (id != BROADCAST && servo.get8(68) > 1).then_some(done)
                })
            }
            (0x08, ..) => self.each(id, |servo| {
                // The answer is of before: it still shows the alert.
                let error = servo.alert();
                servo.reboot();
                Some(if error == 0 { Ok(Vec::new()) } else { Err(error) })
            }),
            (0x82, Some(address), Some(length)) => self.sync_read(&params[4..], address, length),
            (0x8A, Some(address), Some(length)) => self.fast_sync_read(&params[4..], address, length),
            (0x83, Some(address), Some(length)) => {
                self.sync_write(address, usize::from(length), &params[4..]);
                Vec::new()
            }
            _ => self.each(id, |_| (id != BROADCAST).then_some(Err(servo::refusal::INSTRUCTION))),
        }
    }

    /// Lets every servo that `id` means do something; `None` is no answer.
    fn each(&mut self, id: u8, mut act: impl FnMut(&mut Servo) -> Option<Result<Vec<u8>, u8>>) -> Vec<Reply> {
        let meant = self.servos.iter_mut().filter(|servo| servo.is_listening());
        let meant = meant.filter(|servo| id == BROADCAST || servo.id() == id);
        meant.filter_map(|servo| act(servo).map(|answer| reply(servo, answer))).collect()
    }

    fn sync_read(&mut self, ids: &[u8], address: u16, length: u16) -> Vec<Reply> {
        let mut replies = Vec::new();
        for id in ids {
            match self.each(*id, |servo| Some(servo.read(address, length))).pop() {
                Some(reply) => replies.push(reply),
                None => break,
            }
        }
        replies
    }

    fn fast_sync_read(&mut self, ids: &[u8], address: u16, length: u16) -> Vec<Reply> {
        if !self.knows_fast_sync_read {
            return Vec::new();
        }
        let (mut blocks, mut delay_ms, mut corrupt) = (Vec::new(), 0, false);
        for id in ids {
            let Some(servo) = self.servos.iter_mut().find(|servo| servo.is_listening() && servo.id() == *id) else {
                break;
            };
            let data = servo.read(address, length).unwrap_or_default();
            delay_ms += servo.faults.reply_delay_ms;
            corrupt |= take_one(&mut servo.faults.corrupt_replies);
            let shown = if take_one(&mut servo.faults.wrong_id_replies) { id ^ 0x40 } else { *id };
            blocks.push((servo.alert(), shown, data));
        }
        if blocks.is_empty() {
            return Vec::new();
        }
        let mut bytes = fast_status(&blocks, ids.len(), usize::from(length));
        if corrupt {
            *bytes.last_mut().expect("it has a CRC") ^= 0xFF;
        }
        vec![Reply { delay_ms, bytes }]
    }

    fn sync_write(&mut self, address: u16, length: usize, entries: &[u8]) {
        *self.writes.entry(address).or_default() += 1;
        if take_one(&mut self.lost_sync_writes) {
            return;
        }
        for entry in entries.chunks_exact(length + 1) {
            // Nobody answers a sync write, so nobody hears of a refusal.
            self.each(entry[0], |servo| {
                let _ = servo.write(address, &entry[1..]);
                None
            });
        }
    }
}

fn take_one(count: &mut u32) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}

fn reply(servo: &mut Servo, answer: Result<Vec<u8>, u8>) -> Reply {
    let (error, params) = match answer {
        Ok(params) => (0, params),
        Err(error) => (error, Vec::new()),
    };
    let id = if take_one(&mut servo.faults.wrong_id_replies) { servo.id() ^ 0x40 } else { servo.id() };
    let mut bytes = status(id, error | servo.alert(), &params);
    if take_one(&mut servo.faults.corrupt_replies) {
        *bytes.last_mut().expect("it has a CRC") ^= 0xFF;
    }
    Reply { delay_ms: servo.faults.reply_delay_ms, bytes }
}
