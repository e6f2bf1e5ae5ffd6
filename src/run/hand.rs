//! The hand that a run was made with, whole, in its folder: a run needs no file but its own, wherever it is taken.
//!
//! The file it was read from may be moved, changed or lost. A run goes on with its own hand, and says what has changed.

use super::folder::sha256_hex;
use anyhow::{Context, Result, bail, ensure};
use giraffe_robots::RobotModel;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io::ErrorKind;
use std::path::Path;

/// The hand, in the folder of its run.
pub const HAND_FILE: &str = "hand.json";

const FORMAT: u32 = 1;
/// What stands between the hash and the hand it is of.
const BEFORE: &str = ",\n\"robot\": ";
/// What stands after the hand.
const AFTER: &str = "\n}\n";
/// Differences that are told one by one.
const TOLD: usize = 8;

/// As it stands in the file.
#[derive(Deserialize)]
struct Kept {
    sha256: String,
    robot: RobotModel,
}

/// The part that every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// A field in which two hands differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which, such as `bodies.thumb.mass_kg`.
    pub field: String,
    /// In the first; nothing where it has no such part.
    pub was: Option<Value>,
    /// In the second.
    pub is: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => write!(f, "{} was {was}, is {is}", self.field),
            (Some(_), None) => write!(f, "{} is gone", self.field),
            (None, _) => write!(f, "{} is new", self.field),
        }
    }
}

/// A hand as a file.
///
/// # Errors
/// When it could not be read back with the same bits.
pub fn to_bytes(robot: &RobotModel) -> Result<Vec<u8>> {
    let text = serde_json::to_string_pretty(robot).context("writing down the hand")?;
    let bytes =
        format!("{{\"format\": {FORMAT}, \"sha256\": \"{}\"{BEFORE}{text}{AFTER}", sha256_hex(&text)).into_bytes();
    // JSON knows no infinity, and its readers may round.
    let same = from_bytes(&bytes).is_ok_and(|read| read == *robot);
    ensure!(same, "the hand {} cannot be written down with the same bits: one of its numbers is none", robot.name);
    Ok(bytes)
}

/// The hand in a run's folder; nothing in the folder of a run that was made before hands were kept.
///
/// # Errors
/// When it cannot be read, or was changed since it was written.
pub fn read(path: &Path) -> Result<Option<RobotModel>> {
    match std::fs::read(path) {
        Ok(bytes) => from_bytes(&bytes).map(Some).with_context(|| format!("the hand of the run, {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading the hand of the run, {}", path.display())),
    }
}

/// The hand in a file.
///
/// # Errors
/// When it is none, or was changed since it was written.
pub fn from_bytes(bytes: &[u8]) -> Result<RobotModel> {
    let damaged = "it is damaged; copy the run again from where it is whole";
    let text = std::str::from_utf8(bytes).context(damaged)?;
    // The format first: another one may hold anything.
    let Format { format } = serde_json::from_str(text).context(damaged)?;
    if format != FORMAT {
        bail!("its format is {format}, expected {FORMAT}; use the giraffe that wrote it");
    }
    let Kept { sha256, robot, .. } = serde_json::from_str(text).context("a newer giraffe may have written it")?;
    let inside = text.split_once(BEFORE).and_then(|(_, rest)| rest.strip_suffix(AFTER)).context(damaged)?;
    ensure!(
        sha256_hex(inside) == sha256,
        "it has changed since it was written; a run keeps its hand: put it back as it was, and begin a new run for another \
         hand"
    );
    robot.check_places().map_err(anyhow::Error::msg).context(damaged)?;
    Ok(robot)
}

/// In which fields a hand `is` other than another `was`. Parts are found by their names.
pub fn differences(was: &RobotModel, is: &RobotModel) -> Vec<Difference> {
    let mut found = Vec::new();
    // By way of text: a value made from a number of four bytes has more digits than anybody wrote.
    let value =
        |robot: &RobotModel| -> Option<Value> { serde_json::from_str(&serde_json::to_string(robot).ok()?).ok() };
    if let (Some(was), Some(is)) = (value(was), value(is)) {
        compare("", Some(&was), Some(&is), &mut found);
    }
    // They follow from the others.
    found.retain(|difference| !difference.field.ends_with("_fingerprint"));
    found
}

/// The first of some differences, and how many more there are.
pub fn in_words(differences: &[Difference]) -> String {
    let mut text = differences.iter().take(TOLD).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if differences.len() > TOLD {
        let _ = write!(text, "; and {} more", differences.len() - TOLD);
    }
    text
}

fn compare(field: &str, was: Option<&Value>, is: Option<&Value>, found: &mut Vec<Difference>) {
    if was == is {
        return;
    }
    let below = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    match (was.and_then(parts), is.and_then(parts)) {
        (Some(was), Some(is)) => {
            let mut seen = BTreeSet::new();
            for (name, _) in was.iter().chain(&is) {
                if seen.insert(name) {
                    compare(&below(name), part(&was, name), part(&is, name), found);
                }
            }
            if seen.len() == was.len() && was.iter().map(|part| &part.0).ne(is.iter().map(|part| &part.0)) {
                found.push(Difference { field: format!("the order of {field}"), was: names(&was), is: names(&is) });
            }
        }
        _ => found.push(Difference { field: field.to_owned(), was: was.cloned(), is: is.cloned() }),
    }
}

