//! What an update broke on, for somebody to look at.

use super::Learner;
use crate::PolicyError;
use crate::objective::Objective;
use crate::rollout::Rollout;
use giraffe_robots::EpisodeEnd;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// The collected steps in the folder of [`Learner::dump`].
const ROLLOUT_FILE: &str = "rollout.safetensors";

impl<O: Objective> Learner<O> {
    /// Writes into `folder`, which must exist, what [`Learner::save`] writes, with the networks, optimizers and
    /// normaliser that the failed update began with, and what that update was given, as `rollout.safetensors`: arrays of
    /// 32-bit floats by name, T steps of W worlds. In a group every member may call this for itself, and only the
    /// networks with their optimizers, and what its own update was given, are written: the others may be waiting for it.
    ///
    /// | array | shape | meaning |
    /// | --- | --- | --- |
    /// | `observations` | `[T, W, F]` | what was read before each step, normalised; the actor reads the first columns |
    /// | `actions` | `[T, W, A]` | what was done |
    /// | `outputs` | `[T, W, O]` | what the actor had put out: means, or logits of every value of every action |
    /// | `log_std` | `[A]`, or nothing | logarithm of the exploration's standard deviation |
    /// | `log_probs`, `rewards`, `values`, `advantages`, `returns` | `[T, W]` | one number per step, rewards as learned from |
    /// | `teacher_outputs` | `[T, W, O]` | only where there is a teacher: what it would have put out |
    /// | `teacher_log_std` | `[T, W, A]` | only where it says so: logarithm of its standard deviation |
    /// | `ends` | `[T, W]` | 0 the episode goes on, 1 terminated, 2 cut off by the clock |
    /// | `keep` | `[T, W]` | 0 where an episode ended before the step |
    /// | `timeout_indices` | `[N]` | where in `[T W]` an episode was cut off |
    /// | `timeout_observations` | `[N, F]` | what was seen there before the reset, normalised |
    /// | `actor_starts`, `critic_starts` | `[C W, S]` | what the networks remembered at the start of every chunk |
    ///
    /// The names of the columns F are the file's metadata, `column_0` and so on. Without a failed update there is no
    /// `rollout.safetensors`: the worlds, not learning, gave a number that is none.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn dump(&self, folder: &Path) -> Result<(), PolicyError> {
        if self.compute.group.size() == 1 {
            self.save(folder)?;
        } else {
            self.save_networks(folder)?;
        }
        let Some(rollout) = &self.broken else { return Ok(()) };
        let names = self.collector.side.schema.column_names().into_iter().enumerate();
        let metadata = names.map(|(index, name)| (format!("column_{index}"), name)).collect();
        let bytes = arrays_as_bytes(&arrays(rollout), metadata)
            .map_err(|reason| PolicyError::Tensors { attempted: "writing down a rollout", reason })?;
        crate::checkpoint::write_file(&folder.join(ROLLOUT_FILE), &bytes)
    }
}

/// By name: shape and numbers.
type Arrays = BTreeMap<&'static str, (Vec<usize>, Vec<f32>)>;

fn arrays(rollout: &Rollout) -> Arrays {
    let [steps, worlds] = [rollout.step_count, rollout.world_count];
    let ends = rollout.ends.iter().map(|end| match end {
        EpisodeEnd::Running => 0.0,
        EpisodeEnd::Terminated => 1.0,
        EpisodeEnd::TimedOut => 2.0,
    });
    let mut arrays = Arrays::new();
    let of_teacher = [("teacher_outputs", &rollout.labels.outputs), ("teacher_log_std", &rollout.labels.log_std)];
    for (name, values) in
        [("observations", &rollout.observations), ("actions", &rollout.actions), ("outputs", &rollout.outputs)]
            .into_iter()
            .chain(of_teacher.into_iter().filter(|(_, values)| !values.is_empty()))
    {
        arrays.insert(name, (vec![steps, worlds, values.len() / (steps * worlds)], values.clone()));
    }
    for (name, values) in [
        ("log_probs", &rollout.log_probs),
        ("rewards", &rollout.rewards),
        ("values", &rollout.values),
        ("advantages", &rollout.advantages),
        ("returns", &rollout.returns),
        ("keep", &rollout.keep),
    ] {
        arrays.insert(name, (vec![steps, worlds], values.clone()));
    }
    arrays.insert("ends", (vec![steps, worlds], ends.collect()));
    arrays.insert("log_std", (vec![rollout.log_std.len()], rollout.log_std.clone()));
    let timeouts = rollout.timeout_indices.len();
    arrays.insert("timeout_indices", (vec![timeouts], rollout.timeout_indices.iter().map(|&i| i as f32).collect()));
    let columns = rollout.observations.len() / (steps * worlds);
    arrays.insert("timeout_observations", (vec![timeouts, columns], rollout.timeout_observations.clone()));
    for (name, state) in [("actor_starts", &rollout.actor_starts), ("critic_starts", &rollout.critic_starts)] {
        let rows = state.row_count();
        arrays.insert(name, (vec![rows, state.numbers().len() / rows], state.numbers().to_vec()));
    }
    arrays
}

