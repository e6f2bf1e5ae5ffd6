//! A task of a program's own, with goals and measures that are not about turning anything: everything that happens to a
//! task happens to it, and nothing but this file and one line knows of it.

use giraffe::fly::controller::free_ports;
use giraffe::fly::deploy::deploy;
use giraffe::fly::options::{DeployOptions, LogOptions};
use giraffe::fly::sim_driver::open_sim;
use giraffe::keys::PolicyKeys;
use giraffe::learn::budget::Budget;
use giraffe::learn::processes::Processes;
use giraffe::learn::show::{Show, Standing};
use giraffe::learn::train::{TrainReport, Training};
use giraffe::run::config::RunConfig;
use giraffe::run::episode::{Pilot, WatchedHand};
use giraffe::run::evaluate::{TrainedPolicy, run_episodes, unseen_seeds};
use giraffe::run::score::Score;
use giraffe::study::plot::plot;
use giraffe::study::policies::{PoliciesOptions, compare_policies, markdown};
use giraffe::study::replay::{Episodes, ReplayOptions, replay};
use giraffe::study::replay_log::{LogReplayOptions, replay_log};
use giraffe_bridge::log::{Logged, read};
use giraffe_bridge::{BridgeServer, ControllerSpec, ExitAction, MonotonicClock};
use giraffe_physics::{EpisodeSampler, HandSim};
use giraffe_policy::DeviceChoice;
use giraffe_randomization::{NONE, find_scenario};
use giraffe_robots::{
    ActionSchema, Aims, Audience, Better, Commanded, Encoding, Ending, EpisodeStart, Hand, HandError, Measure,
    MeasureKind, ObservationTerm, Outcome, RewardTerms, RobotModel, SeedTree, Seen, Signal, SignalFrame, Stream,
    StreamRng, TASKS, Task, Trial, TrialScene, Verdict, WhenStale, add_task,
};
use nalgebra::Vector3;
use rand::RngExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

/// Nudge the object to a place in the palm, then to the next.
struct Nudge {
    name: &'static str,
    /// What happens when the tracker has not seen the object for a while.
    when_stale: WhenStale,
}

static NUDGE: Nudge = Nudge { name: "nudge", when_stale: WhenStale::Hold };
/// The same for a policy that cannot do without the object.
static NUDGE_SEEING: Nudge = Nudge { name: "nudge-seeing", when_stale: WhenStale::End };

/// Control steps of an episode: 2 s.
const EPISODE_STEPS: u32 = 40;
/// A goal lies this far from home along x and y, m (uniform).
const GOAL_SPREAD_M: f32 = 0.008;
/// Within this the goal is reached, m.
const TOLERANCE_M: f32 = 0.006;
/// After so many steps there is another goal, reached or not.
const STEPS_PER_GOAL: u32 = 20;

static MEASURES: [Measure; 2] = [
    Measure { name: "goal_count", title: "goals reached", unit: "", kind: MeasureKind::Count, better: Better::Higher },
    Measure { name: "mean_error_m", title: "mean error", unit: "m", kind: MeasureKind::Mean, better: Better::Lower },
];

