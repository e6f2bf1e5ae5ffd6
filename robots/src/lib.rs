//! The problem: the hands, what they sense and do, and what they are asked to do.
//!
//! Pure data and pure functions. Everyone depends on this crate; it knows no engine, network, socket, thread
//! or clock.
//!
//! | to learn about | read |
//! | --- | --- |
//! | a hand | [`RobotModel`], read by [`description`] from `descriptions/<name>/` |
//! | what a number means | [`Signal`], and [`SignalFrame`] for one instant of them |
//! | what a network reads and says | [`ObservationSchema`], [`ActionSchema`] |
//! | who moves a hand | [`Hand`], [`WorldBatch`] |
//! | a task | [`Task`] and [`tasks::TASKS`] |
//!
//! Invariants: the vector a network reads is written by [`ObservationEncoder`] and nowhere else; joint targets
//! come from [`ActionDecoder`] and nowhere else; actor columns come from what is sensed, never from truth.

mod action;
mod contract;
pub mod description;
mod encoder;
mod frame;
mod model;
mod names;
mod object;
mod observation;
mod seed;
mod signal;
mod task;
pub mod tasks;

pub use action::{ActionDecoder, ActionSchema};
pub use contract::{Commanded, EpisodeEnd, EpisodeReport, Hand, HandError, StepBatch, WorldBatch};
pub use description::{
    DescriptionError, ImportAction, ImportEntry, ImportReport, ROBOTS, RobotEntry, hand_xml, load_robot,
    load_robot_with_report, read_robot_file,
};
pub use encoder::ObservationEncoder;
pub use frame::{Nanos, SignalFrame, SignalLayout};
pub use model::{
    BodyModel, ControlSpec, DeviceMapping, FingertipModel, GeomModel, GeomShape, HoldAt, JointCoupling, JointModel,
    Limits, Region, RobotModel, SafetySpec, ServoLimits,
};
pub use names::{UnknownName, did_you_mean, nearest_name};
pub use object::{OBJECTS, ObjectModel, ObjectPose, find_object};
pub use observation::{Audience, Encoding, NamedLimits, ObservationError, ObservationSchema, ObservationTerm};
pub use seed::{SeedTree, Stream, StreamRng};
pub use signal::{ReferenceFrame, Shape, Signal, SignalDefinition, Source, Unit};
pub use task::{EpisodeStart, Outcome, Progress, RewardTerms, Task, object_pose};
pub use tasks::{TASKS, find_task};
