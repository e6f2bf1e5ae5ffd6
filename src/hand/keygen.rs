//! A new pair of keys for one end of a link.

use crate::say;
use anyhow::{Context, Result};
use clap::Args;
use giraffe_bridge::message::Role;
use giraffe_bridge::{Keys, allow_line};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `giraffe keygen --help` ends with.
pub const AFTER_HELP: &str = "Examples:
  giraffe keygen hand
  giraffe keygen alice --json
  giraffe serve --keys hand.key_secret --allow allow --bind tcp://0.0.0.0:7401
  giraffe deploy runs/mine --keys alice.key_secret --server-key hand.key --connect tcp://hand:7401";

/// Arguments of `keygen`.
#[derive(Debug, Args)]
pub struct KeygenArguments {
    /// Whose keys: letters, digits, - _ . @
    pub name: String,
    /// Folder for NAME.key (may be shown to anybody) and NAME.key_secret (to nobody); made if it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    name: String,
    public_key: String,
    public_file: PathBuf,
    secret_file: PathBuf,
    allow_line: String,
}

/// Makes the pair, writes it, and prints the line for an allow-list. Never prints the secret key.
///
/// # Errors
/// When there are keys of that name already, or the files cannot be written.
pub fn run(arguments: &KeygenArguments) -> Result<ExitCode> {
    let keys = Keys::generate()?;
    std::fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("making the folder {}", arguments.dir.display()))?;
    let files = keys.write(&arguments.dir, &arguments.name)?;
    let report = Report {
        name: arguments.name.clone(),
        public_key: keys.public().to_string(),
        public_file: files.public,
        secret_file: files.secret,
        allow_line: allow_line(&arguments.name, &keys.public(), Role::Commander),
    };
    if arguments.json {
        say::result_line(serde_json::to_string_pretty(&report).context("writing JSON")?)?;
        return Ok(ExitCode::SUCCESS);
    }
    say::note(format_args!("wrote {} and {}", report.public_file.display(), report.secret_file.display()));
    say::note("the second is secret: leave it on this machine. The line for a controller's allow-list is below;");
    say::note("with `observer` in place of `commander` its owner may read and stop, but not move.");
    say::result_line(&report.allow_line)?;
    Ok(ExitCode::SUCCESS)
}
