//! Moving one joint after the other finds every way in which a hand can be wired wrongly.

use super::servo_bus::EmulatedBus;
use super::{Bench, get_ready, sensed};
use giraffe_bridge::calibration::{Calibration, JointWire, SeenBy, wiring};
use giraffe_bridge::commissioning::{
    AssumeYes, CommissioningError, Correction, Findings, Question, Sighting, TerminalWitness, WiggleSpec, Witness,
    wiggle,
};
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::drivers::dynamixel::DynamixelDriver;
use giraffe_bridge::minimum_jerk::minimum_jerk;
use giraffe_bridge::{BusIdentity, Clock, DriverError, HandDriver, MonotonicClock, Rehearsal, SafeTargets};
use giraffe_robots::{Nanos, RobotModel, Signal, SignalFrame, load_robot};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A clock that nobody waits for.
#[derive(Default)]
struct Quick(Mutex<i64>);

impl Clock for Quick {
    fn now(&self) -> Nanos {
        Nanos(*self.0.lock().unwrap())
    }

    fn sleep_until(&self, deadline: Nanos) {
        *self.0.lock().unwrap() = deadline.0;
    }
}

/// Sees which joint a servo really moves, and whether it is mounted the wrong way round.
struct Truth {
    /// By the joint that is thought to move.
    moves: Vec<(usize, bool)>,
}

impl Truth {
    fn as_described(count: usize) -> Self {
        Self { moves: (0..count).map(|joint| (joint, false)).collect() }
    }
}

impl Witness for Truth {
    fn saw(&mut self, question: &Question<'_>) -> Result<Sighting, CommissioningError> {
        let (joint, reversed) = self.moves[question.joint];
        Ok(Sighting::Moved { joint, positive: (question.asked_rad > 0.0) != reversed })
    }

    fn seen_by(&self) -> SeenBy {
        SeenBy::Operator
    }
}

fn on_scripted(robot: &RobotModel, witness: &mut dyn Witness) -> Result<Findings, CommissioningError> {
    let wires = wiring(robot, None).unwrap();
    let mut driver = ScriptedDriver::new(robot);
    let stop = AtomicBool::new(false);
    let found = wiggle(&mut driver, robot, &wires, &WiggleSpec::default(), witness, &Quick::default(), &stop);
    assert_eq!(driver.target_rad(), None, "torque is off");
    found
}

#[test]
fn a_leap_that_is_wired_as_described_needs_no_correction() {
    let robot = load_robot("leap-right").unwrap();
    let found = on_scripted(&robot, &mut Truth::as_described(16)).unwrap();
    assert_eq!(found.corrections, []);
    assert_eq!(found.wires, wiring(&robot, None).unwrap());
}

#[test]
fn every_flipped_joint_of_a_leap_is_found() {
    let robot = load_robot("leap-right").unwrap();
    for flipped in 0..16 {
        let mut truth = Truth::as_described(16);
        truth.moves[flipped].1 = true;
        let found = on_scripted(&robot, &mut truth).unwrap();
        let joint = robot.joints[flipped].name.clone();
        assert_eq!(found.corrections, [Correction::Sign { joint, found: -1.0 }]);
        for (joint, wire) in found.wires.iter().enumerate() {
            assert_eq!(wire.sign, if joint == flipped { -1.0 } else { 1.0 });
            assert_eq!(usize::from(wire.id), joint);
        }
    }
}

