//! The small worlds obey the contract, and move as the laws they are named after say.

use crate::toys::cart_pole::{self, CartPole};
use crate::toys::cue::CueWorlds;
use crate::toys::pendulum::{self, Pendulum};
use crate::toys::{Toy, ToyWorlds};
use giraffe_robots::{EpisodeEnd, SeedTree, StepBatch, Stream, WorldBatch};
use rand::RngExt;

const COUNT: usize = 20;

fn pendulums(seed: u64, count: usize) -> Box<dyn WorldBatch> {
    Box::new(ToyWorlds::<Pendulum>::new(SeedTree::new(seed), count))
}

fn cart_poles(seed: u64, count: usize) -> Box<dyn WorldBatch> {
    Box::new(ToyWorlds::<CartPole>::new(SeedTree::new(seed), count))
}

fn cues(seed: u64, count: usize) -> Box<dyn WorldBatch> {
    Box::new(CueWorlds::new(seed, count))
}

type Make = fn(u64, usize) -> Box<dyn WorldBatch>;

const ALL: [Make; 3] = [cues, pendulums, cart_poles];

fn batch_of(worlds: &dyn WorldBatch) -> StepBatch {
    StepBatch::new(worlds.world_count(), worlds.schema().critic_width())
}

/// Everything `steps` steps with random actions give.
fn history(worlds: &mut dyn WorldBatch, batch: &mut StepBatch, steps: std::ops::Range<u64>) -> Vec<StepBatch> {
    steps
        .map(|step| {
            let mut rng = SeedTree::new(77).stream(Stream::Toy, 0, step);
            let actions: Vec<f32> = (0..worlds.world_count()).map(|_| rng.random_range(-1.5..1.5)).collect();
            worlds.step(&actions, batch);
            batch.clone()
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    for make in ALL {
        let run = |seed| {
            let mut worlds = make(seed, COUNT);
            let mut batch = batch_of(worlds.as_ref());
            worlds.reset_all(&mut batch);
            history(worlds.as_mut(), &mut batch, 0..150)
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }
}

#[test]
fn a_world_does_not_know_how_many_others_there_are() {
    for make in ALL {
        let run = |count| {
            let mut worlds = make(3, count);
            let mut batch = batch_of(worlds.as_ref());
            worlds.reset_all(&mut batch);
            let width = worlds.schema().critic_width();
            (0..100)
                .flat_map(|_| {
                    worlds.step(&vec![0.3; count], &mut batch);
                    batch.observations[..2 * width].to_vec()
                })
                .collect::<Vec<f32>>()
        };
        assert_eq!(run(2), run(COUNT));
    }
}

#[test]
fn saved_worlds_continue_bit_for_bit_in_the_middle_of_episodes() {
    for make in ALL {
        let mut worlds = make(3, COUNT);
        let mut batch = batch_of(worlds.as_ref());
        worlds.reset_all(&mut batch);
        history(worlds.as_mut(), &mut batch, 0..37);
        let (saved, seen) = (worlds.save(), batch.observations.clone());
        let expected = history(worlds.as_mut(), &mut batch, 37..200);
        assert!(expected.iter().any(|batch| batch.ends.iter().any(|end| *end != EpisodeEnd::Running)));

        let mut resumed = make(3, COUNT);
        let mut batch = batch_of(resumed.as_ref());
        resumed.restore(&saved, &mut batch).unwrap();
        assert_eq!(batch.observations, seen);
        let found = history(resumed.as_mut(), &mut batch, 37..200);
        for (found, expected) in found.iter().zip(&expected) {
            let parts = |batch: &StepBatch| (batch.observations.clone(), batch.rewards.clone(), batch.ends.clone());
            assert_eq!(parts(found), parts(expected));
        }
    }
}

#[test]
fn what_is_not_a_save_of_these_worlds_is_refused_and_changes_nothing() {
    for make in ALL {
        let mut worlds = make(3, COUNT);
        let mut batch = batch_of(worlds.as_ref());
        worlds.reset_all(&mut batch);
        let before = worlds.save();
        for wrong in [b"no worlds".to_vec(), before[..before.len() / 2].to_vec(), make(3, 2).save()] {
            let error = worlds.restore(&wrong, &mut batch).unwrap_err();
            assert!(!error.is_empty());
            assert_eq!(worlds.save(), before);
        }
        let error = worlds.restore(&make(3, 2).save(), &mut batch).unwrap_err();
        assert_eq!(error, "expected 20 worlds, found 2");
    }
}

#[test]
fn only_the_clock_ends_a_pendulum_and_its_mass_is_then_another() {
    let mut worlds = pendulums(3, COUNT);
    let mut batch = batch_of(worlds.as_ref());
    worlds.reset_all(&mut batch);
    let masses = |columns: &[f32]| columns.iter().skip(3).step_by(4).copied().collect::<Vec<f32>>();
    let first = masses(&batch.observations);
    for batch in &history(worlds.as_mut(), &mut batch, 0..u64::from(Pendulum::STEP_LIMIT) - 1) {
        assert!(batch.ends.iter().all(|end| *end == EpisodeEnd::Running));
        assert_eq!(masses(&batch.observations), first);
    }
    history(worlds.as_mut(), &mut batch, 60..61);
    assert!(batch.ends.iter().all(|end| *end == EpisodeEnd::TimedOut));
    assert_eq!(masses(&batch.last_observations), first);
    let second = masses(&batch.observations);
    assert!(first.iter().zip(&second).all(|(first, second)| (first - second).abs() > 1e-4));
    let reports = worlds.take_reports();
    assert!(
        reports.len() == COUNT && reports.iter().all(|report| report.step_count == 60 && report.outcome.is_sound())
    );
    assert!(worlds.take_reports().is_empty());
}

#[test]
fn masses_are_spread_evenly_over_the_logarithm_of_their_range() {
    let mut worlds = pendulums(3, 4000);
    let mut batch = batch_of(worlds.as_ref());
    worlds.reset_all(&mut batch);
    let [lightest, heaviest] = pendulum::MASSES_KG.map(|mass| mass.ln() as f32);
    let mut logarithms: Vec<f32> = batch.observations.iter().skip(3).step_by(4).copied().collect();
    logarithms.sort_by(f32::total_cmp);
    for (quantile, index) in [(0.0, 0), (0.25, 1000), (0.5, 2000), (0.75, 3000), (1.0, 3999)] {
        let expected = lightest + quantile * (heaviest - lightest);
        assert!((logarithms[index] - expected).abs() < 0.08, "{quantile}: {} {expected}", logarithms[index]);
    }
}

/// Seconds between two passes through the bottom in the same direction, without torque.
fn period_secs(mass_kg: f64, start_rad: f64) -> f64 {
    let mut pendulum = Pendulum { mass_kg, angle_rad: start_rad, velocity_rad_s: 0.0 };
    let (secs, mut time, mut passes) = (1e-4, 0.0, Vec::new());
    while passes.len() < 2 {
        let before = pendulum.angle_rad;
        pendulum.advance(0.0, secs);
        time += secs;
        if before > 0.0 && pendulum.angle_rad <= 0.0 {
            passes.push(time - secs * pendulum.angle_rad / (pendulum.angle_rad - before));
        }
    }
    passes[1] - passes[0]
}

#[test]
fn a_pendulum_swings_with_the_period_of_a_damped_oscillator() {
    for mass_kg in [0.2, 0.6, 2.0] {
        let inertia = mass_kg * pendulum::LENGTH_M * pendulum::LENGTH_M;
        let decay = pendulum::FRICTION / (2.0 * inertia);
        let expected = std::f64::consts::TAU / (pendulum::GRAVITY / pendulum::LENGTH_M - decay * decay).sqrt();
        let found = period_secs(mass_kg, 0.01);
        assert!((found / expected - 1.0).abs() < 1e-3, "{mass_kg} kg: {found} s instead of {expected} s");
    }
    // Heavy enough, friction does not matter, and the period is the one in every textbook: 2 pi sqrt(l / g).
    assert!((period_secs(1e4, 0.01) - 1.41879).abs() < 1e-3, "{}", period_secs(1e4, 0.01));
}

#[test]
fn a_pendulums_energy_is_what_the_motor_gave_less_what_friction_took() {
    let mut pendulum = Pendulum { mass_kg: 0.7, angle_rad: 0.2, velocity_rad_s: 1.0 };
    let (secs, mut given, mut taken) = (1e-4, 0.0, 0.0);
    let (start, mut most) = (pendulum.energy_j(), 0f64);
    for step in 0..60_000 {
        let torque_nm = 4.0 * (f64::from(step) * 2e-4).sin();
        let before = pendulum.velocity_rad_s;
        pendulum.advance(torque_nm, secs);
        let mean = 0.5 * (before + pendulum.velocity_rad_s);
        given += torque_nm * mean * secs;
        taken += pendulum::FRICTION * mean * mean * secs;
        most = most.max(taken);
        let balance = pendulum.energy_j() - start - given + taken;
        assert!(balance.abs() < 0.01, "step {step}: {balance} J appeared");
    }
    assert!(most > 5.0, "only {most} J went through");
}

#[test]
fn holding_a_pendulum_takes_its_weight_and_the_motor_can_hold_the_heaviest() {
    for mass_kg in pendulum::MASSES_KG {
        let weight_nm = mass_kg * pendulum::GRAVITY * pendulum::LENGTH_M;
        assert!(weight_nm < pendulum::TORQUE_NM);
        let mut pendulum = Pendulum { mass_kg, angle_rad: pendulum::TARGET_RAD, velocity_rad_s: 0.0 };
        let (reward, _) = pendulum.step((weight_nm / pendulum::TORQUE_NM) as f32);
        assert!(reward > 0.999 && pendulum.error_rad().abs() < 1e-3, "{reward} {pendulum:?}");
        // A tenth more lets it rise.
        for _ in 0..20 {
            pendulum.step((1.1 * weight_nm / pendulum::TORQUE_NM) as f32);
        }
        assert!(pendulum.error_rad() > 0.2, "{pendulum:?}");
    }
}

fn upright(angle_rad: f64) -> CartPole {
    let pushes = SeedTree::new(0).stream(Stream::Toy, 0, 0);
    CartPole { position_m: 0.0, velocity_m_s: 0.0, angle_rad, angular_velocity_rad_s: 0.0, pushes }
}

#[test]
fn a_pole_falls_as_fast_as_the_linearised_equations_say() {
    // q'' = g q / (l (4/3 - m / (M + m))): with Euler's method, exactly the second difference of angles.
    let total_kg = cart_pole::CART_KG + cart_pole::POLE_KG;
    let rate = cart_pole::GRAVITY / (cart_pole::HALF_LENGTH_M * (4.0 / 3.0 - cart_pole::POLE_KG / total_kg));
    let mut pole = upright(1e-4);
    let angles: Vec<f64> = (0..30)
        .map(|_| {
            pole.advance(0.0, 0.02);
            pole.angle_rad
        })
        .collect();
    for three in angles.windows(3) {
        let found = (three[2] - 2.0 * three[1] + three[0]) / (0.02 * 0.02 * three[0]);
        assert!((found / rate - 1.0).abs() < 1e-3, "{found} instead of {rate}");
    }
    assert!(angles[29] > 4e-4);
}

#[test]
fn without_a_force_the_common_centre_of_cart_and_pole_stays_where_it_is() {
    let mut pole = upright(0.1);
    let centre = |pole: &CartPole| {
        let lever = cart_pole::POLE_KG * cart_pole::HALF_LENGTH_M * pole.angle_rad.sin();
        (cart_pole::CART_KG + cart_pole::POLE_KG) * pole.position_m + lever
    };
    let before = centre(&pole);
    for _ in 0..600 {
        pole.advance(0.0, 1e-3);
    }
    assert!(pole.angle_rad > 0.4 && pole.position_m < -0.01, "{pole:?}");
    assert!((centre(&pole) - before).abs() < 1e-4, "{} {before}", centre(&pole));
}

/// Mean steps that the first episodes last under a linear law of x, q, x', q', and how many the clock ended.
fn balance(gains: [f32; 4]) -> (f64, usize) {
    const WORLDS: usize = 50;
    let mut worlds = cart_poles(9, WORLDS);
    let mut batch = batch_of(worlds.as_ref());
    worlds.reset_all(&mut batch);
    let (mut lasted, mut ends) = ([0u32; WORLDS], [EpisodeEnd::Running; WORLDS]);
    while ends.contains(&EpisodeEnd::Running) {
        let law = |columns: &[f32]| columns.iter().zip(gains).map(|(column, gain)| column * gain).sum::<f32>();
        let actions: Vec<f32> = batch.observations.chunks_exact(4).map(law).collect();
        worlds.step(&actions, &mut batch);
        for world in (0..WORLDS).filter(|world| ends[*world] == EpisodeEnd::Running).collect::<Vec<_>>() {
            lasted[world] += 1;
            ends[world] = batch.ends[world];
            let [x, q] = [0, 1].map(|column| f64::from(batch.last_observations[world * 4 + column]).abs());
            let is_out = x > cart_pole::TRACK_M || q > cart_pole::ANGLE_RAD;
            assert!(ends[world] == EpisodeEnd::Running || is_out == (ends[world] == EpisodeEnd::Terminated));
        }
    }
    let mean = f64::from(lasted.iter().sum::<u32>()) / WORLDS as f64;
    (mean, ends.iter().filter(|end| **end == EpisodeEnd::TimedOut).count())
}

#[test]
fn velocities_balance_the_pole_for_as_long_as_the_clock_runs_and_positions_alone_do_not() {
    assert_eq!(balance([0.2, 6.0, 0.4, 1.5]), (500.0, 50));
    let (pushed_away, by_clock) = balance([0.0, 0.0, 0.0, 0.0]);
    assert!(pushed_away < 80.0 && by_clock == 0, "{pushed_away}");
    let mut best = 0f64;
    for of_position in [-0.1, 0.0, 0.03, 0.1, 0.3] {
        for of_angle in [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 12.0, 40.0] {
            best = best.max(balance([of_position, of_angle, 0.0, 0.0]).0);
        }
    }
    assert!(best < 350.0, "{best}");
}
