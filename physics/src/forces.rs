//! Forces on the object that nobody explains: an elbow, a draught, a cable. Each strikes without warning and fades.

use crate::noise;
use crate::parameters::{ForceParameters, ObjectPush};
use giraffe_robots::StreamRng;
use rand::RngExt;

/// The forces of one episode. At its start there are none.
#[derive(Debug, Clone)]
pub(crate) struct RandomForces {
    parameters: ForceParameters,
    /// That a force is drawn in a control step.
    chance: f32,
    /// What is left of it after one.
    decay: f32,
    /// Of its own, so that a force does not depend on when it strikes.
    time_rng: StreamRng,
    size_rng: StreamRng,
    push: ObjectPush,
}

impl RandomForces {
    /// Whether there is a force, or may be one.
    pub fn act(&self) -> bool {
        some_force(&self.parameters) || self.push != ObjectPush::default()
    }

    /// Other parameters from the next draw on. What pushes now fades.
    pub fn apply(&mut self, parameters: ForceParameters, period_secs: f32) {
        self.parameters = parameters;
        (self.chance, self.decay) = chance_and_decay(&parameters, period_secs);
    }

    /// `None` where there is no force to draw.
    pub fn new(parameters: ForceParameters, period_secs: f32, noise_seed: u64) -> Option<Self> {
        let (chance, decay) = chance_and_decay(&parameters, period_secs);
        some_force(&parameters).then(|| Self {
            parameters,
            chance,
            decay,
            time_rng: noise::of_effect("times of random forces", noise_seed),
            size_rng: noise::of_effect("random forces", noise_seed),
            push: ObjectPush::default(),
        })
    }

    /// What pushes during the next control step.
    pub fn next(&mut self) -> ObjectPush {
        if self.time_rng.random::<f32>() < self.chance {
            let mut drawn = |deviation: f32| [(); 3].map(|()| deviation * noise::normal(&mut self.size_rng));
            self.push = ObjectPush {
                m_per_sec2: drawn(self.parameters.acceleration_m_per_sec2),
                rad_per_sec2: drawn(self.parameters.angular_acceleration_rad_per_sec2),
            };
        } else {
            self.push.m_per_sec2 = self.push.m_per_sec2.map(|axis| axis * self.decay);
            self.push.rad_per_sec2 = self.push.rad_per_sec2.map(|axis| axis * self.decay);
        }
        self.push
    }
}

fn some_force(parameters: &ForceParameters) -> bool {
    parameters.acceleration_m_per_sec2 > 0.0 || parameters.angular_acceleration_rad_per_sec2 > 0.0
}

/// That a force is drawn in a control step, and what is left of it after one.
fn chance_and_decay(parameters: &ForceParameters, period_secs: f32) -> (f32, f32) {
    (1.0 - (-parameters.rate_hz * period_secs).exp(), (-period_secs / parameters.half_life_secs).exp2())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_SECS: f32 = 0.05;

    fn pushes(parameters: ForceParameters, seed: u64, count: usize) -> Vec<ObjectPush> {
        let mut forces = RandomForces::new(parameters, PERIOD_SECS, seed).expect("there are forces");
        (0..count).map(|_| forces.next()).collect()
    }

    fn dactyl() -> ForceParameters {
        ForceParameters { acceleration_m_per_sec2: 1.0, angular_acceleration_rad_per_sec2: 10.0, ..Default::default() }
    }

    /// Whether something new struck between two steps: a force that only fades keeps its direction.
    fn struck(before: &ObjectPush, after: &ObjectPush, decay: f32) -> bool {
        before.m_per_sec2.iter().zip(after.m_per_sec2).any(|(before, after)| (before * decay - after).abs() > 1e-4)
    }

    #[test]
    fn without_a_force_there_is_nothing_to_compute() {
        assert!(RandomForces::new(ForceParameters::default(), PERIOD_SECS, 1).is_none());
    }

    #[test]
    fn a_force_strikes_as_often_as_its_rate_says_and_halves_in_its_half_life() {
        let count = 40_000;
        let seen = pushes(dactyl(), 3, count);
        let decay = 0.99_f32.powf(PERIOD_SECS / 0.08);
        let strikes = seen.windows(2).filter(|pair| struck(&pair[0], &pair[1], decay)).count() as f32;
        // 2000 s; the number of events has a deviation of its square root.
        let expected = count as f32 * (1.0 - (-PERIOD_SECS).exp());
        assert!((strikes - expected).abs() < 4.0 * expected.sqrt(), "{strikes} strikes instead of {expected}");
    }

    #[test]
    fn a_fresh_force_is_normal_and_even_in_all_directions() {
        let always = ForceParameters { rate_hz: 1e3, ..dactyl() };
        let seen = pushes(always, 5, 20_000);
        for axis in 0..3 {
            let mean = |of: &dyn Fn(&ObjectPush) -> f32| seen.iter().map(of).sum::<f32>() / seen.len() as f32;
            let (m, r) = (mean(&|p| p.m_per_sec2[axis]), mean(&|p| p.rad_per_sec2[axis]));
            assert!(m.abs() < 0.03 && r.abs() < 0.3, "{m} {r}");
            let (m2, r2) = (mean(&|p| p.m_per_sec2[axis].powi(2)), mean(&|p| p.rad_per_sec2[axis].powi(2)));
            assert!((m2 - 1.0).abs() < 0.05 && (r2 - 100.0).abs() < 5.0, "{m2} {r2}");
            let within = mean(&|p| f32::from(u8::from(p.m_per_sec2[axis].abs() < 1.0)));
            assert!((within - 0.6827).abs() < 0.015, "{within} within one deviation");
        }
        let together = seen.iter().map(|p| p.m_per_sec2[0] * p.rad_per_sec2[0]).sum::<f32>() / seen.len() as f32;
        assert!(together.abs() < 0.3, "{together}");
    }

    #[test]
    fn the_same_forces_strike_at_other_times_when_the_rate_is_another() {
        let first = |rate_hz| {
            let seen = pushes(ForceParameters { rate_hz, ..dactyl() }, 7, 1000);
            seen.into_iter().enumerate().find(|(_, push)| push.m_per_sec2[0].abs() > 0.0).expect("within 50 s")
        };
        let ((often, a), (seldom, b)) = (first(5.0), first(0.2));
        assert!(often < seldom, "{often} {seldom}");
        assert_eq!(a, b);
        assert_ne!(pushes(dactyl(), 7, 100), pushes(dactyl(), 8, 100));
        assert_eq!(pushes(dactyl(), 7, 100), pushes(dactyl(), 7, 100));
    }
}
