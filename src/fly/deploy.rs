//! A policy on a hand behind ZeroMQ, simulated or real.

use super::log::{LoggedPolicy, Recorder, begin_log};
use super::options::{DeployOptions, mode_name};
use super::sim_driver::{EpisodeRequest, deciding_settings};
use crate::run::config::Parts;
use crate::run::episode::{Both, EpisodeResult, Nobody, Pilot, StepObserver, Trace, WatchedHand};
use crate::run::score::Score;
use anyhow::{Context, Result, bail};
use giraffe_bridge::log::{DeploymentLog, Event, EventKind, LogHandle, LogSummary, Record};
use giraffe_bridge::message::{PolicyIdentity, REHEARSAL};
use giraffe_bridge::{BridgeClient, ClientConfig, Clock, MonotonicClock};
use giraffe_physics::{Disturbance, EpisodePlan, EpisodeSampler, HandSim};
use giraffe_policy::Policy;
use giraffe_randomization::FixedRanges;
use giraffe_robots::{Commanded, Hand, HandError, Nanos, Purpose, RobotModel, SeedTree, Seen, SignalFrame, Task};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The score of the episodes in which somebody watched the object; `None` where nobody did.
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
    /// Why the hand was not followed to the last episode: the link was lost, or somebody stopped it. All the rest is of the
    /// whole episodes before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
    /// The log that was written. Not in reports: two deployments of the same seed have the same report.
    #[serde(skip)]
    pub log: Option<LogSummary>,
}

/// Episodes over the wire against the same episodes in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Compared.
    pub episodes: usize,
    /// Equal in every bit of every target, angle and pose.
    pub equal: usize,
    /// The first setting that is another one in the controller, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Paired {
    /// Whether all are equal, and there were some.
    pub fn is_equal(&self) -> bool {
        self.episodes > 0 && self.equal == self.episodes
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episodes, equal, cause } = self;
        if *episodes == 0 {
            return f.write_str("no episode was compared with the same one in this process");
        }
        write!(f, "{equal} of {episodes} episodes equal bit for bit to the same ones in this process")?;
        match cause.as_ref().filter(|_| !self.is_equal()) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// A hand behind the bridge, with the resets of recurrent state that its episode asks for.
struct BridgedHand {
    client: BridgeClient,
    reset_steps: Vec<u32>,
    /// What the episode's goals follow from: its plan, where that is known here.
    goal_seed: u64,
    step: u32,
    clock: Arc<dyn Clock>,
    log: Option<LogHandle>,
    report_due: Nanos,
}

/// The link's own counts are written down so often, s.
const REPORT_SECS: f64 = 1.0;

impl BridgedHand {
    fn record_link(&mut self, now: Nanos) {
        if let Some(log) = &self.log {
            log.record_at(Record::Link(self.client.report()), now);
            self.report_due = Nanos(now.0 + Nanos::from_secs(REPORT_SECS).0);
        }
    }
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
        let commanded = self.client.exchange(targets_rad, sensed)?;
        if self.log.is_some() {
            let now = self.clock.now();
            if now >= self.report_due {
                self.record_link(now);
            }
        }
        Ok(commanded)
    }
}

impl WatchedHand for BridgedHand {
    fn watch(&mut self) -> Seen {
        self.client.seen()
    }

    fn goal_seed(&self) -> u64 {
        self.goal_seed
    }

    fn hidden_state_reset_due(&self) -> bool {
        self.reset_steps.contains(&self.step)
    }
}

