//! The controller's envelope once more: what a log says was sent and measured, through the same rules, must give what
//! the log says was applied.
//!
//! In lock-step everything is known. Free-running, a state must say how long after the last command it applied this one
//! (`dt`) and which measurement the envelope was given (`q_seq`). Where a state is missing, what the envelope did
//! meanwhile is not known; it is known again after the next command that came a control period after the one before.

use super::reader::{Entry, Logged};
use super::record::EventKind;
use crate::envelope::{EnvelopeSpec, SafetyEnvelope};
use crate::message::{State, WithHead};
use crate::setting::SettingError;
use crate::watchdog::Mode;
use serde::Serialize;
use std::collections::BTreeMap;

/// Measurements that may be named by a later state.
const REMEMBERED_STATES: usize = 256;

const NO_DT: &str = "the controller did not say when it applied the command and on which measurement (`dt`, `q_seq`)";
const NO_COMMAND: &str = "the command is not in the log";
const NO_MEASUREMENT: &str = "the measurement was in a state that is not in the log";
const LOST: &str = "states before it are missing, so that the envelope's own state is not known";
const MOVED: &str =
    "the controller moved the targets by itself before it, so that the envelope's own state is not known";
const OTHERWISE: &str = "commands before it were applied otherwise than the envelope says";
const UNUSABLE: &str = "the numbers are no targets or angles of this hand";

/// What became of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EnvelopeCheck {
    /// Commands whose applied targets were computed again.
    pub checked: u64,
    /// Of these, how many differed.
    pub different: u64,
    /// Commands that were never applied: a newer one came first, the hand did not follow yet, or they were lost.
    pub never_applied: u64,
    /// Commands that were applied but could not be checked, by reason.
    pub unchecked: BTreeMap<String, u64>,
    /// The first difference.
    pub first: Option<EnvelopeDifference>,
}

/// Where the controller did otherwise than its envelope says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnvelopeDifference {
    /// Number of the command.
    pub cmd_seq: u64,
    /// Number of the state that says it was applied.
    pub state_seq: u64,
    /// Episode of the controller.
    pub episode: u64,
    /// Its tick.
    pub tick: u64,
    /// The joint, in the order of the wire; `None` where only the mask of altered joints differs.
    pub joint: Option<usize>,
    /// Name of that joint.
    pub name: String,
    /// What was applied, rad; or the mask.
    pub applied: f64,
    /// What the envelope gives, rad; or the mask.
    pub expected: f64,
}

/// Runs the envelope `spec` on what was sent. `lockstep`: elapsed time is one control period each time.
///
/// # Errors
/// When `spec` makes no sense.
pub fn check_envelope(entries: &[Entry], spec: &EnvelopeSpec, lockstep: bool) -> Result<EnvelopeCheck, SettingError> {
    let count = spec.limits.len();
    let envelope = SafetyEnvelope::new(spec.clone(), &vec![0.0; count])?;
    let mut twin = Twin {
        envelope,
        lockstep,
        unknown: Some(LOST),
        last: None,
        episode: None,
        differed: false,
        measured: BTreeMap::new(),
        commands: BTreeMap::new(),
        check: EnvelopeCheck::default(),
    };
    for entry in entries {
        match &entry.logged {
            Logged::Event(event) if event.kind == EventKind::EpisodeStart => twin.episode = Some(event.number),
            Logged::Command { message, .. } => {
                twin.commands.insert((message.head.sid, message.head.seq), message.body.q.clone());
            }
            Logged::State(state) => twin.state(state, count),
            _ => {}
        }
    }
    Ok(twin.check)
}

struct Twin<'l> {
    envelope: SafetyEnvelope,
    lockstep: bool,
    /// Why the envelope's own state is not known, if it is not.
    unknown: Option<&'static str>,
    last: Option<&'l WithHead<State>>,
    /// Number in the deployment of the episode that was begun last, where the log says so.
    episode: Option<u64>,
    /// Whether the last command was applied otherwise than the envelope says.
    differed: bool,
    /// Angles by the `seq` of the state that said them.
    measured: BTreeMap<u64, Vec<f32>>,
    /// Targets by session and `seq` of the command.
    commands: BTreeMap<(u64, u64), Vec<f32>>,
    check: EnvelopeCheck,
}

