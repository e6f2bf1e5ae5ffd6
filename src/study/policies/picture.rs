//! The headline of all policies on all test sets, in one picture.

use super::{GroupReport, PoliciesReport};
use crate::study::chart::{Area, Drawn, color, legend, picture, range};
use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// Name of the file.
pub const FILE: &str = "policies.svg";

/// One block per test set, in it one bar per name: as high as the median of its runs, a dot for every run, and the 95 %
/// interval of the mean over worlds.
///
/// # Errors
/// When it cannot be written.
pub fn draw(report: &PoliciesReport, path: &Path) -> Result<()> {
    let bars: usize = report.test_sets.iter().map(|set| set.groups.len() + 1).sum();
    let width = (120 + 46 * bars as u32).clamp(480, 1600);
    picture(path, (width, 460), |area| draw_blocks(area, report))
}

fn draw_blocks(area: &Area<'_>, report: &PoliciesReport) -> Drawn {
    let Some(headline) = report.measures.first() else { return Ok(()) };
    let scale = headline.shown_scale();
    let groups = || report.test_sets.iter().flat_map(|set| &set.groups);
    let ends = groups().filter_map(|group| group.measures.first()).flat_map(|of_group| {
        let interval = of_group.estimate.and_then(|mean| mean.ci95).into_iter().flatten();
        interval.chain(of_group.lowest).chain(of_group.highest).map(|end| scale * end)
    });
    let mut rates = range(ends.chain([0.0]), 0.04);
    // Room for the legend.
    rates.end += 0.2 * (rates.end - rates.start);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.5..report.test_sets.len() as f64 - 0.5, rates.clone())?;
    chart.configure_mesh().disable_x_mesh().light_line_style(WHITE).x_labels(0).y_desc(headline.heading()).draw()?;
    let count = report.test_sets.first().map_or(1, |set| set.groups.len().max(1));
    let slot = 0.8 / count as f64;
    for which in 0..count {
        let of_name = report.test_sets.iter().enumerate().filter_map(|(set, tested)| {
            Some((set as f64 - 0.4 + (which as f64 + 0.5) * slot, tested.groups.get(which)?))
        });
        let placed: Vec<(f64, &GroupReport)> = of_name.collect();
        let of_headline = |group: &GroupReport| group.measures.first().cloned();
        let bar = |(x, group): &(f64, &GroupReport)| {
            let median = of_headline(group)?.median?;
            let corners = [(x - 0.42 * slot, 0.0), (x + 0.42 * slot, scale * median)];
            Some(Rectangle::new(corners, color(which).mix(0.55).filled()))
        };
        let name = placed.first().map_or("", |(_, group)| &group.name);
        chart
            .draw_series(placed.iter().filter_map(bar))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], color(which).mix(0.55).filled()));
        let whisker = |(x, group): &(f64, &GroupReport)| {
            let interval = of_headline(group)?.estimate?.ci95?;
            let ends = interval.map(|end| (scale * end).clamp(rates.start, rates.end));
            Some(PathElement::new([(*x, ends[0]), (*x, ends[1])], BLACK.stroke_width(2)))
        };
        chart.draw_series(placed.iter().filter_map(whisker))?;
        let dots = placed.iter().flat_map(|(x, group)| {
            let scores = group.runs.iter().filter_map(|run| Some(scale * run.score.headline()?.value));
            let apart = 0.5 * slot / group.runs.len() as f64;
            let first = x - 0.5 * apart * (group.runs.len() as f64 - 1.0);
            scores.enumerate().map(move |(index, rate)| (first + apart * index as f64, rate)).collect::<Vec<_>>()
        });
        chart.draw_series(dots.map(|at| Circle::new(at, 3, BLACK.filled())))?;
    }
    let below = ("sans-serif", 14).into_font().color(&BLACK).pos(Pos::new(HPos::Center, VPos::Top));
    for (set, tested) in report.test_sets.iter().enumerate() {
        let (x, y) = chart.plotting_area().map_coordinate(&(set as f64, rates.start));
        area.draw(&Text::new(tested.name.clone(), (x, y + 10), below.clone()))?;
    }
    legend(&mut chart)
}
