//! Time, handed to everything else. The one place that asks the machine for it.

use giraffe_robots::Nanos;
use std::time::{Duration, Instant};

/// A clock that never goes backwards. Its origin is its own.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Nanos;

    /// Returns when [`Clock::now`] has reached `deadline`, at once if it has already.
    fn sleep_until(&self, deadline: Nanos);
}

/// The machine's monotonic clock, counted from the creation of this value.
#[derive(Debug, Clone, Copy)]
pub struct MonotonicClock {
    origin: Instant,
}

impl MonotonicClock {
    /// A clock that reads (nearly) zero now.
    #[allow(clippy::disallowed_methods, reason = "this is the bridge's Clock: everybody else is handed the time")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Nanos {
        Nanos(i64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, deadline: Nanos) {
        let left = deadline.0 - self.now().0;
        if left > 0 {
            std::thread::sleep(Duration::from_nanos(left.unsigned_abs()));
        }
    }
}

/// `time` + `secs`.
pub(crate) fn after(time: Nanos, secs: f64) -> Nanos {
    Nanos(time.0.saturating_add(Nanos::from_secs(secs).0))
}
