//! Finding a row of a table by name, with a suggestion when there is none.

use thiserror::Error;

/// Nothing is called so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no {kind} called `{wanted}`{}; there are: {}", meant(.nearest.as_deref()), .known.join(", "))]
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

/// The part of a sentence that names what was probably meant by `wanted`, which is not among the `known` names:
/// ``; did you mean `joint.damping`?``, or nothing when no name is near.
pub fn did_you_mean<'n>(wanted: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    meant(nearest_name(wanted, known))
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The name most like `wanted`, if one is alike enough to be a slip of the fingers.
///
/// Measured by the slips that lead from one to the other (a letter too many, missing, wrong, or swapped with its
/// neighbour), as a share of the length (Damerau and Levenshtein). Jaro and Winkler's measure rewards a common beginning,
/// which here is the name of a group: it takes `object.colour` for `object.stretch`.
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
    fn a_slip_in_a_name_with_a_group_finds_the_name_and_another_word_in_the_group_finds_none() {
        let names = [
            "object.mass",
            "object.size",
            "object.stretch",
            "contact.friction",
            "contact.tip_friction",
            "contact.frequency",
            "joint.stiffness",
            "joint.damping",
            "joint.dead_band",
        ];
        for (slip, meant) in [
            ("joint.dampng", "joint.damping"),
            ("objet.mass", "object.mass"),
            ("contact.tipfriction", "contact.tip_friction"),
            ("contact.firction", "contact.friction"),
            ("joint.deadband", "joint.dead_band"),
            ("tip_friction", "contact.tip_friction"),
        ] {
            assert_eq!(nearest_name(slip, names), Some(meant), "{slip}");
        }
        for other in ["object.colour", "contact.glue", "object", "joint", "mass", "zzz"] {
            assert_eq!(nearest_name(other, names), None, "{other}");
        }
    }

    #[test]
    fn the_sentence_goes_on_only_where_a_name_is_near() {
        assert_eq!(did_you_mean("leap-rihgt", ["leap-right", "shadow"]), "; did you mean `leap-right`?");
        assert_eq!(did_you_mean("piano", ["leap-right", "shadow"]), "");
    }

    #[test]
    fn the_message_names_what_was_meant_and_what_there_is() {
        let said = UnknownName::new("robot", "leap-rihgt", ["leap-right", "shadow"]).to_string();
        assert_eq!(
            said,
            "there is no robot called `leap-rihgt`; did you mean `leap-right`?; there are: leap-right, shadow"
        );
        assert!(!UnknownName::new("robot", "piano", ["shadow"]).to_string().contains("mean"));
    }
}
