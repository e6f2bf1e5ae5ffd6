//! How far ranges grew, parameter by parameter.

use crate::learn::adr_log::AdrLine;
use crate::study::chart::{Area, Drawn, color, picture};
use crate::study::named_run::NamedRun;
use anyhow::Result;
use giraffe_randomization::{AdrReport, Side};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const BAR_PIXELS: i32 = 5;
const GAP_PIXELS: i32 = 8;
const LEFT_PIXELS: i32 = 210;
const RIGHT_PIXELS: i32 = 20;
const TOP_PIXELS: i32 = 60;
const WIDTH_PIXELS: i32 = 900;

/// One bar per parameter and run, from the lower to the upper edge in units of reach: 0 is nominal, -1 and 1 are the edges
/// of the configured range. A grey line shows how far a side may go.
///
/// # Errors
/// When the picture cannot be written.
pub fn draw(runs: &[(&NamedRun, &AdrLine)], names: &[&str], path: &Path) -> Result<()> {
    let mut rows: Vec<&str> = Vec::new();
    for (_, line) in runs {
        for range in line.report.ranges.iter().filter(|range| range.relative_width.is_some()) {
            if !rows.contains(&range.name.as_str()) {
                rows.push(&range.name);
            }
        }
    }
    let height = TOP_PIXELS + rows.len() as i32 * row_pixels(runs.len()) + 30;
    picture(path, (WIDTH_PIXELS as u32, height as u32), |area| draw_rows(area, runs, names, &rows, height))
}

fn row_pixels(run_count: usize) -> i32 {
    (run_count as i32 * BAR_PIXELS + GAP_PIXELS).max(14)
}

/// How far a parameter reaches on one side, and how far it may; nothing where it has no such side.
fn reach(report: &AdrReport, name: &str, side: Side) -> Option<(f64, f64)> {
    let found = report.sides.iter().find(|at| at.side == side && at.group.split('+').any(|member| member == name))?;
    Some((found.reach, found.max_reach))
}

fn draw_rows(area: &Area<'_>, runs: &[(&NamedRun, &AdrLine)], names: &[&str], rows: &[&str], height: i32) -> Drawn {
    let all = runs.iter().flat_map(|(_, line)| &line.report.sides);
    let most = all.map(|side| side.reach).fold(1.0, f64::max).ceil();
    let pixels_per_reach = f64::from(WIDTH_PIXELS - LEFT_PIXELS - RIGHT_PIXELS) / (2.0 * most);
    let x_of = |reach: f64| LEFT_PIXELS + ((reach + most) * pixels_per_reach).round() as i32;
    let small = ("sans-serif", 12).into_font().color(&BLACK);
    let right = small.pos(Pos::new(HPos::Right, VPos::Center));
    let middle = small.pos(Pos::new(HPos::Center, VPos::Center));
    for tick in (-most as i32)..=(most as i32) {
        let (x, strong) = (x_of(tick.into()), tick.abs() <= 1);
        let style = if strong { BLACK.mix(0.6) } else { BLACK.mix(0.15) };
        area.draw(&PathElement::new([(x, TOP_PIXELS - 8), (x, height - 24)], style))?;
        area.draw(&Text::new(tick.to_string(), (x, height - 14), middle.clone()))?;
    }
    let title = "reach at the end of training: 0 is nominal, -1 and 1 are the edges of the configured ranges";
    area.draw(&Text::new(title, (WIDTH_PIXELS / 2, 14), middle))?;
    draw_legend(area, names)?;
    for (index, name) in rows.iter().enumerate() {
        let top = TOP_PIXELS + index as i32 * row_pixels(runs.len());
        let center = top + (row_pixels(runs.len()) - GAP_PIXELS) / 2;
        area.draw(&Text::new((*name).to_owned(), (LEFT_PIXELS - 8, center), right.clone()))?;
        for (slot, (run, line)) in runs.iter().enumerate() {
            let (lower, upper) = (reach(&line.report, name, Side::Lower), reach(&line.report, name, Side::Upper));
            let y = top + slot as i32 * BAR_PIXELS;
            let limit = |side: Option<(f64, f64)>| side.map_or(0.0, |(_, limit)| limit.min(most));
            let may = [(x_of(-limit(lower)), y + 2), (x_of(limit(upper)), y + 2)];
            area.draw(&PathElement::new(may, BLACK.mix(0.12)))?;
            let at = |side: Option<(f64, f64)>| side.map_or(0.0, |(reach, _)| reach);
            let which = names.iter().position(|other| *other == run.name).unwrap_or(0);
            // A range that is still a point is seen as one.
            let bar = [(x_of(-at(lower)) - 1, y), (x_of(at(upper)) + 1, y + BAR_PIXELS - 1)];
            area.draw(&Rectangle::new(bar, color(which).filled()))?;
        }
    }
    Ok(())
}

fn draw_legend(area: &Area<'_>, names: &[&str]) -> Drawn {
    let style = ("sans-serif", 12).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let mut x = LEFT_PIXELS;
    for (index, name) in names.iter().enumerate() {
        area.draw(&Rectangle::new([(x, 30), (x + 14, 38)], color(index).filled()))?;
        area.draw(&Text::new((*name).to_owned(), (x + 20, 34), style.clone()))?;
        x += 40 + 8 * name.chars().count() as i32;
    }
    Ok(())
}
