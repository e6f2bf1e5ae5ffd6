//! Putting a learner away and taking it up again, bit for bit.
//!
//! What is kept is the same however many processes learn: a run of two processes can go on as one of twice the worlds.

use super::Learner;
use super::origin::Origin;
use crate::PolicyError;
use crate::collector::Collector;
use crate::group::gathered_by_first;
use crate::network::NetworkShape;
use crate::normalizer::RunningMoments;
use crate::objective::Objective;
use crate::rollout::RecurrentState;
use crate::scales::Learned;
use crate::trainee::Trainee;
use giraffe_robots::{ObservationSchema, SeedTree};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything of a learner but its networks, as kept in `learner.msgpack`.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    shapes: [NetworkShape; 2],
    schema: ObservationSchema,
    world_count: usize,
    seeds: SeedTree,
    moments: RunningMoments,
    reward_moments: RunningMoments,
    learning_rate: f32,
    iteration: u64,
    control_steps: u64,
    /// Of all worlds of the group.
    worlds: PerWorld,
    /// Absent where the run began with nothing learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

/// What a learner remembers of its worlds.
#[derive(Serialize, Deserialize)]
struct PerWorld {
    /// `[W, F]`
    observations: Vec<f32>,
    actor_state: RecurrentState,
    critic_state: RecurrentState,
    /// Discounted sums of rewards, `[W]`; empty where rewards are not normalised.
    reward_sums: Vec<f32>,
}

impl PerWorld {
    fn append(&mut self, other: &Self) {
        self.observations.extend_from_slice(&other.observations);
        self.actor_state.append(&other.actor_state);
        self.critic_state.append(&other.critic_state);
        self.reward_sums.extend_from_slice(&other.reward_sums);
    }
}

/// The part of [`Kept`] that every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// A learner put away in memory: what [`Learner::save`] would write. Networks are shared until either learns.
pub struct KeptLearner {
    actor: Trainee,
    critic: Trainee,
    kept: Vec<u8>,
}

impl KeptLearner {
    /// Writes [`Learner::FILES`] into `folder`, which must exist.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), PolicyError> {
        save_networks(&self.actor, &self.critic, folder)?;
        crate::checkpoint::write_file(&folder.join(KEPT_FILE), &self.kept)
    }
}

/// Networks and optimizers, which are the same in all members of a group.
fn save_networks(actor: &Trainee, critic: &Trainee, folder: &Path) -> Result<(), PolicyError> {
    let [actor, actor_optimizer] = actor.save()?;
    let [critic, critic_optimizer] = critic.save()?;
    for (name, bytes) in FILES.iter().zip([actor, actor_optimizer, critic, critic_optimizer]) {
        crate::checkpoint::write_file(&folder.join(name), &bytes)?;
    }
    Ok(())
}

const FILES: [&str; 5] = ["actor.bpk", "actor_optimizer.bpk", "critic.bpk", "critic_optimizer.bpk", KEPT_FILE];
const KEPT_FORMAT: u32 = 2;
const KEPT_FILE: &str = "learner.msgpack";

impl<O: Objective> Learner<O> {
    /// Names of the files [`Learner::save`] writes.
    pub const FILES: [&str; 5] = FILES;

    /// Writes [`Learner::FILES`] into `folder`, which must exist. Between iterations only; with the worlds saved
    /// at the same moment, learning continues bit for bit. In a group all members must call this; the first writes.
    ///
    /// # Errors
    /// When a file cannot be written, or a rollout waits for its update.
    pub fn save(&self, folder: &Path) -> Result<(), PolicyError> {
        let kept = self.keep()?;
        if self.rank() == 0 { kept.save(folder) } else { Ok(()) }
    }

    /// Puts the learner away in memory, as it is between two iterations. In a group all members must call this, and what the
    /// first one has is whole.
    ///
    /// # Errors
    /// When a rollout waits for its update.
    pub fn keep(&self) -> Result<KeptLearner, PolicyError> {
        self.check_idle("the moment to save")?;
        let kept = rmp_serde::to_vec_named(&self.kept()?)
            .map_err(|error| PolicyError::Tensors { attempted: "saving the learner", reason: error.to_string() })?;
        Ok(KeptLearner { actor: self.actor.clone(), critic: self.critic.trainee.clone(), kept })
    }

    /// The first four of [`Learner::FILES`]: networks and optimizers, which are the same in all members of a group.
    pub(crate) fn save_networks(&self, folder: &Path) -> Result<(), PolicyError> {
        save_networks(&self.actor, &self.critic.trainee, folder)
    }

