//! Faults of the program itself: a thread that panics costs nothing that was finished.

use crate::metrics::{assert_metrics_agree, rows};
use crate::resume::assert_same;
use crate::support::checkpoints;
use giraffe::learn::budget::Budget;
use giraffe::learn::processes::Processes;
use giraffe::learn::rescue::Fault;
use giraffe::learn::show::{Show, Standing};
use giraffe::learn::train::{TrainReport, Training};
use giraffe::run::config::RunConfig;
use giraffe::run::folder::CONFIG_FILE;
use giraffe_policy::DeviceChoice;
use giraffe_robots::{
    ActionSchema, Aims, Ending, EpisodeStart, Measure, ObservationTerm, RewardTerms, RobotModel, Seen, SignalFrame,
    StreamRng, TASKS, Task, Trial, TrialScene, Verdict, add_task,
};
use rand::RngExt;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The usual task, with a mistake in it.
struct Faulty {
    name: &'static str,
    /// Steps of all worlds before the mistake shows.
    steps_left: AtomicI64,
}

static EARLY: Faulty = Faulty { name: "faulty-early", steps_left: AtomicI64::new(i64::MAX) };
static LATE: Faulty = Faulty { name: "faulty-late", steps_left: AtomicI64::new(i64::MAX) };
/// Every other episode of it begins with the object nowhere.
static NOWHERE: Faulty = Faulty { name: "faulty-nowhere", steps_left: AtomicI64::new(i64::MAX) };
/// Control steps of one iteration: worlds times horizon.
const ITERATION_STEPS: i64 = 64;

impl Task for Faulty {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        "the usual task, with a mistake in it"
    }

    fn episode_step_count(&self) -> u32 {
        TASKS[0].episode_step_count()
    }

    fn observation(&self, robot: &RobotModel) -> Vec<ObservationTerm> {
        TASKS[0].observation(robot)
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        TASKS[0].action(robot)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
        let mut start = TASKS[0].start(robot, rng);
        if self.name == NOWHERE.name && rng.random_bool(0.5) {
            start.palm_from_object.translation.x = f32::NAN;
        }
        start
    }

    fn measures(&self) -> &'static [Measure] {
        TASKS[0].measures()
    }

    fn aims(&self) -> Aims {
        TASKS[0].aims()
    }

    fn failure_reward(&self) -> f32 {
        TASKS[0].failure_reward()
    }

    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial> {
        let all = [&EARLY, &LATE, &NOWHERE];
        let own = all.into_iter().find(|task| task.name == self.name).unwrap();
        let steps_left = &own.steps_left;
        Box::new(FaultyTrial { trial: TASKS[0].begin(scene, seen), steps_left })
    }
}

struct FaultyTrial {
    trial: Box<dyn Trial>,
    steps_left: &'static AtomicI64,
}

impl Trial for FaultyTrial {
    fn advance(&mut self, seen: &Seen) -> Verdict {
        assert!(self.steps_left.fetch_sub(1, Ordering::Relaxed) > 0, "the sum of the angles is blue");
        self.trial.advance(seen)
    }

    fn rewards(&mut self, verdict: Verdict, truth: &SignalFrame) -> RewardTerms {
        self.trial.rewards(verdict, truth)
    }

    fn aim(&mut self) {
        self.trial.aim();
    }

    fn write_goal(&self, frame: &mut SignalFrame) {
        self.trial.write_goal(frame);
    }

    fn results(&self, ending: &Ending) -> Vec<Option<f64>> {
        self.trial.results(ending)
    }
}

struct Quiet;

impl Show for Quiet {
    fn show(&mut self, _standing: &Standing<'_>) {}
    fn warn(&mut self, _text: &str) {}
}

fn config(task: &Faulty, checkpoint_secs: &str) -> RunConfig {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| {
        add_task(&EARLY);
        add_task(&LATE);
        add_task(&NOWHERE);
    });
    let settings = [
        &format!("task={}", task.name),
        "worlds.world_count=4",
        "worlds.thread_count=2",
        "ppo.core_width=16",
        "ppo.encoder_width=16",
        "ppo.horizon_steps=16",
        &format!("checkpoint_secs={checkpoint_secs}"),
    ];
    RunConfig::read(None, &settings.map(str::to_owned)).unwrap()
}

