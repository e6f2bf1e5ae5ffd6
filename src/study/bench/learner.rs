//! `giraffe bench learner`: how fast an epoch of PPO is, against the same network in PyTorch on the same machine.
//!
//! | | what is counted |
//! | --- | --- |
//! | ours | all of [`giraffe_policy::PpoLearner::update`] with [`EPOCHS`] epochs of one gradient step each: judging the rollout (the critic's forward pass), gathering, forward, losses, backward, clipping, Adam, and the report |
//! | PyTorch | forward, losses, backward, clipping and Adam; its data lies ready |
//!
//! One in a hundred steps ends an episode. Of PyTorch's two opponents, `nn.LSTM` runs over the whole sequence and cannot
//! forget there; a loop of `nn.LSTMCell` can, and is the like for like. Each is measured with the number of threads, and
//! with actor and critic one after the other or in a process each, that is fastest for it. All in f32.

mod idle;
mod opponent;
mod options;
mod ours;

use super::spread::{Spread, go_on};
use crate::run::COMMIT;
use crate::say;
use crate::study::python;
use anyhow::Result;
pub use opponent::TorchVersions;
use opponent::{Opponents, Setting, Work};
pub use options::LearnerBenchOptions;
pub use ours::peak_memory_mib;
use ours::{Ours, Rates, gemm_flops_per_sec, peak_memory_of_child};
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

/// Columns that the actor reads: about those of a hand of 16 joints.
const ACTOR_COLUMNS: usize = 96;
/// Columns that the critic reads.
const CRITIC_COLUMNS: usize = 190;
/// Joints.
const ACTIONS: usize = 16;
/// Epochs of one update. What an update does besides is counted, too, and shared by them.
pub const EPOCHS: usize = 4;
/// What the memory budget is stated for.
const MEMORY_SHAPE: Shape = Shape { core_width: 256, horizon_steps: 32, sequences: 512 };

/// The shape of a gradient step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Width of the LSTM, and of the encoder before it.
    pub core_width: usize,
    /// Steps of a sequence.
    pub horizon_steps: usize,
    /// Sequences: one per world.
    pub sequences: usize,
}

/// The result. What needs PyTorch is `null` without it. Rates and ratios are medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct LearnerBench {
    /// Epochs.
    pub shapes: Vec<EpochSpeed>,
    /// Collecting.
    pub collecting: Vec<CollectingSpeed>,
    /// Acting for one hand.
    pub acting: Vec<ActingSpeed>,
    /// Of a product of large square matrices in f32 on all threads, 1e9 operations per second; the best that was seen.
    pub gemm_peak_gflops: f64,
    /// Peak resident memory of training 512 worlds x 32 steps x 120 columns with LSTM-256 in a process of its own, MiB;
    /// `null` where it was not measured.
    pub peak_memory_mib: Option<f64>,
    /// What ran.
    pub versions: LearnerVersions,
    /// Cores of the machine.
    pub cores: usize,
    /// Threads used.
    pub threads: usize,
    /// What learned.
    pub device: String,
    /// Epochs of one of our updates.
    pub epochs_per_update: usize,
}

/// What ran on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct LearnerVersions {
    /// The commit this program was built from.
    pub giraffe: String,
    /// PyTorch and its Python.
    pub pytorch: Option<TorchVersions>,
}

/// An epoch of one shape.
#[derive(Debug, Clone, Serialize)]
pub struct EpochSpeed {
    /// The shape.
    #[serde(flatten)]
    pub shape: Shape,
    /// Ours: steps of worlds learned from, per second of an epoch.
    pub samples_per_sec: f64,
    /// Of PyTorch, the faster of both opponents.
    pub pytorch_samples_per_sec: Option<f64>,
    /// Ours over the faster opponent's, round by round.
    pub ratio: Option<f64>,
    /// `nn.LSTM` over the whole sequence.
    pub pytorch_lstm_samples_per_sec: Option<f64>,
    /// Step by step, forgetting where episodes end.
    pub pytorch_cell_samples_per_sec: Option<f64>,
    /// Ours over that of the opponent that forgets, round by round.
    pub ratio_masked: Option<f64>,
    /// Share of the machine's `gemm_peak_gflops` that the matrix products of our epochs amount to.
    pub gemm_peak_share: f64,
    /// Spread of our rate.
    pub samples_per_sec_spread: Spread,
    /// Spread of the ratio to the faster opponent.
    pub ratio_spread: Option<Spread>,
    /// Spread of the ratio to the one that forgets.
    pub ratio_masked_spread: Option<Spread>,
    /// How the first opponent was fastest.
    pub pytorch_lstm_setting: Option<String>,
    /// How the second was.
    pub pytorch_cell_setting: Option<String>,
}

