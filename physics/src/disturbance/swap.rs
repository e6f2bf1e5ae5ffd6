//! The object is replaced by another, in the hand, between two control steps.

use super::check_columns;
use crate::parameters::ObjectParameters;
use giraffe_robots::find_object;
use serde::{Deserialize, Serialize};

/// The object is replaced by another.
///
/// Place, orientation, velocity and spin stay (so momentum does not). Where the new object would overlap the hand more than
/// the old one did, it is lifted against gravity, just as far as that takes and by 5 cm at most; what overlap is left, in a
/// closed hand, the springs of the contacts push apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectSwap {
    /// Name of the new object among `giraffe_robots::OBJECTS`, of which only the shape is taken; none to keep the shape.
    pub object: Option<String>,
    /// Mass, size (times that of the shape) and centre of mass of the new object.
    pub parameters: ObjectParameters,
    /// Friction of the new object against each region of the hand, times what the plan gives the first.
    pub friction_scale: f32,
    /// What `EpisodePlan::sampled` says from then on: index and value of each column that changes.
    #[serde(default)]
    pub sampled: Vec<(u32, f32)>,
}

impl ObjectSwap {
    /// Whether it can be done, in a plan with so many columns.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self, column_count: usize) -> Result<(), String> {
        if let Some(name) = &self.object {
            find_object(name).map_err(|error| format!("an object swap: {error}"))?;
        }
        self.parameters.check().map_err(|problem| format!("an object swap: {problem}"))?;
        if !(1e-3..=1e3).contains(&self.friction_scale) {
            let found = self.friction_scale;
            return Err(format!(
                "an object swap's friction_scale is {found}, which must be a number from 0.001 to 1000"
            ));
        }
        check_columns("an object swap", &self.sampled, column_count)
    }
}
