//! Starting as another run ended, though what is read may be more.
//!
//! Columns that the policy read are found by what they say; those it did not get weights of zero, so that at first it acts
//! exactly as it did, whatever they say. It is normalised as it was, and how it was counts for as many observations as its
//! run saw. The critic is new. While it learns what this policy is worth the actor stays as it is, and so does the way its
//! old columns are normalised, or it would be another policy all the same ([`PpoConfig::frozen_actor_updates`]).

use super::Learner;
use crate::PolicyError;
use crate::checkpoint::{Ancestor, Policy};
use crate::config::{CoreKind, HeadKind, PpoConfig};
use crate::head::ActionHead;
use crate::network::Network;
use crate::normalizer::RunningMoments;
use crate::objective::Objective;
use crate::trainee::Trainee;
use serde::{Deserialize, Serialize};

/// Updates that leave the actor as it is, unless the settings say how many: by then a new critic foresees most of what comes
/// (reorientation policies were grafted with as many).
const FROZEN_UPDATES: u64 = 5;
/// Most columns that a message names.
const NAMED_COLUMNS: usize = 24;

/// What a learner began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// Columns of an observation that are normalised as they were, ascending.
    inherited: Vec<usize>,
    /// The policy, then what it had started from, and so on.
    ancestors: Vec<Ancestor>,
}

impl<O: Objective> Learner<O> {
    /// Lets a learner that has collected nothing yet start as `policy`, which was read from `path`: actor, normalisation
    /// of what it reads and, unless [`PpoConfig::fresh_std`] is set, how far it explores. What hand and actions it was made
    /// for is for the caller to check.
    ///
    /// # Errors
    /// When its network is none of these settings, or reads what there is none of here: then nothing has happened.
    pub fn start_from(&mut self, policy: &Policy, path: &str) -> Result<(), PolicyError> {
        let refuse = |reason: String| Err(PolicyError::Start { path: path.to_owned(), reason });
        if self.iteration > 0 || !self.collector.observations().is_empty() {
            return refuse("this run has begun already".to_owned());
        }
        let manifest = policy.manifest();
        let other_settings = other_settings(policy, &self.config);
        if !other_settings.is_empty() {
            return refuse(format!("its network is another; give {}", other_settings.join(" ")));
        }
        let side = &self.collector.side;
        let [shape, _] = side.shapes(&self.config);
        if shape.output != manifest.shape.output {
            return refuse(format!("it puts out {} numbers, expected {}", manifest.shape.output, shape.output));
        }
        let columns = match side.schema.actor_columns_in(&manifest.observation) {
            Ok(columns) => columns,
            Err(missing) => return refuse(about_missing(&missing)),
        };
        let log_std = match (self.config.head, self.config.fresh_std, policy.log_std()) {
            (HeadKind::Categorical, ..) => None,
            (HeadKind::Gaussian, false, Some(log_std)) => Some(log_std.to_vec()),
            // Files of format 1 do not say how far they explored.
            (HeadKind::Gaussian, ..) => Some(vec![self.config.initial_std.ln(); shape.output]),
        };
        let mut ancestors = vec![policy.as_ancestor(path)?];
        ancestors.extend_from_slice(&manifest.started_from);
        let weights = widened(policy.weights(), &columns, shape.encoder, manifest.shape.input);
        let device = self.compute.device.clone().autodiff();
        self.actor = Trainee::new(Network::with_parameters(shape, &weights, log_std, &device));
        let known = columns.iter().enumerate().filter_map(|(column, old)| {
            let old = (*old)?;
            Some((column, [manifest.normalizer.mean[old], manifest.normalizer.inverse_std[old]]))
        });
        let (width, row_count) = (side.schema.critic_width(), manifest.control_steps as f64);
        self.collector.begin_with(RunningMoments::knowing(width, known, row_count));
        let inherited = columns.iter().enumerate().filter_map(|(column, old)| old.map(|_| column)).collect();
        self.origin = Some(Origin { inherited, ancestors });
        Ok(())
    }

    /// The policy that this learner started from, then what that one had started from, and so on; none where it began with
    /// nothing learned.
    pub fn ancestors(&self) -> &[Ancestor] {
        self.origin.as_ref().map_or(&[], |origin| &origin.ancestors)
    }

    /// Columns whose normalisation it began with, ascending.
    pub(super) fn inherited_columns(&self) -> &[usize] {
        self.origin.as_ref().map_or(&[], |origin| &origin.inherited)
    }

    /// Whether the next update leaves the actor as it is.
    pub(super) fn is_actor_frozen(&self) -> bool {
        let usual = if self.origin.is_some() { FROZEN_UPDATES } else { 0 };
        self.iteration < self.config.frozen_actor_updates.unwrap_or(usual)
    }
}

/// What would have to be set for a network like the policy's.
fn other_settings(policy: &Policy, config: &PpoConfig) -> Vec<String> {
    let (manifest, shape) = (policy.manifest(), policy.manifest().shape);
    let (head, bin_count) = match shape.head {
        ActionHead::Gaussian => ("gaussian", None),
        ActionHead::Categorical { bin_count } => ("categorical", Some(bin_count)),
    };
    let core = match shape.kind {
        CoreKind::Lstm => "lstm",
        CoreKind::Gru => "gru",
    };
    let same_head = matches!(
        (shape.head, config.head),
        (ActionHead::Gaussian, HeadKind::Gaussian) | (ActionHead::Categorical { .. }, HeadKind::Categorical)
    );
    let clip = manifest.normalizer.clip;
    let rows = [
        (shape.encoder == config.encoder_width, format!("ppo.encoder_width={}", shape.encoder)),
        (shape.kind == config.core, format!("ppo.core={core}")),
        (shape.core == config.core_width, format!("ppo.core_width={}", shape.core)),
        (shape.layers == config.core_layers, format!("ppo.core_layers={}", shape.layers)),
        (same_head, format!("ppo.head={head}")),
        (bin_count.is_none_or(|count| count == config.bin_count), format!("ppo.bin_count={}", bin_count.unwrap_or(0))),
        (manifest.memoryless == config.memoryless, format!("ppo.memoryless={}", manifest.memoryless)),
        (clip.to_bits() == config.observation_clip.to_bits(), format!("ppo.observation_clip={clip:?}")),
    ];
    rows.into_iter().filter(|(same, _)| !same).map(|(_, setting)| format!("--set {setting}")).collect()
}

fn about_missing(missing: &[String]) -> String {
    let named = missing.iter().take(NAMED_COLUMNS).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match missing.len().saturating_sub(NAMED_COLUMNS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "it reads {} columns that the actor of this task does not: {named}{more}; start from a policy whose columns are all \
         here, or begin without one",
        missing.len()
    )
}

/// `weights` of a network that reads `old_input` columns, for one that reads `columns`: with rows of zeros in the encoder
/// for those that are none of the old ones.
fn widened(weights: &[f32], columns: &[Option<usize>], encoder: usize, old_input: usize) -> Vec<f32> {
    let (rows, rest) = weights.split_at(old_input * encoder);
    let zeros = vec![0.0; encoder];
    let row = |old: &Option<usize>| old.map_or(&zeros[..], |old| &rows[old * encoder..][..encoder]);
    let mut widened: Vec<f32> = columns.iter().flat_map(|old| row(old).iter().copied()).collect();
    widened.extend_from_slice(rest);
    widened
}
