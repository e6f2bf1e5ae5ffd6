//! Pictures of a comparison.

use super::EnginesReport;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

/// The pictures and what they show.
pub const PICTURES: [(&str, &str); 5] = [
    ("joint_response.svg", "one joint follows its target"),
    ("joint_error.svg", "joint error against the physics step"),
    ("rest.svg", "an object at rest creeps"),
    ("slip.svg", "slip angle against friction"),
    ("squeeze.svg", "contact force against torque over lever arm"),
];

/// Points of one curve.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
    /// Dots on their own, or a line.
    dots: bool,
}

struct Chart<'c> {
    x: &'c str,
    y: &'c str,
    /// Logarithms to base ten of both.
    logarithmic: bool,
    curves: Vec<Curve>,
}

/// Draws every picture of a report into its folder.
///
/// # Errors
/// When a picture cannot be written.
pub fn draw_all(report: &EnginesReport, out: &Path) -> Result<()> {
    let charts = [joint_response(report), joint_error(report), rest(report), slip(report), squeeze(report)];
    for ((name, _), chart) in PICTURES.iter().zip(charts) {
        let path = out.join(name);
        draw(&chart, &path).map_err(|error| anyhow!("drawing {}: {error}", path.display()))?;
    }
    Ok(())
}

fn joint_response(report: &EnginesReport) -> Chart<'static> {
    let curve = |(name, points): &(String, Vec<(f64, f64)>)| Curve {
        name: name.clone(),
        points: points.iter().copied().filter(|(secs, _)| *secs <= 4.0).collect(),
        dots: name.starts_with("rapier"),
    };
    let curves = report.joint_response.curves.iter().map(curve).collect();
    Chart { x: "time, s", y: "joint angle, rad", logarithmic: false, curves }
}

fn joint_error(report: &EnginesReport) -> Chart<'static> {
    let of = |name: &str, wanted: &dyn Fn(&super::joints::JointError) -> bool| Curve {
        name: name.to_owned(),
        points: report
            .joint_response
            .errors
            .iter()
            .filter(|error| wanted(error) && error.rms_rad > 0.0)
            .map(|error| (1e3 * error.step_secs, 1e3 * error.rms_rad))
            .collect(),
        dots: true,
    };
    let discrete = |error: &super::joints::JointError| error.engine.contains("discrete");
    let curves = vec![
        of("rapier", &|error| error.is_rapier),
        of("MuJoCo, implicitfast", &|error| !error.is_rapier && !discrete(error)),
        of("MuJoCo, discrete", &discrete),
    ];
    Chart { x: "physics step, ms", y: "joint error, mrad rms", logarithmic: true, curves }
}

fn rest(report: &EnginesReport) -> Chart<'static> {
    let curve = |row: &super::contact::Rest| Curve {
        name: row.engine.clone(),
        points: row.curve.iter().map(|(secs, meters)| (*secs, 1e3 * meters)).collect(),
        dots: false,
    };
    Chart { x: "time, s", y: "creep, mm", logarithmic: false, curves: report.rest.iter().map(curve).collect() }
}

fn slip(report: &EnginesReport) -> Chart<'static> {
    let theory = report.slip.iter().map(|row| (f64::from(row.friction), row.theory_degrees)).collect();
    let mut curves = vec![Curve { name: "atan(friction)".to_owned(), points: theory, dots: false }];
    curves.extend(by_engine(report.slip.iter().filter_map(|row| {
        let slip_degrees = row.slip_degrees?;
        Some((row.engine.as_str(), (f64::from(row.friction), slip_degrees)))
    })));
    Chart { x: "friction", y: "slip angle, degrees", logarithmic: false, curves }
}

fn squeeze(report: &EnginesReport) -> Chart<'static> {
    let most = report.squeeze.iter().map(|row| row.expected_newton).fold(0.0, f64::max);
    let theory = vec![(0.0, 0.0), (most, most)];
    let mut curves = vec![Curve { name: "equal".to_owned(), points: theory, dots: false }];
    curves.extend(by_engine(
        report.squeeze.iter().map(|row| (row.engine.as_str(), (row.expected_newton, row.force_newton))),
    ));
    Chart { x: "torque over lever arm, N", y: "contact force, N", logarithmic: false, curves }
}

/// One curve of dots per engine, in the order they come.
fn by_engine<'r>(points: impl Iterator<Item = (&'r str, (f64, f64))>) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for (name, point) in points {
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve { name: name.to_owned(), points: vec![point], dots: true }),
        }
    }
    curves
}

fn draw(chart: &Chart, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, (900, 540)).into_drawing_area();
    area.fill(&WHITE)?;
    let scaled = |(x, y): (f64, f64)| if chart.logarithmic { (x.log10(), y.log10()) } else { (x, y) };
    let all = chart.curves.iter().flat_map(|curve| &curve.points).map(|point| scaled(*point));
    let finite: Vec<(f64, f64)> = all.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let mut y = range(finite.iter().map(|point| point.1));
    // Room for the legend.
    y.end += 0.3 * (y.end - y.start);
    draw_curves(chart, &area, &scaled, range(finite.iter().map(|point| point.0)), y)?;
    area.present()?;
    Ok(())
}

/// From the smallest to the largest, with some room.
fn range(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let (low, high) = (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
    let room = 0.05 * (high - low).max(1e-9);
    if low.is_finite() { low - room..high + room } else { 0.0..1.0 }
}

fn draw_curves(
    chart: &Chart,
    area: &DrawingArea<SVGBackend, Shift>,
    scaled: &dyn Fn((f64, f64)) -> (f64, f64),
    x: std::ops::Range<f64>,
    y: std::ops::Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut axes =
        ChartBuilder::on(area).margin(16).x_label_area_size(44).y_label_area_size(70).build_cartesian_2d(x, y)?;
    let number = |value: &f64| {
        let shown = if chart.logarithmic { 10f64.powf(*value) } else { *value };
        // At most four digits, no tail of zeros.
        format!("{}", (shown * 1e4).round() * 1e-4).chars().take(6).collect::<String>()
    };
    axes.configure_mesh()
        .x_desc(chart.x)
        .y_desc(chart.y)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;
    for (index, curve) in chart.curves.iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        let points: Vec<(f64, f64)> = curve.points.iter().map(|point| scaled(*point)).collect();
        let drawn = if curve.dots {
            axes.draw_series(points.into_iter().map(|point| Circle::new(point, 3, color.filled())))?
        } else {
            axes.draw_series(LineSeries::new(points, color.stroke_width(2)))?
        };
        drawn.label(&curve.name).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(3)));
    }
    axes.configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}
