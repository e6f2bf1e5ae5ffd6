//! The four sockets of either side over ZeroMQ. The only file that names it.
//!
//! Options are set before bind and connect, since most are ignored afterwards. Nothing here waits without a bound,
//! and nothing is queued for a peer that is not there.

use super::Endpoints;
use crate::error::BridgeError;
use crate::wire::MAX_MESSAGE_BYTES;
use zmq::{Context, DONTWAIT, POLLIN, Socket, SocketType};

/// Waiting messages on `ctl` and, at the controller, on `cmd`.
const REQUEST_QUEUE: i32 = 64;
/// Commands waiting at the policy: it never sends to nobody, and newest wins.
const COMMAND_QUEUE: i32 = 2;
/// States and poses waiting at the controller: slow readers lose messages, not the controller its time.
const STREAM_QUEUE: i32 = 8;
/// States and poses waiting at the policy. Large, so that draining reaches the newest: with a short queue older
/// messages would wait out of sight, in the kernel.
const DRAINED_QUEUE: i32 = 1000;
/// A `bye` may take this long to leave, ms.
const BYE_LINGER_MS: i32 = 100;
/// A connection that is not established by then is given up and tried again, ms.
const HANDSHAKE_MS: i32 = 1000;

/// Whether this build of ZeroMQ could authenticate and encrypt.
pub fn can_encrypt() -> bool {
    zmq::has("curve") == Some(true)
}

fn socket(context: &Context, kind: SocketType, queue: i32, endpoint: &str) -> Result<Socket, BridgeError> {
    let make = || -> zmq::Result<Socket> {
        let socket = context.socket(kind)?;
        socket.set_linger(0)?;
        socket.set_sndhwm(queue)?;
        socket.set_rcvhwm(queue)?;
        socket.set_maxmsgsize(MAX_MESSAGE_BYTES as i64)?;
        socket.set_handshake_ivl(HANDSHAKE_MS)?;
        socket.set_reconnect_ivl(20)?;
        socket.set_reconnect_ivl_max(200)?;
        socket.set_ipv6(endpoint.contains('['))?;
        Ok(socket)
    };
    make().map_err(|error| failed("setting up a socket for", endpoint, error))
}

fn failed(attempted: &'static str, endpoint: &str, error: zmq::Error) -> BridgeError {
    BridgeError::Socket { attempted, endpoint: endpoint.to_owned(), reason: error.to_string() }
}

/// The next frame, if one is waiting. Interruptions by signals count as nothing waiting.
fn receive(socket: &Socket) -> Option<Vec<u8>> {
    let first = socket.recv_bytes(DONTWAIT).ok()?;
    // One frame per message: whatever follows belongs to no protocol of ours, and the message with it.
    let mut single = true;
    while socket.get_rcvmore().unwrap_or(false) {
        let _ = socket.recv_bytes(DONTWAIT);
        single = false;
    }
    Some(if single { first } else { Vec::new() })
}

/// The controller's sockets.
pub struct ServerSockets {
    ctl: Socket,
    cmd: Socket,
    state: Socket,
    pose: Socket,
}

impl ServerSockets {
    /// Binds all four.
    ///
    /// # Errors
    /// When an endpoint is taken or cannot be bound; names it.
    pub fn bind(endpoints: &Endpoints) -> Result<Self, BridgeError> {
        let context = Context::new();
        let bound = |kind, queue, name: &'static str, endpoint: &str| {
            let socket = socket(&context, kind, queue, endpoint)?;
            refuse_taken_path(name, endpoint)?;
            socket.bind(endpoint).map_err(|error| match error {
                zmq::Error::EADDRINUSE => BridgeError::AddressInUse { endpoint: endpoint.to_owned(), socket: name },
                other => failed("binding", endpoint, other),
            })?;
            Ok::<Socket, BridgeError>(socket)
        };
        Ok(Self {
            ctl: bound(zmq::ROUTER, REQUEST_QUEUE, "ctl", &endpoints.ctl)?,
            cmd: bound(zmq::PULL, REQUEST_QUEUE, "cmd", &endpoints.cmd)?,
            state: bound(zmq::PUB, STREAM_QUEUE, "state", &endpoints.state)?,
            pose: bound(zmq::PUB, STREAM_QUEUE, "pose", &endpoints.pose)?,
        })
    }

    /// Waits until a request or command is there, at most `timeout_ms`.
    pub fn wait(&self, timeout_ms: i64) {
        let mut items = [self.ctl.as_poll_item(POLLIN), self.cmd.as_poll_item(POLLIN)];
        // An interruption only ends the wait early.
        let _ = zmq::poll(&mut items, timeout_ms);
    }

    /// The next request and who sent it.
    pub fn request(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut frames = self.ctl.recv_multipart(DONTWAIT).ok()?.into_iter();
        let peer = frames.next()?;
        let bytes = frames.next()?;
        // More than one frame is no message of this protocol.
        Some((peer, if frames.next().is_some() { Vec::new() } else { bytes }))
    }

    /// Answers a request. Dropped if the peer is gone.
    pub fn reply(&self, peer: &[u8], bytes: &[u8]) {
        let _ = self.ctl.send_multipart([peer, bytes], DONTWAIT);
    }

    /// The next command.
    pub fn command(&self) -> Option<Vec<u8>> {
        receive(&self.cmd)
    }

    /// Publishes a state. Never waits: slow readers lose messages.
    pub fn publish_state(&self, bytes: &[u8]) {
        publish(&self.state, bytes);
    }

    /// Publishes a pose. Never waits.
    pub fn publish_pose(&self, bytes: &[u8]) {
        publish(&self.pose, bytes);
    }

    /// Gives messages already published a moment to leave.
    pub fn flush_at_close(&self) {
        let _ = self.state.set_linger(BYE_LINGER_MS);
        let _ = self.ctl.set_linger(BYE_LINGER_MS);
    }
}