impl Task for Nudge {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        "nudge the object to one place after the other"
    }

    fn episode_step_count(&self) -> u32 {
        EPISODE_STEPS
    }

    fn observation(&self, _robot: &RobotModel) -> Vec<ObservationTerm> {
        use Audience::{ActorAndCritic, CriticOnly};
        let joint =
            |signal| ObservationTerm::fresh(signal, Encoding::JointRange, 2, ActorAndCritic).up_to_secs_old(0.1);
        let tracked = |signal, encoding, when_stale| {
            ObservationTerm::fresh(signal, encoding, 1, ActorAndCritic).up_to_secs_old(0.2).when_stale(when_stale)
        };
        vec![
            joint(Signal::JointPosition),
            joint(Signal::JointTarget),
            tracked(Signal::ObjectPosition, Encoding::Divide(0.05), self.when_stale),
            tracked(Signal::ObjectPosition, Encoding::Rate { over_secs: 0.1, divide: 0.1 }, WhenStale::Zero),
            tracked(Signal::GoalPositionError, Encoding::Divide(0.01), WhenStale::Hold),
            ObservationTerm::fresh(Signal::GoalPosition, Encoding::Divide(0.05), 1, ActorAndCritic),
            ObservationTerm::fresh(Signal::FingertipPosition, Encoding::Divide(0.1), 1, ActorAndCritic)
                .up_to_secs_old(0.1),
            ObservationTerm::fresh(Signal::GoalPositionError, Encoding::Divide(0.01), 1, CriticOnly),
        ]
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        ActionSchema::increments(robot, 0.05, 0.4)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        TASKS[0].start(robot, rng)
    }

    fn measures(&self) -> &'static [Measure] {
        &MEASURES
    }

    fn aims(&self) -> Aims {
        Aims { poor: -1.0, good: -0.5 }
    }

    fn failure_reward(&self) -> f32 {
        -1.0
    }

    fn begin(&self, scene: &TrialScene<'_>, _seen: &Seen) -> Box<dyn Trial> {
        let home_m = scene.robot.palm_from_object_home.translation.vector;
        let mut nudging = Nudging { seeds: scene.seeds, home_m, ..Nudging::default() };
        nudging.choose();
        Box::new(nudging)
    }
}

struct Nudging {
    seeds: SeedTree,
    home_m: Vector3<f32>,
    goal_m: Vector3<f32>,
    /// How many goals were chosen so far, and how long ago the last one was.
    goal_count: u64,
    steps_of_goal: u32,
    reached: bool,
    reached_count: u32,
    errors_m: Vec<f32>,
}

impl Default for Nudging {
    fn default() -> Self {
        let (home_m, goal_m) = (Vector3::zeros(), Vector3::zeros());
        let (seeds, errors_m) = (SeedTree::new(0), Vec::new());
        Self { seeds, home_m, goal_m, goal_count: 0, steps_of_goal: 0, reached: false, reached_count: 0, errors_m }
    }
}

impl Nudging {
    fn choose(&mut self) {
        let mut rng = self.seeds.stream(Stream::Start, 0, self.goal_count);
        let mut shift = || rng.random_range(-GOAL_SPREAD_M..=GOAL_SPREAD_M);
        self.goal_m = self.home_m + Vector3::new(shift(), shift(), 0.0);
        (self.goal_count, self.steps_of_goal, self.reached) = (self.goal_count + 1, 0, false);
    }
}

impl Trial for Nudging {
    fn advance(&mut self, seen: &Seen) -> Verdict {
        self.steps_of_goal += 1;
        let Some(pose) = seen.pose() else { return Verdict::Running };
        let error_m = (self.goal_m - pose.position_m).xy().norm();
        self.errors_m.push(error_m);
        self.reached = error_m < TOLERANCE_M;
        self.reached_count += u32::from(self.reached);
        if pose.position_m.z < -0.03 { Verdict::Failed } else { Verdict::Running }
    }

    fn rewards(&mut self, _verdict: Verdict, truth: &SignalFrame) -> RewardTerms {
        let away_m =
            truth.read(Signal::ObjectPosition).map_or(0.0, |p| (self.goal_m - Vector3::from_column_slice(p)).norm());
        RewardTerms(vec![("near", -away_m), ("reached", if self.reached { 1.0 } else { 0.0 })])
    }

    fn aim(&mut self) {
        if self.reached || self.steps_of_goal >= STEPS_PER_GOAL {
            self.choose();
        }
    }

    fn write_goal(&self, frame: &mut SignalFrame) {
        frame.write(Signal::GoalPosition, self.goal_m.as_slice());
        let Some((position_m, stamp)) = frame.read(Signal::ObjectPosition).zip(frame.stamp(Signal::ObjectPosition))
        else {
            return;
        };
        let error_m = self.goal_m - Vector3::from_column_slice(position_m);
        frame.write_at(Signal::GoalPositionError, error_m.as_slice(), stamp);
    }

    fn results(&self, _ending: &Ending) -> Vec<Option<f64>> {
        let mean_m = self.errors_m.iter().sum::<f32>() / self.errors_m.len() as f32;
        vec![Some(f64::from(self.reached_count)), (!self.errors_m.is_empty()).then_some(f64::from(mean_m))]
    }
}