#[test]
fn every_pair_of_swapped_servos_of_a_leap_is_found() {
    let robot = load_robot("leap-right").unwrap();
    for first in 0..16 {
        for second in first + 1..16 {
            let mut truth = Truth::as_described(16);
            truth.moves.swap(first, second);
            // One of the two is mounted the wrong way round too.
            truth.moves[first].1 = true;
            let found = on_scripted(&robot, &mut truth).unwrap();
            assert_eq!(found.corrections.len(), 3, "{:?}", found.corrections);
            assert_eq!((usize::from(found.wires[first].id), found.wires[first].sign), (second, 1.0));
            assert_eq!((usize::from(found.wires[second].id), found.wires[second].sign), (first, -1.0));
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let robot = load_robot("leap-right").unwrap();
    let mut truth = Truth::as_described(16);
    truth.moves[5].0 = 4;
    let error = on_scripted(&robot, &mut truth).unwrap_err().to_string();
    assert!(error.contains("middle_mcp_side") && error.contains("servo 4") && error.contains("servo 5"), "{error}");
    struct Blind;
    impl Witness for Blind {
        fn saw(&mut self, _: &Question<'_>) -> Result<Sighting, CommissioningError> {
            Ok(Sighting::Nothing)
        }
        fn seen_by(&self) -> SeenBy {
            SeenBy::Operator
        }
    }
    assert!(matches!(on_scripted(&robot, &mut Blind).unwrap_err(), CommissioningError::NothingSeen { id: 0 }));
}

#[test]
fn zeros_are_taken_from_a_flat_hand_and_stay_with_their_servo() {
    let robot = load_robot("leap-right").unwrap();
    let wire = |joint: usize| JointWire { id: joint as u8, sign: 1.0, zero_rad: std::f32::consts::PI };
    let mut flat_rad = vec![0.0; 16];
    flat_rad[3] = 0.02;
    let finding = |joint: usize| giraffe_bridge::commissioning::JointFinding {
        joint,
        wire: wire(joint),
        asked_rad: 0.05,
        moved_rad: 0.05,
        // 3 and 7 are swapped.
        sighting: Sighting::Moved {
            joint: match joint {
                3 => 7,
                7 => 3,
                other => other,
            },
            positive: true,
        },
    };
    let findings = |flat_rad: &[f32]| Findings::of(&robot, (0..16).map(finding).collect(), Some(flat_rad));
    let found = findings(&flat_rad).unwrap();
    assert_eq!((found.wires[7].id, found.wires[7].zero_rad), (3, std::f32::consts::PI + 0.02));
    assert_eq!(found.wires[3].zero_rad, std::f32::consts::PI);
    flat_rad[3] = 0.4;
    let error = findings(&flat_rad).unwrap_err().to_string();
    assert!(error.contains("middle_dip") && error.contains("servo 3") && error.contains("horn"), "{error}");
}

fn answers(robot: &RobotModel, text: &str) -> (Result<Findings, CommissioningError>, String) {
    let mut shown = Vec::new();
    let mut witness = TerminalWitness::new(text.as_bytes(), &mut shown);
    let found = on_scripted(robot, &mut witness);
    (found, String::from_utf8(shown).unwrap())
}

#[test]
fn a_person_is_told_what_to_look_for_and_may_answer_by_name() {
    let robot = super::servo_hand();
    let (found, shown) = answers(&robot, "y\nthumb_bent\nthumb_bend\nr\nfinger_bend\nperhaps\ny\n");
    let found = found.unwrap();
    assert!(shown.contains("did you mean `thumb_bend`"), "{shown}");
    assert!(shown.contains("the finger fingertip moves ["), "{shown}");
    assert_eq!(found.wires.iter().map(|wire| (wire.id, wire.sign)).collect::<Vec<_>>()[0], (1, 1.0));
    assert_eq!((found.wires[1].id, found.wires[2].id), (3, 2));
    let texts: Vec<String> = found.corrections.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("`finger_bend` is moved by servo 3")), "{texts:?}");
    for stopped in ["q\n", "", "y\nthumb_bend\nq\n"] {
        let (found, _) = answers(&robot, stopped);
        assert!(matches!(found.unwrap_err(), CommissioningError::Stopped), "{stopped:?}");
    }
    assert!(matches!(answers(&robot, "n\n").0.unwrap_err(), CommissioningError::NothingSeen { .. }));
}

/// The small hand, whose servos 2 and 3 changed places, and servo 1 is mounted the wrong way round. Sees the servos of
/// the emulated bus move: the one with the largest speed seen during the motion.
struct Onlooker<'b> {
    servos: &'b EmulatedBus,
}

