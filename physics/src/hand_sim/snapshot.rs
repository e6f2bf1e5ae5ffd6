//! What a simulated world looks like.

use super::HandSim;
use crate::view::{ScenePoses, SceneShapes, SceneView};
use giraffe_robots::Signal;
use nalgebra::Isometry3;

impl HandSim {
    /// What this world looks like now: shapes and poses.
    pub fn snapshot(&self) -> SceneView {
        SceneView { shapes: self.shapes(), poses: self.poses() }
    }

    /// The shapes of hand and object. They change with an object swap, and with a change of size, stretch or fingertips.
    pub fn shapes(&self) -> SceneShapes {
        let parameters = &self.now.parameters;
        let object = parameters.object.formed(&self.now.object_shape);
        SceneShapes::new(self.scene.robot(), parameters.hand.tip_size_scale, object)
    }

    /// Where hand and object truly are.
    pub fn poses(&self) -> ScenePoses {
        let object = self.world.object().pose;
        ScenePoses {
            step: self.step,
            palm_from_links: self.scene.robot().forward_kinematics(&self.joints.positions),
            palm_from_object: Some(Isometry3::from_parts(object.position_m.into(), object.palm_from_object)),
            joints_rad: self.joints.positions.clone(),
            targets_rad: self.truth.read(Signal::JointTarget).unwrap_or(&[]).to_vec(),
            gravity_m_per_sec2: self.now.gravity_m_per_sec2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disturbance::{Disturbance, ObjectSwap, TimedDisturbance, WorldChange};
    use crate::parameters::{ObjectParameters, WorldParameters};
    use crate::plan::EpisodePlan;
    use crate::scene::{PhysicsSettings, SceneModel};
    use giraffe_robots::{
        EpisodeStart, GeomShape, Hand, OBJECTS, Region, SignalFrame, SignalLayout, find_object, load_robot,
    };
    use std::sync::Arc;

    fn sim(robot: &str, change: impl Fn(&mut EpisodePlan)) -> HandSim {
        let robot = Arc::new(load_robot(robot).expect("a built-in hand"));
        let start =
            EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
        let scene = SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default());
        let parameters = WorldParameters::nominal(&scene);
        let mut plan = EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed: 3 };
        change(&mut plan);
        HandSim::new(Arc::new(scene), plan)
    }

    fn run(sim: &mut HandSim, steps: usize) {
        let mut sensed = SignalFrame::new(SignalLayout::of(sim.model(), 0));
        let home = sim.model().home_rad.clone();
        for step in 0..steps {
            let sway = |(joint, home): (usize, &f32)| home + 0.4 * (0.3 * step as f32 + joint as f32).sin();
            let targets: Vec<f32> = home.iter().enumerate().map(sway).collect();
            sim.exchange(&targets, &mut sensed).expect("a finite world");
        }
    }

    #[test]
    fn every_shape_of_every_hand_is_shown_where_the_engine_has_it() {
        for name in ["leap-right", "leap-left", "allegro-right", "shadow-right"] {
            let mut sim = sim(name, |plan| plan.parameters.hand.tip_size_scale = 1.2);
            run(&mut sim, 30);
            let view = sim.snapshot();
            let links = view.shapes.links.iter().zip(&view.poses.palm_from_links);
            let shown: Vec<Isometry3<f32>> = links
                .flat_map(|(link, palm_from_link)| {
                    link.shapes.iter().map(move |shape| palm_from_link * shape.link_from_shape)
                })
                .collect();
            let collides = sim.world.palm_from_shapes();
            assert!(shown.len() > 10 && shown.len() == collides.len(), "{name}: {} shapes", shown.len());
            for (shown, collides) in shown.iter().zip(&collides) {
                let apart_m = (shown.translation.vector - collides.translation.vector).norm();
                assert!(apart_m < 1e-5, "{name}: {apart_m} m apart");
                assert!(shown.rotation.angle_to(&collides.rotation) < 1e-3, "{name}: {shown} {collides}");
            }
        }
    }

