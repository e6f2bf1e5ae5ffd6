//! The way of a command to the servos: altered a little, and late by any time, exact within physics steps.

use crate::noise;
use crate::parameters::{ActuationParameters, JointParameters};
use giraffe_robots::StreamRng;
use rand::RngExt;
use std::collections::VecDeque;

/// Delays targets. A target holds, as a step, from its arrival until a newer one arrives; what a servo sees during one
/// physics step is the average over it, so the outcome depends smoothly on the delay.
#[derive(Debug, Clone)]
pub(crate) struct DelayLine {
    /// In control steps.
    delay_steps: f64,
    /// Each command is later than the delay by up to this, in control steps.
    jitter_steps: f64,
    noise_rad: f32,
    gain_noise: f32,
    dropout: f32,
    biases_rad: Vec<f32>,
    /// The last command as it was given.
    asked_rad: Vec<f32>,
    /// Index of the control step that `commands.back()` belongs to; -1 before the first.
    newest_step: i64,
    /// Oldest first. The first entry also stands for all time before it.
    commands: VecDeque<Command>,
    kept: usize,
    jitter_rng: StreamRng,
    noise_rng: StreamRng,
    gain_rng: StreamRng,
    loss_rng: StreamRng,
}

/// Targets on their way.
#[derive(Debug, Clone, Default)]
struct Command {
    /// How much later than the delay they arrive, in control steps.
    late_steps: f64,
    targets_rad: Vec<f32>,
}

impl DelayLine {
    /// A line that has always carried `resting_rad`.
    pub fn new(
        parameters: ActuationParameters,
        joints: &[JointParameters],
        period_secs: f32,
        noise_seed: u64,
        resting_rad: &[f32],
    ) -> Self {
        let steps = |secs: f32| f64::from(secs) / f64::from(period_secs);
        let (delay_steps, jitter_steps) = (steps(parameters.delay_secs), steps(parameters.jitter_secs));
        Self {
            delay_steps,
            jitter_steps,
            noise_rad: parameters.noise_rad,
            gain_noise: parameters.gain_noise,
            dropout: parameters.dropout,
            biases_rad: joints.iter().map(|joint| joint.target_bias_rad).collect(),
            asked_rad: resting_rad.to_vec(),
            newest_step: -1,
            commands: VecDeque::from([Command { late_steps: 0.0, targets_rad: resting_rad.to_vec() }]),
            kept: kept(delay_steps + jitter_steps),
            jitter_rng: noise::of_effect("command jitter", noise_seed),
            noise_rng: noise::of_effect("command noise", noise_seed),
            gain_rng: noise::of_effect("command gain", noise_seed),
            loss_rng: noise::of_effect("command loss", noise_seed),
        }
    }

    /// Other parameters from the next command on. What is on its way arrives when it would have arrived.
    pub fn apply(&mut self, parameters: ActuationParameters, joints: &[JointParameters], period_secs: f32) {
        let steps = |secs: f32| f64::from(secs) / f64::from(period_secs);
        let (delay_steps, jitter_steps) = (steps(parameters.delay_secs), steps(parameters.jitter_secs));
        for command in &mut self.commands {
            command.late_steps += self.delay_steps - delay_steps;
        }
        (self.delay_steps, self.jitter_steps) = (delay_steps, jitter_steps);
        self.kept = kept(delay_steps + jitter_steps);
        (self.noise_rad, self.gain_noise, self.dropout) =
            (parameters.noise_rad, parameters.gain_noise, parameters.dropout);
        self.biases_rad.iter_mut().zip(joints).for_each(|(bias, joint)| *bias = joint.target_bias_rad);
    }

    /// A new command, at the start of the next control step.
    pub fn push(&mut self, targets_rad: &[f32]) {
        let mut entry =
            if self.commands.len() > self.kept { self.commands.pop_front() } else { None }.unwrap_or_default();
        entry.late_steps =
            if self.jitter_steps > 0.0 { self.jitter_rng.random_range(0.0..=self.jitter_steps) } else { 0.0 };
        entry.targets_rad.clear();
        entry.targets_rad.extend(targets_rad.iter().zip(&self.biases_rad).map(|(target, bias)| target + bias));
        if self.noise_rad > 0.0 {
            for target in &mut entry.targets_rad {
                *target += self.noise_rad * noise::symmetric(&mut self.noise_rng);
            }
        }
        self.miss_in_proportion(targets_rad, &mut entry.targets_rad);
        if self.dropout > 0.0 && self.loss_rng.random::<f32>() < self.dropout {
            self.repeat_before(&mut entry);
        }
        self.commands.push_back(entry);
        self.newest_step += 1;
    }

