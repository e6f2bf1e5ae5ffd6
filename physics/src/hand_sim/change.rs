//! A living world gets other physics, at once or bit by bit.

use super::HandSim;
use crate::actuation::with_dead_servos;
use crate::clock::UnevenClock;
use crate::disturbance::{ObjectSwap, WorldChange};
use crate::engine::HeldObject;
use crate::parameters::{Between, WorldParameters};

/// A change that takes its time.
pub(super) struct Changing {
    from: WorldParameters,
    to: WorldParameters,
    /// Index, first and last value of each sampled value that changes.
    sampled: Vec<(u32, [f32; 2])>,
    /// The control step in which it begins.
    since: u32,
    step_count: u32,
}

impl Changing {
    /// How much of the change has happened at the end of a control step, 0 to 1.
    fn part(&self, step: u32) -> f32 {
        let done = step.saturating_sub(self.since).saturating_add(1);
        if done >= self.step_count { 1.0 } else { (f64::from(done) / f64::from(self.step_count)) as f32 }
    }

    /// Another object is in the hand: what the change says of the first is over.
    pub fn forget_object(&mut self, swap: &ObjectSwap) {
        (self.from.object, self.to.object) = (swap.parameters, swap.parameters);
        self.sampled.retain(|(column, _)| swap.sampled.iter().all(|(swapped, _)| swapped != column));
    }
}

impl HandSim {
    /// The physics that hold now: those of the plan, and what has changed since.
    pub fn parameters(&self) -> &WorldParameters {
        &self.now.parameters
    }

    /// Gives this world other physics, at once: from here on it moves like one that was built with them. What holds already
    /// stays as it is, to the bit; a change that is under way ends here.
    ///
    /// - What has a past keeps it: where everything is and how fast, commands and readings that are under way (each arrives
    ///   when it would have arrived), a force that fades. An object that grows is lifted as in an `ObjectSwap`; a stop that
    ///   moves past its joint pushes it back.
    /// - Random numbers go on where they are. An effect that begins now begins with its first number.
    /// - Every servo has one draw in an episode and is dead while it is below the chance: a larger chance kills more servos,
    ///   a smaller one brings some back.
    /// - What a swap made of the object stays: its shape, and its friction times what the parameters say. A tilt turns the
    ///   new gravity.
    ///
    /// # Panics
    /// When the parameters are for a hand with another number of joints: a mistake in this program.
    pub fn apply(&mut self, parameters: &WorldParameters) {
        self.now.changing = None;
        self.become_at_once(parameters.clone(), Lift::AsASwap);
    }

    /// Begins a change, or makes it where it takes no time.
    pub(super) fn begin_change(&mut self, change: &WorldChange, step_count: u32) {
        if change.over_secs <= 0.0 {
            self.now.set_sampled(&change.sampled);
            return self.apply(&change.parameters);
        }
        let sampled = change.sampled.iter().filter_map(|&(column, to)| {
            let from = *self.now.sampled.get(column as usize)?;
            Some((column, [from, to]))
        });
        self.now.changing = Some(Box::new(Changing {
            sampled: sampled.collect(),
            from: self.now.parameters.clone(),
            to: change.parameters.clone(),
            since: self.step,
            step_count,
        }));
    }

    /// Takes the change that is under way one control step further.
    pub(super) fn go_on_changing(&mut self) {
        let Some(changing) = self.now.changing.take() else { return };
        let part = changing.part(self.step);
        for &(column, [from, to]) in &changing.sampled {
            self.now.set_sampled(&[(column, f32::between(&from, &to, part))]);
        }
        self.become_at_once(WorldParameters::between(&changing.from, &changing.to, part), Lift::No);
        if part < 1.0 {
            self.now.changing = Some(changing);
        }
    }
}

/// Whether an object that grows into the hand is lifted out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lift {
    /// As far as a swap would.
    AsASwap,
    /// Not: the contacts push apart what grows bit by bit.
    No,
}

impl HandSim {
    fn become_at_once(&mut self, parameters: WorldParameters, lift: Lift) {
        if parameters == self.now.parameters {
            return;
        }
        let Self { scene, plan, now, .. } = self;
        assert_eq!(parameters.joints.len(), scene.robot().joint_count(), "parameters of every joint");
        let seed = plan.noise_seed;
        let alive = |parameters: &WorldParameters| with_dead_servos(parameters, scene.robot(), seed);
        let before = std::mem::replace(&mut now.parameters, parameters);
        now.turn_tilt();
        let (broken_before, broken) = (alive(&before), alive(&now.parameters));
        let from = broken_before.as_ref().unwrap_or(&before);
        let to = broken.as_ref().unwrap_or(&now.parameters);
        let held = HeldObject {
            shape: now.object_shape,
            friction_scale: now.friction_scale,
            lift_along: (lift == Lift::AsASwap).then(|| now.up()),
        };
        self.world.change(scene, [from, to], &held);
        self.actuators.apply(scene, to);
        self.sensors.apply(to);
        self.meddling.apply(scene, to, seed);
        self.uplink.apply(to.link, scene.robot().control.period_secs);
        match &mut self.clock {
            Some(clock) => clock.apply(to.clock),
            None => self.clock = UnevenClock::new(to.clock, scene.substep_secs(), seed),
        }
    }
}
