//! Time that passes while this program may run: not the time it is suspended (Ctrl-Z).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the program was suspended so far, ns.
static SUSPENDED_NS: AtomicU64 = AtomicU64::new(0);

/// Measures from when it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    begun: Instant,
    suspended_before: Duration,
}

impl Stopwatch {
    /// From now on.
    #[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
    pub fn start() -> Self {
        Self { begun: Instant::now(), suspended_before: suspended() }
    }

    /// What passed, without suspensions.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed().saturating_sub(suspended().saturating_sub(self.suspended_before))
    }

    /// What has passed by now, without suspensions, and without one that ended a moment ago: such a one is known a few looks
    /// later, which is waited for.
    pub fn elapsed_for_sure(&self) -> Duration {
        let by_now = self.begun.elapsed();
        std::thread::sleep(3 * Gaps::EVERY);
        by_now.saturating_sub(suspended().saturating_sub(self.suspended_before))
    }
}

fn suspended() -> Duration {
    Duration::from_nanos(SUSPENDED_NS.load(Ordering::Relaxed))
}

/// Finds out how long the program was suspended, by being asked regularly.
///
/// A suspended program is told by a signal that it goes on, but not since when. Somebody who looks at the clock all the time
/// has missed it for that long. Without the signal a gap between two looks is a busy machine.
#[derive(Debug)]
pub struct Gaps {
    /// When the latest looks were, and how long nobody had looked before each.
    latest: [(Instant, Duration); 2],
}

impl Gaps {
    /// Looks every so often, about.
    pub const EVERY: Duration = Duration::from_millis(50);

    /// From `now` on.
    pub fn since(now: Instant) -> Self {
        Self { latest: [(now, Duration::ZERO); 2] }
    }

    /// A look at the clock; `continued` if the signal has come since the last. Returns what is a suspension.
    pub fn look(&mut self, now: Instant, continued: bool) -> Duration {
        let gap = now.saturating_duration_since(self.latest[1].0);
        self.latest = [self.latest[1], (now, gap)];
        if !continued {
            return Duration::ZERO;
        }
        // The signal may be seen one look after the gap.
        let longest = self.latest.iter().map(|(_, gap)| *gap).max().unwrap_or_default();
        self.latest[0].1 = Duration::ZERO;
        self.latest[1].1 = Duration::ZERO;
        longest.saturating_sub(Self::EVERY)
    }
}

/// Takes a suspension off everything that is being measured.
pub fn take_off(suspension: Duration) {
    let ns = u64::try_from(suspension.as_nanos()).unwrap_or(u64::MAX);
    SUSPENDED_NS.fetch_add(ns, Ordering::Relaxed);
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test may read the clock")]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_gap_is_a_suspension_only_if_the_signal_comes_with_it() {
        let begun = Instant::now();
        let mut gaps = Gaps::since(begun);
        assert_eq!(gaps.look(begun + ms(50), false), Duration::ZERO);
        assert_eq!(gaps.look(begun + ms(3050), false), Duration::ZERO, "a busy machine");
        assert_eq!(gaps.look(begun + ms(3100), false), Duration::ZERO);
        assert_eq!(gaps.look(begun + ms(8100), true), ms(4950), "suspended");
        assert_eq!(gaps.look(begun + ms(8150), true), Duration::ZERO, "and not twice");
        // Seen a look too late.
        assert_eq!(gaps.look(begun + ms(9150), false), Duration::ZERO);
        assert_eq!(gaps.look(begun + ms(9200), true), ms(950));
    }

    #[test]
    fn suspensions_are_taken_off_what_is_being_measured() {
        let watch = Stopwatch::start();
        std::thread::sleep(ms(30));
        // Other tests measure at the same time.
        let suspension = Duration::from_micros(20);
        take_off(suspension);
        let (elapsed, since) = (watch.elapsed(), watch.begun.elapsed());
        assert!(elapsed + suspension <= since, "{elapsed:?} of {since:?}");
        let later = Stopwatch::start();
        assert!(later.elapsed() < ms(1000), "what was before does not count");
    }
}
