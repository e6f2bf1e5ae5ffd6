//! A frame is one instant of named numbers in SI units, each with the time it was measured.

use crate::model::RobotModel;
use crate::signal::{Shape, Signal};
use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds on a monotonic clock whose origin is the writer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Nanos(pub i64);

impl Nanos {
    /// From seconds, rounded to the nearest nanosecond.
    pub fn from_secs(secs: f64) -> Self {
        Self((secs * 1e9).round() as i64)
    }

    /// As seconds.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 * 1e-9
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one. Stamps from elsewhere may be anything.
    pub fn secs_since(self, earlier: Nanos) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }
}

/// How many elements each signal has for one hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SignalLayout {
    /// Number of joints.
    pub joint_count: usize,
    /// Number of actions: one per joint with a servo of its own.
    pub action_count: usize,
    /// Number of sampled world parameters (0 where nobody samples).
    pub parameter_count: usize,
    /// Number of fingertips (0 where nobody asks where they are).
    pub fingertip_count: usize,
    /// Number of joints of the object: 0 for a rigid one.
    pub object_joint_count: usize,
}

impl SignalLayout {
    /// The widths for one hand and a rigid object, with so many sampled world parameters.
    pub fn of(robot: &RobotModel, parameter_count: usize) -> Self {
        Self {
            joint_count: robot.joint_count(),
            action_count: robot.actuated_joints().len(),
            parameter_count,
            fingertip_count: robot.fingertips.len(),
            object_joint_count: 0,
        }
    }

    /// Number of elements of `signal`.
    pub fn width(&self, signal: Signal) -> usize {
        match signal.definition().shape {
            Shape::PerJoint => self.joint_count,
            Shape::PerAction => self.action_count,
            Shape::Xyz => 3,
            Shape::QuaternionXyzw => 4,
            Shape::PerParameter => self.parameter_count,
            Shape::PerFingertipXyz => 3 * self.fingertip_count,
            Shape::PerObjectJoint => self.object_joint_count,
        }
    }
}

/// One instant: for each signal its values and when they were measured, or nothing.
///
/// Signals of slow sources keep their last value and stamp until the next arrives.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalFrame {
    layout: SignalLayout,
    now: Nanos,
    values: Vec<Vec<f32>>,
    stamps: Vec<Option<Nanos>>,
}

impl SignalFrame {
    /// An empty frame: nothing measured yet.
    pub fn new(layout: SignalLayout) -> Self {
        Self {
            layout,
            now: Nanos(0),
            values: Signal::ALL.iter().map(|&s| vec![0.0; layout.width(s)]).collect(),
            stamps: vec![None; Signal::ALL.len()],
        }
    }

    /// The widths of this frame.
    pub fn layout(&self) -> SignalLayout {
        self.layout
    }

    /// Starts the next instant. Values stay, with their old stamps, until they are written again.
    pub fn begin(&mut self, now: Nanos) {
        self.now = now;
    }

    /// Forgets every value: the start of an episode.
    pub fn clear(&mut self) {
        self.stamps.fill(None);
    }

    /// The instant this frame stands for.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Writes a signal measured now.
    ///
    /// # Panics
    /// When `values` has the wrong width: a mistake in this program.
    pub fn write(&mut self, signal: Signal, values: &[f32]) {
        self.write_at(signal, values, self.now);
    }

    /// Writes a signal measured at `stamp`.
    ///
    /// # Panics
    /// When `values` has the wrong width: a mistake in this program.
    pub fn write_at(&mut self, signal: Signal, values: &[f32], stamp: Nanos) {
        let own = &mut self.values[signal as usize];
        assert_eq!(own.len(), values.len(), "{} has {} elements, not {}", signal.name(), own.len(), values.len());
        own.copy_from_slice(values);
        self.stamps[signal as usize] = Some(stamp);
    }

    /// The last value of a signal, or `None` when it was never measured here.
    pub fn read(&self, signal: Signal) -> Option<&[f32]> {
        self.stamps[signal as usize].map(|_| self.values[signal as usize].as_slice())
    }

    /// When the value of a signal was measured.
    pub fn stamp(&self, signal: Signal) -> Option<Nanos> {
        self.stamps[signal as usize]
    }
}

/// Works out where the fingertips are from the joint angles in a frame, and writes them beside these, as old as they are.
pub fn write_fingertips(robot: &RobotModel, frame: &mut SignalFrame) {
    let (Some(angles_rad), Some(stamp)) = (frame.read(Signal::JointPosition), frame.stamp(Signal::JointPosition))
    else {
        return;
    };
    let points = robot.fingertip_positions(angles_rad);
    let positions_m: Vec<f32> = points.iter().flat_map(|point| point.coords.data.0[0]).collect();
    frame.write_at(Signal::FingertipPosition, &positions_m, stamp);
}
