//! The JSON Schema says the same as the bytes, and PROTOCOL.md says the same as the schema.
//!
//! Only the words of JSON Schema that the file uses are understood here, and any other word fails, so that nothing in
//! the file goes unchecked. A complete validator in Python reads the same file in `test_protocol.py`.

use crate::protocol_text::{golden, keys_in_text, keys_on_the_wire};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../../schema/hand-link-1.schema.json");
const UPDATE: &str = "bring bridge/schema/hand-link-1.schema.json, PROTOCOL.md and golden/messages.txt together";
/// Keys that a message may have, and no golden message has: in the text they are outside of the tables.
const OPTIONAL: &[(&str, &[&str])] = &[
    (
        "state",
        &["rx_applied", "rx_superseded", "rx_rejected", "rx_gap", "dt", "q_seq", "cur", "temp", "volt", "loop_us"],
    ),
    ("pose", &["seen"]),
];

/// msgpack as JSON; bytes become text.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Json)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("msgpack")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(json!(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(json!(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(json!(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(json!(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(json!(value))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(json!(format!("{value:02x?}")))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Json(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some((key, Json(value))) = map.next_entry::<String, Json>()? {
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// What is wrong with `value`, in the words of the schema.
fn problem(root: &Value, rule: &Value, value: &Value, at: &str) -> Option<String> {
    let unless = |holds: bool, word: &str| (!holds).then(|| format!("{at}: {word} does not hold of {value}"));
    let number = |word: &Value| word.as_f64().unwrap();
    rule.as_object().unwrap().iter().find_map(|(word, says)| match word.as_str() {
        "description" | "title" | "contentEncoding" | "$schema" | "$defs" => None,
        "$ref" => {
            let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            problem(root, root["$defs"].get(name).unwrap_or_else(|| panic!("no definition {name}")), value, at)
        }
        "type" => unless(is_of_type(value, says.as_str().unwrap()), word),
        "const" => unless(value == says, word),
        "enum" => unless(says.as_array().unwrap().contains(value), word),
        "minimum" => unless(value.as_f64().is_none_or(|found| found >= number(says)), word),
        "maximum" => unless(value.as_f64().is_none_or(|found| found <= number(says)), word),
        "minItems" => unless(value.as_array().is_none_or(|items| items.len() as f64 >= number(says)), word),
        "maxItems" => unless(value.as_array().is_none_or(|items| items.len() as f64 <= number(says)), word),
        "required" => {
            says.as_array().unwrap().iter().find_map(|key| unless(value.get(key.as_str().unwrap()).is_some(), word))
        }
        "properties" => says.as_object().unwrap().iter().find_map(|(key, rule)| {
            value.get(key).and_then(|value| problem(root, rule, value, &format!("{at}.{key}")))
        }),
        "additionalProperties" => value
            .as_object()
            .and_then(|map| map.iter().find_map(|(key, value)| problem(root, says, value, &format!("{at}.{key}")))),
        "items" => value
            .as_array()
            .and_then(|items| items.iter().find_map(|item| problem(root, says, item, &format!("{at}[]")))),
        "oneOf" => {
            let fits = says.as_array().unwrap().iter().filter(|rule| problem(root, rule, value, at).is_none());
            unless(fits.count() == 1, word)
        }
        other => panic!("{at}: this test does not know the word `{other}`"),
    })
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}

fn messages() -> Vec<(String, Value)> {
    golden().into_iter().map(|(name, bytes)| (name, rmp_serde::from_slice::<Json>(&bytes).unwrap().0)).collect()
}

#[test]
fn every_golden_message_fits_the_schema_of_its_type_and_of_no_other() {
    let schema = schema();
    for (name, message) in messages() {
        assert_eq!(problem(&schema, &schema, &message, &name), None, "{UPDATE}");
        let kind = message["t"].as_str().unwrap();
        assert_eq!(problem(&schema, &schema["$defs"][kind], &message, &name), None);
    }
}