/// Whether the motors push in a mode of the wire; one that is unknown here may.
fn has_torque(mode: &str) -> bool {
    Mode::named(mode).is_none_or(Mode::has_torque)
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

impl<'l> Twin<'l> {
    fn state(&mut self, state: &'l WithHead<State>, count: usize) {
        let body = &state.body;
        if body.q.len() != count || body.q_target.len() != count {
            self.unknown = Some(LOST);
            return;
        }
        let last = self.last.filter(|last| last.head.sid == state.head.sid);
        if last.is_none() {
            self.begin_session(state.head.sid);
        }
        let begins = body.tick == 0 && body.mode == Mode::Ready.name();
        let applied_anew = last.is_some_and(|last| last.body.cmd_seq != body.cmd_seq) && body.cmd_seq != 0;
        if begins {
            self.known_at(&body.q_target);
        } else if !has_torque(&body.mode) {
            self.unknown = Some(MOVED);
        } else if let Some(last) = last {
            let follows = state.head.seq == last.head.seq + 1;
            match (applied_anew, follows) {
                (true, _) => self.applied(state, last, follows),
                (false, true) => self.stayed(state, last),
                (false, false) if body.mode == Mode::Active.name() && last.body.mode == body.mode => {}
                (false, false) => self.unknown = Some(LOST),
            }
        }
        self.measured.insert(state.head.seq, body.q.clone());
        if self.measured.len() > REMEMBERED_STATES {
            self.measured.pop_first();
        }
        self.last = Some(state);
    }

    /// States and commands are counted anew, and nothing is known of the time between.
    fn begin_session(&mut self, sid: u64) {
        self.unknown = Some(LOST);
        self.measured.clear();
        let before = self.commands.len();
        self.commands.retain(|(of, _), _| *of == sid);
        self.check.never_applied += (before - self.commands.len()) as u64;
    }

    fn known_at(&mut self, targets: &[f32]) {
        self.envelope.start_at(targets);
        self.unknown = None;
    }

    /// No command was applied between these two.
    fn stayed(&mut self, state: &WithHead<State>, last: &WithHead<State>) {
        let body = &state.body;
        if !has_torque(&last.body.mode) {
            // Torque came on, at the angles measured then.
            self.known_at(&body.q_target);
        } else if !same_bits(&body.q_target, &last.body.q_target) {
            self.unknown = Some(MOVED);
        } else if body.mode != Mode::Active.name() && self.unknown.is_none() {
            self.envelope.hold(1.0);
        }
    }

    fn applied(&mut self, state: &WithHead<State>, last: &WithHead<State>, follows: bool) {
        let body = &state.body;
        let period = self.envelope.spec().period_secs;
        let elapsed_secs = body.dt.or(self.lockstep.then_some(period));
        let measured = match body.q_seq {
            Some(seq) => self.measured.get(&seq),
            None if self.lockstep && follows => Some(&last.body.q),
            None => None,
        };
        // It and those before it are of no more use; counted once, also when an episode begins and none was applied in it yet.
        let sid = state.head.sid;
        let command = self.commands.get(&(sid, body.cmd_seq)).cloned();
        let passed = |(of, seq): &&(u64, u64)| *of == sid && *seq < body.cmd_seq && *seq != last.body.cmd_seq;
        self.check.never_applied += self.commands.keys().filter(passed).count() as u64;
        self.commands.retain(|(of, seq), _| *of != sid || *seq > body.cmd_seq);
        let problem = match (elapsed_secs, measured, &command) {
            _ if !follows => Some(LOST),
            (None, _, _) => Some(NO_DT),
            (_, None, _) if body.q_seq.is_none() => Some(NO_DT),
            (_, None, _) => Some(NO_MEASUREMENT),
            (_, _, None) => Some(NO_COMMAND),
            _ => self.unknown,
        };
        if let (None, Some(elapsed_secs), Some(measured), Some(wanted)) =
            (problem, elapsed_secs, measured.cloned(), command)
        {
            self.compare(state, &wanted, &measured, elapsed_secs);
        } else {
            *self.check.unchecked.entry(problem.unwrap_or(UNUSABLE).to_owned()).or_default() += 1;
            self.unknown = self.unknown.or(problem);
        }
        // After a whole period the travel allowance was full, so that everything is known from the two targets.
        let was_held = has_torque(&last.body.mode);
        if self.unknown.is_some() && follows && was_held && elapsed_secs.is_some_and(|secs| secs >= period) {
            self.envelope.resume(&last.body.q_target, &body.q_target);
            self.unknown = None;
        }
    }

    fn compare(&mut self, state: &WithHead<State>, wanted: &[f32], measured: &[f32], elapsed_secs: f32) {
        let body = &state.body;
        let Ok(safe) = self.envelope.filter(wanted, measured, elapsed_secs) else {
            *self.check.unchecked.entry(UNUSABLE.to_owned()).or_default() += 1;
            self.unknown = Some(LOST);
            return;
        };
        self.check.checked += 1;
        let expected = safe.positions_rad();
        let joint = expected.iter().zip(&body.q_target).position(|(a, b)| a.to_bits() != b.to_bits());
        let (applied, expected) = match joint {
            Some(joint) => (f64::from(body.q_target[joint]), f64::from(expected[joint])),
            None if safe.clipped_joints() != body.clip => (body.clip as f64, safe.clipped_joints() as f64),
            None => {
                self.differed = false;
                return;
            }
        };
        self.check.different += 1;
        let name = joint.map_or_else(String::new, |joint| self.envelope.spec().names[joint].clone());
        self.check.first.get_or_insert(EnvelopeDifference {
            cmd_seq: body.cmd_seq,
            state_seq: state.head.seq,
            episode: self.episode.unwrap_or(body.episode),
            tick: body.tick,
            joint,
            name,
            applied,
            expected,
        });
        // One difference may be the log's; after two in a row the recorded targets count.
        if std::mem::replace(&mut self.differed, true) {
            self.differed = false;
            self.unknown = Some(OTHERWISE);
        }
    }
}
