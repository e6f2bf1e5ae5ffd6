//! What is seen of the object, and what may be believed of a tracker.
//!
//! A simulated hand's tracker and one behind the bridge go through the same guard: what a policy reads of the object
//! is the same at home and abroad.

use crate::frame::{Nanos, SignalFrame};
use crate::object::ObjectPose;
use crate::signal::Signal;
use nalgebra::{Quaternion, UnitQuaternion, Vector3};

/// What whoever watches the object knows of it now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// It is there.
    Pose(ObjectPose),
    /// It was seen before, but not for so long.
    Lost {
        /// Since it was last seen, s.
        secs: f64,
    },
    /// Nobody has seen it yet: nobody watches, or nobody has found it.
    Never,
}

impl Seen {
    /// Where it is, if it is seen now.
    pub fn pose(&self) -> Option<&ObjectPose> {
        match self {
            Seen::Pose(pose) => Some(pose),
            Seen::Lost { .. } | Seen::Never => None,
        }
    }
}

/// The object counts as seen so long after a pose was measured, s; then it is lost.
pub const POSE_HOLD_SECS: f64 = 0.1;
/// Turns further than this from one pose to the next are taken for mistakes, rad ...
const JUMP_RAD: f32 = 0.5;
/// ... or faster than this, whichever is more, rad/s: a cube that falls over its edge does 5 to 10 rad/s, which at 15
/// pictures a second is half a radian from one to the next.
const JUMP_RAD_PER_SEC: f32 = 15.0;
/// After so many in a row the tracker is believed: it found the object again elsewhere.
const JUMPS_BELIEVED: u32 = 5;
/// Quaternions further than this from unit length are no rotations.
const QUATERNION_TOLERANCE: f32 = 1e-2;
/// Within this a quaternion is taken as it is, bit for bit.
const QUATERNION_EXACT: f32 = 1e-5;

/// The rotation of a quaternion x y z w; `None` if it is none.
pub fn rotation_from_xyzw([x, y, z, w]: [f32; 4]) -> Option<UnitQuaternion<f32>> {
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

/// Follows one object through the poses of its tracker. Pure: poses and the time come in, all in one clock.
#[derive(Debug, Clone, Default)]
pub struct PoseGuard {
    last: Option<Believed>,
    /// When the newest pose was measured that was offered.
    offered: Option<Nanos>,
    jumps_in_a_row: u32,
    rejected: u64,
}

/// A pose to act on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Believed {
    /// Position and rotation in the palm frame.
    pub pose: ObjectPose,
    /// When it was measured, or when it came where that is not known.
    pub stamp: Nanos,
}

impl PoseGuard {
    /// An episode starts: the object may be anywhere.
    pub fn forget(&mut self) {
        (self.last, self.offered, self.jumps_in_a_row) = (None, None, 0);
    }

    /// How many poses were not believed so far.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Counts a pose that could not even be read.
    pub fn reject(&mut self) {
        self.rejected += 1;
    }

    /// Takes in a pose measured at `stamp`. A turn of more than 0.5 rad, and faster than 15 rad/s, since a pose of the
    /// last 0.1 s is not believed, unless the tracker insists five times. One that is no newer than the one before says
    /// nothing.
    pub fn offer(&mut self, position_m: [f32; 3], rotation_xyzw: [f32; 4], stamp: Nanos) {
        if self.offered.is_some_and(|offered| stamp <= offered) {
            return;
        }
        self.offered = Some(stamp);
        let finite = position_m.iter().chain(&rotation_xyzw).all(|value| value.is_finite());
        let Some(rotation) = rotation_from_xyzw(rotation_xyzw).filter(|_| finite) else {
            self.rejected += 1;
            return;
        };
        if let Some(last) = self.last.filter(|last| stamp.secs_since(last.stamp) <= POSE_HOLD_SECS) {
            let most_rad = JUMP_RAD.max(JUMP_RAD_PER_SEC * stamp.secs_since(last.stamp) as f32);
            let jumps = last.pose.palm_from_object.angle_to(&rotation) > most_rad;
            if jumps && self.jumps_in_a_row < JUMPS_BELIEVED {
                self.jumps_in_a_row += 1;
                self.rejected += 1;
                return;
            }
        }
        // Continuous even over a gap: the same rotation has two quaternions.
        let rotation = self.last.map_or(rotation, |last| near_side(rotation, &last.pose.palm_from_object));
        self.jumps_in_a_row = 0;
        let pose = ObjectPose { position_m: Vector3::from(position_m), palm_from_object: rotation };
        self.last = Some(Believed { pose, stamp });
    }

    /// The last pose that was believed, however old.
    pub fn last(&self) -> Option<&Believed> {
        self.last.as_ref()
    }

    /// What is seen of the object.
    pub fn seen(&self, now: Nanos) -> Seen {
        match self.last {
            None => Seen::Never,
            Some(last) => match now.secs_since(last.stamp).max(0.0) {
                secs if secs > POSE_HOLD_SECS => Seen::Lost { secs },
                _ => Seen::Pose(last.pose),
            },
        }
    }

    /// Writes the last pose into what is sensed, with the time at which it was measured: how old it may be is up to
    /// whoever reads it. Nothing is written before there is one.
    pub fn write(&self, sensed: &mut SignalFrame) {
        let Some(Believed { pose, stamp }) = self.last else { return };
        // A clock that is read twice may have gone on in between.
        let stamp = stamp.min(sensed.now());
        sensed.write_at(Signal::ObjectPosition, pose.position_m.as_slice(), stamp);
        sensed.write_at(Signal::ObjectRotation, pose.palm_from_object.coords.as_slice(), stamp);
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

    fn at(secs: f64) -> Nanos {
        Nanos::from_secs(secs)
    }

    fn yaw(angle_rad: f32) -> [f32; 4] {
        UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle_rad).coords.into()
    }

