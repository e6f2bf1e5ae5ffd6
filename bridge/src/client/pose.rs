//! What a policy may believe of a tracker. Pure: poses and the time come in.

use crate::message::Pose;
use giraffe_robots::{Nanos, ObjectPose};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};

/// A pose is held so long after it was last seen, s; then it is lost.
pub(super) const HOLD_SECS: f64 = 0.1;
/// Turns further than this from one pose to the next are taken for mistakes, rad.
const JUMP_RAD: f32 = 0.5;
/// After so many in a row the tracker is believed: it found the object again elsewhere.
const JUMPS_BELIEVED: u32 = 5;
/// Quaternions further than this from unit length are no rotations.
const QUATERNION_TOLERANCE: f32 = 1e-2;
/// Within this a quaternion is taken as it is, bit for bit.
const QUATERNION_EXACT: f32 = 1e-5;

/// The rotation of a quaternion x y z w; `None` if it is none.
fn rotation([x, y, z, w]: [f32; 4]) -> Option<UnitQuaternion<f32>> {
    let quaternion = Quaternion::new(w, x, y, z);
    let off = (quaternion.norm() - 1.0).abs();
    // Written so that NaN fails.
    if off < QUATERNION_EXACT {
        Some(UnitQuaternion::new_unchecked(quaternion))
    } else if off < QUATERNION_TOLERANCE {
        Some(UnitQuaternion::new_normalize(quaternion))
    } else {
        None
    }
}

/// Where a simulator says that the object is; `None` if it does not know, or says no pose.
pub(super) fn true_pose(pose: &Pose) -> Option<ObjectPose> {
    let rotation = rotation(pose.q_xyzw).filter(|_| pose.valid)?;
    Some(ObjectPose { position_m: Vector3::from(pose.p), palm_from_object: rotation })
}

/// When something was so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When it came, our clock.
    arrived: Nanos,
    /// When it was measured, in the time of the hand, if the controller itself says so.
    measured: Option<Nanos>,
}

impl Moment {
    /// Of a pose that came `now`. `ours`: from the controller, in the time of the hand.
    pub(super) fn of(pose: &Pose, ours: bool, now: Nanos) -> Self {
        Self { arrived: now, measured: ours.then_some(Nanos(pose.t_meas)) }
    }

    /// Whether it is told in the time of the hand.
    pub(super) fn is_of_the_hand(&self) -> bool {
        self.measured.is_some()
    }

    /// How long ago, s. In the clock that knows: that of the hand where the controller measured (in lock-step no other
    /// runs), ours otherwise.
    pub(super) fn age_secs(&self, hand_now: Nanos, now: Nanos) -> f64 {
        match self.measured {
            Some(measured) => hand_now.secs_since(measured).max(0.0),
            None => now.secs_since(self.arrived).max(0.0),
        }
    }
}

/// What was believed last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    position_m: [f32; 3],
    rotation: UnitQuaternion<f32>,
    at: Moment,
}

/// Follows one object through the poses of its tracker.
#[derive(Debug, Clone, Default)]
pub(super) struct PoseGuard {
    seen: Option<Seen>,
    jumps_in_a_row: u32,
    /// Poses not believed so far.
    pub(super) rejected: u64,
}

/// A pose to act on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BelievedPose {
    /// Position and rotation in the palm frame.
    pub pose: ObjectPose,
    /// How old it is, s.
    pub age_secs: f64,
}

impl PoseGuard {
    /// An episode starts: the object may be anywhere.
    pub(super) fn forget(&mut self) {
        (self.seen, self.jumps_in_a_row) = (None, 0);
    }

    /// Takes in a pose that arrived `now` and is no truth. `ours`: it comes from the controller, in the time of the
    /// hand; otherwise from a tracker with a clock of its own. Whether it is believed.
    pub(super) fn offer(&mut self, body: &Pose, ours: bool, now: Nanos) -> bool {
        if !body.valid {
            return false;
        }
        let finite = body.p.iter().chain(&body.q_xyzw).all(|value| value.is_finite());
        let Some(rotation) = rotation(body.q_xyzw).filter(|_| finite) else {
            self.rejected += 1;
            return false;
        };
        let at = Moment::of(body, ours, now);
        let rotation = match self.last_fresh(&at) {
            Some(last) => {
                if last.rotation.angle_to(&rotation) > JUMP_RAD && self.jumps_in_a_row < JUMPS_BELIEVED {
                    self.jumps_in_a_row += 1;
                    self.rejected += 1;
                    return false;
                }
                near_side(rotation, &last.rotation)
            }
            // Continuous even over a gap: the same rotation has two quaternions.
            None => self.seen.map_or(rotation, |last| near_side(rotation, &last.rotation)),
        };
        self.jumps_in_a_row = 0;
        self.seen = Some(Seen { position_m: body.p, rotation, at });
        true
    }

    /// The last pose, if it is recent enough to compare with.
    fn last_fresh(&self, at: &Moment) -> Option<Seen> {
        let Moment { arrived, measured } = *at;
        self.seen.filter(|last| last.at.age_secs(measured.unwrap_or(arrived), arrived) <= HOLD_SECS)
    }

