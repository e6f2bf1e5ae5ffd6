//! A servo that is too hot, overloaded or badly supplied is spared, then held, then let go.

use crate::hand::{Rig, code, hello_of, small_hand};
use giraffe_bridge::health::{HealthMonitor, Remedy};
use giraffe_bridge::message::{Arm, ClearFault, Granted, Home, Refusal};
use giraffe_bridge::{Calibrated, ControllerSpec, Fault, Mode, Order, Request, ServoAlarm, ServoHealth};
use giraffe_robots::ServoLimits;
use proptest::prelude::*;

/// Three servos, all alike but for the second.
fn servos(current_a: f32, celsius: f32, volt: f32) -> ServoHealth {
    ServoHealth {
        current_a: vec![0.1, current_a, 0.1],
        temperature_celsius: vec![30.0, celsius, 30.0],
        voltage_v: vec![5.0, volt, 5.0],
        alarms: Vec::new(),
    }
}

fn monitor() -> HealthMonitor {
    HealthMonitor::new(ServoLimits::REFERENCE, ["a", "b", "c"].map(str::to_owned).to_vec())
}

fn active() -> Rig {
    let mut rig = Rig::plain();
    rig.activate();
    rig
}

/// `secs` of a hand that follows, whose servos say `health` all the time.
fn live(rig: &mut Rig, health: &ServoHealth, secs: f64) -> Order {
    let mut order = rig.tick();
    for turn in 0..(secs / 0.01).round() as u32 {
        rig.core.on_health(Some(health), rig.now);
        if turn % 5 == 0 {
            let q = rig.q.clone();
            rig.command(&q);
        }
        order = rig.idle(0.01);
    }
    order
}

fn efforts(order: &Order) -> Vec<f32> {
    order.targets().expect("torque is on").effort_scales().to_vec()
}

#[test]
fn effort_shrinks_between_55_and_65_degrees_and_only_for_the_warm_servo() {
    for (celsius, effort) in [(20.0, 1.0), (55.0, 1.0), (57.5, 0.8), (60.0, 0.6), (64.9, 0.208), (-20.0, 1.0)] {
        let mut rig = active();
        let order = live(&mut rig, &servos(0.1, celsius, 5.0), 0.1);
        let found = efforts(&order);
        assert!((found[1] - effort).abs() < 1e-4, "{celsius} degrees: {found:?}");
        assert_eq!((found[0], found[2]), (1.0, 1.0));
        assert_eq!(rig.core.mode(), Mode::Active);
    }
}

#[test]
fn a_hot_servo_is_held_and_a_hotter_one_let_go() {
    let mut rig = active();
    let order = live(&mut rig, &servos(0.1, 65.0, 5.0), 0.1);
    assert!(matches!(order, Order::Hold(_)));
    assert!(efforts(&order)[1] < 0.2 && rig.core.faults().holds(Fault::OverTemperature));
    let (_, state) = rig.state();
    assert!(state.why.contains("finger_bend") && state.why.contains("65"), "{}", state.why);
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "FAULT_LATCHED");
    live(&mut rig, &servos(0.1, 68.0, 5.0), 0.02);
    assert_eq!((rig.tick(), rig.core.mode()), (Order::Off, Mode::Fault));
    // Not while it is warm.
    for (celsius, clears) in [(69.0, false), (60.0, false), (55.0, false), (54.5, true)] {
        rig.core.on_health(Some(&servos(0.1, celsius, 5.0)), rig.now);
        let granted: Granted = rig.ask_for(&ClearFault {});
        assert_eq!(granted.fault == 0, clears, "at {celsius} degrees");
    }
    assert_eq!(rig.core.mode(), Mode::Off);
}

#[test]
fn a_hold_for_heat_relaxes_and_lets_go_if_nothing_helps() {
    let mut rig = active();
    let hot = servos(0.1, 66.0, 5.0);
    assert!(matches!(live(&mut rig, &hot, 0.5), Order::Hold(_)));
    assert!(matches!(live(&mut rig, &hot, 2.0), Order::Relax(_)));
    assert_eq!(live(&mut rig, &hot, 31.0), Order::Off);
}

#[test]
fn a_temperature_that_goes_missing_for_long_counts_as_hot() {
    let mut rig = active();
    live(&mut rig, &servos(0.1, 40.0, 5.0), 0.1);
    live(&mut rig, &servos(0.1, f32::NAN, 5.0), 4.8);
    assert_eq!(rig.core.mode(), Mode::Active, "for five seconds nothing is known to be wrong");
    live(&mut rig, &servos(0.1, f32::NAN, 5.0), 0.5);
    assert_eq!(rig.core.mode(), Mode::Hold);
    assert!(rig.core.faults().holds(Fault::OverTemperature));
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_ne!(granted.fault, 0, "still not known");
    live(&mut rig, &servos(0.1, 40.0, 5.0), 0.1);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.fault, 0);
}

