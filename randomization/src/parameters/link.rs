//! What is lost between a policy and the computer next to the motors.

use super::{between, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "link.dropout",
        unit: "-",
        doc: "chance that a command never comes to the controller, or too late to count: the reported targets stay, and the next \
              increment starts from there",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.9),
        usual: uniform(0.0, 0.05),
        source: "own choice: a command in twenty that is late, from a policy on a busy computer; no published range",
        effect: raises(Observable::UnheardTargets),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.link.dropout)),
    },
    RandomizedParameter {
        name: "link.burst_rate",
        unit: "Hz",
        doc: "how often the link to the controller falls silent for a while, so that every command of that time is lost",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 5.0),
        usual: uniform(0.0, 0.2),
        source: "own choice: a wireless link, or a computer, that stalls every five seconds at most; no published range",
        effect: raises(Observable::UnheardTargets),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.link.burst_rate_hz)),
    },
    RandomizedParameter {
        name: "link.burst_length",
        unit: "s",
        doc: "how long the link to the controller is silent then; a controller that hears nothing for longer than its hold_after \
              holds with less effort, which is not simulated",
        meaning: Meaning::Replace,
        nominal: 0.1,
        bounds: between(0.0, 1.0),
        usual: uniform(0.05, 0.15),
        source: "own choice: from one command to the 0.15 s after which the controllers of the shipped hands hold",
        effect: raises(Observable::UnheardInBursts),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.link.burst_secs)),
    },
];
