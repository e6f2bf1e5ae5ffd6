//! What a parameter does to the world, stated so that it can be tested.
//!
//! A randomization that randomizes nothing is easily written and hard to notice. So every row states an outcome that
//! somebody could measure on a real hand, and in which direction the parameter moves it; one test walks through the
//! table and holds each row to its word.

use serde::Serialize;
use std::fmt;

/// What a parameter changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The outcome that changes.
    pub observable: Observable,
    /// Which way it goes when the parameter's value rises.
    pub direction: Direction,
}

/// Which way an outcome goes when a parameter's value rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up.
    Raises,
    /// Down.
    Lowers,
}

/// An outcome of a short experiment with one hand and one object, all else nominal. Its definition says what is
/// measured; `tests/bench` says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Observable {
    /// See [`Observable::definition`], as for all of them.
    KickSpeed,
    /// Of the object on the palm.
    RestHeight,
    /// Of the object on the fingertips.
    HeightOnTips,
    /// Of an object at the side edge of the palm.
    TurnAboutX,
    /// Of an object at the front edge of the fingertips.
    TurnAboutY,
    /// Of the object on the palm.
    LeanOnSlope,
    /// Of the object.
    SlipOnPalm,
    /// Of the object.
    SlipOnLinks,
    /// Of the object.
    SlipOnTips,
    /// Of the object from the palm.
    Rebound,
    /// Of the object into the palm.
    Dent,
    /// Of an empty hand.
    FingerSag,
    /// Of an empty hand.
    StepLag,
    /// Of an empty hand.
    StepResidual,
    /// Of an empty hand.
    TrueAngle,
    /// Of an empty hand.
    SensedErrorAtRest,
    /// Of an empty hand.
    SensedErrorInMotion,
    /// Of an empty hand.
    SensedOffset,
    /// Of an empty hand.
    Tremble,
    /// Of an empty hand.
    FollowingError,
    /// Of the object on the palm.
    TrackedPlaceError,
    /// Of the object on the palm.
    TrackedTurnError,
    /// Of an object that falls.
    TrackedLag,
    /// Of a weightless object.
    Drift,
    /// Of a weightless object.
    Jostle,
    /// Of a weightless object.
    RandomSpin,
    /// Of an object at the front edge of the fingertips.
    Overbalance,
    /// Of an empty hand.
    BottomOfRange,
    /// Of an empty hand.
    TopOfRange,
    /// Of an empty hand.
    JumpSpread,
    /// Of an object that falls.
    UnevenFall,
    /// Of an empty hand.
    UnheardTargets,
    /// Of an empty hand.
    UnheardInBursts,
}

/// What an [`Observable`] is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ObservableDefinition {
    /// What is measured, to follow "the".
    pub doc: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// What good sensors on a bench leave uncertain in it. A parameter that moves it by less than ten times this has
    /// no effect worth the name.
    pub noise: f32,
}

/// Two orientations 50 ms apart.
const SPIN_NOISE_RAD_PER_SEC: f32 = TURN_NOISE_RAD * std::f32::consts::SQRT_2 / 0.05;

/// A 12-bit encoder's step of 1.5 mrad, spread evenly: 1.5 / sqrt(12).
const ANGLE_NOISE_RAD: f32 = 0.000_44;
/// Optical motion capture.
const PLACE_NOISE_M: f32 = 0.000_5;
/// Two places across the 70 mm cube.
const TURN_NOISE_RAD: f32 = PLACE_NOISE_M * std::f32::consts::SQRT_2 / 0.07;
/// Two places 50 ms apart.
const SPEED_NOISE_M_PER_SEC: f32 = PLACE_NOISE_M * std::f32::consts::SQRT_2 / 0.05;

