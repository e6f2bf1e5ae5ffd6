//! Who says what was seen to move.

use super::CommissioningError;
use crate::calibration::SeenBy;
use giraffe_robots::{RobotModel, did_you_mean};
use std::fmt::Write as _;
use std::io::{BufRead, Write};

/// What a witness is asked: one joint was moved to a side and back.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The hand.
    pub robot: &'q RobotModel,
    /// The joint that was asked to move.
    pub joint: usize,
    /// How far, rad.
    pub asked_rad: f32,
    /// Where the hand stood, rad.
    pub start_rad: &'q [f32],
    /// The servo that was moved.
    pub id: u8,
}

impl Question<'_> {
    /// What is to be seen when `joint` turns by `by_rad`: which fingertip moves most, and where to.
    pub fn expectation(&self, joint: usize, by_rad: f32) -> String {
        let mut aside_rad = self.start_rad.to_vec();
        aside_rad[joint] += by_rad;
        let before = self.robot.fingertip_positions(self.start_rad);
        let after = self.robot.fingertip_positions(&aside_rad);
        let ways = before.iter().zip(&after).map(|(before, after)| (after - before) * 1e3);
        let longest = ways.zip(&self.robot.fingertips).max_by(|(a, _), (b, _)| a.norm().total_cmp(&b.norm()));
        let mut text = format!("`{}` turns by {by_rad:+.2} rad", self.robot.joints[joint].name);
        if let Some((way, tip)) = longest {
            // A zero has no sign.
            let [x, y, z] = [way.x, way.y, way.z].map(|mm| if mm.abs() < 0.05 { 0.0 } else { mm });
            let _ = write!(text, ": the {} fingertip moves [{x:+.1} {y:+.1} {z:+.1}] mm in the palm frame", tip.name);
        }
        text
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// A joint moved, then back.
    Moved {
        /// Which.
        joint: usize,
        /// Whether first to the side where its angle grows.
        positive: bool,
    },
    /// Nothing moved.
    Nothing,
}

/// Somebody, or something, that sees the real hand.
pub trait Witness {
    /// What was seen.
    ///
    /// # Errors
    /// [`CommissioningError::Stopped`] to end here, anything else if no answer can be had.
    fn saw(&mut self, question: &Question<'_>) -> Result<Sighting, CommissioningError>;

    /// Who this is, for the calibration.
    fn seen_by(&self) -> SeenBy;
}

/// Nobody looks: everything is as described. Such a calibration is not good enough for a real hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct AssumeYes;

impl Witness for AssumeYes {
    fn saw(&mut self, question: &Question<'_>) -> Result<Sighting, CommissioningError> {
        Ok(Sighting::Moved { joint: question.joint, positive: question.asked_rad > 0.0 })
    }

    fn seen_by(&self) -> SeenBy {
        SeenBy::Nobody
    }
}

/// A person at a terminal.
#[derive(Debug)]
pub struct TerminalWitness<R, W> {
    answers: R,
    questions: W,
}

impl<R: BufRead, W: Write> TerminalWitness<R, W> {
    /// Reads a line of `answers` for each of the `questions`.
    pub fn new(answers: R, questions: W) -> Self {
        Self { answers, questions }
    }

    fn ask(&mut self, text: &str) -> Result<String, CommissioningError> {
        let failed = |error: std::io::Error| CommissioningError::Witness(error.to_string());
        write!(self.questions, "{text} ").and_then(|()| self.questions.flush()).map_err(failed)?;
        let mut line = String::new();
        match self.answers.read_line(&mut line).map_err(failed)? {
            0 => Err(CommissioningError::Stopped),
            _ => Ok(line.trim().to_owned()),
        }
    }

    fn say(&mut self, text: &str) -> Result<(), CommissioningError> {
        writeln!(self.questions, "{text}").map_err(|error| CommissioningError::Witness(error.to_string()))
    }

    /// Whether `joint` moved first to the side where its angle grows.
    fn ask_way(&mut self, question: &Question<'_>, joint: usize) -> Result<Sighting, CommissioningError> {
        let expectation = question.expectation(joint, question.asked_rad.abs());
        loop {
            let text = format!("  did it move first so that {expectation}? [y]es, [r]everse, [q]uit:");
            let positive = match self.ask(&text)?.as_str() {
                "y" => true,
                "r" => false,
                "q" => return Err(CommissioningError::Stopped),
                _ => continue,
            };
            return Ok(Sighting::Moved { joint, positive });
        }
    }
}

impl<R: BufRead, W: Write> Witness for TerminalWitness<R, W> {
    fn saw(&mut self, question: &Question<'_>) -> Result<Sighting, CommissioningError> {
        let names: Vec<&str> = question.robot.joints.iter().map(|joint| joint.name.as_str()).collect();
        let expectation = question.expectation(question.joint, question.asked_rad);
        self.say(&format!(
            "{} of {}, servo {}: {expectation}, then back",
            question.joint + 1,
            names.len(),
            question.id
        ))?;
        loop {
            let answer =
                self.ask("  seen so? [y]es, [r]everse, [n]othing moved, [q]uit, or the joint that moved instead:")?;
            let as_asked = question.asked_rad > 0.0;
            match answer.as_str() {
                "y" => return Ok(Sighting::Moved { joint: question.joint, positive: as_asked }),
                "r" => return Ok(Sighting::Moved { joint: question.joint, positive: !as_asked }),
                "n" => return Ok(Sighting::Nothing),
                "q" => return Err(CommissioningError::Stopped),
                name => match names.iter().position(|known| *known == name) {
                    Some(joint) => return self.ask_way(question, joint),
                    None => {
                        let meant = did_you_mean(name, names.iter().copied());
                        self.say(&format!("  there is no joint `{name}`{meant}"))?;
                    }
                },
            }
        }
    }

    fn seen_by(&self) -> SeenBy {
        SeenBy::Operator
    }
}
