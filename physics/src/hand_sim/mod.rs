//! One simulated hand with an object, for one episode. Implements [`Hand`], as a real hand does.

mod actuators;
mod change;
mod meddling;
mod now;
mod sensors;
mod snapshot;
mod sound;
mod ties;
mod uplink;

use crate::actuation::with_dead_servos;
use crate::clock::UnevenClock;
use crate::disturbance::{Disturbance, ObjectSwap};
use crate::engine::{Broken, ContactSummary, World};
use crate::plan::EpisodePlan;
use crate::scene::SceneModel;
use crate::sensing::TrackedPose;
use actuators::Actuators;
use giraffe_robots::{
    Commanded, Hand, HandError, Nanos, ObjectPose, RobotModel, Signal, SignalFrame, SignalLayout, find_object,
};
use meddling::Meddling;
use now::Now;
use sensors::Sensors;
use std::sync::Arc;
use ties::Ties;
use uplink::Uplink;

/// One world: a hand, an object, and an [`EpisodePlan`] that fixes everything random about them.
///
/// Two worlds with the same plan and the same targets give the same bits.
pub struct HandSim {
    scene: Arc<SceneModel>,
    plan: EpisodePlan,
    now: Now,
    world: World,
    joints: Joints,
    uplink: Uplink,
    actuators: Actuators,
    sensors: Sensors,
    meddling: Meddling,
    ties: Ties,
    /// None where every step is as long as the control period.
    clock: Option<UnevenClock>,
    truth: SignalFrame,
    step: u32,
}

/// Where the joints truly are.
struct Joints {
    /// rad
    positions: Vec<f32>,
    /// rad/s
    velocities: Vec<f32>,
}

impl Joints {
    /// Joints that stand still at these angles, rad.
    fn at(positions: Vec<f32>) -> Self {
        Self { velocities: vec![0.0; positions.len()], positions }
    }
}

impl HandSim {
    /// The start of the episode that `plan` describes.
    ///
    /// # Panics
    /// When the plan is for a hand with another number of joints: a mistake in this program.
    pub fn new(scene: Arc<SceneModel>, plan: EpisodePlan) -> Self {
        let robot = scene.robot();
        assert_eq!(plan.parameters.joints.len(), robot.joint_count(), "parameters of every joint");
        let seed = plan.noise_seed;
        let broken = with_dead_servos(&plan.parameters, robot, seed);
        let parameters = broken.as_ref().unwrap_or(&plan.parameters);
        let start = parameters.start_positions_rad(robot, &plan.start);
        let world = World::build(&scene, parameters, &plan.start);
        let object = world.object().pose;
        let mut sim = Self {
            now: Now::new(&scene, &plan),
            world,
            uplink: Uplink::new(parameters.link, robot.control.period_secs, seed),
            actuators: Actuators::new(&scene, parameters, seed, &start),
            sensors: Sensors::new(&scene, parameters, seed, &start, object),
            meddling: Meddling::new(&scene, parameters, seed),
            ties: Ties::default(),
            clock: UnevenClock::new(parameters.clock, scene.substep_secs(), seed),
            truth: SignalFrame::new(SignalLayout::of(robot, plan.sampled.len())),
            step: 0,
            joints: Joints::at(start),
            scene: Arc::clone(&scene),
            plan,
        };
        let reported = sim.reported_targets(&sim.joints.positions);
        sim.write_truth(&reported);
        sim
    }

    /// The plan this world follows.
    pub fn plan(&self) -> &EpisodePlan {
        &self.plan
    }

    /// What is true now, as no real hand can know it.
    pub fn truth(&self) -> &SignalFrame {
        &self.truth
    }

    /// The same, for a task to write its goal into.
    pub(crate) fn truth_mut(&mut self) -> &mut SignalFrame {
        &mut self.truth
    }

    /// What the tracker says of the object, as it came in when the hand was sensed last: nobody has judged it yet.
    pub fn tracked_object(&self) -> TrackedPose {
        self.sensors.tracked()
    }

    /// Where the object truly is.
    pub fn object_pose(&self) -> ObjectPose {
        self.world.object().pose
    }

    /// Control steps since the start.
    pub fn step_count(&self) -> u32 {
        self.step
    }

