//! A policy on a hand behind ZeroMQ, simulated or real.

use crate::config::Parts;
use crate::episode::{EpisodeResult, Pilot, WatchedHand};
use crate::evaluate::{Score, episode_secs};
use crate::keys::PolicyKeys;
use crate::sim_driver::EpisodeRequest;
use anyhow::{Context, Result, bail};
use giraffe_bridge::message::{PolicyIdentity, REHEARSAL};
use giraffe_bridge::{BridgeClient, ClientConfig, MonotonicClock};
use giraffe_physics::{Disturbance, EpisodePlan, EpisodeSampler, HandSim};
use giraffe_policy::Policy;
use giraffe_randomization::FixedRanges;
use giraffe_robots::{Commanded, Hand, HandError, ObjectPose, RobotModel, SignalFrame};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How a policy is run on a hand behind the bridge.
#[derive(Debug, Clone, PartialEq)]
pub struct DeployOptions {
    /// Base endpoint of the controller.
    pub endpoint: String,
    /// Keys, ours and the controller's.
    pub security: PolicyKeys,
    /// How many episodes.
    pub episodes: usize,
    /// In real time, as on a real hand, instead of in lock-step.
    pub real_time: bool,
    /// Give the controller each episode's parameters, run the same episode in this process too, and compare bits.
    pub paired: bool,
    /// Reset the recurrent state before every step.
    pub memoryless: bool,
    /// Seed of the first episode.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The score; `None` where nobody watched the object.
    #[serde(flatten)]
    pub score: Option<Score>,
    /// Episodes that were run in this process too, and how many of them were equal in every bit.
    pub paired: Option<Paired>,
    /// Joints whose target the controller's envelope altered, over all steps.
    pub clipped_count: u64,
    /// Control periods missed.
    pub missed_tick_count: u64,
    /// Control steps done.
    pub control_steps: u64,
    /// `lock-step` or `real time`.
    pub mode: String,
}

/// Episodes over the wire against the same episodes in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Compared.
    pub episodes: usize,
    /// Equal in every bit of every target, angle and pose.
    pub equal: usize,
}

/// A hand behind the bridge, with the resets of recurrent state that its episode asks for.
struct BridgedHand {
    client: BridgeClient,
    reset_steps: Vec<u32>,
    step: u32,
}

impl Hand for BridgedHand {
    fn model(&self) -> &RobotModel {
        self.client.model()
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        self.client.observe(sensed)
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        self.step += 1;
        self.client.exchange(targets_rad, sensed)
    }
}

impl WatchedHand for BridgedHand {
    fn object_pose(&mut self) -> Option<ObjectPose> {
        self.client.object_pose()
    }

    fn hidden_state_reset_due(&self) -> bool {
        self.reset_steps.contains(&self.step)
    }
}

/// Connects, runs the episodes, and leaves the hand held or released as its controller is set up to.
///
/// # Errors
/// When no controller answers, the hand is another one, or it stops following.
pub fn deploy(
    policy: &Policy,
    parts: &Parts,
    sampler: &FixedRanges,
    options: &DeployOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Deployment> {
    let mut hand = connect(policy, parts, options, stop)?;
    let simulated = hand.client.terms().grants.iter().any(|grant| grant == REHEARSAL);
    if options.paired && !simulated {
        bail!("--paired needs a simulated controller that grants rehearsals; {} does not", options.endpoint);
    }
    let mut pilot = Pilot::new(policy, parts.task, options.memoryless);
    let mut twin = Pilot::new(policy, parts.task, options.memoryless);
    let mut results = Vec::with_capacity(options.episodes);
    let mut paired = options.paired.then_some(Paired { episodes: 0, equal: 0 });
    for index in 0..options.episodes as u64 {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let plan = options.paired.then(|| sampler.plan(index, 0));
        if simulated {
            begin_episode(&mut hand, options.seed + index, plan.as_ref())?;
        }
        hand.client.arm().context("arming the hand")?;
        let result = pilot.fly(&mut hand, stop).with_context(|| format!("episode {index}"))?;
        if let (Some(paired), Some(plan)) = (&mut paired, plan) {
            let mut sim = HandSim::new(Arc::clone(&parts.scene), plan);
            let expected = twin.fly(&mut sim, stop)?;
            paired.episodes += 1;
            let difference = first_difference(&expected.trace, &result.trace);
            paired.equal += usize::from(difference.is_none());
            if let Some(at) = difference {
                let per_step = expected.trace.len() / (expected.step_count.max(1) as usize);
                tracing::warn!(
                    "episode {index} differs from the same one in this process at step {}, number {} of the step's {per_step}",
                    at / per_step,
                    at % per_step
                );
            }
        }
        results.push(result);
    }
    Ok(summary(&results, paired, episode_secs(parts.task, parts.scene.robot()), options.real_time))
}

fn connect(policy: &Policy, parts: &Parts, options: &DeployOptions, stop: &Arc<AtomicBool>) -> Result<BridgedHand> {
    let manifest = policy.manifest();
    let mut config = ClientConfig::new(&options.endpoint, parts.scene.robot());
    config.policy = PolicyIdentity { name: manifest.context.task.clone(), hash: policy.fingerprint()? };
    config.lockstep = !options.real_time;
    config.security = options.security.read()?;
    let client = BridgeClient::connect(config, Arc::new(MonotonicClock::start()), Arc::clone(stop))?;
    for note in &client.terms().notes {
        tracing::warn!("the controller notes: {note}");
    }
    Ok(BridgedHand { client, reset_steps: Vec::new(), step: 0 })
}

fn begin_episode(hand: &mut BridgedHand, seed: u64, plan: Option<&EpisodePlan>) -> Result<()> {
    let request = EpisodeRequest { seed, plan: plan.cloned() };
    let bytes = rmp_serde::to_vec_named(&request).context("writing down the episode")?;
    hand.client.reset_episode(&bytes)?;
    let disturbances = plan.map_or(&[][..], |plan| &plan.disturbances);
    let resets = disturbances.iter().filter(|timed| timed.disturbance == Disturbance::HiddenStateReset);
    hand.reset_steps = resets.map(|timed| timed.step).collect();
    hand.step = 0;
    Ok(())
}

/// The first place where two traces differ in a bit or in length.
fn first_difference(expected: &[f32], found: &[f32]) -> Option<usize> {
    let differing = expected.iter().zip(found).position(|(a, b)| a.to_bits() != b.to_bits());
    differing.or_else(|| (expected.len() != found.len()).then_some(expected.len().min(found.len())))
}

fn summary(results: &[EpisodeResult], paired: Option<Paired>, duration_secs: f64, real_time: bool) -> Deployment {
    let watched: Vec<EpisodeResult> = results.iter().filter(|result| result.watched).cloned().collect();
    Deployment {
        score: (!watched.is_empty()).then(|| Score::of(&watched, duration_secs)),
        paired,
        clipped_count: results.iter().map(|result| result.clipped_count).sum(),
        missed_tick_count: results.iter().map(|result| result.missed_tick_count).sum(),
        control_steps: results.iter().map(|result| u64::from(result.step_count)).sum(),
        mode: if real_time { "real time" } else { "lock-step" }.to_owned(),
    }
}
