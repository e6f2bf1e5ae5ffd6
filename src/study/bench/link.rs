//! The time a command takes: both ends of an encrypted link on this machine, a hand made of arithmetic, a policy with
//! an LSTM. And how evenly the loops of both ends turn.

mod hand;

use crate::fly::controller::free_ports;
use crate::run::config::{Parts, RunConfig};
use crate::run::episode::{Nobody, Pilot, StepObserver};
use crate::typed;
use anyhow::{Context, Result, bail};
use clap::Args;
use giraffe_bridge::message::Role;
use giraffe_bridge::{
    AllowList, BridgeClient, BridgeServer, ClientConfig, ClientSecurity, Clock, ControllerSpec, ExitAction, Keys,
    MonotonicClock, Observer, Permissions, ServerSecurity, allow_line,
};
use giraffe_physics::EpisodeSampler;
use giraffe_policy::{DeviceChoice, Policy, PolicyContext, PpoConfig, PpoLearner};
use giraffe_randomization::NONE;
use giraffe_robots::{Hand, Nanos, OBJECTS, ObservationSchema, RobotModel, SeedTree, Task};
use hand::{SteadyHand, Turns};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Rates at which loops are watched, Hz.
const RATES_HZ: [u32; 3] = [20, 60, 200];
/// The rate at which the time of a command is measured, Hz.
const LATENCY_HZ: u32 = 60;
/// Turns of the controller's loop for each command.
const TURNS_PER_COMMAND: u32 = 2;
/// States before the first that counts.
const WARM_UP: usize = 30;

/// What is measured, and for how long.
#[derive(Debug, Args)]
pub struct LinkBenchOptions {
    /// A hand: a name from `giraffe list robots`, or the path of a folder or MJCF file.
    #[arg(long, default_value = "leap-right")]
    pub robot: String,
    /// Width of the LSTM, and of the encoder before it.
    #[arg(long = "width", value_name = "WIDTH", default_value_t = 256, value_parser = typed::count)]
    pub core_width: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 20.0, value_parser = typed::real)]
    pub secs: f64,
}

/// Quantiles of many measurements, µs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// Half are below.
    pub p50_us: f64,
    /// 99 of 100 are below.
    pub p99_us: f64,
    /// 999 of 1000 are below.
    pub p999_us: f64,
    /// The largest.
    pub max_us: f64,
    /// How many.
    pub count: usize,
}

impl Quantiles {
    fn of(mut micros: Vec<f64>) -> Result<Self> {
        if micros.is_empty() {
            bail!("nothing was measured: more seconds are needed");
        }
        micros.sort_by(f64::total_cmp);
        let at = |share: f64| micros[((micros.len() - 1) as f64 * share).round() as usize];
        Ok(Self { p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: at(1.0), count: micros.len() })
    }
}

/// The loops of both ends at one rate.
#[derive(Debug, Serialize)]
pub struct LoopRow {
    /// Commands per second.
    pub policy_hz: u32,
    /// How far the time between two ticks of the policy was from its period.
    pub policy: Quantiles,
    /// How far the time between two turns of the controller's loop was from its period.
    pub controller: Quantiles,
    /// Ticks of the policy that were missed.
    pub missed_ticks: u64,
}

/// One measurement with a reader that never reads, one without.
#[derive(Debug, Serialize)]
pub struct SlowObserver {
    /// The controller's loop without it.
    pub controller_without: Quantiles,
    /// And with it.
    pub controller_with: Quantiles,
    /// Memory of this process, both ends of the link in it, at the end of each, MiB.
    pub memory_mib: [Option<f64>; 2],
}

