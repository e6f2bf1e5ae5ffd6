//! Whether a hand that does nothing keeps its object: once from exactly its home, and over many starts as the task draws
//! them. The world is nominal, nothing is randomized, and the task judges.

use super::stance::{LEVEL_DEGREES, Stance};
use crate::run::config::Parts;
use crate::run::episode::AtRest;
use crate::run::evaluate::unseen_seeds;
use crate::run::statistics::{Estimate, fraction};
use giraffe_physics::{EpisodePlan, EpisodeSampler as _, HandSim, SceneModel};
use giraffe_robots::{
    Hand as _, Outcome, Referee, Region, RobotModel, Seen, Signal, SignalFrame, SignalLayout, Task, TrialScene,
};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long the home pose is held before anything is said about it, s.
pub const HOLD_SECS: f64 = 2.0;
/// Starts as the task draws them that are tried as well.
const TRIED_STARTS: usize = 8;
/// Losing more than this share of them is worth a warning, too: a quarter is what chance makes of one in ten.
const LOST_SHARE: f64 = 0.25;

/// An episode in which the hand did nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rest {
    /// How it ended; time up when the object stayed.
    pub outcome: Outcome,
    /// When it was over, s.
    pub secs: f64,
    /// Where the object's centre started, palm frame, m.
    pub start_m: [f32; 3],
    /// Where it was in the end.
    pub end_m: [f32; 3],
    /// How fast the object moved in the second half of the time, root mean square, m/s.
    pub late_speed_m_per_sec: f32,
    /// How fast it turned then, rad/s.
    pub late_turn_rad_per_sec: f32,
}

impl Rest {
    /// Whether the object stayed.
    pub fn is_held(&self) -> bool {
        self.outcome.is_sound()
    }

    /// How far the object's centre is from where it began, m.
    pub fn moved_m(&self) -> f32 {
        let squares = self.start_m.iter().zip(&self.end_m).map(|(start, end)| (end - start).powi(2));
        squares.sum::<f32>().sqrt()
    }
}

/// Lives through a plan of at most so many control steps with a hand that does nothing. `None` when somebody said stop.
pub fn rest(
    scene: &Arc<SceneModel>,
    task: &dyn Task,
    plan: EpisodePlan,
    step_limit: u32,
    stop: &AtomicBool,
) -> Option<Rest> {
    let robot = scene.robot();
    let trial_scene = TrialScene::of_episode(robot, scene.object(), plan.noise_seed);
    let mut sensed = SignalFrame::new(SignalLayout::of(robot, 0));
    let mut sim = HandSim::new(Arc::clone(scene), plan);
    let mut nobody = AtRest::new(task, robot);
    let start = sim.object_pose();
    let mut referee = Referee::begin(task, &trial_scene, &Seen::Pose(start), step_limit);
    let mut late = Late::default();
    let mut lost = sim.observe(&mut sensed).is_err();
    while referee.outcome().is_none() {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        lost = lost || sim.exchange(nobody.targets(&sensed), &mut sensed).is_err();
        if lost {
            referee.lose(Outcome::Diverged, true);
            break;
        }
        referee.judge(&Seen::Pose(sim.object_pose()));
        if referee.step_count() > step_limit / 2 {
            late.add(sim.truth());
        }
    }
    let end = sim.object_pose();
    Some(Rest {
        outcome: referee.outcome().unwrap_or(Outcome::TimeUp),
        secs: f64::from(referee.step_count()) * f64::from(robot.control.period_secs),
        start_m: start.position_m.into(),
        end_m: end.position_m.into(),
        late_speed_m_per_sec: late.mean(late.speed_squares),
        late_turn_rad_per_sec: late.mean(late.turn_squares),
    })
}

/// Sums over the second half of an episode.
#[derive(Default)]
struct Late {
    speed_squares: f32,
    turn_squares: f32,
    step_count: u32,
}

impl Late {
    fn add(&mut self, truth: &SignalFrame) {
        let squares = |signal| truth.read(signal).unwrap_or(&[]).iter().map(|value| value * value).sum::<f32>();
        self.speed_squares += squares(Signal::ObjectLinearVelocity);
        self.turn_squares += squares(Signal::ObjectAngularVelocity);
        self.step_count += 1;
    }

    fn mean(&self, squares: f32) -> f32 {
        (squares / self.step_count.max(1) as f32).sqrt()
    }
}

/// Control steps that last at least so long.
pub fn steps_of(secs: f64, robot: &RobotModel) -> u32 {
    (secs / f64::from(robot.control.period_secs)).ceil().max(1.0) as u32
}

/// How often a hand that does nothing keeps its object for a whole episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HoldShare {
    /// Number of episodes, in nominal worlds, started as the task starts them.
    pub episodes: usize,
    /// Episodes in which the object stayed.
    pub held: usize,
    /// Their share, with its 95 % interval.
    pub share: Option<Estimate>,
    /// How many ended how.
    pub outcomes: BTreeMap<Outcome, usize>,
}

/// Measures it over `count` episodes, in parallel. `None` when somebody said stop.
pub fn hold_share(parts: &Parts, count: usize, stop: &AtomicBool) -> Option<HoldShare> {
    let step_limit = parts.task.episode_step_count();
    let ended: Vec<Outcome> = rests(parts, count, step_limit, stop)?.into_iter().map(|rest| rest.outcome).collect();
    let mut outcomes = BTreeMap::new();
    ended.iter().for_each(|outcome| *outcomes.entry(*outcome).or_default() += 1);
    let held = ended.iter().filter(|outcome| outcome.is_sound()).count();
    Some(HoldShare { episodes: count, held, share: fraction(held, count), outcomes })
}

