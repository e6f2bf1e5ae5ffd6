//! The picture as dots: of every dot the nearest face.

use super::camera::{Frame, SeenFace, cameras, frames};
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
    let views: Vec<Vec<SeenFace>> = cameras().iter().map(|camera| camera.see(&faces)).collect();
    views.iter().zip(frames(&views)).map(|(seen, frame)| Raster::of(seen, &frame, edge)).collect()
}

impl Raster {
    fn of(seen: &[SeenFace], frame: &Frame, edge: usize) -> Self {
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
    fn fill(&mut self, [a, b, c]: [[f32; 3]; 3], face: &SeenFace) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meet::picture::svg::svg;
    use giraffe_physics::{LinkShapes, PlacedShape, ScenePoses, SceneShapes};
    use giraffe_robots::{GeomShape, Region};
    use nalgebra::Isometry3;

    /// A palm at the origin, a fingertip to the front and to the left of it, and the object above.
    fn scene() -> SceneView {
        let ball = |radius_m| GeomShape::Sphere { radius_m };
        let link = |name: &str, region| {
            let placed = PlacedShape { shape: ball(0.02), link_from_shape: Isometry3::identity(), region };
            LinkShapes { name: name.to_owned(), shapes: vec![placed] }
        };
        SceneView {
            shapes: SceneShapes {
                links: vec![link("palm", Region::Palm), link("tip", Region::Tip)],
                object: ball(0.025),
            },
            poses: ScenePoses {
                step: 0,
                palm_from_links: vec![Isometry3::identity(), Isometry3::translation(0.1, 0.06, 0.0)],
                palm_from_object: Some(Isometry3::translation(0.0, 0.0, 0.1)),
                joints_rad: Vec::new(),
                targets_rad: Vec::new(),
                gravity_m_per_sec2: [0.0; 3],
            },
        }
    }

    /// Mean column and row of a part; none where it is hidden.
    fn place(raster: &Raster, part: Part) -> Option<[f32; 2]> {
        let own = (0..raster.dots.len()).filter(|at| raster.dots[*at].is_some_and(|dot| dot.part == part));
        let (count, x, y) = own.fold((0.0, 0.0, 0.0), |(count, x, y), at| {
            (count + 1.0, x + (at % raster.edge) as f32, y + (at / raster.edge) as f32)
        });
        (count > 0.0).then(|| [x / count, y / count])
    }

    #[test]
    fn right_is_right_up_is_up_and_what_is_nearer_hides_what_is_farther() {
        let [above, side, _] = &rasters(&scene(), 80)[..] else { panic!("three views") };
        assert_eq!(place(above, Part::Palm), None, "the object lies before it");
        let at = |raster, part| place(raster, part).expect("seen");
        let (tip, object) = (at(above, Part::Tip), at(above, Part::Object));
        assert!(tip[0] > object[0] + 10.0 && tip[1] < object[1] - 5.0, "{tip:?} {object:?}");
        let (tip, palm, object) = (at(side, Part::Tip), at(side, Part::Palm), at(side, Part::Object));
        assert!(tip[0] > palm[0] + 10.0 && object[1] < palm[1] - 10.0, "{tip:?} {palm:?} {object:?}");
    }

    #[test]
    fn the_nearest_face_is_drawn_last() {
        let text = svg(&scene(), "a hand");
        let above = text.split("<g").nth(1).expect("the view from above");
        let order: Vec<&str> =
            above.lines().filter_map(|line| line.split("data-of=\"").nth(1)?.split('"').next()).collect();
        let last = |name: &str| order.iter().rposition(|of| of.starts_with(name)).expect("drawn");
        assert!(last("object") > last("palm"), "{order:?}");
    }
}
