//! The four sockets of either side over ZeroMQ. The only folder that names it.
//!
//! Options are set before bind and connect, since most are ignored afterwards. Nothing here waits without a bound,
//! and nothing is queued for a peer that is not there.

mod bounds;
mod client;
mod curve;
mod doorkeeper;
mod monitor;
mod server;

pub use client::ClientSockets;
pub use curve::can_encrypt;
pub use server::{Incoming, ServerSockets};

use crate::transport::TransportError;
use crate::wire::MAX_MESSAGE_BYTES;
use zmq::{Context, DONTWAIT, Message, Socket, SocketType};

/// Waiting messages of one peer on `ctl` and, at the controller, on `cmd`; long ones count as several.
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

fn socket(context: &Context, kind: SocketType, queue: i32, endpoint: &str) -> Result<Socket, TransportError> {
    let make = || -> zmq::Result<Socket> {
        let mut socket = context.socket(kind)?;
        bounds::set(&mut socket);
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

fn failed(attempted: &'static str, endpoint: &str, error: zmq::Error) -> TransportError {
    TransportError::Socket { attempted, endpoint: endpoint.to_owned(), reason: error.to_string() }
}

/// The next message, whether it is one frame, and with what ZeroMQ knows of who sent it. Interruptions by signals count
/// as nothing waiting. However many frames a peer sends, no message has more than a few by the time it is here.
fn receive_message(socket: &Socket) -> Option<(Message, bool)> {
    let first = socket.recv_msg(DONTWAIT).ok()?;
    let mut single = true;
    while socket.get_rcvmore().unwrap_or(false) {
        let _ = socket.recv_bytes(DONTWAIT);
        single = false;
    }
    Some((first, single))
}

/// What a message says. One frame each: whatever follows belongs to no protocol of ours, and the message with it.
fn content((message, single): &(Message, bool)) -> Vec<u8> {
    if *single { message.to_vec() } else { Vec::new() }
}
