//! How exact an engine is: joints by themselves, a slope whose angle is known, and an object in the hand.

use crate::study::engines::contact::{FRICTIONS, Slope};
use crate::study::engines::grip::{Grips, Holds};
use crate::study::engines::joints::ScriptedJoints;
use crate::study::engines::lab::Lab;
use crate::study::engines::rollout::{Engine, Setup};
use anyhow::{Context, Result};
use giraffe_robots::TASKS;
use serde::Serialize;
use std::path::Path;

/// So many drops mean nothing yet: MuJoCo at 2 ms drops the cube in one of fifty episodes, too.
const CHANCE_DROPS: usize = 1;

/// Errors of one engine at one step. What is infinite was not looked at, because something else was too large already.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Exactness {
    /// Joint angles of the hand alone against MuJoCo at 0.5 ms, root of the mean square, rad.
    pub joint_rms_rad: f64,
    /// Angle at which a slab slips against atan(friction), root of the mean square over frictions 0.3, 0.7 and 1, degrees.
    pub slip_rms_degrees: f64,
    /// Distance of the object in the hand from where MuJoCo at 0.5 ms has it, mean over a second, m.
    pub grip_object_m: f64,
    /// Normal force on it against that of MuJoCo at 0.5 ms, root of the mean square over a second, N.
    pub grip_force_newton: f64,
    /// In how many of 16 random episodes of full length the object was dropped; `null` where it was not looked at.
    pub dropped: Option<usize>,
}

/// In what an engine must be no less exact than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// In everything: joints, slope, the object in the hand, whether it stays there, and the force on it.
    Everything,
    /// In everything that can be seen to move: the force may be anything.
    Motion,
    /// In the joints of the hand alone: contact may be anything.
    Joints,
}

impl Demand {
    /// Each, the strictest first: who fulfils one fulfils those after it.
    pub(super) const ALL: [Self; 3] = [Self::Everything, Self::Motion, Self::Joints];
}

impl Exactness {
    /// Whether nothing that is demanded is less exact than in `other`. What is no number is less exact.
    pub fn is_no_worse(&self, other: &Self, demand: Demand) -> bool {
        let joints = self.joint_rms_rad <= other.joint_rms_rad;
        let slip = self.slip_rms_degrees <= other.slip_rms_degrees;
        let object = self.grip_object_m <= other.grip_object_m;
        let most = other.dropped.map_or(CHANCE_DROPS, |dropped| dropped.max(CHANCE_DROPS));
        let motion = joints && slip && object && self.dropped.is_some_and(|dropped| dropped <= most);
        match demand {
            Demand::Everything => motion && self.grip_force_newton <= other.grip_force_newton,
            Demand::Motion => motion,
            Demand::Joints => joints,
        }
    }
}

/// What all errors are measured with.
pub(super) struct Yardstick {
    joints: ScriptedJoints,
    slopes: Vec<Slope>,
    grips: Grips,
    holds: Holds,
}

impl Yardstick {
    /// Runs the references.
    pub(super) fn new(lab: &mut Lab, setup: &Setup) -> Result<Self> {
        Ok(Self {
            joints: ScriptedJoints::new(lab, setup)?,
            slopes: slopes(setup)?,
            grips: Grips::new(lab, setup, TASKS[0])?,
            holds: Holds::new(lab, setup, TASKS[0])?,
        })
    }

    /// Joint angles of the hand alone, root of the mean square, rad.
    pub(super) fn joint_rms_rad(&self, lab: &mut Lab, engine: &Engine) -> Result<f64> {
        Ok(self.joints.error(lab, engine)?.rms_rad)
    }

    /// Every error of an engine; where there is a limit, only until one is found that is beyond it and demanded not to be.
    /// (What is slow to find comes last.)
    pub(super) fn exactness(
        &self,
        lab: &mut Lab,
        engine: &Engine,
        limit: Option<(&Exactness, Demand)>,
    ) -> Result<Exactness> {
        let mut found = Exactness {
            joint_rms_rad: self.joint_rms_rad(lab, engine)?,
            slip_rms_degrees: f64::INFINITY,
            grip_object_m: f64::INFINITY,
            grip_force_newton: f64::INFINITY,
            dropped: None,
        };
        // As if what was not looked at yet were exact.
        let is_hopeless = |found: Exactness| {
            let smaller = |error: f64| if error == f64::INFINITY { 0.0 } else { error };
            limit.is_some_and(|(limit, demand)| {
                let found = Exactness {
                    slip_rms_degrees: smaller(found.slip_rms_degrees),
                    grip_object_m: smaller(found.grip_object_m),
                    grip_force_newton: smaller(found.grip_force_newton),
                    dropped: Some(0),
                    ..found
                };
                !found.is_no_worse(limit, if demand == Demand::Joints { Demand::Motion } else { demand })
            })
        };
        if is_hopeless(found) {
            return Ok(found);
        }
        let grip = self.grips.error(lab, engine)?;
        (found.grip_object_m, found.grip_force_newton) = (grip.object_m, grip.force_newton);
        if is_hopeless(found) {
            return Ok(found);
        }
        found.slip_rms_degrees = self.slip_rms_degrees(lab, engine)?;
        if !is_hopeless(found) {
            found.dropped = Some(self.holds.dropped(lab, engine)?);
        }
        Ok(found)
    }

