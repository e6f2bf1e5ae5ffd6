//! Safe exchange with a real hand, or with a simulator that stands in for one, over ZeroMQ.
//!
//! ```text
//!   motors ── HandDriver ── ServerCore ── BridgeServer ══ ZeroMQ ══ BridgeClient: Hand ── policy
//!                           (session, lease, watchdog, SafetyEnvelope)
//! ```
//!
//! The protocol is hand-link v1, in `PROTOCOL.md`; either side may be another program in another language.
//!
//! | to learn about | read |
//! | --- | --- |
//! | moving a hand that is elsewhere | [`BridgeClient`] |
//! | reading what a hand does, and stopping it | [`Observer`] |
//! | being the controller of a hand | [`BridgeServer`], [`ControllerSpec`] |
//! | motors, or a simulator behind a controller | [`HandDriver`], [`Rehearsal`] |
//! | what a motor may be told | [`SafetyEnvelope`], [`SafeTargets`] |
//! | what happens when commands stop | [`Watchdog`] |
//! | keys, and who may do what | [`ServerSecurity`], [`ClientSecurity`], [`Permissions`], [`Sender`] |
//! | whether somebody else's controller keeps the rules | [`conformance`] |
//! | what happened: logs that can be replayed | `log`, with the feature of that name |
//! | a hand's first day | [`commissioning`], [`calibration`] |
//!
//! Invariants: no target reaches a driver without having passed the envelope (only the envelope makes
//! [`SafeTargets`]); [`ServerCore`] does no input or output and is handed the time; the ZeroMQ crate is named only under
//! `transport/zeromq/`; the clock is read only in `clock.rs`; every wait is bounded; with keys nothing is ever bound or
//! connected in clear text, and no secret key is ever shown.
//!
//! To add a driver: a file in `drivers/` and its line in [`drivers::DRIVERS`].

pub mod calibration;
mod client;
mod clock;
pub mod commissioning;
pub mod conformance;
mod controller;
mod driver;
pub mod drivers;
mod envelope;
mod error;
mod fault;
pub mod handshake;
pub mod health;
mod hex;
pub mod kinematics;
#[cfg(feature = "log")]
pub mod log;
pub mod message;
pub mod minimum_jerk;
mod rarely;
mod security;
mod server;
mod setting;
mod transport;
mod trial;
mod watchdog;
pub mod wire;

pub use client::{BridgeClient, ClientConfig, LinkReport, LinkTap, ObjectWatch, Observer, SensedPose, write_sensed};
pub use clock::{Clock, MonotonicClock};
pub use controller::{
    CommandVerdict, ControllerSpec, Counters, DroppedCommand, HomingSpec, Order, Request, ServerCore, TrackingSpec,
};
pub use driver::{
    BusIdentity, Calibrated, DriverError, HandDriver, Rehearsal, ServoAlarm, ServoHealth, ServoIdentity, TrackedObject,
};
pub use envelope::{EnvelopeSpec, Pace, SafeTargets, SafetyEnvelope, Unusable};
pub use error::BridgeError;
pub use fault::{Fault, FaultSet};
pub use security::{
    AllowList, ClientSecurity, KeyFiles, Keys, Peer, Permissions, PublicKey, SecurityError, Sender, ServerSecurity,
    allow_line,
};
pub use server::{BridgeServer, ExitAction};
pub use setting::SettingError;
pub use transport::{
    ClientSockets, DEFAULT_ENDPOINT, Endpoints, Incoming, LinkEvent, ServerSockets, TransportError, can_encrypt,
};
pub use watchdog::{Mode, Watchdog, WatchdogSpec};
