//! The program for the computer next to the motors: a hand by its name, moved by the drivers of the bridge.

pub use crate::cli::scene::SceneArguments as HandArguments;

use crate::hand::serve::{OfferedDriver, bridge_drivers};
use anyhow::Result;
use giraffe_robots::{RobotModel, find_object, load_robot};
use std::sync::Arc;

/// Drivers that need the simulator.
pub const SIMULATED: [(&str, &str); 0] = [];

/// The hand of a controller that is not asked for another one.
const DEFAULT_ROBOT: &str = "leap-right";

/// The hand that is meant, the object that it holds, and what can move it.
pub fn offered(hand: &HandArguments, _seed: u64) -> Result<(Arc<RobotModel>, Option<String>, Vec<OfferedDriver>)> {
    hand.object.as_deref().map(find_object).transpose()?;
    let robot = load_robot(hand.robot.as_deref().unwrap_or(DEFAULT_ROBOT))?;
    Ok((Arc::new(robot), hand.object.clone(), bridge_drivers()))
}
