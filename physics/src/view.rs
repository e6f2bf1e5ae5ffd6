//! What a hand and an object look like: for viewers, reports and logs. Plain data, without a word of any engine.
//!
//! What seldom changes (shapes) is apart from what moves in every step (poses), so that whoever shows it can send the first
//! once, and again when it is another.

use crate::parameters::scaled;
use giraffe_robots::{GeomShape, Region, RobotModel};
use nalgebra::Isometry3;
use serde::{Deserialize, Serialize};

/// A hand and an object at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneView {
    /// What seldom changes.
    pub shapes: SceneShapes,
    /// What moves.
    pub poses: ScenePoses,
}

/// Of what form everything is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneShapes {
    /// One per body of the description, in its order: the palm first.
    pub links: Vec<LinkShapes>,
    /// The object's, in its own frame: as it is now, stretched and scaled.
    pub object: GeomShape,
}

/// The shapes of one link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkShapes {
    /// The body's name in the description.
    pub name: String,
    /// What collides; none where the body is only a frame.
    pub shapes: Vec<PlacedShape>,
}

/// A shape on a link.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlacedShape {
    /// As it is now, scaled.
    pub shape: GeomShape,
    /// Where it is on its link.
    pub link_from_shape: Isometry3<f32>,
    /// Part of the hand it belongs to.
    pub region: Region,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenePoses {
    /// Control steps since the start of the episode.
    pub step: u32,
    /// One per link, in the order of [`SceneShapes::links`].
    pub palm_from_links: Vec<Isometry3<f32>>,
    /// Where the object is; none where nobody knows.
    pub palm_from_object: Option<Isometry3<f32>>,
    /// Joint angles, rad, canonical order.
    pub joints_rad: Vec<f32>,
    /// Joint targets as the hand reports them, rad, canonical order.
    pub targets_rad: Vec<f32>,
    /// Gravity as the palm feels it, palm frame.
    pub gravity_m_per_sec2: [f32; 3],
}

impl SceneShapes {
    /// Those of a hand whose fingertips are so many times their nominal size, and of an object.
    pub fn new(robot: &RobotModel, tip_size_scale: f32, object: GeomShape) -> Self {
        let scale = |region| if region == Region::Tip { tip_size_scale } else { 1.0 };
        let links = robot.bodies.iter().map(|body| LinkShapes {
            name: body.name.clone(),
            shapes: body
                .geoms
                .iter()
                .map(|geom| PlacedShape {
                    shape: scaled(&geom.shape, scale(geom.region)),
                    link_from_shape: geom.body_from_geom,
                    region: geom.region,
                })
                .collect(),
        });
        Self { links: links.collect(), object }
    }
}
