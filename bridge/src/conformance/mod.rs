//! Holds a controller to PROTOCOL.md: `giraffe check-controller`, in any language, from outside.
//!
//! A rule is a row of a table: its section, a sentence, and a function that asks the controller something and says
//! what it saw. Every rule begins without a session and leaves none behind, so that one failing rule does not make
//! others fail. To add one: its row in the table of its file.

mod active;
mod bench;
mod bytes;
mod claims;
mod handshake;
mod link;
mod lockstep;
mod lockstep_commands;
mod peer;
mod stream;
mod terms;
mod trials;

use crate::clock::Clock;
use crate::security::ClientSecurity;
use crate::transport::TransportError;
use bench::Bench;
use giraffe_robots::{RobotModel, did_you_mean};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// The whole check takes no longer, s (of a controller that is not slow); rules that would begin later are skipped.
const BUDGET_SECS: f64 = 58.0;

/// What is checked, and how far it may go.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Base endpoint of the controller.
    pub endpoint: String,
    /// What opens the link, if it is encrypted.
    pub security: ClientSecurity,
    /// The hand it should have.
    pub robot: RobotModel,
    /// Also rules that arm the hand. Without them nothing is asked that could move it.
    pub active: bool,
    /// Names of the only rules to check; empty: all.
    pub only: Vec<String>,
    /// For a slow simulator: no answer is given up before so long, s, and the whole may take longer accordingly.
    pub patience_secs: f64,
}

/// How a rule was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Kept.
    Passed,
    /// Broken.
    Failed,
    /// Not checked.
    Skipped,
}

/// One rule, and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    /// Short.
    pub name: &'static str,
    /// Section of PROTOCOL.md.
    pub section: &'static str,
    /// What must hold.
    pub sentence: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
    /// What was seen, or why it was not checked.
    pub seen: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Base endpoint.
    pub endpoint: String,
    /// What the controller calls itself.
    pub software: String,
    /// Whether rules that move the hand were checked.
    pub active: bool,
    /// Every rule, in the order of its check.
    pub rules: Vec<RuleReport>,
}

impl CheckReport {
    /// How many rules were found so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rules.iter().filter(|rule| rule.verdict == verdict).count()
    }
}

/// Why a check could not be made.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The sockets could not be made.
    #[error(transparent)]
    Link(#[from] TransportError),
    /// Nobody answered.
    #[error("{endpoint}: no reply to `hello` within {waited_secs} s; is a controller running there?")]
    Silent {
        /// Base endpoint.
        endpoint: String,
        /// How long was waited.
        waited_secs: f64,
    },
    /// The hello was refused, so that nothing else can be asked.
    #[error("{endpoint} refuses a hello of the hand `{robot}`: {code}: {detail}; {advice}")]
    Refused {
        /// Base endpoint.
        endpoint: String,
        /// Name of the hand.
        robot: String,
        /// Code of the protocol.
        code: String,
        /// The controller's words.
        detail: String,
        /// What to do.
        advice: &'static str,
    },
    /// A rule of this name was asked for.
    #[error("there is no rule `{name}`{near} (there are: {all})")]
    UnknownRule {
        /// As given.
        name: String,
        /// The nearest, as a question, or nothing.
        near: String,
        /// All names.
        all: String,
    },
    /// Somebody wants everything to end.
    #[error("interrupted")]
    Stopped,
}

/// Why a rule was not found kept.
#[derive(Debug, Clone, PartialEq)]
enum Unmet {
    Failed(String),
    Skipped(String),
}

/// What was seen of a rule that is kept, or why it is not found kept.
type Finding = Result<String, Unmet>;

/// One rule.
struct Rule {
    name: &'static str,
    section: &'static str,
    sentence: &'static str,
    check: fn(&mut Bench) -> Finding,
}

/// Fails unless something holds.
fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Unmet> {
    if holds { Ok(()) } else { Err(Unmet::Failed(otherwise())) }
}

fn tables(active: bool) -> impl Iterator<Item = (&'static Rule, bool)> {
    let passive =
        [link::RULES, handshake::RULES, terms::RULES, stream::RULES].into_iter().flatten().map(|rule| (rule, false));
    let moving = [active::RULES, claims::RULES, lockstep::RULES, lockstep_commands::RULES, trials::RULES]
        .into_iter()
        .flatten()
        .map(|rule| (rule, true));
    passive.chain(moving.filter(move |_| active))
}

/// Names of all rules, and whether each moves the hand.
pub fn rule_names() -> Vec<(&'static str, bool)> {
    tables(true).map(|(rule, moves)| (rule.name, moves)).collect()
}

/// Checks a controller, within a minute, whatever it says or does. `stop`: once set, returns soon.
///
/// # Errors
/// When nobody answers, the hello is refused, or there is no rule of a name in `options.only`. That a rule is broken
/// is no error: it is in the report.
pub fn check(
    options: &CheckOptions,
    clock: &Arc<dyn Clock>,
    stop: &Arc<AtomicBool>,
) -> Result<CheckReport, CheckError> {
    check_names(&options.only)?;
    let mut bench = Bench::open(options, clock, stop)?;
    let budget_secs = BUDGET_SECS * bench.slowness();
    let start = clock.now();
    let mut rules = Vec::new();
    let chosen = |rule: &Rule| options.only.is_empty() || options.only.iter().any(|name| name == rule.name);
    for (rule, _) in tables(options.active).filter(|(rule, _)| chosen(rule)) {
        if stop.load(Ordering::Relaxed) {
            return Err(CheckError::Stopped);
        }
        bench.begin_rule();
        let finding = match clock.now().secs_since(start) {
            late if late > budget_secs => Err(Unmet::Skipped(format!("{budget_secs} s are over"))),
            _ => (rule.check)(&mut bench),
        };
        bench.begin_rule();
        bench.leave();
        // What was cut short is no finding.
        if stop.load(Ordering::Relaxed) {
            return Err(CheckError::Stopped);
        }
        let (verdict, seen) = match finding {
            Ok(seen) => (Verdict::Passed, seen),
            Err(Unmet::Failed(seen)) => (Verdict::Failed, seen),
            Err(Unmet::Skipped(seen)) => (Verdict::Skipped, seen),
        };
        rules.push(RuleReport { name: rule.name, section: rule.section, sentence: rule.sentence, verdict, seen });
    }
    Ok(CheckReport { endpoint: options.endpoint.clone(), software: bench.end(), active: options.active, rules })
}

fn check_names(only: &[String]) -> Result<(), CheckError> {
    let names: Vec<&str> = rule_names().into_iter().map(|(name, _)| name).collect();
    let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) else { return Ok(()) };
    let near = did_you_mean(unknown, names.iter().copied());
    Err(CheckError::UnknownRule { name: unknown.clone(), near, all: names.join(", ") })
}
