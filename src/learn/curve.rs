//! The picture that training leaves in a run's folder.

use anyhow::{Context, Result, anyhow};
use giraffe_robots::{Measure, MeasureKind};
use plotters::prelude::*;
use serde_json::{Map, Value};
use std::path::Path;

/// One column of the metrics over control steps, in millions; the places where there is a number.
type Curve = Vec<(f64, f64)>;

/// Draws the task's headline over control steps, and beside it the first fraction that the task measures.
///
/// # Errors
/// When the metrics cannot be read or the picture not written. Too few rows draw nothing.
pub fn learning_curve(metrics: &Path, measures: &[Measure], picture: &Path) -> Result<()> {
    let text = std::fs::read_to_string(metrics).with_context(|| format!("reading {}", metrics.display()))?;
    let rows: Vec<Map<String, Value>> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let column = |measure: &Measure| -> Curve {
        let point = |row: &Map<String, Value>| {
            Some((row.get("control_steps")?.as_f64()? * 1e-6, row.get(measure.name)?.as_f64()?))
        };
        rows.iter().filter_map(point).collect()
    };
    let Some((headline, others)) = measures.split_first() else { return Ok(()) };
    let curve = column(headline);
    if curve.len() < 2 {
        return Ok(());
    }
    let beside = others.iter().find(|measure| measure.kind == MeasureKind::Fraction);
    let beside = beside.map(|measure| (measure, column(measure)));
    draw((headline, &curve), beside, picture).map_err(|error| anyhow!("drawing {}: {error}", picture.display()))
}

fn draw(
    (headline, curve): (&Measure, &Curve),
    beside: Option<(&Measure, Curve)>,
    picture: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(picture, (900, 540)).into_drawing_area();
    area.fill(&WHITE)?;
    let scale = headline.shown_scale();
    let curve: Curve = curve.iter().map(|(x, y)| (*x, scale * y)).collect();
    let last = curve.last().map_or(1.0, |point| point.0);
    let values = || curve.iter().map(|point| point.1);
    let (lowest, highest) = (values().fold(0.0, f64::min), values().fold(0.1, f64::max));
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .right_y_label_area_size(60)
        .build_cartesian_2d(0.0..last, lowest..1.1 * highest)?
        .set_secondary_coord(0.0..last, 0.0..105.0);
    chart.configure_mesh().x_desc("control steps, millions").y_desc(headline.heading()).draw()?;
    chart
        .draw_series(LineSeries::new(curve, BLUE.stroke_width(2)))?
        .label(headline.title)
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(2)));
    if let Some((measure, curve)) = beside {
        chart.configure_secondary_axes().y_desc(measure.heading()).draw()?;
        let percent = curve.into_iter().map(|(x, fraction)| (x, measure.shown_scale() * fraction));
        chart
            .draw_secondary_series(LineSeries::new(percent, RED.stroke_width(1)))?
            .label(measure.title)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], RED));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::LowerRight).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
