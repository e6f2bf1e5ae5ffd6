//! What the link between a policy and the computer next to the motors does to commands.

use serde::{Deserialize, Serialize};

/// What becomes of commands on their way to the controller. A command that is lost was never heard of: the reported targets
/// stay, nothing is counted as applied, and the hand goes on towards what it was told before. A command that comes too late
/// to count, or is overtaken by the next, is lost as well: so it looks to whoever sent it.
///
/// A controller that hears nothing for long (its `hold_after`, 0.15 s for a LEAP hand) holds with less effort; here it goes
/// on as before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinkParameters {
    /// Chance that a command is lost, each for itself.
    pub dropout: f32,
    /// How often the link falls silent, Hz.
    pub burst_rate_hz: f32,
    /// How long it is silent then, s: every command that is sent meanwhile is lost.
    pub burst_secs: f32,
}

impl Default for LinkParameters {
    /// Nothing is lost. For two control periods of 50 ms, if the link ever fell silent.
    fn default() -> Self {
        Self { dropout: 0.0, burst_rate_hz: 0.0, burst_secs: 0.1 }
    }
}
