//! The messages of hand-link v1. Fields, units and rules: PROTOCOL.md; a field here has the name it has there.

use crate::wire::Body;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// By joint or tip name.
pub type ByName<T> = BTreeMap<String, T>;

/// What both sides know of a joint, at angle zero of every joint, in the palm frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointDescription {
    /// Nearest joint between this one and the palm; empty if none.
    pub parent: String,
    /// Unit vector; a positive angle turns by the right-hand rule.
    pub axis: [f32; 3],
    /// Point of the axis nearest to the origin, m.
    pub point: [f32; 3],
    /// Smallest angle, rad.
    pub lower: f32,
    /// Largest angle, rad.
    pub upper: f32,
}

/// What both sides know of a fingertip, at angle zero of every joint, in the palm frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TipDescription {
    /// The joint that carries it last; empty if none.
    pub joint: String,
    /// Position, m.
    pub point: [f32; 3],
}

/// The hand, as either side sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobotDescription {
    /// Informative.
    pub name: String,
    /// Identity of the kinematics.
    pub desc_hash: String,
    /// Identity of masses, gains, friction; a difference only warns.
    pub dynamics_hash: String,
    /// Joints.
    pub joints: ByName<JointDescription>,
    /// Fingertips.
    pub tips: ByName<TipDescription>,
}

/// One pose and where the sender's own kinematics puts the fingertips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestVector {
    /// Angles, rad.
    pub q: ByName<f32>,
    /// Positions in the palm frame, m.
    pub tips: ByName<[f32; 3]>,
}

/// What this program calls itself where nobody says otherwise: name and version.
pub const SOFTWARE: &str = concat!("giraffe ", env!("CARGO_PKG_VERSION"));

/// Limits of one joint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JointLimits {
    /// Smallest target, rad.
    pub lower: f32,
    /// Largest target, rad.
    pub upper: f32,
    /// Fastest a target moves, rad/s.
    pub velocity: f32,
    /// Fastest the speed of a target grows, rad/s2.
    pub acceleration: f32,
}

impl JointLimits {
    /// What keeps to both. A bound that is NaN is passed over.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            lower: self.lower.max(other.lower),
            upper: self.upper.min(other.upper),
            velocity: self.velocity.min(other.velocity),
            acceleration: self.acceleration.min(other.acceleration),
        }
    }
}

/// What moves the hand, for logs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyIdentity {
    /// Name.
    pub name: String,
    /// Hash of its weights.
    pub hash: String,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Moves the hand; one at a time.
    Commander,
    /// Reads, and may stop the hand.
    Observer,
}

/// The simulated controller gives episodes.
pub const REHEARSAL: &str = "rehearsal";
/// One command, one control period.
pub const LOCKSTEP: &str = "lockstep";
/// The controller publishes the object's pose.
pub const OBJECT_POSE: &str = "object_pose";
/// The controller moves the hand home when asked to.
pub const HOMING: &str = "homing";
/// A simulated controller has go wrong what it is asked to, so that its safety can be asked.
pub const TRIALS: &str = "trials";
/// Said unasked: the controller passes targets on as they are, so the policy's side must keep to the limits itself.
pub const NO_ENVELOPE: &str = "no-envelope";

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Who asks.
    pub role: Role,
    /// Name and version, for logs.
    pub software: String,
    /// For logs.
    pub policy: PolicyIdentity,
    /// The hand the policy was made for.
    pub robot: RobotDescription,
    /// Proof of zeros and signs.
    pub test_vector: TestVector,
    /// What the policy asks to be kept to.
    pub limits: ByName<JointLimits>,
    /// Commands per second.
    pub policy_hz: f64,
    /// Wanted silence before a hold, ms; 0: the controller's own.
    pub watchdog_ms: u64,
    /// Wanted features.
    pub wants: Vec<String>,
    /// For each joint a pose that shows its own zero and sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_poses: Option<ByName<TestVector>>,
    /// Name of the object that the policy is for; absent or empty: any, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

