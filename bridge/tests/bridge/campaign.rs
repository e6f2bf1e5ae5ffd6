//! Thousands of random lives of a controller: commands good and bad, silence, faults, takeovers. Never an unsafe target.

use crate::hand::{Rig, hello_of, sensed, small_hand};
use crate::judge::Judge;
use giraffe_bridge::message::{Arm, Bye, ClearFault, Command, Estop, Hold, Home, Ping, Reset, Stop};
use giraffe_bridge::wire::encode;
use giraffe_bridge::{
    Calibrated, CommandVerdict, ControllerSpec, Fault, Mode, Order, Request, ServoAlarm, ServoHealth,
};
use giraffe_robots::{HoldAt, Nanos, SeedTree, SignalFrame, SignalLayout, Stream, StreamRng};
use rand::RngExt;

const LIVES: u64 = 10_000;
const EVENTS: u32 = 80;

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
fn ask_something(rig: &mut Rig, rng: &mut StreamRng, judge: &mut Judge) -> bool {
    let known_sid = rig.sid;
    if rng.random_range(0..10) == 0 {
        rig.sid = rng.random();
    }
    let before = rig.core.mode();
    let answer = match rng.random_range(0..17) {
        0 => rig.ask(&Hold {}),
        1 => rig.ask(&Stop {}),
        2 => rig.ask(&Estop {}),
        3 | 4 => rig.ask(&ClearFault {}),
        5 => rig.ask(&Bye {}),
        6 => rig.ask(&Ping {}),
        7 | 8 => rig.ask(&Reset { episode: vec![0x80] }),
        9..=11 => rig.ask(&Home {}),
        _ => rig.ask(&Arm {}),
    };
    rig.sid = known_sid;
    if let Request::Settle { re } = answer {
        rig.settle(re);
        assert_says_what_is_so(rig);
        return false;
    }
    if let Request::ClearAlarms { re } = answer {
        rig.tick();
        assert!(!rig.core.mode().has_torque(), "alarms are ended only without torque");
        let works = rng.random_range(0..3) > 0;
        rig.core.on_alarms_cleared(re, if works { Ok(()) } else { Err("noise".to_owned()) }, rig.now);
        judge.alarmed &= !works;
        return false;
    }
    if let Request::Reset { re, .. } = answer {
        let start: Vec<f32> = (0..3).map(|_| any_number(rng)).collect();
        let at: Vec<f32> = start.iter().map(|&q| q + 0.01).collect();
        let frame = sensed(&at, Nanos(0));
        return rig.core.on_reset_done(re, &start, &frame, None, rig.now).is_ok();
    }
    before != rig.core.mode() && rig.core.mode() == Mode::Active
}

/// No torque is said only where every servo confirmed it since it was last told to push.
fn assert_says_what_is_so(rig: &mut Rig) {
    let mode = rig.state().1.mode;
    assert!(!rig.may_push || !matches!(mode.as_str(), "off" | "fault" | "estop"), "mode `{mode}`, and it may push");
    assert!(rig.may_push || !rig.lets_go || mode != "releasing", "every servo let go");
}

fn sense_something(rig: &mut Rig, rng: &mut StreamRng) {
    match rng.random_range(0..60) {
        0 => rig.core.on_sense_failed("noise", rig.now),
        1 => {
            let odd: Vec<f32> = (0..3).map(|_| any_number(rng)).collect();
            rig.core.on_sensed(&sensed(&odd, rig.now), rig.now);
        }
        2 => {
            let nothing = SignalFrame::new(SignalLayout { joint_count: 3, action_count: 3, ..SignalLayout::default() });
            rig.core.on_sensed(&nothing, rig.now);
        }
        3 if rng.random_range(0..5) == 0 => rig.core.on_command_failed("noise", rig.now),
        4 => push_somewhere(rig, rng),
        _ => {
            rig.core.on_command_done();
            // Joints go some of the way to their targets, or are moved about.
            let targets = rig.state().1.q_target;
            for (q, target) in rig.q.iter_mut().zip(targets) {
                *q += 0.3 * (target - *q) + rng.random_range(-0.02..0.02);
            }
            let frame = sensed(&rig.q, rig.now);
            rig.core.on_sensed(&frame, rig.now);
        }
    }
}

/// A joint is blocked and pushed against, or bent beyond its range, for a while.
fn push_somewhere(rig: &mut Rig, rng: &mut StreamRng) {
    let joint = rng.random_range(0..3);
    rig.q[joint] = rng.random_range(-3.0..3.0);
    for _ in 0..rng.random_range(0..30) {
        let frame = sensed(&rig.q, rig.now);
        rig.core.on_sensed(&frame, rig.now);
    }
}

