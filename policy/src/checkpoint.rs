//! A policy as one file that says everything about itself and shows when it is damaged.
//!
//! ```text
//! "giraffe policy\n" | format u32 | manifest length u64 | manifest, JSON | number count u64 | f32 ... | SHA-256
//! ```
//!
//! Numbers are little-endian; the hash is of everything before it. Reading one needs no tensor library. The numbers are
//! the actor's weights and, since format 2, of a Gaussian actor the logarithms of its standard deviations. A policy keeps
//! the format it was read in, and so its fingerprint, by which logs know it.

mod ancestor;

use crate::PolicyError;
use crate::head::ActionHead;
use crate::network::NetworkShape;
use crate::normalizer::Normalizer;
pub use ancestor::Ancestor;
use giraffe_robots::{ActionSchema, ObservationSchema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

const MAGIC: &[u8] = b"giraffe policy\n";
/// Without standard deviations.
const FIRST_FORMAT: u32 = 1;
const FORMAT: u32 = 2;
/// The tensor library, as pinned in the workspace's manifest.
const BURN_VERSION: &str = "0.22.1";
const HASH_BYTES: usize = 32;

/// What only the caller knows about a policy: where it was trained and for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyContext {
    /// What the actions mean.
    pub action: ActionSchema,
    /// Seconds between two actions.
    pub control_period_secs: f64,
    /// Name of the hand.
    pub robot: String,
    /// Identity of the hand's joints and limits: a policy must not move another.
    pub kinematics_fingerprint: String,
    /// Identity of the hand's masses and gains: another is worth a warning.
    pub dynamics_fingerprint: String,
    /// Name of the task.
    pub task: String,
    /// Name of the object.
    pub object: String,
    /// Commit of the program that trained it.
    pub commit: String,
}

/// Everything about a policy but its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyManifest {
    /// Where it was trained and for what.
    #[serde(flatten)]
    pub context: PolicyContext,
    /// What actor and critic read, whole.
    pub observation: ObservationSchema,
    /// How the actor's columns are normalised: by what was seen in all of its control steps.
    pub normalizer: Normalizer,
    /// Widths of the actor.
    pub shape: NetworkShape,
    /// Whether it forgets everything before each step.
    pub memoryless: bool,
    /// Seed of the run.
    pub seed: u64,
    /// Control steps it was trained for.
    pub control_steps: u64,
    /// Version of giraffe that trained it.
    pub giraffe_version: String,
    /// Version of the tensor library that trained it.
    pub burn_version: String,
    /// The policy that its training started from, then what that one had started from, and so on. Empty where it began
    /// with nothing learned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub started_from: Vec<Ancestor>,
}

impl PolicyManifest {
    pub(crate) fn new(
        context: PolicyContext,
        observation: ObservationSchema,
        normalizer: Normalizer,
        shape: NetworkShape,
        memoryless: bool,
        (seed, control_steps): (u64, u64),
    ) -> Self {
        Self {
            context,
            observation,
            normalizer,
            shape,
            memoryless,
            seed,
            control_steps,
            giraffe_version: env!("CARGO_PKG_VERSION").to_owned(),
            burn_version: BURN_VERSION.to_owned(),
            started_from: Vec::new(),
        }
    }
}

/// A trained actor: a manifest, weights, and how far it explored.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    format: u32,
    manifest: PolicyManifest,
    weights: Vec<f32>,
    log_std: Option<Vec<f32>>,
}

impl Policy {
    /// `weights` in the order of [`NetworkShape::parameter_sizes`]; `log_std` of a Gaussian actor.
    pub(crate) fn new(manifest: PolicyManifest, weights: Vec<f32>, log_std: Option<Vec<f32>>) -> Self {
        Self { format: FORMAT, manifest, weights, log_std }
    }

    /// Everything but the weights.
    pub fn manifest(&self) -> &PolicyManifest {
        &self.manifest
    }

    /// The weights, in the order of [`NetworkShape::parameter_sizes`].
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Logarithms of the standard deviations that actions were drawn with, one per action. Acting needs none: it takes
    /// the most probable action. None of a categorical actor, nor in files of format 1.
    pub fn log_std(&self) -> Option<&[f32]> {
        self.log_std.as_deref()
    }