fn begin(task: &Faulty, out: &Path, checkpoint_secs: &str) -> Training {
    Training::begin(config(task, checkpoint_secs), out, DeviceChoice::Cpu, Processes::alone()).unwrap()
}

fn go_on(mut training: Training, iterations: u64) -> anyhow::Result<TrainReport> {
    training.run(Budget::Steps(64 * iterations), &mut Quiet, &AtomicBool::new(false))
}

#[test]
fn a_panic_in_a_thread_of_the_worlds_is_told_and_the_run_goes_on_from_what_was_finished() {
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    go_on(begin(&EARLY, &whole, "0"), 5).unwrap();
    let run = home.path().join("run");
    let training = begin(&EARLY, &run, "0");
    EARLY.steps_left.store(3 * ITERATION_STEPS + 7, Ordering::Relaxed);
    let error = go_on(training, 5).unwrap_err();
    EARLY.steps_left.store(i64::MAX, Ordering::Relaxed);
    assert!(error.is::<Fault>(), "{error:?}");
    let said = error.to_string();
    for part in ["iteration 4", "the sum of the angles is blue", "iteration 3 is whole", "giraffe train --resume"] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    go_on(Training::resume(&run, DeviceChoice::Cpu, Processes::alone()).unwrap(), 5).unwrap();
    assert_same(&whole, &run);
}

#[test]
fn a_panic_long_after_the_last_checkpoint_loses_a_few_seconds_and_no_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let (whole, run) = (home.path().join("whole"), home.path().join("run"));
    let training = begin(&LATE, &run, "1000");
    // Some seconds, in a build that is slow or fast.
    LATE.steps_left.store(4000 * ITERATION_STEPS, Ordering::Relaxed);
    let limit = std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_secs(6));
        LATE.steps_left.store(7, Ordering::Relaxed);
    });
    let error = go_on(training, 1_000_000).unwrap_err().to_string();
    limit.join().unwrap();
    LATE.steps_left.store(i64::MAX, Ordering::Relaxed);
    assert!(error.contains("is saved, what came after it is not"), "{error}");
    let newest = checkpoints(&run).pop().unwrap();
    let saved: u64 = newest.file_name().unwrap().to_string_lossy().parse().unwrap();
    let rows = rows(&run);
    assert!(saved > 0 && saved <= rows.len() as u64, "iteration {saved} of {} is saved", rows.len());
    let secs = |iteration: usize| rows[iteration - 1]["train_seconds"].as_f64().unwrap();
    let lost_secs = secs(rows.len()) - secs(saved as usize);
    assert!(lost_secs < 5.0, "{lost_secs} s of training are lost, and four and an iteration is the most");
    let resumed = Training::resume(&run, DeviceChoice::Cpu, Processes::alone()).unwrap();
    go_on(resumed, saved + 2).unwrap();
    go_on(begin(&LATE, &whole, "1000"), saved + 2).unwrap();
    assert_same(&whole, &run);
}

#[test]
fn too_many_lost_worlds_end_a_run_in_words_with_a_checkpoint_and_its_metrics_from_which_it_can_go_on_all_the_same() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let error = go_on(begin(&NOWHERE, &run, "1000"), 1000).unwrap_err().to_string();
    for part in [
        "lost its numbers (the simulated object_position is not a finite number)",
        "more than largest_lost_share = 0.05",
        "too few to say what they have in common",
        "--training --world ",
        "giraffe train --resume",
    ] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    let iteration_of_newest = || -> usize {
        let newest = checkpoints(&run).pop().unwrap();
        newest.file_name().unwrap().to_string_lossy().parse().unwrap()
    };
    let ended_at = iteration_of_newest();
    assert_eq!(rows(&run).len(), ended_at, "what is saved is written down");
    let config = std::fs::read_to_string(run.join(CONFIG_FILE)).unwrap();
    let patient = config.replace("largest_lost_share = 0.05", "largest_lost_share = 1.0");
    assert_ne!(config, patient);
    std::fs::write(run.join(CONFIG_FILE), patient).unwrap();
    let resumed = Training::resume(&run, DeviceChoice::Cpu, Processes::alone()).unwrap();
    go_on(resumed, ended_at as u64 + 20).unwrap();
    assert_eq!(iteration_of_newest(), ended_at + 20);
    assert_metrics_agree(&run);
}
