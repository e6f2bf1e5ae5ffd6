//! A hand made of arithmetic that notes when it is turned to.

use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{Clock, DriverError, HandDriver, Rehearsal as _, SafeTargets};
use giraffe_robots::{RobotModel, SignalFrame};
use std::sync::{Arc, Mutex};

/// When the controller's loop turned, s.
pub type Turns = Arc<Mutex<Vec<f64>>>;

/// Longer measurements would have to make room while they run.
const MOST_TURNS: usize = 1 << 20;

/// Moves by itself, as a real hand does.
pub struct SteadyHand {
    hand: ScriptedDriver,
    loop_period_secs: f32,
    clock: Arc<dyn Clock>,
    turns: Turns,
}

impl SteadyHand {
    /// At rest; the controller turns every `loop_period_secs`.
    pub fn new(robot: &RobotModel, loop_period_secs: f32, clock: Arc<dyn Clock>, turns: Turns) -> Self {
        if let Ok(mut turns) = turns.lock() {
            turns.reserve(MOST_TURNS);
        }
        Self { hand: ScriptedDriver::new(robot), loop_period_secs, clock, turns }
    }
}

impl HandDriver for SteadyHand {
    fn loop_period_secs(&self) -> f32 {
        self.loop_period_secs
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        if let Ok(mut turns) = self.turns.lock() {
            turns.push(self.clock.now().as_secs());
        }
        self.hand.advance(self.loop_period_secs)?;
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.hand.release()
    }
}