/// Connects, runs the episodes, and leaves the hand held or released as its controller is set up to.
///
/// # Errors
/// When no controller answers, the hand is another one, or nothing could be begun; when a log was asked for by name and
/// cannot be written. A hand that is lost on the way is no error: what was finished counts, and the report says why it ended.
pub fn deploy(
    policy: &Policy,
    parts: &Parts,
    sampler: &FixedRanges,
    options: &DeployOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Deployment> {
    let mut hand = connect(policy, parts, options, stop)?;
    let log = listen(policy, parts, options, &mut hand)?;
    let flown = fly_all(policy, parts, sampler, options, stop, &mut hand);
    let now = hand.clock.now();
    hand.record_link(now);
    if let Some(log) = &log {
        let why = match &flown {
            Err(error) => Some(format!("{error:#}")),
            Ok(_) if stop.load(Ordering::Relaxed) => Some("interrupted".to_owned()),
            Ok(deployment) => deployment.ended_early.clone(),
        };
        let event = why.map(|why| Record::Event(Event::new(EventKind::Stop, why)));
        event.into_iter().for_each(|event| log.handle().record(event));
    }
    // The last words over the link belong into the log, too.
    drop(hand);
    let written = log.map(DeploymentLog::finish);
    let deployment = flown?;
    let log = match written {
        Some(Ok(summary)) => Some(summary),
        Some(Err(error)) => {
            tracing::error!("{error}");
            None
        }
        None => None,
    };
    Ok(Deployment { log, ..deployment })
}

/// Begins the log, if one is wanted, and has it listen to the link.
fn listen(
    policy: &Policy,
    parts: &Parts,
    options: &DeployOptions,
    hand: &mut BridgedHand,
) -> Result<Option<DeploymentLog>> {
    let Some(wanted) = &options.log else { return Ok(None) };
    let logged = LoggedPolicy { policy, robot: parts.scene.robot(), options };
    let Some(log) = begin_log(wanted, &logged, hand.client.terms(), &hand.clock)? else { return Ok(None) };
    hand.client.listen(Box::new(log.handle()));
    hand.log = Some(log.handle());
    Ok(Some(log))
}

fn fly_all(
    policy: &Policy,
    parts: &Parts,
    sampler: &FixedRanges,
    options: &DeployOptions,
    stop: &Arc<AtomicBool>,
    hand: &mut BridgedHand,
) -> Result<Deployment> {
    let simulated = hand.client.terms().grants.iter().any(|grant| grant == REHEARSAL);
    if options.paired && !simulated {
        bail!("--paired needs a simulated controller that grants rehearsals; {} does not", options.endpoint);
    }
    let mut pilot = Pilot::of(policy, parts, options.memoryless);
    let mut twin = Twin { pilot: Pilot::of(policy, parts, options.memoryless), expected: Trace::default() };
    let mut recorder = hand.log.clone().map(|log| Recorder::new(log, parts.task));
    let mut trace = Trace::default();
    let settings = deciding_settings(parts);
    let mut results = Vec::new();
    let mut paired = options.paired.then(Paired::default);
    let mut ended_early = None;
    for index in 0..options.episodes as u64 {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let plan = options.paired.then(|| sampler.plan(index, 0));
        hand.goal_seed = match &plan {
            Some(plan) => plan.noise_seed,
            None => deployed_goals(options.seed, index),
        };
        let mut prepare = || -> Result<()> {
            if simulated {
                begin_episode(hand, options.seed.wrapping_add(index), plan.as_ref(), &settings, paired.as_mut())?;
            }
            get_ready(policy, options.home, hand)
        };
        match prepare() {
            // It was waiting for the hand when somebody said stop: what is over counts.
            Err(_) if stop.load(Ordering::Relaxed) => break,
            // Where nothing was finished yet there is nothing to keep: a mistake like any other.
            Err(error) if index > 0 => {
                ended_early = Some(format!("before episode {index}: {error:#}"));
                break;
            }
            ready => ready?,
        }
        let mut nobody = Nobody;
        let logged: &mut dyn StepObserver = match &mut recorder {
            Some(recorder) => recorder,
            None => &mut nobody,
        };
        let traced: &mut dyn StepObserver = if plan.is_some() { &mut trace } else { &mut Nobody };
        let observer = &mut Both(logged, traced);
        let result = match pilot.fly_observed(hand, observer, stop) {
            // As above.
            Err(_) if stop.load(Ordering::Relaxed) => break,
            Err(error) => {
                ended_early = Some(format!("episode {index}: {error:#}"));
                break;
            }
            Ok(result) => result,
        };
        if let (Some(paired), Some(plan), false) = (&mut paired, plan, result.cut)
            && let Some(is_equal) = twin.lives_the_same(index, plan, parts, &trace, stop)?
        {
            paired.episodes += 1;
            paired.equal += usize::from(is_equal);
        }
        if !result.trial.outcome.is_sound() {
            // Nobody knows what to do next: until the next episode it stays where it is.
            if let Err(error) = hand.client.hold() {
                tracing::warn!("holding the hand after an episode that could not go on: {error}");
            }
        }
        results.push(result);
    }
    Ok(Deployment { ended_early, ..summary(&results, paired, parts.task, options.real_time) })
}

fn get_ready(policy: &Policy, home: bool, hand: &mut BridgedHand) -> Result<()> {
    if home {
        hand.client.home().context("bringing the hand home")?;
    }
    check_seen(policy, hand)?;
    hand.client.arm().context("arming the hand")
}

/// A policy that cannot do without the object does not begin before somebody sees it.
fn check_seen(policy: &Policy, hand: &mut BridgedHand) -> Result<()> {
    let schema = &policy.manifest().observation;
    let seen = hand.watch();
    if !schema.actor_needs_object() || seen.pose().is_some() {
        return Ok(());
    }
    let found = match seen {
        Seen::Lost { secs } => format!("it was last seen {secs:.1} s ago"),
        _ => "no tracker has said anything yet".to_owned(),
    };
    bail!(
        "POSE_LOST: before an episode: this policy reads where the object is, and {found}; put the object where the tracker \
         sees it, or start a tracker (it publishes poses on the `pose` socket)"
    )
}

/// What goals follow from where no plan is known here.
fn deployed_goals(seed: u64, episode: u64) -> u64 {
    SeedTree::for_purpose(Purpose::Deployment, seed).branch(&format!("episode {episode}")).root()
}

/// Lives in this process through what was flown over the wire.
struct Twin {
    pilot: Pilot,
    expected: Trace,
}

impl Twin {
    /// Whether both are equal in every bit; says where they are not. Nobody knows where this life was cut before they differed.
    fn lives_the_same(
        &mut self,
        index: u64,
        plan: EpisodePlan,
        parts: &Parts,
        found: &Trace,
        stop: &AtomicBool,
    ) -> Result<Option<bool>> {
        let mut sim = HandSim::new(Arc::clone(&parts.scene), plan);
        let result = self.pilot.fly_observed(&mut sim, &mut self.expected, stop)?;
        let Some(at) = first_difference(&self.expected.0, &found.0) else { return Ok(Some(true)) };
        if result.cut {
            return Ok(None);
        }
        let per_step = (self.expected.0.len() / (result.trial.step_count.max(1) as usize)).max(1);
        tracing::warn!(
            "episode {index} differs from the same one in this process at step {}, number {} of the step's {per_step}",
            at / per_step,
            at % per_step
        );
        Ok(Some(false))
    }
}

fn connect(policy: &Policy, parts: &Parts, options: &DeployOptions, stop: &Arc<AtomicBool>) -> Result<BridgedHand> {
    let manifest = policy.manifest();
    let mut config = ClientConfig::new(&options.endpoint, parts.scene.robot());
    config.policy = PolicyIdentity { name: manifest.context.task.clone(), hash: policy.fingerprint()? };
    config.object = Some(parts.scene.object().name.to_owned());
    config.lockstep = !options.real_time;
    config.security = options.security.read()?;
    // What happens when the object is not seen any more is decided by what the policy reads, as in training: see `Pilot`.
    config.needs_object_pose = false;
    let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
    let client = BridgeClient::connect(config, Arc::clone(&clock), Arc::clone(stop))?;
    for note in &client.terms().notes {
        tracing::warn!("the controller notes: {note}");
    }
    Ok(BridgedHand { client, reset_steps: Vec::new(), goal_seed: 0, step: 0, clock, log: None, report_due: Nanos(0) })
}

/// Where episodes are compared the controller is told what decides one beside its plan, until it says what is otherwise there.
fn begin_episode(
    hand: &mut BridgedHand,
    seed: u64,
    plan: Option<&EpisodePlan>,
    settings: &[(String, String)],
    paired: Option<&mut Paired>,
) -> Result<()> {
    let mut reset = |settings: &[(String, String)]| -> Result<Result<(), HandError>> {
        let request = EpisodeRequest { seed, plan: plan.cloned(), settings: settings.to_vec() };
        let bytes = rmp_serde::to_vec_named(&request).context("writing down the episode")?;
        Ok(hand.client.reset_episode(&bytes))
    };
    match paired.filter(|paired| paired.cause.is_none()) {
        None => reset(&[])??,
        Some(paired) => {
            if let Err(refused) = reset(settings)? {
                // What is otherwise there is no reason not to compare: it will be the reason if they are not equal.
                let HandError::Refused { detail, .. } = refused else { return Err(refused.into()) };
                reset(&[])??;
                paired.cause = Some(detail);
            }
        }
    }
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

fn summary(results: &[EpisodeResult], paired: Option<Paired>, task: &dyn Task, real_time: bool) -> Deployment {
    let score = Score::of_episodes(task.measures(), results);
    Deployment {
        score: (score.episodes > 0).then_some(score),
        paired,
        clipped_count: results.iter().map(|result| result.clipped_count).sum(),
        missed_tick_count: results.iter().map(|result| result.missed_tick_count).sum(),
        control_steps: results.iter().map(|result| u64::from(result.trial.step_count)).sum(),
        mode: mode_name(real_time).to_owned(),
        ended_early: None,
        log: None,
    }
}
