//! PyTorch's side, at its best: every way of writing the network, every way of using the cores.

use super::{ACTIONS, ACTOR_COLUMNS, CRITIC_COLUMNS, Shape};
use crate::study::python::{PythonProcess, Script};
use anyhow::{Context, Result, anyhow, bail};
use giraffe_policy::DeviceChoice;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ADVICE: &str = "install PyTorch with `pip install torch`, or name another interpreter with --python PATH";

/// With these settings the C library keeps memory instead of asking the system for it in every epoch, which makes
/// PyTorch faster.
const KEEP_MEMORY: &[(&str, &str)] =
    &[("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "68719476736"), ("MALLOC_TOP_PAD_", "268435456")];

const SCRIPT: Script =
    Script { text: include_str!("../learner_opponent.py"), runs: "PyTorch", advice: ADVICE, environment: KEEP_MEMORY };

/// What runs on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TorchVersions {
    /// Version of PyTorch.
    pub torch: String,
    /// Version of Python.
    pub python: String,
    /// Whether it has a CUDA device.
    cuda: bool,
}

/// Two Python processes: actor and critic may learn in one each.
pub(super) struct Opponents {
    processes: [PythonProcess; 2],
    pub(super) versions: TorchVersions,
    device: DeviceChoice,
    threads: usize,
}

#[derive(Deserialize)]
struct Block {
    secs: f64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Epochs of PPO.
    Epochs,
    /// Steps of acting.
    Steps,
}

/// A way of writing the network (see the script) and of using the cores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    way: &'static str,
    work: Work,
    threads: usize,
    /// Actor and critic at the same time, in a process each.
    is_pair: bool,
    /// Seconds of one epoch or step, as found when it was chosen.
    secs: f64,
}

impl Setting {
    /// In words.
    pub(super) fn text(&self) -> String {
        let Self { way, threads, .. } = self;
        let cores = if self.is_pair { "actor and critic in a process each" } else { "one process" };
        format!("{way}, {cores}, threads {threads}")
    }
}

impl Opponents {
    /// Starts the processes.
    ///
    /// # Errors
    /// When Python or PyTorch is missing, or has not the device.
    pub(super) fn start(python: &str, device: DeviceChoice, threads: usize) -> Result<Self> {
        let mut first = PythonProcess::start(python, SCRIPT)?;
        let hello = json!({ "do": "hello" });
        let missing = || format!("`{python}` cannot run PyTorch; {ADVICE}");
        let versions: TorchVersions = first.ask(&hello).with_context(missing)?;
        if device != DeviceChoice::Cpu && !versions.cuda {
            bail!("the PyTorch of `{python}` has no CUDA device");
        }
        let mut second = PythonProcess::start(python, SCRIPT)?;
        let _: TorchVersions = second.ask(&hello)?;
        Ok(Self { processes: [first, second], versions, device, threads })
    }

    /// Makes networks and data of a shape ready, and lets go of those before.
    pub(super) fn prepare(&mut self, shape: Shape) -> Result<()> {
        for process in &mut self.processes {
            let _: Value = process.ask(&json!({ "do": "forget" }))?;
            for way in ["lstm", "cell", "split"] {
                let _: Value = process.ask(&json!({
                    "do": "prepare", "name": way, "way": way, "device": self.device.to_string(),
                    "width": shape.core_width, "steps": shape.horizon_steps, "sequences": shape.sequences,
                    "columns": { "actor": ACTOR_COLUMNS, "critic": CRITIC_COLUMNS }, "actions": ACTIONS,
                }))?;
            }
        }
        Ok(())
    }

    /// The fastest setting among some ways of writing the network, each tried for so many seconds.
    pub(super) fn fastest(&mut self, ways: &[&'static str], work: Work, secs: f64) -> Result<Setting> {
        let mut best: Option<Setting> = None;
        for &way in ways {
            for (threads, is_pair) in self.ways_of_using_cores(work) {
                let mut setting = Setting { way, work, threads, is_pair, secs: f64::INFINITY };
                // The first time, things are allocated; the second says how often the third can be.
                self.run(&setting, 1)?;
                setting.secs = self.run(&setting, 1)?;
                let count = count_within(0.5 * secs, setting.secs);
                if count > 1 {
                    for _ in 0..2 {
                        setting.secs = setting.secs.min(self.run(&setting, count)? / count as f64);
                    }
                }
                if best.is_none_or(|best| setting.secs < best.secs) {
                    best = Some(setting);
                }
            }
        }
        best.context("there is no way to run the opponent")
    }

    /// Threads of one process, and whether there are two.
    fn ways_of_using_cores(&self, work: Work) -> Vec<(usize, bool)> {
        if self.device != DeviceChoice::Cpu {
            return vec![(self.threads, false)];
        }
        let half = (self.threads / 2).max(1);
        let mut ways = vec![(1, false), (half, false), (self.threads, false)];
        ways.dedup();
        if work == Work::Epochs && self.threads > 1 {
            ways.push((half, true));
        }
        ways
    }

    /// How often per second the work is done.
    pub(super) fn rate(&mut self, setting: &Setting, secs: f64) -> Result<f64> {
        let count = count_within(secs, setting.secs);
        Ok(count as f64 / self.run(setting, count)?)
    }

    /// Seconds of doing it `count` times. Of two processes, the slower one's.
    fn run(&mut self, setting: &Setting, count: usize) -> Result<f64> {
        let question = |networks: &[&str]| {
            let work = if setting.work == Work::Epochs { "epochs" } else { "steps" };
            json!({
                "do": work, "name": setting.way, "threads": setting.threads, "count": count, "networks": networks,
            })
        };
        let [first, second] = &mut self.processes;
        if !setting.is_pair {
            return Ok(first.ask::<Block>(&question(&["actor", "critic"]))?.secs);
        }
        let (of_actor, of_critic) = (question(&["actor"]), question(&["critic"]));
        let (actor, critic) = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| second.ask::<Block>(&of_critic));
            let actor = first.ask::<Block>(&of_actor);
            (actor, waiting.join().unwrap_or_else(|_| Err(anyhow!("a thread that asks PyTorch broke down"))))
        });
        Ok(actor?.secs.max(critic?.secs))
    }
}

fn count_within(secs: f64, secs_of_one: f64) -> usize {
    (secs / secs_of_one.max(1e-6)).ceil().max(1.0) as usize
}
