//! A policy on a hand behind ZeroMQ, simulated or real.

use super::bridged_hand::BridgedHand;
use super::flight::Flight;
use super::log::{LoggedPolicy, begin_log};
use super::options::DeployOptions;
use super::report::Deployment;
use crate::run::behavior::Behavior;
use crate::run::config::Parts;
use anyhow::Result;
use giraffe_bridge::log::{DeploymentLog, Event, EventKind, Record};
use giraffe_randomization::FixedRanges;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Connects, runs the episodes, and leaves the hand held or released as its controller is set up to.
///
/// # Errors
/// When no controller answers, the hand is another one, or nothing could be begun; when a log was asked for by name and
/// cannot be written. A hand that is lost on the way, and not reached again where that was asked for, is no error: what was
/// finished counts, and the report says why it ended.
pub fn deploy(
    policy: &dyn Behavior,
    parts: &Parts,
    sampler: &FixedRanges,
    options: &DeployOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Deployment> {
    let mut hand = BridgedHand::connect(policy, parts, options, stop)?;
    let log = listen(policy, parts, options, &mut hand)?;
    let flown = Flight { policy, parts, sampler, options, stop }.fly_all(&mut hand);
    let now = hand.clock.now();
    hand.record_link(now);
    if let Some(log) = &log {
        let why = match &flown {
            Err(error) => Some(format!("{error:#}")),
            Ok(_) if stop.load(Ordering::Relaxed) => Some("interrupted".to_owned()),
            Ok(deployment) => deployment.ended_early.clone(),
        };
        let event = why.map(|why| Record::Event(Event::new(EventKind::Stop, why)));
        event.into_iter().for_each(|event| log.handle().record(event));
    }
    // The last words over the link belong into the log, too.
    drop(hand);
    let written = log.map(DeploymentLog::finish);
    let deployment = flown?;
    let log = match written {
        Some(Ok(summary)) => Some(summary),
        Some(Err(error)) => {
            tracing::error!("{error}");
            None
        }
        None => None,
    };
    Ok(Deployment { log, ..deployment })
}

/// Begins the log, if one is wanted, and has it listen to the link.
fn listen(
    policy: &dyn Behavior,
    parts: &Parts,
    options: &DeployOptions,
    hand: &mut BridgedHand,
) -> Result<Option<DeploymentLog>> {
    let Some(wanted) = &options.log else { return Ok(None) };
    let logged = LoggedPolicy { policy, task: parts.task, robot: parts.scene.robot(), options };
    let Some(log) = begin_log(wanted, &logged, hand.client.terms(), &hand.clock)? else { return Ok(None) };
    hand.write_to(log.handle());
    Ok(Some(log))
}
