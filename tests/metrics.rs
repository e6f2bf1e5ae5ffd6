//! What training writes down about itself, and what it leaves when it breaks down.

use crate::resume::{assert_same, is_time};
use crate::support::{TINY, TinyPolicy, checkpoints, run_in, steps, train};
use prost::Message;
use serde_json::{Map, Value};
use std::path::Path;

/// The rows of `metrics.jsonl`.
pub fn rows(run: &Path) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// As much of TensorBoard's messages as holds numbers.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    number: f32,
}

/// Everything TensorBoard reads of a run, in its order. Every checksum must hold.
fn events(run: &Path) -> Vec<Event> {
    let entries = std::fs::read_dir(run.join("tensorboard")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut events = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let message = &rest[12..12 + length];
            for (part, sum) in [(&rest[..8], &rest[8..12]), (message, &rest[12 + length..16 + length])] {
                let expected = crc32c::crc32c(part).rotate_right(15).wrapping_add(0xa282_ead8);
                assert_eq!(sum, expected.to_le_bytes(), "{}", path.display());
            }
            events.push(Event::decode(message).unwrap());
            rest = &rest[16 + length..];
        }
    }
    events.retain(|event| event.summary.is_some());
    events
}

/// The three forms of a run's metrics say the same, and every iteration is there once.
pub fn assert_metrics_agree(run: &Path) {
    let rows = rows(run);
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let csv = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(csv.lines().count(), 1 + rows.len());
    let events = events(run);
    assert_eq!(events.len(), rows.len());
    let lines = text.lines().zip(csv.lines().skip(1));
    for (index, (row, ((json, line), event))) in rows.iter().zip(lines.zip(&events)).enumerate() {
        assert_eq!(row["iteration"], index + 1);
        assert_eq!(row["control_steps"], event.step);
        let values: Vec<&str> = line.split(',').collect();
        assert_eq!((values.len(), names.len()), (row.len(), row.len()));
        let scalars = &event.summary.as_ref().unwrap().values;
        let mut number_count = 0;
        for (name, value) in names.iter().zip(values) {
            // The same digits, since readers of JSON may round the last one.
            let number = if value.is_empty() { "null" } else { value };
            let column = format!("\"{name}\":{number}");
            assert!([",", "}"].iter().any(|end| json.contains(&(column.clone() + end))), "{column} in {json}");
            let Ok(expected) = value.parse::<f32>() else { continue };
            let end = name.strip_prefix("reward_").map_or_else(|| format!("/{name}"), |term| format!("reward/{term}"));
            let scalar = scalars.iter().find(|scalar| scalar.tag.ends_with(&end)).unwrap();
            assert_eq!(scalar.number.to_bits(), expected.to_bits(), "{name} of iteration {}", index + 1);
            number_count += 1;
        }
        assert_eq!(scalars.len(), number_count);
    }
}

#[test]
fn every_number_of_an_iteration_is_written_in_three_forms_and_a_run_that_goes_on_writes_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(folder.path(), "whole", 7, &[]);
    let parts = train(folder.path(), "parts", 4, &[]);
    // As if it had been killed after its checkpoint, in the middle of writing.
    for (name, more) in [("metrics.jsonl", "{\"iteration\":5,\"loss\":1}\n{\"iter"), ("metrics.csv", "9,9,9\n9,")] {
        let path = parts.join(name);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + more).unwrap();
    }
    let finished = run_in(folder.path(), &["train", "--resume", "parts", "--steps", &steps(7)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_same(&whole, &parts);
    assert_metrics_agree(&whole);
    assert_metrics_agree(&parts);
    let row = &rows(&whole)[6];
    for name in [
        "approx_kl",
        "clip_fraction",
        "explained_variance",
        "actor_gradient_norm",
        "critic_gradient_norm",
        "entropy",
        "learning_rate",
        "return_mean",
        "return_std",
        "value_mean",
        "value_std",
        "largest_advantage",
        "reward_rotation",
        "reward_drop",
        "physics_seconds",
        "inference_seconds",
        "update_seconds",
        "physics_steps_per_sec",
        "update_steps_per_sec",
        "learner_samples_per_sec",
        "warning_count",
        "dead_column_count",
    ] {
        assert!(row[name].is_number(), "{name} is {:?}", row[name]);
    }
    for row in rows(&whole) {
        let number = |name: &str| row[name].as_f64().unwrap();
        let terms: f64 = row.keys().filter(|name| name.starts_with("reward_")).map(|name| number(name)).sum();
        let mean = number("mean_reward");
        assert!((terms - mean).abs() < 1e-5 * (1.0 + mean.abs()), "{terms} {mean}");
        assert!(number("largest_reward") >= mean.abs() && number("largest_value") >= number("value_mean").abs());
        assert!(number("return_std") > 0.0 && number("value_std") > 0.0 && number("largest_advantage") > 0.0);
        assert!(row.keys().filter(|name| is_time(name)).count() >= 9);
    }
}

#[test]
fn the_report_of_a_session_says_where_its_time_went() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "run", 2, &[]);
    let resume = ["train", "--resume", "run", "--json", "--steps"];
    let finished = run_in(folder.path(), &[&resume[..], &[&steps(6)]].concat());
    let report = finished.json();
    let number = |name: &str| report["speed"][name].as_f64().unwrap();
    assert_eq!(report["speed"]["session_steps"].as_u64(), Some(4 * 64));
    let shares = ["physics_share", "inference_share", "update_share"].map(number);
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares.iter().all(|share| *share > 0.0), "{shares:?}");
    let seconds = ["physics_seconds", "inference_seconds", "update_seconds"].map(number);
    assert!(seconds.iter().sum::<f64>() <= number("session_seconds"), "{seconds:?}");
    assert!((number("physics_steps_per_sec") - 256.0 / seconds[0]).abs() < 1e-6 * number("physics_steps_per_sec"));
    let written: f64 =
        rows(&folder.path().join("run"))[2..].iter().map(|row| row["update_seconds"].as_f64().unwrap()).sum();
    assert!((written - seconds[2]).abs() < 1e-9);
    for part in ["control steps/s: physics", "samples/s learned from", "(physics "] {
        assert!(finished.stderr.contains(part), "`{part}` is not in {}", finished.stderr);
    }
}

