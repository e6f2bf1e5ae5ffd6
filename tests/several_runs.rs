//! Several runs together: compared on the same worlds, and drawn.

use crate::support::{GROWING, TinyPolicy, run_in, train};
use serde_json::Value;
use std::path::Path;

/// `compare-policies` with few episodes; what it printed.
fn compared(folder: &Path, more: &[&str]) -> Value {
    let arguments =
        [&["compare-policies", "--episodes", "6", "--seed", "5", "--out", "report", "--json"], more].concat();
    run_in(folder, &arguments).json()
}

fn rate(report: &Value, set: usize, group: usize) -> f64 {
    report["test_sets"][set]["groups"][group]["measures"][0]["estimate"]["value"].as_f64().unwrap()
}

#[test]
fn policies_are_compared_in_worlds_that_do_not_depend_on_their_own_training() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    train(home, "nominal", 2, &["--set", "randomization.preset=none", "--seed", "3"]);
    train(home, "wide", 2, &["--seed", "4"]);
    let policies = ["--policy", "a=nominal", "--policy", "b=wide"];
    let report =
        compared(home, &[&policies[..], &["--test", "none", "--test", "wide", "--test", "wide+push"]].concat());
    for (set, preset, scenario) in [(0, "none", "none"), (1, "wide", "none"), (2, "wide", "push")] {
        for (group, run) in ["nominal", "wide"].iter().enumerate() {
            let preset = format!("randomization.preset={preset}");
            let evaluate = ["evaluate", run, "--episodes", "6", "--seed", "5", "--set", &preset, "--json"];
            let alone = run_in(home, &[&evaluate[..], &["--scenario", scenario]].concat()).json();
            let alone = alone[scenario]["measures"]["rotation_rate_rad_per_sec"]["value"].as_f64().unwrap();
            assert_eq!(rate(&report, set, group).to_bits(), alone.to_bits(), "{run} on {preset}, {scenario}");
        }
    }
    assert_ne!(rate(&report, 0, 0).to_bits(), rate(&report, 1, 0).to_bits());
    // Neither the company nor the number of threads changes a number.
    let alone = compared(home, &["--policy", "b=wide", "--test", "wide", "--threads", "1"]);
    assert_eq!(alone["test_sets"][0]["groups"][0], report["test_sets"][1]["groups"][1]);
}

#[test]
fn runs_that_share_a_name_are_one_line_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    for seed in ["1", "2"] {
        train(home, &format!("run-{seed}"), 2, &["--seed", seed]);
    }
    let report = compared(home, &["--policy", "ours=run-1", "--policy", "ours=run-2", "--test", "wide"]);
    let group = &report["test_sets"][0]["groups"][0];
    let rates: Vec<f64> = group["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["score"]["measures"]["rotation_rate_rad_per_sec"]["value"].as_f64().unwrap())
        .collect();
    assert_eq!(rates.len(), 2);
    let median = group["measures"][0]["median"].as_f64().unwrap();
    assert!(
        (median - 0.5 * (rates[0] + rates[1])).abs() < 1e-12 && rates[0].to_bits() != rates[1].to_bits(),
        "{rates:?}"
    );
    let markdown = std::fs::read_to_string(home.join("report/report.md")).unwrap();
    assert!(markdown.contains("| ours |") && markdown.contains("`run-2`") && markdown.contains("policies.svg"));
    let written: Value = serde_json::from_slice(&std::fs::read(home.join("report/report.json")).unwrap()).unwrap();
    assert_eq!(written, report);
    is_a_small_picture(&home.join("report/policies.svg"), &["ours", "wide", "rotation rate"]);
}

/// A picture with a ground of its own, so that black letters are never on black, and with these words.
fn is_a_small_picture(path: &Path, words: &[&str]) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.len() < 200_000, "{} has {} bytes", path.display(), text.len());
    let ground = text.split("<rect").nth(1).unwrap_or_default();
    assert!(ground.contains("x=\"0\" y=\"0\"") && ground.contains("#FFFFFF"), "{}: {ground}", path.display());
    for word in words {
        assert!(text.contains(word), "{} does not say {word}", path.display());
    }
}

#[test]
fn runs_are_drawn_together_with_their_names_and_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    for seed in ["1", "2"] {
        train(home, &format!("adr-{seed}"), 45, &[&GROWING[..], &["--seed", seed]].concat());
    }
    train(home, "fixed", 3, &[]);
    let runs = ["plot", "growing=adr-1", "growing=adr-2", "fixed", "--out", "pictures", "--json"];
    let report = run_in(home, &runs).json();
    assert_eq!(report["pictures"].as_array().unwrap().len(), 3);
    let ranges = report["runs"].as_array().unwrap();
    assert!(ranges[0]["entropy_nats"].as_f64().unwrap() > -6.9 && ranges[2]["entropy_nats"].is_null(), "{ranges:?}");
    let picture = |name: &str| home.join("pictures").join(name);
    is_a_small_picture(&picture("learning.svg"), &["growing, median of 2", "fixed", "control steps"]);
    is_a_small_picture(&picture("entropy.svg"), &["growing, median of 2", "nats"]);
    is_a_small_picture(&picture("ranges.svg"), &["growing", "object.mass", "joint.stiffness"]);
    // Without ranges that grow there is one picture.
    let report = run_in(home, &["plot", "fixed", "--out", "one", "--json"]).json();
    assert_eq!(report["pictures"], serde_json::json!(["one/learning.svg"]));
}

#[test]
fn what_cannot_be_compared_or_drawn_is_refused() {
    let tiny = TinyPolicy::shared();
    let refused = |arguments: &[&str], parts: &[&str]| {
        let finished = run_in(tiny.home(), arguments);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        for part in parts {
            assert!(finished.stderr.contains(part), "{arguments:?}: `{part}` is not in {}", finished.stderr);
        }
        assert_eq!(finished.stdout, "");
        assert!(!tiny.home().join("refused").exists(), "{arguments:?} was refused, but left a folder");
    };
    let compare = |more: &[&str], parts: &[&str]| {
        refused(&[&["compare-policies", "--out", "refused", "--policy"], more].concat(), parts);
    };
    compare(&["a="], &["NAME=FOLDER"]);
    compare(&["a=nothing"], &["nothing", "policy"]);
    compare(&["a=run", "--test", "wied"], &["wied", "did you mean wide"]);
    compare(&["a=run", "--test", "wide+pussh"], &["did you mean", "push"]);
    compare(&["a=run", "--episodes", "0"], &["--episodes 0"]);
    compare(&["a=run", "--set", "randomization.prest=none"], &["did you mean"]);
    compare(&["a=run", "--object", "cube-70m"], &["did you mean", "cube-70mm"]);
    refused(&["compare-policies", "--out", "refused"], &["--policy"]);
    refused(&["plot", "nothing", "--out", "refused"], &["nothing is not the folder of a run", "metrics.jsonl"]);
    refused(&["plot", "--out", "refused"], &["RUN"]);
}