/// What servo 1, 2, 3 really move, and whether the wrong way round.
const REALITY: [(usize, bool); 3] = [(0, true), (2, false), (1, false)];

impl Witness for Onlooker<'_> {
    fn saw(&mut self, question: &Question<'_>) -> Result<Sighting, CommissioningError> {
        let torque = self.servos.bus().servos().iter().any(|servo| servo.has_torque());
        assert!(!torque, "no torque while a question is asked");
        let (joint, reversed) = REALITY[usize::from(question.id) - 1];
        Ok(Sighting::Moved { joint, positive: (question.asked_rad > 0.0) != reversed })
    }

    fn seen_by(&self) -> SeenBy {
        SeenBy::Operator
    }
}

fn quick_spec() -> WiggleSpec {
    WiggleSpec { peak_rad_per_sec: 0.5, settle_secs: 0.3, ..WiggleSpec::default() }
}

#[test]
fn a_hand_on_a_bus_is_found_out_and_then_moves_the_right_joints() {
    let bench = Bench::new();
    let mut driver = bench.driver();
    let clock = MonotonicClock::start();
    let stop = AtomicBool::new(false);
    let wires = wiring(&bench.robot, None).unwrap();
    let mut witness = Onlooker { servos: &bench.servos };
    let found = wiggle(&mut driver, &bench.robot, &wires, &quick_spec(), &mut witness, &clock, &stop).unwrap();
    assert_eq!(found.corrections.len(), 3, "{:?}", found.corrections);
    let path = bench.folder.path().join("hand.toml");
    let identity = driver.identity().unwrap();
    found.calibration(&bench.robot, identity, SeenBy::Operator, "2026-11-23", "a test").save(&path).unwrap();
    drop(driver);

    let calibration = Calibration::load(&path, &bench.robot).unwrap();
    let mut driver =
        DynamixelDriver::new(&bench.robot, bench.settings(), Some(calibration), crate::controller::clock()).unwrap();
    driver.connect().unwrap();
    get_ready(&mut driver);
    bench.go(&mut driver, &[0.3, 0.5, 0.0]);
    let mut bus = bench.servos.bus();
    let turned: Vec<f64> = (1..=3).map(|id| (bus.servo(id).position_ticks - 2048.0).round()).collect();
    // finger_mcp_side by servo 1 the wrong way round, finger_bend by servo 3.
    assert!((turned[0] + 196.0).abs() < 4.0 && turned[1].abs() < 4.0 && (turned[2] - 326.0).abs() < 4.0, "{turned:?}");
}

#[test]
fn a_blocked_joint_and_a_hot_servo_end_it_with_torque_off() {
    let bench = Bench::new();
    let wires = wiring(&bench.robot, None).unwrap();
    let clock = MonotonicClock::start();
    let run = |driver: &mut DynamixelDriver| {
        let stop = AtomicBool::new(false);
        wiggle(driver, &bench.robot, &wires, &quick_spec(), &mut AssumeYes, &clock, &stop).unwrap_err().to_string()
    };
    let mut driver = bench.driver();
    bench.servos.bus().servo(2).faults.blocked = true;
    let error = run(&mut driver);
    assert!(error.contains("finger_bend") && error.contains("servo 2") && error.contains("blocked"), "{error}");
    bench.servos.bus().servo(2).faults.blocked = false;
    bench.servos.bus().servo(3).trip(1 << 2);
    let error = run(&mut driver);
    assert!(error.contains("servo 3") && error.contains("hot"), "{error}");
    assert!(!bench.servos.any_torque());
}

