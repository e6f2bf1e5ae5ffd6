//! An hour of a policy at 60 Hz with everything going wrong now and then, in virtual time.

use crate::hand::{Rig, hello_of, sensed, small_hand};
use crate::judge::Judge;
use giraffe_bridge::message::{Arm, ClearFault, Command, Hello, Hold};
use giraffe_bridge::wire::encode;
use giraffe_bridge::{CommandVerdict, ControllerSpec, Counters, Mode, Order, ServoHealth};
use giraffe_robots::{Nanos, RobotModel, SeedTree, Stream, StreamRng};
use rand::RngExt;
use std::collections::VecDeque;

const HZ: u32 = 60;
const HOUR_SECS: u32 = 3600;
const HOLD_SECS: f32 = 0.05;

fn hand_at_60_hz() -> RobotModel {
    let mut robot = small_hand();
    robot.control.period_secs = 1.0 / HZ as f32;
    robot.safety.hold_after_secs = HOLD_SECS;
    robot
}

/// What the world knows of the commands of one session, whatever the controller thinks.
#[derive(Default)]
struct Truth {
    sent: u64,
    lost: u64,
    accepted: u64,
    rejected: u64,
    applied: u64,
}

struct World {
    rig: Rig,
    rng: StreamRng,
    judge: Judge,
    hello: Hello,
    /// When it arrives, its bytes, and whether it came before.
    under_way: VecDeque<(Nanos, Vec<u8>, bool)>,
    truth: Truth,
    last_applied: u64,
    /// The policy says nothing until then.
    silent_until: Nanos,
    hot_until: Nanos,
    holds: u64,
    sessions: u64,
    total: Counters,
}

impl World {
    fn new(seed: u64) -> Self {
        let robot = hand_at_60_hz();
        let hello = hello_of(&robot, &[]);
        let rig = Rig::new(ControllerSpec { loop_period_secs: 0.005, ..ControllerSpec::of(&robot) });
        let judge = Judge::new(robot, rig.now);
        let start = rig.now;
        let mut world = Self {
            rig,
            rng: SeedTree::new(seed).stream(Stream::Toy, 0, 0),
            judge,
            hello,
            under_way: VecDeque::new(),
            truth: Truth::default(),
            last_applied: 0,
            silent_until: start,
            hot_until: start,
            holds: 0,
            sessions: 0,
            total: Counters::default(),
        };
        world.begin_session();
        world
    }

    fn begin_session(&mut self) {
        self.rig.hello(&self.hello.clone()).unwrap();
        (self.truth, self.last_applied) = (Truth::default(), 0);
        self.sessions += 1;
    }

    /// The policy asks for a small step; the network does what it likes with that.
    fn command(&mut self) {
        let (state_seq, state) = self.rig.state();
        let mut q: Vec<f32> = state.q_target.iter().map(|at| at + self.rng.random_range(-0.02..0.02)).collect();
        match self.rng.random_range(0..500) {
            0 => q[1] = f32::NAN,
            1 => q.truncate(2),
            _ => {}
        }
        let (episode, t_state) = (state.episode, self.rig.now.0);
        let command = Command { episode, tick: 0, state_seq, t_state, q };
        self.rig.cmd_seq += 1;
        self.truth.sent += 1;
        let bytes = encode(self.rig.sid, self.rig.cmd_seq, self.rig.now.0, &command);
        let delay_secs = match self.rng.random_range(0..100) {
            0 => {
                self.truth.lost += 1;
                return;
            }
            1..4 => self.rng.random_range(0.0..0.2),
            _ => self.rng.random_range(0.0..0.003),
        };
        let arrival = Nanos(self.rig.now.0 + Nanos::from_secs(delay_secs).0);
        self.under_way.push_back((arrival, bytes.clone(), false));
        if self.rng.random_range(0..100) == 0 {
            let later = Nanos(arrival.0 + Nanos::from_secs(self.rng.random_range(0.0..0.1)).0);
            self.under_way.push_back((later, bytes, true));
        }
    }

