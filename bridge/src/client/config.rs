//! What a client is set up with.

use crate::message::{PolicyIdentity, SOFTWARE};
use crate::security::ClientSecurity;
use giraffe_robots::RobotModel;

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
    /// Name of the object that the policy is for: what trackers say of another is not believed. `None`: of any.
    pub object: Option<String>,
    /// The policy reads where the object is: when that is not known any more the hand is held.
    pub needs_object_pose: bool,
    /// Nobody answering is an error after so long, s.
    pub connect_timeout_secs: f64,
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
            security: ClientSecurity::LocalOnly,
        }
    }
}
