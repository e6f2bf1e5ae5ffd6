//! A body that nothing touches falls by g t^2 / 2.

use crate::machines::{Clock, GRAVITY, hinge};

/// Semi-implicit Euler is ahead of the parabola by g t dt / 2 (sum over the steps), which is then the law at any step.
#[test]
fn the_object_falls_freely_until_it_meets_the_hand() {
    for (clock, mass_kg) in [(Clock::FINE, 0.108), (Clock::training(), 0.108), (Clock::FINE, 1.0)] {
        let mut machine = hinge(clock, |plan| {
            plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
            plan.parameters.object.mass_kg = mass_kg;
        });
        machine.hold(0.0, 0.5);
        let secs = machine.secs();
        let (fallen, speed) = (-machine.object_m().z, -machine.object_velocity().z);
        let parabola = 0.5 * GRAVITY * secs * secs;
        let expected = parabola + 0.5 * GRAVITY * secs * clock.part_secs();
        println!(
            "LAW fall dt {}: {:.2e} of the sum, {:.2e} of the parabola",
            clock.part_secs(),
            fallen / expected - 1.0,
            fallen / parabola - 1.0
        );
        assert!((fallen / expected - 1.0).abs() < 1e-5, "fell {fallen} m, expected {expected} m");
        assert!((speed / (GRAVITY * secs) - 1.0).abs() < 1e-5, "speed {speed}");
        assert_eq!(machine.object_spin().norm().to_bits(), 0, "nothing turns it");
    }
}