/// Accepts a hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// Request answered.
    pub re: u64,
    /// Name and version, for logs.
    pub software: String,
    /// The controller's own hand.
    pub robot: RobotDescription,
    /// The hello's angles, the controller's own fingertips.
    pub test_vector: TestVector,
    /// Order of every joint array from now on.
    pub joints: Vec<String>,
    /// Limits in force.
    pub limits: ByName<JointLimits>,
    /// Commands per second.
    pub policy_hz: f64,
    /// States per second while free-running.
    pub state_hz: f64,
    /// Silence after which another may take over.
    pub lease_ms: u64,
    /// Oldest state a command may be computed from.
    pub max_age_ms: u64,
    /// Silence before a hold.
    pub hold_ms: u64,
    /// Hold before relaxing.
    pub relax_ms: u64,
    /// Relaxing before torque is off.
    pub off_ms: u64,
    /// Longest hold that a fresh command ends.
    pub rearm_ms: u64,
    /// Commands before an arm.
    pub stream_ms: u64,
    /// How near to the start those must be, rad.
    pub start_tol: f32,
    /// `last_target` or `measured`.
    pub safe_action: String,
    /// Wanted features in force.
    pub grants: Vec<String>,
    /// Warnings.
    pub notes: Vec<String>,
    /// Mode.
    pub mode: String,
    /// Fault bits.
    pub fault: u64,
    /// The hello's poses, the controller's own fingertips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_poses: Option<ByName<TestVector>>,
    /// Identity of the calibration, empty if it is missing; absent where none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// Name of the object that is held; absent where the controller does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How far the envelope lets a target lead the measured angle, rad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_band: Option<f32>,
}

/// Refuses a hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reject {
    /// Request answered.
    pub re: u64,
    /// Short.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// Refuses another request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Request answered.
    pub re: u64,
    /// Short.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// Grants a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    /// Request answered.
    pub re: u64,
    /// Mode afterwards.
    pub mode: String,
    /// Fault bits afterwards.
    pub fault: u64,
}

/// Answers a ping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// Request answered.
    pub re: u64,
    /// Stamp of the ping.
    pub t0: i64,
    /// Arrival, controller's clock, ns.
    pub t1: i64,
    /// Departure, controller's clock, ns.
    pub t2: i64,
}

/// Starts a rehearsal episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reset {
    /// One msgpack map, opaque here.
    #[serde(with = "serde_bytes")]
    pub episode: Vec<u8>,
}

/// A rehearsal episode stands at its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Request answered.
    pub re: u64,
    /// Number of the episode.
    pub episode: u64,
    /// Complete state message.
    pub state: WithHead<State>,
    /// Complete pose message.
    #[serde(default)]
    pub pose: Option<WithHead<Pose>>,
}

/// A message inside a message: head and body are one map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WithHead<B> {
    /// The head.
    #[serde(flatten)]
    pub head: crate::wire::Head,
    /// The body.
    #[serde(flatten)]
    pub body: B,
}

/// Requests without fields.
macro_rules! bare_requests {
    ($($(#[$doc:meta])* $name:ident = $type:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name {}

        impl Body for $name {
            const TYPE: &'static str = $type;
        }
    )*};
}

bare_requests! {
    /// Are you there? Publish once more.
    Ping = "ping";
    /// Follow commands from now on.
    Arm = "arm";
    /// Go to the resting pose.
    Home = "home";
    /// Stop following, hold.
    Hold = "hold";
    /// Torque off.
    Stop = "stop";
    /// Torque off, latched.
    Estop = "estop";
    /// Clear latched faults.
    ClearFault = "clear_fault";
    /// End of the session.
    Bye = "bye";
}

/// Joint targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Episode of the state it was computed from.
    pub episode: u64,
    /// Lock-step: that state's tick + 1.
    pub tick: u64,
    /// That state's `seq`.
    pub state_seq: u64,
    /// That state's `ts`, ns, controller's clock.
    pub t_state: i64,
    /// Targets, rad, order of the welcome.
    #[serde(deserialize_with = "crate::wire::numbers")]
    pub q: Vec<f32>,
}

