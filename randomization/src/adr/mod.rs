//! Automatic domain randomization (ADR): ranges that start at the nominal world and grow where the policy succeeds.
//!
//! After OpenAI, "Solving Rubik's Cube with a Robot Hand" (arXiv 1910.07113), section 5 and algorithm 1:
//!
//! * Every episode is one of two kinds. With [`AdrConfig::boundary_probability`] it *tests* one side, picked evenly
//!   from all: what belongs to that side is put exactly at its present boundary, all else is drawn from the present
//!   ranges. Otherwise everything is drawn from the present ranges. Both kinds are learned from.
//! * What a policy achieved in an episode that tests a side goes into that side's buffer, and nowhere else. When the
//!   buffer is full its mean is compared with two thresholds: the boundary moves a step out, a step back, or stays, and
//!   the buffer starts anew.
//!
//! What differs from the paper, and why:
//!
//! | here | in the paper | why |
//! | --- | --- | --- |
//! | a boundary is a *reach*: 0 is nominal, 1 the edge of the range in the configuration (the `wide` preset), more is beyond it, up to the physical bounds; for log-uniform rows in the logarithm | each parameter in units of its own | one step size serves a mass, an angle and a delay |
//! | rows may be grouped: one side for all of them, tested with all of them at the boundary at once | one by one | a quarter of an hour on two cores has some 4,000 tests to share out |
//! | buffer and step follow from the number of worlds | 240 and 0.02 | both serve 64 worlds and 16,384 |
//! | a row that has nothing on one side (noise below zero) has one side | two each | there is nothing to test |
//! | a result that was obtained at a boundary which has moved since is not counted | counted at whatever boundary holds when it arrives | it says nothing of the new boundary |
//! | an episode cut short on purpose (the first of each world, when starts are staggered) is not counted | none is | its rate is mostly noise |
//!
//! *Success* is the task's headline, the first of [`giraffe_robots::EpisodeReport::measures`], turned so that more is better.
//! Survival alone should earn nothing there.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config.rs` | what a user may set, and the defaults that follow from the number of worlds |
//! | `space.rs` | rows, groups and sides, and what a reach means for a row |
//! | `state.rs` | what was learned: reaches, buffers, what is in flight; saved and restored |
//! | `ranges.rs` | [`AdrRanges`], who draws an episode |
//! | `history.rs` | what must be written down so that any episode can be planned again |
//! | `report.rs` | how things stand, for logs and people; entropy |

mod config;
mod history;
mod ranges;
mod report;
mod space;
mod state;

pub use config::AdrConfig;
pub use history::{AdrHistory, AdrMove, AdrPlanned, Recorded};
pub use ranges::{AdrMonitor, AdrRanges};
pub use report::{AdrRangeReport, AdrReport, AdrSideReport, ENTROPY_WIDTH_FLOOR, entropy_nats};
pub use space::Side;
