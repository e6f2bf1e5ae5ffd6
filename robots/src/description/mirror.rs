//! Writes the description of the other hand: a left one from a right one, or the other way round.
//!
//! Every frame is reflected in its own xz plane, which is a reflection of the whole hand in the xz plane of the palm. So
//! positions become (x, -y, z), rotations (w, -x, y, -z), and axes of hinges, which are no vectors but senses of
//! rotation, (-x, y, -z): the same positive angle closes either hand. Masses, servos and angles stay as they are; so do
//! the shapes, each of which is its own mirror image. Numbers are changed where they stand in the text, by their sign
//! only.

use super::error::{DescriptionError, Place};
use super::{Source, read_robot};
use nalgebra::Vector3;
use roxmltree::Document;

/// Farther than this, m, from where a mirror shows it, a fingertip is in the wrong place.
const TOLERANCE_M: f32 = 1e-5;

/// The texts of `hand.xml` and `robot.toml` of the mirror image of the hand `name`, which is to be called `mirrored`.
///
/// Left out are comments that speak of the hand as a whole, and `device`: how the other hand is wired is not known.
///
/// # Errors
/// When the hand cannot be read, or what comes out would not be its mirror image.
pub fn mirror(
    name: &str,
    hand_xml: &str,
    robot_toml: &str,
    mirrored: &str,
) -> Result<(String, String), DescriptionError> {
    let original = read_robot(name, &Source { folder: name, hand_xml, robot_toml }, true)?;
    let (left_xml, left_toml) = (mirror_xml(name, hand_xml, mirrored)?, mirror_toml(name, robot_toml));
    let source = Source { folder: mirrored, hand_xml: &left_xml, robot_toml: &left_toml };
    let image = read_robot(mirrored, &source, true)?;
    let pose_rad = original.test_vector().0;
    let (tips_m, image_tips_m) = (original.fingertip_positions(&pose_rad), image.fingertip_positions(&pose_rad));
    for (tip, (at, image_at)) in original.fingertips.iter().zip(tips_m.iter().zip(image_tips_m)) {
        if (Vector3::new(at.x, -at.y, at.z) - image_at.coords).norm() > TOLERANCE_M {
            let problem = format!("fingertip `{}` is no mirror image; give every joint an `axis`", tip.name);
            return Err(Place { file: format!("{name}/hand.xml"), line: None }.error(problem));
        }
    }
    Ok((left_xml, left_toml))
}

/// Which numbers of an attribute change sign.
fn flipped(attribute: &str) -> Option<&'static [bool]> {
    match attribute {
        "pos" => Some(&[false, true, false]),
        "quat" => Some(&[false, true, false, true]),
        "axis" => Some(&[true, false, true]),
        _ => None,
    }
}

fn mirror_xml(name: &str, text: &str, mirrored: &str) -> Result<String, DescriptionError> {
    let document = Document::parse(text).map_err(|error| {
        let place = Place { file: format!("{name}/hand.xml"), line: Some(error.pos().row as usize) };
        place.error(format!("this is not XML: {error}"))
    })?;
    let mut edits = Vec::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            if let Some(signs) = flipped(key) {
                edits.push((attribute.range_value(), with_signs(value, char::is_whitespace, signs)));
            } else if node.has_tag_name("mujoco") && key == "model" {
                edits.push((attribute.range_value(), mirrored.to_owned()));
            }
        }
    }
    let body = document.root_element().range();
    let mut image = format!(
        "<!--\n  The mirror image of {name}, whose files say what everything means. Written by the example `mirror`, not by \
         hand:\n  README.md.\n-->\n"
    );
    let mut at = body.start;
    edits.sort_by_key(|(range, _)| range.start);
    for (range, value) in edits {
        image.push_str(&text[at..range.start]);
        image.push_str(&value);
        at = range.end;
    }
    image.push_str(&text[at..body.end]);
    image.push('\n');
    Ok(image)
}

fn mirror_toml(name: &str, text: &str) -> String {
    let mut image = format!(
        "# The mirror image of {name}, whose files say what everything means. Written by the example `mirror`, not by \
         hand:\n# README.md.\n\n"
    );
    for line in text.lines().skip_while(|line| line.is_empty() || line.starts_with('#')) {
        if line.starts_with('#') {
            continue;
        }
        image.push_str(&mirror_toml_line(line));
        image.push('\n');
    }
    image
}

/// A line of `robot.toml` with its points mirrored and without a device.
fn mirror_toml_line(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some((before, after)) = line.split_once("device = {")
        && let Some((_, after)) = after.split_once("}, ")
    {
        line = format!("{before}{after}");
    }
    for key in ["point_m = [", "position_m = [", "resting_normal = ["] {
        if let Some((before, after)) = line.split_once(key)
            && let Some((point, after)) = after.split_once(']')
        {
            let point = with_signs(point, |separator| separator == ',' || separator == ' ', &[false, true, false]);
            line = format!("{before}{key}{point}]{after}");
        }
    }
    line
}

/// The numbers of `text` with the chosen signs changed, and everything between them as it was.
fn with_signs(text: &str, separator: impl Fn(char) -> bool, flip: &[bool]) -> String {
    let mut image = String::new();
    let mut rest = text;
    let mut index = 0;
    while let Some(start) = rest.find(|c| !separator(c)) {
        let end = rest[start..].find(&separator).map_or(rest.len(), |length| start + length);
        image.push_str(&rest[..start]);
        let word = &rest[start..end];
        let flip = flip.get(index).is_some_and(|flip| *flip);
        let zero = word.parse::<f64>().is_ok_and(|number| number.abs() <= 0.0);
        match word.strip_prefix('-') {
            _ if !flip || zero => image.push_str(word),
            Some(positive) => image.push_str(positive),
            None => image.extend(["-", word]),
        }
        rest = &rest[end..];
        index += 1;
    }
    image + rest
}
