//! Encryption of a socket. Every option's result is looked at: a build that cannot encrypt refuses each of them, and
//! would go on in clear text for whoever does not ask.

use super::bounds::set_int;
use super::failed;
use crate::security::{Keys, PublicKey, SecurityError};
use crate::transport::TransportError;
use std::os::raw::c_int;
use zmq::{Mechanism, Socket};

/// Of all sockets of a controller: without one, ZeroMQ asks nobody who may come in.
const ZAP_DOMAIN: &str = "hand-link";
/// `ZMQ_ZAP_ENFORCE_DOMAIN` of zmq.h, which the Rust crate leaves out.
const ZAP_ENFORCE_DOMAIN: c_int = 93;

/// Whether this build of ZeroMQ could authenticate and encrypt.
pub fn can_encrypt() -> bool {
    zmq::has("curve") == Some(true)
}

impl Keys {
    /// A new pair, drawn from the system's generator. Here, because it is ZeroMQ that draws it: what keys are needs no
    /// sockets.
    ///
    /// # Errors
    /// When this build of ZeroMQ cannot encrypt.
    pub fn generate() -> Result<Self, SecurityError> {
        let pair = zmq::CurveKeyPair::new().map_err(|_| SecurityError::NoCurve)?;
        Ok(Self::from_pair(pair.public_key, pair.secret_key))
    }
}

/// Refuses to go on with keys that could not be used.
pub(super) fn require(probe: fn() -> bool) -> Result<(), TransportError> {
    if probe() && can_encrypt() { Ok(()) } else { Err(SecurityError::NoCurve.into()) }
}

/// Makes `socket` one that only lets in whom the doorkeeper knows. Before it is bound.
pub(super) fn serve(socket: &mut Socket, keys: &Keys, endpoint: &str) -> Result<(), TransportError> {
    let set = |socket: &Socket| -> zmq::Result<()> {
        socket.set_zap_domain(ZAP_DOMAIN)?;
        socket.set_curve_server(true)?;
        socket.set_curve_secretkey(keys.secret_bytes())
    };
    set(socket)
        .and_then(|()| enforce_domain(socket))
        .map_err(|error| failed("setting up encryption for", endpoint, error))
}

/// Without this, ZeroMQ lets everybody in once nobody answers who may come in.
fn enforce_domain(socket: &mut Socket) -> zmq::Result<()> {
    set_int(socket, ZAP_ENFORCE_DOMAIN, 1)
}

/// Makes `socket` one that speaks only with the controller that has `server`. Before it is connected.
pub(super) fn join(socket: &Socket, keys: &Keys, server: &PublicKey, endpoint: &str) -> Result<(), TransportError> {
    let set = || -> zmq::Result<()> {
        socket.set_curve_serverkey(server.bytes())?;
        socket.set_curve_publickey(keys.public().bytes())?;
        socket.set_curve_secretkey(keys.secret_bytes())
    };
    set().map_err(|error| failed("setting up encryption for", endpoint, error))
}

/// Whether ZeroMQ, too, thinks that this socket is encrypted.
pub(super) fn check(socket: &Socket, endpoint: &str) -> Result<(), TransportError> {
    match socket.get_mechanism() {
        Ok(Mechanism::ZMQ_CURVE) => Ok(()),
        Ok(other) => Err(TransportError::Socket {
            attempted: "encrypting",
            endpoint: endpoint.to_owned(),
            reason: format!("the socket uses {other:?} in spite of its keys"),
        }),
        Err(error) => Err(failed("encrypting", endpoint, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, MonotonicClock};
    use zmq::{Context, DONTWAIT};

    #[test]
    #[allow(clippy::unwrap_used, reason = "in tests a panic is the report")]
    fn when_nobody_answers_who_may_come_in_nobody_comes_in() {
        let [server, client] = [(); 2].map(|()| Keys::generate().unwrap());
        let context = Context::new();
        let mut pull = context.socket(zmq::PULL).unwrap();
        serve(&mut pull, &server, "tcp://127.0.0.1:*").unwrap();
        check(&pull, "").unwrap();
        pull.bind("tcp://127.0.0.1:*").unwrap();
        let at = pull.get_last_endpoint().unwrap().unwrap();
        // A context of its own, as in another process.
        let push = Context::new().socket(zmq::PUSH).unwrap();
        push.set_linger(0).unwrap();
        join(&push, &client, &server.public(), &at).unwrap();
        push.connect(&at).unwrap();
        push.send("open sesame", DONTWAIT).unwrap();
        let clock = MonotonicClock::start();
        while clock.now().as_secs() < 0.5 {
            assert!(pull.recv_bytes(DONTWAIT).is_err(), "it came in");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
