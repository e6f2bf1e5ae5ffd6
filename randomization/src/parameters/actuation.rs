//! What happens between a command and the servo.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[RandomizedParameter {
    name: "actuation.delay",
    unit: "s",
    doc: "time from a command to its arrival at the servos",
    meaning: Meaning::Replace,
    nominal: 0.0,
    bounds: between(0.0, 0.2),
    usual: uniform(0.0, 0.075),
    source: "in-hand-rotation-mjlab: 0.5 to 1.5 control steps of 50 ms; Dactyl 2018: one step of 80 ms, or none",
    effect: raises(Observable::StepLag),
    apply: Apply::World(|world, change| change.to(&mut world.actuation.delay_secs)),
}];