#[test]
fn an_interruption_in_the_middle_of_a_motion_takes_torque_off() {
    struct Interrupted {
        hand: ScriptedDriver,
        commands: u32,
        stop: std::sync::Arc<AtomicBool>,
    }
    impl HandDriver for Interrupted {
        fn loop_period_secs(&self) -> f32 {
            0.01
        }
        fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
            self.hand.sense(frame)
        }
        fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
            self.commands += 1;
            self.stop.store(self.commands == 5, Ordering::Relaxed);
            self.hand.command(targets)
        }
        fn release(&mut self) -> Result<(), DriverError> {
            self.hand.release()
        }
        fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
            self.hand.rehearsal()
        }
    }
    let robot = super::servo_hand();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let mut driver = Interrupted { hand: ScriptedDriver::new(&robot), commands: 0, stop: stop.clone() };
    let wires = wiring(&robot, None).unwrap();
    let found = wiggle(&mut driver, &robot, &wires, &WiggleSpec::default(), &mut AssumeYes, &Quick::default(), &stop);
    assert!(matches!(found.unwrap_err(), CommissioningError::Stopped));
    assert_eq!((driver.commands, driver.hand.target_rad()), (5, None));
}

#[test]
fn a_joint_that_moves_along_is_named() {
    struct Tied(ScriptedDriver);
    impl HandDriver for Tied {
        fn loop_period_secs(&self) -> f32 {
            0.01
        }
        fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
            self.0.sense(frame)?;
            let mut at = frame.read(Signal::JointPosition).unwrap().to_vec();
            // Which stands at 0.4 rad at home.
            at[2] += at[1] - 0.4;
            frame.write(Signal::JointPosition, &at);
            Ok(())
        }
        fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
            self.0.command(targets)
        }
        fn release(&mut self) -> Result<(), DriverError> {
            self.0.release()
        }
        fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
            self.0.rehearsal()
        }
    }
    let robot = super::servo_hand();
    let mut driver = Tied(ScriptedDriver::new(&robot));
    let (wires, stop) = (wiring(&robot, None).unwrap(), AtomicBool::new(false));
    let spec = WiggleSpec::default();
    let found = wiggle(&mut driver, &robot, &wires, &spec, &mut AssumeYes, &Quick::default(), &stop);
    let error = found.unwrap_err().to_string();
    assert!(error.contains("`thumb_bend` moved") && error.contains("only `finger_bend`"), "{error}");
    assert_eq!(driver.0.target_rad(), None, "torque is off");
}

#[test]
fn torque_that_stays_on_is_told_loudly() {
    let mut bench = Bench::new();
    let mut driver = bench.driver();
    let wires = wiring(&bench.robot, None).unwrap();
    struct Unplugs<'b>(&'b mut EmulatedBus);
    impl Witness for Unplugs<'_> {
        fn saw(&mut self, _: &Question<'_>) -> Result<Sighting, CommissioningError> {
            self.0.unplug();
            Ok(Sighting::Moved { joint: 0, positive: true })
        }
        fn seen_by(&self) -> SeenBy {
            SeenBy::Operator
        }
    }
    let (clock, stop) = (MonotonicClock::start(), AtomicBool::new(false));
    let mut witness = Unplugs(&mut bench.servos);
    let found = wiggle(&mut driver, &bench.robot, &wires, &quick_spec(), &mut witness, &clock, &stop);
    let error = found.unwrap_err();
    assert!(matches!(error, CommissioningError::NotReleased { .. }), "{error}");
    assert!(error.to_string().contains("Cut the supply"), "{error}");
}

/// Lets go, and cannot be made ready from some time on.
struct Unready {
    hand: ScriptedDriver,
    fails_from: u32,
    attempts: u32,
}

impl HandDriver for Unready {
    fn loop_period_secs(&self) -> f32 {
        0.01
    }
    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.sense(frame)
    }
    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }
    fn release(&mut self) -> Result<(), DriverError> {
        self.hand.release()
    }
    fn make_ready(&mut self) -> Result<(), DriverError> {
        self.attempts += 1;
        match self.attempts < self.fails_from {
            true => Ok(()),
            false => Err(DriverError::new("setting up servo 2", "Drive Mode is 1, expected 0")),
        }
    }
    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        self.hand.rehearsal()
    }
}