#[test]
fn servos_that_never_say_anything_are_nobodys_fault() {
    for health in [
        ServoHealth::default(),
        servos(f32::NAN, f32::NAN, f32::INFINITY),
        ServoHealth { temperature_celsius: vec![90.0; 7], ..ServoHealth::default() },
        ServoHealth { temperature_celsius: vec![400.0; 3], ..ServoHealth::default() },
    ] {
        let mut rig = active();
        live(&mut rig, &health, 8.0);
        assert_eq!((rig.core.mode(), rig.core.faults().is_empty()), (Mode::Active, true));
        let (_, state) = rig.state();
        assert!(state.temp.is_none_or(|temp| temp[1].is_none()));
    }
}

#[test]
fn too_much_current_for_too_long_lets_go_and_is_forgiven_slowly() {
    // (0.7² − 0.35²) A² for 5 s: 0.55 A is borne for 10.2 s, 0.7 A for 5 s, 0.35 A for ever.
    for (current_a, bears_secs) in [(0.55f32, 10.2), (-0.7, 5.0), (1.4, 1.0)] {
        let mut servos_now = monitor();
        let overloaded_at = (1..3000).find(|_| {
            let ailments = servos_now.update(Some(&servos(current_a, 30.0, 5.0)), 0.01);
            ailments.iter().any(|ailment| ailment.fault == Fault::Overload && ailment.remedy == Remedy::Release)
        });
        let secs = f64::from(overloaded_at.expect("overloaded")) * 0.01;
        assert!((secs - bears_secs).abs() < 0.06 * bears_secs, "{current_a} A for {secs} s");
        assert!(servos_now.has_cause_of(Fault::Overload));
        for _ in 0..700 {
            servos_now.update(Some(&servos(0.0, 30.0, 5.0)), 0.01);
        }
        assert!(servos_now.has_cause_of(Fault::Overload), "7 s of rest are not enough");
        for _ in 0..100 {
            servos_now.update(Some(&servos(0.0, 30.0, 5.0)), 0.01);
        }
        assert!(!servos_now.has_cause_of(Fault::Overload));
    }
    let mut rig = active();
    live(&mut rig, &servos(0.35, 30.0, 5.0), 30.0);
    assert_eq!(rig.core.mode(), Mode::Active);
    live(&mut rig, &servos(0.7, 30.0, 5.0), 5.2);
    assert_eq!(rig.tick(), Order::Off);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.mode, "fault");
    live(&mut rig, &servos(0.0, 30.0, 5.0), 9.0);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!((granted.mode.as_str(), granted.fault), ("off", 0));
}

#[test]
fn a_supply_out_of_range_lets_go_but_a_dip_does_not() {
    for volt in [3.2f32, 7.4] {
        let mut rig = active();
        live(&mut rig, &servos(0.1, 30.0, volt), 0.1);
        live(&mut rig, &servos(0.1, 30.0, 5.0), 0.1);
        assert_eq!(rig.core.mode(), Mode::Active, "a dip");
        live(&mut rig, &servos(0.1, 30.0, volt), 0.4);
        assert_eq!(rig.tick(), Order::Off);
        assert!(rig.core.faults().holds(Fault::Voltage) && rig.state().1.why.contains("finger_bend"));
    }
}

#[test]
fn an_alarm_of_a_servo_is_its_fault_and_ends_only_through_the_driver_with_torque_off() {
    for (said, fault) in [
        (Fault::Overload, Fault::Overload),
        (Fault::OverTemperature, Fault::OverTemperature),
        (Fault::Voltage, Fault::Voltage),
        (Fault::Internal, Fault::BusError),
    ] {
        let mut rig = active();
        let alarm = ServoAlarm { joint: 1, fault: said, detail: "servo 12 protects itself".to_owned() };
        let tripped = ServoHealth { alarms: vec![alarm], ..servos(0.1, 30.0, 5.0) };
        rig.core.on_health(Some(&tripped), rig.now);
        assert_eq!((rig.tick(), rig.core.mode()), (Order::Off, Mode::Fault));
        assert!(rig.core.faults().holds(fault) && rig.state().1.why.contains("servo 12"));
        let Request::ClearAlarms { re } = rig.ask(&ClearFault {}) else { panic!("the driver must be asked") };
        assert!(!rig.core.mode().has_torque());
        rig.core.on_alarms_cleared(re, Err("servo 12 does not answer".to_owned()), rig.now);
        assert!(rig.core.faults().holds(fault), "it did not work");
        let Request::ClearAlarms { re } = rig.ask(&ClearFault {}) else { panic!() };
        rig.core.on_alarms_cleared(re, Ok(()), rig.now);
        assert_eq!((rig.core.mode(), rig.core.faults().is_empty()), (Mode::Off, true));
        // If it is not over, the next word of the servo says so.
        rig.core.on_health(Some(&tripped), rig.now);
        assert_eq!(rig.core.mode(), Mode::Fault);
    }
}

