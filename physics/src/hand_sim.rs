//! One simulated hand with an object, for one episode. Implements [`Hand`], as a real hand does.

use crate::actuation::{DelayLine, Servos, with_dead_servos};
use crate::adversary::Adversary;
use crate::clock::UnevenClock;
use crate::disturbance::{Disturbance, ObjectSwap, tilted};
use crate::engine::{ContactSummary, World};
use crate::forces::RandomForces;
use crate::parameters::ObjectPush;
use crate::plan::EpisodePlan;
use crate::scene::SceneModel;
use crate::sensing::{Encoders, ObjectTracker};
use crate::ties::Ties;
use giraffe_robots::{
    Commanded, GeomShape, Hand, HandError, Nanos, ObjectPose, RobotModel, Signal, SignalFrame, SignalLayout,
    find_object,
};
use nalgebra::Vector3;
use std::sync::Arc;

/// One world: a hand, an object, and an [`EpisodePlan`] that fixes everything random about them.
///
/// Two worlds with the same plan and the same targets give the same bits.
pub struct HandSim {
    scene: Arc<SceneModel>,
    plan: EpisodePlan,
    world: World,
    delay: DelayLine,
    servos: Servos,
    encoders: Encoders,
    tracker: ObjectTracker,
    truth: SignalFrame,
    step: u32,
    /// Per joint: until which step it is jammed, and at which angle.
    jams: Vec<Option<(u32, f32)>>,
    tilt: Option<(u32, [f32; 3])>,
    frozen_until: u32,
    forces: Option<RandomForces>,
    adversary: Option<Adversary>,
    ties: Ties,
    /// Of the object that is in the hand now; friction is times the plan's.
    object_shape: GeomShape,
    friction_scale: f32,
    /// `EpisodePlan::sampled`, as true now.
    sampled: Vec<f32>,
    /// None where every step is as long as the control period.
    clock: Option<UnevenClock>,
    /// Scratch, one per joint.
    targets: Vec<f32>,
    encoder_side: Vec<f32>,
    positions: Vec<f32>,
    velocities: Vec<f32>,
}

