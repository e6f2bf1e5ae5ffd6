//! The controller's four sockets, with keys or without.

use super::doorkeeper::{Door, Doorkeeper};
use super::monitor::Monitor;
use super::{BYE_LINGER_MS, REQUEST_QUEUE, STREAM_QUEUE, content, curve, failed, receive_message, socket};
use crate::clock::Clock;
use crate::security::{CurveServer, Sender, ServerSecurity};
use crate::transport::{Endpoints, TransportError};
use std::cell::Cell;
use std::sync::Arc;
use zmq::{Context, DONTWAIT, Message, POLLIN, Socket};

/// A message at the controller, and who sent it.
pub struct Incoming {
    /// Where a reply goes; empty on `cmd`.
    pub peer: Vec<u8>,
    /// Whose it is.
    pub sender: Sender,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// The controller's sockets.
pub struct ServerSockets {
    ctl: Socket,
    cmd: Socket,
    state: Stream,
    /// Not there when somebody else tracks the object, who then binds in our place.
    pose: Option<Stream>,
    /// With keys: whose messages count.
    curve: Option<CurveServer>,
    /// Removals from the allow-list that were acted upon.
    removals: u64,
    unlisted: Cell<u64>,
    /// Answers who may come in, for as long as there are sockets.
    _doorkeeper: Option<Doorkeeper>,
}

impl ServerSockets {
    /// Binds all four, or all but `pose` where it is not `tracked` here. With keys all of them are CURVE's, whatever the
    /// address.
    ///
    /// # Errors
    /// When an endpoint is taken or cannot be bound: names it. When there are keys and anything about them fails.
    pub fn bind(
        endpoints: &Endpoints,
        security: &ServerSecurity,
        tracked: bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TransportError> {
        let context = Context::new();
        let (curve, mut door) = match security {
            ServerSecurity::LocalOnly => (None, None),
            ServerSecurity::Curve(curve) => {
                curve::require(curve.probe)?;
                (Some(curve.clone()), Some(Door::open(&context)?))
            }
        };
        let mut bound = |kind, name: &'static str, endpoint: &str| {
            let socket = prepared(&context, kind, REQUEST_QUEUE, curve.as_ref(), endpoint)?;
            if let Some(door) = &mut door {
                door.watch(Monitor::of(&context, &socket, name)?);
            }
            bind(&socket, name, endpoint)?;
            Ok::<Socket, TransportError>(socket)
        };
        let ctl = bound(zmq::ROUTER, "ctl", &endpoints.ctl)?;
        let cmd = bound(zmq::PULL, "cmd", &endpoints.cmd)?;
        let stream = |name, endpoint: &str| Stream::bind(&context, name, endpoint, curve.as_ref());
        let state = stream("state", &endpoints.state)?;
        let pose = tracked.then(|| stream("pose", &endpoints.pose)).transpose()?;
        let removals = curve.as_ref().map_or(0, |curve| curve.permissions.removals());
        let kept =
            door.zip(curve.as_ref()).map(|(door, curve)| door.keep(curve.permissions.clone(), Arc::clone(clock)));
        let unlisted = Cell::new(0);
        Ok(Self { ctl, cmd, state, pose, curve, removals, unlisted, _doorkeeper: kept.transpose()? })
    }

    /// Waits until a request or command is there, at most `timeout_ms`.
    pub fn wait(&self, timeout_ms: i64) {
        let mut items = [self.ctl.as_poll_item(POLLIN), self.cmd.as_poll_item(POLLIN)];
        // An interruption only ends the wait early.
        let _ = zmq::poll(&mut items, timeout_ms);
    }

    /// Messages dropped because their sender is not listed any more.
    pub fn unlisted_count(&self) -> u64 {
        self.unlisted.get()
    }

    /// Who sent a message, if they may be heard. With keys, a message that proves no key is nobody's.
    fn sender(&self, message: &mut Message) -> Option<Sender> {
        let Some(curve) = &self.curve else { return Some(Sender::local()) };
        let key = message.gets("User-Id").and_then(|key| key.parse().ok());
        let sender = key.and_then(|key| Some(Sender::listed(key, curve.permissions.find(&key)?)));
        if sender.is_none() {
            self.unlisted.set(self.unlisted.get() + 1);
        }
        sender
    }

    /// The next request and who sent it. Those of senders who are not listed any more are passed over.
    pub fn request(&self) -> Option<Incoming> {
        for _ in 0..REQUEST_QUEUE {
            let peer = self.ctl.recv_bytes(DONTWAIT).ok()?;
            if !self.ctl.get_rcvmore().unwrap_or(false) {
                continue;
            }
            let mut message = receive_message(&self.ctl)?;
            if let Some(sender) = self.sender(&mut message.0) {
                return Some(Incoming { peer, sender, bytes: content(&message) });
            }
        }
        None
    }

