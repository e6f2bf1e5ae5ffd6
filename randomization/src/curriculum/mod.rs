//! A curriculum: one number of the task or of the ranges that moves from easy to what the configuration says.
//!
//! Every episode is planned at the *level* that holds when it is planned. When as many episodes of one level are over as the
//! configuration asks for, the mean of a measure over them decides: up a level, down a level, or stay. Results of episodes
//! that were planned at another level do not count, nor do those that were cut short on purpose.
//!
//! One number moves at a time. Two rules that read the same results move together, and when it gets worse nobody can tell
//! which of them it was; automatic domain randomization is such a rule, too, so the two exclude each other.
//!
//! The task and the ranges in the configuration are what is to be learned in the end. Evaluations and deployments know
//! nothing of a curriculum.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config.rs` | what a user may set |
//! | `scalar.rs` | which number is meant, and the task and ranges with another in its place |
//! | `state.rs` | what was learned: the level, the results it waits with, what is in flight; saved and restored |
//! | `ranges.rs` | [`CurriculumRanges`], who draws an episode |

mod config;
mod ranges;
mod scalar;
mod state;

pub use config::CurriculumConfig;
pub use ranges::{CurriculumMonitor, CurriculumRanges, CurriculumReport, Subject};
