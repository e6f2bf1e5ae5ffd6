//! What some episodes amount to: every measure of the task, and how they ended.

use super::episode::EpisodeResult;
use super::statistics::{Estimate, fraction, mean};
use giraffe_robots::{Measure, MeasureKind, Outcome, TrialResult};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// The results of some episodes, as printed and as written to JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Score {
    /// Number of episodes.
    pub episodes: usize,
    /// Every measure of the task, the headline first.
    pub measures: Measured,
    /// How many ended how. Those that did not happen are left out.
    pub outcomes: BTreeMap<Outcome, usize>,
}

/// Measures by name, in the order of the task. `null` for what no episode said anything about.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured(pub Vec<(String, Option<Estimate>)>);

impl Score {
    /// The score of some episodes of a task with these measures.
    pub fn of<'r>(measures: &[Measure], results: impl IntoIterator<Item = &'r TrialResult>) -> Self {
        let results: Vec<&TrialResult> = results.into_iter().collect();
        let mut outcomes = BTreeMap::new();
        for result in &results {
            *outcomes.entry(result.outcome).or_default() += 1;
        }
        let column = |index: usize| -> Vec<f64> {
            let of_episode = |result: &&TrialResult| result.measures.get(index).copied().flatten();
            results.iter().filter_map(of_episode).filter(|value| value.is_finite()).collect()
        };
        let estimates = measures.iter().enumerate().map(|(index, measure)| {
            let samples = column(index);
            let estimate = match measure.kind {
                MeasureKind::Mean | MeasureKind::Count => mean(&samples),
                MeasureKind::Fraction => fraction(samples.iter().filter(|value| **value > 0.5).count(), samples.len()),
            };
            (measure.name.to_owned(), estimate)
        });
        Self { episodes: results.len(), measures: Measured(estimates.collect()), outcomes }
    }

    /// The score of the episodes that somebody watched to their end.
    pub fn of_episodes(measures: &[Measure], results: &[EpisodeResult]) -> Self {
        Self::of(measures, results.iter().filter(|result| result.counts()).map(|result| &result.trial))
    }

    /// The task's first measure; none of no episodes.
    pub fn headline(&self) -> Option<Estimate> {
        self.measures.0.first().and_then(|(_, estimate)| *estimate)
    }

    /// One measure by name; none where there is none, or nothing was said about it.
    pub fn measure(&self, name: &str) -> Option<Estimate> {
        self.measures.0.iter().find(|(known, _)| known == name).and_then(|(_, estimate)| *estimate)
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Endings that a person should know of, such as `2 diverged`; nothing when there were none.
    pub fn unusual_ends(&self) -> Option<String> {
        let unusual = [Outcome::Unseen, Outcome::Diverged, Outcome::Unreadable];
        let counted = unusual.iter().map(|outcome| (self.count(*outcome), outcome.name()));
        let said: Vec<String> =
            counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, estimate)| (name, estimate)))
    }
}

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Measured;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names of measures to estimates")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Measured, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Measured(all))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::Better;

    const MEASURES: [Measure; 3] = [
        measure("height_m", MeasureKind::Mean),
        measure("kept_fraction", MeasureKind::Fraction),
        measure("goal_count", MeasureKind::Count),
    ];

    const fn measure(name: &'static str, kind: MeasureKind) -> Measure {
        Measure { name, title: name, unit: "", kind, better: Better::Higher }
    }

    fn result(outcome: Outcome, measures: [Option<f64>; 3]) -> TrialResult {
        TrialResult { outcome, measures: measures.to_vec(), step_count: 7 }
    }

    #[test]
    fn every_measure_is_summed_up_as_what_it_is() {
        let results = [
            result(Outcome::TimeUp, [Some(1.0), Some(1.0), Some(2.0)]),
            result(Outcome::Failed, [Some(2.0), Some(0.0), None]),
            result(Outcome::TimeUp, [Some(3.0), Some(1.0), None]),
        ];
        let score = Score::of(&MEASURES, &results);
        assert_eq!(score.headline(), mean(&[1.0, 2.0, 3.0]));
        assert_eq!(score.measure("kept_fraction"), fraction(2, 3));
        assert_eq!(score.measure("goal_count"), Some(Estimate { value: 2.0, ci95: None }));
        assert_eq!((score.count(Outcome::TimeUp), score.count(Outcome::Failed), score.unusual_ends()), (2, 1, None));
    }

    #[test]
    fn a_score_is_read_back_as_it_was_written_whatever_it_lacks() {
        for results in [
            vec![],
            vec![result(Outcome::Diverged, [Some(0.5), Some(0.0), None])],
            vec![result(Outcome::TimeUp, [Some(0.5), Some(1.0), None]); 3],
        ] {
            let score = Score::of(&MEASURES, &results);
            let text = serde_json::to_string(&score).expect("written");
            assert_eq!(serde_json::from_str::<Score>(&text).expect("read back"), score, "{text}");
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["measures"]["height_m"].is_null(), results.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_a_person_should_know_of_is_counted_in_words() {
        let lost = |outcome| result(outcome, [None, Some(0.0), None]);
        let score = Score::of(&MEASURES, &[lost(Outcome::Unseen), lost(Outcome::Diverged), lost(Outcome::Diverged)]);
        assert_eq!(score.unusual_ends().as_deref(), Some("1 unseen, 2 diverged"));
    }
}
