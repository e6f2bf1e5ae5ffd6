//! The picture as lines and areas.

use super::camera::{Frame, SeenFace, cameras, frames};
use super::faces::{Part, faces};
use giraffe_physics::SceneView;
use std::fmt::Write as _;

/// Edge of one view, in the picture's units.
const EDGE: f32 = 320.0;
/// Room between and around views, and above them for their names.
const GAP: f32 = 16.0;
const HEAD: f32 = 34.0;
/// Room below for the scale and what the colours mean.
const FOOT: f32 = 44.0;
/// Length of the scale, m.
const SCALE_M: f32 = 0.05;

/// Hand and object from above, from the side and from a corner. On a white ground of its own, so that it can be read on a
/// dark page, too.
pub fn svg(view: &SceneView, title: &str) -> String {
    let faces = faces(view);
    let cameras = cameras();
    let views: Vec<Vec<SeenFace>> = cameras.iter().map(|camera| camera.see(&faces)).collect();
    let frames = frames(&views);
    let (width, height) = (3.0 * EDGE + 4.0 * GAP, HEAD + EDGE + FOOT);
    let title = escaped(title);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>{title}</title>\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"#ffffff\"/>\n"
    );
    for (index, ((camera, view_seen), frame)) in cameras.iter().zip(views).zip(&frames).enumerate() {
        let left = GAP + index as f32 * (EDGE + GAP);
        let name = if index == 0 { format!("{title}, {}", camera.name) } else { camera.name.to_owned() };
        let _ = writeln!(text, "<text x=\"{left}\" y=\"22\" fill=\"#333333\">{name}</text>");
        let _ = writeln!(text, "<g stroke-width=\"0.5\" stroke-linejoin=\"round\">");
        draw(&mut text, view_seen, frame, left, view);
        text.push_str("</g>\n");
    }
    foot(&mut text, frames.first().map_or(0.1, |frame| frame.half));
    text.push_str("</svg>\n");
    text
}

/// From the farthest face to the nearest.
fn draw(text: &mut String, mut seen: Vec<SeenFace>, frame: &Frame, left: f32, view: &SceneView) {
    seen.sort_by(|a, b| a.nearness().total_cmp(&b.nearness()));
    let scale = EDGE / (2.0 * frame.half);
    for face in seen {
        let corner = |corner: &[f32; 3]| {
            let x = left + 0.5 * EDGE + scale * (corner[0] - frame.center[0]);
            let y = HEAD + 0.5 * EDGE - scale * (corner[1] - frame.center[1]);
            format!("{x:.1},{y:.1}")
        };
        let points: Vec<String> = face.corners.iter().map(corner).collect();
        let [red, green, blue] = face.color;
        let of = match face.of {
            Some((link, shape)) => format!("{} {shape}", escaped(&view.shapes.links[link].name)),
            None => "object".to_owned(),
        };
        // The edges in the colour of the face close the seams between its pieces.
        let color = format!("#{red:02x}{green:02x}{blue:02x}");
        let _ = writeln!(
            text,
            "<polygon data-of=\"{of}\" fill=\"{color}\" stroke=\"{color}\" points=\"{}\"/>",
            points.join(" ")
        );
    }
}

fn foot(text: &mut String, half_m: f32) {
    let y = HEAD + EDGE + 26.0;
    let length = SCALE_M * EDGE / (2.0 * half_m);
    let (x, label) = (GAP, format!("{:.0} mm", 1e3 * SCALE_M));
    let _ = writeln!(text, "<path d=\"M{x} {y}h{length:.1}\" stroke=\"#333333\" stroke-width=\"2\"/>");
    let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{}\" fill=\"#333333\">{label}</text>", x + length + 6.0, y + 4.0);
    for (index, part) in Part::ALL.into_iter().enumerate() {
        let x = EDGE + 2.0 * GAP + 110.0 * index as f32;
        let [red, green, blue] = part.color();
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"#{red:02x}{green:02x}{blue:02x}\"/>\n<text \
             x=\"{}\" y=\"{}\" fill=\"#333333\">{}</text>",
            y - 7.0,
            x + 18.0,
            y + 4.0,
            part.name()
        );
    }
}

/// A stranger's name as XML may hold it.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}
