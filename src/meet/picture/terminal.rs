//! The picture in a terminal: two dots to a character.

use super::faces::Part;
use super::raster::{Dot, Raster, rasters};
use giraffe_physics::SceneView;

/// Dots along the edge of a view: three of them and the blanks between fit into 80 columns.
const EDGE: usize = 26;

/// Hand and object from above, from the side and from a corner, as lines of text. Without colours the parts differ in how
/// dense they are.
pub fn in_terminal(view: &SceneView, colors: bool) -> String {
    let views = rasters(view, EDGE);
    let mut lines = Vec::new();
    for row in (0..EDGE).step_by(2) {
        let mut line = String::new();
        for (index, raster) in views.iter().enumerate() {
            line.push_str(if index == 0 { "" } else { " " });
            (0..EDGE).for_each(|column| character(raster, row, column, colors, &mut line));
        }
        lines.push(line.trim_end().to_owned());
    }
    let is_blank = |line: &&String| line.is_empty();
    let (above, below) = (lines.iter().take_while(is_blank).count(), lines.iter().rev().take_while(is_blank).count());
    let end = lines.len() - below;
    lines.get(above..end).map_or_else(String::new, |seen| seen.join("\n") + "\n")
}

fn character(raster: &Raster, row: usize, column: usize, colors: bool, line: &mut String) {
    let at = |row: usize| raster.dots[row * raster.edge + column];
    let (upper, lower) = (at(row), at(row + 1));
    if !colors {
        let dense = |dot: Dot| match dot.part {
            Part::Object => '█',
            Part::Tip => '▓',
            Part::Palm => '▒',
            Part::Link => '░',
        };
        line.push(upper.or(lower).map_or(' ', dense));
        return;
    }
    match (upper, lower) {
        (None, None) => line.push(' '),
        (Some(upper), None) => line.push_str(&format!("\x1b[38;5;{}m▀\x1b[0m", of_256(upper.color))),
        (None, Some(lower)) => line.push_str(&format!("\x1b[38;5;{}m▄\x1b[0m", of_256(lower.color))),
        (Some(upper), Some(lower)) => {
            let (upper, lower) = (of_256(upper.color), of_256(lower.color));
            line.push_str(&format!("\x1b[38;5;{upper};48;5;{lower}m▀\x1b[0m"));
        }
    }
}

/// The nearest of the 256 colours that terminals have: a cube of 6 x 6 x 6, and 24 greys.
fn of_256([red, green, blue]: [u8; 3]) -> u8 {
    let (least, most) = (red.min(green).min(blue), red.max(green).max(blue));
    if most - least < 24 {
        let mean = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
        return 232 + (mean.saturating_sub(8) / 10).min(23) as u8;
    }
    let [red, green, blue] = [red, green, blue].map(|value| ((u16::from(value) + 25) / 51) as u8);
    16 + 36 * red + 6 * green + blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_the_nearest_of_256() {
        assert_eq!(of_256([0, 0, 0]), 232);
        assert_eq!(of_256([255, 0, 0]), 16 + 36 * 5);
        assert_eq!(of_256([0, 102, 204]), 16 + 6 * 2 + 4);
        assert_eq!(of_256([128, 128, 128]), 244);
    }
}
