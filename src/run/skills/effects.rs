//! What skills were measured to do: one line for each time that one of them acted for a dwell.

use super::orientations::{Orientations, WAY_COUNT, Way};
use anyhow::{Context, Result, bail, ensure};
use nalgebra::{UnitQuaternion, Vector3};
use std::fmt::Write as _;

/// The first line of the file.
const HEADER: &str = "skill,previous,moved,off_x_rad,off_y_rad,off_z_rad,turn,off_after_x_rad,off_after_y_rad,\
                      off_after_z_rad,passed,kept";
/// An object that turned no faster than this during a dwell, rad/s, counts as one that rested: a skill that has come to a dead
/// end rocks it by some hundredths of a radian.
const MOVED_RAD_PER_SEC: f32 = 0.2;

/// What is the same for every dwell of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// How long a skill acts before another may, s.
    pub dwell_secs: f64,
    /// Within this an orientation counts as passed, rad.
    pub tolerance_rad: f32,
    /// The frame about whose axes the object is to lie flat.
    pub palm_from_level: UnitQuaternion<f32>,
}

/// Once, a skill acted for so long.
#[derive(Debug, Clone, PartialEq)]
pub struct Dwell {
    /// Which, by its place in the set.
    pub skill: usize,
    /// Which one had acted just before; none at the start of an episode.
    pub previous: Option<usize>,
    /// Whether the object had turned during the dwell before.
    pub moved: bool,
    /// How the object was turned out of the nearest way to lie flat, rotation vector in the level frame, rad.
    pub off_rad: Vector3<f32>,
    /// From that way to the one that was nearest at the end.
    pub turn: Way,
    /// How it was turned out of that one.
    pub off_after_rad: Vector3<f32>,
    /// Turns from the first way that were passed within the tolerance, at whatever step of the dwell.
    pub passed: Vec<Way>,
    /// Whether the object was still in the hand at the end.
    pub kept: bool,
}

impl Dwell {
    /// The whole turn, rotation vector in the level frame, rad.
    pub fn whole_turn_rad(&self, orientations: &Orientations) -> Vector3<f32> {
        orientations.whole_turn_rad(&self.off_rad, self.turn, &self.off_after_rad)
    }

    /// Whether the object turned.
    pub fn turned(&self, orientations: &Orientations, dwell_secs: f64) -> bool {
        has_moved(&self.whole_turn_rad(orientations), dwell_secs)
    }
}

/// Whether an object that was turned by so much within a dwell counts as one that moved.
pub fn has_moved(turn_rad: &Vector3<f32>, dwell_secs: f64) -> bool {
    turn_rad.norm() > MOVED_RAD_PER_SEC * dwell_secs as f32
}

/// As a file: comma-separated values.
pub fn to_csv(dwells: &[Dwell], names: &[&str]) -> String {
    let mut text = format!("{HEADER}\n");
    for dwell in dwells {
        let name = |skill: usize| names.get(skill).copied().unwrap_or_default();
        let vector = |v: &Vector3<f32>| format!("{},{},{}", v.x, v.y, v.z);
        let passed: Vec<String> = dwell.passed.iter().map(|way| way.number().to_string()).collect();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{}",
            name(dwell.skill),
            dwell.previous.map_or("", name),
            u8::from(dwell.moved),
            vector(&dwell.off_rad),
            dwell.turn.number(),
            vector(&dwell.off_after_rad),
            passed.join(";"),
            u8::from(dwell.kept)
        );
    }
    text
}

/// Reads such a file.
///
/// # Errors
/// Names the line that is none.
pub fn from_csv(text: &str, names: &[&str]) -> Result<Vec<Dwell>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(HEADER), "its first line is not `{HEADER}`; measure the skills anew");
    let read = |(index, line): (usize, &str)| dwell_of(line, names).with_context(|| format!("line {}", index + 2));
    lines.enumerate().map(read).collect()
}

fn dwell_of(line: &str, names: &[&str]) -> Result<Dwell> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[skill, previous, moved, ox, oy, oz, turn, ax, ay, az, passed, kept] = &fields[..] else {
        bail!("it has {} values, not {}", fields.len(), HEADER.split(',').count());
    };
    let vector = |parts: [&str; 3]| -> Result<Vector3<f32>> {
        let mut values = [0.0; 3];
        for (value, part) in values.iter_mut().zip(parts) {
            let read: f32 = part.parse().with_context(|| format!("`{part}` is no angle in rad"))?;
            ensure!(read.is_finite(), "`{part}` is no angle in rad");
            *value = read;
        }
        Ok(Vector3::from(values))
    };
    let skill_of = |name: &str| {
        let found = names.iter().position(|known| *known == name);
        found.with_context(|| format!("`{name}` is none of the skills ({})", names.join(", ")))
    };
    Ok(Dwell {
        skill: skill_of(skill)?,
        previous: if previous.is_empty() { None } else { Some(skill_of(previous)?) },
        moved: flag(moved)?,
        off_rad: vector([ox, oy, oz])?,
        turn: way(turn)?,
        off_after_rad: vector([ax, ay, az])?,
        passed: passed.split(';').filter(|part| !part.is_empty()).map(way).collect::<Result<_>>()?,
        kept: flag(kept)?,
    })
}

fn flag(text: &str) -> Result<bool> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => bail!("`{text}` is neither 0 nor 1"),
    }
}

fn way(text: &str) -> Result<Way> {
    let number = text.parse().ok().and_then(Way::numbered);
    number.with_context(|| format!("`{text}` is no turn: expected a number from 0 to {}", WAY_COUNT - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Dwell {
        Dwell {
            skill: 1,
            previous: None,
            moved: false,
            off_rad: Vector3::new(0.1, -0.2, 1e-9),
            turn: Way::numbered(7).expect("one of 24"),
            off_after_rad: Vector3::new(0.0, 0.3, -0.78),
            passed: vec![Way::LEVEL, Way::numbered(7).expect("one of 24")],
            kept: true,
        }
    }

    #[test]
    fn what_was_measured_is_read_as_it_was_written() {
        let names = ["spin", "tip"];
        let dwells = [one(), Dwell { previous: Some(0), passed: Vec::new(), kept: false, moved: true, ..one() }];
        assert_eq!(from_csv(&to_csv(&dwells, &names), &names).expect("its own words"), dwells);
    }

    #[test]
    fn a_line_that_says_nothing_is_named_with_what_is_wrong() {
        let names = ["spin", "tip"];
        let good = to_csv(&[one()], &names);
        for (from, to, expected) in [
            ("tip,", "tup,", "`tup` is none of the skills (spin, tip)"),
            (",7,", ",24,", "`24` is no turn"),
            ("0.3", "NaN", "`NaN` is no angle"),
            (",1\n", ",yes\n", "`yes` is neither 0 nor 1"),
            (",1\n", "\n", "11 values, not 12"),
        ] {
            let error = from_csv(&good.replacen(from, to, 1), &names).expect_err(to);
            let words = format!("{error:#}");
            assert!(words.contains(expected) && words.contains("line 2"), "{words}");
        }
        assert!(from_csv("a,b\n", &names).expect_err("another file").to_string().contains("first line"));
    }
}
