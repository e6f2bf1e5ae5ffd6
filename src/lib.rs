//! giraffe: train a robot hand in heavily randomized simulation, carry the policy over ZeroMQ to a real hand, and
//! measure how well it holds up.
//!
//! This package only joins the parts; each part is a crate of its own:
//!
//! | crate | one line |
//! | --- | --- |
//! | [`giraffe_robots`] | what a hand is, senses and does, and which tasks exist |
//! | [`giraffe_physics`] | one world with a hand and an object; a batch of them |
//! | [`giraffe_randomization`] | what varies between worlds and during an episode |
//! | [`giraffe_policy`] | the networks, the rollouts, PPO, checkpoints, running a policy |
//! | [`giraffe_bridge`] | safe exchange with a real hand |
//!
//! The wiring is cut into wings. Each may use those below it in this table, never one above or beside it:
//!
//! | wing | its job |
//! | --- | --- |
//! | [`cli`] | what can be typed, and what it means |
//! | [`quickstart`], [`study`] | from nothing to a table; questions about engines, policies, episodes, speed |
//! | [`learn`], [`fly`], [`hand`] | training; a policy on a hand behind ZeroMQ; the computer next to the motors |
//! | [`meet`] | a hand before it is trained: shown, drawn, held at rest, adopted |
//! | [`run`], [`keys`] | what builds and judges a run; keys on the command line |
//! | [`say`], [`stopping`], [`stopwatch`] | what is printed; how the program ends, and keeps what was finished; time |

pub mod allocator;
pub mod calendar;
pub mod cli;
#[cfg(feature = "train")]
pub mod fly;
pub mod hand;
pub mod keys;
#[cfg(feature = "train")]
pub mod learn;
#[cfg(feature = "train")]
pub mod meet;
#[cfg(feature = "train")]
pub mod quickstart;
#[cfg(feature = "train")]
pub mod run;
pub mod say;
pub mod stopping;
pub mod stopwatch;
#[cfg(feature = "train")]
pub mod study;
pub mod typed;
