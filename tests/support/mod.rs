//! Running the program as a user does: its own process, its own folder, and never for longer than a test may take.

pub mod hands;
pub mod needs;

use giraffe::fly::controller::free_ports;
use giraffe_physics::EpisodePlan;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A run that learns nothing useful in a second or two, but goes through everything.
pub const TINY: [&str; 10] = [
    "--set",
    "worlds.world_count=4",
    "--set",
    "ppo.core_width=16",
    "--set",
    "ppo.encoder_width=16",
    "--set",
    "ppo.horizon_steps=16",
    "--set",
    "checkpoint_secs=0",
];
/// Control steps of one iteration of such a run: worlds times horizon.
pub const TINY_ITERATION_STEPS: u64 = 64;

/// Ranges that move with every test: every result counts as a success, and one is enough.
pub const GROWING: [&str; 8] = [
    "--set",
    "randomization.adr.enabled=true",
    "--set",
    "randomization.adr.buffer_length=1",
    "--set",
    "randomization.adr.shrink_below=-100.0",
    "--set",
    "randomization.adr.grow_above=-99.0",
];

/// Control steps of so many iterations, as `--steps` takes them.
pub fn steps(iterations: u64) -> String {
    (iterations * TINY_ITERATION_STEPS).to_string()
}

/// Complete checkpoints of a run, oldest first.
pub fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths.sort();
    paths
}

/// The episodes that run in the worlds of the newest checkpoint: which, and with what plan.
pub fn running(run: &Path) -> Vec<(u64, EpisodePlan)> {
    let saved = std::fs::read(checkpoints(run).pop().unwrap().join("worlds.msgpack")).unwrap();
    type Saved = (IgnoredAny, Vec<(u64, EpisodePlan, IgnoredAny)>, IgnoredAny);
    let (_, worlds, _): Saved = rmp_serde::from_slice(&saved).unwrap();
    worlds.into_iter().map(|(episode, plan, _)| (episode, plan)).collect()
}

/// After this long a program that should have ended is ended, and the test fails.
const LIMIT: Duration = Duration::from_secs(120);

/// The clock, for limits on how long something may take.
#[allow(clippy::disallowed_methods, reason = "a test may read the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub secs: f64,
}

impl Finished {
    /// The JSON object on standard output of a command that went well.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{}", self.stdout))
    }
}

/// A process in the background, ended when dropped.
pub struct Process {
    child: Child,
    begun: Instant,
    output: TempDir,
}

impl Process {
    /// Starts `program` in `folder`. What it prints goes to files, so that it never waits for a reader.
    pub fn start(program: &mut Command, folder: &Path) -> Self {
        Self::start_with(program, folder, |_| {})
    }

    /// The same, with streams redirected otherwise.
    pub fn start_with(program: &mut Command, folder: &Path, redirect: impl FnOnce(&mut Command)) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        program.current_dir(folder).stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        redirect(program);
        Self { child: program.spawn().unwrap(), begun: now(), output }
    }

    /// Sends a signal, by the name that `kill` knows.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "sending {name}");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends.
    pub fn finish(mut self) -> Finished {
        while self.is_running() {
            assert!(self.begun.elapsed() < LIMIT, "still running after {LIMIT:?}: {}", self.printed("stderr"));
            std::thread::sleep(Duration::from_millis(2));
        }
        Finished {
            code: self.child.wait().unwrap().code(),
            stdout: self.printed("stdout"),
            stderr: self.printed("stderr"),
            secs: self.begun.elapsed().as_secs_f64(),
        }
    }

    /// Whether it has said this on standard error so far.
    pub fn has_said(&self, words: &str) -> bool {
        self.printed("stderr").contains(words)
    }

    fn printed(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `giraffe` with these arguments, not started yet.
pub fn giraffe<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_giraffe"));
    command.args(arguments);
    command
}

/// Runs `giraffe` to its end, in `folder`.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Finished {
    Process::start(&mut giraffe(arguments), folder).finish()
}

/// Trains a tiny policy in `folder`/`name`, up to `iterations`.
pub fn train(folder: &Path, name: &str, iterations: u64, more: &[&str]) -> PathBuf {
    let steps = steps(iterations);
    let arguments = [&["train", "--out", name, "--steps", &steps], &TINY[..], more].concat();
    let finished = run_in(folder, &arguments);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    folder.join(name)
}

/// The folder of a run with a tiny policy, shared by the tests that run at the same time and removed after the last.
pub struct TinyPolicy(TempDir);

impl TinyPolicy {
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<TinyPolicy>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let home = tempfile::tempdir().unwrap();
            train(home.path(), "run", 8, &[]);
            let policy = Arc::new(Self(home));
            *shared = Arc::downgrade(&policy);
            policy
        })
    }

    /// The folder above, to run commands in.
    pub fn home(&self) -> &Path {
        self.0.path()
    }

    /// The folder of the run.
    pub fn run(&self) -> PathBuf {
        self.0.path().join("run")
    }
}

fn serve_simulated(endpoint: &str) -> Command {
    giraffe(["serve", "--driver", "sim", "--seed", "3", "--bind", endpoint])
}

/// A controller on free ports of this machine, ended when dropped.
pub struct Controller {
    process: Process,
    pub endpoint: String,
}

impl Controller {
    /// Starts what `command` makes for an endpoint and waits until it says that it listens.
    pub fn start(command: impl Fn(&str) -> Command) -> Self {
        let mut said = String::new();
        // Somebody else may take a port between its being found free and its being bound.
        for _ in 0..5 {
            let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4).unwrap());
            match Self::start_at(&endpoint, &command) {
                Ok(controller) => return controller,
                Err(words) => said = words,
            }
        }
        panic!("the controller never listened: {said}");
    }

    /// The same where somebody expects it; or what it said instead of listening.
    fn start_at(endpoint: &str, command: &impl Fn(&str) -> Command) -> Result<Self, String> {
        let mut process = Process::start(&mut command(endpoint), Path::new("."));
        while process.is_running() {
            assert!(process.begun.elapsed() < LIMIT, "it does not listen: {}", process.printed("stderr"));
            if process.printed("stdout").starts_with("listening") {
                return Ok(Self { process, endpoint: endpoint.to_owned() });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(process.printed("stderr"))
    }

    /// giraffe's own simulated hand.
    pub fn simulated() -> Self {
        Self::start(serve_simulated)
    }

    /// The same where another one was.
    pub fn simulated_at(endpoint: &str) -> Self {
        Self::start_at(endpoint, &serve_simulated).unwrap_or_else(|said| panic!("it does not listen: {said}"))
    }

    /// Sends a signal that is not meant to end it.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Whether it has said this on standard error.
    pub fn has_said(&self, words: &str) -> bool {
        self.process.has_said(words)
    }

    /// Ends it with a signal and says how: its exit code, and after how many seconds.
    pub fn end(self, signal: &str) -> (Option<i32>, f64) {
        let begun = now();
        self.process.signal(signal);
        (self.process.finish().code, begun.elapsed().as_secs_f64())
    }
}
