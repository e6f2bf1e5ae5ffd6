//! What happens to the connections of a socket. ZeroMQ tells nobody else: a peer that is not let in sees silence.

use super::failed;
use crate::transport::{LinkEvent, TransportError};
use zmq::{Context, DONTWAIT, Socket, SocketEvent};

/// `ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH` of zmq.h.
const MECHANISM_MISMATCH: u32 = 0x1100_0002;

/// What is worth telling: how handshakes ended.
const EVENTS: [SocketEvent; 4] = [
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
];

/// The events of one socket.
pub(super) struct Monitor {
    name: &'static str,
    events: Socket,
}

impl Monitor {
    /// Watches `socket`, from before it is bound or connected. `name` is unique within the context.
    pub(super) fn of(context: &Context, socket: &Socket, name: &'static str) -> Result<Self, TransportError> {
        let endpoint = format!("inproc://events-of-{name}");
        let make = || -> zmq::Result<Socket> {
            let events = context.socket(zmq::PAIR)?;
            events.set_linger(0)?;
            // ZeroMQ's own thread would wait, for ever, on a queue that is full.
            events.set_rcvhwm(0)?;
            let wanted = EVENTS.iter().fold(0, |wanted, event| wanted | i32::from(event.to_raw()));
            socket.monitor(&endpoint, wanted)?;
            // At once: until somebody listens, ZeroMQ waits in whatever makes the first event.
            events.connect(&endpoint)?;
            Ok(events)
        };
        let events = make().map_err(|error| failed("watching", &endpoint, error))?;
        Ok(Self { name, events })
    }

    /// What to wait for.
    pub(super) fn socket(&self) -> &Socket {
        &self.events
    }

    /// The socket's name in the protocol.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The next event and the address it is about, if one is waiting.
    pub(super) fn next(&self) -> Option<(LinkEvent, String)> {
        let frames = self.events.recv_multipart(DONTWAIT).ok()?;
        let [first, address, ..] = frames.as_slice() else { return None };
        let (&[a, b, c, d, e, f], address) = (first.as_array::<6>()?, String::from_utf8_lossy(address).into_owned());
        Some((read(u16::from_ne_bytes([a, b]), u32::from_ne_bytes([c, d, e, f])), address))
    }
}

fn read(event: u16, value: u32) -> LinkEvent {
    let is = |known: SocketEvent| event == known.to_raw();
    if is(SocketEvent::HANDSHAKE_SUCCEEDED) {
        LinkEvent::Admitted
    } else if is(SocketEvent::HANDSHAKE_FAILED_AUTH) {
        LinkEvent::NotAdmitted(value)
    } else if is(SocketEvent::HANDSHAKE_FAILED_PROTOCOL) {
        if value == MECHANISM_MISMATCH { LinkEvent::OnlyOneEncrypts } else { LinkEvent::Garbled(value) }
    } else {
        LinkEvent::Closed
    }
}
