//! `giraffe bench learner`: how fast an epoch of PPO is, against the same network in PyTorch on the same machine.
//!
//! | | what is counted |
//! | --- | --- |
//! | ours | all of [`giraffe_policy::PpoLearner::update`] with [`EPOCHS`] epochs of one gradient step each: judging the rollout (the critic's forward pass), gathering, forward, losses, backward, clipping, Adam, and the report |
//! | PyTorch | forward, losses, backward, clipping and Adam; its data lies ready |
//!
//! One in a hundred steps ends an episode. Of PyTorch's two opponents, `nn.LSTM` runs over the whole sequence and cannot
//! forget there; a loop of `nn.LSTMCell` can, and is the like for like. Each is measured with the number of threads, and
//! with actor and critic one after the other or in a process each, that is fastest for it: short trials find the two
//! fastest settings, and the rounds decide between them. All in f32.

mod idle;
mod opponent;
mod options;
mod ours;
mod rounds;
mod table;

use super::spread::Spread;
use crate::run::COMMIT;
use crate::say;
use crate::study::python;
use anyhow::Result;
use opponent::Opponents;
pub use opponent::TorchVersions;
pub use options::LearnerBenchOptions;
pub use ours::peak_memory_mib;
use ours::{Ours, gemm_flops_per_sec, peak_memory_of_child};
use rounds::rounds;
use serde::Serialize;
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
#[derive(Debug, Serialize)]
pub struct LearnerBench {
    /// Epochs.
    pub shapes: Vec<EpochSpeed>,
    /// Collecting.
    pub collecting: Vec<CollectingSpeed>,
    /// Acting for one hand.
    pub acting: Vec<ActingSpeed>,
    /// Of products of large square matrices in f32 on all threads, 1e9 operations per second; the most that was seen of
    /// anybody.
    pub peak_gflops: f64,
    /// Whose that was: `gemm` or `PyTorch`.
    pub peak_of: &'static str,
    /// The most that was seen of the crate gemm, 1e9 operations per second.
    pub gemm_peak_gflops: f64,
    /// The most that was seen of PyTorch, in one process or in two, 1e9 operations per second.
    pub pytorch_peak_gflops: Option<f64>,
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
#[derive(Debug, Serialize)]
pub struct LearnerVersions {
    /// The commit this program was built from.
    pub giraffe: String,
    /// PyTorch and its Python.
    pub pytorch: Option<TorchVersions>,
}

/// An epoch of one shape.
#[derive(Debug, Serialize)]
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
    /// Share of the machine's `peak_gflops` that the matrix products of our epochs amount to.
    pub peak_share: f64,
    /// Spread of our rate.
    pub samples_per_sec_spread: Spread,
    /// Spread of the ratio to the faster opponent.
    pub ratio_spread: Option<Spread>,
    /// Spread of the ratio to the one that forgets.
    pub ratio_masked_spread: Option<Spread>,
    /// Spread of the first opponent's rate.
    pub pytorch_lstm_spread: Option<Spread>,
    /// Spread of the second's.
    pub pytorch_cell_spread: Option<Spread>,
    /// How the first opponent was fastest.
    pub pytorch_lstm_setting: Option<String>,
    /// How the second was.
    pub pytorch_cell_setting: Option<String>,
    /// Every way in which the first took part in the rounds.
    pub pytorch_lstm_tried: Vec<PytorchSpeed>,
    /// Every way in which the second did.
    pub pytorch_cell_tried: Vec<PytorchSpeed>,
}

/// PyTorch in one of its ways.
#[derive(Debug, Serialize)]
pub struct PytorchSpeed {
    /// How the network is written and the cores are used.
    pub setting: String,
    /// Samples, or steps of worlds, per second.
    pub per_sec: Spread,
}

/// Collecting: the actor alone, without gradients, in worlds that cost nothing. Ours counts normalising, drawing and
/// recording; PyTorch's the network, drawing, and how likely what was drawn is.
#[derive(Debug, Serialize)]
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
    /// Spread of PyTorch's rate.
    pub pytorch_spread: Option<Spread>,
    /// How PyTorch was fastest.
    pub pytorch_setting: Option<String>,
    /// Every way in which it took part in the rounds.
    pub pytorch_tried: Vec<PytorchSpeed>,
}

/// Acting for one hand, as deployment does.
#[derive(Debug, Serialize)]
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

/// The most operations per second that were seen of large matrix products.
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    gemm: f64,
    pytorch: Option<f64>,
}

impl Peak {
    fn measure(&mut self, threads: usize, opponents: Option<&mut Opponents>) -> Result<()> {
        self.gemm = self.gemm.max(gemm_flops_per_sec(threads));
        if let Some(opponents) = opponents {
            self.pytorch = Some(self.pytorch.unwrap_or(0.0).max(opponents.flops_per_sec()?));
        }
        Ok(())
    }

    /// The most, and whose.
    fn most(self) -> (f64, &'static str) {
        match self.pytorch {
            Some(pytorch) if pytorch > self.gemm => (pytorch, "PyTorch"),
            _ => (self.gemm, "gemm"),
        }
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
    let (mut shapes, mut collecting, mut acting, mut peak) = (Vec::new(), Vec::new(), Vec::new(), Peak::default());
    for &core_width in options.widths() {
        for &horizon_steps in options.horizons() {
            for &sequences in options.sequences() {
                let shape = Shape { core_width, horizon_steps, sequences };
                peak.measure(threads, opponents.as_mut())?;
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
    let (most, peak_of) = peak.most();
    for speed in &mut shapes {
        speed.peak_share = speed.samples_per_sec * speed.shape.operations_per_sample() / most;
    }
    Ok(LearnerBench {
        shapes,
        collecting,
        acting,
        peak_gflops: 1e-9 * most,
        peak_of,
        gemm_peak_gflops: 1e-9 * peak.gemm,
        pytorch_peak_gflops: peak.pytorch.map(|peak| 1e-9 * peak),
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

    #[test]
    fn the_peak_is_whosever_is_higher() {
        let most = |gemm, pytorch| Peak { gemm, pytorch }.most();
        assert_eq!(most(4.0, None), (4.0, "gemm"));
        assert_eq!(most(4.0, Some(3.0)), (4.0, "gemm"));
        assert_eq!(most(4.0, Some(5.0)), (5.0, "PyTorch"));
    }
}