    fn deliver(&mut self, everything: bool) {
        let now = self.rig.now;
        let (due, rest): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|(at, ..)| everything || *at <= now);
        self.under_way = rest.into();
        for (_, bytes, repeated) in due {
            let verdict = self.rig.core.on_cmd(&self.rig.sender, &bytes, now);
            if verdict == CommandVerdict::Accepted {
                self.judge.fed = now;
                self.truth.accepted += 1;
            } else if !repeated {
                self.truth.rejected += 1;
            }
        }
    }

    /// What a patient policy does when it is not followed.
    fn recover(&mut self) -> bool {
        if self.rig.core.mode() == Mode::Active || self.rng.random_range(0..30) > 0 {
            return false;
        }
        self.rig.ask(&ClearFault {});
        self.rig.ask(&Arm {});
        let armed = self.rig.core.mode() == Mode::Active;
        if armed {
            self.judge.fed = self.rig.now;
        }
        armed
    }

    fn turn(&mut self, just_armed: bool) {
        let celsius = if self.rig.now < self.hot_until { 66.0 } else { 50.0 };
        let temperature_celsius = vec![30.0, celsius, 30.0];
        self.judge.celsius.clone_from(&temperature_celsius);
        let health = ServoHealth { temperature_celsius, ..ServoHealth::default() };
        self.rig.core.on_health(Some(&health), self.rig.now);
        let before = self.rig.core.mode();
        let order = self.rig.tick();
        self.holds += u64::from(before == Mode::Active && matches!(order, Order::Hold(_)));
        if let Some(targets) = order.targets() {
            for (at, target) in self.rig.q.iter_mut().zip(targets.positions_rad()) {
                *at += 0.2 * (target - *at);
            }
        }
        self.judge.judge(&mut self.rig, &order, just_armed);
        self.rig.core.on_sensed(&sensed(&self.rig.q, self.rig.now), self.rig.now);
        let applied = self.judge.applied_seq.1;
        if applied != self.last_applied && applied != 0 {
            (self.last_applied, self.truth.applied) = (applied, self.truth.applied + 1);
        }
    }

    /// One period of the policy.
    fn period(&mut self) {
        if self.rig.now >= self.silent_until {
            self.command();
        }
        self.rig.wait(self.rng.random_range(0.014..0.0187));
        self.deliver(false);
        let was_off = !self.rig.core.mode().has_torque();
        let armed = self.recover();
        self.turn(armed || was_off);
        match self.rng.random_range(0..6000) {
            0..20 => self.silent_until = Nanos(self.rig.now.0 + Nanos::from_secs(self.rng.random_range(0.02..1.5)).0),
            20..23 => drop(self.rig.ask(&Hold {})),
            23..25 => self.hot_until = Nanos(self.rig.now.0 + Nanos::from_secs(3.0).0),
            25 => self.change_session(),
            _ => {}
        }
    }

    /// The policy dies; a new one comes when the lease is over. What is under way belongs to nobody then.
    fn change_session(&mut self) {
        self.settle();
        self.rig.idle(2.1);
        self.begin_session();
        self.judge.last = None;
        self.judge.turn = self.rig.now;
    }

    /// Everything has arrived: the books must balance, to the last command.
    fn settle(&mut self) {
        self.deliver(true);
        self.turn(false);
        let counted = self.rig.core.counters();
        let truth = &self.truth;
        // Losses after the last arrival leave no gap: nobody can see them from this end.
        let newest = counted.applied + counted.superseded + counted.unfollowed + counted.rejected + counted.gap;
        let unseen = truth.sent - newest;
        assert_eq!(counted.gap + unseen, truth.lost, "{counted:?}");
        assert!(unseen < 20, "{unseen}");
        assert_eq!((counted.accepted, counted.rejected), (truth.accepted, truth.rejected), "{counted:?}");
        assert_eq!(counted.applied, truth.applied, "{counted:?}");
        assert_eq!(counted.applied + counted.superseded + counted.unfollowed, truth.accepted, "{counted:?}");
        self.total.applied += counted.applied;
        self.total.rejected += counted.rejected;
        self.total.gap += counted.gap;
    }
}

#[test]
fn an_hour_at_60_hz_misses_no_hold_and_the_books_balance() {
    let mut world = World::new(28);
    for _ in 0..HZ * HOUR_SECS {
        world.period();
    }
    world.settle();
    assert!(world.rig.now.as_secs() > f64::from(HOUR_SECS));
    let commands = u64::from(HZ * HOUR_SECS);
    assert!(world.total.applied > commands / 2, "{:?} applied", world.total);
    assert!(world.holds > 100 && world.sessions > 10, "{} holds, {} sessions", world.holds, world.sessions);
    assert!(world.total.gap > 1000 && world.total.rejected > 500, "{:?}", world.total);
}
