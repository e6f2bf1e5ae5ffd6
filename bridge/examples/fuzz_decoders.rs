//! Damaged messages for everything that reads bytes: nothing may panic, and no message may cost much memory.
//!
//! ```sh
//! cargo run --release -p giraffe-bridge --example fuzz_decoders -- 10000000 1
//! ```
//!
//! The arguments are how many messages, and a seed. Messages are the golden ones, damaged with their structure in mind:
//! lengths that lie, towers of maps, numbers that are none, keys twice, types exchanged, and plain noise.

use giraffe_bridge::message::{
    Arm, Bye, ClearFault, Command, Estop, Granted, Hello, Hold, Ping, Pong, Pose, Refusal, Reject, Reset, Started,
    State, Stop, Welcome,
};
use giraffe_bridge::wire::{Body, MAX_MESSAGE_BYTES, decode, decode_head};
use giraffe_bridge::{ControllerSpec, Sender, ServerCore};
use giraffe_robots::{Nanos, RobotModel, Signal, SignalFrame, SignalLayout};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

const GOLDEN: &str = include_str!("../golden/messages.txt");
/// Bytes set aside at once for one message, at most, in messages of the largest size.
pub const LARGEST_SHARE: usize = 1;
/// Bytes in use at one time for one message, at most, in messages of the largest size.
pub const LIVE_SHARE: usize = 4;

/// Counts what is set aside.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

fn count(size: usize) {
    LARGEST.fetch_max(size, Ordering::Relaxed);
    PEAK.fetch_max(LIVE.fetch_add(size, Ordering::Relaxed) + size, Ordering::Relaxed);
}

// SAFETY: everything is done by the system's allocator; only numbers are kept besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a run of damaged messages came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fuzzed {
    /// Messages.
    pub messages: u64,
    /// Those whose head was still one.
    pub heads: u64,
    /// Those that were still a message of some type.
    pub decoded: u64,
    /// Largest single allocation, bytes.
    pub largest_bytes: usize,
    /// Most memory in use for one message, bytes.
    pub live_bytes: usize,
}

