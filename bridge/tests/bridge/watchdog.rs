//! When commands stop.

use giraffe_bridge::{Mode, Watchdog, WatchdogSpec};
use giraffe_robots::Nanos;

const SPEC: WatchdogSpec = WatchdogSpec {
    hold_after_secs: 0.15,
    relax_after_secs: 2.0,
    off_after_secs: 30.0,
    rearm_after_secs: 1.0,
    stream_secs: 0.5,
};

fn at(secs: f64) -> Nanos {
    Nanos::from_secs(secs)
}

fn active() -> Watchdog {
    let mut watchdog = Watchdog::new(SPEC, at(0.0));
    watchdog.ready(at(0.0));
    watchdog.arm(at(0.0)).unwrap();
    watchdog
}

#[test]
fn silence_leads_to_hold_then_relax_then_off() {
    let mut watchdog = active();
    watchdog.command(at(1.0), true);
    for (secs, mode) in [
        (1.15, Mode::Active),
        (1.151, Mode::Hold),
        (3.15, Mode::Hold),
        (3.151, Mode::Relax),
        (33.15, Mode::Relax),
        (33.151, Mode::Off),
        (1e6, Mode::Off),
    ] {
        watchdog.tick(at(secs));
        assert_eq!(watchdog.mode(), mode, "at {secs} s");
    }
}

#[test]
fn a_process_that_slept_finds_itself_where_a_waking_one_would_be() {
    let mut slept = active();
    slept.tick(at(3.0));
    assert_eq!(slept.mode(), Mode::Relax);
    let mut longer = active();
    longer.tick(at(100.0));
    assert_eq!(longer.mode(), Mode::Off);
}

#[test]
fn a_fresh_command_ends_a_short_hold_but_not_a_long_one() {
    let mut short = active();
    short.tick(at(0.2));
    assert_eq!(short.mode(), Mode::Hold);
    short.command(at(1.1), true);
    assert_eq!(short.mode(), Mode::Active);

    let mut long = active();
    long.tick(at(0.2));
    long.command(at(1.2), true);
    assert_eq!(long.mode(), Mode::Hold, "held since 0.15 s, for more than a second");
    assert!(long.arm(at(1.2)).is_err());
}

#[test]
fn after_a_long_hold_commands_must_stream_before_an_arm() {
    let mut watchdog = active();
    watchdog.tick(at(1.5));
    assert_eq!(watchdog.mode(), Mode::Hold);
    for tick in 0..=10 {
        let now = 1.5 + 0.05 * f64::from(tick);
        watchdog.command(at(now), true);
        assert_eq!(watchdog.arm(at(now)).is_ok(), tick == 10, "tick {tick}");
    }
    assert_eq!(watchdog.mode(), Mode::Active);
}

#[test]
fn a_gap_or_a_far_command_starts_the_stream_anew() {
    for spoil in [
        |watchdog: &mut Watchdog| watchdog.command(at(0.46), false),
        |watchdog: &mut Watchdog| watchdog.command(at(0.7), true),
    ] {
        let mut watchdog = Watchdog::new(SPEC, at(0.0));
        for tick in 0..10 {
            watchdog.command(at(0.05 * f64::from(tick)), true);
        }
        spoil(&mut watchdog);
        watchdog.command(at(0.75), true);
        assert!(watchdog.arm(at(0.75)).is_err());
        for tick in 0..=10 {
            watchdog.command(at(0.8 + 0.05 * f64::from(tick)), true);
        }
        assert!(watchdog.arm(at(1.3)).is_ok());
    }
}

#[test]
fn an_asked_for_hold_is_not_ended_by_a_command() {
    let mut watchdog = active();
    watchdog.hold(at(0.1));
    watchdog.command(at(0.12), true);
    assert_eq!(watchdog.mode(), Mode::Hold);
}

#[test]
fn a_hold_by_silence_becomes_final_when_somebody_asks_for_it() {
    let mut watchdog = active();
    watchdog.tick(at(0.2));
    watchdog.hold(at(0.2));
    watchdog.command(at(0.3), true);
    assert_eq!(watchdog.mode(), Mode::Hold);
}

#[test]
fn faults_and_stops_take_torque_off_and_only_clearing_leads_on() {
    let mut watchdog = active();
    watchdog.estop(at(0.1));
    watchdog.stop(at(0.1));
    watchdog.fault(at(0.1));
    assert_eq!(watchdog.mode(), Mode::Estop);
    assert!(watchdog.arm(at(0.1)).is_err());
    watchdog.clear(at(0.2));
    assert_eq!(watchdog.mode(), Mode::Off);
    let silent: Vec<Mode> = Mode::ALL.into_iter().filter(|mode| !mode.has_torque()).collect();
    assert_eq!(silent, [Mode::Off, Mode::Fault, Mode::Estop, Mode::Releasing]);
}

#[test]
fn in_lock_step_no_silence_is_too_long() {
    let mut watchdog = active();
    watchdog.suspend(true);
    watchdog.tick(at(1e5));
    assert_eq!(watchdog.mode(), Mode::Active);
}