/// Collecting: the actor alone, without gradients, in worlds that cost nothing. Ours counts normalising, drawing and
/// recording; PyTorch's the network, drawing, and how likely what was drawn is.
#[derive(Debug, Clone, Serialize)]
pub struct CollectingSpeed {
    /// Width of the LSTM, and of the encoder before it.
    pub core_width: usize,
    /// Worlds.
    pub worlds: usize,
    /// Ours, steps of worlds per second.
    pub steps_per_sec: f64,
    /// PyTorch's.
    pub pytorch_steps_per_sec: Option<f64>,
    /// Ours over PyTorch's, round by round.
    pub ratio: Option<f64>,
    /// Spread of our rate.
    pub steps_per_sec_spread: Spread,
    /// Spread of the ratio.
    pub ratio_spread: Option<Spread>,
    /// How PyTorch was fastest.
    pub pytorch_setting: Option<String>,
}

/// Acting for one hand, as deployment does.
#[derive(Debug, Clone, Serialize)]
pub struct ActingSpeed {
    /// Width of the LSTM, and of the encoder before it.
    pub core_width: usize,
    /// Seconds of one action, median.
    pub secs_per_action: f64,
}

impl Shape {
    fn samples(self) -> usize {
        self.horizon_steps * self.sequences
    }

    /// Floating-point operations of the matrix products of an epoch, per sample, actor and critic together.
    ///
    /// With I columns, H units and O outputs, a network multiplies by `I x H`, `H x 4H` twice, and `H x O`. Backward each
    /// is multiplied by twice more, for the gradients of weights and of inputs, but for the first, whose input
    /// needs none. A multiplication and an addition are two operations.
    fn operations_per_sample(self) -> f64 {
        let width = self.core_width;
        let network = |columns: usize, outputs: usize| 2 * columns * width + 3 * (8 * width * width + width * outputs);
        2.0 * (network(ACTOR_COLUMNS, ACTIONS) + network(CRITIC_COLUMNS, 1)) as f64
    }
}

/// Measures the learner.
///
/// # Errors
/// When the learner or a process of PyTorch's fails. A missing PyTorch is no error: what needs it stays empty.
pub fn bench_learner(options: &LearnerBenchOptions, stop: &AtomicBool) -> Result<LearnerBench> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if options.thread_count == 0 { cores } else { options.thread_count };
    let peak_memory_mib = if !options.skip_memory {
        say::note("memory of training, in a process of its own");
        peak_memory_of_child(MEMORY_SHAPE)?
    } else {
        None
    };
    let opponents = Opponents::start(&python::program(options.python.as_deref()), options.device, threads);
    let mut opponents =
        opponents.map_err(|error| say::note(format_args!("without PyTorch there is no comparison: {error:#}"))).ok();
    let (mut shapes, mut collecting, mut acting, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0f64);
    for &core_width in options.widths() {
        for &horizon_steps in options.horizons() {
            for &sequences in options.sequences() {
                let shape = Shape { core_width, horizon_steps, sequences };
                peak = peak.max(gemm_flops_per_sec(threads));
                // Collecting does not depend on the length of sequences: once is enough.
                let is_last = options.horizons().last() == Some(&horizon_steps);
                let rounds = rounds(shape, options, opponents.as_mut(), is_last, stop)?;
                shapes.push(rounds.epochs(shape));
                collecting.extend(is_last.then(|| rounds.collecting(shape)));
            }
        }
        let alone = Shape { core_width, horizon_steps: 1, sequences: 1 };
        acting.push(ActingSpeed { core_width, secs_per_action: Ours::new(alone, options)?.secs_per_action()? });
    }
    for speed in &mut shapes {
        speed.gemm_peak_share = speed.samples_per_sec * speed.shape.operations_per_sample() / peak;
    }
    Ok(LearnerBench {
        shapes,
        collecting,
        acting,
        gemm_peak_gflops: 1e-9 * peak,
        peak_memory_mib,
        versions: LearnerVersions {
            giraffe: COMMIT.to_owned(),
            pytorch: opponents.map(|opponents| opponents.versions),
        },
        cores,
        threads,
        device: options.device.to_string(),
        epochs_per_update: EPOCHS,
    })
}

