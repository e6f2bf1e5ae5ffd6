//! The check of a controller, as a user runs it.

use crate::support::{Controller, giraffe, run_in};
use std::path::Path;

#[test]
fn our_own_controller_is_found_to_keep_the_rules_and_says_so_in_json() {
    let controller = Controller::start(|endpoint| giraffe(["serve", "--driver", "scripted", "--bind", endpoint]));
    let here = Path::new(".");
    let rules = ["--rule", "welcome", "--rule", "swapped-joints", "--rule", "silence"];
    let checked =
        run_in(here, &[&["check-controller", &controller.endpoint, "--active", "--json"], &rules[..]].concat());
    let report = checked.json();
    let verdicts: Vec<&str> =
        report["rules"].as_array().unwrap().iter().map(|rule| rule["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed"; 3], "{report:#}");
    assert!(checked.stderr.contains("may move"), "{checked:?}");
    let passive = run_in(here, &["check-controller", &controller.endpoint, "--rule", "rate"]);
    assert_eq!(passive.code, Some(0), "{passive:?}");
    assert!(passive.stdout.contains("1 passed, 0 failed") && passive.stdout.contains("--active"), "{passive:?}");
}

#[test]
fn a_check_that_cannot_be_made_ends_with_two_and_what_to_do() {
    let controller = Controller::start(|endpoint| giraffe(["serve", "--driver", "scripted", "--bind", endpoint]));
    let here = Path::new(".");
    let other = run_in(here, &["check-controller", &controller.endpoint, "--robot", "allegro-right"]);
    assert_eq!(other.code, Some(2), "{other:?}");
    let typo = run_in(here, &["check-controller", &controller.endpoint, "--rule", "welcom"]);
    assert!(typo.code == Some(2) && typo.stderr.contains("did you mean `welcome`"), "{typo:?}");
    let endpoint = controller.endpoint.clone();
    controller.end("TERM");
    let nobody = run_in(here, &["check-controller", &endpoint]);
    assert!(nobody.code == Some(2) && nobody.stderr.contains("is a controller running there"), "{nobody:?}");
}
