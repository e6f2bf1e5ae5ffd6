//! Bytes: one msgpack map per message, a head of five keys and a body. Rules of PROTOCOL.md section 2.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Version of the protocol spoken here.
pub const VERSION: u64 = 1;
/// Longer messages are not even decoded.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The keys every message starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the protocol.
    pub v: u64,
    /// Type of the message.
    pub t: String,
    /// Session, 0 for none.
    pub sid: u64,
    /// Counts the messages of one sender on one socket, from 1.
    pub seq: u64,
    /// Sender's monotonic clock, ns.
    pub ts: i64,
}

/// What a message says besides its head.
pub trait Body: Serialize + DeserializeOwned {
    /// Value of `t`.
    const TYPE: &'static str;

    /// The first number that is not finite, by name.
    fn not_finite(&self) -> Option<String> {
        None
    }
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum WireError {
    /// Not one msgpack map with the keys of its type.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// Another version of the protocol.
    #[error("protocol version {found}; spoken here: {VERSION}")]
    Version {
        /// Value of `v`.
        found: u64,
    },
    /// Another type than the one that was asked for.
    #[error("message of type `{found}` where `{expected}` belongs")]
    Type {
        /// Value of `t`.
        found: String,
        /// The type decoded for.
        expected: &'static str,
    },
    /// A number is NaN or infinite.
    #[error("{what} is not a finite number")]
    NotFinite {
        /// Which.
        what: String,
    },
}

/// Bytes of one message.
pub fn encode<B: Body>(sid: u64, seq: u64, ts: i64, body: &B) -> Vec<u8> {
    let head = Head { v: VERSION, t: B::TYPE.to_owned(), sid, seq, ts };
    let mut bytes = named(&head);
    let body = named(body);
    let (count, start) = map_header(&body).expect("a struct is encoded as a map");
    let (head_count, _) = map_header(&bytes).expect("a struct is encoded as a map");
    let total = head_count + count;
    // The head is a map of five entries with a header of one byte; both maps become one.
    match u8::try_from(total) {
        Ok(total @ 0..=15) => bytes[0] = 0x80 | total,
        _ => {
            let total = u16::try_from(total).expect("a message has few keys");
            bytes.splice(0..1, [0xde, (total >> 8) as u8, total as u8]);
        }
    }
    bytes.extend_from_slice(&body[start..]);
    bytes
}

fn named<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("messages hold only what msgpack can hold")
}

/// Number of entries of a msgpack map, and where they begin.
fn map_header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [first @ 0x80..=0x8f, ..] => Some((usize::from(first & 0x0f), 1)),
        [0xde, high, low, ..] => Some((usize::from(u16::from_be_bytes([high, low])), 3)),
        [0xdf, a, b, c, d, ..] => Some((u32::from_be_bytes([a, b, c, d]) as usize, 5)),
        _ => None,
    }
}

/// The head of a message, whatever its version and type. The body is checked only for being there: the whole map
/// must be well formed and nothing may follow it.
///
/// # Errors
/// [`WireError::Malformed`].
pub fn decode_head(bytes: &[u8]) -> Result<Head, WireError> {
    one_map(bytes)
}

/// A message of one type.
///
/// # Errors
/// When it is malformed, of another version or type, or holds a number that is not finite.
pub fn decode<B: Body>(bytes: &[u8]) -> Result<(Head, B), WireError> {
    let head = decode_head(bytes)?;
    if head.v != VERSION {
        return Err(WireError::Version { found: head.v });
    }
    if head.t != B::TYPE {
        return Err(WireError::Type { found: head.t, expected: B::TYPE });
    }
    let body: B = one_map(bytes)?;
    match body.not_finite() {
        Some(what) => Err(WireError::NotFinite { what }),
        None => Ok((head, body)),
    }
}

fn one_map<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::Malformed(format!("{} bytes, at most {MAX_MESSAGE_BYTES} are allowed", bytes.len())));
    }
    if map_header(bytes).is_none() {
        return Err(WireError::Malformed("not a msgpack map".to_owned()));
    }
    let mut reader = rmp_serde::Deserializer::new(bytes);
    let value = T::deserialize(&mut reader).map_err(|error| WireError::Malformed(error.to_string()))?;
    match reader.get_ref().len() {
        0 => Ok(value),
        left => Err(WireError::Malformed(format!("{left} bytes after the end of the map"))),
    }
}
