//! Numbers as they are typed, and what is said of those that cannot be.

/// A seed.
///
/// # Errors
/// When it is none: says what a seed is.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(text).ok_or_else(|| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A number of steps, worlds or episodes, from 0.
///
/// # Errors
/// When it is none.
pub fn number(text: &str) -> Result<u64, String> {
    whole(text).ok_or_else(|| "expected a whole number, 0 or more".to_owned())
}

/// How many of something. What it may be at least is said by who uses it.
///
/// # Errors
/// When it is no count.
pub fn count(text: &str) -> Result<usize, String> {
    let counted = whole(text).and_then(|number| usize::try_from(number).ok());
    counted.ok_or_else(|| "expected a whole number, 0 or more".to_owned())
}

/// A number that may have digits after the point.
///
/// # Errors
/// When it is none.
pub fn real(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| "expected a number, such as 2.5".to_owned())
}

/// How long, s: above zero, and a day at most, so that no deadline is out of reach.
///
/// # Errors
/// When it is no such time.
pub fn secs(text: &str) -> Result<f64, String> {
    let secs = patience(text).ok().filter(|secs| *secs > 0.0);
    secs.ok_or_else(|| "expected seconds above zero, such as 30, and 86400 at most".to_owned())
}

/// How much longer to wait, s: a day at most.
///
/// # Errors
/// When it is no such time.
pub fn patience(text: &str) -> Result<f64, String> {
    let secs = real(text)?;
    if (0.0..=86_400.0).contains(&secs) { Ok(secs) } else { Err("expected seconds, from 0 to 86400".to_owned()) }
}

/// Rust's own digits, and `_` between them as TOML has it.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    if text.starts_with('_') || text.ends_with('_') { None } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_seed_is_told_what_a_seed_is() {
        assert_eq!((seed("0"), seed("1_000"), seed(" 7 ")), (Ok(0), Ok(1000), Ok(7)));
        assert_eq!(seed(&u64::MAX.to_string()), Ok(u64::MAX));
        for wrong in ["-1", "1.5", "1e3", "", "seven", "18446744073709551616", "_", "1_"] {
            let error = seed(wrong).expect_err(wrong);
            assert!(error.contains("a whole number from 0 to 18446744073709551615"), "{error}");
        }
        assert!(number("-3").expect_err("negative").contains("0 or more"));
        assert!(count("x").expect_err("a letter").contains("0 or more"));
        assert_eq!((secs("2.5"), patience("0")), (Ok(2.5), Ok(0.0)));
        for wrong in ["0", "-1", "inf", "NaN", "soon", "1e9"] {
            assert!(secs(wrong).expect_err(wrong).contains("seconds above zero"));
        }
        for wrong in ["-1", "nan", "inf", "1e9"] {
            assert!(patience(wrong).expect_err(wrong).contains("86400"));
        }
        assert!(real("fast").expect_err("a word").contains("2.5"));
    }
}
