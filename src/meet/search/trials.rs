//! Trying starts, in rounds: fewer and fewer, longer and longer.

use super::starts::{Start, kept_coupled};
use crate::meet::hold::{Rest, rest, steps_of};
use crate::meet::reach::{reach, spread};
use crate::meet::solid::Solid;
use crate::run::evaluate::episode_secs;
use giraffe_physics::{Disturbance, EpisodePlan, SceneModel, TimedDisturbance};
use giraffe_robots::{EpisodeStart, RobotModel, SeedTree, Stream, Task};
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rayon::prelude::*;
use serde::Serialize;
use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How long an object is let settle, s.
const SETTLE_SECS: f64 = 1.5;
/// Settled starts that are tried again.
const SETTLED: usize = 60;
/// What a push changes the speed of the object by, m/s: it would slide a centimetre on a level palm.
const PUSH_M_PER_SEC: f32 = 0.2;
/// The golden part of a turn: directions that follow one another by it never bunch up.
const GOLDEN: f32 = 0.618_034;
/// How far a start is varied: the object, m, and closing joints, rad.
const VARIED_M: f32 = 0.008;
const VARIED_RAD: f32 = 0.08;
/// What counts as restless, m/s, and as far, m.
const RESTLESS_M_PER_SEC: f32 = 0.05;
const FAR_M: f32 = 0.05;
/// A fingertip farther than this from the object's surface, m, is not at hand.
const AT_HAND_M: f32 = 0.06;

/// What is searched, and how.
pub struct Search<'s> {
    /// Hand and object.
    pub scene: &'s Arc<SceneModel>,
    /// Who judges.
    pub task: &'s dyn Task,
    /// Seed of the starts that each is tried from.
    pub seed: u64,
    /// What is let settle, beside the hand's own start.
    pub starts: Vec<Start>,
    /// Is told which round it is, and how much of it is done.
    pub progress: &'s (dyn Fn(&str, usize, usize) + Sync),
    /// Whether somebody said stop.
    pub stop: &'s AtomicBool,
}

/// The best start.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What it is.
    pub start: Start,
    /// How good it is.
    pub merit: Merit,
}

/// How good a start is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Merit {
    /// Share of the trials without a push in which the object stayed.
    pub held: f32,
    /// Share of those with a push.
    pub pushed: f32,
    /// Share of the fingertips that can reach the object where it starts.
    pub reached: f32,
    /// How near the fingertips are in the resting pose, on average: 1 at the object's surface, 0 where they are not at hand.
    pub near: f32,
    /// How fast it moved in the end, m/s.
    pub late_speed_m_per_sec: f32,
    /// How far it ended from where it began, m.
    pub moved_m: f32,
}

impl Merit {
    /// Whether it stays comes first, then what it bears and whether fingers can work on it (on a flat hand everything lies
    /// still, and nothing can be done with it), then how quietly it lies.
    fn total(&self) -> f32 {
        3.0 * self.held + 0.5 * self.pushed + 0.2 * self.reached + 0.4 * self.near
            - 0.1 * (self.late_speed_m_per_sec / RESTLESS_M_PER_SEC).min(1.0)
            - 0.1 * (self.moved_m / FAR_M).min(1.0)
    }
}

/// One round of trials.
struct Round {
    name: &'static str,
    /// Which: other rounds start elsewhere.
    number: u64,
    trials: usize,
    secs: f64,
}

/// The best start there is; the hand's own is among those tried. `None` when somebody said stop.
pub fn search(search: &Search<'_>) -> Option<Found> {
    let robot = search.scene.robot();
    let own =
        Start { home_rad: robot.home_rad.clone(), object_m: robot.palm_from_object_home.translation.vector.into() };
    let mut tried = vec![own.clone()];
    tried.extend_from_slice(&search.starts);
    let mut best = search.settled(&tried)?;
    best.insert(0, own);
    let long_secs = episode_secs(search.task, robot);
    let rounds = [
        (Round { name: "random starts", number: 1, trials: 4, secs: 2.0 }, 20),
        (Round { name: "pushes", number: 2, trials: 8, secs: 3.0 }, 5),
        (Round { name: "whole episodes", number: 3, trials: 20, secs: long_secs }, 1),
    ];
    let mut found = Vec::new();
    for (round, kept) in rounds {
        if round.number == 2 {
            best = best.iter().flat_map(|start| varied(robot, start)).collect();
        }
        let merits = search.merits(&round, &best)?;
        found = best.into_iter().zip(merits).map(|(start, merit)| Found { start, merit }).collect::<Vec<_>>();
        found.sort_by(|a, b| b.merit.total().total_cmp(&a.merit.total()));
        found.truncate(kept);
        best = found.iter().map(|found| found.start.clone()).collect();
    }
    found.into_iter().next()
}