    /// Whether the plan wipes the policy's recurrent state before the step that comes next.
    pub fn hidden_state_reset_due(&self) -> bool {
        let due = self.plan.disturbances.iter().filter(|timed| timed.step == self.step);
        due.into_iter().any(|timed| timed.disturbance == Disturbance::HiddenStateReset)
    }

    /// Sum of the normal forces between hand and object in the last physics step, N.
    pub fn object_contact_force_newton(&self) -> f32 {
        self.object_contacts().total().normal_force_newton
    }

    /// What the object touched in the last physics step: points, normal forces and penetration, by region of the hand.
    pub fn object_contacts(&self) -> ContactSummary {
        self.world.object_contacts()
    }

    /// A disturbance that acts from the next step on.
    pub fn disturb(&mut self, disturbance: &Disturbance) {
        let period_secs = self.scene.robot().control.period_secs;
        // What lasts longer than steps can be counted lasts to the end.
        let steps = |duration_secs: f32| (duration_secs / period_secs).round().max(1.0) as u32;
        let until = |duration_secs: f32| self.step.saturating_add(steps(duration_secs));
        match *disturbance {
            Disturbance::ObjectImpulse { newton_secs } => self.world.push_object(newton_secs),
            Disturbance::GravityTilt { radians, axis, duration_secs } => {
                self.now.tilt(until(duration_secs), axis, radians);
            }
            Disturbance::JointJam { joint, duration_secs } => {
                self.actuators.jam(joint, until(duration_secs), self.joints.positions[joint]);
            }
            Disturbance::SignalLoss { duration_secs } => self.sensors.freeze(until(duration_secs)),
            // The world itself stays as it is.
            Disturbance::HiddenStateReset => {}
            Disturbance::Change(ref change) => self.begin_change(change, steps(change.over_secs)),
            Disturbance::ObjectSwap(ref swap) => self.swap_object(swap),
            Disturbance::FingerTie(ref tie) => {
                self.ties.tie(self.scene.robot(), tie, until(tie.duration_secs));
            }
        }
    }

    fn swap_object(&mut self, swap: &ObjectSwap) {
        let named = swap.object.as_ref().and_then(|name| find_object(name).ok());
        let shape = named.map_or(self.now.object_shape, |object| object.shape);
        let ratio = swap.friction_scale / self.now.friction_scale;
        let restitution = self.now.parameters.contact.restitution;
        self.world.swap_object(&shape, &swap.parameters, ratio, restitution, self.now.up());
        (self.now.object_shape, self.now.friction_scale) = (shape, swap.friction_scale);
        self.now.parameters.object = swap.parameters;
        if let Some(changing) = &mut self.now.changing {
            changing.forget_object(swap);
        }
        self.now.set_sampled(&swap.sampled);
    }

    /// Whether the link loses the command of the control step that comes next. That step begins with the question, so that
    /// what happens in it decides; whoever asks again hears the same until the step is lived.
    ///
    /// For whoever puts a controller of their own between link and hand, which must not hear of such a command;
    /// [`Hand::exchange`] sees to it by itself.
    pub fn loses_next_command(&mut self) -> bool {
        if let Some(lost) = self.uplink.known() {
            return lost;
        }
        self.begin_step();
        self.uplink.find_out(self.step)
    }

