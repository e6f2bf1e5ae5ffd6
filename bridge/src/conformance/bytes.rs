//! Messages that are wrong in one way each.

use crate::wire::MAX_MESSAGE_BYTES;

/// Where the entries of an encoded map begin.
fn entries(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(0x80..=0x8f) => 1,
        Some(0xde) => 3,
        _ => 5,
    }
}

fn count(bytes: &[u8]) -> u16 {
    match *bytes {
        [first @ 0x80..=0x8f, ..] => u16::from(first & 0x0f),
        [0xde, high, low, ..] => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// The same message with one more entry.
fn with_entry(bytes: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let mut more = vec![0xde];
    more.extend_from_slice(&(count(bytes) + 1).to_be_bytes());
    more.extend_from_slice(&bytes[entries(bytes).min(bytes.len())..]);
    more.push(0xa0 | key.len() as u8);
    more.extend_from_slice(key.as_bytes());
    more.extend_from_slice(value);
    more
}

/// With a key nobody knows, whose value is a small tree.
pub(super) fn with_unknown_key(bytes: &[u8]) -> Vec<u8> {
    // [nil, {"x": [1, 2]}]
    with_entry(bytes, "hl_unknown", &[0x92, 0xc0, 0x81, 0xa1, b'x', 0x92, 1, 2])
}

/// With an unknown key that makes it longer than a message may be.
pub(super) fn oversized(bytes: &[u8]) -> Vec<u8> {
    let size = MAX_MESSAGE_BYTES + 1;
    let mut value = vec![0xc6];
    value.extend_from_slice(&(size as u32).to_be_bytes());
    value.resize(5 + size, 0);
    with_entry(bytes, "hl_unknown", &value)
}

/// Of another version: the head is encoded first, so that `v` is the first key.
pub(super) fn with_version(bytes: &[u8], version: u8) -> Vec<u8> {
    let mut other = bytes.to_vec();
    if let Some(at) = find(bytes, &[0xa1, b'v', 1]) {
        other[at + 2] = version;
    }
    other
}

/// Without `key`: it is spelt otherwise.
pub(super) fn without_key(bytes: &[u8], key: &str) -> Vec<u8> {
    let mut other = bytes.to_vec();
    let mut name = vec![0xa0 | key.len() as u8];
    name.extend_from_slice(key.as_bytes());
    if let Some(at) = find(bytes, &name) {
        other[at + 1] = b'X';
    }
    other
}

/// With one float32 replaced by a double.
pub(super) fn with_double(bytes: &[u8], from: f32, to: f64) -> Vec<u8> {
    let mut single = vec![0xca];
    single.extend_from_slice(&from.to_be_bytes());
    let Some(at) = find(bytes, &single) else { return bytes.to_vec() };
    let mut other = bytes[..at].to_vec();
    other.push(0xcb);
    other.extend_from_slice(&to.to_be_bytes());
    other.extend_from_slice(&bytes[at + single.len()..]);
    other
}

/// With one float32 replaced by the integer 0.
pub(super) fn with_integer(bytes: &[u8], from: f32) -> Vec<u8> {
    let mut single = vec![0xca];
    single.extend_from_slice(&from.to_be_bytes());
    let Some(at) = find(bytes, &single) else { return bytes.to_vec() };
    [&bytes[..at], &[0], &bytes[at + single.len()..]].concat()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Bytes that are no message, with what is wrong with them. `message` is a good one to start from.
pub(super) fn garbage(message: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut as_array = message.to_vec();
    if let Some(first) = as_array.first_mut() {
        *first = 0x90;
    }
    vec![
        ("nothing", Vec::new()),
        ("a byte that msgpack never uses", vec![0xc1]),
        ("half a message", message[..message.len() / 2].to_vec()),
        ("an array", as_array),
        ("a map of four billion entries", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("a map nested 20000 deep", [0x81, 0xa1, b'x'].repeat(20_000)),
        ("a map of numbers", vec![0x82, 1, 2, 3, 4]),
        ("text", b"{\"v\":1,\"t\":\"ping\"}".to_vec()),
        ("a head without `seq`", without_key(message, "seq")),
        ("a byte after the end", [message, &[0xc0]].concat()),
    ]
}