/// What was measured of one shape.
struct Rounds {
    ours: Vec<Rates>,
    lstm: Option<Rival>,
    cell: Option<Rival>,
    acting: Option<Rival>,
}

/// An opponent at its best, and its rates.
struct Rival {
    setting: Setting,
    rates: Vec<f64>,
    /// Samples or steps of one epoch or step.
    size: usize,
}

impl Rival {
    fn new(opponents: &mut Opponents, ways: &[&'static str], work: Work, size: usize, secs: f64) -> Result<Self> {
        Ok(Self { setting: opponents.fastest(ways, work, secs)?, rates: Vec::new(), size })
    }

    fn measure(&mut self, opponents: &mut Opponents, secs: f64) -> Result<()> {
        self.rates.push(self.size as f64 * opponents.rate(&self.setting, secs)?);
        Ok(())
    }

    fn median(&self) -> f64 {
        Spread::of(&self.rates).median
    }
}

/// Rounds in which we and the opponents take turns.
fn rounds(
    shape: Shape,
    options: &LearnerBenchOptions,
    mut opponents: Option<&mut Opponents>,
    is_acting: bool,
    stop: &AtomicBool,
) -> Result<Rounds> {
    let Shape { core_width, horizon_steps, sequences } = shape;
    say::note(format_args!("LSTM-{core_width}, {sequences} sequences of {horizon_steps} steps"));
    go_on(stop)?;
    let mut ours = Ours::new(shape, options)?;
    let mut rounds = Rounds { ours: Vec::new(), lstm: None, cell: None, acting: None };
    if let Some(opponents) = &mut opponents {
        opponents.prepare(shape)?;
        let mut rival = |ways: &[&'static str], work, size| {
            go_on(stop)?;
            Rival::new(opponents, ways, work, size, options.secs())
        };
        rounds.lstm = Some(rival(&["lstm"], Work::Epochs, shape.samples())?);
        rounds.cell = Some(rival(&["cell", "split"], Work::Epochs, shape.samples())?);
        if is_acting {
            rounds.acting = Some(rival(&["lstm", "cell", "split"], Work::Steps, sequences)?);
        }
    }
    for _ in 0..options.repeats() {
        go_on(stop)?;
        rounds.ours.push(ours.rates(options.secs())?);
        if let Some(opponents) = &mut opponents {
            for rival in [&mut rounds.lstm, &mut rounds.cell, &mut rounds.acting].into_iter().flatten() {
                go_on(stop)?;
                rival.measure(opponents, options.secs())?;
            }
        }
    }
    Ok(rounds)
}

impl Rounds {
    fn epochs(&self, shape: Shape) -> EpochSpeed {
        let ours: Vec<f64> = self.ours.iter().map(|rates| rates.samples_per_sec).collect();
        let ratio = |rival: Option<&Rival>| rival.map(|rival| Spread::of_ratios(&ours, &rival.rates));
        let (lstm, cell) = (self.lstm.as_ref(), self.cell.as_ref());
        let faster = [lstm, cell].into_iter().flatten().max_by(|a, b| a.median().total_cmp(&b.median()));
        let (rate, over_faster, over_cell) = (Spread::of(&ours), ratio(faster), ratio(cell));
        EpochSpeed {
            shape,
            samples_per_sec: rate.median,
            pytorch_samples_per_sec: faster.map(Rival::median),
            ratio: over_faster.map(|ratio| ratio.median),
            pytorch_lstm_samples_per_sec: lstm.map(Rival::median),
            pytorch_cell_samples_per_sec: cell.map(Rival::median),
            ratio_masked: over_cell.map(|ratio| ratio.median),
            // Known when the peak is.
            gemm_peak_share: f64::NAN,
            samples_per_sec_spread: rate,
            ratio_spread: over_faster,
            ratio_masked_spread: over_cell,
            pytorch_lstm_setting: lstm.map(|rival| rival.setting.text()),
            pytorch_cell_setting: cell.map(|rival| rival.setting.text()),
        }
    }

