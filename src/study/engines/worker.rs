//! A Python process with MuJoCo in it.

use crate::study::python::{PythonProcess, Script};
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const ADVICE: &str = "install Python 3 and then MuJoCo with `pip install mujoco`, or name another interpreter with \
                      --python PATH";

/// The other side of the conversation; its README says what it does.
const SCRIPT: Script = Script {
    text: include_str!("../../../physics/compare_engines/mujoco_worker.py"),
    runs: "MuJoCo",
    advice: ADVICE,
    environment: &[],
};

/// What runs on the other side.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    process: PythonProcess,
    versions: Versions,
}

impl Worker {
    /// Starts `python` with the script.
    ///
    /// # Errors
    /// When there is no such program, or it has no MuJoCo; the message says what to install.
    pub fn start(python: &str) -> Result<Self> {
        let mut process = PythonProcess::start(python, SCRIPT)?;
        let greeting = process.ask(&json!({ "do": "hello" }));
        let versions = greeting.with_context(|| format!("`{python}` cannot run MuJoCo; {ADVICE}"))?;
        Ok(Self { process, versions })
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
        self.process.ask(question)
    }
}
