//! What a policy may believe of a tracker, by the guard that stands behind a simulated tracker, too. Pure: poses and the
//! time come in.

use crate::message::{Pose, TrackerPose};
use giraffe_robots::{Believed, Nanos, ObjectPose, POSE_HOLD_SECS, rotation_from_xyzw};
use nalgebra::Vector3;

/// Where a simulator says that the object is; `None` if it does not know, or says no pose.
pub(super) fn true_pose(pose: &Pose) -> Option<ObjectPose> {
    let rotation = rotation_from_xyzw(pose.q_xyzw).filter(|_| pose.valid)?;
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

/// Follows one object through the poses of its tracker.
#[derive(Debug, Clone, Default)]
pub(super) struct PoseGuard {
    guard: giraffe_robots::PoseGuard,
    /// Whether the poses come from the controller, in the time of the hand; otherwise their arrival on our clock counts.
    of_the_hand: bool,
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
        self.guard.forget();
    }

    /// Poses not believed so far.
    pub(super) fn rejected(&self) -> u64 {
        self.guard.rejected()
    }

    /// A pose came that could not even be read.
    pub(super) fn reject(&mut self) {
        self.guard.reject();
    }

    /// Takes in what a tracker says, which arrived `now`. `ours`: it comes from the controller, in the time of the hand;
    /// otherwise from a tracker with a clock of its own. Whether it is believed.
    pub(super) fn offer(&mut self, seen: &TrackerPose, ours: bool, now: Nanos) -> bool {
        if ours != self.of_the_hand {
            // Another source, another clock.
            self.guard.forget();
            self.of_the_hand = ours;
        }
        let stamp = if ours { Nanos(seen.t_meas) } else { now };
        self.guard.offer(seen.p, seen.q_xyzw, stamp);
        self.guard.last().is_some_and(|last| last.stamp == stamp)
    }

    /// The last pose that was believed at `hand_now` (time of the hand) and `now` (our clock), however old.
    pub(super) fn last(&self, hand_now: Nanos, now: Nanos) -> Option<BelievedPose> {
        let Believed { pose, stamp } = *self.guard.last()?;
        let age_secs = if self.of_the_hand { hand_now } else { now }.secs_since(stamp).max(0.0);
        Some(BelievedPose { pose, age_secs })
    }

    /// The same, if it is recent enough to say that the object is seen.
    pub(super) fn believed(&self, hand_now: Nanos, now: Nanos) -> Option<BelievedPose> {
        self.last(hand_now, now).filter(|seen| seen.age_secs <= POSE_HOLD_SECS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::UnitQuaternion;

    fn at(secs: f64) -> Nanos {
        Nanos::from_secs(secs)
    }

    fn yaw(angle_rad: f32, measured_secs: f64) -> TrackerPose {
        let q_xyzw = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle_rad).coords.into();
        TrackerPose { p: [0.01, 0.0, 0.1], q_xyzw, t_meas: at(measured_secs).0 }
    }

    fn heading(guard: &PoseGuard, secs: f64) -> Option<f32> {
        guard.believed(Nanos(0), at(secs)).map(|seen| seen.pose.palm_from_object.euler_angles().2)
    }

    #[test]
    fn a_pose_is_held_for_a_tenth_of_a_second_and_then_lost_but_not_forgotten() {
        let mut guard = PoseGuard::default();
        assert_eq!(heading(&guard, 0.0), None);
        assert!(guard.offer(&yaw(0.3, 0.0), false, at(1.0)));
        assert!((guard.believed(Nanos(0), at(1.06)).expect("held").age_secs - 0.06).abs() < 1e-9);
        assert!(heading(&guard, 1.1).is_some());
        assert_eq!(heading(&guard, 1.101), None);
        assert!((guard.last(Nanos(0), at(1.5)).expect("not forgotten").age_secs - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_believed_says_so_and_is_counted() {
        let mut guard = PoseGuard::default();
        assert!(guard.offer(&yaw(0.0, 0.0), false, at(0.0)));
        assert!(!guard.offer(&yaw(2.5, 0.0), false, at(0.01)));
        assert_eq!(guard.rejected(), 1);
        assert!(guard.offer(&yaw(2.5, 0.0), false, at(0.2)), "after a gap there is nothing to jump from");
    }

    #[test]
    fn a_controllers_own_poses_age_in_the_time_of_the_hand() {
        let mut guard = PoseGuard::default();
        guard.offer(&yaw(0.2, 5.0), true, at(100.0));
        assert!(guard.believed(at(5.05), at(900.0)).is_some(), "in lock-step no clock runs");
        assert!(guard.believed(at(5.2), at(100.0)).is_none());
    }

    #[test]
    fn another_source_begins_anew() {
        let mut guard = PoseGuard::default();
        guard.offer(&yaw(0.0, 900.0), true, at(1.0));
        assert!(guard.offer(&yaw(2.5, -3.0), false, at(1.01)), "a tracker with a clock of its own takes over");
        assert!((heading(&guard, 1.02).expect("seen") - 2.5).abs() < 1e-5);
    }
}