    /// Writes the policy to `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), PolicyError> {
        write_file(path, &self.to_bytes()?)
    }

    /// Reads a policy, checking that it is what was written.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or was written by a newer giraffe.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        Self::read(&read_file(path)?, path)
    }

    /// The same of bytes that are in memory already; `origin` is what they are called when something is wrong with them.
    ///
    /// # Errors
    /// When they are damaged, or were written by a newer giraffe.
    pub fn read(bytes: &[u8], origin: &Path) -> Result<Self, PolicyError> {
        Self::from_bytes(bytes).map_err(|reason| PolicyError::Damaged { path: origin.to_owned(), reason })
    }

    /// Identity of manifest and weights: SHA-256, as hexadecimal digits.
    ///
    /// # Errors
    /// When the manifest cannot be written down.
    pub fn fingerprint(&self) -> Result<String, PolicyError> {
        let bytes = self.to_bytes()?;
        Ok(bytes[bytes.len() - HASH_BYTES..].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What a policy says of this one whose training started from it; this one was read from `path`.
    ///
    /// # Errors
    /// When the manifest cannot be written down.
    pub fn as_ancestor(&self, path: &str) -> Result<Ancestor, PolicyError> {
        let PolicyManifest { context, seed, control_steps, .. } = &self.manifest;
        Ok(Ancestor {
            path: path.to_owned(),
            robot: context.robot.clone(),
            task: context.task.clone(),
            object: context.object.clone(),
            commit: context.commit.clone(),
            seed: *seed,
            control_steps: *control_steps,
            fingerprint: self.fingerprint()?,
        })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, PolicyError> {
        let manifest = serde_json::to_vec(&self.manifest)
            .map_err(|error| PolicyError::Tensors { attempted: "writing a manifest", reason: error.to_string() })?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.format.to_le_bytes());
        bytes.extend((manifest.len() as u64).to_le_bytes());
        bytes.extend(manifest);
        let numbers = || self.weights.iter().chain(self.log_std.iter().flatten());
        bytes.extend((numbers().count() as u64).to_le_bytes());
        numbers().for_each(|number| bytes.extend(number.to_le_bytes()));
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let content = check_hash(bytes)?;
        let mut rest = &content[MAGIC.len()..];
        let format = u32::from_le_bytes(take(&mut rest, 4)?.try_into().map_err(|_| "no format")?);
        if !(FIRST_FORMAT..=FORMAT).contains(&format) {
            return Err(format!("it has format {format}, this giraffe reads formats {FIRST_FORMAT} to {FORMAT}"));
        }
        let manifest_length = take_length(&mut rest)?;
        let manifest = take(&mut rest, manifest_length)?;
        let manifest: PolicyManifest =
            serde_json::from_slice(manifest).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        let number_count = take_length(&mut rest)?;
        if rest.len() / 4 != number_count || rest.len() % 4 != 0 {
            return Err(format!("{number_count} numbers announced, {} bytes found", rest.len()));
        }
        let mut weights: Vec<f32> =
            rest.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let has_log_std = format > FIRST_FORMAT && manifest.shape.head == ActionHead::Gaussian;
        let log_std = has_log_std.then(|| weights.split_off(weights.len().saturating_sub(manifest.shape.output)));
        let policy = Self { format, manifest, weights, log_std };
        policy.check()?;
        Ok(policy)
    }

    /// Whether the parts fit each other.
    fn check(&self) -> Result<(), String> {
        let PolicyManifest { context, observation, normalizer, shape, .. } = &self.manifest;
        shape.check()?;
        if normalizer.clip.is_nan() || normalizer.clip <= 0.0 {
            return Err(format!("its observations are clipped at {}, which is not above zero", normalizer.clip));
        }
        let weight_count = shape.parameter_sizes().iter().map(|(_, size)| size).sum();
        for (what, expected, found) in [
            ("weights", weight_count, self.weights.len()),
            ("actor columns", shape.input, observation.actor_width()),
            ("means", shape.input, normalizer.mean.len()),
            ("standard deviations", shape.input, normalizer.inverse_std.len()),
            ("outputs", shape.head.output_width(context.action.width()), shape.output),
        ] {
            if expected != found {
                return Err(format!("a network of its shape has {expected} {what}, it has {found}"));
            }
        }
        let learned = self.weights.iter().chain(self.log_std.iter().flatten());
        let mut numbers = learned.chain(&normalizer.mean).chain(&normalizer.inverse_std);
        if !numbers.all(|number| number.is_finite()) {
            return Err("a weight is not a finite number".to_owned());
        }
        Ok(())
    }
}

/// The content, if the hash at the end is its.
fn check_hash(bytes: &[u8]) -> Result<&[u8], String> {
    if !bytes.starts_with(MAGIC) {
        return Err("it does not start as one".to_owned());
    }
    if bytes.len() < MAGIC.len() + HASH_BYTES {
        return Err("it is cut short".to_owned());
    }
    let (content, hash) = bytes.split_at(bytes.len() - HASH_BYTES);
    if Sha256::digest(content)[..] != *hash {
        return Err("its content does not match its SHA-256 (cut short or altered); copy it again".to_owned());
    }
    Ok(content)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, left) = rest.split_at_checked(count).ok_or("it is cut short")?;
    *rest = left;
    Ok(taken)
}

fn take_length(rest: &mut &[u8]) -> Result<usize, String> {
    let bytes = take(rest, 8)?.try_into().map_err(|_| "it is cut short")?;
    usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "a length does not fit this machine".to_owned())
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), PolicyError> {
    std::fs::write(path, bytes).map_err(|error| PolicyError::File {
        attempted: "writing",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, PolicyError> {
    std::fs::read(path).map_err(|error| PolicyError::File {
        attempted: "reading",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_tensor_library_that_is_compiled_in() {
        let pinned = format!("burn = {{ version = \"={BURN_VERSION}\",");
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&pinned), "Cargo.toml pins another version of burn than {BURN_VERSION}");
    }
}
