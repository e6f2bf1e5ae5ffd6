//! The picture in a file.

use super::raster::rasters;
use super::svg::svg;
use anyhow::{Context, Result, bail};
use giraffe_physics::SceneView;
use std::path::Path;

/// Dots along the edge of a view in a PNG, and how many are taken together for one of them, along both edges.
const EDGE: usize = 420;
const TOGETHER: usize = 2;

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines and areas, with names.
    Svg,
    /// Dots.
    Png,
}

impl Format {
    /// By the ending of a file's name.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => bail!("--picture {}: expected a file that ends in .svg or .png", path.display()),
        }
    }
}

/// Draws hand and object into a file; its ending says how.
///
/// # Errors
/// When the ending is another than .svg or .png, or the file cannot be written.
pub fn write(path: &Path, view: &SceneView, title: &str) -> Result<()> {
    let bytes = match Format::of(path)? {
        Format::Svg => svg(view, title).into_bytes(),
        Format::Png => png_bytes(view)?,
    };
    std::fs::write(path, bytes).with_context(|| format!("writing the picture {}", path.display()))
}

fn png_bytes(view: &SceneView) -> Result<Vec<u8>> {
    let views = rasters(view, EDGE * TOGETHER);
    let mut dots = Vec::with_capacity(3 * EDGE * EDGE * views.len());
    for row in 0..EDGE {
        for raster in &views {
            for column in 0..EDGE {
                let inside = (0..TOGETHER * TOGETHER).map(|index| {
                    let (y, x) = (row * TOGETHER + index / TOGETHER, column * TOGETHER + index % TOGETHER);
                    raster.dots[y * raster.edge + x].map_or([255; 3], |dot| dot.color)
                });
                let sum = inside.fold([0_usize; 3], |sum, color| [0, 1, 2].map(|at| sum[at] + usize::from(color[at])));
                dots.extend(sum.map(|value| (value / (TOGETHER * TOGETHER)) as u8));
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, (EDGE * views.len()) as u32, EDGE as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().context("drawing a PNG")?;
    writer.write_image_data(&dots).context("drawing a PNG")?;
    writer.finish().context("drawing a PNG")?;
    Ok(bytes)
}
