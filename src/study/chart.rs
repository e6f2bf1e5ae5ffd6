//! What all pictures have in common: a white ground of their own, so that they can be read on a dark page too, colours
//! that colour-blind people can tell apart, and no more points than the eye can see.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

/// What a picture is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Two axes on it.
type Chart<'c, 'a> = ChartContext<'c, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
/// What drawing comes to.
pub type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Most points of one line.
const MAX_POINTS: usize = 400;

/// Makes one picture.
///
/// # Errors
/// When it cannot be written.
pub fn picture(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<()> {
    let attempt = || -> Drawn {
        let area = SVGBackend::new(path, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
        Ok(())
    };
    attempt().map_err(|error| anyhow!("drawing {}: {error}", path.display()))
}

/// The colour of the `index`-th thing (Okabe and Ito, 2008).
pub fn color(index: usize) -> RGBColor {
    const COLORS: [(u8, u8, u8); 7] =
        [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (90, 90, 90)];
    let (red, green, blue) = COLORS[index % COLORS.len()];
    RGBColor(red, green, blue)
}

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Line {
    /// Name in the legend; lines without one are not in it.
    pub name: Option<String>,
    /// Which colour: see [`color`].
    pub color: usize,
    /// Drawn pale and thin, behind what matters.
    pub pale: bool,
    /// In the chart's units.
    pub points: Vec<(f64, f64)>,
}

/// Lines over one horizontal axis.
#[derive(Debug, Clone)]
pub struct LineChart<'c> {
    /// What the horizontal axis is.
    pub x: &'c str,
    /// What the vertical axis is.
    pub y: &'c str,
    /// Values that the vertical axis holds whatever the lines do.
    pub holds: &'c [f64],
    /// The lines; pale ones first.
    pub lines: Vec<Line>,
}

impl LineChart<'_> {
    /// Draws it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn draw(&self, area: &Area<'_>) -> Drawn {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = range(points().map(|point| point.0), 0.0);
        let y = range(points().map(|point| point.1).chain(self.holds.iter().copied()), 0.05);
        let mut chart =
            ChartBuilder::on(area).margin(12).x_label_area_size(40).y_label_area_size(64).build_cartesian_2d(x, y)?;
        chart.configure_mesh().light_line_style(WHITE).x_desc(self.x).y_desc(self.y).draw()?;
        for line in &self.lines {
            let style = match line.pale {
                true => color(line.color).mix(0.4).stroke_width(1),
                false => color(line.color).stroke_width(2),
            };
            let series = chart.draw_series(LineSeries::new(thinned(&line.points), style))?;
            if let Some(name) = &line.name {
                let key = color(line.color).stroke_width(3);
                series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], key));
            }
        }
        if self.lines.iter().any(|line| line.name.is_some()) {
            legend(&mut chart)?;
        }
        Ok(())
    }
}

/// The names of what is drawn, in the corner where curves that rise leave room.
///
/// # Errors
/// When it cannot be drawn.
pub fn legend<'c, 'a: 'c>(chart: &mut Chart<'c, 'a>) -> Drawn {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.5))
        .draw()?;
    Ok(())
}

/// From the smallest to the largest, with `room` of the way left at both ends. Never empty.
pub fn range(values: impl Iterator<Item = f64>, room: f64) -> Range<f64> {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let width = (high - low).max(1e-6);
    low - room * width..low + (1.0 + room) * width
}

/// Every so many points, and the last.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(MAX_POINTS).max(1);
    let mut kept: Vec<(f64, f64)> = points.iter().copied().step_by(every).collect();
    if points.len() % every != 1 % every {
        kept.extend(points.last());
    }
    kept.retain(|(x, y)| x.is_finite() && y.is_finite());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_ends_and_few_points() {
        for count in [1, 2, 399, 400, 401, 4001, 100_000] {
            let points: Vec<(f64, f64)> = (0..count).map(|index| (f64::from(index), 1.0)).collect();
            let kept = thinned(&points);
            assert!(kept.len() <= MAX_POINTS + 1, "{} of {count}", kept.len());
            assert_eq!((kept.first(), kept.last()), (points.first(), points.last()), "{count}");
            assert!(kept.is_sorted_by(|a, b| a.0 < b.0), "{count}: a point is there twice");
        }
    }

    #[test]
    fn an_axis_is_never_empty() {
        assert_eq!(range([].into_iter(), 0.1), 0.0..1.0);
        let one = range([3.0, f64::NAN].into_iter(), 0.0);
        assert!(one.start < one.end && one.contains(&3.0));
    }
}
