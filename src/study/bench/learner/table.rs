//! The result for people.

use super::{ActingSpeed, LearnerBench, Shape};
use crate::study::bench::spread::{Spread, text_of};
use std::fmt::Write as _;

impl LearnerBench {
    /// The result for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {} threads; samples per second of a PPO epoch, medians; [smallest, largest]\n\n",
            self.device, self.threads
        );
        self.write_epochs(&mut text);
        self.write_collecting(&mut text);
        text.push('\n');
        for ActingSpeed { core_width, secs_per_action } in &self.acting {
            let _ = writeln!(text, "one action of one hand, LSTM-{core_width:<4} {:>7.1} us", 1e6 * secs_per_action);
        }
        let theirs = number(self.pytorch_peak_gflops);
        let _ = writeln!(
            text,
            "\nproduct of large matrices, GFLOP/s   {:.0} of {} (gemm {:.0}, PyTorch {theirs})",
            self.peak_gflops, self.peak_of, self.gemm_peak_gflops
        );
        let _ = writeln!(text, "peak memory of training, MiB         {}", number(self.peak_memory_mib));
        text
    }

    fn write_epochs(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "{:>6}{:>7}{:>11}{:>10}{:>26}{:>26}{:>20}{:>20}{:>10}",
            "LSTM", "steps", "sequences", "giraffe", "nn.LSTM", "LSTMCell", "ratio", "like for like", "of peak"
        );
        for row in &self.shapes {
            let Shape { core_width, horizon_steps, sequences } = row.shape;
            let _ = writeln!(
                text,
                "{core_width:>6}{horizon_steps:>7}{sequences:>11}{:>10.0}{:>26}{:>26}{:>20}{:>20}{:>8.0} %",
                row.samples_per_sec,
                rate(row.pytorch_lstm_spread),
                rate(row.pytorch_cell_spread),
                ratio(row.ratio_spread),
                ratio(row.ratio_masked_spread),
                100.0 * row.peak_share
            );
        }
    }

    fn write_collecting(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\nsteps per second of collecting, worlds not counted\n\n{:>6}{:>8}{:>10}{:>26}{:>20}",
            "LSTM", "worlds", "giraffe", "PyTorch", "ratio"
        );
        for row in &self.collecting {
            let (width, worlds, theirs) = (row.core_width, row.worlds, rate(row.pytorch_spread));
            let ratio = ratio(row.ratio_spread);
            let _ = writeln!(text, "{width:>6}{worlds:>8}{:>10.0}{theirs:>26}{ratio:>20}", row.steps_per_sec);
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}

fn rate(spread: Option<Spread>) -> String {
    text_of(spread, 0, 0)
}

fn ratio(spread: Option<Spread>) -> String {
    text_of(spread, 0, 2)
}
