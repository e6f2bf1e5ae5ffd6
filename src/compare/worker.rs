//! A Python process with MuJoCo in it, asked in lines of JSON.

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The other side of the conversation; its README says what it does.
const SCRIPT: &str = include_str!("../../physics/compare_engines/mujoco_worker.py");

const ADVICE: &str = "install Python 3 and then MuJoCo with `pip install mujoco`, or name another interpreter with \
                      --python PATH";

/// What runs on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// Version of MuJoCo.
    pub mujoco: String,
    /// Version of Python.
    pub python: String,
    /// Integrators this MuJoCo has, by name.
    pub integrators: Vec<String>,
}

/// One Python process. It ends when this is dropped.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    versions: Versions,
}

/// One answer.
#[derive(Deserialize)]
struct Reply {
    ok: Option<Value>,
    error: Option<String>,
    #[serde(default)]
    missing: bool,
}

impl Worker {
    /// Starts `python` with the script.
    ///
    /// # Errors
    /// When there is no such program, or it has no MuJoCo; the message says what to install.
    pub fn start(python: &str) -> Result<Self> {
        let mut child = Command::new(python)
            .args(["-u", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| anyhow!("starting `{python}`, which is to run MuJoCo, failed: {error}; {ADVICE}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a piped process has a standard output")?);
        let versions = Versions { mujoco: String::new(), python: String::new(), integrators: Vec::new() };
        let mut worker = Self { child, input, output, versions };
        let greeting = worker.ask(&json!({ "do": "hello" }));
        worker.versions = greeting.with_context(|| format!("`{python}` cannot run MuJoCo; {ADVICE}"))?;
        Ok(worker)
    }

    /// What runs there.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// When the process is gone or answers that it could not.
    pub fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> Result<T> {
        let input = self.input.as_mut().context("the MuJoCo process has no input")?;
        // A process that ended early has said why: read on.
        let sent = writeln!(input, "{question}").and_then(|()| input.flush());
        let mut line = String::new();
        self.output.read_line(&mut line).context("reading from the MuJoCo process")?;
        if line.is_empty() {
            sent.context("writing to the MuJoCo process")?;
            bail!("the MuJoCo process ended without an answer; what it printed is above");
        }
        let reply: Reply = serde_json::from_str(&line)
            .with_context(|| format!("the MuJoCo process answered `{}`, which is no answer", line.trim_end()))?;
        match reply {
            Reply { error: Some(error), missing: true, .. } => bail!("{error}"),
            Reply { error: Some(error), .. } => bail!("MuJoCo, asked to {}: {error}", question["do"]),
            Reply { ok, .. } => serde_json::from_value(ok.unwrap_or(Value::Null))
                .with_context(|| format!("the MuJoCo process answered something else than {} asks", question["do"])),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input is the end of its work.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