impl HandSim {
    /// The start of the episode that `plan` describes.
    ///
    /// # Panics
    /// When the plan is for a hand with another number of joints: a mistake in this program.
    pub fn new(scene: Arc<SceneModel>, plan: EpisodePlan) -> Self {
        let robot = scene.robot();
        let joint_count = robot.joint_count();
        assert_eq!(plan.parameters.joints.len(), joint_count, "parameters of every joint");
        let layout = SignalLayout::of(robot, plan.sampled.len());
        let broken = with_dead_servos(&plan.parameters, robot, plan.noise_seed);
        let parameters = broken.as_ref().unwrap_or(&plan.parameters);
        let start = parameters.start_positions_rad(robot, &plan.start);
        let joints = &parameters.joints;
        let (substep_secs, period_secs) = (scene.substep_secs(), robot.control.period_secs);
        let clock = UnevenClock::new(parameters.clock, substep_secs, plan.noise_seed);
        let world = World::build(&scene, parameters, &plan.start);
        let object = world.object().pose;
        let mut sim = Self {
            world,
            delay: DelayLine::new(parameters.actuation, joints, period_secs, plan.noise_seed, &start),
            servos: Servos::new(robot, parameters, substep_secs),
            encoders: Encoders::new(parameters.sensing, joints, [substep_secs, period_secs], plan.noise_seed, &start),
            tracker: ObjectTracker::new(parameters.tracking, substep_secs, plan.noise_seed, object),
            truth: SignalFrame::new(layout),
            step: 0,
            jams: vec![None; joint_count],
            tilt: None,
            frozen_until: 0,
            forces: RandomForces::new(parameters.forces, period_secs, plan.noise_seed),
            adversary: Adversary::new(robot, parameters, plan.noise_seed),
            ties: Ties::default(),
            object_shape: scene.object().shape,
            friction_scale: 1.0,
            sampled: plan.sampled.clone(),
            clock,
            targets: vec![0.0; joint_count],
            encoder_side: vec![0.0; joint_count],
            positions: start,
            velocities: vec![0.0; joint_count],
            scene: Arc::clone(&scene),
            plan,
        };
        let reported = sim.reported_targets(&sim.positions);
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
                let until = until(duration_secs);
                self.tilt = Some((until, tilted(self.plan.parameters.gravity_m_per_sec2, axis, radians)));
            }
            Disturbance::JointJam { joint, duration_secs } => {
                self.jams[joint] = Some((until(duration_secs), self.positions[joint]));
            }
            Disturbance::SignalLoss { duration_secs } => self.frozen_until = until(duration_secs),
            // The world itself stays as it is.
            Disturbance::HiddenStateReset | Disturbance::Change(_) => {}
            Disturbance::ObjectSwap(ref swap) => self.swap_object(swap),
            Disturbance::FingerTie(ref tie) => {
                self.ties.tie(self.scene.robot(), tie, until(tie.duration_secs));
            }
        }
    }

    fn swap_object(&mut self, swap: &ObjectSwap) {
        let named = swap.object.as_ref().and_then(|name| find_object(name).ok());
        let shape = named.map_or(self.object_shape, |object| object.shape);
        let gravity = Vector3::from(self.gravity());
        let up = -gravity.try_normalize(1e-6).unwrap_or(-Vector3::z());
        let ratio = swap.friction_scale / self.friction_scale;
        let restitution = self.plan.parameters.contact.restitution;
        self.world.swap_object(&shape, &swap.parameters, ratio, restitution, up.into());
        (self.object_shape, self.friction_scale) = (shape, swap.friction_scale);
        for &(column, value) in &swap.sampled {
            if let Some(own) = self.sampled.get_mut(column as usize) {
                *own = value;
            }
        }
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
        self.tilt = self.tilt.filter(|(until, _)| step < *until);
        for jam in &mut self.jams {
            *jam = jam.filter(|(until, _)| step < *until);
        }
        self.world.set_gravity(self.gravity());
        self.ties.untie(step);
        self.world.set_bands(self.ties.bands());
    }

    /// Gravity now, palm frame.
    fn gravity(&self) -> [f32; 3] {
        self.tilt.map_or(self.plan.parameters.gravity_m_per_sec2, |(_, gravity)| gravity)
    }

    /// Lets act what nobody asked for: random forces, and the adversary, with its share of the targets.
    fn meddle(&mut self, true_targets_rad: &mut [f32]) {
        if self.forces.is_none() && self.adversary.is_none() {
            return;
        }
        let mut push = self.forces.as_mut().map_or_else(ObjectPush::default, RandomForces::next);
        if let Some(adversary) = &mut self.adversary {
            let own = adversary.act(&self.positions, true_targets_rad, &self.world.object().pose);
            push.m_per_sec2.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        self.world.set_object_push(&push);
    }

    /// The physics steps of one control step.
    fn advance(&mut self) {
        if let Some(clock) = &mut self.clock {
            self.world.set_step_secs(clock.next_substep_secs());
        }
        let substeps = self.scene.settings().substep_count;
        for substep in 0..substeps {
            let begin = f64::from(substep) / f64::from(substeps);
            let end = f64::from(substep + 1) / f64::from(substeps);
            self.delay.average(begin, end, &mut self.targets);
            self.drive_servos();
            self.world.step();
            self.world.joint_positions(&mut self.positions);
            self.record();
        }
        self.world.joint_velocities(&mut self.velocities);
        self.step += 1;
    }

    /// Tells every servo what to do during the next physics step.
    fn drive_servos(&mut self) {
        if self.servos.need_speed() {
            self.world.joint_velocities(&mut self.velocities);
        }
        for (joint, &target) in self.targets.iter().enumerate() {
            let angle = self.positions[joint];
            let motor = match self.jams[joint] {
                Some((_, held)) => self.servos.holding(joint, held),
                None => self.servos.motor(joint, target, angle, self.velocities[joint]),
            };
            match motor {
                Some(motor) => self.world.set_motor(joint, &motor),
                None => self.world.set_target(joint, self.jams[joint].map_or(target, |(_, held)| held)),
            }
        }
    }

    /// Lets the sensors take note of a physics step. What is jammed has no play.
    fn record(&mut self) {
        for (joint, side) in self.encoder_side.iter_mut().enumerate() {
            let angle = self.positions[joint];
            *side = match self.jams[joint] {
                Some(_) => angle,
                None => self.servos.encoder_side_rad(joint, self.targets[joint], angle),
            };
        }
        self.encoders.record(&self.encoder_side);
        self.tracker.record(self.world.object().pose);
    }

    /// Targets in the frame the encoders report in.
    fn reported_targets(&self, true_targets_rad: &[f32]) -> Vec<f32> {
        let joints = &self.plan.parameters.joints;
        true_targets_rad.iter().zip(joints).map(|(target, joint)| target + joint.zero_offset_rad).collect()
    }

    fn now(&self) -> Nanos {
        Nanos::from_secs(f64::from(self.step) * f64::from(self.scene.robot().control.period_secs))
    }

    fn write_truth(&mut self, reported_targets_rad: &[f32]) {
        let object = self.world.object();
        let position = object.pose.position_m;
        let rotation = object.pose.palm_from_object;
        let gravity = self.gravity();
        self.truth.begin(self.now());
        self.truth.write(Signal::JointPosition, &self.positions);
        self.truth.write(Signal::JointVelocity, &self.velocities);
        self.truth.write(Signal::JointTarget, reported_targets_rad);
        self.truth.write(Signal::ObjectPosition, position.as_slice());
        self.truth.write(Signal::ObjectRotation, &[rotation.i, rotation.j, rotation.k, rotation.w]);
        self.truth.write(Signal::ObjectLinearVelocity, &object.linear_velocity);
        self.truth.write(Signal::ObjectAngularVelocity, &object.angular_velocity);
        self.truth.write(Signal::Gravity, &gravity);
        self.truth.write(Signal::WorldParameters, &self.sampled);
    }

    fn check_finite(&self) -> Result<(), HandError> {
        for signal in Signal::ALL {
            let values = self.truth.read(signal).unwrap_or(&[]);
            if values.iter().any(|value| !value.is_finite()) {
                return Err(HandError::NotFinite { what: format!("the simulated {}", signal.name()) });
            }
        }
        Ok(())
    }

    fn sense(&mut self, sensed: &mut SignalFrame, targets_rad: &[f32]) {
        sensed.begin(self.now());
        let frozen = self.step <= self.frozen_until && self.frozen_until > 0;
        self.encoders.read(self.step, frozen);
        sensed.write(Signal::JointPosition, self.encoders.positions_rad());
        sensed.write(Signal::JointVelocity, self.encoders.velocities_rad_per_sec());
        sensed.write(Signal::JointTarget, targets_rad);
        let tracked = self.tracker.read();
        let rotation = tracked.pose.palm_from_object;
        let stamp = Nanos(sensed.now().0 - Nanos::from_secs(tracked.age_secs).0);
        sensed.write_at(Signal::ObjectPosition, tracked.pose.position_m.as_slice(), stamp);
        sensed.write_at(Signal::ObjectRotation, &[rotation.i, rotation.j, rotation.k, rotation.w], stamp);
    }
}

impl Hand for HandSim {
    fn model(&self) -> &RobotModel {
        self.scene.robot()
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        let targets = self.truth.read(Signal::JointTarget).unwrap_or(&[]).to_vec();
        self.sense(sensed, &targets);
        Ok(())
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        if targets_rad.iter().any(|target| !target.is_finite()) {
            return Err(HandError::NotFinite { what: "a joint target".to_owned() });
        }
        self.begin_step();
        let joints = &self.plan.parameters.joints;
        let mut true_targets: Vec<f32> =
            targets_rad.iter().zip(joints).map(|(target, joint)| target - joint.zero_offset_rad).collect();
        self.meddle(&mut true_targets);
        self.delay.push(&true_targets);
        self.advance();
        self.write_truth(targets_rad);
        self.check_finite()?;
        self.sense(sensed, targets_rad);
        Ok(Commanded {
            applied_rad: targets_rad.to_vec(),
            clipped_joint_count: 0,
            missed_tick_count: 0,
            rearmed: false,
            applied_seq: u64::from(self.step),
        })
    }
}
