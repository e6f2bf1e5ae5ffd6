//! What is left for somebody to look at when learning breaks down.

use crate::run::folder::RunFolder;
use anyhow::{Context, Result, anyhow};
use giraffe_policy::{PolicyError, PpoLearner};
use giraffe_robots::{StepBatch, WorldBatch};
use std::path::Path;

/// Writes the folder `crash-<iteration>` of a run, and returns `error` with the way there.
pub fn report(
    folder: &RunFolder,
    learner: &PpoLearner,
    worlds: &dyn WorldBatch,
    batch: &StepBatch,
    error: &PolicyError,
) -> anyhow::Error {
    let member = if learner.rank() == 0 { String::new() } else { format!("-process-{}", learner.rank()) };
    let path = folder.file(&format!("crash-{:08}{member}", learner.iteration()));
    match write(&path, folder.path(), learner, worlds, batch, error) {
        Ok(()) => anyhow!(
            "{error}; the batch it broke on and the networks before it are in {}: see README.txt there",
            path.display()
        ),
        Err(other) => anyhow!("{error}; what it broke on could not be written to {}: {other:#}", path.display()),
    }
}

fn write(
    path: &Path,
    run: &Path,
    learner: &PpoLearner,
    worlds: &dyn WorldBatch,
    batch: &StepBatch,
    error: &PolicyError,
) -> Result<()> {
    let _ = std::fs::remove_dir_all(path);
    std::fs::create_dir_all(path).context("making the folder")?;
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).context(name.to_owned());
    write("README.txt", readme(run, error).as_bytes())?;
    write("last_step.csv", last_step(&worlds.schema().column_names(), batch).as_bytes())?;
    write("worlds.msgpack", &worlds.save())?;
    Ok(learner.dump(path)?)
}

/// What every world gave in the last step: a row each. Numbers that are none are written as `NaN`, `inf` and `-inf`.
fn last_step(names: &[String], batch: &StepBatch) -> String {
    let mut text = format!("world,reward,end,{}\n", names.join(","));
    let rows = batch.observations.chunks(names.len().max(1)).zip(batch.rewards.iter().zip(&batch.ends));
    for (world, (row, (reward, end))) in rows.enumerate() {
        let numbers: String = row.iter().map(|x| format!(",{x}")).collect();
        text += &format!("{world},{reward},{end:?}{numbers}\n");
    }
    text
}

fn readme(run: &Path, error: &PolicyError) -> String {
    let run = run.display();
    format!(
        "Learning broke down:\n\n    {error}\n\n\
        rollout.safetensors   what the update was given: rewards, values, advantages and so on by name, [steps, worlds, ..];\n\
        \x20                     not there when the worlds, not the update, gave a number that is none\n\
        last_step.csv         what every world gave in the last step, by the names of the columns\n\
        worlds.msgpack        the worlds after it, with every action since their episodes began\n\
        actor.bpk, critic.bpk, their optimizers, learner.msgpack\n\
        \x20                     the learner as it was before the update (without learner.msgpack when several processes\n\
        \x20                     learned together; worlds.msgpack then has those of one of them)\n\n\
        In Python, with the packages safetensors and numpy:\n\n\
        \x20   import numpy, safetensors.numpy\n\
        \x20   rollout = safetensors.numpy.load_file(\"rollout.safetensors\")\n\
        \x20   for name, array in rollout.items():\n\
        \x20       print(name, array.shape, numpy.isfinite(array).all(), abs(array).max(initial=0))\n\n\
        The checkpoints of the run are whole. To go on from the newest, lower ppo.learning_rate_bounds or\n\
        ppo.critic_learning_rate in config.toml of the run, then:\n\n\
        \x20   giraffe train --resume {run}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_says_which_world_gave_what_is_no_number() {
        let mut batch = StepBatch::new(2, 2);
        batch.observations = vec![0.5, 1.0, f32::NAN, -2.0];
        batch.rewards = vec![0.25, f32::NEG_INFINITY];
        let names = ["joint/a".to_owned(), "joint/b".to_owned()];
        let expected = "world,reward,end,joint/a,joint/b\n0,0.25,Running,0.5,1\n1,-inf,Running,NaN,-2\n";
        assert_eq!(last_step(&names, &batch), expected);
    }
}