/// The result.
#[derive(Debug, Serialize)]
pub struct LinkBench {
    /// From the arrival of a state to its command being handed to the system: half are below, µs.
    pub state_to_command_p50_us: f64,
    /// 99 of 100 are below, µs.
    pub state_to_command_p99_us: f64,
    /// All of it.
    pub state_to_command: Quantiles,
    /// The network alone, of the same steps.
    pub policy: Quantiles,
    /// Jitter of the policy's loop, 99 of 100 are below, µs, by rate in Hz.
    pub loop_jitter_p99_us: BTreeMap<String, f64>,
    /// The loops of both ends.
    pub loops: Vec<LoopRow>,
    /// A reader that never reads.
    pub slow_observer: SlowObserver,
    /// The hand, its joints, and the width of the LSTM.
    pub robot: String,
    /// Joints of the hand.
    pub joint_count: usize,
    /// Width of the LSTM.
    pub core_width: usize,
    /// Whether the link was encrypted.
    pub curve: bool,
    /// Cores of this machine.
    pub cores: usize,
    /// What else the machine was doing: its load average when this began and when it ended, where the system says.
    pub load_average: [Option<f64>; 2],
}

/// Measures. `stop` ends it early.
///
/// # Errors
/// When the hand does not exist, the link cannot be set up, or it is ended early.
pub fn bench_link(options: &LinkBenchOptions, stop: &Arc<AtomicBool>) -> Result<LinkBench> {
    let load_before = load_average();
    let config = RunConfig { robot: options.robot.clone(), ..RunConfig::default() };
    let parts = config.parts()?;
    let policy = fresh_policy(&config, &parts, options.core_width)?;
    let robot = parts.scene.robot();
    let bench =
        Bench { policy, task: parts.task, robot: Arc::clone(robot), secs: options.secs, stop: Arc::clone(stop) };
    let (state_to_command, network) = bench.latency()?;
    let loops = RATES_HZ.iter().map(|&hz| bench.loops(hz, false)).collect::<Result<Vec<_>>>()?;
    let slow_observer = bench.slow_observer()?;
    Ok(LinkBench {
        state_to_command_p50_us: state_to_command.p50_us,
        state_to_command_p99_us: state_to_command.p99_us,
        state_to_command,
        policy: network,
        loop_jitter_p99_us: loops.iter().map(|row| (row.policy_hz.to_string(), row.policy.p99_us)).collect(),
        loops,
        slow_observer,
        robot: robot.name.clone(),
        joint_count: robot.joint_count(),
        core_width: options.core_width,
        curve: true,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        load_average: [load_before, load_average()],
    })
}

/// A policy that has learned nothing, of the size that learns.
fn fresh_policy(config: &RunConfig, parts: &Parts, core_width: usize) -> Result<Policy> {
    let robot = parts.scene.robot();
    let sampler = parts.sampler(&config.randomization, &NONE, parts.seeds);
    let schema = ObservationSchema::new(parts.task.observation(robot), robot, sampler.parameters())?;
    let action = parts.task.action(robot);
    let ppo = PpoConfig { core_width, encoder_width: core_width, minibatch_count: 1, ..PpoConfig::default() };
    let learner = PpoLearner::new(&ppo, &schema, action.width(), 1, SeedTree::new(1), DeviceChoice::Cpu)?;
    Ok(learner.export(PolicyContext {
        action,
        control_period_secs: f64::from(robot.control.period_secs),
        robot: robot.name.clone(),
        kinematics_fingerprint: robot.kinematics_fingerprint.clone(),
        dynamics_fingerprint: robot.dynamics_fingerprint.clone(),
        task: parts.task.name().to_owned(),
        object: parts.scene.object().name.to_owned(),
        commit: String::new(),
    }))
}

struct Bench {
    policy: Policy,
    task: &'static dyn Task,
    robot: Arc<RobotModel>,
    secs: f64,
    stop: Arc<AtomicBool>,
}

