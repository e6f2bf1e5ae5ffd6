//! Views without perspective.

use super::faces::{Face, Part};
use nalgebra::{Point3, Vector3};

/// Where one looks from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    pub(super) name: &'static str,
    right: Vector3<f32>,
    up: Vector3<f32>,
    /// Toward whoever looks.
    toward: Vector3<f32>,
}

/// From above, with the fingers pointing right; from the right-hand side of that; and from a corner between both.
pub(super) fn cameras() -> [Camera; 3] {
    let standing = |name, toward: Vector3<f32>| {
        let toward = toward.normalize();
        let right = Vector3::z().cross(&toward).normalize();
        Camera { name, right, up: toward.cross(&right), toward }
    };
    [
        Camera { name: "from above", right: Vector3::x(), up: Vector3::y(), toward: Vector3::z() },
        standing("from the side", -Vector3::y()),
        standing("from a corner", Vector3::new(0.7, -0.9, 0.75)),
    ]
}

/// A face on the page.
#[derive(Debug, Clone)]
pub(super) struct SeenFace {
    /// To the right, upward, and toward whoever looks, m.
    pub(super) corners: Vec<[f32; 3]>,
    /// Red, green, blue, as it is lit.
    pub(super) color: [u8; 3],
    pub(super) part: Part,
    pub(super) of: Option<(usize, usize)>,
}

impl SeenFace {
    /// How near it is, on the whole.
    pub(super) fn nearness(&self) -> f32 {
        self.corners.iter().map(|corner| corner[2]).sum::<f32>() / self.corners.len().max(1) as f32
    }
}

impl Camera {
    fn project(&self, point: &Point3<f32>) -> [f32; 3] {
        [&self.right, &self.up, &self.toward].map(|axis| axis.dot(&point.coords))
    }

    /// The faces that look this way.
    pub(super) fn see(&self, faces: &[Face]) -> Vec<SeenFace> {
        // Over the left shoulder.
        let light = (self.toward * 0.8 + self.up * 0.5 - self.right * 0.35).normalize();
        let facing = faces.iter().filter(|face| face.normal.dot(&self.toward) > 1e-4);
        let seen = |face: &Face| {
            let shade = 0.5 + 0.5 * face.normal.dot(&light).max(0.0);
            SeenFace {
                corners: face.corners.iter().map(|corner| self.project(corner)).collect(),
                color: face.part.color().map(|value| (f32::from(value) * shade) as u8),
                part: face.part,
                of: face.of,
            }
        };
        facing.map(seen).collect()
    }
}

/// A rectangle of the page, m.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) center: [f32; 2],
    /// Half of its edge; all views of a scene have the same.
    pub(super) half: f32,
}

/// One square frame per view, all of one scale, with a little room around what is seen.
pub(super) fn frames(views: &[Vec<SeenFace>]) -> Vec<Frame> {
    let bounds = |view: &Vec<SeenFace>, axis: usize| {
        let values = view.iter().flat_map(|face| face.corners.iter().map(move |corner| corner[axis]));
        let (low, high) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if low <= high { (low, high) } else { (-0.1, 0.1) }
    };
    let boxes: Vec<[(f32, f32); 2]> = views.iter().map(|view| [bounds(view, 0), bounds(view, 1)]).collect();
    let half = boxes.iter().flatten().map(|(low, high)| 0.5 * (high - low)).fold(1e-3, f32::max);
    let frame = |of: &[(f32, f32); 2]| Frame { center: of.map(|(low, high)| 0.5 * (low + high)), half: 1.04 * half };
    boxes.iter().map(frame).collect()
}
