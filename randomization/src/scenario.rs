//! What happens to a world during an episode, and how much of it: rows of [`crate::SCENARIOS`].

use crate::error::RandomizationError;
use crate::outline::EpisodeOutline;
use giraffe_physics::TimedDisturbance;
use giraffe_robots::StreamRng;
use serde::Serialize;

/// A named way to disturb episodes.
///
/// Laws, all tested: a dose of zero is the undisturbed run, bit for bit. More of it is more of the same at the same places
/// and times. What a timeline draws, it draws at every dose alike.
pub struct Scenario {
    /// Name, as in `--scenario`.
    pub name: &'static str,
    /// One sentence, of what happens at the usual dose.
    pub doc: &'static str,
    /// What there can be more or less of.
    pub dose: DoseAxis,
    /// What happens when in one episode at a dose of the axis, in any order.
    pub timeline: Timeline,
}

/// What happens when in one episode, at a dose.
pub type Timeline = fn(&EpisodeOutline<'_>, f32, &mut StreamRng) -> Vec<TimedDisturbance>;

/// What there can be more or less of in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DoseAxis {
    /// What is dosed, to follow "the".
    pub quantity: &'static str,
    /// SI unit; `-` for a number or a share.
    pub unit: &'static str,
    /// The dose where nobody asks for another.
    pub usual: f32,
    /// The largest that can be asked for.
    pub most: f32,
}

impl DoseAxis {
    /// A dose as a part of the usual one: exactly 1 for that.
    pub(crate) fn share(&self, dose: f32) -> f32 {
        dose / self.usual
    }

    /// A dose with its unit.
    pub(crate) fn text(&self, dose: f32) -> String {
        if self.unit == "-" { dose.to_string() } else { format!("{dose} {}", self.unit) }
    }
}

impl Scenario {
    /// This scenario at a dose of its own axis.
    ///
    /// # Errors
    /// When the axis does not allow it.
    pub fn at_dose(&'static self, dose: f32) -> Result<DosedScenario, RandomizationError> {
        let axis = &self.dose;
        if (0.0..=axis.most).contains(&dose) {
            return Ok(DosedScenario { scenario: self, dose });
        }
        Err(RandomizationError::DoseOutside {
            scenario: self.name,
            quantity: axis.quantity,
            found: axis.text(dose),
            usual: axis.text(axis.usual),
            most: axis.text(axis.most),
        })
    }
}

/// A scenario at one dose of it. A [`Scenario`] becomes one at its usual dose.
#[derive(Clone, Copy)]
pub struct DosedScenario {
    scenario: &'static Scenario,
    dose: f32,
}

impl DosedScenario {
    /// What happens.
    pub fn scenario(&self) -> &'static Scenario {
        self.scenario
    }

    /// How much of it, in the unit of its axis.
    pub fn dose(&self) -> f32 {
        self.dose
    }

    /// What happens when in one episode, in order of time. Nothing at a dose of zero: even a push without force might
    /// wake an object that rests.
    pub fn disturbances(&self, outline: &EpisodeOutline<'_>, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
        if self.dose <= 0.0 {
            return Vec::new();
        }
        let mut disturbances = (self.scenario.timeline)(outline, self.dose, rng);
        disturbances.sort_by_key(|disturbance| disturbance.step);
        disturbances
    }
}

impl From<&'static Scenario> for DosedScenario {
    fn from(scenario: &'static Scenario) -> Self {
        Self { scenario, dose: scenario.dose.usual }
    }
}
