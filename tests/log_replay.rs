//! Every deployment leaves a log, and the log is the deployment: what a policy read, said and sent comes out again bit
//! for bit.

use crate::support::{Controller, Process, TinyPolicy, giraffe, run_in, train};
use giraffe_bridge::log::{Logged, read, topic};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Deploys the tiny policy and returns its log.
fn deployed(tiny: &TinyPolicy, folder: &Path, more: &[&str]) -> PathBuf {
    let controller = Controller::simulated();
    let log = folder.join("one.mcap");
    let (endpoint, path) = (controller.endpoint.as_str(), log.to_str().unwrap());
    let arguments = [&["deploy", "run", "--connect", endpoint, "--log", path, "--json"], more].concat();
    let finished = run_in(tiny.home(), &arguments);
    assert!(finished.code == Some(0) && finished.stderr.contains("log: "), "{finished:#?}");
    assert!(!finished.stderr.contains("MISSING"), "the writer could not keep up: {finished:#?}");
    log
}

/// The same in real time. On a machine that is busy with other tests a hand may stop following: then once more.
fn deployed_in_time(tiny: &TinyPolicy, folder: &Path) -> PathBuf {
    let controller = Controller::simulated();
    for attempt in 0..5 {
        let log = folder.join(format!("{attempt}.mcap"));
        let (endpoint, path) = (controller.endpoint.as_str(), log.to_str().unwrap());
        let arguments = ["deploy", "run", "--connect", endpoint, "--log", path, "--real-time", "--episodes", "1"];
        if run_in(tiny.home(), &arguments).code == Some(0) {
            return log;
        }
    }
    panic!("no deployment in real time came to its end");
}

#[test]
fn episodes_that_last_longer_than_usual_are_replayed_to_their_ends() {
    let (home, controller) = (tempfile::tempdir().unwrap(), Controller::simulated());
    train(home.path(), "run", 1, &["--set", "task=turn-goals", "--set", "dials.episode_secs=40"]);
    for more in [&[][..], &["--set", "dials.episode_secs=50"]] {
        let log = home.path().join(format!("{}.mcap", more.len()));
        let path = log.to_str().unwrap();
        let deploy = ["deploy", "run", "--connect", &controller.endpoint, "--log", path, "--episodes", "3", "--json"];
        let deployed = run_in(home.path(), &[&deploy[..], more].concat()).json();
        let steps = &deployed["control_steps"];
        // 30 s are usual, at 20 Hz.
        assert!(steps.as_u64() > Some(2 * 700), "hardly an episode lasted longer than usual: {deployed}");
        let replayed = run_in(home.path(), &["replay", path, "--policy", "run", "--json"]).json();
        assert_eq!((&replayed["equal"], &replayed["observations"]["checked"]), (&true.into(), steps), "{replayed:#}");
    }
}

/// Replays a log: exit code and report.
fn replayed(tiny: &TinyPolicy, log: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["replay", log.to_str().unwrap(), "--policy", "run", "--json"], more].concat();
    let finished = run_in(tiny.home(), &arguments);
    let report = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:#?}"));
    (finished.code, report)
}

/// The same log with one message changed by `alter`, which is told topic and data and says when it has found its place.
fn altered(log: &Path, to: &Path, mut alter: impl FnMut(&str, &mut Vec<u8>) -> bool) {
    let bytes = std::fs::read(log).unwrap();
    let mut writer = mcap::Writer::new(std::fs::File::create(to).unwrap()).unwrap();
    let summary = mcap::Summary::read(&bytes).unwrap().unwrap();
    for index in &summary.metadata_indexes {
        writer.write_metadata(&mcap::read::metadata(&bytes, index).unwrap()).unwrap();
    }
    let mut done = false;
    for message in mcap::MessageStream::new(&bytes).unwrap() {
        let mut message = message.unwrap();
        if !done {
            let mut data = message.data.to_vec();
            done = alter(&message.channel.topic, &mut data);
            message.data = data.into();
        }
        writer.write(&message).unwrap();
    }
    assert!(done, "nothing was altered");
    writer.finish().unwrap();
}