    /// One control step in which the controller has these targets, rad, whatever came to it over the link: the part of
    /// [`Hand::exchange`] that is behind the controller.
    ///
    /// # Errors
    /// As [`Hand::exchange`].
    pub fn follow(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<(), HandError> {
        check_targets(targets_rad)?;
        // Begins the step if nobody asked.
        self.loses_next_command();
        self.uplink.go_on();
        let joints = &self.now.parameters.joints;
        let mut true_targets: Vec<f32> =
            targets_rad.iter().zip(joints).map(|(target, joint)| target - joint.zero_offset_rad).collect();
        self.meddling.act(&self.joints.positions, &mut true_targets, &mut self.world);
        self.actuators.command(&true_targets);
        self.advance()?;
        self.write_truth(targets_rad);
        self.check_sound()?;
        self.sensors.sense(self.step, self.time(), targets_rad, sensed);
        Ok(())
    }

    /// What the controller says that it follows, rad.
    fn targets_in_force(&self) -> Vec<f32> {
        self.truth.read(Signal::JointTarget).unwrap_or(&[]).to_vec()
    }

    fn begin_step(&mut self) {
        let step = self.step;
        let due: Vec<Disturbance> = self
            .plan
            .disturbances
            .iter()
            .filter(|timed| timed.step == step)
            .map(|timed| timed.disturbance.clone())
            .collect();
        due.iter().for_each(|disturbance| self.disturb(disturbance));
        self.go_on_changing();
        self.now.level(step);
        self.actuators.unjam(step);
        self.world.set_gravity(self.now.gravity_m_per_sec2());
        self.ties.untie(step);
        self.world.set_bands(self.ties.bands());
    }

    /// The physics steps of one control step.
    fn advance(&mut self) -> Result<(), HandError> {
        if let Some(clock) = &mut self.clock {
            self.world.set_step_secs(clock.next_substep_secs());
        }
        let substeps = self.scene.settings().substep_count;
        for substep in 0..substeps {
            let begin = f64::from(substep) / f64::from(substeps);
            let end = f64::from(substep + 1) / f64::from(substeps);
            self.actuators.drive([begin, end], &mut self.joints, &mut self.world);
            self.world
                .step()
                .map_err(|Broken| HandError::NotFinite { what: "something inside the engine".to_owned() })?;
            self.world.joint_positions(&mut self.joints.positions);
            self.sensors.record(&self.joints.positions, &self.actuators, self.world.object().pose);
        }
        self.world.joint_velocities(&mut self.joints.velocities);
        self.step += 1;
        Ok(())
    }

    /// Targets in the frame the encoders report in.
    fn reported_targets(&self, true_targets_rad: &[f32]) -> Vec<f32> {
        let joints = &self.now.parameters.joints;
        true_targets_rad.iter().zip(joints).map(|(target, joint)| target + joint.zero_offset_rad).collect()
    }

    fn time(&self) -> Nanos {
        Nanos::from_secs(f64::from(self.step) * f64::from(self.scene.robot().control.period_secs))
    }

    fn write_truth(&mut self, reported_targets_rad: &[f32]) {
        let object = self.world.object();
        let position = object.pose.position_m;
        let rotation = object.pose.palm_from_object;
        self.truth.begin(self.time());
        self.truth.write(Signal::JointPosition, &self.joints.positions);
        self.truth.write(Signal::JointVelocity, &self.joints.velocities);
        self.truth.write(Signal::JointTarget, reported_targets_rad);
        self.truth.write(Signal::ObjectPosition, position.as_slice());
        self.truth.write(Signal::ObjectRotation, &[rotation.i, rotation.j, rotation.k, rotation.w]);
        self.truth.write(Signal::ObjectLinearVelocity, &object.linear_velocity);
        self.truth.write(Signal::ObjectAngularVelocity, &object.angular_velocity);
        self.truth.write(Signal::Gravity, &self.now.gravity_m_per_sec2());
        self.truth.write(Signal::WorldParameters, &self.now.sampled);
    }
}

impl Hand for HandSim {
    fn model(&self) -> &RobotModel {
        self.scene.robot()
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        let targets = self.targets_in_force();
        self.sensors.sense(self.step, self.time(), &targets, sensed);
        Ok(())
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        check_targets(targets_rad)?;
        let applied_rad = if self.loses_next_command() {
            // The controller never hears of it: it goes on with what it has, and says so.
            self.targets_in_force()
        } else {
            self.uplink.applied_seq = u64::from(self.step) + 1;
            targets_rad.to_vec()
        };
        self.follow(&applied_rad, sensed)?;
        let applied_seq = self.uplink.applied_seq;
        Ok(Commanded { applied_rad, clipped_joint_count: 0, missed_tick_count: 0, rearmed: false, applied_seq })
    }
}

fn check_targets(targets_rad: &[f32]) -> Result<(), HandError> {
    if targets_rad.iter().all(|target| target.is_finite()) {
        return Ok(());
    }
    Err(HandError::NotFinite { what: "a joint target".to_owned() })
}
