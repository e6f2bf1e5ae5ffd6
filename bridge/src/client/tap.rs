//! Somebody who listens to everything that goes over a link: a log, a display.

use crate::handshake::Objection;
use crate::message::State;
use giraffe_robots::{Nanos, Signal, SignalFrame};

/// Where the policy is told that the object is: of all that a tracker says, what is believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensedPose {
    /// Position, m, palm frame.
    pub position_m: [f32; 3],
    /// Rotation of the object to the palm, x y z w.
    pub rotation_xyzw: [f32; 4],
    /// When it was so, in the time of the hand.
    pub stamp: Nanos,
}

/// What a policy senses: a state, and the object, if it is seen. `places`: for each joint of its hand, the place in the
/// arrays of the wire. The replay of a log calls it too, so that there is no second way.
pub fn write_sensed(state: &State, pose: Option<&SensedPose>, places: &[usize], sensed: &mut SignalFrame) {
    let own = |wire: &[f32]| -> Vec<f32> { places.iter().map(|&place| wire[place]).collect() };
    sensed.begin(Nanos(state.t_meas));
    sensed.write(Signal::JointPosition, &own(&state.q));
    sensed.write(Signal::JointVelocity, &own(&state.dq));
    sensed.write(Signal::JointTarget, &own(&state.q_target));
    if let Some(pose) = pose {
        sensed.write_at(Signal::ObjectPosition, &pose.position_m, pose.stamp);
        sensed.write_at(Signal::ObjectRotation, &pose.rotation_xyzw, pose.stamp);
    }
}

/// Told of every message as it passes, in order, on the thread that moves the hand: whoever implements this must return
/// at once. Times are those of the client's clock.
pub trait LinkTap: Send {
    /// A state of our session was taken in; `bytes` as received.
    fn state(&mut self, bytes: &[u8], now: Nanos);

    /// A state came that was dropped: another session's, an old one, one of another shape.
    fn ignored(&mut self, bytes: &[u8], now: Nanos);

    /// A pose was taken in; `bytes` as received.
    fn pose(&mut self, bytes: &[u8], now: Nanos);

    /// The policy is told that the object is here.
    fn sensed_pose(&mut self, pose: &SensedPose, now: Nanos);

    /// A command was handed to the link. `sent`: whether the link took it.
    fn command(&mut self, bytes: &[u8], sent: bool, now: Nanos);

    /// A request was answered: granted, or refused and why.
    fn request(&mut self, name: &str, refused: Option<&Objection>, now: Nanos);
}