#[test]
fn what_keeps_a_hand_from_moving_is_told_and_not_as_torque_that_stays_on() {
    let robot = super::servo_hand();
    let run = |fails_from: u32| {
        let mut driver = Unready { hand: ScriptedDriver::new(&robot), fails_from, attempts: 0 };
        let (wires, stop) = (wiring(&robot, None).unwrap(), AtomicBool::new(false));
        let spec = WiggleSpec::default();
        wiggle(&mut driver, &robot, &wires, &spec, &mut AssumeYes, &Quick::default(), &stop).map_err(|e| e.to_string())
    };
    for fails_from in [1, 3] {
        let error = run(fails_from).unwrap_err();
        assert!(error.contains("servo 2") && error.contains("Drive Mode is 1"), "{error}");
        assert!(!error.contains("Cut the supply"), "torque is off: {error}");
    }
    assert!(run(2 + robot.joint_count() as u32).is_ok(), "at the very end, with everything found");
}

#[test]
fn a_servo_that_cannot_be_set_up_is_named_with_its_register_as_often_as_one_asks() {
    let bench = Bench::new();
    let mut driver = bench.new_driver();
    driver.connect().unwrap();
    bench.servos.bus().servo(2).faults.forgets = Some(84);
    let (wires, stop) = (wiring(&bench.robot, None).unwrap(), AtomicBool::new(false));
    let clock = MonotonicClock::start();
    let found = wiggle(&mut driver, &bench.robot, &wires, &quick_spec(), &mut AssumeYes, &clock, &stop);
    let error = found.unwrap_err().to_string();
    assert!(error.contains("servo 2") && error.contains("Position P Gain"), "{error}");
    assert!(!error.contains("Cut the supply") && !bench.servos.any_torque(), "{error}");
    for _ in 0..5 {
        driver.release().unwrap();
        let again = driver.make_ready().unwrap_err().to_string();
        assert!(again.contains("servo 2") && again.contains("Position P Gain"), "{again}");
    }
}

#[test]
fn a_file_that_nobody_vouches_for_says_so() {
    let robot = super::servo_hand();
    let found = on_scripted(&robot, &mut AssumeYes).unwrap();
    let calibration = found.calibration(&robot, BusIdentity::default(), AssumeYes.seen_by(), "2026-11-23", "a test");
    assert_eq!(calibration.seen_by, SeenBy::Nobody);
    assert_eq!(calibration.check(&robot), Ok(()));
}

#[test]
fn minimum_jerk_starts_and_ends_at_rest_and_keeps_its_speed() {
    let motion = minimum_jerk(&[0.0, 1.0], &[0.5, 0.9], 0.4);
    let step_secs = 1e-3;
    let steps = (motion.duration_secs() / step_secs) as usize;
    let path: Vec<f32> = (0..=steps + 2).map(|step| motion.at(step as f32 * step_secs)[0]).collect();
    let speeds: Vec<f32> = path.windows(2).map(|pair| (pair[1] - pair[0]) / step_secs).collect();
    let fastest = speeds.iter().copied().fold(0.0, f32::max);
    assert!((fastest - 0.4).abs() < 0.004, "{fastest}");
    assert!(speeds[0] < 0.001 && speeds[speeds.len() - 3] < 0.001, "at rest at both ends");
    assert!(path.windows(2).all(|pair| pair[1] - pair[0] > -1e-6), "never back");
    assert_eq!(motion.at(0.0), [0.0, 1.0]);
    assert_eq!(motion.at(1e9), [0.5, 0.9]);
    assert_eq!(minimum_jerk(&[0.3], &[0.3], 0.4).at(0.0), [0.3], "nowhere to go");
}

#[test]
fn the_pose_is_read_from_the_bus_before_it_is_left() {
    let bench = Bench::new();
    bench.servos.bus().servo(1).position_ticks = 2300.0;
    let mut driver = bench.driver();
    let at = sensed(&mut driver);
    let (clock, stop) = (MonotonicClock::start(), AtomicBool::new(false));
    let wires = wiring(&bench.robot, None).unwrap();
    wiggle(&mut driver, &bench.robot, &wires, &quick_spec(), &mut AssumeYes, &clock, &stop).unwrap();
    let after = sensed(&mut driver);
    assert!(at.iter().zip(&after).all(|(at, after)| (at - after).abs() < 0.01), "{at:?} {after:?}");
}
