//! ZeroMQ's protocol by hand, without keys, and without its manners: frames that never end, subscriptions to anything, as
//! fast as a socket takes them. (ZeroMQ RFC 37)

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One frame.
pub fn frame(body: &[u8], more: bool) -> Vec<u8> {
    let flags = u8::from(more) * MORE;
    framed(flags, body)
}

fn framed(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(body.len()) {
        Ok(short) => vec![flags, short],
        Err(_) => [&[flags | LONG], (body.len() as u64).to_be_bytes().as_slice()].concat(),
    };
    bytes.extend_from_slice(body);
    bytes
}

/// What begins a connection.
fn greeting(kind: &str) -> Vec<u8> {
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    let length = u32::try_from(kind.len()).unwrap().to_be_bytes();
    let ready = [b"\x05READY\x0bSocket-Type".as_slice(), &length, kind.as_bytes()].concat();
    bytes.extend(framed(COMMAND, &ready));
    bytes
}

/// Somebody at a socket.
pub struct Stranger {
    stream: TcpStream,
}

impl Stranger {
    /// Says over a connection that it is a `kind`, such as `PUSH`, whoever is at the other end.
    pub fn greet(stream: TcpStream, kind: &str) -> std::io::Result<Self> {
        stream.set_write_timeout(Some(Duration::from_millis(20)))?;
        let mut stranger = Self { stream };
        stranger.stream.write_all(&greeting(kind))?;
        Ok(stranger)
    }

    /// The same, and waits until the other end has said so, too: what comes before that is none of its messages.
    pub fn meet(stream: TcpStream, kind: &str) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut stranger = Self::greet(stream, kind)?;
        let (mut theirs, mut ready) = ([0; 64], [0; 2]);
        stranger.stream.read_exact(&mut theirs)?;
        stranger.stream.read_exact(&mut ready)?;
        stranger.stream.read_exact(&mut vec![0; usize::from(ready[1])])?;
        stranger.stream.set_read_timeout(Some(Duration::from_millis(2)))?;
        Ok(stranger)
    }

    /// Writes bytes, however long the other side takes, until `over` or until it closes. False if it did.
    pub fn write(&mut self, mut bytes: &[u8], over: impl Fn() -> bool) -> bool {
        while !bytes.is_empty() && !over() {
            match self.stream.write(bytes) {
                Ok(written @ 1..) => bytes = &bytes[written..],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => return false,
            }
        }
        true
    }

    /// Takes whatever was sent to us. False if the other side closed.
    pub fn swallow(&mut self) -> bool {
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