/// Binding an ipc path takes it from whoever listens there without a word, so that is asked first.
fn refuse_taken_path(socket: &'static str, endpoint: &str) -> Result<(), BridgeError> {
    let taken =
        endpoint.strip_prefix("ipc://").is_some_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok());
    if taken { Err(BridgeError::AddressInUse { endpoint: endpoint.to_owned(), socket }) } else { Ok(()) }
}

/// The policy's sockets.
pub struct ClientSockets {
    ctl: Socket,
    cmd: Socket,
    state: Socket,
    pose: Socket,
}

/// Sends without waiting. ZeroMQ looks at most once a millisecond whether readers have made room in their queues again,
/// unless it is asked; a fast lock-step would otherwise lose every message after the eighth, in silence.
fn publish(socket: &zmq::Socket, bytes: &[u8]) {
    let _ = socket.get_events();
    let _ = socket.send(bytes, DONTWAIT);
}

impl ClientSockets {
    /// Connects all four. This succeeds whether or not somebody listens.
    ///
    /// # Errors
    /// When a socket cannot be made or an endpoint makes no sense to ZeroMQ.
    pub fn connect(endpoints: &Endpoints) -> Result<Self, BridgeError> {
        let context = Context::new();
        let connected = |kind, queue, endpoint: &str| {
            let socket = socket(&context, kind, queue, endpoint)?;
            let prepared = match kind {
                zmq::SUB => socket.set_subscribe(b""),
                // Nothing is queued for a controller that is not there.
                _ => socket.set_immediate(true),
            };
            prepared
                .and_then(|()| socket.connect(endpoint))
                .map_err(|error| failed("connecting to", endpoint, error))?;
            Ok::<Socket, BridgeError>(socket)
        };
        Ok(Self {
            ctl: connected(zmq::DEALER, REQUEST_QUEUE, &endpoints.ctl)?,
            cmd: connected(zmq::PUSH, COMMAND_QUEUE, &endpoints.cmd)?,
            state: connected(zmq::SUB, DRAINED_QUEUE, &endpoints.state)?,
            pose: connected(zmq::SUB, DRAINED_QUEUE, &endpoints.pose)?,
        })
    }

    /// Sends a request; false if nobody is connected.
    pub fn request(&self, bytes: &[u8]) -> bool {
        self.ctl.send(bytes, DONTWAIT).is_ok()
    }

    /// The next reply.
    pub fn reply(&self) -> Option<Vec<u8>> {
        receive(&self.ctl)
    }

    /// Sends a command; false if nobody is connected or two are waiting already.
    pub fn command(&self, bytes: &[u8]) -> bool {
        // ZeroMQ looks at most once a millisecond whether there is room in the queue again, unless it is asked.
        self.cmd.send(bytes, DONTWAIT).is_ok()
            || (self.cmd.get_events().is_ok() && self.cmd.send(bytes, DONTWAIT).is_ok())
    }

    /// The next state.
    pub fn state(&self) -> Option<Vec<u8>> {
        receive(&self.state)
    }

    /// The next pose.
    pub fn pose(&self) -> Option<Vec<u8>> {
        receive(&self.pose)
    }

    /// Waits until a reply, state or pose is there, at most `timeout_ms`.
    pub fn wait(&self, timeout_ms: i64) {
        let mut items =
            [self.ctl.as_poll_item(POLLIN), self.state.as_poll_item(POLLIN), self.pose.as_poll_item(POLLIN)];
        let _ = zmq::poll(&mut items, timeout_ms);
    }

    /// Lets the last request leave before the socket is closed.
    pub fn flush_at_close(&self) {
        let _ = self.ctl.set_linger(BYE_LINGER_MS);
    }
}
