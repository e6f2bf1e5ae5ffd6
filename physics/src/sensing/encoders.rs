//! Joint angles and velocities as encoders report them.

use crate::noise;
use crate::parameters::{JointParameters, SensingParameters};
use giraffe_robots::StreamRng;
use rand::{RngExt, SeedableRng};
use std::collections::VecDeque;

/// Reads joint angles as encoders would.
///
/// The velocity is that of the reported angles: the difference from the joint's last reading over the time between
/// them, as servos compute theirs from their encoder (a Dynamixel, so the LEAP hand, reports such a number). A
/// reading that is lost repeats both numbers, as the LEAP hand's driver does.
#[derive(Debug, Clone)]
pub(crate) struct Encoders {
    parameters: SensingParameters,
    /// Zero offset and bias of each joint.
    offsets_rad: Vec<f32>,
    noise_rng: StreamRng,
    loss_rng: StreamRng,
    substep_secs: f64,
    period_secs: f32,
    /// True angles after each physics step, newest last.
    past: VecDeque<Vec<f32>>,
    kept: usize,
    positions_rad: Vec<f32>,
    velocities_rad_per_sec: Vec<f32>,
    /// Per joint: the control step of the last reading that was not lost.
    read_at: Vec<Option<u32>>,
}

impl Encoders {
    /// Encoders of a hand that has always been at `positions_rad`.
    pub fn new(
        parameters: SensingParameters,
        joints: &[JointParameters],
        [substep_secs, period_secs]: [f32; 2],
        noise_seed: u64,
        positions_rad: &[f32],
    ) -> Self {
        Self {
            parameters,
            offsets_rad: joints.iter().map(offset_rad).collect(),
            noise_rng: StreamRng::seed_from_u64(noise_seed),
            loss_rng: noise::of_effect("encoder loss", noise_seed),
            substep_secs: f64::from(substep_secs),
            period_secs,
            past: VecDeque::from([positions_rad.to_vec()]),
            kept: kept(parameters.position_delay_secs, substep_secs),
            positions_rad: vec![0.0; positions_rad.len()],
            velocities_rad_per_sec: vec![0.0; positions_rad.len()],
            read_at: vec![None; positions_rad.len()],
        }
    }

    /// Other parameters from the next reading on. Where the delay grows, readings grow old as fast as time passes: what was
    /// seen is not seen again.
    pub fn apply(&mut self, parameters: SensingParameters, joints: &[JointParameters]) {
        self.offsets_rad.iter_mut().zip(joints).for_each(|(offset, joint)| *offset = offset_rad(joint));
        self.kept = kept(parameters.position_delay_secs, self.substep_secs as f32);
        let unseen = if parameters.position_delay_secs > self.parameters.position_delay_secs {
            (f64::from(self.parameters.position_delay_secs) / self.substep_secs).ceil() as usize + 1
        } else {
            self.kept
        };
        self.past.drain(..self.past.len().saturating_sub(unseen));
        self.parameters = parameters;
    }

    /// Takes note of the true angles after a physics step.
    pub fn record(&mut self, positions_rad: &[f32]) {
        let mut entry = if self.past.len() >= self.kept { self.past.pop_front() } else { None }.unwrap_or_default();
        entry.clear();
        entry.extend_from_slice(positions_rad);
        self.past.push_back(entry);
    }

    /// Reads all joints at the end of control step `step`. While frozen the last readings stay; noise is drawn all
    /// the same, so that a freeze does not shift the numbers of later steps. A joint's first reading is never lost.
    pub fn read(&mut self, step: u32, frozen: bool) {
        let SensingParameters { position_noise_rad: noise, position_resolution_rad: resolution, .. } = self.parameters;
        let back = f64::from(self.parameters.position_delay_secs) / self.substep_secs;
        let newest = self.past.len() - 1;
        let near = newest.saturating_sub(back.floor() as usize);
        let far = newest.saturating_sub(back.ceil() as usize);
        let part = (back - back.floor()) as f32;
        for joint in 0..self.positions_rad.len() {
            let angle = self.past[near][joint] * (1.0 - part) + self.past[far][joint] * part;
            let drawn = noise::symmetric(&mut self.noise_rng);
            let lost = self.is_lost() || frozen;
            if lost && self.read_at[joint].is_some() {
                continue;
            }
            let reported = angle + self.offsets_rad[joint] + noise * drawn;
            self.report(
                joint,
                step,
                if resolution > 0.0 { (reported / resolution).round() * resolution } else { reported },
            );
        }
    }

