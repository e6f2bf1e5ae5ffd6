//! Which commands of a session came: so that what was sent adds up.

/// How far back a late message is told from a repeated one.
const REMEMBERED: usize = 1024;

/// The numbers that came.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals {
    newest: u64,
    missing: u64,
    /// Of the last numbers, at their remainder: whether they came. Empty before the first.
    came: Vec<bool>,
}

impl Arrivals {
    /// A message with this number came. False if it did before, or is too old to tell.
    pub(super) fn note(&mut self, seq: u64) -> bool {
        let place = |seq: u64| (seq % REMEMBERED as u64) as usize;
        self.came.resize(REMEMBERED, false);
        if seq > self.newest {
            let skipped = seq - self.newest - 1;
            for between in self.newest + 1..=self.newest + skipped.min(REMEMBERED as u64) {
                self.came[place(between)] = false;
            }
            self.missing = self.missing.saturating_add(skipped);
            self.newest = seq;
            self.came[place(seq)] = true;
            return true;
        }
        let known = seq == 0 || self.newest - seq >= REMEMBERED as u64 || self.came[place(seq)];
        if !known {
            self.came[place(seq)] = true;
            self.missing -= 1;
        }
        !known
    }

    /// Numbers below the newest that never came.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }
}
