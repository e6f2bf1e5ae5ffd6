//! A limit, rate or timer that makes no sense. A leaf: who checks a setting need not know what else can go wrong.

use thiserror::Error;

/// A setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is {found}; expected {expected}")]
pub struct SettingError {
    /// Which, with its joint if it has one.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What would be right.
    pub expected: &'static str,
}
