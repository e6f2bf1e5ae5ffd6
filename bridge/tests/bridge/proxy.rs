//! A bad network: bytes between a policy and a controller, held back, let through late, or cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The four sockets of hand-link, in the order of their ports.
pub const CTL: usize = 0;
pub const CMD: usize = 1;
pub const STATE: usize = 2;
pub const POSE: usize = 3;
pub const ALL: [usize; 4] = [CTL, CMD, STATE, POSE];

/// What begins a connection is shorter, a hello longer.
const LARGE_BYTES: usize = 600;

/// Whose bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum From {
    Policy = 0,
    Controller = 1,
}

/// What becomes of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// They arrive.
    Arrive = 0,
    /// They are taken, kept, and arrive all at once later.
    Wait = 1,
    /// They are not even taken: the sender's own queues fill.
    Stall = 2,
    /// Small messages arrive, such as those that begin a connection; from the first large one on all wait.
    WaitForLarge = 3,
}

type Fates = Arc<[[AtomicU8; 2]; 4]>;

/// Listens where the policy connects, and passes on to the controller.
pub struct Proxy {
    pub endpoint: String,
    fates: Fates,
    cut: Arc<AtomicBool>,
    listeners: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Between a policy that connects to `endpoint` and a controller at `behind`.
    pub fn between(endpoint: String, behind: &str) -> Self {
        let port = |endpoint: &str| endpoint.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        let fates: Fates = Arc::default();
        let cut = Arc::new(AtomicBool::new(false));
        let listeners = ALL
            .iter()
            .map(|&socket| {
                let listener = TcpListener::bind(("127.0.0.1", port(&endpoint) + socket as u16)).unwrap();
                listener.set_nonblocking(true).unwrap();
                let (behind, fates, cut) = (port(behind) + socket as u16, fates.clone(), cut.clone());
                std::thread::spawn(move || listen(&listener, behind, socket, &fates, &cut))
            })
            .collect();
        Self { endpoint, fates, cut, listeners }
    }

    fn decide(&self, whose: From, sockets: &[usize], fate: Fate) {
        for &socket in sockets {
            self.fates[socket][whose as usize].store(fate as u8, Ordering::SeqCst);
        }
    }

    /// Bytes are kept until [`Proxy::release`].
    pub fn hold_back(&self, whose: From, sockets: &[usize]) {
        self.decide(whose, sockets, Fate::Wait);
    }

    /// From the first large message on bytes are kept until [`Proxy::release`]. A hello is large.
    pub fn hold_back_large(&self, whose: From, sockets: &[usize]) {
        self.decide(whose, sockets, Fate::WaitForLarge);
    }

    /// Whether something large was held back.
    pub fn holds_back(&self, whose: From, socket: usize) -> bool {
        self.fates[socket][whose as usize].load(Ordering::SeqCst) == Fate::Wait as u8
    }

    /// Bytes are not taken any more.
    pub fn stall(&self, whose: From, sockets: &[usize]) {
        self.decide(whose, sockets, Fate::Stall);
    }

    /// Bytes arrive again, the ones held back first.
    pub fn release(&self, whose: From, sockets: &[usize]) {
        self.decide(whose, sockets, Fate::Arrive);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::SeqCst);
        for listener in self.listeners.drain(..) {
            let _ = listener.join();
        }
    }
}

fn listen(listener: &TcpListener, behind: u16, socket: usize, fates: &Fates, cut: &Arc<AtomicBool>) {
    let mut pumps = Vec::new();
    while !cut.load(Ordering::SeqCst) {
        let Ok((policy, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        let Ok(controller) = TcpStream::connect(("127.0.0.1", behind)) else { continue };
        policy.set_nonblocking(false).unwrap();
        for stream in [&policy, &controller] {
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        }
        let ways = [
            (policy.try_clone().unwrap(), controller.try_clone().unwrap(), From::Policy),
            (controller, policy, From::Controller),
        ];
        for (from, to, whose) in ways {
            let (fates, cut) = (fates.clone(), cut.clone());
            pumps.push(std::thread::spawn(move || pump(from, to, &fates[socket][whose as usize], &cut)));
        }
    }
    for pump in pumps {
        let _ = pump.join();
    }
}

/// Carries the bytes of one connection one way until either end closes.
fn pump(mut from: TcpStream, mut to: TcpStream, fate: &AtomicU8, cut: &AtomicBool) {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; 16 * 1024]);
    while !cut.load(Ordering::SeqCst) {
        let mut now = fate.load(Ordering::SeqCst);
        if now == Fate::WaitForLarge as u8 {
            now = if kept.len() > LARGE_BYTES { Fate::Wait } else { Fate::Arrive } as u8;
            if now == Fate::Wait as u8 {
                fate.store(now, Ordering::SeqCst);
            }
        }
        if now == Fate::Arrive as u8 && !kept.is_empty() {
            if to.write_all(&kept).is_err() {
                break;
            }
            kept.clear();
        }
        if now == Fate::Stall as u8 {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => kept.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
