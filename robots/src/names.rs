//! Finding a row of a table by name, with a suggestion when there is none.

use thiserror::Error;

/// Nothing is called so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no {kind} called `{wanted}`{}; there are: {}", suggestion(.nearest.as_deref()), .known.join(", "))]
pub struct UnknownName {
    /// What was looked for, such as `robot`.
    pub kind: &'static str,
    /// The name that was asked for.
    pub wanted: String,
    /// The name that was probably meant.
    pub nearest: Option<String>,
    /// Every name there is.
    pub known: Vec<String>,
}

impl UnknownName {
    /// The error for `wanted` among `known` names.
    pub fn new<'n>(kind: &'static str, wanted: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let nearest = nearest_name(wanted, known.iter().map(String::as_str)).map(str::to_owned);
        Self { kind, wanted: wanted.to_owned(), nearest, known }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The name most like `wanted`, if one is alike enough to be a slip of the fingers.
pub fn nearest_name<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const ALIKE: f64 = 0.6;
    names
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(wanted, name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_the_name_that_was_meant() {
        let names = ["leap-right", "allegro-right", "shadow"];
        assert_eq!(nearest_name("leap-rihgt", names), Some("leap-right"));
        assert_eq!(nearest_name("leap_right", names), Some("leap-right"));
        assert_eq!(nearest_name("piano", names), None);
        assert_eq!(nearest_name("piano", []), None);
    }

    #[test]
    fn the_message_names_what_was_meant_and_what_there_is() {
        let said = UnknownName::new("robot", "leap-rihgt", ["leap-right", "shadow"]).to_string();
        assert_eq!(
            said,
            "there is no robot called `leap-rihgt`, did you mean `leap-right`?; there are: leap-right, shadow"
        );
        assert!(!UnknownName::new("robot", "piano", ["shadow"]).to_string().contains("mean"));
    }
}