fn names(parts: &[(String, &Value)]) -> Option<Value> {
    Some(parts.iter().map(|(name, _)| Value::from(name.clone())).collect())
}

fn part<'v>(parts: &[(String, &'v Value)], name: &str) -> Option<&'v Value> {
    parts.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

/// What a value is made of, by name: fields, or things that have names. Numbers, and lists of numbers, are one thing.
fn parts(value: &Value) -> Option<Vec<(String, &Value)>> {
    match value {
        Value::Object(fields) => Some(fields.iter().map(|(name, value)| (name.clone(), value)).collect()),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let name = |(index, item): (usize, &'_ Value)| {
                item.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned)
            };
            let named: Vec<String> = items.iter().enumerate().map(name).collect();
            let unique = named.iter().collect::<BTreeSet<_>>().len() == named.len();
            let by_place = |index: usize| if unique { named[index].clone() } else { index.to_string() };
            Some(items.iter().enumerate().map(|(index, item)| (by_place(index), item)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{ROBOTS, load_robot};

    fn hand(name: &str) -> RobotModel {
        load_robot(name).expect("a hand")
    }

    #[test]
    fn every_hand_is_read_back_with_the_same_bits() {
        for entry in ROBOTS {
            let mut robot = hand(entry.name);
            // Numbers whose digits are many.
            robot.bodies[0].mass_kg = 0.1 + f32::EPSILON;
            robot.joints[0].armature_kg_m2 = f32::MIN_POSITIVE * 1.1;
            robot.joints[0].position_limits_rad.lower = -0.0;
            let read = from_bytes(&to_bytes(&robot).expect("written")).expect("read");
            assert_eq!(read, robot);
            assert!(read.joints[0].position_limits_rad.lower.is_sign_negative());
            assert_eq!(differences(&robot, &read), []);
        }
    }

    #[test]
    fn any_number_is_read_back_with_the_same_bits() {
        let mut robot = hand("leap-right");
        // Knuth's multiplicative scattering over all bit patterns.
        for n in 0..20_000_u32 {
            let number = f32::from_bits(n.wrapping_mul(2_654_435_769));
            if !number.is_finite() {
                continue;
            }
            let text = serde_json::to_string(&number).expect("written");
            let read: f32 = serde_json::from_str(&text).expect("read");
            assert_eq!(read.to_bits(), number.to_bits(), "{text}");
        }
        robot.joints[3].effort_limit_newton_m = f32::INFINITY;
        assert!(to_bytes(&robot).expect_err("no number").to_string().contains("same bits"));
    }

    #[test]
    fn a_changed_field_is_named_with_what_it_was_and_is() {
        let was = hand("leap-right");
        let mut is = was.clone();
        is.bodies[2].mass_kg = 0.5;
        is.joints[1].position_limits_rad.upper = 9.0;
        is.fingertips[0].point_m.x += 0.01;
        is.dynamics_fingerprint = "other".to_owned();
        let found = differences(&was, &is);
        let (body, joint, tip) = (&was.bodies[2], &was.joints[1], &was.fingertips[0]);
        let mut fields: Vec<&str> = found.iter().map(|difference| difference.field.as_str()).collect();
        fields.sort_unstable();
        let expected = [
            format!("bodies.{}.mass_kg", body.name),
            format!("fingertips.{}.point_m", tip.name),
            format!("joints.{}.position_limits_rad.upper", joint.name),
        ];
        assert_eq!(fields, expected);
        assert!(in_words(&found).contains(&format!("mass_kg was {}, is 0.5", body.mass_kg)), "{}", in_words(&found));
        let mut shorter = was.clone();
        let gone = shorter.joints.pop().expect("a joint").name;
        shorter.joints.swap(0, 1);
        let found = in_words(&differences(&was, &shorter));
        assert!(found.contains(&format!("joints.{gone} is gone")), "{found}");
        let mut turned = was.clone();
        turned.joints.swap(0, 1);
        assert!(in_words(&differences(&was, &turned)).contains("the order of joints"));
    }

    #[test]
    fn a_file_that_is_damaged_changed_or_of_another_program_is_refused() {
        let whole = String::from_utf8(to_bytes(&hand("leap-right")).expect("written")).expect("text");
        let refused = |text: &str, part: &str| {
            let error = format!("{:#}", from_bytes(text.as_bytes()).expect_err(part));
            assert!(error.contains(part), "`{part}` is not in {error}");
        };
        refused(&whole[..whole.len() / 2], "damaged");
        refused(&whole.replacen("\"mass_kg\": 0.", "\"mass_kg\": 1.", 1), "has changed since it was written");
        refused(&whole.replacen("\"format\": 1", "\"format\": 7", 1), "its format is 7");
        refused(&whole.replacen("\"mass_kg\"", "\"mass_stone\"", 1), "a newer giraffe");
        refused("", "damaged");
        let mut lost = hand("leap-right");
        lost.joints[0].body = 99;
        assert!(lost.check_places().expect_err("no such body").contains("number 99"));
    }
}