impl Bench {
    /// From a state's arrival to its command's departure, and the network's part of it.
    fn latency(&self) -> Result<(Quantiles, Quantiles)> {
        let mut link = Link::begin(&self.robot_at(LATENCY_HZ), &self.stop)?;
        let mut pilot = Pilot::new(&self.policy, self.task, &self.robot, &OBJECTS[0], false);
        link.client.observe(pilot.sensed_mut())?;
        let clock = Arc::clone(&link.clock);
        let mut stopwatch = Stopwatch::new(clock.as_ref());
        let steps = (self.secs * f64::from(LATENCY_HZ * TURNS_PER_COMMAND)) as usize;
        let (mut whole, mut network) = (Vec::new(), Vec::new());
        for step in 0..steps + WARM_UP {
            let came = link.client.next_state(pilot.sensed_mut(), 1.0)?;
            link.client.command(pilot.decide(&mut stopwatch)?)?;
            if step >= WARM_UP {
                whole.push(clock.now().secs_since(came) * 1e6);
                network.push(stopwatch.network_secs * 1e6);
            }
        }
        Ok((Quantiles::of(whole)?, Quantiles::of(network)?))
    }

    /// Both loops at one rate, perhaps with somebody who takes no states.
    fn loops(&self, policy_hz: u32, slow_observer: bool) -> Result<LoopRow> {
        let mut link = Link::begin(&self.robot_at(policy_hz), &self.stop)?;
        let _stuck = slow_observer.then(|| link.onlooker(&self.stop)).transpose()?;
        let mut pilot = Pilot::new(&self.policy, self.task, &self.robot, &OBJECTS[0], false);
        link.client.observe(pilot.sensed_mut())?;
        let steps = (self.secs * f64::from(policy_hz)) as usize;
        let period_secs = 1.0 / f64::from(policy_hz);
        let mut ticks = Vec::new();
        for _ in 0..steps + WARM_UP {
            let targets = pilot.decide(&mut Nobody)?.to_vec();
            link.client.exchange(&targets, pilot.sensed_mut())?;
            ticks.push(link.clock.now().as_secs());
        }
        let missed_ticks = link.client.report().missed_ticks;
        let turns = link.end()?;
        Ok(LoopRow {
            policy_hz,
            policy: jitter(&ticks, period_secs)?,
            controller: jitter(&turns, period_secs / f64::from(TURNS_PER_COMMAND))?,
            missed_ticks,
        })
    }

    fn slow_observer(&self) -> Result<SlowObserver> {
        let without = self.loops(LATENCY_HZ, false)?.controller;
        let memory_without = memory_mib();
        let with = self.loops(LATENCY_HZ, true)?.controller;
        Ok(SlowObserver {
            controller_without: without,
            controller_with: with,
            memory_mib: [memory_without, memory_mib()],
        })
    }

    /// The same hand at another rate.
    fn robot_at(&self, policy_hz: u32) -> RobotModel {
        let mut robot = RobotModel::clone(&self.robot);
        robot.control.period_secs = (1.0 / f64::from(policy_hz)) as f32;
        robot
    }
}

/// How far the times between events were from `period_secs`, without the first ones.
fn jitter(secs: &[f64], period_secs: f64) -> Result<Quantiles> {
    let between = secs.windows(2).skip(WARM_UP / 2);
    Quantiles::of(between.map(|pair| (pair[1] - pair[0] - period_secs).abs() * 1e6).collect())
}

/// Both ends of a link with keys.
struct Link {
    endpoint: String,
    client: BridgeClient,
    client_security: ClientSecurity,
    clock: Arc<dyn Clock>,
    turns: Turns,
    ended: Arc<AtomicBool>,
    server: JoinHandle<Result<(), giraffe_bridge::BridgeError>>,
}

