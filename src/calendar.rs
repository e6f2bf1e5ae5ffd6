//! Dates and times of day, for the names and contents of files.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECS: u64 = 86_400;

/// A second of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtcTime {
    secs_since_1970: u64,
}

/// A day of the calendar. As text: year-month-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl UtcTime {
    /// Now, by the clock of this machine.
    #[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
    pub fn now() -> Self {
        Self { secs_since_1970: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) }
    }

    /// The day it is.
    pub fn date(self) -> Date {
        // Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the leap day comes last,
        // and eras have 400 years.
        let z = self.secs_since_1970 / DAY_SECS + 719_468;
        let (era, day_of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Date { year: year_of_era + era * 400 + u64::from(month <= 2), month, day }
    }

    /// Date and time, such as `2026-11-24T08-15-00Z`: sorted by name they are sorted by time, and no system forbids a
    /// letter of them.
    pub fn in_file_names(self) -> String {
        let secs = self.secs_since_1970 % DAY_SECS;
        format!("{}T{:02}-{:02}-{:02}Z", self.date(), secs / 3600, secs / 60 % 60, secs % 60)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // As `date -u -d @N` says.
        for (secs_since_1970, expected) in [
            (0, "1970-01-01T00-00-00Z"),
            (5_097_600, "1970-03-01T00-00-00Z"),
            (951_782_399, "2000-02-28T23-59-59Z"),
            (951_782_400, "2000-02-29T00-00-00Z"),
            (951_868_800, "2000-03-01T00-00-00Z"),
            (1_796_169_600, "2026-12-02T00-00-00Z"),
            (1_798_761_599, "2026-12-31T23-59-59Z"),
            (4_107_542_400, "2100-03-01T00-00-00Z"),
        ] {
            let time = UtcTime { secs_since_1970 };
            assert_eq!(time.in_file_names(), expected);
            assert_eq!(time.date().to_string(), expected[..10]);
        }
    }
}
