//! Why a link cannot be made.

use crate::security::SecurityError;
use thiserror::Error;

/// Why sockets could not be bound or connected.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The base endpoint cannot be used.
    #[error("endpoint `{endpoint}`: {reason}; expected `tcp://HOST:PORT` or `ipc://PATH`")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The endpoint is not on this machine and nothing would authenticate or encrypt the link.
    #[error(
        "endpoint `{endpoint}` can be reached from other machines, and the link would carry commands in clear text \
         (ZeroMQ with CURVE: {curve}; keys: none); make keys with `giraffe keygen` and give them, or use a loopback \
         address or ipc"
    )]
    NotLoopback {
        /// As given.
        endpoint: String,
        /// Whether this build of ZeroMQ could encrypt.
        curve: &'static str,
    },
    /// Somebody else has the endpoint.
    #[error(
        "cannot bind `{endpoint}` (socket `{socket}`): address in use; another controller is running there, choose \
         another base endpoint (four ports in a row are taken) or end it"
    )]
    AddressInUse {
        /// The one that failed.
        endpoint: String,
        /// Name of the socket in the protocol.
        socket: &'static str,
    },
    /// A socket operation failed.
    #[error("{attempted} `{endpoint}`: {reason}")]
    Socket {
        /// What was being done.
        attempted: &'static str,
        /// With which endpoint.
        endpoint: String,
        /// What ZeroMQ says.
        reason: String,
    },
    /// Keys were given, and cannot be used.
    #[error(transparent)]
    Security(#[from] SecurityError),
}
