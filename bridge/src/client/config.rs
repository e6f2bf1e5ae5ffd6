//! What a client is set up with.

use crate::message::{PolicyIdentity, SOFTWARE};
use crate::security::ClientSecurity;
use giraffe_robots::RobotModel;

/// A reply to a simple request takes no longer, s.
const REPLY_SECS: f64 = 1.0;
/// Building a simulated world takes no longer, s.
const RESET_SECS: f64 = 60.0;
/// One control period of a simulated hand takes no longer, s.
const STEP_SECS: f64 = 10.0;

/// What to connect to, and as whom.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base endpoint, such as [`crate::DEFAULT_ENDPOINT`].
    pub endpoint: String,
    /// The hand the policy was made for.
    pub robot: RobotModel,
    /// The policy, for the controller's logs.
    pub policy: PolicyIdentity,
    /// Name and version of this program, for the controller's logs.
    pub software: String,
    /// Insist on episodes: the hand is simulated.
    pub rehearsal: bool,
    /// Insist on lock-step (needs `rehearsal`).
    pub lockstep: bool,
    /// Name of the object that the policy is for: a controller that holds another is refused, and what trackers say of
    /// another is not believed. `None`: of any.
    pub object: Option<String>,
    /// The policy reads where the object is: when that is not known any more the hand is held.
    pub needs_object_pose: bool,
    /// Nobody answering is an error after so long, s.
    pub connect_timeout_secs: f64,
    /// For a slow simulator: no answer, episode or control period in lock-step is given up before so long, s. In real time
    /// states are due all the time whatever is said here: who hears nothing of a real hand for 0.3 s has lost it.
    pub patience_secs: f64,
    /// Our keys and the controller's; without them only a controller on this machine can be reached.
    pub security: ClientSecurity,
}

impl ClientConfig {
    /// For the hand `robot` at `endpoint`; real time, no rehearsal, three seconds of patience.
    pub fn new(endpoint: impl Into<String>, robot: &RobotModel) -> Self {
        Self {
            endpoint: endpoint.into(),
            robot: robot.clone(),
            policy: PolicyIdentity::default(),
            software: SOFTWARE.to_owned(),
            rehearsal: false,
            lockstep: false,
            object: None,
            needs_object_pose: false,
            connect_timeout_secs: 3.0,
            patience_secs: 0.0,
            security: ClientSecurity::LocalOnly,
        }
    }

    /// A first state, or a refusal, is waited for so long, s.
    pub(super) fn connect_secs(&self) -> f64 {
        self.connect_timeout_secs.max(self.patience_secs)
    }

    /// A reply to a simple request is waited for so long, s.
    pub(super) fn reply_secs(&self) -> f64 {
        REPLY_SECS.max(self.patience_secs)
    }

    /// The start of an episode is waited for so long, s.
    pub(super) fn reset_secs(&self) -> f64 {
        RESET_SECS.max(self.patience_secs)
    }

    /// A control period in lock-step is waited for so long, s.
    pub(super) fn step_secs(&self) -> f64 {
        STEP_SECS.max(self.patience_secs)
    }
}