impl Search<'_> {
    /// Lets the object settle, and returns the quietest: each as it started, and with the object where it came to rest.
    fn settled(&self, tried: &[Start]) -> Option<Vec<Start>> {
        let step_limit = steps_of(SETTLE_SECS, self.scene.robot());
        let plans = tried.iter().enumerate().map(|(index, start)| {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), TAU * GOLDEN * index as f32);
            let palm_from_object = Isometry3::from_parts(Vector3::from(start.object_m).into(), turn);
            EpisodePlan::nominal(
                self.scene,
                EpisodeStart { joint_positions_rad: start.home_rad.clone(), palm_from_object },
                0,
            )
        });
        let ends = self.live("settling", plans.collect(), step_limit)?;
        let held = tried.iter().zip(ends).filter(|(_, rest)| rest.is_held());
        let mut quiet: Vec<(f32, [Start; 2])> = held
            .map(|(start, rest)| {
                let unrest = rest.late_speed_m_per_sec / RESTLESS_M_PER_SEC + 0.3 * rest.moved_m() / FAR_M;
                let unrest = unrest - self.near(start);
                let [x, y, z] = rest.end_m;
                let rested = Start { object_m: rounded([x, y, z + 0.005]), ..start.clone() };
                (unrest, [start.clone(), rested])
            })
            .collect();
        quiet.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut starts: Vec<Start> = quiet.into_iter().take(SETTLED).flat_map(|(_, both)| both).collect();
        starts.iter_mut().for_each(|start| *start = clean(self.scene.robot(), start));
        Some(starts)
    }

    /// How good each start is, all from the same draws.
    fn merits(&self, round: &Round, starts: &[Start]) -> Option<Vec<Merit>> {
        let step_limit = steps_of(round.secs, self.scene.robot());
        let plans = starts.iter().flat_map(|start| self.trial_plans(round, start, step_limit)).collect();
        let ends = self.live(round.name, plans, step_limit)?;
        let merit = |(start, trials): (&Start, &[Rest])| {
            let mean = |of: &dyn Fn(&Rest) -> f32, parity: usize| {
                let own = trials.iter().skip(parity).step_by(2).map(of);
                own.sum::<f32>() / (trials.len() / 2).max(1) as f32
            };
            let held = |rest: &Rest| if rest.is_held() { 1.0 } else { 0.0 };
            Merit {
                held: mean(&held, 0),
                pushed: mean(&held, 1),
                reached: self.reached(start),
                near: self.near(start),
                late_speed_m_per_sec: mean(&|rest| rest.late_speed_m_per_sec.min(RESTLESS_M_PER_SEC), 0),
                moved_m: mean(&|rest| rest.moved_m().min(FAR_M), 0),
            }
        };
        Some(starts.iter().zip(ends.chunks(round.trials)).map(merit).collect())
    }

    /// Every second one with a push.
    fn trial_plans(&self, round: &Round, start: &Start, step_limit: u32) -> Vec<EpisodePlan> {
        let robot = start.applied(self.scene.robot());
        let seeds = SeedTree::new(self.seed).branch("adopt");
        let plan = |trial: usize| {
            let mut rng = seeds.stream(Stream::Start, trial as u64, round.number);
            let mut plan = EpisodePlan::nominal(self.scene, self.task.start(&robot, &mut rng), trial as u64);
            if trial % 2 == 1 {
                let (sin, cos) = (TAU * GOLDEN * trial as f32).sin_cos();
                let momentum = PUSH_M_PER_SEC * self.scene.object().mass_kg;
                let disturbance = Disturbance::ObjectImpulse { newton_secs: [momentum * cos, momentum * sin, 0.0] };
                plan.disturbances.push(TimedDisturbance { step: step_limit / 2, disturbance });
            }
            plan
        };
        (0..round.trials).map(plan).collect()
    }

    fn live(&self, name: &str, plans: Vec<EpisodePlan>, step_limit: u32) -> Option<Vec<Rest>> {
        let (done, total) = (AtomicUsize::new(0), plans.len());
        (self.progress)(name, 0, total);
        plans
            .into_par_iter()
            .map(|plan| {
                let ended = rest(self.scene, self.task, plan, step_limit, self.stop)?;
                (self.progress)(name, done.fetch_add(1, Ordering::Relaxed) + 1, total);
                Some(ended)
            })
            .collect()
    }

    fn near(&self, start: &Start) -> f32 {
        let palm_from_shape = Isometry3::from(Vector3::from(start.object_m));
        let object = Solid { shape: self.scene.object().shape, palm_from_shape };
        let tips = self.scene.robot().fingertip_positions(&start.home_rad);
        let near = tips.iter().map(|tip| 1.0 - (object.distance(tip).abs() / AT_HAND_M).min(1.0));
        near.sum::<f32>() / tips.len().max(1) as f32
    }

    fn reached(&self, start: &Start) -> f32 {
        let robot = start.applied(self.scene.robot());
        let object = Solid { shape: self.scene.object().shape, palm_from_shape: robot.palm_from_object_home };
        let tips = reach(&robot, object);
        tips.iter().filter(|tip| tip.reaches).count() as f32 / tips.len().max(1) as f32
    }
}

/// A start and two beside it.
fn varied(robot: &RobotModel, start: &Start) -> Vec<Start> {
    let beside = |index: usize| {
        let around = |dimension: usize| 2.0 * spread(index, dimension) - 1.0;
        let [x, y, z] = start.object_m;
        let object_m = [x + VARIED_M * around(0), y + VARIED_M * around(1), z + 0.3 * VARIED_M * (1.0 + around(2))];
        let shift = |(joint, angle): (usize, &f32)| {
            let at = angle + VARIED_RAD * around(3 + joint % 5);
            robot.joints[joint].position_limits_rad.clamp(at)
        };
        let home_rad = start.home_rad.iter().enumerate().map(shift).collect();
        clean(robot, &Start { home_rad, object_m })
    };
    // The first terms of all dimensions are alike.
    vec![start.clone(), beside(41), beside(113)]
}

/// With numbers that a person would write, kept to limits and couplings.
fn clean(robot: &RobotModel, start: &Start) -> Start {
    let angle = |(joint, angle): (&giraffe_robots::JointModel, &f32)| {
        joint.position_limits_rad.clamp((angle * 1e3).round() / 1e3)
    };
    let angles = robot.joints.iter().zip(&start.home_rad).map(angle).collect();
    Start { home_rad: kept_coupled(robot, angles), object_m: rounded(start.object_m) }
}

fn rounded(place: [f32; 3]) -> [f32; 3] {
    place.map(|number| (number * 1e4).round() / 1e4 + 0.0)
}