    fn collecting(&self, shape: Shape) -> CollectingSpeed {
        let ours: Vec<f64> = self.ours.iter().map(|rates| rates.steps_per_sec).collect();
        let (rate, rival) = (Spread::of(&ours), self.acting.as_ref());
        let ratio = rival.map(|rival| Spread::of_ratios(&ours, &rival.rates));
        CollectingSpeed {
            core_width: shape.core_width,
            worlds: shape.sequences,
            steps_per_sec: rate.median,
            pytorch_steps_per_sec: rival.map(Rival::median),
            ratio: ratio.map(|ratio| ratio.median),
            steps_per_sec_spread: rate,
            ratio_spread: ratio,
            pytorch_setting: rival.map(|rival| rival.setting.text()),
        }
    }
}

impl LearnerBench {
    /// The result for people.
    pub fn table(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
        let ratio = |spread: Option<Spread>| match spread {
            Some(Spread { median, min, max }) => format!("{median:.2} [{min:.2}, {max:.2}]"),
            None => "-".to_owned(),
        };
        let mut text = format!(
            "{} on {} threads; samples per second of a PPO epoch, medians; [smallest, largest]\n\n{:>6}{:>7}{:>11}{:>10}{:>10}{:>10}{:>20}{:>20}{:>10}\n",
            self.device,
            self.threads,
            "LSTM",
            "steps",
            "sequences",
            "giraffe",
            "nn.LSTM",
            "LSTMCell",
            "ratio",
            "like for like",
            "of peak"
        );
        for row in &self.shapes {
            let Shape { core_width, horizon_steps, sequences } = row.shape;
            let _ = writeln!(
                text,
                "{core_width:>6}{horizon_steps:>7}{sequences:>11}{:>10.0}{:>10}{:>10}{:>20}{:>20}{:>8.0} %",
                row.samples_per_sec,
                number(row.pytorch_lstm_samples_per_sec),
                number(row.pytorch_cell_samples_per_sec),
                ratio(row.ratio_spread),
                ratio(row.ratio_masked_spread),
                100.0 * row.gemm_peak_share
            );
        }
        let _ = writeln!(
            text,
            "\nsteps per second of collecting, worlds not counted\n\n{:>6}{:>8}{:>10}{:>10}{:>20}",
            "LSTM", "worlds", "giraffe", "PyTorch", "ratio"
        );
        for row in &self.collecting {
            let (width, worlds, theirs) = (row.core_width, row.worlds, number(row.pytorch_steps_per_sec));
            let ratio = ratio(row.ratio_spread);
            let _ = writeln!(text, "{width:>6}{worlds:>8}{:>10.0}{theirs:>10}{ratio:>20}", row.steps_per_sec);
        }
        text.push('\n');
        for ActingSpeed { core_width, secs_per_action } in &self.acting {
            let _ = writeln!(text, "one action of one hand, LSTM-{core_width:<4} {:>7.1} us", 1e6 * secs_per_action);
        }
        let _ = writeln!(text, "\nproduct of large matrices, GFLOP/s   {:.0}", self.gemm_peak_gflops);
        let _ = writeln!(text, "peak memory of training, MiB         {}", number(self.peak_memory_mib));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_of_every_product_forward_and_backward() {
        // Every product of both networks with two units, counted one by one.
        let shape = Shape { core_width: 2, horizon_steps: 1, sequences: 1 };
        let network = |columns: usize, outputs: usize| {
            let products = [(columns, 2, 2), (2, 8, 3), (2, 8, 3), (2, outputs, 3)];
            products.iter().map(|(rows, columns, times)| 2 * rows * columns * times).sum::<usize>()
        };
        let expected = network(96, 16) + network(190, 1);
        assert!((shape.operations_per_sample() - expected as f64).abs() < 0.5);
    }
}
