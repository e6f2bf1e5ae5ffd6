//! Takes down what skills do in an episode, dwell by dwell, from where the object really is.

use crate::run::episode::{EpisodeResult, StepObserver, StepView};
use crate::run::skills::effects::{Dwell, Terms};
use crate::run::skills::orientations::{Lying, Orientations};
use giraffe_robots::{Seen, Signal, SignalFrame, rotation_from_xyzw};
use nalgebra::UnitQuaternion;

/// Watches one episode of a set whose skills are chosen by chance.
pub(super) struct Recorder {
    orientations: Orientations,
    terms: Terms,
    dwell_steps: u32,
    dwells: Vec<Dwell>,
    /// The dwell that is going on, for so many steps so far.
    open: Option<(Dwell, Lying, u32)>,
    palm_from_object: Option<UnitQuaternion<f32>>,
    previous: Option<usize>,
    moved: bool,
}

impl Recorder {
    /// Of one episode.
    pub(super) fn new(terms: &Terms, dwell_steps: u32) -> Self {
        Self {
            orientations: Orientations::new(terms.palm_from_level),
            terms: *terms,
            dwell_steps,
            dwells: Vec::new(),
            open: None,
            palm_from_object: None,
            previous: None,
            moved: false,
        }
    }

    /// Every dwell that was whole, and the one in which the object was lost.
    pub(super) fn finish(self) -> Vec<Dwell> {
        self.dwells
    }

    fn close(&mut self, kept: bool) {
        let Some((mut dwell, _, _)) = self.open.take() else { return };
        dwell.kept = kept;
        self.previous = Some(dwell.skill);
        self.moved = dwell.turned(&self.orientations, self.terms.dwell_secs);
        self.dwells.push(dwell);
    }
}

impl StepObserver for Recorder {
    fn aimed(&mut self, sensed: &SignalFrame) {
        // Before the first step nobody has been told where it is but who senses.
        let read = || rotation_from_xyzw(sensed.read(Signal::ObjectRotation)?.try_into().ok()?);
        self.palm_from_object = self.palm_from_object.or_else(read);
    }

    fn observed(&mut self, observation: &[f32]) {
        let (Some(rotation), Some(skill)) = (self.palm_from_object, observation.first()) else { return };
        if self.open.is_some() {
            return;
        }
        let start = self.orientations.lying(&rotation);
        let dwell = Dwell {
            skill: *skill as usize,
            previous: self.previous,
            moved: self.moved,
            off_rad: start.off_rad,
            turn: self.orientations.turn_between(start.way, start.way),
            off_after_rad: start.off_rad,
            passed: Vec::new(),
            kept: true,
        };
        self.open = Some((dwell, start, 0));
    }

    fn stepped(&mut self, step: &StepView<'_>) {
        let Seen::Pose(pose) = step.seen else { return };
        self.palm_from_object = Some(pose.palm_from_object);
        let Some((dwell, start, steps)) = &mut self.open else { return };
        let now = self.orientations.lying(&pose.palm_from_object);
        dwell.turn = self.orientations.turn_between(start.way, now.way);
        dwell.off_after_rad = now.off_rad;
        if now.off_rad.norm() < self.terms.tolerance_rad && !dwell.passed.contains(&dwell.turn) {
            dwell.passed.push(dwell.turn);
        }
        *steps += 1;
        if *steps == self.dwell_steps {
            let lost = step.referee.outcome().is_some_and(|outcome| !outcome.is_sound());
            self.close(!lost);
        }
    }

    fn ended(&mut self, result: &EpisodeResult) {
        if !result.cut && !result.trial.outcome.is_sound() {
            self.close(false);
        }
        // One that was cut short by the end of the episode says nothing.
        self.open = None;
    }
}
