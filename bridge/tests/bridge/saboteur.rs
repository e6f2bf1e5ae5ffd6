//! A controller that breaks one rule: the real one behind a relay that changes what passes.

use crate::controller::{clock, endpoint};
use giraffe_bridge::wire::{Body, Head, decode, decode_head, encode};
use giraffe_bridge::{ClientSecurity, ClientSockets, Endpoints, Incoming, ServerSecurity, ServerSockets};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Where a message passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A request on its way to the controller.
    Request,
    /// A reply on its way back.
    Reply,
    /// A command.
    Command,
    /// A state.
    State,
    /// A pose.
    Pose,
}

/// What becomes of a message: nothing, itself, another, several.
pub type Change = Box<dyn FnMut(Way, &[u8]) -> Vec<Vec<u8>> + Send>;

/// The same message with its body changed.
pub fn edit<B: Body>(bytes: &[u8], change: impl FnOnce(&mut Head, &mut B)) -> Vec<u8> {
    let Ok((mut head, mut body)) = decode::<B>(bytes) else { return bytes.to_vec() };
    change(&mut head, &mut body);
    encode(head.sid, head.seq, head.ts, &body)
}

/// The type of a message, empty if it is none.
pub fn kind(bytes: &[u8]) -> String {
    decode_head(bytes).map(|head| head.t).unwrap_or_default()
}

/// The controller that breaks a rule, in a thread.
pub struct Saboteur {
    pub endpoint: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Saboteur {
    /// Stands in front of the controller at `behind`.
    pub fn before(behind: &str, change: Change) -> Self {
        let (endpoint, stop) = (endpoint(), Arc::new(AtomicBool::new(false)));
        let at = Endpoints::parse(&endpoint, false).unwrap();
        let front = ServerSockets::bind(&at, &ServerSecurity::LocalOnly, true, &clock()).unwrap();
        let behind = Endpoints::parse(behind, false).unwrap();
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || relay(front, &behind, change, &flag));
        Self { endpoint, stop, thread: Some(thread) }
    }
}

impl Drop for Saboteur {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn relay(mut front: ServerSockets, behind: &Endpoints, mut change: Change, stop: &AtomicBool) {
    let streams = connect(behind);
    // Each peer is one at the controller, too.
    let mut peers: BTreeMap<Vec<u8>, ClientSockets> = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        front.wait(1);
        while let Some(Incoming { peer, bytes, .. }) = front.request() {
            let sockets = peers.entry(peer).or_insert_with(|| connect(behind));
            for bytes in change(Way::Request, &bytes) {
                patiently(|| sockets.request(&bytes));
            }
        }
        while let Some(Incoming { bytes, .. }) = front.command() {
            for bytes in change(Way::Command, &bytes) {
                patiently(|| streams.command(&bytes));
            }
        }
        for (peer, sockets) in &peers {
            while let Some(bytes) = sockets.reply() {
                change(Way::Reply, &bytes).iter().for_each(|bytes| front.reply(peer, bytes));
            }
        }
        while let Some(bytes) = streams.state() {
            change(Way::State, &bytes).iter().for_each(|bytes| front.publish_state(bytes));
        }
        while let Some(bytes) = streams.pose() {
            change(Way::Pose, &bytes).iter().for_each(|bytes| front.publish_pose(bytes));
        }
    }
}

fn connect(behind: &Endpoints) -> ClientSockets {
    ClientSockets::connect(behind, &ClientSecurity::LocalOnly).unwrap()
}

/// A fresh connection takes a moment.
fn patiently(mut send: impl FnMut() -> bool) {
    let start = clock().now();
    let clock = clock();
    while !send() && clock.now().secs_since(start) < 2.0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
