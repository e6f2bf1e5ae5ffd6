//! What a parameter does to the world, stated so that it can be tested.
//!
//! A randomization that randomizes nothing is easily written and hard to notice. So every row states an outcome that
//! somebody could measure on a real hand, and in which direction the parameter moves it; one test walks through the
//! table and holds each row to its word.

use serde::Serialize;

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

/// An outcome of a short experiment with one hand and one object, all else nominal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Observable {
    /// Speed of the object right after a push of fixed impulse, m/s.
    KickSpeed,
    /// Height of the object's centre at rest on the palm, m.
    RestHeight,
    /// Turn about the palm's x axis, rad, of an object that lands off balance.
    TurnAboutX,
    /// Turn about the palm's y axis, rad, of an object that lands off balance.
    TurnAboutY,
    /// How far a pushed object leans over, rad.
    LeanWhenPushed,
    /// How far the object slides on the palm when the palm is tilted, m.
    SlipOnPalm,
    /// How far the object slides on the finger links when the palm is tilted, m.
    SlipOnLinks,
    /// How far the object slides on the fingertips when the palm is tilted, m.
    SlipOnTips,
    /// How high the object rebounds when dropped on the palm, m.
    Rebound,
    /// How deep a landing object presses into the hand, m.
    Dent,
    /// Height of the fingertips' contact with an object that lies on them, m.
    HeightOnTips,
    /// How far stretched fingers hang below their targets, rad.
    FingerSag,
    /// Distance between targets and true angles, rad, shortly after the targets jump.
    StepLag,
    /// Distance between targets and true angles, rad, long after a small jump of the targets.
    StepResidual,
    /// Mean true joint angle at rest for fixed targets, rad.
    TrueAngle,
    /// Root mean square distance between sensed and true angles at rest, rad.
    SensedErrorAtRest,
    /// Root mean square distance between sensed and true angles while moving, rad.
    SensedErrorInMotion,
}
