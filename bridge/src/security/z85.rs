//! Keys as text: Z85 (ZeroMQ RFC 32), five printable characters for four bytes.
//!
//! Ours, because the ZeroMQ crate's decoder takes text that is none for a key of zeros.

const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Characters of a key.
pub(super) const KEY_CHARACTERS: usize = 40;

pub(super) fn encode(key: &[u8; KEY_BYTES]) -> String {
    let mut text = String::with_capacity(KEY_CHARACTERS);
    for four in key.chunks_exact(4) {
        let mut value = four.iter().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
        let mut five = [0u8; 5];
        for character in five.iter_mut().rev() {
            *character = ALPHABET[(value % 85) as usize];
            value /= 85;
        }
        text.extend(five.map(char::from));
    }
    text
}

/// What is wrong with a text that is no key. Never repeats it: it may be a secret one.
pub(super) fn decode(text: &str) -> Result<[u8; KEY_BYTES], String> {
    let characters = text.chars().count();
    if characters != KEY_CHARACTERS || text.len() != KEY_CHARACTERS {
        return Err(format!("{characters} characters"));
    }
    let mut key = [0u8; KEY_BYTES];
    for (four, five) in key.chunks_exact_mut(4).zip(text.as_bytes().chunks_exact(5)) {
        let mut value = 0u64;
        for character in five {
            let digit = ALPHABET.iter().position(|known| known == character);
            value = value * 85 + digit.ok_or("a character that Z85 does not have")? as u64;
        }
        let value = u32::try_from(value).map_err(|_| "five characters that stand for no four bytes")?;
        four.copy_from_slice(&value.to_be_bytes());
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test key of RFC 32.
    const KEY: [u8; 32] = [
        0xBB, 0x88, 0x47, 0x1D, 0x65, 0xE2, 0x65, 0x9B, 0x30, 0xC5, 0x5A, 0x53, 0x21, 0xCE, 0xBB, 0x5A, 0xAB, 0x2B,
        0x70, 0xA3, 0x98, 0x64, 0x5C, 0x26, 0xDC, 0xA2, 0xB2, 0xFC, 0xB4, 0x3F, 0xC5, 0x18,
    ];
    const TEXT: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

    #[test]
    fn keys_are_written_as_in_the_rfc_and_read_back() {
        assert_eq!(encode(&KEY), TEXT);
        assert_eq!(decode(TEXT), Ok(KEY));
        for key in [[0u8; 32], [255u8; 32]] {
            assert_eq!(decode(&encode(&key)), Ok(key));
        }
    }

    #[test]
    fn what_is_no_key_is_never_taken_for_one_of_zeros() {
        for wrong in ["", "abc", &TEXT[1..], &TEXT.replace('w', "~"), &TEXT.replace('w', "\""), &"#".repeat(40)] {
            let error = decode(wrong).expect_err("no key");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
        assert!(decode(&"ä".repeat(20)).is_err() && decode(&"ä".repeat(40)).is_err());
    }
}