impl Link {
    /// A hand that follows a client.
    fn begin(robot: &RobotModel, stop: &Arc<AtomicBool>) -> Result<Self> {
        let [server_keys, client_keys] = [Keys::generate()?, Keys::generate()?];
        let line = allow_line("policy", &client_keys.public(), Role::Commander);
        let permissions = Permissions::of(AllowList::parse(&line, Path::new("(of this measurement)"))?);
        let client_security = ClientSecurity::curve(client_keys, server_keys.public());
        let security = ServerSecurity::curve(server_keys, permissions);
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let turns = Turns::default();
        let loop_period_secs = robot.control.period_secs / TURNS_PER_COMMAND as f32;
        let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4)?);
        let hand = SteadyHand::new(robot, loop_period_secs, Arc::clone(&clock), Arc::clone(&turns));
        let spec = ControllerSpec::of(robot);
        let driver = Box::new(hand);
        let mut server =
            BridgeServer::bind_secured(&endpoint, &security, spec, ExitAction::Release, driver, Arc::clone(&clock))?;
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let server = std::thread::spawn(move || server.run(&flag));
        let config = ClientConfig { security: client_security.clone(), ..ClientConfig::new(&endpoint, robot) };
        let mut client = BridgeClient::connect(config, Arc::clone(&clock), Arc::clone(stop))?;
        client.arm().context("arming the hand of the measurement")?;
        Ok(Self { endpoint, client, client_security, clock, turns, ended, server })
    }

    /// Somebody who is connected and takes no states.
    fn onlooker(&self, stop: &Arc<AtomicBool>) -> Result<Observer> {
        let clock = Arc::clone(&self.clock);
        let mut observer = Observer::connect(&self.endpoint, &self.client_security, clock, Arc::clone(stop))?;
        observer.await_state(1.0)?;
        Ok(observer)
    }

    /// Ends both ends. Returns when the controller's loop turned, s.
    fn end(self) -> Result<Vec<f64>> {
        self.client.bye();
        self.ended.store(true, Ordering::Relaxed);
        match self.server.join() {
            Ok(served) => served?,
            Err(_) => bail!("the controller of the measurement broke down"),
        }
        let turns = self.turns.lock().map_err(|_| anyhow::anyhow!("the controller of the measurement broke down"))?;
        Ok(turns.clone())
    }
}

/// Notes how long the network takes.
struct Stopwatch<'c> {
    clock: &'c dyn Clock,
    begun: Nanos,
    network_secs: f64,
}

impl<'c> Stopwatch<'c> {
    fn new(clock: &'c dyn Clock) -> Self {
        Self { clock, begun: clock.now(), network_secs: 0.0 }
    }
}

impl StepObserver for Stopwatch<'_> {
    fn observed(&mut self, _observation: &[f32]) {
        self.begun = self.clock.now();
    }

    fn acted(&mut self, _actions: &[f32]) {
        self.network_secs = self.clock.now().secs_since(self.begun);
    }
}

/// Load average over a minute, where the system says.
fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Memory of this process, MiB, where the system says.
fn memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

impl LinkBench {
    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}, {} joints, LSTM of {}, encrypted link on this machine, {} cores, load {:?}\n\n",
            self.robot, self.joint_count, self.core_width, self.cores, self.load_average
        );
        let header = format!("{:<44}{:>10}{:>10}{:>10}{:>10}\n", "µs", "p50", "p99", "p99.9", "max");
        text.push_str(&header);
        row(&mut text, "state received to command sent", &self.state_to_command);
        row(&mut text, "  of that the network", &self.policy);
        for each in &self.loops {
            row(&mut text, &format!("jitter of the policy's loop at {} Hz", each.policy_hz), &each.policy);
            let turns_hz = each.policy_hz * TURNS_PER_COMMAND;
            row(&mut text, &format!("jitter of the controller's loop at {turns_hz} Hz"), &each.controller);
        }
        let SlowObserver { controller_without, controller_with, memory_mib } = &self.slow_observer;
        row(&mut text, "controller's loop, once more", controller_without);
        row(&mut text, "  with a reader that never reads", controller_with);
        let missed: u64 = self.loops.iter().map(|each| each.missed_ticks).sum();
        let _ = writeln!(text, "\nmissed ticks {missed}; memory without and with the reader {memory_mib:?} MiB");
        text
    }
}

fn row(text: &mut String, what: &str, q: &Quantiles) {
    let _ = writeln!(text, "{what:<44}{:>10.0}{:>10.0}{:>10.0}{:>10.0}", q.p50_us, q.p99_us, q.p999_us, q.max_us);
}
