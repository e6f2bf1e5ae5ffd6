//! Tables of scores.

use super::evaluate::Score;
use std::fmt::Write as _;

/// One line per score, with 95 % intervals.
pub fn score_table(rows: &[(&str, &Score)]) -> String {
    let mut text =
        format!("{:<22}{:>26}{:>26}{:>10}\n", "", "rotation rate, rad/s", "episodes without a drop", "episodes");
    for (name, score) in rows {
        let rate = match score.ci95[0].is_finite() {
            true => format!("{:.3} [{:.3}, {:.3}]", score.rotation_rate_rad_per_sec, score.ci95[0], score.ci95[1]),
            false => format!("{:.3} [one episode]", score.rotation_rate_rad_per_sec),
        };
        let kept = format!(
            "{:.1} % [{:.1}, {:.1}]",
            100.0 * score.no_drop_fraction,
            100.0 * score.no_drop_ci95[0],
            100.0 * score.no_drop_ci95[1]
        );
        let _ = writeln!(text, "{name:<22}{rate:>26}{kept:>26}{:>10}", score.episodes);
    }
    text
}
