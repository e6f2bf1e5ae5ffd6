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
//! | a task | [`Task`] and [`tasks::TASKS`]; [`Trial`], one episode of it, run by a [`Referee`] |
//! | what is seen of the object | [`Seen`], [`PoseGuard`] |
//!
//! Invariants: the vector a network reads is written by [`ObservationEncoder`] and nowhere else; joint targets
//! come from [`ActionDecoder`] and nowhere else; actor columns come from what is sensed, never from truth.

mod action;
mod columns;
mod contract;
pub mod description;
mod dial;
mod encoder;
mod frame;
mod measure;
mod model;
mod names;
mod object;
mod observation;
mod referee;
mod seed;
mod signal;
mod symmetry;
mod task;
pub mod tasks;
mod term;
mod trial;
mod watch;
mod whole_file;

pub use action::{ActionDecoder, ActionSchema};
pub use contract::{Commanded, EpisodeEnd, EpisodeReport, Hand, HandError, StepBatch, WorldBatch};
pub use description::{
    DescriptionError, ImportAction, ImportEntry, ImportReport, MeshShapes, ROBOTS, RobotEntry, StrictFolder, hand_xml,
    load_robot, load_robot_with_report, read_robot_file, read_robot_file_with, strict_folder,
};
pub use dial::{Dial, DialError, dial_values};
pub use encoder::ObservationEncoder;
pub use frame::{Nanos, SignalFrame, SignalLayout, write_fingertips};
pub use measure::{Better, Measure, MeasureKind};
pub use model::{
    BodyModel, ControlSpec, DeviceMapping, FingertipModel, GeomModel, GeomShape, HoldAt, JointCoupling, JointModel,
    Limits, Region, RobotModel, SafetySpec, ServoKind, ServoLimits, USUAL_STIFFNESS_SHARE, USUAL_TORQUE_SHARE,
};
pub use names::{UnknownName, did_you_mean, nearest_name};
pub use object::{OBJECTS, ObjectModel, ObjectPose, find_object};
pub use observation::{NamedLimits, ObservationSchema};
pub use referee::{LOST_TERM, Referee, UNSEEN_AFTER_SECS};
pub use seed::{Purpose, SeedTree, Stream, StreamRng, standard_normal_pair};
pub use signal::{ReferenceFrame, Shape, Signal, SignalDefinition, Source, Unit};
pub use symmetry::{Folding, Symmetry};
pub use task::{Aims, EpisodeStart, Task};
pub use tasks::{TASKS, add_task, all_tasks, find_task, find_task_with};
pub use term::{Audience, Encoding, ObservationError, ObservationTerm, WhenStale};
pub use trial::{Ending, Outcome, RewardTerms, SUCCESS_TERM, Trial, TrialResult, TrialScene, Verdict};
pub use watch::{Believed, POSE_HOLD_SECS, PoseGuard, Seen, rotation_from_xyzw};
pub use whole_file::{put_in_place, whole_file};