    fn is_lost(&mut self) -> bool {
        let chance = self.parameters.position_dropout;
        chance > 0.0 && self.loss_rng.random::<f32>() < chance
    }

    fn report(&mut self, joint: usize, step: u32, angle_rad: f32) {
        if let Some(before) = self.read_at[joint].filter(|before| *before < step) {
            let elapsed_secs = (step - before) as f32 * self.period_secs;
            self.velocities_rad_per_sec[joint] = (angle_rad - self.positions_rad[joint]) / elapsed_secs;
        }
        self.positions_rad[joint] = angle_rad;
        self.read_at[joint] = Some(step);
    }

    /// The angles last read.
    pub fn positions_rad(&self) -> &[f32] {
        &self.positions_rad
    }

    /// The velocities last read; zero at a joint's first reading, when the hand is at rest.
    pub fn velocities_rad_per_sec(&self) -> &[f32] {
        &self.velocities_rad_per_sec
    }
}

/// What is added to a true angle.
fn offset_rad(joint: &JointParameters) -> f32 {
    joint.zero_offset_rad + joint.position_bias_rad
}

/// After how many physics steps angles are kept.
fn kept(delay_secs: f32, substep_secs: f32) -> usize {
    (delay_secs / substep_secs).ceil() as usize + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINTS: usize = 8;

    /// Reported angles and velocities of joints that turn at 1 rad/s, 20 readings a second: `[step][joint]`.
    fn readings(
        parameters: SensingParameters,
        joint: JointParameters,
        steps: u32,
        frozen: impl Fn(u32) -> bool,
    ) -> [Vec<Vec<f32>>; 2] {
        let mut encoders = Encoders::new(parameters, &[joint; JOINTS], [0.025, 0.05], 4, &[0.0; JOINTS]);
        let (mut positions, mut velocities) = (Vec::new(), Vec::new());
        for step in 0..=steps {
            if step > 0 {
                for half in [0.025, 0.05] {
                    encoders.record(&[(step - 1) as f32 * 0.05 + half; JOINTS]);
                }
            }
            encoders.read(step, frozen(step));
            positions.push(encoders.positions_rad().to_vec());
            velocities.push(encoders.velocities_rad_per_sec().to_vec());
        }
        [positions, velocities]
    }

    fn never(_: u32) -> bool {
        false
    }

    #[test]
    fn a_bias_shifts_every_reading_alike_and_no_velocity() {
        let joint = JointParameters { position_bias_rad: 0.02, zero_offset_rad: -0.05, ..JointParameters::default() };
        let [positions, velocities] = readings(SensingParameters::default(), joint, 40, never);
        for (step, (angles, speeds)) in positions.iter().zip(&velocities).enumerate() {
            let angle = step as f32 * 0.05 - 0.03;
            assert!(angles.iter().all(|found| (found - angle).abs() < 1e-5), "{angles:?}");
            let speed = if step == 0 { 0.0 } else { 1.0 };
            assert!(speeds.iter().all(|found| (found - speed).abs() < 1e-4), "{speeds:?}");
        }
    }

    #[test]
    fn a_lost_reading_repeats_the_last_one_and_happens_as_often_as_said() {
        let parameters = SensingParameters { position_dropout: 0.3, ..SensingParameters::default() };
        let [positions, velocities] = readings(parameters, JointParameters::default(), 1000, never);
        let (mut lost, mut together) = (0, 0);
        for step in 1..=1000 {
            let is_lost = |joint: usize| positions[step][joint].to_bits() == positions[step - 1][joint].to_bits();
            for joint in 0..JOINTS {
                // What is not lost is right, whatever was lost before, and so is its velocity.
                assert!(is_lost(joint) || (positions[step][joint] - step as f32 * 0.05).abs() < 1e-4);
                assert!(!is_lost(joint) || velocities[step][joint].to_bits() == velocities[step - 1][joint].to_bits());
                assert!(is_lost(joint) || (velocities[step][joint] - 1.0).abs() < 1e-3);
            }
            lost += (0..JOINTS).filter(|joint| is_lost(*joint)).count();
            together += usize::from(is_lost(0) && is_lost(1));
        }
        assert!((lost as f32 / 8000.0 - 0.3).abs() < 0.02, "{lost} of 8000");
        assert!((together as f32 / 1000.0 - 0.09).abs() < 0.03, "joints are lost on their own: {together} of 1000");
    }

    #[test]
    fn velocities_are_the_differences_of_what_is_reported() {
        let parameters = SensingParameters {
            position_noise_rad: 0.03,
            position_resolution_rad: 0.0015,
            position_delay_secs: 0.03,
            ..SensingParameters::default()
        };
        let [positions, velocities] = readings(parameters, JointParameters::default(), 50, never);
        for step in 1..=50 {
            for joint in 0..JOINTS {
                let difference = (positions[step][joint] - positions[step - 1][joint]) / 0.05;
                assert!((velocities[step][joint] - difference).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_freeze_holds_angles_and_velocities_and_shifts_no_later_number() {
        let parameters =
            SensingParameters { position_noise_rad: 0.03, position_dropout: 0.1, ..SensingParameters::default() };
        let [calm, _] = readings(parameters, JointParameters::default(), 60, never);
        let [frozen, speeds] = readings(parameters, JointParameters::default(), 60, |step| (20..30).contains(&step));
        assert_eq!(calm[..20], frozen[..20]);
        for step in 20..30 {
            assert_eq!(frozen[step], frozen[19]);
            assert_eq!(speeds[step], speeds[19]);
        }
        // By then every joint has been read again.
        assert_eq!(calm[40..], frozen[40..]);
    }

    #[test]
    fn losses_do_not_change_the_noise_of_what_is_not_lost() {
        let with = |position_dropout| {
            let parameters =
                SensingParameters { position_noise_rad: 0.03, position_dropout, ..SensingParameters::default() };
            readings(parameters, JointParameters::default(), 100, never)[0].clone()
        };
        let (all, some) = (with(0.0), with(0.2));
        let pairs = || all.iter().flatten().zip(some.iter().flatten());
        let same = pairs().filter(|(a, b)| a.to_bits() == b.to_bits()).count();
        assert!((600..720).contains(&same), "four fifths are the same: {same} of 808");
    }

    /// What a joint that turns at 1 rad/s reports at the end of each control step, where the parameters change before some.
    fn under_changes(changes: &[(u32, SensingParameters, JointParameters)], step_count: u32) -> Vec<f32> {
        let joint = JointParameters::default();
        let mut encoders = Encoders::new(SensingParameters::default(), &[joint], [0.025, 0.05], 4, &[0.0]);
        let report = |step: u32| {
            for (_, parameters, joint) in changes.iter().filter(|(at, ..)| *at == step) {
                encoders.apply(*parameters, &[*joint]);
            }
            for half in [0.025, 0.05] {
                encoders.record(&[step as f32 * 0.05 + half]);
            }
            encoders.read(step + 1, false);
            encoders.positions_rad()[0]
        };
        (0..step_count).map(report).collect()
    }

    #[test]
    fn where_the_sensing_delay_grows_no_reading_is_older_than_the_one_before() {
        let late = SensingParameters { position_delay_secs: 0.2, ..SensingParameters::default() };
        let seen = under_changes(&[(10, late, JointParameters::default())], 30);
        assert!(seen.is_sorted(), "{seen:?}");
        for (step, angle) in seen.iter().enumerate() {
            let now = (step + 1) as f32 * 0.05;
            let prompt = step < 10;
            assert!(!prompt || (angle - now).abs() < 1e-5, "{angle} at {now} s");
            assert!(step < 14 || (angle - (now - 0.2)).abs() < 1e-5, "{angle} at {now} s");
        }
        let prompt = SensingParameters::default();
        let nominal = JointParameters::default();
        let seen = under_changes(&[(0, late, nominal), (10, prompt, nominal)], 12);
        assert!((seen[9] - 0.3).abs() < 1e-5 && (seen[10] - 0.55).abs() < 1e-5, "{seen:?}");
    }

    #[test]
    fn a_zero_that_slips_shows_in_the_next_reading() {
        let slipped = JointParameters { zero_offset_rad: 0.1, position_bias_rad: 0.02, ..JointParameters::default() };
        let seen = under_changes(&[(3, SensingParameters::default(), slipped)], 5);
        let expected = [0.05, 0.1, 0.15, 0.32, 0.37];
        assert!(seen.iter().zip(expected).all(|(seen, expected)| (seen - expected).abs() < 1e-5), "{seen:?}");
    }
}
