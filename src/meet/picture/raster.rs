//! The picture as dots: of every dot the nearest face.

use super::camera::{Frame, Seen, cameras, frames};
use super::faces::{Part, faces};
use giraffe_physics::SceneView;

/// One dot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dot {
    pub(super) color: [u8; 3],
    pub(super) part: Part,
    nearness: f32,
}

/// A square of dots, row by row from above; none where nothing is.
pub(super) struct Raster {
    pub(super) edge: usize,
    pub(super) dots: Vec<Option<Dot>>,
}

/// One raster per view.
pub(super) fn rasters(view: &SceneView, edge: usize) -> Vec<Raster> {
    let faces = faces(view);
    let views: Vec<Vec<Seen>> = cameras().iter().map(|camera| camera.see(&faces)).collect();
    views.iter().zip(frames(&views)).map(|(seen, frame)| Raster::of(seen, &frame, edge)).collect()
}

impl Raster {
    fn of(seen: &[Seen], frame: &Frame, edge: usize) -> Self {
        let mut raster = Self { edge, dots: vec![None; edge * edge] };
        let scale = edge as f32 / (2.0 * frame.half);
        let half = 0.5 * edge as f32;
        for face in seen {
            let place = |[x, y, nearness]: [f32; 3]| {
                [half + scale * (x - frame.center[0]), half - scale * (y - frame.center[1]), nearness]
            };
            let corners: Vec<[f32; 3]> = face.corners.iter().map(|corner| place(*corner)).collect();
            for index in 1..corners.len().saturating_sub(1) {
                raster.fill([corners[0], corners[index], corners[index + 1]], face);
            }
        }
        raster
    }

    /// Fills a triangle.
    fn fill(&mut self, [a, b, c]: [[f32; 3]; 3], face: &Seen) {
        let area =
            |p: [f32; 2], q: [f32; 3], r: [f32; 3]| (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
        let whole = area([a[0], a[1]], b, c);
        if whole.abs() < 1e-9 {
            return;
        }
        let range = |axis: usize| {
            let values = [a[axis], b[axis], c[axis]];
            let low = values.into_iter().fold(f32::INFINITY, f32::min).floor().max(0.0) as usize;
            let high = values.into_iter().fold(f32::NEG_INFINITY, f32::max).ceil().max(0.0) as usize;
            low..high.min(self.edge)
        };
        for row in range(1) {
            for column in range(0) {
                let at = [column as f32 + 0.5, row as f32 + 0.5];
                let weights = [area(at, b, c), area(at, c, a), area(at, a, b)].map(|part| part / whole);
                if weights.iter().any(|weight| *weight < -1e-4) {
                    continue;
                }
                let nearness = weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2];
                let dot = &mut self.dots[row * self.edge + column];
                if dot.is_none_or(|dot| dot.nearness < nearness) {
                    *dot = Some(Dot { color: face.color, part: face.part, nearness });
                }
            }
        }
    }
}
