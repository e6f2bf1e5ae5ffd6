//! Settings as they are typed: `key=value` in TOML's own spellings, put into the table of a configuration.

use anyhow::{Result, bail, ensure};
use giraffe_randomization::find_parameter;
use toml::{Table, Value};

/// What a preset meant when a run began: see [`giraffe_randomization::RandomizationConfig::preset_ranges`].
pub const PRESET_RANGES: &str = "preset_ranges";

const RANDOMIZATION: &str = "randomization";
/// Ways to write a range.
const DISTRIBUTIONS: [&str; 3] = ["uniform", "log_uniform", "normal"];

/// Puts `setting` into `table`: `path.to.key=value`, where keys may be quoted as TOML has it, and a value that is no TOML is
/// taken as a word; or lines of a file, `[path]` first. A table is put in key by key, in `known` sections.
///
/// # Errors
/// When it is no setting.
pub fn apply(table: &mut Table, setting: &str, known: &Table) -> Result<()> {
    let text = setting.trim();
    if text.starts_with('[') {
        let Ok(lines) = text.parse::<Table>() else {
            bail!("--set {setting}: expected key=value, or lines of a configuration as in a file");
        };
        return lines.into_iter().try_for_each(|(key, value)| put(table, setting, &[key], value, known));
    }
    let Some(at) = equals_sign(text) else {
        bail!("--set {setting}: expected key=value, for example --set ppo.clip_ratio=0.1");
    };
    let path = path_of(&text[..at]);
    ensure!(path.iter().all(|key| !key.is_empty()), "--set {setting}: an empty key; expected key=value");
    put(table, setting, &path, value_of(text[at + 1..].trim()), known)
}

/// Whether one of some settings says what `key` is, or something in it.
pub fn names(settings: &[String], key: &str) -> bool {
    let (mut said, known) = (Table::new(), Table::new());
    // What is no setting is refused by those who read them.
    settings.iter().for_each(|setting| drop(apply(&mut said, setting, &known)));
    let mut inside = Some(&Value::Table(said));
    for part in key.split('.') {
        inside = inside.and_then(|value| value.get(part));
    }
    inside.is_some()
}

/// Names of parameters have points of their own: in the table of a file, `object.mass` becomes one key however it is
/// written.
pub fn join_names(table: &mut Table) {
    let Some(Value::Table(randomization)) = table.get_mut(RANDOMIZATION) else { return };
    for section in ["ranges", PRESET_RANGES] {
        if let Some(Value::Table(ranges)) = randomization.get_mut(section) {
            let mut joined = Table::new();
            join("", std::mem::take(ranges), &mut joined);
            *ranges = joined;
        }
    }
}

fn join(prefix: &str, table: Table, joined: &mut Table) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) if !is_range(&name, &inner) => join(&name, inner, joined),
            value => drop(joined.insert(name, value)),
        }
    }
}

/// Whether a table is the range called `name`, not a part of longer names.
fn is_range(name: &str, table: &Table) -> bool {
    table.is_empty() || find_parameter(name).is_ok() || DISTRIBUTIONS.iter().any(|kind| table.contains_key(*kind))
}

