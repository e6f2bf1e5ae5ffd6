//! Episode after episode on one hand, whatever becomes of it.

use super::bridged_hand::{Beginning, BridgedHand, deployed_goals};
use super::log::Recorder;
use super::options::DeployOptions;
use super::report::{Deployment, EpisodeName, Paired, Reconnection};
use super::sim_driver::deciding_settings;
use super::stillness::Stillness;
use super::twin::Twin;
use crate::run::behavior::Behavior;
use crate::run::config::Parts;
use crate::run::episode::{Both, EpisodeResult, Nobody, Pilot, StepObserver, Trace};
use anyhow::{Error, Result, bail};
use giraffe_physics::EpisodeSampler as _;
use giraffe_randomization::FixedRanges;
use giraffe_robots::{HandError, RobotModel};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which policy flies, and how.
pub(super) struct Flight<'f> {
    pub(super) policy: &'f dyn Behavior,
    pub(super) parts: &'f Parts,
    pub(super) sampler: &'f FixedRanges,
    pub(super) options: &'f DeployOptions,
    pub(super) stop: &'f Arc<AtomicBool>,
}

/// What is known so far, and who finds it out.
struct Crew {
    pilot: Pilot,
    twin: Twin,
    trace: Trace,
    recorder: Option<Recorder>,
    settings: Vec<(String, String)>,
    results: Vec<EpisodeResult>,
    paired: Option<Paired>,
    frozen_joints: BTreeMap<String, usize>,
    reconnections: Vec<Reconnection>,
}

/// Why an episode did not come to its end.
enum Cut {
    /// Somebody said stop.
    Stopped,
    /// It was never begun.
    Before(Error),
    /// It was.
    Within(Error),
}

