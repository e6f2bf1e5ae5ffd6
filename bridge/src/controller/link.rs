//! The link as the controller knows it: who commands, which of their commands came, and how messages are numbered.

use super::arrivals::Arrivals;
use super::commands::DroppedCommand;
use crate::message::Role;
use crate::rarely::Rarely;
use crate::security::Sender;
use crate::wire::{Body, encode};
use giraffe_robots::Nanos;

/// The commander in charge.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) sid: u64,
    /// Who opened it: nobody else commands in it.
    pub(super) sender: Sender,
    pub(super) software: String,
    pub(super) lease_until: Nanos,
    pub(super) lockstep: bool,
    pub(super) last_seq: u64,
    pub(super) last_state_seq: u64,
}

/// A command that was accepted and not yet applied.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) q: Vec<f32>,
    pub(super) seq: u64,
    pub(super) t_state: i64,
}

/// Counted since the session began. `applied + superseded + unfollowed + rejected + gap`, and one that waits, is the
/// highest `seq` that came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Accepted commands.
    pub accepted: u64,
    /// Accepted, and given to the motors as far as is safe.
    pub applied: u64,
    /// Accepted, but replaced by a newer one before they were applied.
    pub superseded: u64,
    /// Accepted, but not applied because the hand did not follow, or no longer.
    pub unfollowed: u64,
    /// Commands of this session that came and were dropped; repetitions are not counted again.
    pub rejected: u64,
    /// Numbers below the highest `seq` that never came.
    pub gap: u64,
    /// Dropped as old, repeated or out of turn.
    pub stale: u64,
    /// Dropped as malformed or foreign.
    pub bad: u64,
    /// Dropped because their sender may not command, or is not the one who opened the session.
    pub unauthorised: u64,
}

/// Commands in a row that no motor could have followed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OddInARow {
    pub(super) not_finite: u32,
    pub(super) shape: u32,
}

/// Numbers of the messages last sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seqs {
    ctl: u64,
    pub(super) state: u64,
    pub(super) pose: u64,
}

/// Who commands, what came of it, and how messages are numbered.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) session: Option<Session>,
    session_count: u64,
    pub(super) pending: Option<Pending>,
    arrivals: Arrivals,
    pub(super) counters: Counters,
    pub(super) odd: OddInARow,
    pub(super) seqs: Seqs,
    /// When it was last said that somebody was refused.
    pub(super) refusals: Rarely,
}

impl Link {
    /// Number of the session in force, 0 if none.
    pub(super) fn sid(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.sid)
    }

    /// Whether the session in force runs in lock-step.
    pub(super) fn is_lockstep(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.lockstep)
    }

    /// Whether `sender` may command in the session `sid`. Its number is no secret; who opened it is proved by the link.
    pub(super) fn is_commander(&self, sender: &Sender, sid: u64) -> bool {
        sender.role() == Role::Commander
            && self.session.as_ref().is_some_and(|open| open.sid == sid && open.sender.is_same_as(sender))
    }

    /// Whether a commander was heard of lately.
    pub(super) fn is_leased(&self, now: Nanos) -> bool {
        self.session.as_ref().is_some_and(|session| now <= session.lease_until)
    }

    /// The commander was heard of.
    pub(super) fn renew_lease(&mut self, until: Nanos) {
        if let Some(session) = &mut self.session {
            session.lease_until = until;
        }
    }

    /// A new commander takes over: everything is counted anew. `seed`: of the numbers of this life's sessions.
    pub(super) fn begin(&mut self, seed: u64, sender: &Sender, software: &str, lease_until: Nanos, lockstep: bool) {
        self.session_count += 1;
        self.session = Some(Session {
            sid: session_number(seed, self.session_count),
            sender: sender.clone(),
            software: software.to_owned(),
            lease_until,
            lockstep,
            last_seq: 0,
            last_state_seq: 0,
        });
        self.pending = None;
        self.arrivals = Arrivals::default();
        self.counters = Counters::default();
        self.odd = OddInARow::default();
    }

    /// A command came and will be applied, unless something comes between.
    pub(super) fn note_accepted(&mut self, seq: u64, state_seq: u64, lease_until: Nanos) {
        self.arrivals.note(seq);
        if let Some(session) = &mut self.session {
            session.last_seq = seq;
            session.last_state_seq = state_seq;
        }
        self.renew_lease(lease_until);
        self.counters.accepted += 1;
        self.counters.gap = self.arrivals.missing();
        self.odd = OddInARow::default();
    }

    /// A command came and was dropped.
    pub(super) fn note_dropped(&mut self, dropped: &DroppedCommand) {
        if dropped.from_commander && self.arrivals.note(dropped.seq) {
            self.counters.rejected += 1;
        }
        self.counters.gap = self.arrivals.missing();
    }

    /// From here on this command waits to be applied.
    pub(super) fn put_pending(&mut self, pending: Pending) {
        self.counters.superseded += u64::from(self.pending.replace(pending).is_some());
    }

    /// A command that waits will not be applied any more.
    pub(super) fn drop_pending(&mut self) {
        self.counters.unfollowed += u64::from(self.pending.take().is_some());
    }

    /// The bytes of a reply.
    pub(super) fn reply<B: Body>(&mut self, sid: u64, now: Nanos, body: &B) -> Vec<u8> {
        self.seqs.ctl += 1;
        encode(sid, self.seqs.ctl, now.0, body)
    }
}

/// A number that is never 0 and does not repeat within or (given different seeds) between lives of a controller.
fn session_number(seed: u64, count: u64) -> u64 {
    let low = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(count);
    (low & ((1 << 62) - 1)) | 1 << 62
}