    fn slip_rms_degrees(&self, lab: &mut Lab, engine: &Engine) -> Result<f64> {
        let mut squares = 0.0;
        for slope in &self.slopes {
            let slips = slope.slip(lab, std::slice::from_ref(engine))?;
            squares += slips.first().context("one engine slips once")?.error_degrees().powi(2);
        }
        Ok((squares / self.slopes.len() as f64).sqrt())
    }
}

/// Plates of several frictions. Their files are needed only while they are read.
fn slopes(setup: &Setup) -> Result<Vec<Slope>> {
    let folder = std::env::temp_dir().join(format!("giraffe-bench-{}", std::process::id()));
    let read = |folder: &Path| FRICTIONS.into_iter().map(|friction| Slope::new(setup, folder, friction)).collect();
    let slopes = read(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::RunConfig;
    use crate::study::engines;
    use crate::study::engines::rollout::MujocoOptions;
    use std::sync::atomic::AtomicBool;

    const OURS: Exactness = Exactness {
        joint_rms_rad: 0.9e-3,
        slip_rms_degrees: 2.5,
        grip_object_m: 5e-3,
        grip_force_newton: 3.4,
        dropped: Some(0),
    };

    #[test]
    fn who_is_less_exact_in_anything_is_less_exact() {
        use Demand::{Everything, Joints, Motion};
        type Worsen = fn(&mut Exactness, f64);
        let changes: [(Worsen, &[Demand]); 4] = [
            (|found, by| found.joint_rms_rad *= by, &[]),
            (|found, by| found.slip_rms_degrees *= by, &[Joints]),
            (|found, by| found.grip_object_m *= by, &[Joints]),
            (|found, by| found.grip_force_newton *= by, &[Motion, Joints]),
        ];
        for (change, kept) in changes {
            for (by, is_worse) in [(1.0, false), (0.5, false), (1.001, true), (f64::NAN, true), (f64::INFINITY, true)] {
                let mut found = OURS;
                change(&mut found, by);
                for demand in [Everything, Motion, Joints] {
                    let expected = !is_worse || kept.contains(&demand);
                    assert_eq!(found.is_no_worse(&OURS, demand), expected, "{demand:?} of {found:?}");
                }
            }
        }
        for (dropped, is_worse) in [(Some(0), false), (Some(1), false), (Some(2), true), (None, true)] {
            let found = Exactness { dropped, ..OURS };
            for demand in [Everything, Motion, Joints] {
                assert_eq!(found.is_no_worse(&OURS, demand), !is_worse || demand == Joints, "{demand:?} of {found:?}");
            }
        }
        assert!(
            Exactness { dropped: Some(3), ..OURS }.is_no_worse(&Exactness { dropped: Some(3), ..OURS }, Everything)
        );
    }

    /// What only the joints of the hand alone would not show.
    #[test]
    fn a_solver_that_gives_up_early_is_less_exact_in_contact() {
        let stop = AtomicBool::new(false);
        let Some(mut lab) = Lab::if_any(&stop) else { return };
        let (setup, _) = engines::setup(&RunConfig::default()).expect("the usual hand");
        let yardstick = Yardstick::new(&mut lab, &setup).expect("MuJoCo runs");
        let mut exactness = |options, limit| {
            let engine = Engine::Mujoco { substeps: 8, integrator: "implicitfast", options };
            yardstick.exactness(&mut lab, &engine, limit).expect("MuJoCo runs")
        };
        let usual = exactness(MujocoOptions::USUAL, None);
        assert!(
            usual.slip_rms_degrees < 1.0 && usual.grip_object_m < 0.01 && usual.grip_force_newton < 5.0,
            "{usual:?}"
        );
        assert!(usual.dropped.is_some_and(|dropped| dropped <= CHANCE_DROPS), "{usual:?}");
        let hasty = MujocoOptions { iterations: Some(2), ..MujocoOptions::USUAL };
        let found = exactness(hasty, None);
        assert!(found.joint_rms_rad < 1.05 * usual.joint_rms_rad, "{found:?}, {usual:?}");
        assert!(
            found.slip_rms_degrees > 2.0 && found.grip_object_m > 2.0 * usual.grip_object_m,
            "{found:?}, {usual:?}"
        );
        assert!(found.dropped.is_some_and(|dropped| dropped > CHANCE_DROPS), "{found:?}");
        // Once the object is farther away than the limit has it, the slope is of no interest.
        let loose = Exactness { joint_rms_rad: 1.0, ..usual };
        let cut_short = exactness(hasty, Some((&loose, Demand::Joints)));
        assert_eq!(cut_short, Exactness { slip_rms_degrees: f64::INFINITY, dropped: None, ..found });
        assert!(!cut_short.is_no_worse(&loose, Demand::Motion) && cut_short.is_no_worse(&loose, Demand::Joints));
    }
}