    /// Adds what is missed in proportion to the way from the last command that was given, lost or not.
    fn miss_in_proportion(&mut self, asked_rad: &[f32], out: &mut [f32]) {
        if self.gain_noise <= 0.0 {
            return;
        }
        for ((out, asked), before) in out.iter_mut().zip(asked_rad).zip(&mut self.asked_rad) {
            *out += self.gain_noise * noise::symmetric(&mut self.gain_rng) * (asked - *before);
            *before = *asked;
        }
    }

    /// Makes a lost command one that says what the one before said, at the time at which that one said it.
    fn repeat_before(&self, entry: &mut Command) {
        if let Some(before) = self.commands.back() {
            entry.late_steps = before.late_steps - 1.0;
            entry.targets_rad.clone_from(&before.targets_rad);
        }
    }

    /// The average target over the part `[begin, end]` of the newest control step (both in 0..=1). At any time the
    /// newest command that has arrived is in force: one that was overtaken never is.
    pub fn average(&self, begin: f64, end: f64, out: &mut [f32]) {
        let shift = self.newest_step as f64 - self.delay_steps;
        let (from, to) = (shift + begin, shift + end);
        out.fill(0.0);
        let oldest = self.commands.len() - 1;
        let mut until = to;
        for (back, command) in self.commands.iter().rev().enumerate() {
            let arrival = (self.newest_step - back as i64) as f64 + command.late_steps;
            let since = if back == oldest { from } else { arrival.max(from) };
            if since < until - 1e-12 {
                let weight = ((until - since) / (to - from)) as f32;
                for (out, target) in out.iter_mut().zip(&command.targets_rad) {
                    *out += weight * target;
                }
                until = since;
            }
            if until <= from {
                break;
            }
        }
    }
}

