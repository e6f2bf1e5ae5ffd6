//! Our own speed: by threads, by worlds, by hands.

use super::PhysicsBenchOptions;
use super::environment::{Environment, WORLDS};
use crate::run::config::RunConfig;
use crate::run::memory::Present;
use crate::say;
use crate::study::bench::spread::{Spread, go_on};
use crate::study::engines::rollout::Setup;
use crate::study::engines::setup;
use anyhow::Result;
use giraffe_robots::ROBOTS;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// The hand that others are compared with.
pub(super) const REFERENCE_ROBOT: &str = "leap-right";
/// Numbers of worlds whose speed is compared.
pub(super) const WORLD_COUNTS: [usize; 5] = [16, 64, 256, 1024, 4096];
/// What a world may take where it was not measured, bytes: twice what was measured of LEAP.
const BYTES_PER_WORLD: f64 = 300e3;

/// Two threads over one.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TwoCores {
    /// Control steps per second of one thread.
    pub one_thread: Spread,
    /// Control steps per second of two threads together.
    pub two_threads: Spread,
    /// Their ratio, round by round. Where it is above two, something disturbed the one.
    pub speedup: Spread,
}

/// Speed with so many worlds.
#[derive(Debug, Serialize)]
pub struct WorldsSpeed {
    /// Worlds, all in one thread.
    pub world_count: usize,
    /// Control steps per second of all of them together.
    pub control_steps_per_sec: Spread,
}

/// How fast one hand is.
#[derive(Debug, Serialize)]
pub struct RobotSpeed {
    /// Control steps per second of one thread.
    pub control_steps_per_sec: f64,
    /// Over that of `leap-right`, median of the rounds.
    pub relative_to_leap_right: f64,
}

/// Two threads over one, in turns; nothing on one core.
pub(super) fn two_cores(setup: &Setup, options: &PhysicsBenchOptions, stop: &AtomicBool) -> Result<Option<TwoCores>> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return Ok(None);
    }
    say::note("two threads against one");
    let mut both = [Environment::new(setup, WORLDS, 1)?, Environment::new(setup, WORLDS, 2)?];
    let rates = in_turns(&mut both, options.repeats, options.secs, stop)?;
    Ok(Some(TwoCores {
        one_thread: Spread::of(&rates[0]),
        two_threads: Spread::of(&rates[1]),
        speedup: Spread::of_ratios(&rates[1], &rates[0]),
    }))
}

/// One thread with few worlds and with many, in turns. Numbers that memory has no room for are left out.
pub(super) fn by_worlds(
    setup: &Setup,
    world_counts: &[usize],
    bytes_per_world: Option<f64>,
    options: &PhysicsBenchOptions,
    stop: &AtomicBool,
) -> Result<Vec<WorldsSpeed>> {
    let (mut counts, mut environments) = (Vec::new(), Vec::new());
    for &count in world_counts {
        go_on(stop)?;
        let needed = needed_bytes(count, bytes_per_world);
        if let Some(present) = Present::here().filter(|present| present.bytes < needed) {
            say::note(format_args!(
                "{count} worlds are left out: they may need {:.1} GB, and {present}",
                1e-9 * needed
            ));
            continue;
        }
        say::note(format_args!("one thread with {count} worlds"));
        environments.push(Environment::new(setup, count, 1)?);
        counts.push(count);
    }
    let rates = in_turns(&mut environments, options.repeats, options.secs, stop)?;
    let speed = |(world_count, rates): (&usize, &Vec<f64>)| WorldsSpeed {
        world_count: *world_count,
        control_steps_per_sec: Spread::of(rates),
    };
    Ok(counts.iter().zip(&rates).map(speed).collect())
}

fn needed_bytes(world_count: usize, bytes_per_world: Option<f64>) -> f64 {
    world_count as f64 * bytes_per_world.unwrap_or(BYTES_PER_WORLD)
}

/// Every hand with the same object, in turns.
pub(super) fn by_robots(
    config: &RunConfig,
    options: &PhysicsBenchOptions,
    stop: &AtomicBool,
) -> Result<BTreeMap<String, RobotSpeed>> {
    say::note("every hand in turns");
    let environment = |name: &str| {
        let config = RunConfig { robot: name.to_owned(), ..config.clone() };
        Environment::new(&setup(&config)?.0, WORLDS, 1)
    };
    let mut environments = ROBOTS.iter().map(|robot| environment(robot.name)).collect::<Result<Vec<_>>>()?;
    let rates = in_turns(&mut environments, options.repeats, 0.5 * options.secs, stop)?;
    let named = || ROBOTS.iter().map(|robot| robot.name).zip(&rates);
    let reference = named().find(|(name, _)| *name == REFERENCE_ROBOT).map_or(&[][..], |(_, rates)| rates);
    let speed = |rates: &[f64]| RobotSpeed {
        control_steps_per_sec: Spread::of(rates).median,
        relative_to_leap_right: Spread::of_ratios(rates, reference).median,
    };
    Ok(named().map(|(name, rates)| (name.to_owned(), speed(rates))).collect())
}

/// The rates of each in every round.
fn in_turns(all: &mut [Environment], rounds: usize, secs: f64, stop: &AtomicBool) -> Result<Vec<Vec<f64>>> {
    let mut rates = vec![Vec::new(); all.len()];
    for _ in 0..rounds {
        for (environment, rates) in all.iter_mut().zip(&mut rates) {
            go_on(stop)?;
            rates.push(environment.rate(secs));
        }
    }
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_world_takes_is_what_was_measured_and_assumed_only_where_nothing_was() {
        assert!((needed_bytes(10, Some(5e3)) - 5e4).abs() < 1.0);
        assert!((needed_bytes(10, None) - 10.0 * BYTES_PER_WORLD).abs() < 1.0);
    }

    #[test]
    fn numbers_of_worlds_that_memory_has_no_room_for_are_left_out() {
        let options = PhysicsBenchOptions {
            repeats: 2,
            secs: 1e-3,
            skip_memory: true,
            skip_robots: true,
            skip_scaling: false,
            python: None,
        };
        let (setup, _) = setup(&RunConfig::default()).expect("the usual hand");
        let stop = AtomicBool::new(false);
        let speeds = |bytes| by_worlds(&setup, &[1, 3], bytes, &options, &stop).expect("worlds can be built");
        let counts: Vec<usize> = speeds(None).iter().map(|row| row.world_count).collect();
        assert_eq!(counts, [1, 3]);
        assert!(speeds(None).iter().all(|row| row.control_steps_per_sec.min > 1.0));
        if Present::here().is_some() {
            assert!(speeds(Some(1e18)).is_empty());
        }
    }
}
