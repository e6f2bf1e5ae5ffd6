//! Rounds in which we and the opponents take turns, and what they amount to.

use super::opponent::{Opponents, Setting, Work};
use super::ours::{Ours, Rates};
use super::{CollectingSpeed, EpochSpeed, LearnerBenchOptions, PytorchSpeed, Shape};
use crate::say;
use crate::study::bench::spread::{Spread, go_on};
use anyhow::Result;
use std::sync::atomic::AtomicBool;

/// How many of an opponent's settings take part in the rounds: a trial alone may pick the wrong one.
const SETTINGS: usize = 2;

/// What was measured of one shape.
pub(super) struct Rounds {
    ours: Vec<Rates>,
    lstm: Option<Rival>,
    cell: Option<Rival>,
    acting: Option<Rival>,
}

/// An opponent in its fastest settings, by short trials.
struct Rival {
    tried: Vec<Tried>,
    /// Samples or steps of one epoch or step.
    size: usize,
}

/// One setting, and its rates in the rounds.
struct Tried {
    setting: Setting,
    rates: Vec<f64>,
}

impl Rival {
    fn new(opponents: &mut Opponents, ways: &[&'static str], work: Work, size: usize, secs: f64) -> Result<Self> {
        let settings = opponents.fastest(ways, work, secs, SETTINGS)?;
        let tried = settings.into_iter().map(|setting| Tried { setting, rates: Vec::new() });
        Ok(Self { tried: tried.collect(), size })
    }

    /// One round.
    fn measure(&mut self, opponents: &mut Opponents, secs: f64, stop: &AtomicBool) -> Result<()> {
        for tried in &mut self.tried {
            go_on(stop)?;
            tried.rates.push(self.size as f64 * opponents.rate(&tried.setting, secs)?);
        }
        Ok(())
    }

    /// The faster setting in the rounds.
    fn best(&self) -> Option<&Tried> {
        self.tried.iter().max_by(|a, b| a.spread().median.total_cmp(&b.spread().median))
    }
}

impl Tried {
    fn spread(&self) -> Spread {
        Spread::of(&self.rates)
    }
}

/// Every setting of an opponent.
fn all_tried(rival: Option<&Rival>) -> Vec<PytorchSpeed> {
    let speed = |tried: &Tried| PytorchSpeed { setting: tried.setting.text(), per_sec: tried.spread() };
    rival.map_or_else(Vec::new, |rival| rival.tried.iter().map(speed).collect())
}

/// Measures one shape; collecting, too, if `is_acting`.
pub(super) fn rounds(
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
                rival.measure(opponents, options.secs(), stop)?;
            }
        }
    }
    Ok(rounds)
}

impl Rounds {
    /// Speed of epochs.
    pub(super) fn epochs(&self, shape: Shape) -> EpochSpeed {
        let ours: Vec<f64> = self.ours.iter().map(|rates| rates.samples_per_sec).collect();
        let ratio = |tried: Option<&Tried>| tried.map(|tried| Spread::of_ratios(&ours, &tried.rates));
        let (lstm, cell) = (self.lstm.as_ref().and_then(Rival::best), self.cell.as_ref().and_then(Rival::best));
        let faster = [lstm, cell].into_iter().flatten();
        let faster = faster.max_by(|a, b| a.spread().median.total_cmp(&b.spread().median));
        let (rate, over_faster, over_cell) = (Spread::of(&ours), ratio(faster), ratio(cell));
        let median = |tried: Option<&Tried>| tried.map(|tried| tried.spread().median);
        EpochSpeed {
            shape,
            samples_per_sec: rate.median,
            pytorch_samples_per_sec: median(faster),
            ratio: over_faster.map(|ratio| ratio.median),
            pytorch_lstm_samples_per_sec: median(lstm),
            pytorch_cell_samples_per_sec: median(cell),
            ratio_masked: over_cell.map(|ratio| ratio.median),
            // Known when the peak is.
            peak_share: f64::NAN,
            samples_per_sec_spread: rate,
            ratio_spread: over_faster,
            ratio_masked_spread: over_cell,
            pytorch_lstm_spread: lstm.map(Tried::spread),
            pytorch_cell_spread: cell.map(Tried::spread),
            pytorch_lstm_setting: lstm.map(|tried| tried.setting.text()),
            pytorch_cell_setting: cell.map(|tried| tried.setting.text()),
            pytorch_lstm_tried: all_tried(self.lstm.as_ref()),
            pytorch_cell_tried: all_tried(self.cell.as_ref()),
        }
    }

    /// Speed of collecting.
    pub(super) fn collecting(&self, shape: Shape) -> CollectingSpeed {
        let ours: Vec<f64> = self.ours.iter().map(|rates| rates.steps_per_sec).collect();
        let (rate, best) = (Spread::of(&ours), self.acting.as_ref().and_then(Rival::best));
        let ratio = best.map(|tried| Spread::of_ratios(&ours, &tried.rates));
        CollectingSpeed {
            core_width: shape.core_width,
            worlds: shape.sequences,
            steps_per_sec: rate.median,
            pytorch_steps_per_sec: best.map(|tried| tried.spread().median),
            ratio: ratio.map(|ratio| ratio.median),
            steps_per_sec_spread: rate,
            ratio_spread: ratio,
            pytorch_spread: best.map(Tried::spread),
            pytorch_setting: best.map(|tried| tried.setting.text()),
            pytorch_tried: all_tried(self.acting.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { core_width: 1, horizon_steps: 1, sequences: 1 };

    /// An opponent whose settings have so many threads, in the order in which trials had them.
    fn rival(way: &'static str, tried: &[(usize, [f64; 3])]) -> Option<Rival> {
        let tried = tried.iter().map(|(threads, rates)| Tried {
            setting: Setting::one_process(way, Work::Epochs, *threads),
            rates: rates.to_vec(),
        });
        Some(Rival { tried: tried.collect(), size: 1 })
    }

    #[test]
    fn an_opponent_is_what_it_is_in_the_rounds_not_what_it_was_in_a_trial() {
        let ours = vec![Rates { samples_per_sec: 12.0, steps_per_sec: 6.0 }; 3];
        // The trial had one thread faster, the rounds have two; a lucky round does not count.
        let lstm = rival("lstm", &[(1, [8.0, 9.0, 40.0]), (2, [20.0, 24.0, 30.0])]);
        let cell = rival("cell", &[(1, [4.0, 6.0, 8.0])]);
        let acting = rival("split", &[(2, [2.0, 2.0, 2.0]), (1, [1.0, 3.0, 3.0])]);
        let rounds = Rounds { ours, lstm, cell, acting };
        let epochs = rounds.epochs(SHAPE);
        assert_eq!(epochs.pytorch_lstm_setting.as_deref(), Some("lstm, one process, threads 2"));
        assert_eq!(epochs.pytorch_lstm_spread, Some(Spread { median: 24.0, min: 20.0, max: 30.0 }));
        assert_eq!(epochs.ratio_spread, Some(Spread { median: 0.5, min: 0.4, max: 0.6 }));
        assert_eq!(epochs.ratio_masked_spread, Some(Spread { median: 2.0, min: 1.5, max: 3.0 }));
        assert_eq!(epochs.pytorch_lstm_tried.len(), 2);
        assert!((epochs.pytorch_lstm_tried[0].per_sec.max - 40.0).abs() < 1e-9);
        let collecting = rounds.collecting(SHAPE);
        assert_eq!(collecting.pytorch_setting.as_deref(), Some("split, one process, threads 1"));
        assert_eq!(collecting.ratio_spread, Some(Spread { median: 2.0, min: 2.0, max: 6.0 }));
    }
}
