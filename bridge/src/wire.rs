//! Bytes: one msgpack map per message, a head of five keys and a body. Rules of PROTOCOL.md section 2.

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Version of the protocol spoken here.
pub const VERSION: u64 = 1;
/// Longer messages are not even decoded.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Nor are those with maps and arrays nested deeper: no message of ours has more than five levels.
const MAX_DEPTH: usize = 32;
/// No array and no map of the protocol comes near so many values (keys of a map count, too): one value of a byte can
/// become many bytes of memory.
const MAX_VALUES: u64 = 1024;

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
    scan(bytes).map_err(WireError::Malformed)?;
    let mut reader = rmp_serde::Deserializer::new(bytes);
    let value = T::deserialize(&mut reader).map_err(|error| WireError::Malformed(error.to_string()))?;
    match reader.get_ref().len() {
        0 => Ok(value),
        left => Err(WireError::Malformed(format!("{left} bytes after the end of the map"))),
    }
}

/// Walks over one msgpack value without building anything. A length is believed only as far as there are bytes left:
/// a decoder would set memory aside for what five bytes claim, and go down as deep as they say. Keys must be text, and
/// text must be text, in keys nobody knows, too.
fn scan(bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes;
    // Values still to come on each level, and whether they are those of a map: then every other one is a key.
    let mut open = vec![(1u64, false)];
    while let Some((left, in_map)) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        let is_key = *in_map && *left % 2 == 0;
        *left -= 1;
        let (skip, values) = measure(rest).ok_or("it ends in the middle of a value")?;
        let value = rest.get(..skip).ok_or("a length goes beyond its end")?;
        rest = &rest[skip..];
        check_text(value, is_key)?;
        if values == 0 {
            continue;
        }
        if values > rest.len() as u64 {
            return Err(format!("{values} values are announced where {} bytes are left", rest.len()));
        }
        if values > MAX_VALUES {
            return Err(format!("{values} values in one array or map, at most {MAX_VALUES} are allowed"));
        }
        if open.len() == MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        open.push((values, matches!(value[0], 0x80..=0x8f | 0xde | 0xdf)));
    }
    Ok(())
}

fn check_text(value: &[u8], is_key: bool) -> Result<(), String> {
    let header = match value.first() {
        Some(0xa0..=0xbf) => 1,
        Some(0xd9) => 2,
        Some(0xda) => 3,
        Some(0xdb) => 5,
        _ if is_key => return Err("a key is not text".to_owned()),
        _ => return Ok(()),
    };
    let text = value.get(header..).unwrap_or_default();
    std::str::from_utf8(text).map(|_| ()).map_err(|_| "a text is not UTF-8".to_owned())
}

/// Bytes of the value in front (of a map or array only its header), and how many values are inside.
fn measure(bytes: &[u8]) -> Option<(usize, u64)> {
    let big_endian = |count: usize| -> Option<u64> {
        let digits = bytes.get(1..=count)?;
        Some(digits.iter().fold(0, |number, &digit| number << 8 | u64::from(digit)))
    };
    let sized = |header: usize, more: usize| -> Option<(usize, u64)> {
        Some((1 + header + more + usize::try_from(big_endian(header)?).ok()?, 0))
    };
    let first = *bytes.first()?;
    Some(match first {
        0x80..=0x8f => (1, 2 * u64::from(first & 0x0f)),
        0x90..=0x9f => (1, u64::from(first & 0x0f)),
        0xa0..=0xbf => (1 + usize::from(first & 0x1f), 0),
        0xc4 | 0xd9 => sized(1, 0)?,
        0xc5 | 0xda => sized(2, 0)?,
        0xc6 | 0xdb => sized(4, 0)?,
        0xc7 => sized(1, 1)?,
        0xc8 => sized(2, 1)?,
        0xc9 => sized(4, 1)?,
        0xcc | 0xd0 => (2, 0),
        0xcd | 0xd1 | 0xd4 => (3, 0),
        0xd5 => (4, 0),
        0xca | 0xce | 0xd2 => (5, 0),
        0xd6 => (6, 0),
        0xcb | 0xcf | 0xd3 => (9, 0),
        0xd7 => (10, 0),
        0xd8 => (18, 0),
        0xdc => (3, big_endian(2)?),
        0xdd => (5, big_endian(4)?),
        0xde => (3, 2 * big_endian(2)?),
        0xdf => (5, 2 * big_endian(4)?),
        // Small numbers, nil, booleans, and the byte that is never used, which the decoder refuses.
        _ => (1, 0),
    })
}

/// For fields that are arrays of numbers. The decoder alone would take bytes for them, too: a packed buffer of floats
/// would become four times as many targets of 0 to 255 rad.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Vec<f32>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array of numbers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
            let mut numbers = Vec::new();
            while let Some(number) = seq.next_element()? {
                numbers.push(number);
            }
            Ok(numbers)
        }
    }

    deserializer.deserialize_any(Numbers)
}
