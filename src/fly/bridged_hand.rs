//! A hand behind the bridge: how it is reached, reached again, and made ready for an episode.

use super::options::DeployOptions;
use super::report::{EpisodeName, Paired};
use super::sim_driver::EpisodeRequest;
use crate::run::behavior::Behavior;
use crate::run::config::Parts;
use crate::run::episode::WatchedHand;
use anyhow::{Context, Result, bail};
use giraffe_bridge::log::{Event, EventKind, LogHandle, Record};
use giraffe_bridge::message::{PolicyIdentity, REHEARSAL, TOLD_TO_STOP, Welcome};
use giraffe_bridge::{BridgeClient, ClientConfig, Clock, MonotonicClock};
use giraffe_physics::{Disturbance, EpisodePlan};
use giraffe_robots::{Commanded, Hand, HandError, Nanos, Purpose, RobotModel, SeedTree, Seen, SignalFrame};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A hand behind the bridge, with the resets of recurrent state that its episode asks for.
pub(super) struct BridgedHand {
    pub(super) client: BridgeClient,
    pub(super) clock: Arc<dyn Clock>,
    config: ClientConfig,
    stop: Arc<AtomicBool>,
    reset_steps: Vec<u32>,
    /// What the episode's goals follow from: its plan, where that is known here.
    goal_seed: u64,
    step: u32,
    log: Option<LogHandle>,
    report_due: Nanos,
}

/// The link's own counts are written down so often, s.
const REPORT_SECS: f64 = 1.0;
/// So long is one try to reach a hand again, s: another follows while there is time.
const TRY_SECS: f64 = 1.0;
/// So long it is waited before the next try where somebody answered no, s.
const NEXT_TRY_SECS: f64 = 0.1;

impl BridgedHand {
    /// Says hello. Moves nothing.
    pub(super) fn connect(
        policy: &dyn Behavior,
        parts: &Parts,
        options: &DeployOptions,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut config = ClientConfig::new(&options.endpoint, parts.scene.robot());
        config.policy = PolicyIdentity { name: policy.task().to_owned(), hash: policy.fingerprint()? };
        config.object = Some(parts.scene.object().name.to_owned());
        config.lockstep = !options.real_time;
        config.patience_secs = options.patience;
        config.security = options.security.read()?;
        // What happens when the object is not seen any more is decided by what the policy reads, as in training: see `Pilot`.
        config.needs_object_pose = false;
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let client = BridgeClient::connect(config.clone(), Arc::clone(&clock), Arc::clone(stop))?;
        for note in &client.terms().notes {
            tracing::warn!("the controller notes: {note}");
        }
        Ok(Self {
            client,
            clock,
            config,
            stop: Arc::clone(stop),
            reset_steps: Vec::new(),
            goal_seed: 0,
            step: 0,
            log: None,
            report_due: Nanos(0),
        })
    }

    /// Whether it can be told how an episode begins.
    pub(super) fn is_simulated(&self) -> bool {
        self.client.terms().grants.iter().any(|grant| grant == REHEARSAL)
    }

    /// Everything that goes over the link from now on is written down.
    pub(super) fn write_to(&mut self, log: LogHandle) {
        self.client.listen(Box::new(log.clone()));
        self.log = Some(log);
    }

    pub(super) fn log(&self) -> Option<&LogHandle> {
        self.log.as_ref()
    }

    pub(super) fn record_link(&mut self, now: Nanos) {
        if let Some(log) = &self.log {
            log.record_at(Record::Link(self.client.report()), now);
            self.report_due = Nanos(now.0 + Nanos::from_secs(REPORT_SECS).0);
        }
    }

    /// Shakes hands anew, for up to `within_secs`, with the hand that was lost. Returns how long that took, s.
    ///
    /// # Errors
    /// When nobody answers in time, another hand does, the same on other terms, or somebody has told it to stop meanwhile.
    pub(super) fn reconnect(&mut self, within_secs: f64) -> Result<f64> {
        let begun = self.clock.now();
        self.record_link(begun);
        // Who is heard ends the old session now, and need not wait until its lease is over.
        self.client.leave();
        let client = loop {
            let left_secs = within_secs - self.clock.now().secs_since(begun);
            let mut config = self.config.clone();
            config.connect_timeout_secs = left_secs.clamp(NEXT_TRY_SECS, TRY_SECS);
            match BridgeClient::connect(config, Arc::clone(&self.clock), Arc::clone(&self.stop)) {
                Ok(client) => break client,
                Err(error) if left_secs > 0.0 && may_pass(&error) => {
                    self.clock.sleep_until(Nanos(self.clock.now().0 + Nanos::from_secs(NEXT_TRY_SECS).0));
                }
                Err(error) => return Err(error).with_context(|| format!("reconnecting for {within_secs} s")),
            }
        };
        let secs = self.clock.now().secs_since(begun);
        if let Some(differing) = differing_term(self.client.terms(), client.terms()) {
            bail!("the hand came back on other terms: another `{differing}` than before; begin a deployment anew");
        }
        if client.why() == TOLD_TO_STOP {
            bail!(
                "the hand is there again, but somebody told it to stop meanwhile; begin a deployment anew if it may move"
            );
        }
        self.client = client;
        if let Some(log) = self.log.clone() {
            let text = format!("the link was lost; the hand was there again after {secs:.1} s");
            log.record(Record::Event(Event::new(EventKind::Reconnected, text)));
            self.client.listen(Box::new(log));
        }
        Ok(secs)
    }
}