    /// The next command and who sent it, as with requests.
    pub fn command(&self) -> Option<Incoming> {
        for _ in 0..REQUEST_QUEUE {
            let mut message = receive_message(&self.cmd)?;
            if let Some(sender) = self.sender(&mut message.0) {
                return Some(Incoming { peer: Vec::new(), sender, bytes: content(&message) });
            }
        }
        None
    }

    /// Answers a request. Dropped if the peer is gone.
    pub fn reply(&self, peer: &[u8], bytes: &[u8]) {
        let _ = self.ctl.send_multipart([peer, bytes], DONTWAIT);
    }

    /// Publishes a state. Never waits: slow readers lose messages.
    pub fn publish_state(&mut self, bytes: &[u8]) {
        self.shut_out_the_removed();
        self.state.publish(bytes);
    }

    /// Publishes a pose. Never waits.
    pub fn publish_pose(&mut self, bytes: &[u8]) {
        self.shut_out_the_removed();
        if let Some(pose) = &mut self.pose {
            pose.publish(bytes);
        }
    }

    /// ZeroMQ cannot close one connection. So when somebody was taken off the list, all readers are cut off, and those
    /// who are still listed are back in a moment.
    fn shut_out_the_removed(&mut self) {
        let Some(curve) = &self.curve else { return };
        let removals = curve.permissions.removals();
        if removals != std::mem::replace(&mut self.removals, removals) {
            self.state.socket = None;
            if let Some(pose) = &mut self.pose {
                pose.socket = None;
            }
        }
    }

    /// Gives messages already published a moment to leave.
    pub fn flush_at_close(&self) {
        if let Some(state) = &self.state.socket {
            let _ = state.set_linger(BYE_LINGER_MS);
        }
        let _ = self.ctl.set_linger(BYE_LINGER_MS);
    }
}

/// A socket that publishes, and can be made anew.
struct Stream {
    context: Context,
    name: &'static str,
    endpoint: String,
    curve: Option<CurveServer>,
    socket: Option<Socket>,
}

impl Stream {
    fn bind(
        context: &Context,
        name: &'static str,
        endpoint: &str,
        curve: Option<&CurveServer>,
    ) -> Result<Self, TransportError> {
        let (context, endpoint) = (context.clone(), endpoint.to_owned());
        let mut stream = Self { context, name, endpoint, curve: curve.cloned(), socket: None };
        stream.open()?;
        Ok(stream)
    }

    fn open(&mut self) -> Result<(), TransportError> {
        let socket = prepared(&self.context, zmq::PUB, STREAM_QUEUE, self.curve.as_ref(), &self.endpoint)?;
        bind(&socket, self.name, &self.endpoint)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Sends without waiting. ZeroMQ looks at most once a millisecond whether readers have made room in their queues
    /// again, unless it is asked; a fast lock-step would otherwise lose every message after the eighth, in silence.
    fn publish(&mut self, bytes: &[u8]) {
        if self.socket.is_none()
            && let Err(error) = self.open()
        {
            // The address is free again once ZeroMQ has closed the socket of before; the next message tries again.
            tracing::debug!(%error, "`{}` is not open again yet", self.name);
        }
        if let Some(socket) = &self.socket {
            let _ = socket.get_events();
            let _ = socket.send(bytes, DONTWAIT);
        }
    }
}

/// A socket that is not bound yet, encrypted if there are keys.
fn prepared(
    context: &Context,
    kind: zmq::SocketType,
    queue: i32,
    curve: Option<&CurveServer>,
    endpoint: &str,
) -> Result<Socket, TransportError> {
    let mut socket = socket(context, kind, queue, endpoint)?;
    if let Some(curve) = curve {
        curve::serve(&mut socket, &curve.keys, endpoint)?;
        curve::check(&socket, endpoint)?;
    }
    Ok(socket)
}

fn bind(socket: &Socket, name: &'static str, endpoint: &str) -> Result<(), TransportError> {
    refuse_taken_path(name, endpoint)?;
    socket.bind(endpoint).map_err(|error| match error {
        zmq::Error::EADDRINUSE => TransportError::AddressInUse { endpoint: endpoint.to_owned(), socket: name },
        other => failed("binding", endpoint, other),
    })
}

/// Binding an ipc path takes it from whoever listens there without a word, so that is asked first.
fn refuse_taken_path(socket: &'static str, endpoint: &str) -> Result<(), TransportError> {
    let taken =
        endpoint.strip_prefix("ipc://").is_some_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok());
    if taken { Err(TransportError::AddressInUse { endpoint: endpoint.to_owned(), socket }) } else { Ok(()) }
}