/// A command that was not accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Its `seq`.
    pub seq: u64,
    /// Short.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// What the controller senses and does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Resets so far.
    pub episode: u64,
    /// Control periods (lock-step) or loop turns since the reset.
    pub tick: u64,
    /// When `q` was measured, ns, time of the hand.
    pub t_meas: i64,
    /// Angles, rad.
    #[serde(deserialize_with = "crate::wire::numbers")]
    pub q: Vec<f32>,
    /// Angular velocities, rad/s.
    #[serde(deserialize_with = "crate::wire::numbers")]
    pub dq: Vec<f32>,
    /// Targets in force, rad.
    #[serde(deserialize_with = "crate::wire::numbers")]
    pub q_target: Vec<f32>,
    /// The command they come from.
    pub cmd_seq: u64,
    /// Age of the state that command was computed from, when it was applied.
    pub cmd_age_us: u64,
    /// Joints the envelope altered.
    pub clip: u64,
    /// Mode.
    pub mode: String,
    /// Fault bits.
    pub fault: u64,
    /// Why not active.
    pub why: String,
    /// Commands dropped as old, repeated or out of turn.
    pub rx_stale: u64,
    /// Messages dropped as malformed or foreign.
    pub rx_bad: u64,
    /// Late turns of the controller's loop.
    pub overruns: u64,
    /// Lock-step: the command that drew this state was not accepted.
    #[serde(default)]
    pub refused: Option<Refused>,
    /// Commands of this session given to the motors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_applied: Option<u64>,
    /// Accepted and not applied: a newer one came first, or the hand did not follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_superseded: Option<u64>,
    /// Came and were not accepted; each `seq` once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_rejected: Option<u64>,
    /// Numbers below the highest `seq` that never came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx_gap: Option<u64>,
    /// Seconds the envelope was given when it applied `cmd_seq`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dt: Option<f32>,
    /// `seq` of the state whose `q` the envelope was given then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q_seq: Option<u64>,
    /// Currents, A; nil where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cur: Option<Vec<Option<f32>>>,
    /// Temperatures, degrees Celsius; nil where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp: Option<Vec<Option<f32>>>,
    /// Supply, V; nil where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volt: Option<Vec<Option<f32>>>,
    /// How long the last turn of the loop took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loop_us: Option<u64>,
}

/// What [`State::why`] says after a [`Stop`], until the next arm: who comes back to a hand by himself must not move it then.
pub const TOLD_TO_STOP: &str = "told to stop";

/// The frame that every [`Pose`] is in.
pub const POSE_FRAME: &str = "palm";

/// Where the object is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// As in the state.
    pub episode: u64,
    /// As in the state.
    pub tick: u64,
    /// As in the state, ns.
    pub t_meas: i64,
    /// Name.
    pub object: String,
    /// `palm`.
    pub frame: String,
    /// Position, m.
    pub p: [f32; 3],
    /// Object to palm, x y z w.
    pub q_xyzw: [f32; 4],
    /// Seen now.
    pub valid: bool,
    /// A simulator's truth, for scoring only.
    pub truth: bool,
    /// Beside a simulator's truth: what its tracker says, for a policy to act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<TrackerPose>,
}

/// Where a tracker has found the object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackerPose {
    /// Position, m.
    pub p: [f32; 3],
    /// Object to palm, x y z w.
    pub q_xyzw: [f32; 4],
    /// When, ns, as in the state.
    pub t_meas: i64,
}

/// Name of the first number that is not finite.
fn first_bad<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [f32])>) -> Option<String> {
    fields.into_iter().find_map(|(name, values)| {
        values.iter().position(|value| !value.is_finite()).map(|index| format!("{name}[{index}]"))
    })
}

fn first_bad_limits(limits: &ByName<JointLimits>) -> Option<String> {
    limits.iter().find_map(|(name, l)| {
        let values = [l.lower, l.upper, l.velocity, l.acceleration];
        values.iter().any(|value| !value.is_finite()).then(|| format!("a limit of joint `{name}`"))
    })
}

