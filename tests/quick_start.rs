//! The quickstart learns for so many steps, in so much time, and says which of the two ended it.

use crate::support::{TINY, run_in, steps};

#[test]
fn a_quickstart_whose_time_is_over_before_its_steps_says_so_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let quick = |name: &str, budget: &[&str]| {
        let few = ["quickstart", "--out", name, "--episodes", "2", "--deployed-episodes", "1", "--json"];
        run_in(home, &[&few, budget, &TINY[..]].concat())
    };
    let late = quick("late", &["--minutes", "0.01", "--steps", "1000000000"]);
    assert_eq!(late.code, Some(0), "{late:#?}");
    assert!(late.stderr.contains("0.01 min were over after") && late.stderr.contains("of 1000.0 M steps"), "{late:#?}");
    assert!(late.stderr.contains("giraffe train --resume late --steps 1000000000"), "{late:#?}");
    let report = late.json();
    assert_eq!(report["wanted_steps"], 1_000_000_000);
    assert!(report["control_steps"].as_u64().unwrap() < 1_000_000_000);

    let done = quick("done", &["--minutes", "60", "--steps", &steps(2)]);
    assert!(done.code == Some(0) && !done.stderr.contains("were over"), "{done:#?}");
    assert_eq!(done.json()["control_steps"].to_string(), steps(2));

    let timed = quick("timed", &["--minutes", "0.01"]);
    assert!(timed.code == Some(0) && !timed.stderr.contains("were over"), "{timed:#?}");
    assert_eq!(timed.json()["wanted_steps"], serde_json::Value::Null);
}