/// The one line.
fn add() {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| {
        add_task(&NUDGE);
        add_task(&NUDGE_SEEING);
    });
}

struct Quiet;

impl Show for Quiet {
    fn show(&mut self, _standing: &Standing<'_>) {}
    fn warn(&mut self, _text: &str) {}
}

/// Iterations of 64 control steps: every world ends some episodes.
const ITERATIONS: u64 = 14;

fn config(settings: &[&str]) -> RunConfig {
    let tiny =
        ["task=nudge", "worlds.world_count=4", "ppo.core_width=16", "ppo.encoder_width=16", "ppo.horizon_steps=16"];
    let settings: Vec<String> = tiny.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
    RunConfig::read(None, &settings).unwrap()
}

fn go_on(mut training: Training, iterations: u64) -> TrainReport {
    training.run(Budget::Steps(64 * iterations), &mut Quiet, &AtomicBool::new(false)).unwrap()
}

/// Three paired episodes.
fn paired(served: &Served, log: Option<LogOptions>) -> DeployOptions {
    DeployOptions {
        reconnect: None,
        patience: 0.0,
        endpoint: served.endpoint.clone(),
        security: PolicyKeys::default(),
        episodes: 3,
        real_time: false,
        paired: true,
        home: false,
        memoryless: false,
        seed: 5,
        log,
    }
}

fn train(home: &Path, name: &str, iterations: u64, settings: &[&str]) -> PathBuf {
    add();
    let out = home.join(name);
    let training = Training::begin(config(settings), &out, DeviceChoice::Cpu, Processes::alone()).unwrap();
    go_on(training, iterations);
    out
}

#[test]
fn it_is_trained_by_its_own_measures_and_resumed_bit_for_bit() {
    let home = tempfile::tempdir().unwrap();
    let whole = train(home.path(), "whole", ITERATIONS, &[]);
    let parts = train(home.path(), "parts", ITERATIONS / 2, &[]);
    let report = go_on(Training::resume(&parts, DeviceChoice::Cpu, Processes::alone()).unwrap(), ITERATIONS);
    crate::resume::assert_same(&whole, &parts);
    assert!(report.score.episodes > 10 && report.score.headline().is_some(), "{report:?}");
    let text = std::fs::read_to_string(whole.join("metrics.csv")).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    for name in ["goal_count", "mean_error_m", "reward_near", "reward_reached"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!text.contains("rotation") && !text.contains("drop"), "{}", names.join(" "));
    let curve = std::fs::read_to_string(whole.join("curve.svg")).unwrap();
    assert!(curve.contains("goals reached") && !curve.contains("rotation"));
}

#[test]
fn ranges_grow_by_its_headline() {
    let home = tempfile::tempdir().unwrap();
    let growing = ["randomization.adr.enabled=true", "randomization.adr.buffer_length=1"];
    // By the task's own aims everything is good.
    let run = train(home.path(), "grown", 2 * ITERATIONS, &growing);
    let last = std::fs::read_to_string(run.join("adr.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    let sides = last["sides"].as_array().unwrap();
    assert!(sides.iter().any(|side| side["grown"].as_u64() > Some(0)), "{last}");
    assert!(sides.iter().all(|side| side["shrunk"] == 0), "{last}");
}

#[test]
fn it_is_evaluated_compared_plotted_and_replayed_by_its_own_measures() {
    let home = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let [one, other] = ["1", "2"].map(|seed| train(home.path(), seed, ITERATIONS, &[&format!("seed={seed}")]));
    let trained = TrainedPolicy::load(&one, &[]).unwrap();
    let parts = trained.parts().unwrap();
    let sampler = parts.sampler(&trained.config.randomization, &NONE, unseen_seeds(3));
    let results = run_episodes(&trained.policy, &parts, &sampler, 4, false, &stop).unwrap();
    let score = Score::of_episodes(&MEASURES, &results);
    assert_eq!((score.episodes, score.measures.0.len()), (4, 2));

    let named = |name: &str, path: &Path| format!("{name}={}", path.display()).parse().unwrap();
    let options = PoliciesOptions {
        policies: vec![named("a", &one), named("b", &other)],
        test_sets: vec!["wide".to_owned()],
        episodes: 4,
        seed: 3,
        out: home.path().join("report"),
        memoryless: false,
        thread_count: 0,
    };
    let compared = compare_policies(&[], &options, &stop).unwrap().expect("nobody stopped it");
    let measures = &compared.test_sets[0].groups[0].measures;
    assert_eq!(measures.iter().map(|measure| measure.name).collect::<Vec<_>>(), ["goal_count", "mean_error_m"]);
    assert_eq!(measures[0].estimate.map(|mean| mean.value), score.headline().map(|mean| mean.value));
    assert!(markdown(&compared).contains("goals reached [95 %]") && !markdown(&compared).contains("rotation"));

    let drawn = plot(&options.policies, &home.path().join("pictures")).unwrap();
    assert!(drawn.runs[0].measures["goal_count"].is_some(), "{drawn:?}");
    let picture = std::fs::read_to_string(&drawn.pictures[0]).unwrap();
    assert!(picture.contains("goals reached"));

    for (world, expected) in results.iter().enumerate() {
        let episodes = Episodes::Evaluation { seed: 3, scenario: (&NONE).into() };
        let (run, settings, out) = (one.clone(), Vec::new(), Some(home.path().join(format!("episode-{world}"))));
        let (world, episode) = (world as u64, 0);
        let again = replay(
            &ReplayOptions { run, episodes, world, episode, settings, memoryless: false, live: true, out },
            &stop,
        );
        let lived = again.unwrap().outcome.unwrap();
        let found: Vec<Option<f64>> = lived.measures.iter().map(|(_, value)| *value).collect();
        assert_eq!(found, expected.trial.measures);
        let goals: Vec<&Vec<f32>> = lived.steps.iter().map(|step| &step.goals[0].1).collect();
        assert!(goals.windows(2).any(|pair| pair[0] != pair[1]), "one goal after the other: {goals:?}");
    }
}

/// A simulated hand for this task behind real sockets, in a thread of this process.
struct Served {
    endpoint: String,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    fn start(config: &RunConfig) -> Self {
        let parts = config.parts().unwrap();
        let spec = ControllerSpec::of(parts.scene.robot());
        let driver = open_sim(parts, &config.randomization, 3).unwrap();
        let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4).unwrap());
        let clock = Arc::new(MonotonicClock::start());
        let mut server = BridgeServer::bind(&endpoint, spec, ExitAction::Release, driver, clock).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = Some(std::thread::spawn(move || server.run(&flag).unwrap()));
        Self { endpoint, stop, thread }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

#[test]
fn it_is_deployed_in_lock_step_with_equal_bits_logged_and_replayed_from_its_log() {
    let home = tempfile::tempdir().unwrap();
    let run = train(home.path(), "run", ITERATIONS, &[]);
    let trained = TrainedPolicy::load(&run, &[]).unwrap();
    let parts = trained.parts().unwrap();
    let served = Served::start(&trained.config);
    let path = home.path().join("one.mcap");
    let log = Some(LogOptions { path: path.clone(), asked_for: true, settings: Vec::new(), config: None });
    let options = paired(&served, log);
    let scenario = find_scenario("push").unwrap();
    let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(5));
    let stop = Arc::new(AtomicBool::new(false));
    let deployed = deploy(&trained.policy, &parts, &sampler, &options, &stop).unwrap();
    let paired = deployed.paired.expect("paired");
    assert_eq!((paired.episodes, paired.equal), (3, 3));
    let evaluated = run_episodes(&trained.policy, &parts, &sampler, 3, false, &stop).unwrap();
    assert_eq!(deployed.score, Some(Score::of_episodes(&MEASURES, &evaluated)));

    let logged = read(&path).unwrap();
    let goals = logged.entries.iter().filter(|entry| matches!(entry.logged, Logged::Goal(_))).count();
    assert_eq!(goals as u64, deployed.control_steps);
    for (episode, expected) in logged.episodes().iter().zip(&evaluated) {
        let summary = episode.summary.as_ref().expect("what came of it");
        assert_eq!(summary.outcome, expected.trial.outcome.name());
        assert_eq!(summary.measures.len(), expected.trial.measures.len());
        for (found, expected) in summary.measures.iter().zip(&expected.trial.measures) {
            // A reader of JSON may round the last digit.
            let (found, expected) = (found.value.unwrap(), expected.unwrap());
            assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} is not {expected}");
        }
    }
    let report = replay_log(&LogReplayOptions { log: path, policy: Some(run), out: None }).unwrap();
    assert!(report.equal && report.observations.checked == deployed.control_steps, "{report:#?}");
}

#[test]
fn an_object_that_nobody_finds_any_more_ends_an_episode_alike_in_training_evaluation_and_deployment() {
    let home = tempfile::tempdir().unwrap();
    let blind = ["task=nudge-seeing", "randomization.ranges.tracking.dropout=0.9"];
    let run = train(home.path(), "run", ITERATIONS, &blind);
    let rows = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert!(last["lost_count"].as_u64() > Some(10), "{last}");
    assert!(last["reward_diverged"].as_f64() < Some(0.0), "no policy shall seek it: {last}");

    let trained = TrainedPolicy::load(&run, &[]).unwrap();
    let parts = trained.parts().unwrap();
    let sampler = parts.sampler(&trained.config.randomization, &NONE, unseen_seeds(5));
    let stop = Arc::new(AtomicBool::new(false));
    let evaluated = run_episodes(&trained.policy, &parts, &sampler, 3, false, &stop).unwrap();
    for result in &evaluated {
        // A pose counts for 0.2 s, four control steps, its delay included; nine pictures of ten are lost.
        assert_eq!(result.trial.outcome, Outcome::Unreadable, "{result:?}");
        assert!((1..EPISODE_STEPS).contains(&result.trial.step_count), "{result:?}");
    }
    let served = Served::start(&trained.config);
    let options = paired(&served, None);
    let deployed = deploy(&trained.policy, &parts, &sampler, &options, &stop).unwrap();
    assert_eq!(deployed.paired.map(|paired| paired.equal), Some(3));
    assert_eq!(deployed.score, Some(Score::of_episodes(&MEASURES, &evaluated)));
}

/// A simulated hand that loses its numbers after some steps.
struct Breaking {
    sim: HandSim,
    steps_left: u32,
}

impl Hand for Breaking {
    fn model(&self) -> &RobotModel {
        self.sim.model()
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        self.sim.observe(sensed)
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        let Some(left) = self.steps_left.checked_sub(1) else {
            return Err(HandError::NotFinite { what: "the simulated joint_position".to_owned() });
        };
        self.steps_left = left;
        self.sim.exchange(targets_rad, sensed)
    }
}

impl WatchedHand for Breaking {
    fn watch(&mut self) -> Seen {
        WatchedHand::watch(&mut self.sim)
    }

