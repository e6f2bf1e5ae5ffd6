//! How long things take on the bus, and from that how often the loop can turn.
//!
//! Nothing here is measured: lengths of packets are those of the protocol, and a USB serial adapter keeps the last bytes
//! of an answer for as long as its latency timer says.

use super::registers::{GOAL_CURRENT, GOAL_POSITION, PRESENT, Register};
use super::settings::DynamixelSettings;
use crate::driver::DriverError;
use giraffe_robots::RobotModel;

/// A byte and its start and stop bits.
const BITS_PER_BYTE: f64 = 10.0;
/// Header, id, length, instruction and checksum.
const INSTRUCTION_BYTES: usize = 10;
/// The same of an answer, and its error byte.
const ANSWER_BYTES: usize = 11;
/// Which register, and how much of it.
const SPAN_BYTES: usize = 4;
/// So often the joints may be asked for in one turn: what comes broken, or not at all, is asked for again.
const QUESTIONS_PER_TURN: f64 = 2.0;
/// Part of the slack of a question that writing takes, which waits for nobody.
const WRITING_SHARE: f64 = 0.5;
/// Part of a turn that is left for everything else: messages, judgement.
const SPARE_SHARE: f64 = 0.1;
/// No turn is shorter, s: four in each control period of a policy at 20 Hz.
const LEAST_PERIOD_SECS: f64 = 0.0125;
/// A line on which nothing came for so long is quiet, s: some bytes at 4 Mbaud, and a turn of a USB adapter.
pub(super) const QUIET_SECS: f64 = 1.5e-3;
/// A port that says nothing of a latency timer is taken for one with this, s.
pub(super) const USUAL_LATENCY_SECS: f64 = 1e-3;
/// What an adapter does that was never told otherwise, s.
pub(super) const FACTORY_LATENCY_SECS: f64 = 16e-3;
/// Unit of Bus Watchdog, s.
pub(super) const WATCHDOG_UNIT_SECS: f64 = 0.02;
/// The servos' own watchdog waits for so many turns at least: a late one must not stop the hand.
const TURNS_PER_WATCHDOG: f64 = 2.0;

/// Servos on a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub baud: u32,
    /// How long the adapter keeps the last bytes of an answer.
    pub latency_secs: f64,
    pub joint_count: usize,
    /// What this computer and USB add to each question.
    pub slack_secs: f64,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timing {
    /// One turn of the loop.
    pub period_secs: f64,
    /// Reading all joints, the second attempt included.
    pub sense_secs: f64,
    /// Writing all currents and goals.
    pub command_secs: f64,
    /// One question to all servos.
    pub attempt_secs: f64,
    /// One question to one servo.
    pub single_secs: f64,
}

impl Line {
    fn secs(&self, bytes: usize) -> f64 {
        bytes as f64 * BITS_PER_BYTE / f64::from(self.baud)
    }

    fn sync_write_bytes(&self, register: Register) -> usize {
        INSTRUCTION_BYTES + SPAN_BYTES + self.joint_count * (1 + usize::from(register.length))
    }

    /// Of the plain way, each servo with an answer of its own: older firmware knows no other.
    fn sync_read_bytes(&self, register: Register) -> usize {
        let answer = ANSWER_BYTES + usize::from(register.length);
        INSTRUCTION_BYTES + SPAN_BYTES + self.joint_count * (1 + answer)
    }

    pub(super) fn timing(&self) -> Timing {
        let wait_secs = self.latency_secs + self.slack_secs;
        let attempt_secs = self.secs(self.sync_read_bytes(PRESENT)) + wait_secs;
        let sense_secs = QUESTIONS_PER_TURN * attempt_secs + QUIET_SECS;
        let writing = self.sync_write_bytes(GOAL_CURRENT) + self.sync_write_bytes(GOAL_POSITION);
        let command_secs = self.secs(writing) + WRITING_SHARE * self.slack_secs;
        let single = INSTRUCTION_BYTES + SPAN_BYTES + ANSWER_BYTES + usize::from(PRESENT.length);
        Timing {
            period_secs: ((sense_secs + command_secs) / (1.0 - SPARE_SHARE)).max(LEAST_PERIOD_SECS),
            sense_secs,
            command_secs,
            attempt_secs,
            single_secs: self.secs(single) + wait_secs,
        }
    }