impl Observable {
    /// The one definition of this observable.
    pub fn definition(self) -> ObservableDefinition {
        let place = |doc| ObservableDefinition { doc, unit: "m", noise: PLACE_NOISE_M };
        let turn = |doc| ObservableDefinition { doc, unit: "rad", noise: TURN_NOISE_RAD };
        let speed = |doc| ObservableDefinition { doc, unit: "m/s", noise: SPEED_NOISE_M_PER_SEC };
        let angle = |doc| ObservableDefinition { doc, unit: "rad", noise: ANGLE_NOISE_RAD };
        match self {
            Self::KickSpeed => ObservableDefinition {
                doc: "speed of the object after a push of fixed impulse",
                unit: "m/s",
                noise: SPEED_NOISE_M_PER_SEC,
            },
            Self::RestHeight => place("height of the object's centre on the palm"),
            Self::HeightOnTips => place("height of the object's centre on the fingertips"),
            Self::TurnAboutX => turn("turn about x of an object let go at the side edge of the palm"),
            Self::TurnAboutY => turn("turn about y of an object let go at the front edge of the fingertips"),
            Self::LeanOnSlope => turn("lean of the object on a steep, rough palm"),
            Self::SlipOnPalm => place("way of the object down the sloping palm"),
            Self::SlipOnLinks => place("way of the object down the sloping finger links"),
            Self::SlipOnTips => place("way of the object down the sloping fingertips"),
            Self::Rebound => place("height to which the object rebounds when dropped on the palm"),
            Self::Dent => place("depth at which the object lies in the palm just after it landed"),
            Self::FingerSag => angle("distance of the joints from their targets at rest"),
            Self::StepLag => angle("distance of the joints from their targets right after these jump"),
            Self::StepResidual => angle("distance of the joints from their targets long after a small jump of these"),
            Self::TrueAngle => angle("mean true joint angle at rest for fixed targets"),
            Self::SensedErrorAtRest => angle("distance of sensed from true joint angles at rest"),
            Self::SensedErrorInMotion => angle("distance of sensed from true joint angles in motion"),
            Self::SensedOffset => angle("mean of sensed less true joint angles at rest"),
            Self::Tremble => angle("change of the true joint angles from step to step while targets stay"),
            Self::FollowingError => angle("distance of the joints from targets that move at 1 rad/s"),
            Self::TrackedPlaceError => place("distance of the tracked from the true place of an object at rest"),
            Self::TrackedTurnError => turn("angle between the tracked and the true orientation of an object at rest"),
            Self::Overbalance => {
                turn("turn of an object let go with its middle beyond the front edge of the fingertips")
            }
            Self::BottomOfRange => {
                angle("mean true joint angle where every target is far below what a joint can reach")
            }
            Self::TopOfRange => angle("mean true joint angle where every target is far above what a joint can reach"),
            Self::JumpSpread => angle("spread of the joint angles a control step after equal jumps of their targets"),
            Self::UnevenFall => {
                speed("difference between most and least speed that a falling object gains in a control step")
            }
            Self::UnheardTargets => {
                angle("distance of the targets that a hand reports from those it is told, at 1 rad/s")
            }
            Self::UnheardInBursts => angle(
                "distance of the targets that a hand reports from those it is told, at 1 rad/s, where the link falls silent \
                 twice a second",
            ),
            Self::Drift => speed("mean speed of a weightless object"),
            Self::Jostle => {
                speed("change of the velocity of a weightless object from step to step, under random forces of 5 m/s2")
            }
            Self::RandomSpin => ObservableDefinition {
                doc: "spin of a weightless object after 1 s",
                unit: "rad/s",
                noise: SPIN_NOISE_RAD_PER_SEC,
            },
            Self::TrackedLag => place("distance of the tracked from the true place of a falling object"),
        }
    }
}

impl fmt::Display for Effect {
    /// `raises the speed of ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.direction {
            Direction::Raises => "raises",
            Direction::Lowers => "lowers",
        };
        write!(f, "{verb} the {}", self.observable.definition().doc)
    }
}