fn arrays_as_bytes(arrays: &Arrays, metadata: Vec<(String, String)>) -> Result<Vec<u8>, String> {
    let bytes: Vec<(&str, &[usize], Vec<u8>)> = arrays
        .iter()
        .map(|(name, (shape, values))| (*name, shape.as_slice(), values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views: Result<Vec<(&str, TensorView<'_>)>, _> = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect();
    let views = views.map_err(|error: safetensors::SafeTensorError| error.to_string())?;
    safetensors::serialize(views, Some(metadata.into_iter().collect())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::learner::toy::CueWorlds;
    use crate::{CloningLearner, DeviceChoice, Labels, PolicyError, PpoConfig, PpoLearner, Teacher};
    use giraffe_robots::{SeedTree, WorldBatch as _};
    use safetensors::SafeTensors;

    #[test]
    fn an_update_that_breaks_leaves_what_it_broke_on_and_the_networks_it_began_with() {
        let config = PpoConfig {
            horizon_steps: 12,
            minibatch_count: 1,
            encoder_width: 8,
            core_width: 8,
            ..PpoConfig::default()
        };
        let mut worlds = CueWorlds::new(3, 6);
        let mut batch = worlds.batch();
        let mut learner =
            PpoLearner::new(&config, worlds.schema(), 1, 6, SeedTree::new(1), DeviceChoice::Cpu).expect("a learner");
        let folder = tempfile::tempdir().expect("a folder");
        learner.iterate(&mut worlds, &mut batch).expect("an iteration");
        learner.dump(folder.path()).expect("written");
        assert!(!folder.path().join("rollout.safetensors").exists(), "nothing broke");
        let before = learner.parameters();
        // Rewards that are numbers, but whose squares are not.
        worlds.reward_scale = 1e30;
        let error = learner.iterate(&mut worlds, &mut batch).expect_err("squares beyond f32");
        assert!(matches!(error, PolicyError::NotFinite { iteration: 1, .. }), "{error}");
        learner.dump(folder.path()).expect("written");
        let bytes = std::fs::read(folder.path().join("rollout.safetensors")).expect("read");
        let arrays = SafeTensors::deserialize(&bytes).expect("arrays by name");
        let rewards = arrays.tensor("rewards").expect("rewards");
        assert_eq!(rewards.shape(), [12, 6]);
        let largest = rewards.data().chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]).abs());
        assert!(largest.fold(0.0, f32::max) > 1e28, "the rewards that broke it are there");
        assert_eq!(arrays.tensor("observations").expect("observations").shape(), [12, 6, 3]);
        assert_eq!(arrays.tensor("critic_starts").expect("state").shape(), [6, 16]);
        assert_eq!(arrays.len(), 15);
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        assert!(header.metadata().as_ref().is_some_and(|names| names.contains_key("column_2")));
        let mut again =
            PpoLearner::new(&config, worlds.schema(), 1, 6, SeedTree::new(1), DeviceChoice::Cpu).expect("a learner");
        again.load(folder.path()).expect("the networks before");
        assert!(again.parameters() == before && again.iteration() == 1);
    }

    /// Means as far away as numbers go: their squares are none.
    struct FarAway;

    impl Teacher for FarAway {
        fn label(&mut self, observations: &[f32]) -> Result<Labels, PolicyError> {
            let count = observations.len() / 3;
            Ok(Labels { outputs: vec![1e30; count], log_std: vec![0.25; count] })
        }

        fn forget(&mut self, _world: usize) {}
    }

    #[test]
    fn a_clone_that_breaks_leaves_what_its_teacher_said() {
        let config = PpoConfig { horizon_steps: 12, minibatch_count: 1, ..PpoConfig::default() };
        let mut worlds = CueWorlds::new(3, 6);
        let mut batch = worlds.batch();
        let mut learner = CloningLearner::new(&config, worlds.schema(), 1, 6, SeedTree::new(1), DeviceChoice::Cpu)
            .expect("a learner");
        let error = learner.iterate(&mut worlds, &mut batch, &mut FarAway).expect_err("squares beyond f32");
        assert!(matches!(error, PolicyError::NotFinite { iteration: 0, .. }), "{error}");
        let folder = tempfile::tempdir().expect("a folder");
        learner.dump(folder.path()).expect("written");
        let bytes = std::fs::read(folder.path().join("rollout.safetensors")).expect("read");
        let arrays = SafeTensors::deserialize(&bytes).expect("arrays by name");
        for (name, expected) in [("teacher_outputs", 1e30f32), ("teacher_log_std", 0.25)] {
            let array = arrays.tensor(name).expect(name);
            assert_eq!(array.shape(), [12, 6, 1]);
            assert_eq!(array.data()[..4], expected.to_le_bytes());
        }
    }
}
