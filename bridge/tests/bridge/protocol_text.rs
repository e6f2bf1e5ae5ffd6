//! PROTOCOL.md says what is sent. A project's README that tells of other messages than its code sends costs whoever
//! builds a controller by it days; here a table of keys that differs from the bytes fails.

use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};

const PROTOCOL: &str = include_str!("../../PROTOCOL.md");
const GOLDEN: &str = include_str!("../../golden/messages.txt");

/// Keys that the text gives to a message: the first cells of the first table of keys after `marker`.
pub fn keys_in_text(marker: &str) -> BTreeSet<String> {
    let (_, after) = PROTOCOL.split_once(marker).unwrap_or_else(|| panic!("`{marker}` is not in PROTOCOL.md"));
    let table = after.lines().skip_while(|line| !line.starts_with("| key")).skip(2);
    let cells = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Name and bytes of every golden message.
pub fn golden() -> Vec<(String, Vec<u8>)> {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    lines.map(|(name, hex)| (name.to_owned(), hex.as_bytes().chunks(2).map(byte).collect())).collect()
}

/// Keys of the message of this name, as sent.
pub fn keys_on_the_wire(name: &str) -> BTreeSet<String> {
    let message = golden().into_iter().find(|(of, _)| of == name);
    let (_, bytes) = message.unwrap_or_else(|| panic!("no golden bytes of `{name}`"));
    rmp_serde::from_slice::<BTreeMap<String, IgnoredAny>>(&bytes).unwrap().into_keys().collect()
}

#[test]
fn the_protocol_names_the_keys_that_are_sent_and_no_others() {
    let head = keys_in_text("## 2. Encoding");
    assert_eq!(head, BTreeSet::from(["v", "t", "sid", "seq", "ts"].map(str::to_owned)));
    for (name, marker, more) in [
        ("hello", "## 4. Handshake", None),
        ("welcome", "`welcome`, `sid`", Some("re")),
        ("cmd", "`cmd`, on the", None),
        ("state-full", "`state`, on the", None),
        ("pose-full", "`pose`, on the", None),
    ] {
        let mut said = keys_in_text(marker);
        said.extend(head.iter().cloned());
        said.extend(more.map(str::to_owned));
        assert_eq!(said, keys_on_the_wire(name), "left: PROTOCOL.md, right: what `{name}` sends");
    }
}

#[test]
fn every_message_that_is_sent_is_named_in_the_protocol() {
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split([' ', '-']).next().unwrap();
        assert!(PROTOCOL.contains(&format!("`{name}`")), "PROTOCOL.md does not name `{name}`");
    }
}
