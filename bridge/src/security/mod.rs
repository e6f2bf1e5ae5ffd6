//! Who is who: keys, the allow-list, and what either side of a link is set up with. PROTOCOL.md section 9.

mod allow;
mod keys;
mod z85;

pub use allow::{AllowList, Peer, Permissions};
pub use keys::{KeyFiles, Keys, PublicKey};

use crate::message::Role;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Of a probe that leaves the answer to ZeroMQ itself.
fn no_objection() -> bool {
    true
}

/// The line of an allow-list for somebody.
pub fn allow_line(name: &str, key: &PublicKey, role: Role) -> String {
    format!("{name}  {key}  {}", allow::role_name(role))
}

/// How a controller lets others in.
#[derive(Debug, Clone)]
pub enum ServerSecurity {
    /// No keys: only from this machine, and who is on it may do everything.
    LocalOnly,
    /// CURVE on every socket, and only for those who are listed.
    Curve(CurveServer),
}

impl ServerSecurity {
    /// With keys, and a list of those who may come in.
    pub fn curve(keys: Keys, permissions: Arc<Permissions>) -> Self {
        Self::Curve(CurveServer { keys, permissions, probe: no_objection })
    }

    /// The same, asking `probe` as well whether this build of ZeroMQ can encrypt: a build that cannot is hard to come by
    /// in a test.
    #[must_use]
    pub fn with_probe(mut self, probe: fn() -> bool) -> Self {
        if let Self::Curve(curve) = &mut self {
            curve.probe = probe;
        }
        self
    }
}

/// A controller with keys.
#[derive(Debug, Clone)]
pub struct CurveServer {
    pub(crate) keys: Keys,
    pub(crate) permissions: Arc<Permissions>,
    /// Asked beside ZeroMQ whether sockets can be encrypted; both must say so.
    pub(crate) probe: fn() -> bool,
}

/// How a policy reaches a controller.
#[derive(Debug, Clone)]
pub enum ClientSecurity {
    /// No keys: only on this machine.
    LocalOnly,
    /// CURVE, with exactly this controller.
    Curve(CurveClient),
}

impl ClientSecurity {
    /// With our own keys, to the controller that has `server`.
    pub fn curve(keys: Keys, server: PublicKey) -> Self {
        Self::Curve(CurveClient { keys, server, probe: no_objection })
    }

    /// As [`ServerSecurity::with_probe`].
    #[must_use]
    pub fn with_probe(mut self, probe: fn() -> bool) -> Self {
        if let Self::Curve(curve) = &mut self {
            curve.probe = probe;
        }
        self
    }
}

/// A policy with keys.
#[derive(Debug, Clone)]
pub struct CurveClient {
    pub(crate) keys: Keys,
    pub(crate) server: PublicKey,
    /// As in [`CurveServer`].
    pub(crate) probe: fn() -> bool,
}

/// Who sent a message, as the link proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Their key; `None` where the link has no keys and reaches only this machine.
    key: Option<PublicKey>,
    name: String,
    role: Role,
}

impl Sender {
    /// Somebody on this machine, on a link without keys: may do everything.
    pub fn local() -> Self {
        Self { key: None, name: "this machine".to_owned(), role: Role::Commander }
    }

    /// Somebody who proved to have a key that is listed.
    pub fn listed(key: PublicKey, peer: Peer) -> Self {
        Self { key: Some(key), name: peer.name, role: peer.role }
    }

    /// Name in the allow-list.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether this is the same one as `other`, whatever either is called.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// What is wrong with keys or an allow-list. Never holds a secret key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecurityError {
    /// Keys were asked for, and could not be used.
    #[error(
        "keys are configured, but this build of ZeroMQ cannot encrypt; nothing is bound or connected in clear text \
         instead: build with the patched zmq-sys (bridge/third_party/zmq-sys/README.md), or leave the keys out and \
         stay on this machine"
    )]
    NoCurve,
    /// A file could not be read or written.
    #[error("{attempted} {}: {reason}", path.display())]
    File {
        /// What was being done.
        attempted: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file would be overwritten.
    #[error("{} exists already and is not overwritten; choose another name, or remove both of its files", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Others can read a secret key.
    #[error(
        "{} can be read by others (mode {mode:03o}, expected 600): whoever did has this key; make new ones with \
         `giraffe keygen`, or if you are sure nobody did: chmod 600 {}", path.display(), path.display()
    )]
    Readable {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file does not hold the key it should.
    #[error("{} holds no {what}: found {found}; expected a file written by `giraffe keygen`", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
        /// `public key` or `secret key`.
        what: &'static str,
        /// Instead; never the text itself.
        found: String,
    },
    /// Neither a key nor a file. A text as long as a key is not repeated: somebody may have given their secret one.
    #[error("{given} is neither a public key (40 characters of Z85) nor a file; expected the controller's NAME.key")]
    NoPublicKey {
        /// As given, or how long it is.
        given: String,
    },
    /// A secret key where a public one belongs.
    #[error("{} holds a secret key; expected a public one, NAME.key: a secret key stays where it was made", path.display())]
    SecretGiven {
        /// Which.
        path: PathBuf,
    },
    /// A name that cannot stand in an allow-list.
    #[error("`{name}` is no name for keys; expected letters, digits, - _ . @, at most 64, not beginning with a dot")]
    Name {
        /// As given.
        name: String,
    },
    /// A line of an allow-list is wrong.
    #[error("{}, line {line}: {found}; expected `name public-key commander|observer`", path.display())]
    AllowList {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        found: String,
    },
}
