//! What a finished episode says to whatever moves with success: ranges that grow, a curriculum.

use giraffe_robots::{Better, EpisodeReport};

/// The measure at a place of a task's table, turned so that more is better. The outer `None`: less than a whole episode was meant,
/// and it counts nowhere. The inner one: it says nothing of this measure, or nonsense.
pub(crate) fn judged(report: &EpisodeReport, measure: usize, better: Better, full_secs: f64) -> Option<Option<f64>> {
    let whole = report.intended_secs >= 0.999 * full_secs;
    let value = report.measures.get(measure).copied().flatten().filter(|value| value.is_finite());
    whole.then(|| value.map(|value| better.oriented(value)))
}
