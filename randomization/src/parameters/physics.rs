//! How time passes.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[RandomizedParameter {
    name: "physics.step_jitter",
    unit: "-",
    doc: "how much longer or shorter than the control period each control step takes, physics included: uniform in plus or \
              minus this share, so that the mean stays; nobody is told",
    meaning: Meaning::Replace,
    nominal: 0.0,
    bounds: between(0.0, 0.5),
    usual: uniform(0.0, 0.1),
    source: "Dactyl 2018 and robogym: exponential, 1 to 10 % in the mean",
    effect: raises(Observable::UnevenFall),
    preset: FirstPreset::Full,
    apply: Apply::World(|world, change| change.to(&mut world.clock.step_jitter)),
}];