/// Sets a number in the configuration that a run wrote down; returns what stood there.
fn set(run: &Path, name: &str, value: &str) -> String {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = format!("\n{name} = ");
    let (before, rest) = text.split_once(&start).unwrap();
    let (old, after) = rest.split_once('\n').unwrap();
    std::fs::write(&path, format!("{before}{start}{value}\n{after}")).unwrap();
    old.to_owned()
}

#[test]
fn learning_that_breaks_down_stops_keeps_its_checkpoint_and_leaves_what_it_broke_on() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(folder.path(), "whole", 5, &[]);
    let run = train(folder.path(), "run", 3, &[]);
    let good = set(&run, "critic_learning_rate", "1e30");
    let finished = run_in(folder.path(), &["train", "--resume", "run", "--steps", &steps(9)]);
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    let error = finished.stderr.lines().last().unwrap();
    for part in
        ["iteration 3", "the critic's loss or gradient is not a finite number", "run/crash-00000003", "README.txt"]
    {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    let crash = run.join("crash-00000003");
    let read = |name: &str| std::fs::read(crash.join(name)).unwrap();
    let arrays = safetensors::SafeTensors::deserialize(&read("rollout.safetensors")).unwrap().names().len();
    assert!(arrays > 10);
    let readme = String::from_utf8(read("README.txt")).unwrap();
    assert!(readme.contains("giraffe train --resume run") && readme.contains("rollout.safetensors"), "{readme}");
    let csv = String::from_utf8(read("last_step.csv")).unwrap();
    assert!(csv.starts_with("world,reward,end,joint_position/"));
    assert_eq!(csv.lines().count(), 5);
    // The networks before the update are those of the last checkpoint.
    let checkpoint = checkpoints(&run).pop().unwrap();
    assert!(checkpoint.ends_with("00000003"));
    assert!(read("actor.bpk") == std::fs::read(checkpoint.join("actor.bpk")).unwrap());
    // With the mistake mended, the run goes on as if nothing had happened.
    set(&run, "critic_learning_rate", &good);
    let finished = run_in(folder.path(), &["train", "--resume", "run", "--steps", &steps(5)]);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_same(&whole, &run);
    assert_metrics_agree(&run);
}

#[test]
fn a_policy_that_leaps_is_told_of_while_it_learns_and_not_in_every_iteration() {
    let folder = tempfile::tempdir().unwrap();
    let leaping = ["ppo.learning_rate=0.5", "ppo.learning_rate_bounds=[0.4, 0.5]", "ppo.critic_learning_rate=1e-3"];
    let leaping: Vec<&str> = leaping.iter().flat_map(|setting| ["--set", setting]).collect();
    let steps = steps(6);
    let arguments = [&["train", "--out", "run", "--steps", &steps], &TINY[..], &leaping].concat();
    let finished = run_in(folder.path(), &arguments);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert_eq!(finished.stderr.matches("the policy leapt").count(), 1, "{finished:#?}");
    assert!(finished.stderr.contains("WARN") && finished.stderr.contains("ppo.learning_rate_bounds"), "{finished:#?}");
    let counted = rows(&folder.path().join("run")).iter().filter(|row| row["warning_count"].as_u64() > Some(0)).count();
    assert!(counted >= 4, "{counted}");
    assert!(rows(&TinyPolicy::shared().run()).iter().all(|row| row["warning_count"] == 0));
}
