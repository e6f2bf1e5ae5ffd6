//! The policy's four sockets, with keys or without.

use super::monitor::Monitor;
use super::{
    BYE_LINGER_MS, COMMAND_QUEUE, DRAINED_QUEUE, REQUEST_QUEUE, content, curve, failed, receive_message, socket,
};
use crate::security::ClientSecurity;
use crate::transport::{Endpoints, LinkEvent, TransportError};
use zmq::{Context, DONTWAIT, POLLIN, Socket, SocketType};

/// The policy's sockets.
pub struct ClientSockets {
    ctl: Socket,
    cmd: Socket,
    state: Socket,
    pose: Socket,
    /// Of `ctl`, which speaks first, and of `state`, from which somebody who is taken off the list is cut off.
    monitors: [Monitor; 2],
}

impl ClientSockets {
    /// Connects all four. This succeeds whether or not somebody listens, or lets us in; [`ClientSockets::event`] tells.
    ///
    /// # Errors
    /// When a socket cannot be made or an endpoint makes no sense to ZeroMQ. When there are keys and anything about
    /// them fails.
    pub fn connect(endpoints: &Endpoints, security: &ClientSecurity) -> Result<Self, TransportError> {
        let context = Context::new();
        if let ClientSecurity::Curve(curve) = security {
            curve::require(curve.probe)?;
        }
        let prepared = |kind, queue, endpoint: &str| prepared(&context, kind, queue, security, endpoint);
        let connect = |socket: &Socket, endpoint: &str| {
            socket.connect(endpoint).map_err(|error| failed("connecting to", endpoint, error))
        };
        let connected = |kind, queue, endpoint: &str| {
            let socket = prepared(kind, queue, endpoint)?;
            connect(&socket, endpoint)?;
            Ok::<Socket, TransportError>(socket)
        };
        let watched = |kind, queue, name, endpoint: &str| {
            let socket = prepared(kind, queue, endpoint)?;
            let monitor = Monitor::of(&context, &socket, name)?;
            connect(&socket, endpoint)?;
            Ok::<(Socket, Monitor), TransportError>((socket, monitor))
        };
        let (ctl, of_ctl) = watched(zmq::DEALER, REQUEST_QUEUE, "ctl", &endpoints.ctl)?;
        let cmd = connected(zmq::PUSH, COMMAND_QUEUE, &endpoints.cmd)?;
        let (state, of_state) = watched(zmq::SUB, DRAINED_QUEUE, "state", &endpoints.state)?;
        let pose = connected(zmq::SUB, DRAINED_QUEUE, &endpoints.pose)?;
        Ok(Self { ctl, cmd, state, pose, monitors: [of_ctl, of_state] })
    }

    /// What happened to the connection next.
    pub fn event(&self) -> Option<LinkEvent> {
        self.monitors.iter().find_map(Monitor::next).map(|(event, _)| event)
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

    /// Waits until a reply, state, pose or event is there, at most `timeout_ms`.
    pub fn wait(&self, timeout_ms: i64) {
        let [of_ctl, of_state] = &self.monitors;
        let sockets = [&self.ctl, &self.state, &self.pose, of_ctl.socket(), of_state.socket()];
        let mut items = sockets.map(|socket| socket.as_poll_item(POLLIN));
        let _ = zmq::poll(&mut items, timeout_ms);
    }

    /// Lets the last request leave before the socket is closed.
    pub fn flush_at_close(&self) {
        let _ = self.ctl.set_linger(BYE_LINGER_MS);
    }
}

fn receive(socket: &Socket) -> Option<Vec<u8>> {
    receive_message(socket).map(|message| content(&message))
}

/// A socket that is not connected yet, encrypted if there are keys.
fn prepared(
    context: &Context,
    kind: SocketType,
    queue: i32,
    security: &ClientSecurity,
    endpoint: &str,
) -> Result<Socket, TransportError> {
    let socket = socket(context, kind, queue, endpoint)?;
    let set = match kind {
        zmq::SUB => socket.set_subscribe(b""),
        // Nothing is queued for a controller that is not there.
        _ => socket.set_immediate(true),
    };
    set.map_err(|error| failed("setting up a socket for", endpoint, error))?;
    if let ClientSecurity::Curve(curve) = security {
        curve::join(&socket, &curve.keys, &curve.server, endpoint)?;
        curve::check(&socket, endpoint)?;
    }
    Ok(socket)
}
