//! How this program ends when somebody says stop.
//!
//! Whoever works looks at a flag and ends by himself, with everything that was finished. What cannot look at it (a matrix
//! product, a thousand worlds being built) is not waited for: after [`GRACE`] the program ends without it. What was finished
//! and is only in memory then is written first, by what was handed to [`Unsaved::keep`].

use anyhow::Result;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// What a stop ends with, by the shell's habit: 128 + SIGINT.
pub const EXIT_STOPPED: u8 = 130;

/// How long whoever works may take to end by himself.
pub const GRACE: Duration = Duration::from_millis(1400);

/// What the end is with when what was finished could not be written.
const EXIT_MISTAKE: u8 = 2;

/// Writes down what was finished, and says what was written.
pub type Rescue = Box<dyn FnMut() -> Result<String> + Send>;

/// What of somebody's work is not on the disk yet.
#[derive(Default)]
struct State {
    /// What writes it.
    rescue: Option<Rescue>,
    /// Whether there is more than that, which nobody else can write: it has to be waited for.
    is_held: bool,
}

/// Everybody's work, by a number of its own. Usually there is one.
static WORK: Mutex<BTreeMap<u64, State>> = Mutex::new(BTreeMap::new());

/// Whoever has work that may not be on the disk yet. Dropped, there is nothing to be lost any more.
#[derive(Debug)]
pub struct Unsaved {
    number: u64,
}

/// While this is held the program is not ended by somebody else.
pub struct Undisturbed(#[allow(dead_code, reason = "held, not read")] MutexGuard<'static, BTreeMap<u64, State>>);

impl Unsaved {
    /// Somebody begins to work, and has nothing to lose yet.
    pub fn nothing() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unsaved = Self { number: COUNT.fetch_add(1, Ordering::Relaxed) };
        unsaved.set(State::default());
        unsaved
    }

    /// `rescue` can write everything that is not.
    pub fn keep(&mut self, rescue: Rescue) {
        self.set(State { rescue: Some(rescue), is_held: false });
    }

    /// Only who works can write what came since: he has to be waited for.
    pub fn hold(&mut self) {
        lock().entry(self.number).or_default().is_held = true;
    }

    /// Writes down now what somebody can; says what was written.
    pub fn rescue(&mut self) -> Option<Result<String>> {
        Some(lock().get_mut(&self.number)?.rescue.as_mut()?())
    }

    fn set(&self, state: State) {
        // What was there before is dropped after the lock: it may be large.
        let before = lock().insert(self.number, state);
        drop(before);
    }
}

impl Drop for Unsaved {
    fn drop(&mut self) {
        let before = lock().remove(&self.number);
        drop(before);
    }
}

/// For as long as files are being written.
pub fn undisturbed() -> Undisturbed {
    Undisturbed(lock())
}

/// Ends the program, with everything that was finished, unless somebody has to be waited for, or is writing.
pub fn end_if_possible() {
    let mut work = match WORK.try_lock() {
        Ok(work) => work,
        // As in `lock`.
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if work.values().any(|state| state.is_held) {
        return;
    }
    let written: Result<Vec<String>> =
        work.values_mut().filter_map(|state| state.rescue.as_mut()).map(|r| r()).collect();
    // The lock is never let go of, so that nobody begins to write now.
    match written {
        Ok(said) if said.is_empty() => {
            crate::say::aside(
                "stopped in the middle of something: of that nothing is kept; what was printed or written before stays",
            );
            end_now(EXIT_STOPPED)
        }
        Ok(said) => {
            crate::say::aside(format_args!("stopped; {}", said.join("\n")));
            end_now(EXIT_STOPPED)
        }
        Err(error) => {
            crate::say::aside(format_args!("error: stopped, but what was finished could not be written: {error:#}"));
            end_now(EXIT_MISTAKE)
        }
    }
}

/// Ends the program at once, whatever its threads do.
pub fn end_now(code: u8) -> ! {
    // SAFETY: ends the process without running anything of it; what has to be on the disk is there.
    unsafe { libc::_exit(i32::from(code)) }
}

fn lock() -> MutexGuard<'static, BTreeMap<u64, State>> {
    // A rescue that panicked has written nothing; the state is what it was.
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_written_when_it_is_asked_for_and_not_after_its_owner_is_gone() {
        let mut unsaved = Unsaved::nothing();
        assert!(unsaved.rescue().is_none());
        let mut count = 0;
        unsaved.keep(Box::new(move || {
            count += 1;
            Ok(format!("written {count}"))
        }));
        let said = |unsaved: &mut Unsaved| unsaved.rescue().map(|said| said.expect("written"));
        assert_eq!(said(&mut unsaved).as_deref(), Some("written 1"));
        unsaved.hold();
        end_if_possible();
        assert_eq!(said(&mut unsaved).as_deref(), Some("written 2"), "what came before still can be");
        let number = unsaved.number;
        drop(unsaved);
        assert!(!lock().contains_key(&number), "nothing is to be lost any more");
    }
}
