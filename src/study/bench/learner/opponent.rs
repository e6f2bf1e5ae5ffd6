//! PyTorch's side, at its best: every way of writing the network, every way of using the cores.

use super::ours::PEAK_WIDTH;
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

/// Rows and columns of the matrices that the peak of another device is measured with.
const DEVICE_PEAK_WIDTH: usize = 8192;

const SCRIPT: Script =
    Script { text: include_str!("../learner_opponent.py"), runs: "PyTorch", advice: ADVICE, environment: KEEP_MEMORY };

/// What runs on the other side.
#[derive(Debug, Serialize, Deserialize)]
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
    /// One process with so many threads, of which it is not known yet how long it takes.
    pub(super) fn one_process(way: &'static str, work: Work, threads: usize) -> Self {
        Self { way, work, threads, is_pair: false, secs: f64::INFINITY }
    }

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

    /// The `count` fastest settings among some ways of writing the network, each tried for so many seconds.
    pub(super) fn fastest(
        &mut self,
        ways: &[&'static str],
        work: Work,
        secs: f64,
        count: usize,
    ) -> Result<Vec<Setting>> {
        let mut all = Vec::new();
        for &way in ways {
            for (threads, is_pair) in self.ways_of_using_cores(work) {
                let setting = Setting { is_pair, ..Setting::one_process(way, work, threads) };
                all.push(self.tried(setting, secs)?);
            }
        }
        all.sort_by(|a, b| a.secs.total_cmp(&b.secs));
        all.truncate(count);
        Ok(all)
    }

    /// A setting, and how long it takes.
    fn tried(&mut self, setting: Setting, secs: f64) -> Result<Setting> {
        // The first time, things are allocated; the second says how often the third can be.
        self.run(&setting, 1)?;
        let mut fastest = self.run(&setting, 1)?;
        let count = count_within(0.5 * secs, fastest);
        if count > 1 {
            for _ in 0..2 {
                fastest = fastest.min(self.run(&setting, count)? / count as f64);
            }
        }
        Ok(Setting { secs: fastest, ..setting })
    }

    /// Floating-point operations per second of the product of two large square matrices, in the fastest way of using
    /// the cores, in the best of the script's tries.
    pub(super) fn flops_per_sec(&mut self) -> Result<f64> {
        let width: usize = if self.device == DeviceChoice::Cpu { PEAK_WIDTH } else { DEVICE_PEAK_WIDTH };
        let operations = 2.0 * (width as f64).powi(3);
        let mut most = 0.0f64;
        for (threads, is_pair) in self.ways_of_using_cores(Work::Epochs) {
            let question =
                json!({ "do": "peak", "threads": threads, "width": width, "device": self.device.to_string() });
            let secs = if is_pair { self.both(&question, &question)? } else { vec![self.first(&question)?] };
            most = most.max(secs.iter().map(|secs| operations / secs).sum());
        }
        Ok(most)
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
        if !setting.is_pair {
            return self.first(&question(&["actor", "critic"]));
        }
        let secs = self.both(&question(&["actor"]), &question(&["critic"]))?;
        Ok(secs.into_iter().fold(0.0, f64::max))
    }

    /// Seconds of what the first process is asked to do.
    fn first(&mut self, question: &Value) -> Result<f64> {
        Ok(self.processes[0].ask::<Block>(question)?.secs)
    }

    /// Seconds of what each process is asked to do, both at once.
    fn both(&mut self, of_first: &Value, of_second: &Value) -> Result<Vec<f64>> {
        let [first, second] = &mut self.processes;
        let (one, other) = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| second.ask::<Block>(of_second));
            let one = first.ask::<Block>(of_first);
            (one, waiting.join().unwrap_or_else(|_| Err(anyhow!("a thread that asks PyTorch broke down"))))
        });
        Ok(vec![one?.secs, other?.secs])
    }
}

fn count_within(secs: f64, secs_of_one: f64) -> usize {
    (secs / secs_of_one.max(1e-6)).ceil().max(1.0) as usize
}