    const PLACE_M: [f32; 3] = [0.01, 0.0, 0.1];

    fn heading_rad(guard: &PoseGuard) -> f32 {
        guard.last().expect("a pose").pose.palm_from_object.euler_angles().2
    }

    #[test]
    fn never_watched_seen_and_lost_are_three_things() {
        let mut guard = PoseGuard::default();
        assert_eq!(guard.seen(at(3.0)), Seen::Never);
        guard.offer(PLACE_M, yaw(0.3), at(1.0));
        assert!(guard.seen(at(1.1)).pose().is_some());
        let Seen::Lost { secs } = guard.seen(at(2.5)) else { panic!("{:?}", guard.seen(at(2.5))) };
        assert!((secs - 1.5).abs() < 1e-9);
        guard.forget();
        assert_eq!(guard.seen(at(2.5)), Seen::Never);
    }

    #[test]
    fn jumps_are_not_believed_until_the_tracker_insists() {
        let mut guard = PoseGuard::default();
        guard.offer(PLACE_M, yaw(0.0), at(0.0));
        guard.offer(PLACE_M, yaw(0.45), at(0.01));
        for frame in 0..JUMPS_BELIEVED {
            guard.offer(PLACE_M, yaw(2.5), at(0.02 + 0.01 * f64::from(frame)));
            assert!((heading_rad(&guard) - 0.45).abs() < 1e-5);
        }
        guard.offer(PLACE_M, yaw(2.5), at(0.08));
        assert!((heading_rad(&guard) - 2.5).abs() < 1e-5);
        assert_eq!(guard.rejected(), u64::from(JUMPS_BELIEVED));
    }

    #[test]
    fn the_same_picture_told_again_is_no_second_opinion() {
        let mut guard = PoseGuard::default();
        guard.offer(PLACE_M, yaw(0.0), at(0.0));
        (0..20).for_each(|_| guard.offer(PLACE_M, yaw(2.5), at(0.05)));
        assert!(heading_rad(&guard).abs() < 1e-5);
        assert_eq!(guard.rejected(), 1);
    }

    #[test]
    fn a_cube_that_falls_over_its_edge_is_believed_at_fifteen_pictures_a_second() {
        let mut guard = PoseGuard::default();
        guard.offer(PLACE_M, yaw(0.0), at(0.0));
        guard.offer(PLACE_M, yaw(0.8), at(1.0 / 15.0));
        assert!((heading_rad(&guard) - 0.8).abs() < 1e-5);
        assert_eq!(guard.rejected(), 0);
    }

    #[test]
    fn after_a_gap_there_is_nothing_to_jump_from() {
        let mut guard = PoseGuard::default();
        guard.offer(PLACE_M, yaw(0.0), at(0.0));
        guard.offer(PLACE_M, yaw(2.0), at(0.2));
        assert!((heading_rad(&guard) - 2.0).abs() < 1e-5);
    }

    #[test]
    fn the_sign_of_a_quaternion_never_flips() {
        let mut guard = PoseGuard::default();
        let mut last: Option<UnitQuaternion<f32>> = None;
        for frame in 0..400 {
            let q = yaw(0.1 * frame as f32);
            guard.offer(PLACE_M, if frame % 3 == 0 { q.map(|value| -value) } else { q }, at(0.01 * f64::from(frame)));
            let seen = guard.last().expect("seen").pose.palm_from_object;
            if let Some(last) = last {
                assert!(seen.coords.dot(&last.coords) > 0.9);
            }
            last = Some(seen);
        }
        assert_eq!(guard.rejected(), 0);
    }

    #[test]
    fn what_is_no_rotation_or_no_place_is_not_taken_for_one() {
        let mut guard = PoseGuard::default();
        let wrong = [[0.0; 4], [0.0, 0.0, 0.0, 1.02], [f32::NAN, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, f32::INFINITY]];
        for (index, q) in wrong.into_iter().enumerate() {
            guard.offer(PLACE_M, q, at(index as f64));
            assert!(guard.last().is_none(), "{q:?}");
        }
        guard.offer([0.0, f32::NAN, 0.0], yaw(0.0), at(5.0));
        assert_eq!((guard.last().is_none(), guard.rejected()), (true, 5));
        guard.offer(PLACE_M, [0.0, 0.0, 0.0, 1.005], at(6.0));
        let seen = guard.last().expect("nearly unit is unit");
        assert!((seen.pose.palm_from_object.norm() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_pose_is_written_with_the_time_at_which_it_was_measured() {
        let layout = crate::frame::SignalLayout::default();
        let (mut guard, mut sensed) = (PoseGuard::default(), SignalFrame::new(layout));
        sensed.begin(at(5.0));
        guard.write(&mut sensed);
        assert_eq!(sensed.read(Signal::ObjectPosition), None);
        guard.offer(PLACE_M, yaw(0.3), at(4.0));
        guard.write(&mut sensed);
        assert_eq!(sensed.read(Signal::ObjectPosition), Some(&PLACE_M[..]));
        assert_eq!(sensed.stamp(Signal::ObjectRotation), Some(at(4.0)));
    }
}
