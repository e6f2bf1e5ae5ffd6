//! Bytes from nowhere.

use giraffe_bridge::message::{Arm, Command, State};
use giraffe_bridge::wire::{MAX_MESSAGE_BYTES, WireError, decode, decode_head, encode};
use proptest::prelude::*;

fn command() -> Command {
    Command { episode: 1, tick: 2, state_seq: 3, t_state: 4, q: vec![0.1, -0.2, 0.3] }
}

#[test]
fn floats_travel_bit_for_bit() {
    let q = vec![0.1f32, -0.0, f32::MIN_POSITIVE, 1e-42, f32::MAX, std::f32::consts::PI];
    let bytes = encode(1, 1, 0, &Command { q: q.clone(), ..command() });
    let (_, back) = decode::<Command>(&bytes).unwrap();
    assert!(q.iter().zip(&back.q).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn doubles_of_a_foreign_language_are_taken_and_the_huge_become_infinite() {
    // {"v":1,"t":"cmd","sid":1,"seq":1,"ts":0,"episode":1,"tick":2,"state_seq":3,"t_state":4,"q":[double, double]}
    let mut bytes = encode(1, 1, 0, &Command { q: Vec::new(), ..command() });
    assert_eq!(bytes.pop(), Some(0x90));
    bytes.push(0x92);
    for value in [f64::from(0.1f32), 1e300] {
        bytes.push(0xcb);
        bytes.extend_from_slice(&value.to_be_bytes());
    }
    let (_, back) = decode::<Command>(&bytes).unwrap();
    assert_eq!(back.q[0].to_bits(), 0.1f32.to_bits());
    assert!(back.q[1].is_infinite(), "which the core then refuses");
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = encode(1, 1, 0, &command());
    bytes.push(0xc0);
    assert!(matches!(decode::<Command>(&bytes), Err(WireError::Malformed(_))));
    assert!(matches!(decode_head(&bytes), Err(WireError::Malformed(_))));
}

#[test]
fn unknown_keys_are_ignored_and_missing_ones_are_not() {
    let bytes = encode(1, 1, 0, &command());
    // A map of 10 becomes one of 11: one more key, "new": [nil, {}].
    assert_eq!(bytes[0], 0x8a);
    let mut more = bytes.clone();
    more[0] = 0x8b;
    more.extend_from_slice(&[0xa3, b'n', b'e', b'w', 0x92, 0xc0, 0x80]);
    assert_eq!(decode::<Command>(&more).unwrap().1, command());
    let less = encode(1, 1, 0, &Arm {});
    assert!(matches!(decode::<Arm>(&less), Ok((_, Arm {}))));
    assert!(matches!(decode::<Command>(&less), Err(WireError::Type { .. })));
    let mut wrong = bytes.clone();
    let key = wrong.windows(4).position(|window| window == b"tick").unwrap();
    wrong[key] = b'T';
    assert!(matches!(decode::<Command>(&wrong), Err(WireError::Malformed(_))));
}

#[test]
fn other_versions_and_types_are_told_apart() {
    let mut bytes = encode(1, 1, 0, &command());
    assert_eq!(&bytes[1..4], &[0xa1, b'v', 1]);
    bytes[3] = 2;
    assert_eq!(decode::<Command>(&bytes), Err(WireError::Version { found: 2 }));
    assert_eq!(decode_head(&bytes).unwrap().v, 2);
}

#[test]
fn arrays_in_place_of_maps_and_huge_messages_are_refused() {
    assert!(decode_head(&[0x95, 1, 0xa3, b'a', b'r', b'm', 0, 0, 0]).is_err());
    assert!(decode_head(&vec![0x80; MAX_MESSAGE_BYTES + 1]).is_err());
    assert!(decode_head(&[]).is_err());
    // Nested 60,000 deep; a map that claims four billion entries.
    assert!(decode_head(&[&[0x81, 0xa1, b'x'][..], &[0x91; 60_000]].concat()).is_err());
    assert!(decode_head(&[0xdf, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn lengths_are_believed_only_as_far_as_there_are_bytes() {
    // {"q": an array (a text, a map) of four billion, and nothing after}
    for header in [0xdd, 0xdb, 0xdf, 0xc6, 0xc9] {
        let error = decode_head(&[0x81, 0xa1, b'q', header, 0xff, 0xff, 0xff, 0xff]).unwrap_err().to_string();
        assert!(error.contains("are announced") || error.contains("beyond its end"), "{header:#x}: {error}");
    }
}

/// The same list is judged in Python, by `examples/python/test_protocol.py`.
#[test]
fn the_list_of_bytes_is_judged_as_it_says() {
    let list = include_str!("../../golden/judgements.txt");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let mut count = 0;
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (verdict, hex, what) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let bytes: Vec<u8> = hex.trim_matches('-').as_bytes().chunks(2).map(byte).collect();
        let judged = decode::<Command>(&bytes);
        assert_eq!(judged.is_ok(), verdict == "yes", "{what}: {judged:?}");
        count += 1;
    }
    assert!(count > 25, "{count}");
}

#[test]
fn an_unknown_key_may_hold_a_small_tree_but_not_a_tower() {
    let towers = |height: usize| {
        let bytes = encode(1, 1, 0, &Arm {});
        assert_eq!(bytes[0], 0x85);
        [&[0x86], &bytes[1..], &[0xa1, b'x'], &vec![0x91; height][..], &[0xc0]].concat()
    };
    assert!(decode::<Arm>(&towers(20)).is_ok());
    let error = decode::<Arm>(&towers(200)).unwrap_err().to_string();
    assert!(error.contains("nested deeper"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_head(&bytes);
        let _ = decode::<State>(&bytes);
    }

    #[test]
    fn no_damage_to_a_message_makes_the_decoder_panic(at in 0usize..90, to in any::<u8>(), cut in 0usize..90) {
        let mut bytes = encode(7, 8, 9, &command());
        let length = bytes.len();
        bytes[at % length] = to;
        let _ = decode::<Command>(&bytes);
        let cut = cut % length;
        prop_assert!(decode::<Command>(&encode(7, 8, 9, &command())[..cut]).is_err());
    }
}
