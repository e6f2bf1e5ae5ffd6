//! What is measured of the learner, and for how long.

use super::Shape;
use crate::run::config::check_threads;
use crate::run::memory::{Needed, Present};
use anyhow::{Result, ensure};
use clap::Args;
use giraffe_policy::{DeviceChoice, PpoConfig, Widths};

/// What is measured, and for how long. What was not said depends on whether it has to be quick.
#[derive(Debug, Args)]
pub struct LearnerBenchOptions {
    /// Widths of the LSTM, and of the encoder before it [default: 128,256,512; with --quick 128].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    widths: Vec<usize>,
    /// Steps of a sequence [default: 16,32; with --quick 16].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    horizons: Vec<usize>,
    /// Sequences of a gradient step, one per world [default: 64,256,1024; with --quick 64,256].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    sequences: Vec<usize>,
    /// How often every measurement is repeated; medians are reported [default: 5; with --quick 3].
    #[arg(long)]
    repeats: Option<usize>,
    /// Least seconds of one measurement [default: 1; with --quick 0.3].
    #[arg(long)]
    secs: Option<f64>,
    /// Few shapes for a short time, to see that it works: nothing to be quoted.
    #[arg(long)]
    quick: bool,
    /// Threads; 0 for one per core.
    #[arg(long = "threads", value_name = "THREADS", default_value_t = 0)]
    pub thread_count: usize,
    /// Do not measure memory.
    #[arg(long)]
    pub skip_memory: bool,
    /// What learns: `cpu`, `cuda` or `cuda:N`. PyTorch is measured on the same.
    #[arg(long, default_value = "cpu")]
    pub device: DeviceChoice,
    /// The Python that has PyTorch [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
}

impl LearnerBenchOptions {
    /// Whether every number can be.
    ///
    /// # Errors
    /// Names the one that cannot.
    pub fn check(&self) -> Result<()> {
        for (flag, numbers) in
            [("--widths", &self.widths), ("--horizons", &self.horizons), ("--sequences", &self.sequences)]
        {
            ensure!(!numbers.contains(&0), "{flag} 0: expected numbers of at least one");
        }
        ensure!(self.repeats() > 0, "--repeats 0: expected at least one");
        let secs = self.secs();
        ensure!(secs.is_finite() && secs > 0.0, "--secs {secs}: expected a number above zero");
        check_threads("--threads", self.thread_count)?;
        self.check_memory()
    }

    /// Whether the largest shape fits.
    fn check_memory(&self) -> Result<()> {
        let most = |numbers: &[usize]| numbers.iter().copied().max().unwrap_or(1);
        let [width, horizon_steps] = [self.widths(), self.horizons()].map(most);
        let ppo = PpoConfig { core_width: width, encoder_width: width, horizon_steps, ..PpoConfig::default() };
        Needed::by(&ppo, Widths { actor: 1, critic: 1, actions: 1 }, most(self.sequences())).check(Present::here())
    }

    /// Widths of the LSTM, and of the encoder before it.
    pub fn widths(&self) -> &[usize] {
        self.said(&self.widths, &[128], &[128, 256, 512])
    }

    /// Steps of a sequence.
    pub fn horizons(&self) -> &[usize] {
        self.said(&self.horizons, &[16], &[16, 32])
    }

    /// Sequences of a gradient step: one per world.
    pub fn sequences(&self) -> &[usize] {
        self.said(&self.sequences, &[64, 256], &[64, 256, 1024])
    }

    fn said<'s>(&'s self, said: &'s [usize], few: &'s [usize], all: &'s [usize]) -> &'s [usize] {
        match said {
            [] if self.quick => few,
            [] => all,
            said => said,
        }
    }

    /// Rounds, in each of which everyone is measured once.
    pub fn repeats(&self) -> usize {
        self.repeats.unwrap_or(if self.quick { 3 } else { 5 })
    }

    /// Least seconds of one measurement.
    pub fn secs(&self) -> f64 {
        self.secs.unwrap_or(if self.quick { 0.3 } else { 1.0 })
    }

    /// The first shape that would be measured.
    pub fn first_shape(&self) -> Shape {
        let [core_width, horizon_steps, sequences] =
            [self.widths(), self.horizons(), self.sequences()].map(|numbers| numbers[0]);
        Shape { core_width, horizon_steps, sequences }
    }
}
