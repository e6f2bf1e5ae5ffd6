//! From a command to what the joints are told in each physics step.

use super::Joints;
use crate::actuation::{DelayLine, Servos};
use crate::engine::World;
use crate::parameters::WorldParameters;
use crate::scene::SceneModel;

/// The way of a command to the joints.
pub(super) struct Actuators {
    delay: DelayLine,
    servos: Servos,
    /// Per joint: until which step it is jammed, and at which angle.
    jams: Vec<Option<(u32, f32)>>,
    /// Per joint: the target of the physics step that is under way, rad in the joint's true frame.
    targets_rad: Vec<f32>,
}

impl Actuators {
    /// Actuators that have always held the hand at `start_rad`.
    pub fn new(scene: &SceneModel, parameters: &WorldParameters, noise_seed: u64, start_rad: &[f32]) -> Self {
        let robot = scene.robot();
        let period_secs = robot.control.period_secs;
        Self {
            delay: DelayLine::new(parameters.actuation, &parameters.joints, period_secs, noise_seed, start_rad),
            servos: Servos::new(robot, parameters, scene.substep_secs()),
            jams: vec![None; robot.joint_count()],
            targets_rad: vec![0.0; robot.joint_count()],
        }
    }

    /// Other actuators from now on.
    pub fn apply(&mut self, scene: &SceneModel, parameters: &WorldParameters) {
        let robot = scene.robot();
        self.delay.apply(parameters.actuation, &parameters.joints, robot.control.period_secs);
        self.servos = Servos::new(robot, parameters, scene.substep_secs());
    }

    /// A new command, rad in the joints' true frame, at the start of the next control step.
    pub fn command(&mut self, true_targets_rad: &[f32]) {
        self.delay.push(true_targets_rad);
    }

    /// Lets a joint hold an angle until a control step.
    pub fn jam(&mut self, joint: usize, until: u32, angle_rad: f32) {
        self.jams[joint] = Some((until, angle_rad));
    }

    /// Frees the joints whose time is over at this control step.
    pub fn unjam(&mut self, step: u32) {
        for jam in &mut self.jams {
            *jam = jam.filter(|(until, _)| step < *until);
        }
    }

    /// Tells every servo what to do during the next physics step: the part `[begin, end]` of the control step.
    pub fn drive(&mut self, [begin, end]: [f64; 2], joints: &mut Joints, world: &mut World) {
        self.delay.average(begin, end, &mut self.targets_rad);
        if self.servos.need_speed() {
            world.joint_velocities(&mut joints.velocities);
        }
        for (joint, &target) in self.targets_rad.iter().enumerate() {
            let angle = joints.positions[joint];
            let motor = match self.jams[joint] {
                Some((_, held)) => self.servos.holding(joint, held),
                None => self.servos.motor(joint, target, angle, joints.velocities[joint]),
            };
            match motor {
                Some(motor) => world.set_motor(joint, &motor),
                None => world.set_target(joint, self.jams[joint].map_or(target, |(_, held)| held)),
            }
        }
    }

    /// The angle of a joint on the motor's side of its play, where the encoder sits, rad. What is jammed has no play.
    pub fn encoder_side_rad(&self, joint: usize, angle_rad: f32) -> f32 {
        match self.jams[joint] {
            Some(_) => angle_rad,
            None => self.servos.encoder_side_rad(joint, self.targets_rad[joint], angle_rad),
        }
    }
}
