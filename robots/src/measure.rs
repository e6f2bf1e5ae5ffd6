//! What a task reports of an episode: named numbers, and which way is better.

use serde::{Deserialize, Serialize};

/// One number that is reported of every episode. A task's first measure is its headline: what curves show, curricula
/// go by and policies are compared on first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Lower-case name with the unit in it, as in files: `goals_per_minute`. Unique within a task.
    pub name: &'static str,
    /// As in tables and on axes, without the unit: `goals reached`.
    pub title: &'static str,
    /// As in tables and on axes; empty where there is none.
    pub unit: &'static str,
    /// What the number of one episode is, and so how a mean over episodes is judged.
    pub kind: MeasureKind,
    /// Which way is better.
    pub better: Better,
}

/// What the number of one episode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureKind {
    /// Any number; reported as a mean with Student's interval.
    Mean,
    /// 0 or 1, something happened or not; reported as a fraction with Wilson's interval, printed in percent.
    Fraction,
    /// A whole number from 0 on; reported as a mean with Student's interval.
    Count,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Better {
    /// The number turned so that more is better.
    pub fn oriented(self, value: f64) -> f64 {
        match self {
            Better::Higher => value,
            Better::Lower => -value,
        }
    }
}

impl Measure {
    /// Title and unit, as over a column: `rate, m/s`. Fractions are shown in percent.
    pub fn heading(&self) -> String {
        match (self.kind, self.unit) {
            (MeasureKind::Fraction, _) => format!("{}, %", self.title),
            (_, "") => self.title.to_owned(),
            (_, unit) => format!("{}, {unit}", self.title),
        }
    }

    /// By what a value is multiplied before it is shown under [`Measure::heading`].
    pub fn shown_scale(&self) -> f64 {
        if self.kind == MeasureKind::Fraction { 100.0 } else { 1.0 }
    }

    /// Digits after the point under [`Measure::heading`].
    pub fn shown_decimals(&self) -> usize {
        match self.kind {
            MeasureKind::Mean => 3,
            MeasureKind::Fraction => 1,
            MeasureKind::Count => 2,
        }
    }

    /// A value as it is shown under [`Measure::heading`], without unit: `0.587`, `98.5`. A zero has no sign.
    pub fn shown(&self, value: f64) -> String {
        let decimals = self.shown_decimals();
        let text = format!("{:.decimals$}", self.shown_scale() * value);
        match text.strip_prefix('-') {
            Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Measure =
        Measure { name: "rate_hz", title: "rate", unit: "Hz", kind: MeasureKind::Mean, better: Better::Higher };

    #[test]
    fn fractions_are_shown_in_percent_and_a_zero_has_no_sign() {
        let kept = Measure { name: "kept_fraction", title: "kept", unit: "", kind: MeasureKind::Fraction, ..RATE };
        assert_eq!((RATE.heading(), kept.heading()), ("rate, Hz".to_owned(), "kept, %".to_owned()));
        assert_eq!((RATE.shown(0.5868), kept.shown(0.985)), ("0.587".to_owned(), "98.5".to_owned()));
        assert_eq!((RATE.shown(-0.0001), RATE.shown(-0.001)), ("0.000".to_owned(), "-0.001".to_owned()));
    }

    #[test]
    fn less_of_what_is_bad_is_more() {
        assert!(Better::Lower.oriented(2.0) < Better::Lower.oriented(1.0));
        assert!(Better::Higher.oriented(2.0) > Better::Higher.oriented(1.0));
    }
}
