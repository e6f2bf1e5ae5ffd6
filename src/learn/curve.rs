//! The picture that training leaves in a run's folder.

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use serde::Deserialize;
use std::path::Path;

/// One line of the metrics, as far as the picture needs it.
#[derive(Deserialize)]
struct Row {
    control_steps: u64,
    rotation_rate_rad_per_sec: f64,
    no_drop_fraction: Option<f64>,
}

/// Draws rotation rate and share of undropped episodes over control steps.
///
/// # Errors
/// When the metrics cannot be read or the picture not written. Too few rows draw nothing.
pub fn learning_curve(metrics: &Path, picture: &Path) -> Result<()> {
    let text = std::fs::read_to_string(metrics).with_context(|| format!("reading {}", metrics.display()))?;
    let rows: Vec<Row> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if rows.len() < 2 {
        return Ok(());
    }
    draw(&rows, picture).map_err(|error| anyhow!("drawing {}: {error}", picture.display()))
}

fn draw(rows: &[Row], picture: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(picture, (900, 540)).into_drawing_area();
    area.fill(&WHITE)?;
    let millions = |row: &Row| row.control_steps as f64 * 1e-6;
    let last = rows.last().map_or(1.0, millions);
    let highest = rows.iter().map(|row| row.rotation_rate_rad_per_sec).fold(0.1, f64::max);
    let lowest = rows.iter().map(|row| row.rotation_rate_rad_per_sec).fold(0.0, f64::min);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .right_y_label_area_size(60)
        .build_cartesian_2d(0.0..last, lowest..1.1 * highest)?
        .set_secondary_coord(0.0..last, 0.0..1.05);
    chart.configure_mesh().x_desc("control steps, millions").y_desc("rotation rate, rad/s").draw()?;
    chart.configure_secondary_axes().y_desc("episodes without a drop").draw()?;
    let rate = rows.iter().map(|row| (millions(row), row.rotation_rate_rad_per_sec));
    let kept = rows.iter().filter_map(|row| Some((millions(row), row.no_drop_fraction?)));
    chart
        .draw_series(LineSeries::new(rate, BLUE.stroke_width(2)))?
        .label("rotation rate")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(2)));
    chart
        .draw_secondary_series(LineSeries::new(kept, RED.stroke_width(1)))?
        .label("without a drop")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], RED));
    chart.configure_series_labels().position(SeriesLabelPosition::LowerRight).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