    fn kept(&self) -> Result<Kept, PolicyError> {
        let collector = &self.collector;
        let (side, scales) = (&collector.side, collector.scales());
        let own = PerWorld {
            observations: collector.observations().to_vec(),
            actor_state: collector.state().clone(),
            critic_state: self.critic.state.clone(),
            reward_sums: scales.reward_sums().to_vec(),
        };
        let mut members = gathered_by_first(&*self.compute.group, &own)?.into_iter();
        let mut all = members.next().unwrap_or(own);
        members.for_each(|member| all.append(&member));
        Ok(Kept {
            format: KEPT_FORMAT,
            shapes: side.shapes(&self.config),
            schema: side.schema.clone(),
            world_count: collector.worlds.len() * self.compute.group.size(),
            seeds: collector.seeds,
            moments: scales.moments().clone(),
            reward_moments: scales.reward_moments(),
            learning_rate: self.learning_rate,
            iteration: self.iteration,
            control_steps: collector.control_steps(),
            worlds: all,
            origin: self.origin.clone(),
        })
    }

    /// Continues from a folder written by [`Learner::save`]. The learner must have been made with the same
    /// widths, worlds (of all members of its group together) and seed; other settings may differ and count from now on.
    ///
    /// # Errors
    /// When a file cannot be read, or is of another learner. Then this one is as before.
    pub fn load(&mut self, folder: &Path) -> Result<(), PolicyError> {
        let mut files = Vec::new();
        for name in Self::FILES {
            files.push(crate::checkpoint::read_file(&folder.join(name))?);
        }
        let damaged = |reason: String| PolicyError::Damaged { path: folder.join(KEPT_FILE), reason };
        // The format first: of another one the rest may not even parse.
        let Format { format } = rmp_serde::from_slice(&files[4]).map_err(|error| damaged(error.to_string()))?;
        self.check_format(format)?;
        let kept: Kept = rmp_serde::from_slice(&files[4]).map_err(|error| damaged(error.to_string()))?;
        self.check_kept(&kept)?;
        let mut take = |index: usize| std::mem::take(&mut files[index]);
        let actor = self.actor.clone().load([take(0), take(1)])?;
        let critic = self.critic.trainee.clone().load([take(2), take(3)])?;
        self.actor = actor;
        self.critic.trainee = critic;
        let [least, most] = self.config.learning_rate_bounds;
        self.learning_rate = kept.learning_rate.clamp(least, most);
        self.iteration = kept.iteration;
        self.origin = kept.origin;
        self.rollout = None;
        self.broken = None;
        let PerWorld { observations, actor_state, critic_state, reward_sums } = kept.worlds;
        let (own, width) = (self.collector.worlds.clone(), self.collector.side.schema.critic_width());
        let observations = observations.get(own.start * width..own.end * width).unwrap_or(&[]).to_vec();
        let reward_sums = reward_sums.get(own.clone());
        let scales = Learned { moments: kept.moments, reward_moments: kept.reward_moments, reward_sums };
        self.collector.take_up(observations, actor_state.rows(own.clone()), kept.control_steps, scales);
        self.critic.state = critic_state.rows(own);
        Ok(())
    }

    fn check_format(&self, found: u32) -> Result<(), PolicyError> {
        if found == KEPT_FORMAT {
            return Ok(());
        }
        Err(PolicyError::Mismatch {
            what: "the checkpoint's format".to_owned(),
            expected: format!("{KEPT_FORMAT}; continue with the giraffe that wrote it, or start a new run"),
            found: found.to_string(),
        })
    }

    fn check_kept(&self, kept: &Kept) -> Result<(), PolicyError> {
        let Collector { side, worlds, seeds, .. } = &self.collector;
        let own = side.shapes(&self.config);
        let refuse = |what: &str, expected: String, found: String| {
            Err(PolicyError::Mismatch { what: format!("the checkpoint's {what}"), expected, found })
        };
        if kept.shapes != own {
            let describe = |[actor, critic]: &[NetworkShape; 2]| format!("actor {actor}; critic {critic}");
            return refuse("network", describe(&own), describe(&kept.shapes));
        }
        if kept.schema != side.schema {
            return refuse("observation", side.schema.actor_fingerprint(), kept.schema.actor_fingerprint());
        }
        let world_count = worlds.len() * self.compute.group.size();
        if (kept.world_count, kept.seeds) != (world_count, *seeds) {
            let describe = |count: usize, seeds: SeedTree| format!("{count} worlds, seed {}", seeds.root());
            return refuse("worlds", describe(world_count, *seeds), describe(kept.world_count, kept.seeds));
        }
        let [actor, critic] = own.map(|shape| shape.state_width());
        let PerWorld { observations, actor_state, critic_state, reward_sums } = &kept.worlds;
        let width = side.schema.critic_width();
        let fits = [0, world_count * width].contains(&observations.len())
            && actor_state.is_of(world_count, actor)
            && critic_state.is_of(world_count, critic)
            && [0, world_count].contains(&reward_sums.len())
            && (kept.moments.width(), kept.reward_moments.width()) == (width, 1);
        if !fits {
            return refuse(
                "state",
                format!("that of {world_count} worlds"),
                "numbers that are none of theirs".to_owned(),
            );
        }
        Ok(())
    }
}
