//! `giraffe check-controller`: does a controller, in any language, keep the rules of the protocol?

use crate::keys::PolicyKeys;
use crate::say;
use crate::typed;
use anyhow::{Context, Result};
use clap::Args;
use giraffe_bridge::MonotonicClock;
use giraffe_bridge::conformance::{CheckOptions, CheckReport, Verdict, check};
use giraffe_robots::load_robot;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Arguments of `check-controller`.
#[derive(Debug, Args)]
pub struct CheckControllerArguments {
    /// Base endpoint of the controller.
    #[arg(value_name = "ENDPOINT", default_value = giraffe_bridge::DEFAULT_ENDPOINT)]
    pub endpoint: String,
    /// The hand it has: a name from `giraffe list robots`, or the path of a folder, MJCF or URDF file.
    #[arg(long, value_name = "NAME|PATH", default_value = "leap-right")]
    pub robot: String,
    /// Also arm the hand, keep it where it is, command it badly, and fall silent. A simulated hand is reset first and
    /// moves a little. Keep clear of a real one.
    #[arg(long)]
    pub active: bool,
    /// Check only this rule; may be given many times.
    #[arg(long = "rule", value_name = "NAME")]
    pub rules: Vec<String>,
    /// Wait so long for each answer of a slow simulator, in seconds, and accordingly longer for the whole.
    #[arg(long, value_name = "SECS", default_value_t = 0.0, value_parser = typed::patience)]
    pub patience: f64,
    /// What opens an encrypted link.
    #[command(flatten)]
    pub security: PolicyKeys,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Checks, and prints what was found. Exit code 0 if no rule is broken, 1 if one is, or none could be checked.
///
/// # Errors
/// When it cannot be checked: nobody answers, or the controller has another hand.
pub fn run(arguments: &CheckControllerArguments, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let robot = load_robot(&arguments.robot)?;
    if arguments.active {
        say::note("warning: the hand will be armed and may move; keep clear of it");
    }
    let options = CheckOptions {
        endpoint: arguments.endpoint.clone(),
        security: arguments.security.read()?,
        robot,
        active: arguments.active,
        only: arguments.rules.clone(),
        patience_secs: arguments.patience,
    };
    let clock: Arc<dyn giraffe_bridge::Clock> = Arc::new(MonotonicClock::start());
    let report = check(&options, &clock, stop)?;
    if arguments.json {
        say::result_line(serde_json::to_string_pretty(&report).context("writing JSON")?)?;
    } else {
        say::result(&table(&report))?;
    }
    let is_kept = report.count(Verdict::Failed) == 0 && report.count(Verdict::Passed) > 0;
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The report for people.
fn table(report: &CheckReport) -> String {
    let mut text = format!("{} at {}\n\n", report.software, report.endpoint);
    let width = report.rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    for rule in &report.rules {
        let verdict = match rule.verdict {
            Verdict::Passed => "passed ",
            Verdict::Failed => "FAILED ",
            Verdict::Skipped => "skipped",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{verdict}  §{}  {:width$}  {}", rule.section, rule.name, rule.sentence);
        if rule.verdict != Verdict::Passed {
            let _ = writeln!(text, "{:>14}{:width$}  {}", "", "", rule.seen);
        }
    }
    let [passed, failed, skipped] =
        [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(|verdict| report.count(verdict));
    let _ = writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped; § is the section of PROTOCOL.md");
    if passed + failed == 0 {
        text.push_str("NOTHING WAS CHECKED: every rule was skipped\n");
    }
    if !report.active {
        text.push_str("nothing was asked that moves a hand; --active arms it and checks the rest\n");
    }
    text
}
