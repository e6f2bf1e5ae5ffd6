//! What can go wrong when a controller is set up or ends: the sum of what its parts can fail with. It stands on top of
//! them, and none of them knows it.

use crate::driver::DriverError;
use crate::setting::SettingError;
use crate::transport::TransportError;
use thiserror::Error;

/// Why a controller could not be set up or had to end.
#[derive(Debug, Error)]
pub enum BridgeError {
    /// A limit, rate or timer makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Its sockets could not be bound.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
}