#[test]
fn a_deployment_in_lock_step_comes_out_of_its_log_bit_for_bit() {
    let (tiny, folder) = (TinyPolicy::shared(), tempfile::tempdir().unwrap());
    let log = deployed(&tiny, folder.path(), &["--paired", "--episodes", "2", "--scenario", "amnesia"]);
    let (code, report) = replayed(&tiny, &log, &["--out", folder.path().to_str().unwrap()]);
    assert_eq!((code, &report["equal"]), (Some(0), &Value::Bool(true)), "{report:#}");
    let steps = report["steps"].as_u64().unwrap();
    assert!(steps > 20 && report["episodes"] == 2, "{report:#}");
    for channel in ["observations", "actions", "targets", "applied"] {
        assert_eq!(report[channel]["checked"], steps, "{channel}: {report:#}");
        assert_eq!(report[channel]["unchecked"], serde_json::json!({}), "{channel}");
    }
    let picture = std::fs::read_to_string(folder.path().join("joints.svg")).unwrap();
    assert!(picture.contains("target applied") && picture.len() < 2_000_000);
    let text = run_in(tiny.home(), &["replay", log.to_str().unwrap(), "--policy", "run"]).stdout;
    assert!(text.contains("equal, bit for bit") && text.contains("lock-step, 2 episodes"), "{text}");
}