    #[test]
    fn a_view_says_what_the_hand_reports() {
        let mut sim = sim("leap-right", |plan| plan.parameters.joints[3].zero_offset_rad = 0.1);
        run(&mut sim, 7);
        let poses = sim.poses();
        assert_eq!((poses.step, &poses), (7, &sim.snapshot().poses));
        assert_eq!(poses.joints_rad, sim.truth().read(Signal::JointPosition).expect("written"));
        assert_eq!(poses.targets_rad, sim.truth().read(Signal::JointTarget).expect("written"));
        assert_eq!(poses.gravity_m_per_sec2.to_vec(), sim.truth().read(Signal::Gravity).expect("written"));
        let object = sim.object_pose();
        let shown = poses.palm_from_object.expect("simulated");
        assert_eq!((shown.translation.vector, shown.rotation), (object.position_m, object.palm_from_object));
    }

    #[test]
    fn the_shape_of_the_object_follows_its_sizes_its_change_and_its_swap() {
        let cube = |half: [f32; 3]| GeomShape::Box { half_extents_m: half };
        let near = |found: &GeomShape, expected: [f32; 3]| {
            let GeomShape::Box { half_extents_m } = found else { panic!("{found:?} is no box") };
            half_extents_m.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6)
        };
        let cylinder = find_object("cylinder").expect("in the catalogue").shape;
        let mut sim = sim("leap-right", |plan| {
            plan.parameters.object.size_scale = 0.8;
            let mut other = plan.parameters.clone();
            (other.object.size_scale, other.object.stretch) = (0.9, 1.44);
            let change = WorldChange { parameters: other, over_secs: 0.0, sampled: Vec::new() };
            let parameters = ObjectParameters { size_scale: 0.5, ..plan.parameters.object };
            let object = Some("cylinder".to_owned());
            let swap = ObjectSwap { object, parameters, friction_scale: 1.0, sampled: Vec::new() };
            plan.disturbances = vec![
                TimedDisturbance { step: 2, disturbance: Disturbance::Change(Box::new(change)) },
                TimedDisturbance { step: 4, disturbance: Disturbance::ObjectSwap(swap) },
            ];
        });
        assert_eq!(OBJECTS[0].shape, cube([0.035; 3]));
        assert!(near(&sim.shapes().object, [0.028; 3]), "{:?}", sim.shapes().object);
        run(&mut sim, 3);
        // As long as 1.44, as wide as 1 / sqrt(1.44), and all of it 0.9 times.
        let stretched = [0.035 * 0.9 / 1.2, 0.035 * 0.9 / 1.2, 0.035 * 0.9 * 1.44];
        assert!(near(&sim.shapes().object, stretched), "{:?}", sim.shapes().object);
        run(&mut sim, 2);
        let GeomShape::Cylinder { half_length_m, radius_m } = cylinder else { panic!("{cylinder:?}") };
        let half = GeomShape::Cylinder { half_length_m: 0.5 * half_length_m, radius_m: 0.5 * radius_m };
        assert_eq!(sim.shapes().object, half);
    }

    #[test]
    fn only_fingertips_are_shown_with_another_size_of_fingertips_and_a_view_reads_back_as_it_was_written() {
        let (small, large) = (
            sim("leap-right", |_| ()).snapshot(),
            sim("leap-right", |plan| plan.parameters.hand.tip_size_scale = 2.0).snapshot(),
        );
        let pairs =
            small.shapes.links.iter().zip(&large.shapes.links).flat_map(|(a, b)| a.shapes.iter().zip(&b.shapes));
        let mut tips = 0;
        for (small, large) in pairs {
            assert_eq!(small.shape == large.shape, small.region != Region::Tip, "{small:?} {large:?}");
            tips += usize::from(small.region == Region::Tip);
        }
        assert!(tips >= 4, "{tips}");
        let bytes = rmp_serde::to_vec_named(&large).expect("plain numbers");
        assert_eq!(rmp_serde::from_slice::<SceneView>(&bytes).expect("a view"), large);
    }
}
