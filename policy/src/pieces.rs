//! How many rows the processor learns from at a time. Networks compute so, and memory is reckoned by it.

/// Worlds of a sequence that are computed together. Part of the last bits of what is summed over worlds, and of what the
/// general library computes: do not derive from threads.
pub(crate) const GROUP_ROWS: usize = 128;

/// Groups whose shares of the weights' gradients are kept until they are added up: what this costs in memory does not
/// grow with the number of worlds.
pub(crate) const GROUPS_AT_ONCE: usize = 32;
