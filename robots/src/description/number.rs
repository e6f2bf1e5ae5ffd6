//! Numbers in descriptions that are written: as short as they can be without becoming another number.

/// The shortest text that reads as this number, and as a number with a point where TOML asks for one.
pub(super) fn toml_number(number: f32) -> String {
    // Zero has no sign here.
    format!("{:?}", number + 0.0)
}

/// The shortest text that reads as this number.
pub(super) fn xml_number(number: f32) -> String {
    let text = toml_number(number);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Numbers between blanks.
pub(super) fn xml_numbers(numbers: &[f32]) -> String {
    numbers.iter().map(|number| xml_number(*number)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "exact numbers are meant")]
    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same_number() {
        for number in [0.1, -0.0, 1e-9, 3.0, 123_456.79, f32::MIN_POSITIVE, 0.049_999_997] {
            for text in [toml_number(number), xml_number(number)] {
                assert!(text.parse::<f64>().is_ok_and(|read| read as f32 == number), "{text}");
            }
        }
        assert_eq!(xml_numbers(&[1.0, -0.0, 0.25]), "1 0 0.25");
    }
}