/// Servos warm up, cool down, trip, or say nonsense. The judge knows what a sane reader would know.
fn servos_say(rig: &mut Rig, rng: &mut StreamRng, judge: &mut Judge) {
    match rng.random_range(0..30) {
        0 => {
            let nonsense = ServoHealth { temperature_celsius: vec![f32::NAN; 3], ..ServoHealth::default() };
            // Known once, it stays known for a while: nothing to judge by.
            judge.celsius.clear();
            judge.alarmed = false;
            rig.core.on_health(Some(&nonsense), rig.now);
        }
        1 => {
            let alarm = ServoAlarm { joint: 1, fault: Fault::Overload, detail: "tripped".to_owned() };
            judge.celsius.clear();
            judge.alarmed = true;
            rig.core.on_health(Some(&ServoHealth { alarms: vec![alarm], ..ServoHealth::default() }), rig.now);
        }
        _ => {
            let warmest = if rng.random_range(0..4) == 0 { 72.0 } else { 56.0 };
            let temperature_celsius: Vec<f32> = (0..3).map(|_| rng.random_range(20.0..warmest)).collect();
            let current_a = (0..3).map(|_| rng.random_range(-0.8..0.8)).collect();
            let volt = if rng.random_range(0..20) == 0 { 3.0 } else { 5.0 };
            judge.celsius.clone_from(&temperature_celsius);
            judge.alarmed = false;
            let health = ServoHealth { current_a, temperature_celsius, voltage_v: vec![volt; 3], alarms: Vec::new() };
            rig.core.on_health(Some(&health), rig.now);
        }
    }
}

fn live(life: u64) -> (u64, u64) {
    let mut rng = SeedTree::new(20_261_123).stream(Stream::Toy, 0, life);
    let mut robot = small_hand();
    robot.safety.hold = if life.is_multiple_of(2) { HoldAt::LastTarget } else { HoldAt::Measured };
    let rehearsal = rng.random_range(0..2) == 0;
    let uncalibrated = !rehearsal && rng.random_range(0..20) == 0;
    let calibration =
        if uncalibrated { Calibrated::Missing { detail: "wiggle".to_owned() } } else { Calibrated::NotNeeded };
    let mut rig = Rig::new(ControllerSpec { rehearsal, calibration, ..ControllerSpec::of(&robot) });
    let mut judge = Judge { uncalibrated, ..Judge::new(robot, rig.now) };
    let mut sent = Vec::new();
    let mut moved = false;
    // Half of the lives begin with a hand that follows.
    if life % 4 < 2 && !uncalibrated {
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
                moved |= was != rig.core.mode() && was == Mode::Off;
            }
            50..56 => {
                moved |= ask_something(&mut rig, &mut rng, &mut judge);
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
        if !life.is_multiple_of(3) && rng.random_range(0..4) == 0 {
            servos_say(&mut rig, &mut rng, &mut judge);
        }
        rig.lets_go = rng.random_range(0..60) > 0;
        let order = rig.tick();
        assert_says_what_is_so(&mut rig);
        judge.judge(&mut rig, &order, std::mem::take(&mut moved));
    }
    // Whatever came before: once it is quiet for long enough, torque is off.
    // (Only a simulated hand that stands at the start of an episode waits for ever.)
    let waits_for_ever = rig.core.mode() == Mode::Ready && rig.core.world_stands();
    rig.lets_go = true;
    if !rig.core.is_lockstep() && !waits_for_ever {
        rig.wait(2.0 + 0.15);
        rig.tick();
        rig.wait(2.0 + 30.0 + 1.0);
        assert_eq!(rig.tick(), Order::Off);
    }
    (judge.followed, judge.homed)
}

#[test]
fn no_sequence_of_faults_leads_to_an_unsafe_target() {
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get() as u64).min(8);
    let (followed, homed) = std::thread::scope(|scope| {
        let share = |thread: u64| scope.spawn(move || (thread..LIVES).step_by(threads as usize).map(live).collect());
        let running: Vec<_> = (0..threads).map(share).collect();
        let lives = running.into_iter().flat_map(|thread| -> Vec<(u64, u64)> { thread.join().unwrap() });
        lives.fold((0, 0), |sum, life| (sum.0 + life.0, sum.1 + life.1))
    });
    assert!(followed > LIVES * 6, "the campaign must also move: {followed} turns followed commands");
    assert!(homed > LIVES, "and go home: {homed} turns");
}
