//! The bus behind a pseudo-terminal, in real time.

use super::ServoBus;
use giraffe_bridge::{Clock, MonotonicClock};
use giraffe_robots::Nanos;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serialport::{SerialPort, TTYPort};
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread waits for bytes before the servos move on.
const WAIT: Duration = Duration::from_millis(1);
/// Of Linux: a terminal that is opened does not become that of this process.
const O_NOCTTY: i32 = 0o400;

/// A [`ServoBus`] on a pty, with a name that outlives an unplugging, as `/dev/serial/by-id` has.
pub struct EmulatedBus {
    bus: Arc<Mutex<ServoBus>>,
    link: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EmulatedBus {
    /// Servos with ids from 0, whose port is `folder`/servo-bus.
    pub fn start(count: u8, folder: &Path) -> std::io::Result<Self> {
        let bus = Arc::new(Mutex::new(ServoBus::new(count)));
        let link = folder.join("servo-bus");
        let mut emulated = Self { bus, link, stop: Arc::default(), thread: None };
        emulated.plug()?;
        Ok(emulated)
    }

    /// Where the port is.
    pub fn port(&self) -> &Path {
        &self.link
    }

    /// The servos, standing still while this is held: not twice in one statement.
    pub fn bus(&self) -> MutexGuard<'_, ServoBus> {
        self.bus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often an instruction was heard.
    pub fn heard(&self, code: u8) -> u32 {
        self.bus().heard(code)
    }

    /// How often `address` was written, over all servos.
    pub fn writes_to(&self, address: u16) -> u32 {
        self.bus().writes_to(address)
    }

    /// Whether one servo has torque.
    pub fn has_torque(&self, id: u8) -> bool {
        self.bus().servo(id).has_torque()
    }

    /// Whether any servo has torque.
    pub fn any_torque(&self) -> bool {
        self.bus().servos().iter().any(|servo| servo.has_torque())
    }

    /// Pulls the USB cable: the port is gone, the servos keep their supply.
    pub fn unplug(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.link);
    }

    /// Puts it in again.
    pub fn plug(&mut self) -> std::io::Result<()> {
        self.unplug();
        let (master, slave) = TTYPort::pair()?;
        // A program that a test starts meanwhile must not keep the port open.
        fcntl(master.as_raw_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(std::io::Error::from)?;
        let path = slave.name().ok_or_else(|| std::io::Error::other("a pty without a name"))?;
        std::os::unix::fs::symlink(path, &self.link)?;
        drop(slave);
        // Kept open beside whoever opens it as a port: else what they said last is lost when they close it, as on no line.
        let beside = OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open(&self.link)?;
        self.stop = Arc::default();
        let (bus, stop) = (Arc::clone(&self.bus), Arc::clone(&self.stop));
        self.thread = Some(std::thread::spawn(move || {
            let _open = beside;
            serve(master, &bus, &stop);
        }));
        Ok(())
    }
}

impl Drop for EmulatedBus {
    fn drop(&mut self) {
        self.unplug();
    }
}

fn serve(mut master: TTYPort, bus: &Mutex<ServoBus>, stop: &AtomicBool) {
    let clock = MonotonicClock::start();
    let mut then = clock.now();
    let mut buffer = [0; 4096];
    let mut queue = VecDeque::new();
    let _ = master.set_timeout(WAIT);
    while !stop.load(Ordering::Relaxed) {
        let count = match master.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::TimedOut => 0,
            // Nobody has the port open.
            Err(_) => {
                std::thread::sleep(WAIT);
                0
            }
        };
        let replies = {
            let mut bus = bus.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.now();
            bus.advance(now.secs_since(then));
            then = now;
            bus.receive(&buffer[..count])
        };
        if count > 0 {
            // Who is asked anew forgets what it was about to say.
            queue.clear();
        }
        for reply in replies {
            // One after the other on one line: behind a late answer, all are late.
            let earliest = queue.back().map_or(then, |(due, _): &(Nanos, Vec<u8>)| *due);
            let due = Nanos(then.0 + 1_000_000 * i64::try_from(reply.delay_ms).unwrap_or(0)).max(earliest);
            queue.push_back((due, reply.bytes));
        }
        while queue.front().is_some_and(|(due, _)| *due <= then) {
            if let Some((_, bytes)) = queue.pop_front() {
                let _ = master.write_all(&bytes);
            }
        }
    }
}
