//! What a task's goal was at a step. Goals are chosen by the task, not sensed, so that a log without them could not be
//! lived through again.

use super::record::null_is_nan;
use giraffe_robots::{Nanos, Signal, SignalFrame};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// The signals of a task's goal at one control step, as the policy was told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Goal {
    /// When it was told, in the time of the hand, ns.
    pub stamp: i64,
    /// Episode of this deployment, from 0.
    pub episode: u64,
    /// Step of that episode, from 0.
    pub step: u64,
    /// Which of the goals of that episode it is, from 0.
    pub number: u64,
    /// Values by the name of their signal. One that is not finite is written as null and read as NaN.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub values: BTreeMap<String, Vec<f32>>,
    /// How old each of them was then, ns, by the same names: an error to the goal is as old as the pose it was computed
    /// from. What is not here was of that very moment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub age_ns: BTreeMap<String, i64>,
}

fn nulls_are_nan<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Vec<f32>>, D::Error> {
    #[derive(Deserialize)]
    struct Row(#[serde(deserialize_with = "null_is_nan")] Vec<f32>);
    let rows: BTreeMap<String, Row> = Deserialize::deserialize(from)?;
    Ok(rows.into_iter().map(|(name, Row(values))| (name, values)).collect())
}

impl Goal {
    /// What `frame` holds of `signals` now; episode, step and number are the caller's to say. Signals that were never
    /// written are left out.
    pub fn of(frame: &SignalFrame, signals: &[Signal]) -> Self {
        let mut goal = Self { stamp: frame.now().0, ..Self::default() };
        for &signal in signals {
            let (Some(values), Some(stamp)) = (frame.read(signal), frame.stamp(signal)) else { continue };
            goal.values.insert(signal.name().to_owned(), values.to_vec());
            let age_ns = frame.now().0.saturating_sub(stamp.0);
            if age_ns != 0 {
                goal.age_ns.insert(signal.name().to_owned(), age_ns);
            }
        }
        goal
    }

    /// Writes the signals into `frame`, as old as they were.
    ///
    /// # Errors
    /// When a signal is unknown here, or has another width; `frame` is then as it was.
    pub fn write(&self, frame: &mut SignalFrame) -> Result<(), String> {
        let mut found = Vec::with_capacity(self.values.len());
        for (name, values) in &self.values {
            let signal = Signal::ALL.into_iter().find(|signal| signal.name() == name);
            let signal =
                signal.ok_or_else(|| format!("the log's goal has a signal `{name}`, which is unknown here"))?;
            let width = frame.layout().width(signal);
            if values.len() != width {
                return Err(format!("the log's goal has {} values of `{name}`, expected {width}", values.len()));
            }
            let age_ns = self.age_ns.get(name).copied().unwrap_or(0);
            found.push((signal, values, Nanos(self.stamp.saturating_sub(age_ns))));
        }
        for (signal, values, stamp) in found {
            frame.write_at(signal, values, stamp);
        }
        Ok(())
    }

    /// About how much it takes beside its own fields.
    pub(super) fn byte_count(&self) -> usize {
        let values = self.values.iter().map(|(name, values)| name.len() + size_of_val(values.as_slice()));
        let ages = self.age_ns.keys().map(|name| name.len() + size_of::<i64>());
        values.sum::<usize>() + ages.sum::<usize>()
    }
}
