//! Carrying bytes. [`zeromq`] is the only folder that names the ZeroMQ crate.

mod error;
mod zeromq;

pub use error::TransportError;
pub use zeromq::{ClientSockets, Incoming, ServerSockets, can_encrypt};

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
    /// The four endpoints of a base endpoint; `has_keys`: whether whoever uses them authenticates and encrypts.
    ///
    /// # Errors
    /// When it is not `tcp://HOST:PORT` with three more ports after PORT, or `ipc://PATH`; or when it can be reached
    /// from other machines, and there are no keys.
    pub fn parse(base: &str, has_keys: bool) -> Result<Self, TransportError> {
        let wrong = |reason: &str| TransportError::Endpoint { endpoint: base.to_owned(), reason: reason.to_owned() };
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
        if !has_keys && !is_loopback(host) {
            let curve = if can_encrypt() { "yes" } else { "no" };
            return Err(TransportError::NotLoopback { endpoint: base.to_owned(), curve });
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

/// How a connection fares before a byte of ours is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// Both sides agree: messages can pass.
    Admitted,
    /// The other side looked us up and said no: the status of its answer, 400 for somebody who is not listed.
    NotAdmitted(u32),
    /// One side encrypts, the other does not.
    OnlyOneEncrypts,
    /// What came is not ZeroMQ's protocol, or not as it should be.
    Garbled(u32),
    /// The connection was closed, or nothing came, before the two had agreed.
    Closed,
}