/// How many commands are kept that may be late by so many control steps.
fn kept(late_steps: f64) -> usize {
    late_steps.ceil() as usize + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_SECS: f32 = 0.05;

    fn line(parameters: ActuationParameters, noise_seed: u64) -> DelayLine {
        let joint = JointParameters { target_bias_rad: 0.0, ..JointParameters::default() };
        DelayLine::new(parameters, &[joint], PERIOD_SECS, noise_seed, &[0.0])
    }

    fn averages(delay_secs: f32) -> Vec<f32> {
        let mut line = line(ActuationParameters { delay_secs, ..ActuationParameters::default() }, 1);
        let mut seen = Vec::new();
        for command in [1.0, 2.0, 3.0, 4.0] {
            line.push(&[command]);
            for half in 0..2 {
                let mut out = [0.0];
                line.average(f64::from(half) * 0.5, f64::from(half + 1) * 0.5, &mut out);
                seen.push(out[0]);
            }
        }
        seen
    }

    #[track_caller]
    fn assert_near(seen: &[f32], expected: &[f32]) {
        assert!(seen.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{seen:?} is not {expected:?}");
    }

    #[test]
    fn without_delay_a_command_acts_at_once() {
        assert_near(&averages(0.0), &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    }

    #[test]
    fn a_whole_period_of_delay_shifts_by_one_step() {
        assert_near(&averages(0.05), &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn a_delay_within_a_physics_step_mixes_old_and_new_in_proportion() {
        // 10 ms late: of the first 25 ms, 10 ms still see the old target.
        assert_near(&averages(0.01), &[0.6, 1.0, 1.6, 2.0, 2.6, 3.0, 3.6, 4.0]);
        // 75 ms late: one and a half steps.
        assert_near(&averages(0.075), &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
    }

    /// The number of the command in force in each of 50 slices of 1 ms of each control step: command n targets n.
    fn in_force(parameters: ActuationParameters, step_count: usize) -> Vec<f32> {
        let mut line = line(parameters, 3);
        let mut seen = Vec::new();
        for command in 0..step_count {
            line.push(&[command as f32]);
            for slice in 0..50 {
                let mut out = [0.0];
                line.average(f64::from(slice) / 50.0, f64::from(slice + 1) / 50.0, &mut out);
                seen.push(out[0]);
            }
        }
        seen
    }

    #[test]
    fn latency_is_never_below_the_delay_and_never_above_delay_plus_jitter() {
        let parameters = ActuationParameters { delay_secs: 0.02, jitter_secs: 0.04, ..ActuationParameters::default() };
        let seen = in_force(parameters, 400);
        let mut latencies_ms = Vec::new();
        for command in 1..398 {
            // The slice in which it arrives already shows a part of it.
            let arrival = seen.iter().position(|value| *value > command as f32 - 0.99).expect("it arrives");
            latencies_ms.push(arrival as f32 - 50.0 * command as f32);
        }
        let least = latencies_ms.iter().copied().fold(f32::INFINITY, f32::min);
        let most = latencies_ms.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!((20.0..22.0).contains(&least) && (58.0..=60.0).contains(&most), "{least} to {most} ms");
        let mean = latencies_ms.iter().sum::<f32>() / latencies_ms.len() as f32;
        assert!((mean - 40.0).abs() < 2.0, "spread evenly: {mean} ms");
    }

    #[test]
    fn a_command_that_was_overtaken_never_acts() {
        let parameters = ActuationParameters { delay_secs: 0.0, jitter_secs: 0.1, ..ActuationParameters::default() };
        let seen = in_force(parameters, 400);
        assert!(seen.is_sorted(), "the number of the command in force never falls");
        let ever = |command: usize| seen.iter().any(|value| (value - command as f32).abs() < 1e-6);
        let skipped = (1..390).filter(|command| !ever(*command)).count();
        assert!((20..200).contains(&skipped), "some are overtaken: {skipped} of 390");
    }

    #[test]
    fn each_command_misses_its_target_by_the_bias_and_no_more_than_the_noise() {
        let parameters = ActuationParameters { noise_rad: 0.01, ..ActuationParameters::default() };
        let joint = JointParameters { target_bias_rad: 0.1, ..JointParameters::default() };
        let mut line = DelayLine::new(parameters, &[joint; 2], PERIOD_SECS, 5, &[0.0; 2]);
        let mut misses = Vec::new();
        for _ in 0..500 {
            line.push(&[1.0, 2.0]);
            let mut out = [0.0; 2];
            line.average(0.0, 1.0, &mut out);
            misses.push([out[0] - 1.0 - 0.1, out[1] - 2.0 - 0.1]);
        }
        let all = || misses.iter().flatten();
        assert!(all().all(|miss| miss.abs() < 0.01 + 1e-6));
        assert!(all().any(|miss| *miss > 0.009) && all().any(|miss| *miss < -0.009));
        let mean = all().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 1e-3, "{mean}");
        let together: f32 = misses.iter().map(|[a, b]| a * b).sum::<f32>() / 500.0;
        assert!(together.abs() < 0.15 * 0.01 * 0.01 / 3.0 * 2.0, "joints miss on their own: {together}");
    }

    #[test]
    fn jitter_and_noise_do_not_change_each_other() {
        let with = |jitter_secs, noise_rad| {
            let parameters = ActuationParameters { jitter_secs, noise_rad, ..ActuationParameters::default() };
            let mut line = line(parameters, 9);
            (0..20).for_each(|_| line.push(&[0.0]));
            let last = line.commands.back().expect("just pushed");
            (last.late_steps, last.targets_rad[0])
        };
        let (both, jitter, noise) = (with(0.03, 0.02), with(0.03, 0.0), with(0.0, 0.02));
        assert_eq!(both.0.to_bits(), jitter.0.to_bits());
        assert_eq!(both.1.to_bits(), noise.1.to_bits());
    }

    #[test]
    fn a_lost_command_leaves_the_one_before_in_force() {
        let parameters =
            ActuationParameters { delay_secs: 0.06, dropout: 0.3, noise_rad: 0.1, ..ActuationParameters::default() };
        let without = in_force(ActuationParameters { dropout: 0.0, ..parameters }, 1000);
        let with = in_force(parameters, 1000);
        let mut lost = 0;
        // Command n arrives 10 ms into step n + 1.
        for command in 1..998 {
            let at = 50 * (command + 1) + 20;
            let (now, before) = (with[at], with[at - 50]);
            if (now - before).abs() < 1e-6 {
                lost += 1;
            } else {
                assert!((now - without[at]).abs() < 1e-6, "what is not lost is as without losses");
            }
        }
        assert!((lost as f32 / 997.0 - 0.3).abs() < 0.05, "{lost} of 997");
        assert!(with.is_sorted_by(|a, b| a - b < 1.0), "no step back but for noise");
    }

    #[test]
    fn a_lost_command_brings_no_late_one_earlier() {
        let parameters = ActuationParameters { jitter_secs: 0.1, dropout: 0.4, ..ActuationParameters::default() };
        let with = in_force(parameters, 400);
        let without = in_force(ActuationParameters { dropout: 0.0, ..parameters }, 400);
        assert!(with.is_sorted(), "the number of the command in force never falls");
        assert!(with.iter().zip(&without).all(|(with, without)| *with <= *without + 1e-4));
    }

    #[test]
    fn every_command_may_be_lost_for_as_long_as_it_takes() {
        let mut line =
            line(ActuationParameters { dropout: 1.0, delay_secs: 0.02, ..ActuationParameters::default() }, 2);
        for command in 1..50 {
            line.push(&[command as f32]);
            let mut out = [7.0];
            line.average(0.0, 0.5, &mut out);
            assert_near(&out, &[0.0]);
        }
    }

    #[test]
    fn what_is_missed_in_proportion_is_nothing_where_the_target_stays() {
        let parameters = ActuationParameters { gain_noise: 0.5, ..ActuationParameters::default() };
        let mut line = DelayLine::new(parameters, &[JointParameters::default(); 2], PERIOD_SECS, 5, &[0.0; 2]);
        let mut shares = Vec::new();
        for command in 1..=500 {
            let targets = [0.1 * command as f32, 1.0];
            line.push(&targets);
            let mut out = [0.0; 2];
            line.average(0.0, 1.0, &mut out);
            shares.push((out[0] - targets[0]) / 0.1);
            assert!(command == 1 || (out[1] - 1.0).abs() < 1e-6, "{}", out[1]);
        }
        assert!(shares.iter().all(|share| share.abs() < 0.5 + 1e-3), "and errors do not add up");
        assert!(shares.iter().any(|share| *share > 0.45) && shares.iter().any(|share| *share < -0.45));
        let mean = shares.iter().sum::<f32>() / 500.0;
        assert!(mean.abs() < 0.05, "{mean}");
    }

    /// The number of the command in force in each control step, where delays change before some of them.
    fn under_changes(delays_secs: &[(usize, f32)], step_count: usize) -> Vec<f32> {
        let mut line = line(ActuationParameters::default(), 3);
        let in_force = |command: usize| {
            for (_, delay_secs) in delays_secs.iter().filter(|(step, _)| *step == command) {
                let parameters = ActuationParameters { delay_secs: *delay_secs, ..ActuationParameters::default() };
                line.apply(parameters, &[JointParameters::default()], PERIOD_SECS);
            }
            line.push(&[command as f32]);
            let mut out = [0.0];
            line.average(0.0, 1.0, &mut out);
            out[0]
        };
        (0..step_count).map(in_force).collect()
    }

    #[test]
    fn where_the_delay_grows_what_has_arrived_stays_until_the_next_command_arrives() {
        let expected = [0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        assert_near(&under_changes(&[(4, 0.1)], 12), &expected);
    }

    #[test]
    fn where_the_delay_shrinks_what_is_on_its_way_is_overtaken_or_arrives_in_its_time() {
        // Commands 2 and 3 come 150 ms late, 4 and what follows 50 ms: 2 and 3 are overtaken by 4 and never act.
        let expected = [0.0, 1.0, 1.0, 1.0, 1.0, 4.0, 5.0, 6.0, 7.0];
        assert_near(&under_changes(&[(2, 0.15), (4, 0.05)], 9), &expected);
        // Command 2 comes 100 ms late: as 3 comes 75 ms late it still acts for half a step.
        assert_near(&under_changes(&[(2, 0.1), (3, 0.075)], 7), &[0.0, 1.0, 1.0, 1.0, 2.5, 3.5, 4.5]);
    }
}
