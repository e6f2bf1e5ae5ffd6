//! What a peer may take of this process, whoever it is: frames, bytes, places, subscriptions. ZeroMQ bounds messages only;
//! the rest is our patch of it (`bridge/third_party/zeromq-src/`). PROTOCOL.md section 9.

use std::os::raw::c_int;
use std::sync::Once;
use zmq::Socket;

/// Connections to one bound socket at a time. Others are closed at once.
const MAX_PEERS: c_int = 32;
/// Frames of one message. One is right; a few may come of a mistake and are counted as one malformed message. Who sends
/// more is cut off: frames wait in memory, seen by nobody, until the last has come.
const MAX_FRAMES: c_int = 4;
/// Each started so many bytes of a message count as one message in the queue, so that queues are bounded in bytes.
const QUEUE_UNIT_BYTES: c_int = 1024;
/// Subscriptions and cancellations of one connection to `state` or `pose`. One, to everything, is right. ZeroMQ keeps each
/// as a chain of nodes, one for each byte.
const MAX_SUBSCRIPTIONS: c_int = 8;

/// Our options, of the patched `zmq.h`.
const BOUND_PEERS: c_int = 9001;
const BOUND_FRAMES: c_int = 9002;
const BOUND_UNIT: c_int = 9003;
const BOUND_SUBSCRIPTIONS: c_int = 9004;

/// Bounds what peers may take. Before the socket is bound or connected.
pub(super) fn set(socket: &mut Socket) {
    let bounds = [
        (BOUND_PEERS, MAX_PEERS),
        (BOUND_FRAMES, MAX_FRAMES),
        (BOUND_UNIT, QUEUE_UNIT_BYTES),
        (BOUND_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS),
    ];
    let set = bounds.iter().try_for_each(|&(option, value)| set_int(socket, option, value));
    if let Err(error) = set {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(
                "bounding what peers may take: {error}: this ZeroMQ is not the patched one of giraffe, so that whoever \
                 reaches a socket may fill this machine's memory; build in giraffe's own workspace, or bound the memory \
                 of this process"
            );
        });
    }
}

/// Sets an option that the Rust crate does not know.
pub(super) fn set_int(socket: &mut Socket, option: c_int, value: c_int) -> zmq::Result<()> {
    // SAFETY: the socket is open, and the option is a C int that is only read.
    let status = unsafe {
        zmq_sys::zmq_setsockopt(socket.as_mut_ptr(), option, std::ptr::from_ref(&value).cast(), size_of::<c_int>())
    };
    // SAFETY: reads a number of this thread.
    if status == 0 { Ok(()) } else { Err(zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() })) }
}