impl Flight<'_> {
    /// Flies all episodes. What was finished before the hand was lost is no less worth for it.
    ///
    /// # Errors
    /// When not even the first could be begun, or episodes cannot be compared.
    pub(super) fn fly_all(&self, hand: &mut BridgedHand) -> Result<Deployment> {
        let Self { policy, parts, options, .. } = *self;
        if options.paired && !hand.is_simulated() {
            bail!("--paired needs a simulated controller that grants rehearsals; {} does not", options.endpoint);
        }
        let mut crew = Crew {
            pilot: Pilot::of(policy, parts, options.memoryless),
            twin: Twin::of(policy, parts, options.memoryless),
            trace: Trace::default(),
            recorder: hand.log().map(|log| Recorder::new(log.clone(), parts.task, options.seed)),
            settings: deciding_settings(parts),
            results: Vec::new(),
            paired: options.paired.then(Paired::default),
            frozen_joints: BTreeMap::new(),
            reconnections: Vec::new(),
        };
        let mut ended_early = None;
        for index in 0..options.episodes as u64 {
            let name = EpisodeName { index, seed: options.seed.wrapping_add(index) };
            let (what, error) = match self.fly_one(name, hand, &mut crew)? {
                Ok(()) => continue,
                Err(Cut::Stopped) => break,
                // Where nothing was begun yet there is nothing to keep: a mistake like any other.
                Err(Cut::Before(error)) if index == 0 => return Err(error),
                Err(Cut::Before(error)) => (format!("before {name}"), error),
                Err(Cut::Within(error)) => (name.to_string(), error),
            };
            let why = format!("{what}: {error:#}");
            match self.reach_again(&error, hand) {
                None => ended_early = Some(why),
                Some(Ok(secs)) => {
                    tracing::warn!("{why}; reached again after {secs:.1} s, going on with the next episode");
                    crew.reconnections.push(Reconnection { episode: index, why, secs });
                    continue;
                }
                Some(Err(_)) if self.is_stopped() => {}
                Some(Err(again)) => ended_early = Some(format!("{why}; {again:#}")),
            }
            break;
        }
        let Crew { results, paired, frozen_joints, reconnections, .. } = crew;
        let sum = Deployment::of(&results, paired, parts.task, options.real_time);
        Ok(Deployment { ended_early, frozen_joints, reconnections, ..sum })
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Where that was asked for, and it was the link that failed: a hand that somebody stopped is left alone.
    fn reach_again(&self, error: &Error, hand: &mut BridgedHand) -> Option<Result<f64>> {
        let within_secs = self.options.reconnect?;
        let is_lost = matches!(error.downcast_ref(), Some(HandError::Silent { .. } | HandError::LinkLost { .. }));
        is_lost.then(|| hand.reconnect(within_secs))
    }

    /// One episode, from its start to the comparison with its twin.
    fn fly_one(&self, name: EpisodeName, hand: &mut BridgedHand, crew: &mut Crew) -> Result<Result<(), Cut>> {
        let Self { policy, parts, sampler, options, stop } = *self;
        if self.is_stopped() {
            return Ok(Err(Cut::Stopped));
        }
        let plan = options.paired.then(|| sampler.plan(name.index, 0));
        let beginning = Beginning {
            name,
            goal_seed: plan.as_ref().map_or_else(|| deployed_goals(options.seed, name.index), |plan| plan.noise_seed),
            plan: plan.as_ref(),
            settings: &crew.settings,
        };
        let begun = hand.begin_episode(&beginning, crew.paired.as_mut());
        if let Err(error) = begun.and_then(|()| hand.get_ready(policy, options.home)) {
            // It may have been waiting for the hand when somebody said stop: what is over counts.
            return Ok(Err(if self.is_stopped() { Cut::Stopped } else { Cut::Before(error) }));
        }
        let (mut nobody, mut nobody_else) = (Nobody, Nobody);
        let logged: &mut dyn StepObserver = match &mut crew.recorder {
            Some(recorder) => {
                recorder.turn_to(name.index);
                recorder
            }
            None => &mut nobody,
        };
        let traced: &mut dyn StepObserver = if plan.is_some() { &mut crew.trace } else { &mut nobody_else };
        let mut stillness = Stillness::default();
        let observer = &mut Both(logged, &mut Both(traced, &mut stillness));
        let result = match crew.pilot.fly_observed(hand, observer, stop) {
            Err(_) if self.is_stopped() => return Ok(Err(Cut::Stopped)),
            Err(error) => return Ok(Err(Cut::Within(error))),
            Ok(result) => result,
        };
        if let (Some(paired), Some(plan), false) = (&mut crew.paired, plan, result.cut)
            && let Some(is_equal) = crew.twin.lives_the_same(name, plan, parts, &crew.trace, stop)?
        {
            paired.episodes += 1;
            paired.equal += usize::from(is_equal);
        }
        stay_if_lost(&result, hand);
        if !result.cut {
            count_frozen(&stillness, name, parts.scene.robot(), &mut crew.frozen_joints);
        }
        crew.results.push(result);
        Ok(Ok(()))
    }
}

/// Where an episode could not go on nobody knows what to do next: until the next one the hand stays where it is.
fn stay_if_lost(result: &EpisodeResult, hand: &mut BridgedHand) {
    if result.trial.outcome.is_sound() {
        return;
    }
    if let Err(error) = hand.client.hold() {
        tracing::warn!("holding the hand after an episode that could not go on: {error}");
    }
}

/// Says of joints that were never seen to move in an episode that it is so, and counts them.
fn count_frozen(stillness: &Stillness, name: EpisodeName, robot: &RobotModel, counts: &mut BTreeMap<String, usize>) {
    let joints = stillness.frozen();
    let names: Vec<&str> = joints.iter().filter_map(|&at| Some(robot.joints.get(at)?.name.as_str())).collect();
    if !names.is_empty() {
        tracing::warn!("{name}: at one angle throughout while their targets moved: {}", names.join(", "));
    }
    for name in names {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
}
