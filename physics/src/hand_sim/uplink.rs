//! Commands before the controller knows of them.

use crate::actuation::LossyLink;
use crate::parameters::LinkParameters;

/// The link as the controller's side of it sees it.
pub(super) struct Uplink {
    link: LossyLink,
    /// Whether the command of the control step that comes next is lost, once somebody asked: that step has then begun.
    next_is_lost: Option<bool>,
    /// Number of the last command that came, counted from 1 in control steps.
    pub applied_seq: u64,
}

impl Uplink {
    pub fn new(parameters: LinkParameters, period_secs: f32, noise_seed: u64) -> Self {
        Self { link: LossyLink::new(parameters, period_secs, noise_seed), next_is_lost: None, applied_seq: 0 }
    }

    /// Another link from the next command on.
    pub fn apply(&mut self, parameters: LinkParameters, period_secs: f32) {
        self.link.apply(parameters, period_secs);
    }

    /// What was found of the next step's command, if somebody asked.
    pub fn known(&self) -> Option<bool> {
        self.next_is_lost
    }

    /// Finds out whether the command of control step `step`, the next one, is lost.
    pub fn find_out(&mut self, step: u32) -> bool {
        *self.next_is_lost.insert(self.link.loses(step))
    }

    /// The step that was asked about goes on.
    pub fn go_on(&mut self) {
        self.next_is_lost = None;
    }
}
