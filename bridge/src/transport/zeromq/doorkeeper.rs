//! Who may come in: answers ZeroMQ's question for every connection (ZAP, ZeroMQ RFC 27), and says who was refused.

use super::failed;
use super::monitor::Monitor;
use crate::clock::Clock;
use crate::rarely::Rarely;
use crate::security::{Permissions, PublicKey};
use crate::transport::{LinkEvent, TransportError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use zmq::{Context, DONTWAIT, POLLIN, Socket};

/// Where ZeroMQ asks.
const ZAP_ENDPOINT: &str = "inproc://zeromq.zap.01";
const ZAP_VERSION: &[u8] = b"1.0";
/// Longest wait before the end is noticed, ms.
const WAIT_MS: i64 = 50;
/// So many questions, or events of one socket, are taken before the others are looked at again.
const AT_A_TIME: usize = 64;

/// A door that nobody keeps yet. Opened before any socket is bound.
pub(super) struct Door {
    zap: Socket,
    monitors: Vec<Monitor>,
}

impl Door {
    pub(super) fn open(context: &Context) -> Result<Self, TransportError> {
        let make = || -> zmq::Result<Socket> {
            let zap = context.socket(zmq::REP)?;
            zap.set_linger(0)?;
            zap.bind(ZAP_ENDPOINT)?;
            Ok(zap)
        };
        let zap = make().map_err(|error| failed("answering who may come in at", ZAP_ENDPOINT, error))?;
        Ok(Self { zap, monitors: Vec::new() })
    }

    /// Reports the handshakes of one more socket.
    pub(super) fn watch(&mut self, monitor: Monitor) {
        self.monitors.push(monitor);
    }

    /// Keeps it, in a thread of its own.
    pub(super) fn keep(
        self,
        permissions: Arc<Permissions>,
        clock: Arc<dyn Clock>,
    ) -> Result<Doorkeeper, TransportError> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("doorkeeper".to_owned())
            .spawn(move || self.run(&permissions, clock.as_ref(), &flag))
            .map_err(|error| TransportError::Socket {
                attempted: "starting a thread for",
                endpoint: ZAP_ENDPOINT.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Doorkeeper { stop, thread: Some(thread) })
    }

    fn run(&self, permissions: &Permissions, clock: &dyn Clock, stop: &AtomicBool) {
        let mut log = RefusalLog { clock, unlisted: Rarely::default(), others: Rarely::default() };
        while !stop.load(Ordering::Relaxed) {
            let sockets = std::iter::once(&self.zap).chain(self.monitors.iter().map(Monitor::socket));
            let mut items: Vec<_> = sockets.map(|socket| socket.as_poll_item(POLLIN)).collect();
            let _ = zmq::poll(&mut items, WAIT_MS);
            for question in std::iter::from_fn(|| self.zap.recv_multipart(DONTWAIT).ok()).take(AT_A_TIME) {
                let answer = answer(&question, permissions, &mut log);
                // A question that is none gets an empty answer, which lets nobody in.
                let _ = self.zap.send_multipart(answer, 0);
            }
            for monitor in &self.monitors {
                for (event, address) in std::iter::from_fn(|| monitor.next()).take(AT_A_TIME) {
                    log.handshake(monitor.name(), event, &address);
                }
            }
        }
    }
}

/// Keeps the door until dropped.
pub(super) struct Doorkeeper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The answer to one question: version, number, domain, address, identity, mechanism, key.
fn answer(question: &[Vec<u8>], permissions: &Permissions, log: &mut RefusalLog<'_>) -> Vec<Vec<u8>> {
    let [version, number, _domain, address, _identity, mechanism, credentials @ ..] = question else {
        return vec![Vec::new()];
    };
    let key = match credentials {
        [key] if version == ZAP_VERSION && mechanism == b"CURVE" => key.as_array::<32>().copied(),
        _ => None,
    };
    let reply = |status: &[u8], text: &[u8], user: Vec<u8>| {
        vec![ZAP_VERSION.to_vec(), number.clone(), status.to_vec(), text.to_vec(), user, Vec::new()]
    };
    let Some(key) = key.map(PublicKey::from_bytes) else {
        return reply(b"400", b"no CURVE key", Vec::new());
    };
    match permissions.find(&key) {
        Some(peer) => {
            tracing::debug!(name = peer.name, role = ?peer.role, "let in");
            reply(b"200", b"OK", key.to_string().into_bytes())
        }
        None => {
            log.unlisted(&key, &String::from_utf8_lossy(address));
            reply(b"400", b"not listed", Vec::new())
        }
    }
}

/// Says who was refused, not too often.
struct RefusalLog<'c> {
    clock: &'c dyn Clock,
    unlisted: Rarely,
    others: Rarely,
}

impl RefusalLog<'_> {
    fn unlisted(&mut self, key: &PublicKey, address: &str) {
        if let Some(unsaid) = self.unlisted.turn(self.clock.now()) {
            tracing::warn!(
                "refused {address}: its key {key} is not in the allow-list ({unsaid} more since the last line)"
            );
        }
    }

    fn handshake(&mut self, socket: &'static str, event: LinkEvent, address: &str) {
        let why = match event {
            // The unlisted are named with their key, where it is known.
            LinkEvent::Admitted | LinkEvent::NotAdmitted(_) => return,
            LinkEvent::OnlyOneEncrypts => "it does not encrypt".to_owned(),
            LinkEvent::Garbled(value) => {
                format!("it has another key for this controller, or speaks another protocol ({value:#x})")
            }
            LinkEvent::Closed => "it left before it had said who it is".to_owned(),
        };
        if let Some(unsaid) = self.others.turn(self.clock.now()) {
            tracing::warn!(
                "refused a connection to `{socket}` at {address}: {why} ({unsaid} more since the last line)"
            );
        }
    }
}