    fn goal_seed(&self) -> u64 {
        WatchedHand::goal_seed(&self.sim)
    }
}

#[test]
fn a_world_that_loses_its_numbers_is_a_failed_episode_and_not_the_end_of_an_evaluation() {
    let tiny = crate::support::TinyPolicy::shared();
    let trained = TrainedPolicy::load(&tiny.run(), &[]).unwrap();
    let parts = trained.parts().unwrap();
    let sampler = parts.sampler(&trained.config.randomization, &NONE, unseen_seeds(1));
    let mut pilot = Pilot::of(&trained.policy, &parts, false);
    let mut fly = |steps_left: u32| {
        let sim = HandSim::new(Arc::clone(&parts.scene), sampler.plan(0, 0));
        pilot.fly(&mut Breaking { sim, steps_left }, &AtomicBool::new(false)).unwrap()
    };
    let results = [fly(7), fly(u32::MAX)];
    assert_eq!((results[0].trial.outcome, results[0].trial.step_count), (Outcome::Diverged, 8));
    assert_eq!(results[0].trial.measures[1], Some(0.0), "it was not kept");
    assert_ne!(results[1].trial.outcome, Outcome::Diverged, "the next one is none the worse");
    let score = Score::of_episodes(parts.task.measures(), &results);
    assert_eq!((score.episodes, score.count(Outcome::Diverged)), (2, 1));
    assert_eq!(score.unusual_ends().as_deref(), Some("1 diverged"));
}
