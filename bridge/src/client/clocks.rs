//! How far apart the clocks of both sides are. For logs only: nothing is decided by it.

use crate::clock::after;
use crate::message::Pong;
use giraffe_robots::Nanos;
use std::collections::VecDeque;

/// So many pings are looked back at.
const WINDOW: usize = 32;
/// So often one is sent, s.
const PING_SECS: f64 = 1.0;

/// The best of the last pings.
#[derive(Debug, Clone, Default)]
pub(super) struct ClockEstimate {
    /// Round trip and offset, ns.
    samples: VecDeque<(i64, i64)>,
    next_ping: Nanos,
}

impl ClockEstimate {
    /// Whether it is time for a ping, which is then taken for sent.
    pub(super) fn is_ping_due(&mut self, now: Nanos) -> bool {
        let due = now >= self.next_ping;
        if due {
            self.next_ping = after(now, PING_SECS);
        }
        due
    }

    /// A pong arrived.
    pub(super) fn add(&mut self, pong: &Pong, arrived: Nanos) {
        let way_there = i128::from(pong.t1) - i128::from(pong.t0);
        let way_back = i128::from(arrived.0) - i128::from(pong.t2);
        let narrow = |value: i128| i64::try_from(value).ok();
        // A pong with nonsense in it says nothing.
        if let (Some(round_trip), Some(offset)) = (narrow(way_there + way_back), narrow((way_there - way_back) / 2))
            && round_trip >= 0
        {
            self.samples.push_back((round_trip, offset));
            if self.samples.len() > WINDOW {
                self.samples.pop_front();
            }
        }
    }

    /// Round trip and offset of the quickest ping: the one that queues distorted least.
    pub(super) fn best(&self) -> (Option<i64>, Option<i64>) {
        let best = self.samples.iter().min_by_key(|(round_trip, _)| *round_trip);
        best.map_or((None, None), |&(round_trip, offset)| (Some(round_trip), Some(offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_ping_tells_the_offset() {
        let mut clocks = ClockEstimate::default();
        assert_eq!(clocks.best(), (None, None));
        // The other clock is 1000 ahead; the way there takes 10, 500 or 20, the way back 10.
        for (sent, there) in [(0, 500), (1000, 10), (2000, 20)] {
            let t1 = sent + there + 1000;
            clocks.add(&Pong { re: 1, t0: sent, t1, t2: t1 + 7 }, Nanos(sent + there + 7 + 10));
        }
        assert_eq!(clocks.best(), (Some(20), Some(1000)));
        clocks.add(&Pong { re: 1, t0: i64::MIN, t1: i64::MAX, t2: 0 }, Nanos(0));
        assert_eq!(clocks.best(), (Some(20), Some(1000)));
    }
}