fn rests(parts: &Parts, count: usize, step_limit: u32, stop: &AtomicBool) -> Option<Vec<Rest>> {
    let sampler = parts.nominal_sampler(unseen_seeds(parts.seeds.root()));
    (0..count as u64)
        .into_par_iter()
        .map(|world| rest(&parts.scene, parts.task, sampler.plan(world, 0), step_limit, stop))
        .collect()
}

/// What two seconds at home say about a hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HomeCheck {
    /// From exactly the hand's home, with the object at its own.
    pub home: Rest,
    /// Starts as the task draws them that were tried as well.
    pub tried: usize,
    /// In how many of them the object left.
    pub lost: usize,
    /// What a person should know before training; nothing where all is well.
    pub warning: Option<String>,
}

/// Holds the home pose for two seconds. `None` when somebody said stop.
pub fn check_home(parts: &Parts, stop: &AtomicBool) -> Option<HomeCheck> {
    let robot = parts.scene.robot();
    let step_limit = steps_of(HOLD_SECS, robot);
    let home = rest(&parts.scene, parts.task, EpisodePlan::at_home(&parts.scene), step_limit, stop)?;
    let lost = rests(parts, TRIED_STARTS, step_limit, stop)?.iter().filter(|rest| !rest.is_held()).count();
    let mut check = HomeCheck { home, tried: TRIED_STARTS, lost, warning: None };
    let often = lost as f64 > LOST_SHARE * TRIED_STARTS as f64;
    check.warning = (often || !check.home.is_held()).then(|| warning(parts, &check));
    Some(check)
}

fn warning(parts: &Parts, check: &HomeCheck) -> String {
    let (robot, object) = (parts.scene.robot(), parts.scene.object().name);
    let HomeCheck { home, tried, lost, .. } = check;
    let from_home = match home.outcome {
        outcome if outcome.is_sound() => format!("it holds {object} from exactly its home"),
        Outcome::Diverged => format!("the simulation lost its numbers after {:.2} s", home.secs),
        _ => format!("{object} leaves the hand after {:.2} s: {}", home.secs, whereto(home)),
    };
    format!(
        "{} does not hold its object at rest: {from_home}; in {lost} of {tried} starts as {} draws them it leaves within \
         {HOLD_SECS} s. {}",
        robot.name,
        parts.task.name(),
        advice(robot, check)
    )
}

/// Where the object went, in words.
fn whereto(rest: &Rest) -> String {
    let [x, y, z] = rest.end_m;
    let axes = ["x", "y", "z"].into_iter().zip(rest.start_m.iter().zip(&rest.end_m));
    let mut moves: Vec<(f32, String)> = axes
        .map(|(axis, (start, end))| {
            let way_m = end - start;
            let sign = if way_m < 0.0 { '-' } else { '+' };
            (way_m.abs(), format!("{:.0} mm along {sign}{axis}", way_m.abs() * 1e3))
        })
        .filter(|(way_m, _)| *way_m >= 5e-3)
        .collect();
    moves.sort_by(|a, b| b.0.total_cmp(&a.0));
    let moves: Vec<String> = moves.into_iter().map(|(_, text)| text).collect();
    let went =
        if moves.is_empty() { "it has hardly moved".to_owned() } else { format!("it went {}", moves.join(", ")) };
    format!("{went}, to {x:.3} {y:.3} {z:.3} m in the palm frame")
}

/// An object that the task gives up though it moved less than this, m, lies where the task looks for no object.
const HARDLY_M: f32 = 0.03;

fn advice(robot: &RobotModel, check: &HomeCheck) -> String {
    let [x, y, z] = robot.palm_from_object_home.translation.vector.into();
    let adopt = "`giraffe adopt HAND --out FOLDER` searches for both and writes them down";
    let home = format!(
        "Change where the object starts (`object_home` of robot.toml, now {x:.3} {y:.3} {z:.3} m), the resting pose (the key \
         `home` of hand.xml), or give it another object (`--object`, see `giraffe list objects`); {adopt}."
    );
    let bare = |region: Option<Region>| {
        let mut shapes = robot.bodies.iter().flat_map(|body| &body.geoms);
        !shapes.any(|shape| region.is_none_or(|region| shape.region == region))
    };
    if bare(None) {
        return "It has no shapes, so nothing of it can touch an object: give its links some (or the file its meshes)."
            .into();
    }
    if bare(Some(Region::Palm)) {
        return format!("Its palm has no shape, so an object falls through it: give it one. {home}");
    }
    if check.home.outcome == Outcome::Diverged {
        return "Look for links too light for their servos, and for shapes inside one another (`giraffe describe HAND --picture \
                FILE`)."
            .into();
    }
    let tilted = Stance::of(robot).filter(|stance| stance.tilt_degrees > LEVEL_DEGREES);
    if let Some(Stance { tilt_degrees, .. }) = tilted {
        return format!(
            "The palm is tilted by {tilt_degrees:.0} degrees, and nothing lies on it: turn the hand so that its palm looks up \
             (`quat` of its first body, or a fixed joint above it); `giraffe adopt HAND --out FOLDER` does that. {home}"
        );
    }
    if check.home.outcome == Outcome::Failed && check.home.moved_m() < HARDLY_M {
        return format!(
            "The task gives the object up by where it is in the palm frame, though it hardly moved: the origin of the first \
             body lies too far from the palm. {home}"
        );
    }
    home
}
