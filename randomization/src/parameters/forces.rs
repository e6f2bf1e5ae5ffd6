//! Forces on the object that nobody explains, and a network that meddles.

use super::{between, log_uniform, raises, uniform};
use crate::effect::Observable;
use crate::parameter::{Apply, FirstPreset, JointDraw, Meaning, RandomizedParameter};

pub(super) const ROWS: &[RandomizedParameter] = &[
    RandomizedParameter {
        name: "force.object_acceleration",
        unit: "m/s2",
        doc: "standard deviation of random forces on the object along each axis, per mass of the object",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 3.0),
        usual: uniform(0.0, 1.0),
        source: "Dactyl 2018 and robogym: a deviation of 1 m/s2; DeXtreme, HORA: 2",
        effect: raises(Observable::Drift),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.forces.acceleration_m_per_sec2)),
    },
    RandomizedParameter {
        name: "force.object_torque",
        unit: "rad/s2",
        doc: "standard deviation of random torques on the object about each axis, per inertia of the object; they come and \
              fade with force.object_acceleration",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 50.0),
        usual: uniform(0.0, 10.0),
        source: "own choice: 1 m/s2 at 1 cm beside the centre of a 70 mm cube; OpenAI 2019, appendix B, scales torques by \
                 inertia too, but prints no range",
        effect: raises(Observable::RandomSpin),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.forces.angular_acceleration_rad_per_sec2)),
    },
    RandomizedParameter {
        name: "force.object_rate",
        unit: "Hz",
        doc: "how often force and torque on the object are drawn anew; the old ones end then",
        meaning: Meaning::Replace,
        nominal: 1.0,
        bounds: between(0.01, 20.0),
        usual: log_uniform(0.0125, 1.25),
        source: "Dactyl 2018, DeXtreme: a chance of 0.1 to 10 % per step of 80 ms, log-uniform; HORA: 25 % per step of 50 ms",
        effect: raises(Observable::Jostle),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.forces.rate_hz)),
    },
    RandomizedParameter {
        name: "force.object_half_life",
        unit: "s",
        doc: "time in which force and torque on the object fade to one half",
        meaning: Meaning::Replace,
        nominal: 5.517,
        bounds: between(0.05, 60.0),
        usual: log_uniform(0.5, 6.0),
        source: "HORA: 0.9 per 80 ms, half in 0.53 s; Dactyl 2018, DeXtreme: 0.99 per 80 ms, half in 5.5 s",
        effect: raises(Observable::Jostle),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.forces.half_life_secs)),
    },
    RandomizedParameter {
        name: "adversary.action",
        unit: "-",
        doc: "share of each joint's target that a random network decides, which is new in every episode; each joint for \
              itself",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 0.5),
        usual: uniform(0.0, 0.15),
        source: "OpenAI 2019, appendix B; DeXtreme manual: present with a chance of 0.15; DeXtreme's automatic ranges grew \
                 to 0.16",
        effect: raises(Observable::FingerSag),
        preset: FirstPreset::Full,
        apply: Apply::Joint(|joint, change| change.to(&mut joint.adversary_share), JointDraw::Independent),
    },
    RandomizedParameter {
        name: "adversary.force",
        unit: "m/s2",
        doc: "largest force along each axis with which that network pushes the object, per mass of the object",
        meaning: Meaning::Replace,
        nominal: 0.0,
        bounds: between(0.0, 2.0),
        usual: uniform(0.0, 1.0),
        source: "OpenAI 2019, appendix B, which prints no range; own choice: as strong as the random forces of Dactyl 2018",
        effect: raises(Observable::Drift),
        preset: FirstPreset::Full,
        apply: Apply::World(|world, change| change.to(&mut world.adversary.push_m_per_sec2)),
    },
];
