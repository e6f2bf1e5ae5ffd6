//! How evenly time passes in a world.

use crate::noise;
use crate::parameters::ClockParameters;
use giraffe_robots::StreamRng;

/// Control steps that take longer or shorter than the control period.
///
/// Whole control steps vary, not the physics steps within one: what a policy meets is a loop that runs late and catches
/// up, while unequal parts of a step of fixed length would only be another way to integrate the same motion. All physics
/// steps of one control step are alike. The mean stays the control period.
#[derive(Debug, Clone)]
pub(crate) struct UnevenClock {
    jitter: f32,
    nominal_secs: f32,
    rng: StreamRng,
}

impl UnevenClock {
    /// Of physics steps of `nominal_secs`; `None` where every step takes just that.
    pub fn new(parameters: ClockParameters, nominal_secs: f32, noise_seed: u64) -> Option<Self> {
        let jitter = parameters.step_jitter;
        (jitter > 0.0).then(|| Self { jitter, nominal_secs, rng: noise::of_effect("step jitter", noise_seed) })
    }

    /// Another jitter from now on, of the same random numbers.
    pub fn apply(&mut self, parameters: ClockParameters) {
        self.jitter = parameters.step_jitter;
    }

    /// Length of each physics step of the next control step, s.
    pub fn next_substep_secs(&mut self) -> f32 {
        if self.jitter <= 0.0 {
            return self.nominal_secs;
        }
        self.nominal_secs * (1.0 + self.jitter * noise::symmetric(&mut self.rng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_differ_by_no_more_than_the_jitter_and_last_the_control_period_in_the_mean() {
        let mut clock = UnevenClock::new(ClockParameters { step_jitter: 0.2 }, 0.025, 4).expect("a jitter");
        let steps: Vec<f32> = (0..10_000).map(|_| clock.next_substep_secs()).collect();
        assert!(steps.iter().all(|secs| (0.02..=0.03).contains(secs)));
        assert!(steps.iter().any(|secs| *secs < 0.0201) && steps.iter().any(|secs| *secs > 0.0299));
        let mean = steps.iter().sum::<f32>() / 10_000.0;
        assert!((mean - 0.025).abs() < 1e-4, "{mean}");
    }

    #[test]
    fn an_even_clock_needs_no_numbers() {
        assert!(UnevenClock::new(ClockParameters::default(), 0.025, 4).is_none());
    }
}
