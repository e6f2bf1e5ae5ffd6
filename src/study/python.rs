//! A Python process that runs a script of ours and is asked in lines of JSON.

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A script, and what to say of it.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// Its text. It answers every line of JSON with one: `{"ok": ...}` or `{"error": "..."}`, and `"missing": true` when
    /// a package is.
    pub text: &'static str,
    /// The package it is there for.
    pub runs: &'static str,
    /// What to do when it cannot be started.
    pub advice: &'static str,
    /// Its environment, besides ours.
    pub environment: &'static [(&'static str, &'static str)],
}

/// The Python that somebody named, or the environment does, or the usual one.
#[allow(clippy::disallowed_methods, reason = "the program, not a library, reads its environment")]
pub fn program(named: Option<&str>) -> String {
    let from_environment = || std::env::var("GIRAFFE_PYTHON").ok().filter(|path| !path.is_empty());
    named.map(str::to_owned).or_else(from_environment).unwrap_or_else(|| "python3".to_owned())
}

/// One Python process. It ends when this is dropped.
pub struct PythonProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    runs: &'static str,
}

/// One answer.
#[derive(Deserialize)]
struct Reply {
    ok: Option<Value>,
    error: Option<String>,
    #[serde(default)]
    missing: bool,
}

impl PythonProcess {
    /// Starts `python` with a script.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start(python: &str, script: Script) -> Result<Self> {
        let Script { text, runs, advice, environment } = script;
        let mut child = Command::new(python)
            .args(["-u", "-c", text])
            // A terminal that asks us to end does not ask it: the end of its input does.
            .process_group(0)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| anyhow!("starting `{python}`, which is to run {runs}, failed: {error}; {advice}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a piped process has a standard output")?);
        Ok(Self { child, input, output, runs })
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// When the process is gone or answers that it could not.
    pub fn ask<T: DeserializeOwned>(&mut self, question: &Value) -> Result<T> {
        let runs = self.runs;
        let input = self.input.as_mut().with_context(|| format!("the {runs} process has no input"))?;
        // A process that ended early has said why: read on.
        let sent = writeln!(input, "{question}").and_then(|()| input.flush());
        let mut line = String::new();
        self.output.read_line(&mut line).with_context(|| format!("reading from the {runs} process"))?;
        if line.is_empty() {
            sent.with_context(|| format!("writing to the {runs} process"))?;
            bail!("the {runs} process ended without an answer; what it printed is above");
        }
        let reply: Reply = serde_json::from_str(&line)
            .with_context(|| format!("the {runs} process answered `{}`, which is no answer", line.trim_end()))?;
        match reply {
            Reply { error: Some(error), missing: true, .. } => bail!("{error}"),
            Reply { error: Some(error), .. } => bail!("{runs}, asked to {}: {error}", question["do"]),
            Reply { ok, .. } => serde_json::from_value(ok.unwrap_or(Value::Null))
                .with_context(|| format!("the {runs} process answered something else than {} asks", question["do"])),
        }
    }
}

impl Drop for PythonProcess {
    fn drop(&mut self) {
        // The end of its input is the end of its work.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