/// Whether a hand that cannot be reached now may be in a moment: its controller is starting, or waits for the end of a lease.
fn may_pass(error: &HandError) -> bool {
    match error {
        HandError::Silent { .. } | HandError::LinkLost { .. } => true,
        HandError::Refused { code, .. } => code == "LEASE_HELD",
        _ => false,
    }
}

/// What a log says once for all its steps, and is another now.
fn differing_term(before: &Welcome, now: &Welcome) -> Option<&'static str> {
    let same = [
        ("joints", before.joints == now.joints),
        ("limits", before.limits == now.limits),
        ("policy_hz", before.policy_hz.to_bits() == now.policy_hz.to_bits()),
        ("safe_action", before.safe_action == now.safe_action),
        ("grants", before.grants == now.grants),
    ];
    same.into_iter().find(|(_, is_same)| !is_same).map(|(name, _)| name)
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

/// What an episode begins with.
pub(super) struct Beginning<'e> {
    /// Which episode it is; its seed is for hands that are simulated.
    pub(super) name: EpisodeName,
    /// What its goals follow from.
    pub(super) goal_seed: u64,
    /// Everything random about it, where that is known here.
    pub(super) plan: Option<&'e EpisodePlan>,
    /// What decides an episode beside its plan.
    pub(super) settings: &'e [(String, String)],
}

impl BridgedHand {
    /// Starts an episode, which only a simulated hand can. Where episodes are compared the controller is told what decides one
    /// beside its plan, until it says what is otherwise there.
    pub(super) fn begin_episode(&mut self, beginning: &Beginning<'_>, paired: Option<&mut Paired>) -> Result<()> {
        self.goal_seed = beginning.goal_seed;
        if !self.is_simulated() {
            return Ok(());
        }
        let Beginning { name, plan, settings, .. } = *beginning;
        let mut reset = |settings: &[(String, String)]| -> Result<Result<(), HandError>> {
            let (seed, index) = (name.seed, Some(name.index));
            let request = EpisodeRequest { seed, index, plan: plan.cloned(), settings: settings.to_vec() };
            let bytes = rmp_serde::to_vec_named(&request).context("writing down the episode")?;
            Ok(self.client.reset_episode(&bytes))
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
        self.reset_steps = resets.map(|timed| timed.step).collect();
        self.step = 0;
        Ok(())
    }

    /// Home if that is wanted, then armed.
    pub(super) fn get_ready(&mut self, policy: &dyn Behavior, home: bool) -> Result<()> {
        if home {
            self.client.home().context("bringing the hand home")?;
        }
        self.check_seen(policy)?;
        self.client.arm().context("arming the hand")
    }

    /// A policy that cannot do without the object does not begin before somebody sees it.
    fn check_seen(&mut self, policy: &dyn Behavior) -> Result<()> {
        let seen = self.watch();
        if !policy.needs_object() || seen.pose().is_some() {
            return Ok(());
        }
        let found = match seen {
            Seen::Lost { secs } => format!("it was last seen {secs:.1} s ago"),
            _ => match self.client.report().poses_rejected {
                0 => "no tracker has said anything yet".to_owned(),
                count => format!("of {count} poses that came none was believed (the first warning says why)"),
            },
        };
        bail!(
            "POSE_LOST: before an episode: this policy reads where the object is, and {found}; put the object where the \
             tracker sees it, or start a tracker (it publishes poses on the `pose` socket)"
        )
    }
}

/// What goals follow from where no plan is known here.
pub(super) fn deployed_goals(seed: u64, episode: u64) -> u64 {
    SeedTree::for_purpose(Purpose::Deployment, seed).branch(&format!("episode {episode}")).root()
}