fn golden() -> Vec<Vec<u8>> {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
    lines.filter_map(|(_, hex)| hex.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// Places where a msgpack value may begin: anywhere, but mostly after a key.
fn place(random: &mut StdRng, bytes: &[u8]) -> usize {
    random.random_range(0..bytes.len().max(1))
}

/// Values that are trouble.
fn trouble(random: &mut StdRng) -> Vec<u8> {
    let huge = [0xff, 0xff, 0xff, 0xff];
    match random.random_range(0..12) {
        0 => [&[0xdd], &huge[..]].concat(),
        1 => [&[0xdf], &huge[..]].concat(),
        2 => [&[0xdb], &huge[..]].concat(),
        3 => [&[0xc6], &huge[..]].concat(),
        4 => vec![0x91; random.random_range(1..3000)],
        5 => [0x81, 0xa1, b'x'].repeat(random.random_range(1..1000)),
        6 => [&[0xca], &f32::NAN.to_be_bytes()[..]].concat(),
        7 => [&[0xcb], &1e300f64.to_be_bytes()[..]].concat(),
        8 => [&[0xcf], &u64::MAX.to_be_bytes()[..]].concat(),
        9 => [&[0xd3], &i64::MIN.to_be_bytes()[..]].concat(),
        10 => {
            // A real array of small things: the most memory per byte.
            let count = random.random_range(0..40_000u32);
            let small = [0xa0, 0x00, 0xc0, 0x80, 0x90][random.random_range(0..5)];
            let mut value = vec![0xdd];
            value.extend_from_slice(&count.to_be_bytes());
            value.resize(5 + count as usize, small);
            value
        }
        _ => vec![[0xc0, 0xc1, 0xc2, 0xc3, 0x80, 0x90, 0xa0, 0xd4, 0xc7][random.random_range(0..9)]],
    }
}

/// Where the value of some key of the message begins.
fn after_a_key(random: &mut StdRng, bytes: &[u8]) -> usize {
    const KEYS: [&[u8]; 12] = [
        b"\xa1q",
        b"\xa2dq",
        b"\xa5wants",
        b"\xa6joints",
        b"\xa6limits",
        b"\xa4tips",
        b"\xa5state",
        b"\xa4pose",
        b"\xa3why",
        b"\xa7episode",
        b"\xa3seq",
        b"\xa5notes",
    ];
    let key = KEYS[random.random_range(0..KEYS.len())];
    let found = bytes.windows(key.len()).position(|window| window == key);
    found.map_or_else(|| place(random, bytes), |at| at + key.len())
}

fn damage(random: &mut StdRng, corpus: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let at = place(random, bytes).min(bytes.len());
    match random.random_range(0..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => {
            let end = (at + random.random_range(0..40usize)).min(bytes.len());
            bytes.drain(at..end);
        }
        4 => {
            let end = (at + random.random_range(0..40usize)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = place(random, bytes).min(bytes.len());
            bytes.splice(to..to, piece);
        }
        5 => {
            let other = &corpus[random.random_range(0..corpus.len())];
            let from = place(random, other);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 => {
            let at = after_a_key(random, bytes).min(bytes.len());
            let value = trouble(random);
            bytes.splice(at..at, value);
        }
        7 => {
            let at = after_a_key(random, bytes).min(bytes.len());
            bytes.truncate(at);
            let value = trouble(random);
            bytes.extend_from_slice(&value);
        }
        _ => bytes.push(random.random()),
    }
}

fn message(random: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    if random.random_range(0..20) == 0 {
        let length = random.random_range(0..400);
        return (0..length).map(|_| random.random()).collect();
    }
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(0..4) {
        damage(random, corpus, &mut bytes);
    }
    if random.random_range(0..5000) == 0 {
        bytes.resize(MAX_MESSAGE_BYTES + random.random_range(0..3usize), 0x80);
    }
    bytes
}

/// Every decoder there is. The client reads replies, states and poses with these and nothing else.
fn decode_all(bytes: &[u8]) -> u64 {
    fn one<B: Body>(bytes: &[u8]) -> u64 {
        u64::from(decode::<B>(bytes).is_ok())
    }
    one::<Hello>(bytes)
        + one::<Welcome>(bytes)
        + one::<Reject>(bytes)
        + one::<Refusal>(bytes)
        + one::<Granted>(bytes)
        + one::<Ping>(bytes)
        + one::<Pong>(bytes)
        + one::<Reset>(bytes)
        + one::<Started>(bytes)
        + one::<Arm>(bytes)
        + one::<Hold>(bytes)
        + one::<Stop>(bytes)
        + one::<Estop>(bytes)
        + one::<ClearFault>(bytes)
        + one::<Bye>(bytes)
        + one::<Command>(bytes)
        + one::<State>(bytes)
        + one::<Pose>(bytes)
}

/// A controller that was sensed once.
fn controller(robot: &RobotModel) -> Option<ServerCore> {
    let now = Nanos(1_000_000_000);
    let mut core = ServerCore::new(ControllerSpec { rehearsal: true, ..ControllerSpec::of(robot) }, now).ok()?;
    let mut frame = SignalFrame::new(SignalLayout::of(robot, 0));
    frame.begin(now);
    frame.write(Signal::JointPosition, &robot.home_rad);
    frame.write(Signal::JointVelocity, &vec![0.0; robot.joint_count()]);
    core.on_sensed(&frame, now);
    Some(core)
}

/// Damages `count` messages and gives them to every decoder and to a controller of `robot`.
///
/// # Panics
/// When a message costs too much memory, or a decoder panics.
pub fn fuzz(robot: &RobotModel, count: u64, seed: u64) -> Fuzzed {
    let (corpus, sender) = (golden(), Sender::local());
    let mut random = StdRng::seed_from_u64(seed);
    let mut core = controller(robot).expect("a controller of a good hand");
    let mut fuzzed = Fuzzed::default();
    for at in 0..count {
        let bytes = message(&mut random, &corpus);
        let now = Nanos(2_000_000_000 + at as i64 * 1_000);
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        LARGEST.store(0, Ordering::Relaxed);
        fuzzed.heads += u64::from(decode_head(&bytes).is_ok());
        fuzzed.decoded += u64::from(decode_all(&bytes) > 0);
        drop(core.on_ctl(&sender, &bytes, now));
        drop(core.on_cmd(&sender, &bytes, now));
        fuzzed.messages += 1;
        let largest = LARGEST.load(Ordering::Relaxed);
        let live = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        let within = largest <= LARGEST_SHARE * MAX_MESSAGE_BYTES && live <= LIVE_SHARE * MAX_MESSAGE_BYTES;
        assert!(within, "message {at} of seed {seed}: {largest} bytes at once, {live} in use; {bytes:02x?}");
        fuzzed.largest_bytes = fuzzed.largest_bytes.max(largest);
        fuzzed.live_bytes = fuzzed.live_bytes.max(live);
    }
    fuzzed
}

#[allow(dead_code, clippy::disallowed_methods, reason = "a program may read the clock; the test has no main")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let robot = giraffe_robots::load_robot("leap-right")?;
    let start = std::time::Instant::now();
    let fuzzed = fuzz(&robot, count, seed);
    let secs = start.elapsed().as_secs_f64();
    println!(
        "{} messages in {secs:.1} s ({:.0}/s), {} with a head, {} of some type; no panic; at most {} bytes at once, {} \
         in use for one message",
        fuzzed.messages,
        count as f64 / secs,
        fuzzed.heads,
        fuzzed.decoded,
        fuzzed.largest_bytes,
        fuzzed.live_bytes
    );
    Ok(())
}