/// The first `=` outside quotes.
fn equals_sign(text: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match quote {
            None if c == '=' => return Some(at),
            None if c == '"' || c == '\'' => quote = Some(c),
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// A key as TOML reads it, or else cut at its points.
fn path_of(key: &str) -> Vec<String> {
    let Ok(mut table) = format!("{key} = 0").parse::<Table>() else {
        return key.split('.').map(|part| part.trim().to_owned()).collect();
    };
    let mut path = Vec::new();
    while let Some((key, value)) = table.into_iter().next() {
        path.push(key);
        match value {
            Value::Table(inner) => table = inner,
            _ => break,
        }
    }
    path
}

fn value_of(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|parsed| parsed.len() == 1);
    parsed.and_then(|mut parsed| parsed.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(table: &mut Table, setting: &str, path: &[String], value: Value, known: &Table) -> Result<()> {
    let in_ranges =
        path.len() >= 2 && path[0] == RANDOMIZATION && ["ranges", PRESET_RANGES].contains(&path[1].as_str());
    match value {
        // Exceptions one by one, whatever the others are; none at all takes all of them back.
        Value::Table(ranges) if in_ranges && !ranges.is_empty() && !is_range(&path[2..].join("."), &ranges) => {
            let mut joined = Table::new();
            join(&path[2..].join("."), ranges, &mut joined);
            let section = &path[..2];
            joined.into_iter().try_for_each(|(name, value)| insert(table, setting, &[section, &[name]].concat(), value))
        }
        value if in_ranges && path.len() > 2 => {
            let name = path[2..].join(".");
            insert(table, setting, &[&path[..2], &[name]].concat(), value)
        }
        Value::Table(section) if !in_ranges && is_section(path, known) => {
            section.into_iter().try_for_each(|(key, value)| put(table, setting, &[path, &[key]].concat(), value, known))
        }
        value => insert(table, setting, path, value),
    }
}

fn is_section(path: &[String], known: &Table) -> bool {
    let mut inside = known;
    for part in path {
        match inside.get(part) {
            Some(Value::Table(section)) => inside = section,
            _ => return false,
        }
    }
    true
}

fn insert(table: &mut Table, setting: &str, path: &[String], value: Value) -> Result<()> {
    let Some((last, parents)) = path.split_last() else { bail!("--set {setting}: an empty key") };
    let mut inner = table;
    for parent in parents {
        let entry = inner.entry(parent.clone()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = entry else {
            bail!("--set {setting}: {parent} is a value, not a section");
        };
        inner = section;
    }
    inner.insert(last.clone(), value);
    if path == [RANDOMIZATION, "preset"] {
        // What a run wrote down there is what another preset meant.
        inner.remove(PRESET_RANGES);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Table {
        "seed = 1\n[ppo]\ncore_width = 64\nclip_ratio = 0.2\n[randomization]\npreset = \"wide\"\n[randomization.ranges]\n\
         [randomization.adr]\nenabled = false\n"
            .parse()
            .expect("TOML")
    }

    fn table(settings: &[&str]) -> Table {
        let mut table = Table::new();
        settings.iter().for_each(|setting| apply(&mut table, setting, &known()).expect(setting));
        table
    }

    #[test]
    fn a_key_may_be_written_in_every_way_that_toml_knows() {
        let range = "{ uniform = { min = 0.5, max = 2.0 } }";
        let expected = table(&[&format!("randomization.ranges.joint.damping={range}")]);
        let ranges = expected["randomization"]["ranges"].as_table().expect("a section");
        assert_eq!(ranges.keys().collect::<Vec<_>>(), ["joint.damping"]);
        for key in [
            "randomization.ranges.\"joint.damping\"",
            "randomization.ranges.'joint.damping'",
            "randomization . ranges . \"joint.damping\" ",
            "\"randomization\".\"ranges\".\"joint.damping\"",
            "randomization.ranges.joint.\"damping\"",
            " randomization.ranges.joint.damping\t",
        ] {
            assert_eq!(table(&[&format!("{key}={range}")]), expected, "{key}");
            assert_eq!(table(&[&format!("{key} =  {range} ")]), expected, "{key}");
        }
        for whole in [
            format!("randomization.ranges={{ \"joint.damping\" = {range} }}"),
            format!("randomization.ranges={{ joint.damping = {range} }}"),
            format!("randomization.ranges.joint={{ damping = {range} }}"),
            format!("randomization={{ ranges = {{ 'joint.damping' = {range} }} }}"),
            format!("[randomization.ranges]\n\"joint.damping\" = {range}"),
            format!("[randomization]\nranges.joint.damping = {range}"),
        ] {
            assert_eq!(table(&[&whole]), expected, "{whole}");
        }
    }

    #[test]
    fn a_table_is_put_in_key_by_key_and_leaves_the_others() {
        let found = table(&["ppo.clip_ratio=0.1", "ppo={ core_width = 32 }", "seed=3"]);
        assert_eq!(found["ppo"], Value::Table("clip_ratio = 0.1\ncore_width = 32".parse().expect("TOML")));
        let ranges = ["randomization.ranges.object.mass=1.5", "randomization.ranges={ \"object.size\" = 1.0 }"];
        assert_eq!(table(&ranges)["randomization"]["ranges"].as_table().map(Table::len), Some(2));
        let none = [&ranges[..], &["randomization.ranges={}"]].concat();
        assert_eq!(table(&none)["randomization"]["ranges"].as_table().map(Table::len), Some(0), "all of them back");
        // A range is one thing: of another kind it takes the place of the first.
        let range = [
            "randomization.ranges.object.mass={ uniform = { min = 1.0, max = 2.0 } }",
            "randomization.ranges.object.mass={ log_uniform = { min = 1.0, max = 2.0 } }",
        ];
        assert_eq!(table(&range)["randomization"]["ranges"]["object.mass"].as_table().map(Table::len), Some(1));
    }

    #[test]
    fn another_preset_forgets_what_the_first_one_meant_however_it_is_chosen() {
        for setting in
            ["randomization.preset=none", "randomization={ preset = \"none\" }", "[randomization]\npreset='none'"]
        {
            let mut table: Table =
                "[randomization]\npreset = \"wide\"\n[randomization.preset_ranges]\n\"object.mass\" = 1.0"
                    .parse()
                    .expect("TOML");
            apply(&mut table, setting, &known()).expect(setting);
            assert_eq!(table["randomization"], Value::Table("preset = \"none\"".parse().expect("TOML")), "{setting}");
        }
    }

    #[test]
    fn words_and_values_with_signs_in_them_are_what_they_are() {
        assert_eq!(table(&["robot=leap-right"])["robot"].as_str(), Some("leap-right"));
        assert_eq!(table(&["robot = my hand=1.xml "])["robot"].as_str(), Some("my hand=1.xml"));
        assert_eq!(table(&["robot=\"a=b\""])["robot"].as_str(), Some("a=b"));
        assert_eq!(table(&["seed=7"])["seed"].as_integer(), Some(7));
        assert_eq!(table(&["robot=1\nseed = 2"])["robot"].as_str(), Some("1\nseed = 2"), "one setting is one setting");
        for wrong in ["ppo.core_width", "", "=3", "ppo.=3", "'ppo=3", "[ppo", "[ppo]\ncore_width"] {
            let error = apply(&mut Table::new(), wrong, &known()).expect_err(wrong).to_string();
            assert!(error.contains("expected key=value"), "{error}");
        }
    }

    #[test]
    fn a_setting_is_found_however_it_is_written() {
        let named = |setting: &str, key: &str| names(&[setting.to_owned()], key);
        for setting in ["object=sphere", " object = \"sphere\"", "\"object\"='sphere'", "'object' =sphere"] {
            assert!(named(setting, "object") && !named(setting, "robot"), "{setting}");
        }
        assert!(named("physics.substep_count=4", "physics") && named("physics={ substep_count = 4 }", "physics"));
        assert!(!named("objects=3", "object") && !named("nonsense", "object"));
    }

    #[test]
    fn a_file_may_write_names_of_parameters_without_quotes() {
        let mut quoted: Table =
            "[randomization.ranges]\n\"object.mass\" = 1.5\n\"joint.damping\" = { uniform = { min = 0.5, max = 2.0 } }"
                .parse()
                .expect("TOML");
        let mut plain: Table =
            "[randomization.ranges]\nobject.mass = 1.5\njoint.damping = { uniform = { min = 0.5, max = 2.0 } }"
                .parse()
                .expect("TOML");
        join_names(&mut plain);
        let before = quoted.clone();
        join_names(&mut quoted);
        assert_eq!((&plain, &quoted), (&before, &before));
    }
}
