//! Delays are exact, also within a physics step.
//!
//! A whole number of physics steps shifts a motion by that many, bit for bit. For any delay, what a linear servo lags
//! behind an undelayed one adds up to delay times jump (the area between a step response and its shifted copy).

use crate::machines::{Clock, Machine, hinge};
use giraffe_physics::EpisodePlan;

/// One reading per physics step of the training step's length.
fn every_step() -> Clock {
    Clock::training().read_at_every_step()
}

/// A damped link whose servo is never saturated: a linear system.
fn link(clock: Clock, change: impl Fn(&mut EpisodePlan)) -> Machine {
    hinge(clock, |plan| {
        plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.2;
        change(plan);
    })
}

fn with_command_delay(clock: Clock, delay_secs: f32) -> Machine {
    link(clock, |plan| plan.parameters.actuation.delay_secs = delay_secs)
}

/// True angle after every control step of a motion to and fro.
fn motion(mut machine: Machine, step_count: usize) -> Vec<f32> {
    let target = |step: usize| [0.5, -0.2, 0.3, 0.3, 0.0][(step / 3).min(4)];
    let angle = |step| {
        machine.step(&[target(step)]);
        machine.angle()
    };
    (0..step_count).map(angle).collect()
}

#[test]
fn a_command_delay_of_whole_steps_shifts_the_motion_bit_for_bit() {
    let clock = every_step();
    let prompt = motion(with_command_delay(clock, 0.0), 40);
    for steps in [1, 2, 5] {
        let late = motion(with_command_delay(clock, steps as f32 * clock.step_secs()), 40);
        assert!(late[..steps].iter().all(|angle| angle.abs() < 1e-7), "moved before its time: {late:?}");
        let apart = late[steps..].iter().zip(&prompt).map(|(late, prompt)| (late - prompt).abs()).fold(0.0, f32::max);
        println!("LAW command delay of {steps} steps: {apart:.1e} rad");
        assert!(apart < 1e-7, "{apart} rad from the motion {steps} steps earlier");
    }
}

/// The delayed target is averaged over the physics step, and the servo is linear: so is its answer.
#[test]
fn a_command_delay_within_a_step_mixes_the_two_whole_ones_beside_it() {
    let clock = every_step();
    let whole = |steps: f32| motion(with_command_delay(clock, steps * clock.step_secs()), 40);
    for part in [0.1, 0.5, 0.8] {
        let (early, late, between) = (whole(2.0), whole(3.0), whole(2.0 + part));
        for step in 0..40 {
            let expected = (1.0 - part) * early[step] + part * late[step];
            assert!((between[step] - expected).abs() < 1e-5, "{} at step {step}, expected {expected}", between[step]);
        }
    }
}

#[test]
fn what_a_delayed_hand_lags_behind_adds_up_to_delay_times_jump() {
    let jump_rad = 0.4;
    for clock in [Clock::FINE, Clock::training(), Clock::new(0.05, 7)] {
        for delay_secs in [0.0013, 0.01, 0.037, 0.05, 0.0741, 0.12] {
            // Read once per physics step, so that the sum is the integral.
            let clock = clock.read_at_every_step();
            let (mut prompt, mut late) = (with_command_delay(clock, 0.0), with_command_delay(clock, delay_secs));
            let mut area = 0.0_f64;
            while prompt.secs() < 2.0 {
                prompt.step(&[jump_rad]);
                late.step(&[jump_rad]);
                area += f64::from((prompt.angle() - late.angle()) * clock.step_secs());
            }
            let measured_secs = area as f32 / jump_rad;
            println!("LAW lag of {delay_secs} s dt {}: off by {:.1e} s", clock.step_secs(), measured_secs - delay_secs);
            assert!((measured_secs - delay_secs).abs() < 2e-5, "lags by {measured_secs} s instead of {delay_secs} s");
        }
    }
}

#[test]
fn sensed_angles_are_as_old_as_the_sensing_delay_to_a_part_of_a_step() {
    let substeps = every_step();
    let truth: Vec<f32> = std::iter::once(0.0).chain(motion(link(substeps, |_| ()), 40)).collect();
    for delay_secs in [0.0, 0.01, 0.025, 0.04, 0.05, 0.0925, 0.2] {
        let mut machine = link(substeps, |plan| plan.parameters.sensing.position_delay_secs = delay_secs);
        let back = delay_secs / substeps.step_secs();
        for step in 0..40 {
            let target = [0.5, -0.2, 0.3, 0.3, 0.0][(step / 3).min(4)];
            machine.step(&[target]);
            // Before the start the hand has always stood where it starts. Between two steps time runs evenly.
            let at = |steps_back: f32| truth[(step + 1).saturating_sub(steps_back as usize)];
            let part = back - back.floor();
            let expected = (1.0 - part) * at(back.floor()) + part * at(back.ceil());
            let sensed = machine.sensed_angle();
            assert!((sensed - expected).abs() < 1e-5, "{sensed} at step {step}, {delay_secs} s ago it was {expected}");
        }
    }
}

#[test]
fn a_sensing_delay_leaves_the_motion_itself_as_it_was() {
    let prompt = motion(link(Clock::training(), |_| ()), 20);
    let late = motion(link(Clock::training(), |plan| plan.parameters.sensing.position_delay_secs = 0.06), 20);
    assert_eq!(prompt, late);
}
