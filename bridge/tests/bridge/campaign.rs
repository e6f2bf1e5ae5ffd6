//! Thousands of random lives of a controller: commands good and bad, silence, faults, takeovers. Never an unsafe target.

use crate::hand::{PERIOD_SECS, Rig, hello_of, sensed, small_hand};
use giraffe_bridge::message::{Arm, Bye, ClearFault, Command, Estop, Hold, Ping, Reset, Stop};
use giraffe_bridge::wire::encode;
use giraffe_bridge::{CommandVerdict, ControllerSpec, Order, Request};
use giraffe_robots::{HoldAt, Nanos, RobotModel, SeedTree, SignalFrame, SignalLayout, Stream, StreamRng};
use rand::RngExt;

const LIVES: u64 = 3000;
const EVENTS: u32 = 150;

/// What an honest judge remembers of a life.
struct Judge {
    robot: RobotModel,
    /// Targets last given while torque was on.
    last: Option<Vec<f32>>,
    /// When the watchdog last had reason to be content.
    fed: Nanos,
    /// Travel per joint that the velocity limit still allows.
    allowance: Vec<f32>,
    turn: Nanos,
    applied_seq: (u64, u64),
    followed: u64,
}

impl Judge {
    /// The order of one turn must be safe.
    fn judge(&mut self, rig: &mut Rig, order: &Order, just_armed: bool) {
        let now = rig.now;
        let velocity = self.robot.safety.target_velocity_rad_per_sec;
        let period = PERIOD_SECS as f32;
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
            assert!(!follows || silence <= 0.15 + 1e-9, "follows after {silence} s of silence");
        }
        self.followed += u64::from(matches!(order, Order::Follow(_)));
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

fn any_number(rng: &mut StreamRng) -> f32 {
    const ODD: [f32; 8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, f32::MIN, -0.0, 1e-42, 50.0];
    if rng.random_range(0..40) == 0 { ODD[rng.random_range(0..ODD.len())] } else { rng.random_range(-3.0..3.0) }
}

fn some_command(rig: &mut Rig, rng: &mut StreamRng) -> Command {
    let near: Vec<f32> = rig.state().1.q_target;
    let wild = rng.random_range(0..3) == 0;
    let q: Vec<f32> =
        near.iter().map(|&at| if wild { any_number(rng) } else { at + rng.random_range(-0.06..0.06) }).collect();
    let mut command = rig.fresh(&q);
    match rng.random_range(0..20) {
        0 => command.t_state -= rng.random_range(0..1_000_000_000),
        1 => command.t_state += rng.random_range(0..1_000_000_000),
        2 => command.state_seq = rng.random_range(0..10_000),
        3 => command.q.truncate(rng.random_range(0..3)),
        4 => command.q.push(0.0),
        5 => command.episode += 1,
        6 => command.tick = rng.random_range(0..5),
        _ => {}
    }
    command
}

fn send_bytes(rig: &mut Rig, rng: &mut StreamRng, sent: &mut Vec<Vec<u8>>) -> CommandVerdict {
    let command = some_command(rig, rng);
    rig.cmd_seq += rng.random_range(0..3);
    let sid = if rng.random_range(0..30) == 0 { rng.random() } else { rig.sid };
    let mut bytes = encode(sid, rig.cmd_seq, rig.now.0, &command);
    match rng.random_range(0..30) {
        0 => bytes.truncate(rng.random_range(0..bytes.len())),
        1 => bytes.push(rng.random()),
        2 => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        _ => {}
    }
    // Any earlier message may come again, at any time.
    if rng.random_range(0..15) == 0 && !sent.is_empty() {
        bytes = sent[rng.random_range(0..sent.len())].clone();
    }
    sent.push(bytes.clone());
    rig.core.on_cmd(&rig.sender, &bytes, rig.now)
}

/// Something is asked. True if the hand was put somewhere or armed.
fn ask_something(rig: &mut Rig, rng: &mut StreamRng) -> bool {
    let known_sid = rig.sid;
    if rng.random_range(0..10) == 0 {
        rig.sid = rng.random();
    }
    let before = rig.core.mode();
    let answer = match rng.random_range(0..14) {
        0 => rig.ask(&Hold {}),
        1 => rig.ask(&Stop {}),
        2 => rig.ask(&Estop {}),
        3 | 4 => rig.ask(&ClearFault {}),
        5 => rig.ask(&Bye {}),
        6 => rig.ask(&Ping {}),
        7 | 8 => rig.ask(&Reset { episode: vec![0x80] }),
        _ => rig.ask(&Arm {}),
    };
    rig.sid = known_sid;
    if let Request::Reset { re, .. } = answer {
        let start: Vec<f32> = (0..3).map(|_| any_number(rng)).collect();
        let at: Vec<f32> = start.iter().map(|&q| q + 0.01).collect();
        let frame = sensed(&at, Nanos(0));
        return rig.core.on_reset_done(re, &start, &frame, None, rig.now).is_ok();
    }
    before != rig.core.mode() && rig.core.mode() == giraffe_bridge::Mode::Active
}

fn sense_something(rig: &mut Rig, rng: &mut StreamRng) {
    match rng.random_range(0..60) {
        0 => rig.core.on_sense_failed("noise", rig.now),
        1 => {
            let odd: Vec<f32> = (0..3).map(|_| any_number(rng)).collect();
            rig.core.on_sensed(&sensed(&odd, rig.now), rig.now);
        }
        2 => {
            let nothing = SignalFrame::new(SignalLayout { joint_count: 3, action_count: 3, parameter_count: 0 });
            rig.core.on_sensed(&nothing, rig.now);
        }
        3 if rng.random_range(0..5) == 0 => rig.core.on_command_failed("noise", rig.now),
        _ => {
            rig.core.on_command_done();
            for q in &mut rig.q {
                *q += rng.random_range(-0.02..0.02);
            }
            let frame = sensed(&rig.q, rig.now);
            rig.core.on_sensed(&frame, rig.now);
        }
    }
}

fn live(life: u64) -> u64 {
    let mut rng = SeedTree::new(20_261_123).stream(Stream::Toy, 0, life);
    let mut robot = small_hand();
    robot.safety.hold = if life.is_multiple_of(2) { HoldAt::LastTarget } else { HoldAt::Measured };
    let rehearsal = rng.random_range(0..2) == 0;
    let mut rig = Rig::new(ControllerSpec { rehearsal, ..ControllerSpec::of(&robot) });
    let mut judge = Judge {
        robot,
        last: None,
        fed: rig.now,
        allowance: vec![0.15; 3],
        turn: rig.now,
        applied_seq: (0, 0),
        followed: 0,
    };
    let mut sent = Vec::new();
    let mut moved = false;
    // Half of the lives begin with a hand that follows.
    if life % 4 < 2 {
        rig.activate();
        (judge.fed, judge.turn, moved) = (rig.now, rig.now, true);
    }
    for _ in 0..EVENTS {
        match rng.random_range(0..100) {
            0..50 => {
                let was = rig.core.mode();
                if send_bytes(&mut rig, &mut rng, &mut sent) == CommandVerdict::Accepted {
                    judge.fed = rig.now;
                }
                moved |= was != rig.core.mode() && was == giraffe_bridge::Mode::Off;
            }
            50..56 => {
                moved |= ask_something(&mut rig, &mut rng);
                judge.fed = if moved { rig.now } else { judge.fed };
            }
            56..59 => {
                let wants: &[&str] = if rng.random_range(0..2) == 0 { &[] } else { &["rehearsal", "lockstep"] };
                let _ = rig.hello(&hello_of(&small_hand(), wants));
            }
            59 => rig.wait(rng.random_range(0.0..40.0)),
            60..63 => rig.wait(rng.random_range(0.0..1.5)),
            _ => rig.wait(rng.random_range(0.0..0.03)),
        }
        sense_something(&mut rig, &mut rng);
        let order = rig.tick();
        judge.judge(&mut rig, &order, std::mem::take(&mut moved));
    }
    // Whatever came before: once it is quiet for long enough, torque is off.
    if !rig.core.is_lockstep() && rig.core.mode() != giraffe_bridge::Mode::Ready {
        rig.wait(0.15 + 2.0 + 30.0 + 1.0);
        assert_eq!(rig.tick(), Order::Off);
    }
    judge.followed
}

#[test]
fn no_sequence_of_faults_leads_to_an_unsafe_target() {
    let followed: u64 = (0..LIVES).map(live).sum();
    assert!(followed > LIVES * 10, "the campaign must also move: {followed} turns followed commands");
}
