//! What sensors make of the truth: age, noise, resolution, zero offset, freezing.

use crate::parameters::{JointParameters, SensingParameters};
use giraffe_robots::StreamRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;

/// Reads joint angles as encoders would.
#[derive(Debug, Clone)]
pub(crate) struct JointSensor {
    parameters: SensingParameters,
    zero_offsets_rad: Vec<f32>,
    rng: StreamRng,
    substep_secs: f64,
    /// True angles after each physics step, newest last.
    past: VecDeque<Vec<f32>>,
    kept: usize,
    last: Vec<f32>,
}

impl JointSensor {
    /// A sensor of a hand that has always been at `positions_rad`.
    pub fn new(
        parameters: SensingParameters,
        joints: &[JointParameters],
        substep_secs: f32,
        noise_seed: u64,
        positions_rad: &[f32],
    ) -> Self {
        let kept = (parameters.position_delay_secs / substep_secs).ceil() as usize + 2;
        Self {
            parameters,
            zero_offsets_rad: joints.iter().map(|joint| joint.zero_offset_rad).collect(),
            rng: StreamRng::seed_from_u64(noise_seed),
            substep_secs: f64::from(substep_secs),
            past: VecDeque::from([positions_rad.to_vec()]),
            kept,
            last: vec![0.0; positions_rad.len()],
        }
    }

    /// Takes note of the true angles after a physics step.
    pub fn record(&mut self, positions_rad: &[f32]) {
        let mut entry = if self.past.len() >= self.kept { self.past.pop_front() } else { None }.unwrap_or_default();
        entry.clear();
        entry.extend_from_slice(positions_rad);
        self.past.push_back(entry);
    }

    /// The angles as reported now. While frozen, the last reported ones; noise is drawn all the same, so that a
    /// freeze does not shift the numbers of later steps.
    pub fn read(&mut self, frozen: bool) -> &[f32] {
        let SensingParameters { position_noise_rad: noise, position_resolution_rad: resolution, .. } = self.parameters;
        let back = f64::from(self.parameters.position_delay_secs) / self.substep_secs;
        let newest = self.past.len() - 1;
        let near = newest.saturating_sub(back.floor() as usize);
        let far = newest.saturating_sub(back.ceil() as usize);
        let part = (back - back.floor()) as f32;
        for joint in 0..self.last.len() {
            let angle = self.past[near][joint] * (1.0 - part) + self.past[far][joint] * part;
            let drawn: f32 = self.rng.random_range(-1.0..=1.0);
            if frozen {
                continue;
            }
            let reported = angle + self.zero_offsets_rad[joint] + noise * drawn;
            self.last[joint] = if resolution > 0.0 { (reported / resolution).round() * resolution } else { reported };
        }
        &self.last
    }
}
