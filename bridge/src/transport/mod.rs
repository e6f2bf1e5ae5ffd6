//! Carrying bytes. [`zeromq`] is the only file that names the ZeroMQ crate.

mod zeromq;

pub use zeromq::{ClientSockets, ServerSockets, can_encrypt};

use crate::error::BridgeError;

/// The endpoints of the four sockets, derived from one base endpoint (PROTOCOL.md section 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// As given.
    pub base: String,
    /// Requests and replies.
    pub ctl: String,
    /// Joint targets.
    pub cmd: String,
    /// What is sensed.
    pub state: String,
    /// Where the object is.
    pub pose: String,
}

/// Where a controller is found if nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "tcp://127.0.0.1:7401";

impl Endpoints {
    /// The four endpoints of a base endpoint.
    ///
    /// # Errors
    /// When it is not `tcp://HOST:PORT` with three more ports after PORT, or `ipc://PATH`; or when it can be reached
    /// from other machines, since nothing here authenticates or encrypts the link yet.
    pub fn parse(base: &str) -> Result<Self, BridgeError> {
        let wrong = |reason: &str| BridgeError::Endpoint { endpoint: base.to_owned(), reason: reason.to_owned() };
        if let Some(path) = base.strip_prefix("ipc://") {
            if path.is_empty() {
                return Err(wrong("the path is empty"));
            }
            return Ok(Self::named(base, |_, name| format!("{base}-{name}")));
        }
        let address = base.strip_prefix("tcp://").ok_or_else(|| wrong("neither tcp nor ipc"))?;
        let (host, port) = address.rsplit_once(':').ok_or_else(|| wrong("there is no port"))?;
        let port: u16 = port.parse().map_err(|_| wrong("the port is not a number from 1 to 65532"))?;
        if port == 0 || port > u16::MAX - 3 {
            return Err(wrong("four ports in a row are needed, from 1 to 65532"));
        }
        if !is_loopback(host) {
            let curve = if can_encrypt() { "yes" } else { "no" };
            return Err(BridgeError::NotLoopback { endpoint: base.to_owned(), curve });
        }
        Ok(Self::named(base, |offset, _| format!("tcp://{host}:{}", port + offset)))
    }

    fn named(base: &str, endpoint: impl Fn(u16, &str) -> String) -> Self {
        Self {
            base: base.to_owned(),
            ctl: endpoint(0, "ctl"),
            cmd: endpoint(1, "cmd"),
            state: endpoint(2, "state"),
            pose: endpoint(3, "pose"),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
