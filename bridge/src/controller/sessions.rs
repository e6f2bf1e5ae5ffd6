//! Who commands: hello and goodbye. PROTOCOL.md section 4.

use super::ServerCore;
use crate::driver::Calibrated;
use crate::fault::Fault;
use crate::handshake::{Objection, Terms, check_hello, check_object};
use crate::message::{
    HOMING, Hello, JointLimits, LOCKSTEP, OBJECT_POSE, REHEARSAL, Reject, Role, TRIALS, TestVector, Welcome,
};
use crate::security::Sender;
use crate::watchdog::Mode;
use crate::wire::{Head, decode};
use giraffe_robots::{HoldAt, Nanos};

impl ServerCore {
    pub(super) fn on_hello(&mut self, sender: &Sender, bytes: &[u8], head: &Head, now: Nanos) -> Vec<u8> {
        let hello = match decode::<Hello>(bytes) {
            Ok((_, hello)) => hello,
            Err(error) => return self.reject(head.seq, Objection::new("MALFORMED", error.to_string()), now),
        };
        match self.open(sender, &hello, now) {
            Ok((terms, grants)) => self.welcome(head.seq, &hello, terms, grants, now),
            Err(objection) => self.reject(head.seq, objection, now),
        }
    }

    fn open(&mut self, sender: &Sender, hello: &Hello, now: Nanos) -> Result<(Terms, Vec<String>), Objection> {
        if hello.role == Role::Commander && sender.role() != Role::Commander {
            let detail = format!("`{}` is an observer in the allow-list and may not command", sender.name());
            return Err(Objection::new("NOT_AUTHORIZED", detail));
        }
        let mut terms = check_hello(hello, &self.spec.robot, &self.description, &self.spec.envelope)?;
        let grants: Vec<String> = hello.wants.iter().filter(|want| self.offers(want, hello)).cloned().collect();
        match hello.role {
            Role::Commander => {
                check_object(hello.object.as_deref(), self.spec.object.as_deref())?;
                self.take_over(sender, hello, &terms.limits, grants.iter().any(|grant| grant == LOCKSTEP), now)?;
            }
            // What an onlooker asks to be kept to keeps nobody: it is told what holds for whoever commands.
            Role::Observer => terms.limits.clone_from(&self.safety.envelope.spec().limits),
        }
        Ok((terms, grants))
    }

    /// Whether who says this hello is granted a feature.
    fn offers(&self, feature: &str, hello: &Hello) -> bool {
        match (feature, hello.role) {
            (OBJECT_POSE, _) => self.spec.object_pose,
            // How the session in force runs; all else is for who commands.
            (LOCKSTEP, Role::Observer) => self.is_lockstep(),
            (_, Role::Observer) => false,
            (REHEARSAL | LOCKSTEP | TRIALS, Role::Commander) => self.spec.rehearsal,
            // In lock-step the hand moves only by commands.
            (HOMING, Role::Commander) => !(self.spec.rehearsal && hello.wants.iter().any(|want| want == LOCKSTEP)),
            _ => false,
        }
    }

    fn take_over(
        &mut self,
        sender: &Sender,
        hello: &Hello,
        limits: &[JointLimits],
        lockstep: bool,
        now: Nanos,
    ) -> Result<(), Objection> {
        if let Some(session) = &self.link.session {
            if self.link.is_leased(now) {
                let left = session.lease_until.secs_since(now);
                let detail = format!("`{}` commands this hand; its lease runs {left:.1} s more", session.software);
                return Err(Objection::new("LEASE_HELD", detail));
            }
            self.end_session("another commander took over", now);
            self.safety.faults.raise(Fault::LeaseLost);
        }
        self.relimit(limits)?;
        self.link.begin(self.spec.session_seed, sender, &hello.software, self.lease_from(now), lockstep);
        let own_ms = self.spec.watchdog.hold_after_secs * 1e3;
        let period_ms = f64::from(self.spec.envelope.period_secs) * 1e3;
        let wanted_ms = if hello.watchdog_ms == 0 { own_ms } else { hello.watchdog_ms as f64 };
        self.safety.begin_session(wanted_ms.max(period_ms).min(own_ms) * 1e-3, lockstep);
        if lockstep {
            self.episode.world_stands = true;
        }
        let (name, software, policy) = (sender.name(), &hello.software, &hello.policy.name);
        tracing::info!(name, software, policy, lockstep, "new commander");
        Ok(())
    }

