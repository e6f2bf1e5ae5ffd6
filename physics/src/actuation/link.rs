//! The link between a policy and the computer next to the motors: commands that are lost on it, or come too late to count.
//!
//! What is lost here is lost before a controller knows of it: the targets that it reports stay those it has, and the next
//! increment starts from there. What is lost behind it, on the bus, is `DelayLine`'s.

use crate::noise;
use crate::parameters::LinkParameters;
use giraffe_robots::StreamRng;
use rand::RngExt;

/// Loses commands, one at a time and in bursts.
///
/// A command is sent at the start of its control step. Bursts begin at any time, as often as their rate says, and what is
/// sent while one lasts is lost: so the number of commands that are lost in one is its length in control steps in the mean,
/// whole or not.
#[derive(Debug, Clone)]
pub(crate) struct LossyLink {
    dropout: f32,
    /// That a burst begins within a control step.
    burst_chance: f32,
    /// In control steps.
    burst_steps: f64,
    /// What is sent before it is lost, in control steps from the start.
    silent_until: f64,
    loss_rng: StreamRng,
    burst_rng: StreamRng,
}

impl LossyLink {
    /// A link on which no burst has begun.
    pub fn new(parameters: LinkParameters, period_secs: f32, noise_seed: u64) -> Self {
        let (burst_chance, burst_steps) = bursts(parameters, period_secs);
        Self {
            dropout: parameters.dropout,
            burst_chance,
            burst_steps,
            silent_until: 0.0,
            loss_rng: noise::of_effect("link loss", noise_seed),
            burst_rng: noise::of_effect("link bursts", noise_seed),
        }
    }

    /// Other parameters from the next command on. A burst that has begun ends when it would have ended.
    pub fn apply(&mut self, parameters: LinkParameters, period_secs: f32) {
        self.dropout = parameters.dropout;
        (self.burst_chance, self.burst_steps) = bursts(parameters, period_secs);
    }

    /// Whether the command that is sent at the start of this control step is lost. Once for each step, in order: what
    /// happens alone and what happens in bursts draw numbers of their own, whether or not the other loses the command.
    pub fn loses(&mut self, step: u32) -> bool {
        if self.burst_chance > 0.0 {
            let begins = self.burst_rng.random::<f32>() < self.burst_chance;
            // So long before the command, in control steps.
            let before: f64 = self.burst_rng.random();
            if begins {
                self.silent_until = self.silent_until.max(f64::from(step) - before + self.burst_steps);
            }
        }
        let alone = self.dropout > 0.0 && self.loss_rng.random::<f32>() < self.dropout;
        alone || f64::from(step) < self.silent_until
    }
}

/// That a burst begins within a control step, and how many it lasts.
fn bursts(parameters: LinkParameters, period_secs: f32) -> (f32, f64) {
    let chance = 1.0 - (-parameters.burst_rate_hz * period_secs).exp();
    (chance, f64::from(parameters.burst_secs) / f64::from(period_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_SECS: f32 = 0.05;

    fn link(parameters: LinkParameters) -> LossyLink {
        LossyLink::new(parameters, PERIOD_SECS, 5)
    }

    /// Of each command whether it is lost.
    fn lost(parameters: LinkParameters, count: u32) -> Vec<bool> {
        let mut link = link(parameters);
        (0..count).map(|step| link.loses(step)).collect()
    }

    fn share(lost: &[bool]) -> f64 {
        lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
    }

    fn in_bursts(burst_rate_hz: f32, burst_secs: f32) -> LinkParameters {
        LinkParameters { burst_rate_hz, burst_secs, ..LinkParameters::default() }
    }

    #[test]
    fn a_link_as_described_loses_nothing_and_one_that_loses_all_takes_nothing() {
        assert!(lost(LinkParameters::default(), 1000).iter().all(|lost| !lost));
        assert!(lost(in_bursts(0.0, 3.0), 1000).iter().all(|lost| !lost), "there are no bursts to be long");
        assert!(lost(LinkParameters { dropout: 1.0, ..LinkParameters::default() }, 1000).iter().all(|lost| *lost));
    }

    #[test]
    fn commands_are_lost_as_often_as_the_chance_says_each_for_itself() {
        let lost = lost(LinkParameters { dropout: 0.2, ..LinkParameters::default() }, 20_000);
        assert!((share(&lost) - 0.2).abs() < 0.012, "{}", share(&lost));
        let after_a_loss: Vec<bool> = lost.windows(2).filter(|pair| pair[0]).map(|pair| pair[1]).collect();
        assert!((share(&after_a_loss) - 0.2).abs() < 0.025, "{}", share(&after_a_loss));
    }

    #[test]
    fn a_burst_takes_as_many_commands_as_its_length_holds_in_the_mean_whole_or_not() {
        for steps in [0.4_f32, 1.0, 2.5, 6.0] {
            // Seldom enough that hardly any two meet.
            let rate_hz = 0.02;
            let count = 400_000;
            let lost = lost(in_bursts(rate_hz, steps * PERIOD_SECS), count);
            let bursts = f64::from(count) * f64::from(rate_hz * PERIOD_SECS);
            let found = share(&lost) * f64::from(count) / bursts;
            // The number of bursts has a deviation of its square root, here 5 %.
            assert!((found / f64::from(steps) - 1.0).abs() < 0.15, "{found} commands in a burst of {steps} steps");
            let runs = lost.split(|lost| !lost).map(<[bool]>::len).filter(|length| *length > 0);
            let (least, most) = (steps.floor().max(1.0) as usize, steps.ceil() as usize);
            let fits = runs.clone().filter(|length| (least..=most).contains(length)).count();
            assert!(fits as f64 > 0.97 * runs.clone().count() as f64, "runs of {steps} steps: {:?}", runs.max());
        }
    }

    #[test]
    fn what_happens_alone_and_in_bursts_do_not_change_each_other() {
        let bursts = in_bursts(1.0, 0.15);
        let both = lost(LinkParameters { dropout: 0.1, ..bursts }, 2000);
        let alone = lost(LinkParameters { dropout: 0.1, ..LinkParameters::default() }, 2000);
        let in_bursts = lost(bursts, 2000);
        let either: Vec<bool> = alone.iter().zip(&in_bursts).map(|(alone, burst)| *alone || *burst).collect();
        assert_eq!(both, either);
    }

    #[test]
    fn a_burst_ends_when_it_would_have_ended_though_later_ones_are_shorter_or_there_are_none() {
        let mut link = link(in_bursts(20.0, 0.5));
        let begun = (0..).find(|step| link.loses(*step)).expect("soon");
        link.apply(LinkParameters::default(), PERIOD_SECS);
        let lost = (begun + 1..begun + 30).filter(|step| link.loses(*step)).count();
        assert!((8..=10).contains(&lost), "{lost} more of ten");
    }
}
