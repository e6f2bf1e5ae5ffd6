//! A small hand: a finger with two joints, a thumb with one. And a policy that talks to a core directly.

use giraffe_bridge::message::{Arm, Command, Hello, PolicyIdentity, Reject, State, Welcome};
use giraffe_bridge::wire::{Body, decode, encode};
use giraffe_bridge::{CommandVerdict, ControllerSpec, Order, Request, Sender, ServerCore, handshake};
use giraffe_robots::{
    BodyModel, ControlSpec, DeviceMapping, FingertipModel, HoldAt, JointModel, Limits, Nanos, RobotModel, SafetySpec,
    ServoLimits, Signal, SignalFrame, SignalLayout,
};
use nalgebra::{Isometry3, Point3, Translation3, Unit, UnitQuaternion, Vector3};

pub const PERIOD_SECS: f64 = 0.05;

fn body(name: &str, parent: Option<usize>, joint: Option<usize>, at: [f32; 3]) -> BodyModel {
    BodyModel {
        name: name.to_owned(),
        parent,
        parent_from_body: Isometry3::from_parts(Translation3::new(at[0], at[1], at[2]), UnitQuaternion::identity()),
        joint,
        mass_kg: 0.02,
        center_of_mass_m: Point3::origin(),
        principal_inertia_kg_m2: Vector3::repeat(1e-6),
        body_from_principal: UnitQuaternion::identity(),
        geoms: Vec::new(),
    }
}

fn joint(name: &str, body: usize, axis: [f32; 3], lower: f32, upper: f32) -> JointModel {
    JointModel {
        name: name.to_owned(),
        body,
        axis: Unit::new_normalize(Vector3::from(axis)),
        anchor_m: Point3::new(0.001, 0.002, 0.003),
        position_limits_rad: Limits { lower, upper },
        velocity_limit_rad_per_sec: 8.0,
        effort_limit_newton_m: 0.5,
        stiffness_newton_m_per_rad: 3.0,
        damping_newton_m_secs_per_rad: 0.1,
        friction_loss_newton_m: 0.0,
        armature_kg_m2: 1e-3,
        device: Some(DeviceMapping { id: body as u8, sign: 1.0, zero_rad: 0.0 }),
    }
}

/// Palm, knuckle (joint `finger_side`), link (joint `finger_bend`), thumb (joint `thumb_bend`).
pub fn small_hand() -> RobotModel {
    RobotModel {
        name: "small-hand".to_owned(),
        bodies: vec![
            body("palm", None, None, [0.0; 3]),
            body("knuckle", Some(0), Some(0), [0.02, 0.01, 0.03]),
            body("link", Some(1), Some(1), [0.04, 0.0, 0.01]),
            body("thumb", Some(0), Some(2), [-0.03, 0.05, 0.0]),
        ],
        joints: vec![
            joint("finger_side", 1, [0.0, 0.0, 1.0], -1.0, 1.0),
            joint("finger_bend", 2, [0.0, 1.0, 0.2], -0.3, 2.0),
            joint("thumb_bend", 3, [1.0, 0.3, 0.0], -0.5, 1.5),
        ],
        couplings: Vec::new(),
        fingertips: vec![
            FingertipModel { name: "finger".to_owned(), body: 2, point_m: Point3::new(0.05, 0.0, 0.0) },
            FingertipModel { name: "thumb".to_owned(), body: 3, point_m: Point3::new(0.0, 0.06, 0.01) },
        ],
        contact_excludes: Vec::new(),
        control: ControlSpec { period_secs: 0.05 },
        home_rad: vec![0.0, 0.4, 0.2],
        palm_from_object_home: Isometry3::identity(),
        resting_normal: Vector3::z(),
        safety: SafetySpec {
            target_velocity_rad_per_sec: 3.0,
            target_acceleration_rad_per_sec2: 50.0,
            tracking_band_rad: 0.5,
            hold_after_secs: 0.15,
            relax_after_secs: 2.0,
            off_after_secs: 30.0,
            hold: HoldAt::LastTarget,
            servos: ServoLimits::REFERENCE,
        },
        servos: None,
        kinematics_fingerprint: "kinematics".to_owned(),
        dynamics_fingerprint: "dynamics".to_owned(),
    }
}

/// The same hand with its joints listed in another order.
pub fn shuffled_hand() -> RobotModel {
    let mut robot = small_hand();
    robot.joints.rotate_left(1);
    robot.home_rad.rotate_left(1);
    for body in &mut robot.bodies {
        body.joint = body.joint.map(|joint| (joint + 2) % 3);
    }
    robot
}

/// A frame with these angles, at rest.
pub fn sensed(q: &[f32], now: Nanos) -> SignalFrame {
    let mut frame =
        SignalFrame::new(SignalLayout { joint_count: q.len(), action_count: q.len(), ..SignalLayout::default() });
    frame.begin(now);
    frame.write(Signal::JointPosition, q);
    frame.write(Signal::JointVelocity, &vec![0.0; q.len()]);
    frame
}

pub fn hello_of(robot: &RobotModel, wants: &[&str]) -> Hello {
    let wants = wants.iter().map(|&want| want.to_owned()).collect();
    let policy_hz = 1.0 / f64::from(robot.control.period_secs);
    handshake::hello(robot, PolicyIdentity::default(), "test".to_owned(), policy_hz, 0, wants)
}

/// A core, the time, and the one who commands it.
pub struct Rig {
    pub core: ServerCore,
    /// Who sends what is sent.
    pub sender: Sender,
    pub now: Nanos,
    pub sid: u64,
    pub ctl_seq: u64,
    pub cmd_seq: u64,
    /// Angles the hand is sensed at.
    pub q: Vec<f32>,
    /// Whether the servos confirm that they have no torque.
    pub lets_go: bool,
    /// Whether a servo may push: it was told to, and did not confirm since that it does not.
    pub may_push: bool,
}