    /// Where the object is at `hand_now` (time of the hand) and `now` (our clock); `None` if it is lost.
    pub(super) fn believed(&self, hand_now: Nanos, now: Nanos) -> Option<BelievedPose> {
        let seen = self.seen.as_ref()?;
        let age_secs = seen.at.age_secs(hand_now, now);
        let pose = ObjectPose { position_m: Vector3::from(seen.position_m), palm_from_object: seen.rotation };
        (age_secs <= HOLD_SECS).then_some(BelievedPose { pose, age_secs })
    }
}

/// Of the two quaternions of a rotation the one nearer to the last.
fn near_side(rotation: UnitQuaternion<f32>, last: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
    if rotation.coords.dot(&last.coords) < 0.0 {
        UnitQuaternion::new_unchecked(-rotation.into_inner())
    } else {
        rotation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector3;

    fn at(secs: f64) -> Nanos {
        Nanos::from_secs(secs)
    }

    fn yaw(angle_rad: f32) -> [f32; 4] {
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle_rad).coords.into()
    }

    fn pose(q_xyzw: [f32; 4], valid: bool) -> Pose {
        let (object, frame) = ("cube".to_owned(), "palm".to_owned());
        let p = [0.01, 0.0, 0.1];
        Pose { episode: 0, tick: 0, t_meas: 0, object, frame, p, q_xyzw, valid, truth: false }
    }

    fn heading(guard: &PoseGuard, secs: f64) -> Option<f32> {
        guard.believed(Nanos(0), at(secs)).map(|seen| seen.pose.palm_from_object.euler_angles().2)
    }

    #[test]
    fn a_pose_is_held_for_a_tenth_of_a_second_and_then_lost() {
        let mut guard = PoseGuard::default();
        assert_eq!(heading(&guard, 0.0), None);
        guard.offer(&pose(yaw(0.3), true), false, at(1.0));
        assert!((guard.believed(Nanos(0), at(1.06)).expect("held").age_secs - 0.06).abs() < 1e-9);
        // That it is not seen now does not keep it alive.
        guard.offer(&pose(yaw(0.3), false), false, at(1.09));
        assert!(heading(&guard, 1.1).is_some());
        assert_eq!(heading(&guard, 1.101), None);
    }

    #[test]
    fn jumps_are_not_believed_until_the_tracker_insists() {
        let mut guard = PoseGuard::default();
        guard.offer(&pose(yaw(0.0), true), false, at(0.0));
        guard.offer(&pose(yaw(0.45), true), false, at(0.01));
        for frame in 0..JUMPS_BELIEVED {
            guard.offer(&pose(yaw(1.5), true), false, at(0.02 + 0.01 * f64::from(frame)));
            assert!((heading(&guard, 0.05).expect("the last good one") - 0.45).abs() < 1e-5);
        }
        guard.offer(&pose(yaw(1.5), true), false, at(0.08));
        assert!((heading(&guard, 0.08).expect("found again") - 1.5).abs() < 1e-5);
        assert_eq!(guard.rejected, u64::from(JUMPS_BELIEVED));
    }

    #[test]
    fn after_a_gap_there_is_nothing_to_jump_from() {
        let mut guard = PoseGuard::default();
        guard.offer(&pose(yaw(0.0), true), false, at(0.0));
        guard.offer(&pose(yaw(2.0), true), false, at(0.2));
        assert!((heading(&guard, 0.2).expect("found again") - 2.0).abs() < 1e-5);
    }

    #[test]
    fn the_sign_of_a_quaternion_never_flips() {
        let mut guard = PoseGuard::default();
        let mut last: Option<UnitQuaternion<f32>> = None;
        for frame in 0..400 {
            let q = yaw(0.1 * frame as f32);
            let q = if frame % 3 == 0 { q.map(|value| -value) } else { q };
            let now = at(0.01 * f64::from(frame));
            guard.offer(&pose(q, true), false, now);
            let seen = guard.believed(Nanos(0), now).expect("seen").pose.palm_from_object;
            if let Some(last) = last {
                assert!(seen.coords.dot(&last.coords) > 0.9);
            }
            last = Some(seen);
        }
        assert_eq!(guard.rejected, 0);
    }

    #[test]
    fn what_is_no_rotation_is_not_taken_for_one() {
        let mut guard = PoseGuard::default();
        for q in [[0.0; 4], [0.0, 0.0, 0.0, 1.02], [f32::NAN, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, f32::INFINITY]] {
            guard.offer(&pose(q, true), false, at(0.0));
            assert_eq!(heading(&guard, 0.0), None, "{q:?}");
        }
        let mut far = pose(yaw(0.0), true);
        far.p[1] = f32::NAN;
        guard.offer(&far, false, at(0.0));
        assert_eq!((heading(&guard, 0.0), guard.rejected), (None, 5));
        guard.offer(&pose([0.0, 0.0, 0.0, 1.005], true), false, at(0.0));
        let seen = guard.believed(Nanos(0), at(0.0)).expect("nearly unit is unit");
        assert!((seen.pose.palm_from_object.norm() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_controllers_own_poses_age_in_the_time_of_the_hand() {
        let mut guard = PoseGuard::default();
        let mut ours = pose(yaw(0.2), true);
        ours.t_meas = at(5.0).0;
        guard.offer(&ours, true, at(100.0));
        assert!(guard.believed(at(5.05), at(900.0)).is_some(), "in lock-step no clock runs");
        assert!(guard.believed(at(5.2), at(100.0)).is_none());
    }
}