#[test]
fn a_deployment_in_real_time_comes_out_of_its_log_bit_for_bit() {
    let (tiny, folder) = (TinyPolicy::shared(), tempfile::tempdir().unwrap());
    let log = deployed_in_time(&tiny, folder.path());
    let (code, report) = replayed(&tiny, &log, &[]);
    assert_eq!((code, &report["equal"]), (Some(0), &Value::Bool(true)), "{report:#}");
    let steps = report["steps"].as_u64().unwrap();
    for channel in ["observations", "actions", "targets"] {
        assert_eq!(report[channel]["checked"], steps, "{channel}: {report:#}");
    }
    // Of the envelope everything is checked, or it is said why not.
    let applied = &report["applied"];
    let unchecked: u64 = applied["unchecked"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert!(applied["checked"].as_u64().unwrap() + unchecked > 0, "{report:#}");
    let log = read(&log).unwrap();
    assert!(log.entries.iter().any(|entry| matches!(entry.logged, Logged::Net(_))));
    assert_eq!(log.text("giraffe.deployment", "mode"), Some("real time"));
}

/// The last bit of number `index` of `values` in a JSON message.
fn flip(data: &mut Vec<u8>, index: usize) {
    let mut message: Value = serde_json::from_slice(data).unwrap();
    let number = message["values"][index].as_f64().unwrap() as f32;
    message["values"][index] = f64::from(f32::from_bits(number.to_bits() ^ 1)).into();
    *data = serde_json::to_vec(&message).unwrap();
}

#[test]
fn one_altered_bit_is_found_and_named() {
    let (tiny, folder) = (TinyPolicy::shared(), tempfile::tempdir().unwrap());
    let log = deployed(&tiny, folder.path(), &["--episodes", "1"]);
    for (channel, name, index) in [(topic::OBS, "observations", 5), (topic::ACTION_RAW, "actions", 3)] {
        let path = folder.path().join(format!("{name}.mcap"));
        let mut seen = 0;
        altered(&log, &path, |topic, data| {
            seen += u64::from(topic == channel);
            let here = topic == channel && seen == 8;
            if here {
                flip(data, index);
            }
            here
        });
        let (code, report) = replayed(&tiny, &path, &[]);
        assert_eq!((code, &report["equal"]), (Some(1), &Value::Bool(false)), "{report:#}");
        let first = &report[name]["first"];
        assert_eq!((first["step"].as_u64(), first["index"].as_u64()), (Some(7), Some(index as u64)), "{report:#}");
        let counts: BTreeMap<&str, u64> = ["observations", "actions", "targets", "applied"]
            .map(|channel| (channel, report[channel]["different"].as_u64().unwrap()))
            .into();
        assert_eq!(counts.values().sum::<u64>(), 1, "only the altered channel differs: {counts:?}");
        assert_eq!(counts[name], 1);
    }
    // A state that says that another target was in force: the envelope says otherwise, and the policy would have, too.
    let path = folder.path().join("state.mcap");
    let mut seen = 0;
    altered(&log, &path, |topic, data| {
        seen += u64::from(topic == topic::STATE_RAW);
        let here = topic == topic::STATE_RAW && seen == 12;
        if here {
            // The first float of `q_target`: key, array of 16, marker of a float, four bytes.
            let key = data.windows(8).position(|bytes| bytes == b"q_target").unwrap();
            data[key + 8 + 3 + 1 + 3] ^= 1;
        }
        here
    });
    let (code, report) = replayed(&tiny, &path, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["applied"]["first"]["joint"], 0, "{report:#}");
}

#[test]
fn another_policy_is_refused() {
    let (tiny, folder) = (TinyPolicy::shared(), tempfile::tempdir().unwrap());
    let log = deployed(&tiny, folder.path(), &["--episodes", "1"]);
    train(folder.path(), "other", 1, &["--set", "seed=7"]);
    let other = run_in(folder.path(), &["replay", "one.mcap", "--policy", "other"]);
    assert_eq!(other.code, Some(2), "{other:#?}");
    assert!(other.stderr.contains("another policy") && other.stderr.contains("fingerprint"), "{other:#?}");
    let none = run_in(folder.path(), &["replay", "one.mcap"]);
    assert!(none.code == Some(2) && none.stderr.contains("--policy"), "{none:#?}");
    let world = run_in(folder.path(), &["replay", "one.mcap", "--world", "1"]);
    assert!(world.code == Some(2) && world.stderr.contains("no worlds"), "{world:#?}");
    let wordless = run_in(tiny.home(), &["replay", "run"]);
    assert!(wordless.code == Some(2) && wordless.stderr.contains("--world"), "{wordless:#?}");
    assert!(log.is_file());
}

#[test]
fn a_killed_deployment_leaves_a_log_that_is_equal_as_far_as_it_goes() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let arguments = ["deploy", "run", "--real-time", "--episodes", "100000", "--connect", &controller.endpoint];
    let logs = tiny.run().join("deployments");
    let there = || -> Vec<PathBuf> {
        std::fs::read_dir(&logs).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    };
    let before = there();
    let mut process = Process::start(&mut giraffe(arguments), tiny.home());
    let observations = || {
        let new = there().into_iter().filter(|path| !before.contains(path));
        let found = new.filter_map(|path| {
            let log = read(&path).ok()?;
            let ours = log.text("giraffe.deployment", "endpoint") == Some(&controller.endpoint);
            let count = log.entries.iter().filter(|entry| matches!(entry.logged, Logged::Observation(_))).count();
            ours.then_some((path, count))
        });
        found.max_by_key(|(_, count)| *count)
    };
    let log = loop {
        assert!(process.is_running(), "{:#?}", process.finish());
        match observations() {
            Some((path, count)) if count > 5 => break path,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    process.signal("KILL");
    process.finish();
    // It lies in the folder of its run: nobody need say which policy it was.
    let finished = run_in(tiny.home(), &["replay", log.to_str().unwrap(), "--json"]);
    let report = finished.json();
    assert!(report["cut"].as_str().unwrap().contains("killed"), "{report:#}");
    assert!(report["equal"] == true && report["observations"]["checked"].as_u64().unwrap() > 5, "{report:#}");
}

#[test]
fn a_deployment_without_a_log_leaves_none() {
    let (tiny, controller) = (TinyPolicy::shared(), Controller::simulated());
    let home = tempfile::tempdir().unwrap();
    let policy = tiny.run().join("policy.bin");
    let deploy = ["deploy", policy.to_str().unwrap(), "--episodes", "1", "--connect", &controller.endpoint];
    let silent = run_in(home.path(), &[&deploy[..], &["--no-log"]].concat());
    assert!(silent.code == Some(0) && !silent.stderr.contains("log:"), "{silent:#?}");
    assert!(!home.path().join("deployments").exists());
    let logged = run_in(home.path(), &deploy);
    assert!(logged.stderr.contains("log: deployments"), "it says where the log is: {logged:#?}");
    let nowhere = run_in(home.path(), &[&deploy[..], &["--log", policy.to_str().unwrap()]].concat());
    assert!(nowhere.code == Some(2) && nowhere.stderr.contains("policy.bin"), "never over another file: {nowhere:#?}");
}
