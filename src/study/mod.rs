//! What is asked about engines, policies, episodes and speed once there is something to ask about.

pub mod bench;
pub mod chart;
pub mod engines;
pub mod named_run;
pub mod plot;
pub mod policies;
pub mod python;
pub mod replay;
pub mod replay_log;
pub mod skills;
