//! The whole program: a hand as a run's configuration has it, which can be simulated, too.

pub use crate::cli::config::ConfigArguments as HandArguments;

use crate::fly::sim_driver::{SIM_DRIVER, open_sim};
use crate::hand::serve::{OfferedDriver, bridge_drivers};
use anyhow::Result;
use giraffe_robots::RobotModel;
use std::sync::Arc;

/// Drivers that need the simulator.
pub const SIMULATED: [(&str, &str); 1] = [SIM_DRIVER];

/// The hand that is meant, the object that it holds, and what can move it.
pub fn offered(hand: &HandArguments, seed: u64) -> Result<(Arc<RobotModel>, Option<String>, Vec<OfferedDriver>)> {
    let config = hand.read()?;
    if let Some(changed) = config.changed_hand() {
        tracing::warn!("{changed}");
    }
    let (parts, object) = (config.parts()?, Some(config.object.clone()));
    let robot = Arc::clone(parts.scene.robot());
    let open = Box::new(move |_: &_, _: &_, _| open_sim(parts, &config.randomization, seed));
    let simulated = OfferedDriver { name: SIM_DRIVER.0, open };
    Ok((robot, object, std::iter::once(simulated).chain(bridge_drivers()).collect()))
}
