//! Saying something not too often, however often it happens: who can make it happen must not fill a disk with it.

use giraffe_robots::Nanos;

/// At most one line in so many seconds.
const LOG_SECS: f64 = 1.0;

/// When something was said last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rarely {
    last: Option<Nanos>,
    unsaid: u64,
}

impl Rarely {
    /// How often nothing was said since the last line, if it is time for another.
    pub(crate) fn turn(&mut self, now: Nanos) -> Option<u64> {
        if self.last.is_some_and(|last| now.secs_since(last) < LOG_SECS) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_all_the_time_is_said_once_a_second_with_how_often_it_was_not() {
        let mut rarely = Rarely::default();
        let said = (0..2500).filter_map(|ms| rarely.turn(Nanos(ms * 1_000_000))).collect::<Vec<_>>();
        assert_eq!(said, [0, 999, 999]);
    }
}