    /// Puts limits in force, unless that would make a hand that is held jump.
    fn relimit(&mut self, limits: &[JointLimits]) -> Result<(), Objection> {
        if self.mode().has_torque() {
            let names = &self.spec.envelope.names;
            let held = self.safety.envelope.held_rad();
            for ((name, limits), &at) in names.iter().zip(limits).zip(held) {
                if at < limits.lower || at > limits.upper {
                    let (lower, upper) = (limits.lower, limits.upper);
                    let detail = format!("joint `{name}` is held at {at:.3} rad, outside [{lower:.3}, {upper:.3}]");
                    return Err(Objection::new("LIMITS", detail));
                }
            }
        }
        self.safety.envelope.relimit(limits.to_vec()).map_err(|error| Objection::new("LIMITS", error.to_string()))
    }

    fn welcome(&mut self, re: u64, hello: &Hello, terms: Terms, grants: Vec<String>, now: Nanos) -> Vec<u8> {
        let ms = |secs: f64| (secs * 1e3).round() as u64;
        let timers = *self.safety.watchdog.spec();
        let names = self.spec.envelope.names.clone();
        // Of a commander those that were just put in force; who only looks on changes none.
        let limits = self.safety.envelope.spec().limits.clone();
        let Terms { limits: _, test_vector: TestVector { q, tips }, test_poses, mut notes } = terms;
        let calibration = match &self.spec.calibration {
            Calibrated::NotNeeded => None,
            Calibrated::Missing { detail } => {
                notes.push(format!("not calibrated, arming will be refused: {detail}"));
                Some(String::new())
            }
            Calibrated::Valid { id } => Some(id.clone()),
        };
        notes.extend(self.spec.notes.iter().cloned());
        let welcome = Welcome {
            re,
            software: self.spec.software.clone(),
            robot: self.description.clone(),
            test_vector: TestVector { q, tips },
            limits: names.iter().cloned().zip(limits).collect(),
            joints: names,
            policy_hz: hello.policy_hz,
            state_hz: 1.0 / self.spec.loop_period_secs,
            lease_ms: ms(self.spec.lease_secs),
            max_age_ms: ms(self.spec.max_age_secs),
            hold_ms: ms(timers.hold_after_secs),
            relax_ms: ms(timers.relax_after_secs),
            off_ms: ms(timers.off_after_secs),
            rearm_ms: ms(timers.rearm_after_secs),
            stream_ms: ms(timers.stream_secs),
            start_tol: self.spec.start_tol_rad,
            safe_action: match self.spec.hold {
                HoldAt::LastTarget => "last_target".to_owned(),
                HoldAt::Measured => "measured".to_owned(),
            },
            grants,
            notes,
            mode: self.published_mode().name().to_owned(),
            fault: self.safety.faults.bits(),
            test_poses,
            calibration,
            object: self.spec.object.clone(),
            tracking_band: Some(self.safety.envelope.spec().tracking_band_rad),
        };
        let sid = self.sid();
        self.link.reply(sid, now, &welcome)
    }

    pub(super) fn reject(&mut self, re: u64, objection: Objection, now: Nanos) -> Vec<u8> {
        if let Some(unsaid) = self.link.refusals.turn(now) {
            let (code, detail) = (&objection.code, &objection.detail);
            tracing::warn!(code, detail, "commander refused ({unsaid} more since the last line)");
        }
        self.link.reply(0, now, &Reject { re, code: objection.code, detail: objection.detail })
    }

    pub(super) fn end_session(&mut self, why: &str, now: Nanos) {
        self.safety.watchdog.suspend(false);
        self.hold_for(why.to_owned(), now);
        self.safety.watchdog.forget_commands();
        self.link.session = None;
    }

    /// Homing, and holding what it came to, is done for somebody. When that commander goes without a word, the hand
    /// goes the way of silence. (A simulated hand that stands at the start of an episode heats nothing.)
    pub(super) fn end_what_nobody_watches(&mut self, now: Nanos) {
        let waits = match self.mode() {
            Mode::Homing => true,
            Mode::Ready => !self.episode.world_stands,
            _ => false,
        };
        if !waits || self.link.is_leased(now) {
            return;
        }
        self.safety.faults.raise(Fault::LeaseLost);
        self.hold_for("nothing was heard of the commander whom the hand went home for".to_owned(), now);
    }
}