#[test]
fn what_servos_say_is_published_with_nil_for_the_unknown() {
    let mut rig = active();
    rig.core.on_health(Some(&servos(f32::NAN, 41.5, 5.0)), rig.now);
    rig.core.on_turn(812);
    let (_, state) = rig.state();
    assert_eq!(state.cur, Some(vec![Some(0.1), None, Some(0.1)]));
    assert_eq!(state.temp, Some(vec![Some(30.0), Some(41.5), Some(30.0)]));
    assert_eq!(state.volt, Some(vec![Some(5.0); 3]));
    assert_eq!(state.loop_us, Some(812));
}

#[test]
fn a_hand_that_nobody_calibrated_is_neither_armed_nor_homed() {
    let detail = "run `giraffe wiggle` first".to_owned();
    let calibration = Calibrated::Missing { detail: detail.clone() };
    let mut rig = Rig::new(ControllerSpec { calibration, ..ControllerSpec::of(&small_hand()) });
    let welcome = rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    assert_eq!(welcome.calibration.as_deref(), Some(""));
    assert!(welcome.notes[0].contains("wiggle"), "{:?}", welcome.notes);
    rig.stream(0.5);
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!((refusal.code.as_str(), &refusal.detail), ("NOT_CALIBRATED", &detail));
    let refusal: Refusal = rig.ask_for(&Home {});
    assert_eq!(refusal.code, "NOT_CALIBRATED");
    assert_eq!(rig.tick(), Order::Off);
    let calibration = Calibrated::Valid { id: "bench-7".to_owned() };
    let mut rig = Rig::new(ControllerSpec { calibration, ..ControllerSpec::of(&small_hand()) });
    let welcome = rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    assert_eq!(welcome.calibration.as_deref(), Some("bench-7"));
    assert_eq!(Rig::plain().hello(&hello_of(&small_hand(), &[])).unwrap().calibration, None);
}

#[test]
fn limits_of_servos_that_mean_nothing_are_refused() {
    for change in [
        |servos: &mut ServoLimits| servos.continuous_current_a = f32::NAN,
        |servos: &mut ServoLimits| servos.peak_current_a = 0.1,
        |servos: &mut ServoLimits| servos.hold_from_celsius = 40.0,
        |servos: &mut ServoLimits| servos.least_effort = 0.0,
    ] {
        let mut spec = ControllerSpec::of(&small_hand());
        change(&mut spec.servos);
        assert!(giraffe_bridge::ServerCore::new(spec, giraffe_robots::Nanos(0)).is_err());
    }
}

fn anything() -> impl Strategy<Value = f32> {
    prop_oneof![3 => -10.0f32..120.0, 1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::MIN, 1e30, -0.0])]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_servos_say_effort_stays_between_nothing_and_all(
        calls in prop::collection::vec((prop::collection::vec(anything(), 0..5), prop::collection::vec(anything(), 3),
            prop::collection::vec(anything(), 3), anything()), 1..30),
    ) {
        let mut servos_now = monitor();
        for (current_a, temperature_celsius, voltage_v, secs) in calls {
            let health = ServoHealth { current_a, temperature_celsius, voltage_v, alarms: Vec::new() };
            let ailments = servos_now.update(Some(&health), secs);
            prop_assert!(servos_now.effort_scales().iter().all(|&scale| (0.2 - 1e-6..=1.0).contains(&scale)));
            // Worst first: whoever takes only the first does no harm.
            prop_assert!(ailments.windows(2).all(|two| two[0].remedy == Remedy::Release || two[1].remedy == Remedy::Hold));
            for (joint, celsius) in health.temperature_celsius.iter().enumerate() {
                let hot = celsius.is_finite() && (68.0..=150.0).contains(celsius);
                let released = ailments.iter().any(|a| a.fault == Fault::OverTemperature && a.remedy == Remedy::Release);
                prop_assert!(!hot || released, "joint {joint} at {celsius}");
            }
        }
    }
}

#[test]
fn a_warm_servo_never_gets_more_than_a_cooler_one() {
    let mut last = 1.0;
    for tenth in 0..400 {
        let mut servos_now = monitor();
        servos_now.update(Some(&servos(0.1, 40.0 + 0.1 * tenth as f32, 5.0)), 0.01);
        let scale = servos_now.effort_scales()[1];
        assert!(scale <= last);
        last = scale;
    }
    assert!((last - 0.2).abs() < 1e-6);
    assert_eq!(code(&active().command(&[0.0, 0.4, 0.2])), "accepted");
}
