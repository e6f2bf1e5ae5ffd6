//! Signals that ask for an end (SIGINT, which is Ctrl-C, SIGTERM, SIGHUP): the first ends what goes on cleanly, and within
//! two seconds; a second one at once.

use crate::say;
use crate::stopping::{EXIT_STOPPED, GRACE, end_if_possible, end_now};
use crate::stopwatch::{Gaps, take_off};
use anyhow::{Context, Result};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Two signals within this are one wish: a closed terminal sends more than one.
const ONE_WISH: Duration = Duration::from_millis(300);

/// How a command is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// Whether it may be ended in the middle when it does not end by itself. Not where a hand would be left alone.
    pub may_be_cut: bool,
    /// Whether SIGHUP asks for something else.
    pub hangs_up: bool,
}

/// A flag that the first signal sets.
///
/// # Errors
/// When nobody can listen.
pub fn stop_flag(how: Stopping) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut wanted = vec![SIGCONT];
    // Who started this may have asked for its not hearing that the terminal is gone: `nohup`.
    let asks = |signal: c_int| signal != SIGHUP || (how.hangs_up && !is_ignored(SIGHUP));
    wanted.extend([SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| asks(*signal)));
    let signals = Signals::new(wanted).context("listening for signals")?;
    let flag = Arc::clone(&stop);
    let listener = std::thread::Builder::new().name("signals".to_owned());
    listener.spawn(move || listen(signals, &flag, how.may_be_cut)).context("starting a thread that hears signals")?;
    Ok(stop)
}

fn is_ignored(signal: c_int) -> bool {
    // SAFETY: zeroes are a valid value of this plain struct, and the call only fills it in.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
fn listen(mut signals: Signals, stop: &AtomicBool, may_be_cut: bool) {
    let mut gaps = Gaps::since(Instant::now());
    let mut asked: Option<Instant> = None;
    loop {
        std::thread::sleep(Gaps::EVERY);
        let came: Vec<c_int> = signals.pending().collect();
        let now = Instant::now();
        take_off(gaps.look(now, came.contains(&SIGCONT)));
        if came.iter().any(|signal| *signal != SIGCONT) {
            match asked {
                Some(first) if now - first > ONE_WISH => end_now(EXIT_STOPPED),
                Some(_) => {}
                None => {
                    stop.store(true, Ordering::Relaxed);
                    asked = Some(now);
                    say::aside("\nstopping cleanly; press Ctrl-C again to stop at once");
                }
            }
        }
        if may_be_cut && asked.is_some_and(|first| now - first > GRACE) {
            end_if_possible();
        }
    }
}