    /// The timing, if a turn of it fits into what the hand needs and what its servos' own watchdogs put up with.
    ///
    /// # Errors
    /// Says how long a turn takes and why, how long it may take, and what to do.
    pub(super) fn fitting(&self, robot: &RobotModel, settings: &DynamixelSettings) -> Result<Timing, DriverError> {
        let timing = self.timing();
        let control_secs = f64::from(robot.control.period_secs);
        let watchdog_secs = WATCHDOG_UNIT_SECS * f64::from(settings.bus_watchdog);
        let most_secs = control_secs.min(watchdog_secs / TURNS_PER_WATCHDOG);
        if timing.period_secs <= most_secs {
            return Ok(timing);
        }
        let limit = match control_secs <= watchdog_secs / TURNS_PER_WATCHDOG {
            true => format!("the hand is commanded every {:.1} ms", 1e3 * control_secs),
            false => format!(
                "the servos' own watchdog stops them after {:.0} ms, and must wait for two turns",
                1e3 * watchdog_secs
            ),
        };
        let reason = format!(
            "one turn takes {:.1} ms: {} servos at {} baud behind an adapter that holds answers back for {:.0} ms, asked \
             for twice at most; expected at most {:.1} ms, since {limit}. Give the servos a higher rate (register 8, \
             with Dynamixel Wizard; 4,000,000 is the highest) and say --baud, or set the adapter's latency timer to 1 ms",
            1e3 * timing.period_secs,
            self.joint_count,
            self.baud,
            1e3 * self.latency_secs,
            1e3 * most_secs
        );
        Err(DriverError::new("fitting a turn of the loop onto the servo bus", reason))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
mod tests {
    use super::*;
    use giraffe_robots::load_robot;

    const LEAP: Line = Line { baud: 4_000_000, latency_secs: 1e-3, joint_count: 16, slack_secs: 2e-3 };

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-6
    }

    #[test]
    fn a_turn_takes_what_its_packets_take_by_hand() {
        // Question 14 + 16, answers 16 x 21 bytes: 366 bytes, 0.915 ms; 1 ms in the adapter, 2 ms of slack.
        let timing = LEAP.timing();
        assert!(near(timing.attempt_secs, 3.915e-3), "{timing:?}");
        assert!(near(timing.sense_secs, 2.0 * 3.915e-3 + 1.5e-3), "{timing:?}");
        // Currents 14 + 16 x 3, goals 14 + 16 x 5: 156 bytes, 0.39 ms.
        assert!(near(timing.command_secs, 1.39e-3), "{timing:?}");
        assert!(near(timing.period_secs, 12.5e-3), "80 turns a second: {timing:?}");
        let late = Line { latency_secs: 16e-3, ..LEAP }.timing();
        assert!(near(late.period_secs, (2.0 * 18.915e-3 + 1.5e-3 + 1.39e-3) / 0.9), "{late:?}");
        let slow = Line { baud: 57_600, ..LEAP }.timing();
        assert!((slow.attempt_secs - (366.0 * 10.0 / 57_600.0 + 3e-3)).abs() < 1e-9, "{slow:?}");
    }

    #[test]
    fn one_servo_has_the_time_of_a_usb_frame_and_of_the_adapter_to_answer() {
        // A full-speed USB frame is 1 ms; the adapter's timer comes on top of it.
        for latency_secs in [1e-3, 16e-3] {
            let timing = Line { latency_secs, ..LEAP }.timing();
            assert!(timing.single_secs >= latency_secs + 1e-3, "{timing:?}");
        }
    }

    #[test]
    fn a_leap_fits_behind_a_slow_adapter_and_not_at_the_servos_factory_rate() {
        let leap = load_robot("leap-right").unwrap();
        let settings = DynamixelSettings::new("nowhere");
        let fits = |line: Line| line.fitting(&leap, &settings);
        assert!(fits(LEAP).is_ok() && fits(Line { baud: 1_000_000, ..LEAP }).is_ok());
        let late = fits(Line { latency_secs: 16e-3, ..LEAP }).unwrap();
        assert!(late.period_secs < 0.05 && 1.0 / late.period_secs > 20.0, "{late:?}");
        for baud in [9_600, 57_600, 115_200] {
            let error = fits(Line { baud, ..LEAP }).unwrap_err().to_string();
            assert!(error.contains(&baud.to_string()) && error.contains("every 50.0 ms"), "{error}");
        }
        let both = fits(Line { baud: 1_000_000, latency_secs: 16e-3, ..LEAP }).unwrap_err().to_string();
        assert!(both.contains("holds answers back for 16 ms") && both.contains("latency timer"), "{both}");
        let impatient = DynamixelSettings { bus_watchdog: 1, ..settings };
        let error = LEAP.fitting(&leap, &impatient).unwrap_err().to_string();
        assert!(error.contains("watchdog stops them after 20 ms") && error.contains("12.5 ms"), "{error}");
    }
}