impl RobotDescription {
    fn not_finite(&self) -> Option<String> {
        let joint = self.joints.iter().find_map(|(name, j)| {
            first_bad([("axis", &j.axis[..]), ("point", &j.point), ("lower", &[j.lower]), ("upper", &[j.upper])])
                .map(|field| format!("{field} of joint `{name}`"))
        });
        joint.or_else(|| {
            self.tips.iter().find_map(|(name, tip)| {
                first_bad([("point", &tip.point[..])]).map(|field| format!("{field} of tip `{name}`"))
            })
        })
    }
}

impl TestVector {
    fn not_finite(&self) -> Option<String> {
        let angle = self.q.iter().find(|(_, value)| !value.is_finite()).map(|(name, _)| format!("test angle `{name}`"));
        angle.or_else(|| {
            let tip = self.tips.iter().find(|(_, point)| point.iter().any(|value| !value.is_finite()));
            tip.map(|(name, _)| format!("test tip `{name}`"))
        })
    }
}

/// The first test pose that holds a number that is not finite.
fn first_bad_pose(poses: Option<&ByName<TestVector>>) -> Option<String> {
    poses?.iter().find_map(|(name, pose)| pose.not_finite().map(|what| format!("{what} of the test pose of `{name}`")))
}

impl Body for Hello {
    const TYPE: &'static str = "hello";
    fn not_finite(&self) -> Option<String> {
        let rate = (!self.policy_hz.is_finite()).then(|| "policy_hz".to_owned());
        rate.or_else(|| self.robot.not_finite())
            .or_else(|| self.test_vector.not_finite())
            .or_else(|| first_bad_pose(self.test_poses.as_ref()))
            .or_else(|| first_bad_limits(&self.limits))
    }
}

impl Body for Welcome {
    const TYPE: &'static str = "welcome";
    fn not_finite(&self) -> Option<String> {
        let rate = (!(self.policy_hz.is_finite() && self.state_hz.is_finite())).then(|| "a rate".to_owned());
        rate.or_else(|| self.robot.not_finite())
            .or_else(|| self.test_vector.not_finite())
            .or_else(|| first_bad_pose(self.test_poses.as_ref()))
            .or_else(|| first_bad_limits(&self.limits))
            .or_else(|| {
                first_bad([("start_tol", &[self.start_tol][..]), ("tracking_band", self.tracking_band.as_slice())])
            })
    }
}

impl Body for Command {
    const TYPE: &'static str = "cmd";
    // Not checked here: the controller must tell a wrong number from a wrong message.
}

impl Body for State {
    const TYPE: &'static str = "state";
    fn not_finite(&self) -> Option<String> {
        let servos = [("cur", &self.cur), ("temp", &self.temp), ("volt", &self.volt)];
        let servo = servos.into_iter().find_map(|(name, values)| {
            let wrong = values.iter().flatten().flatten().any(|value| !value.is_finite());
            wrong.then(|| name.to_owned())
        });
        first_bad([("q", &self.q[..]), ("dq", &self.dq), ("q_target", &self.q_target)])
            .or_else(|| first_bad([("dt", self.dt.as_slice())]))
            .or(servo)
    }
}

impl Body for Pose {
    const TYPE: &'static str = "pose";
    fn not_finite(&self) -> Option<String> {
        let seen = self.seen.iter().flat_map(|seen| [("seen.p", &seen.p[..]), ("seen.q_xyzw", &seen.q_xyzw)]);
        first_bad([("p", &self.p[..]), ("q_xyzw", &self.q_xyzw)].into_iter().chain(seen))
    }
}

impl Body for Started {
    const TYPE: &'static str = "started";
    fn not_finite(&self) -> Option<String> {
        self.state.body.not_finite().or_else(|| self.pose.as_ref().and_then(|pose| pose.body.not_finite()))
    }
}

/// Bodies whose numbers need no check.
macro_rules! plain_bodies {
    ($($name:ident = $type:literal),*) => {$(
        impl Body for $name {
            const TYPE: &'static str = $type;
        }
    )*};
}

plain_bodies!(Reject = "reject", Refusal = "error", Granted = "ok", Pong = "pong", Reset = "reset");