/// Every message that is a little wrong: a key is missing, of another type, or a vector is too long.
fn mutations(rule: &Value, root: &Value, message: &Value) -> Vec<(String, Value)> {
    let mut wrong = Vec::new();
    for key in rule["required"].as_array().unwrap() {
        let key = key.as_str().unwrap();
        let mut less = message.clone();
        less.as_object_mut().unwrap().remove(key);
        wrong.push((format!("without {key}"), less));
    }
    for (key, property) in rule["properties"].as_object().unwrap() {
        if message.get(key).is_none() {
            continue;
        }
        // Of no type that any key has.
        for odd in [json!([{}]), json!({ "x": { "y": 1 } })] {
            let mut other = message.clone();
            other[key] = odd.clone();
            wrong.push((format!("{key} is {odd}"), other));
        }
        let target = property.get("$ref").and_then(Value::as_str).map_or("", |name| &name[8..]);
        if root["$defs"][target].get("maxItems").is_some() {
            let mut longer = message.clone();
            longer[key].as_array_mut().unwrap().push(json!(0.0));
            wrong.push((format!("{key} is too long"), longer));
        }
    }
    wrong
}

#[test]
fn messages_that_are_a_little_wrong_do_not_fit() {
    let schema = schema();
    let mut count = 0;
    for (name, message) in messages() {
        let rule = &schema["$defs"][message["t"].as_str().unwrap()];
        for (what, wrong) in mutations(rule, &schema, &message) {
            assert!(problem(&schema, &schema, &wrong, &name).is_some(), "`{name}` {what} fits the schema: {wrong}");
            count += 1;
        }
    }
    assert!(count > 200, "{count} mutations");
    let mut deep = messages().into_iter().find(|(name, _)| name == "hello").unwrap().1;
    deep["robot"]["joints"]["thumb_bend"]["axis"] = json!([0.0, 1.0, 0.0, 0.0]);
    let found = problem(&schema, &schema["$defs"]["hello"], &deep, "hello").unwrap();
    assert!(found.contains("thumb_bend.axis"), "{found}");
}

#[test]
fn the_schema_the_bytes_and_the_protocol_have_the_same_keys() {
    let schema = schema();
    let tables = [
        ("hello", "## 4. Handshake"),
        ("welcome", "`welcome`, `sid`"),
        ("cmd", "`cmd`, on the"),
        ("state", "`state`, on the"),
        ("pose", "`pose`, on the"),
    ];
    let head = keys_in_text("## 2. Encoding");
    for (name, message) in messages() {
        let kind = message["t"].as_str().unwrap();
        let in_schema: BTreeSet<String> =
            schema["$defs"][kind]["properties"].as_object().unwrap().keys().cloned().collect();
        let on_the_wire = keys_on_the_wire(&name);
        let optional = OPTIONAL.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, keys)| keys);
        let expected: BTreeSet<String> =
            on_the_wire.iter().cloned().chain(optional.iter().map(|&key| key.to_owned())).collect();
        assert_eq!(in_schema, expected, "left: keys of `{kind}` in the schema, right: in its golden bytes; {UPDATE}");
        if let Some((_, marker)) = tables.iter().find(|(of, _)| *of == kind) {
            let mut said = keys_in_text(marker);
            said.extend(head.iter().cloned().chain(optional.iter().map(|&key| key.to_owned())));
            said.extend((kind == "welcome").then(|| "re".to_owned()));
            assert_eq!(in_schema, said, "left: keys of `{kind}` in the schema, right: in PROTOCOL.md; {UPDATE}");
        }
    }
    let kinds: BTreeSet<&str> =
        schema["oneOf"].as_array().unwrap().iter().map(|of| &of["$ref"].as_str().unwrap()[8..]).collect();
    let sent: Vec<(String, Value)> = messages();
    let sent: BTreeSet<&str> = sent.iter().map(|(_, message)| message["t"].as_str().unwrap()).collect();
    assert_eq!(kinds, sent, "left: types in the schema, right: in the golden bytes; {UPDATE}");
}