impl Rig {
    /// A hand that stands at home, was sensed once, and has no commander.
    pub fn new(spec: ControllerSpec) -> Self {
        let now = Nanos(1_000_000_000);
        let q = spec.robot.home_rad.clone();
        let mut core = ServerCore::new(spec, now).unwrap();
        core.on_sensed(&sensed(&q, now), now);
        let sender = Sender::local();
        let mut rig = Self { core, sender, now, sid: 0, ctl_seq: 0, cmd_seq: 0, q, lets_go: true, may_push: true };
        rig.release();
        rig
    }

    pub fn plain() -> Self {
        Self::new(ControllerSpec::of(&small_hand()))
    }

    pub fn simulated() -> Self {
        Self::new(ControllerSpec { rehearsal: true, ..ControllerSpec::of(&small_hand()) })
    }

    pub fn wait(&mut self, secs: f64) {
        self.now = Nanos(self.now.0 + Nanos::from_secs(secs).0);
    }

    pub fn ask<B: Body>(&mut self, body: &B) -> Request {
        self.ctl_seq += 1;
        let bytes = encode(self.sid, self.ctl_seq, self.now.0, body);
        self.core.on_ctl(&self.sender, &bytes, self.now)
    }

    /// Does what the controller's loop does with a request before it answers, and returns the answer.
    pub fn settle(&mut self, re: u64) -> Vec<u8> {
        self.tick();
        self.core.on_settled(re, self.now)
    }

    fn release(&mut self) {
        if self.lets_go {
            self.may_push = false;
            self.core.on_released(None, self.now);
        } else {
            self.core.on_release_failed("taking torque off: not confirmed by servo 3", self.now);
        }
    }

    /// Asks and expects a reply of one type.
    pub fn ask_for<B: Body, A: Body>(&mut self, body: &B) -> A {
        match self.ask(body) {
            Request::Reply(bytes) | Request::Pong(bytes) => decode::<A>(&bytes).unwrap().1,
            Request::Settle { re } => decode::<A>(&self.settle(re)).unwrap().1,
            other => panic!("no reply: {other:?}"),
        }
    }

    pub fn hello(&mut self, hello: &Hello) -> Result<Welcome, Reject> {
        self.ctl_seq += 1;
        let bytes = encode(0, self.ctl_seq, self.now.0, hello);
        let Request::Reply(reply) = self.core.on_ctl(&self.sender, &bytes, self.now) else {
            panic!("a hello is answered")
        };
        match decode::<Welcome>(&reply) {
            Ok((head, welcome)) => {
                self.sid = head.sid;
                self.cmd_seq = 0;
                Ok(welcome)
            }
            Err(_) => Err(decode::<Reject>(&reply).unwrap().1),
        }
    }

    pub fn state(&mut self) -> (u64, State) {
        let bytes = self.core.state_message(self.now).expect("the hand was sensed");
        let (head, state) = decode::<State>(&bytes).unwrap();
        (head.seq, state)
    }

    /// A command computed from a state published right now.
    pub fn fresh(&mut self, q: &[f32]) -> Command {
        let (state_seq, state) = self.state();
        let tick = if self.core.is_lockstep() { state.tick + 1 } else { 0 };
        Command { episode: state.episode, tick, state_seq, t_state: self.now.0, q: q.to_vec() }
    }

    pub fn send(&mut self, command: &Command) -> CommandVerdict {
        self.cmd_seq += 1;
        let bytes = encode(self.sid, self.cmd_seq, self.now.0, command);
        self.core.on_cmd(&self.sender, &bytes, self.now)
    }

    pub fn command(&mut self, q: &[f32]) -> CommandVerdict {
        let command = self.fresh(q);
        self.send(&command)
    }

    /// A turn of the loop: the hand does as it is told.
    pub fn tick(&mut self) -> Order {
        let order = self.core.on_tick(self.now);
        match order.targets() {
            Some(_) => self.may_push = true,
            None => self.release(),
        }
        order
    }

    /// Turns of the loop at 10 ms, without commands.
    pub fn idle(&mut self, secs: f64) -> Order {
        let until = Nanos(self.now.0 + Nanos::from_secs(secs).0);
        let mut order = self.tick();
        while self.now < until {
            self.wait(0.01);
            let frame = sensed(&self.q, self.now);
            self.core.on_sensed(&frame, self.now);
            order = self.tick();
        }
        order
    }

    /// Streams the present position for `secs`, one command per control period.
    pub fn stream(&mut self, secs: f64) {
        let periods = (secs / PERIOD_SECS).ceil() as u32;
        for _ in 0..=periods {
            let q = self.q.clone();
            assert_eq!(self.command(&q), CommandVerdict::Accepted);
            self.idle(PERIOD_SECS);
        }
    }

    /// Says hello and arms, from torque off.
    pub fn activate(&mut self) {
        self.hello(&hello_of(&small_hand(), &[])).unwrap();
        self.activate_here();
    }

    /// Arms, from torque off, where the hand stands.
    pub fn activate_here(&mut self) {
        self.stream(0.5);
        let _: giraffe_bridge::message::Granted = self.ask_for(&Arm {});
        assert_eq!(self.core.mode(), giraffe_bridge::Mode::Active);
    }
}

/// The code of a dropped command.
pub fn code(verdict: &CommandVerdict) -> &'static str {
    match verdict {
        CommandVerdict::Accepted => "accepted",
        CommandVerdict::Lost => "lost",
        CommandVerdict::Dropped(drop) => drop.code,
    }
}
