//! An honest judge of what a controller orders, who knows nothing of how it decides.

use crate::hand::Rig;
use giraffe_bridge::Order;
use giraffe_robots::{Nanos, RobotModel};

/// What an honest judge remembers of a life.
pub struct Judge {
    pub robot: RobotModel,
    /// Targets last given while torque was on.
    pub last: Option<Vec<f32>>,
    /// When the watchdog last had reason to be content.
    pub fed: Nanos,
    /// Travel per joint that the velocity limit still allows.
    pub allowance: Vec<f32>,
    pub turn: Nanos,
    pub applied_seq: (u64, u64),
    pub followed: u64,
    /// Turns on the way home.
    pub homed: u64,
    /// What the servos last said of their temperature, joint by joint; empty if nothing.
    pub celsius: Vec<f32>,
    /// Whether a servo protects itself.
    pub alarmed: bool,
    /// Nobody calibrated this hand.
    pub uncalibrated: bool,
}

impl Judge {
    /// Nothing has happened yet.
    pub fn new(robot: RobotModel, now: Nanos) -> Self {
        let most = robot.safety.target_velocity_rad_per_sec * robot.control.period_secs;
        Self {
            allowance: vec![most; robot.joint_count()],
            robot,
            last: None,
            fed: now,
            turn: now,
            applied_seq: (0, 0),
            followed: 0,
            homed: 0,
            celsius: Vec::new(),
            alarmed: false,
            uncalibrated: false,
        }
    }

    /// What servos said allows this order.
    fn judge_health(&self, order: &Order) {
        assert!(!(self.alarmed || self.uncalibrated) || *order == Order::Off, "{order:?} although it must not move");
        for (joint, &celsius) in self.celsius.iter().enumerate() {
            let Some(targets) = order.targets() else { return };
            assert!(celsius < 68.0, "torque at {celsius} degrees");
            assert!(celsius < 65.0 || matches!(order, Order::Hold(_) | Order::Relax(_)), "moves at {celsius} degrees");
            let most = 1.0 - 0.8 * ((celsius - 55.0) / 10.0).clamp(0.0, 1.0);
            assert!(targets.effort_scales()[joint] <= most + 1e-5, "at {celsius} degrees");
        }
    }

    /// The order of one turn must be safe.
    pub fn judge(&mut self, rig: &mut Rig, order: &Order, just_armed: bool) {
        let now = rig.now;
        let velocity = self.robot.safety.target_velocity_rad_per_sec;
        let period = self.robot.control.period_secs;
        self.judge_health(order);
        // In lock-step every command is one control period, whatever the clock says.
        let elapsed = if rig.core.is_lockstep() { period } else { now.secs_since(self.turn) as f32 };
        self.turn = now;
        for allowance in &mut self.allowance {
            // A hand that was just put somewhere, or given torque where it stands, starts from rest.
            let left = if just_armed { velocity * period } else { *allowance + velocity * elapsed };
            *allowance = left.min(velocity * period);
        }
        if let Some(targets) = order.targets() {
            assert!(targets.effort_scales().iter().all(|&effort| effort > 0.0 && effort <= 1.0));
            for (joint, model) in self.robot.joints.iter().enumerate() {
                let q = targets.positions_rad()[joint];
                assert!(q.is_finite() && model.position_limits_rad.contains(q), "{} at {q}", model.name);
                if let (Some(last), false) = (&self.last, just_armed) {
                    let step = (q - last[joint]).abs();
                    assert!(step <= velocity * period + 1e-5, "a step of {step} rad");
                    if matches!(order, Order::Home(_)) {
                        assert!(step <= 0.51 * elapsed.min(period) + 1e-5, "{step} rad on the way home");
                    }
                    if matches!(order, Order::Follow(_)) {
                        assert!(step <= self.allowance[joint] + 1e-4, "{step} of {}", self.allowance[joint]);
                        self.allowance[joint] = (self.allowance[joint] - step).max(0.0);
                    }
                }
            }
        }
        let silence = now.secs_since(self.fed);
        if !rig.core.is_lockstep() {
            let follows = matches!(order, Order::Follow(_));
            let most = f64::from(self.robot.safety.hold_after_secs);
            assert!(!follows || silence <= most + 1e-8, "follows after {silence} s of silence");
        }
        self.followed += u64::from(matches!(order, Order::Follow(_)));
        self.homed += u64::from(matches!(order, Order::Home(_)));
        self.last = order.targets().map(|targets| targets.positions_rad().to_vec());
        let (_, state) = rig.state();
        let applied = (rig.core.sid(), state.cmd_seq);
        if applied.0 == self.applied_seq.0 && state.cmd_seq != 0 {
            assert!(applied.1 >= self.applied_seq.1, "commands are applied in order");
        }
        self.applied_seq = applied;
        assert!(state.q_target.iter().chain(&state.q).all(|value| value.is_finite()));
    }
}
